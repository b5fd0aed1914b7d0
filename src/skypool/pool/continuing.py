"""What became of the products that a folder had when it was added the last time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skypool.catalogue.draft import Draft, DraftVersion
    from skypool.catalogue.identity import Identity

__all__ = ["Continuing"]

# The archive's names end in the time of processing, in milliseconds since 1970.
_STAMP = re.compile(r"_\d{13}(?=\.|\Z)")


class Continuing:
    """Plans what happens to the products below a root that are not in it any more.

    Parameters
    ----------
    catalogue
        The catalogue.
    root
        Name of the root.
    versions
        Those of the tree, the root included.
    files
        Of an observation: those of them that are files, which go on under other names.
    unread
        Names of what could not be read: nothing is known of what is below.
    removed
        Takes the names that are hidden.
    kept
        Names that are not in the tree and stay all the same.
    """

    def __init__(
        self,
        catalogue: Identity,
        root: str,
        versions: Sequence[DraftVersion],
        *,
        files: Sequence[DraftVersion] = (),
        unread: Collection[str] = (),
        removed: list[str],
        kept: Collection[str] = (),
    ) -> None:
        self._catalogue = catalogue
        self._root = root
        self._versions = versions
        self._files = files
        self._unread = frozenset(unread)
        self._removed = removed
        self._noted: list[str] = []
        self._kept = tuple(kept)

    def __call__(self, draft: Draft) -> None:
        """Fill the plan into a draft; if it is made again, what was found before is forgotten."""
        for name in self._noted:
            self._removed.remove(name)
        self._noted = []
        head = self._catalogue.head()
        here = {version.name for version in self._versions}
        before = dict(self._catalogue.names(head, self._root))
        moving = {track for track, _ in draft.moves}
        missing = {
            name: track
            for name, track in before.items()
            if name not in here
            and track not in moving
            and not self._is_unread(name)
            and not self._is_kept(name)
        }
        if not missing:
            return
        for version, name in self._continued(before, missing):
            assert version.name is not None
            version.track = missing.pop(name)
            draft.moves.append((version.track, version.name))
        own = set(missing.values()) | {before.get(name) for name in here if name}
        own.add(self._catalogue.named(self._root, head))
        for name, track in missing.items():
            parents = self._catalogue.live_parents(track, head)
            if all(parent.track in own for parent in parents):
                draft.hidden.append((track, True))
                self._noted.append(name)
        self._removed += self._noted

    def _is_kept(self, name: str) -> bool:
        return any(name == kept or name.startswith(kept + "/") for kept in self._kept)

    def _is_unread(self, name: str) -> bool:
        parts = name.split("/") if self._unread else ()
        return any("/".join(parts[:n]) in self._unread for n in range(1, len(parts) + 1))

    def _continued(
        self, before: Collection[str], missing: Collection[str]
    ) -> Iterator[tuple[DraftVersion, str]]:
        """Pair files with those that they take the place of.

        Reprocessing gives them other names: another time at the end, or, for the only file in
        its folder, any other.
        """
        fresh = {v.name: v for v in self._files if v.name and v.name not in before}
        above = {folder for name in before for folder in _folders(name)}
        # A file takes no folder's place.
        missing = [name for name in missing if name not in above]
        left = _by_key(_without_stamp, missing)
        paired = set()
        for key, (name, *more) in _by_key(_without_stamp, fresh).items():
            if not more and len(left.get(key, ())) == 1:
                paired.add(left[key][0])
                yield fresh.pop(name), left[key][0]
        alone = _by_key(_folder, before)
        for folder, names in _by_key(_folder, [v.name for v in self._files if v.name]).items():
            old = alone.get(folder, [])
            if len(names) != 1 or len(old) != 1 or names[0] not in fresh:
                continue
            if old[0] in missing and old[0] not in paired:
                yield fresh.pop(names[0]), old[0]


def _without_stamp(name: str) -> str:
    return _STAMP.sub("", name)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _folders(name: str) -> Iterator[str]:
    """Yield all folders that a name is in."""
    while name := _folder(name):
        yield name


def _by_key(key: Callable[[str], str], names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[key(name)].append(name)
    return found
