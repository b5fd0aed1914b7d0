"""A folder that is added again and again while programs work in it: what stays, what was moved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skypool.catalogue.draft import Children
from skypool.pool.arranging import Place

if TYPE_CHECKING:
    from skypool.catalogue.draft import Draft, DraftVersion
    from skypool.catalogue.identity import Identity
    from skypool.pool.session import Session

__all__ = ["Following", "Moves", "Unread", "children_that_stay", "in_old_order"]


@dataclass(frozen=True, slots=True)
class Following:
    """How a folder is followed; see `AddOptions.following`.

    Attributes
    ----------
    leaves_out : callable
        Says of a path, with its `os.stat_result` (None where it has none), whether it is not to
        be added now.
    keeps : callable
        Says of the path of what was added earlier, and is not added now, whether it stays.
    removes : bool
        Whether what does not stay is removed from view.
    moved : dict
        Absolute paths of files and folders that were moved, with those that they had.
    """

    leaves_out: Callable[[str, os.stat_result | None], bool]
    keeps: Callable[[str], bool]
    removes: bool = False
    moved: Mapping[str, str] = field(default_factory=dict)

    def moves(
        self, catalogue: Identity, folder: str, name: str, versions: Sequence[DraftVersion]
    ) -> Moves:
        """Return the plan for what was moved below a folder that is called *name*."""
        folder = os.path.abspath(folder)
        names = {}
        for new, old in self.moved.items():
            if new.startswith(folder + os.sep) and old.startswith(folder + os.sep):
                names[_name(name, folder, new)] = _name(name, folder, old)
        return Moves(catalogue, names, versions)


class Unread:
    """Says of paths whether they are, or are below, what could not be read: it may be there.

    Parameters
    ----------
    paths
        What could not be read.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(map(os.path.abspath, paths))

    def __bool__(self) -> bool:
        return bool(self._paths)

    def __call__(self, path: str) -> bool:
        """Say so of one path."""
        path = os.path.abspath(path)
        while path not in self._paths:
            above = os.path.dirname(path)
            if above == path:
                return False
            path = above
        return True


def in_old_order(session: Session, name: str, refs: Children) -> Children:
    """Sort references as the context of a name has them now; new ones come last."""
    catalogue = session.catalogue
    head = catalogue.head()
    track = catalogue.named(name, head)
    row = None if track is None else catalogue.latest(track, head)
    old = () if row is None else catalogue.refs(row.urn)
    order = {ref.role: place for place, ref in enumerate(old)}
    found = Children()
    for role, target in sorted(refs, key=lambda each: order.get(each[0], len(order))):
        assert isinstance(target, int)
        found.append(role, target)
    return found


def _name(root: str, folder: str, path: str) -> str:
    return f"{root}/{os.path.relpath(path, folder).replace(os.sep, '/')}"


class Moves:
    """Plans that products of files and folders that were moved go on under their new names.

    Parameters
    ----------
    catalogue
        The catalogue.
    names
        New names, each with the old one; what is below them is meant too.
    versions
        Of the tree.
    """

    def __init__(
        self, catalogue: Identity, names: Mapping[str, str], versions: Sequence[DraftVersion]
    ) -> None:
        self._catalogue = catalogue
        # What was moved into a folder that was moved has a place of its own: the longest holds.
        self._names = dict(sorted(names.items(), key=lambda pair: -len(pair[0])))
        self._versions = versions

    def __call__(self, draft: Draft) -> None:
        """Fill the plan into a draft."""
        if not self._names:
            return
        head = self._catalogue.head()
        here = {version.name for version in self._versions}
        old = {o: t for was in self._names.values() for o, t in self._below(was, head)}
        taken = {n for now in self._names for n, _ in self._below(now, head)}
        for version in self._versions:
            was = self._before(version.name or "")
            if was in old and was not in here and version.name not in taken:
                assert version.name is not None
                version.track = old.pop(was)
                draft.moves.append((version.track, version.name))

    def _below(self, name: str, head: int) -> Iterator[tuple[str, int]]:
        yield from self._catalogue.names(head, name)
        track = self._catalogue.named(name, head)
        if track is not None:
            yield name, track

    def _before(self, name: str) -> str:
        """Return the name that something had; the empty text if it was not moved."""
        for now, was in self._names.items():
            if name == now or name.startswith(now + "/"):
                return was + name[len(now) :]
        return ""


def children_that_stay(
    session: Session, place: Place, name: str, root: str, folder: str, keeps: Callable[[str], bool]
) -> dict[str, tuple[int, str, str]]:
    """Return the children of a context that are not in its folder, and stay all the same.

    Parameters
    ----------
    session
        The open pool.
    place
        The context that is to be made.
    name, root
        Its name, and that of the root.
    folder
        Where its files are.
    keeps
        Says of a path whether what was added from there stays.

    Returns
    -------
    dict
        By role: number of the version, place in the folder, name.
    """
    catalogue = session.catalogue
    head = catalogue.head()
    track = catalogue.named(name, head)
    row = None if track is None else catalogue.latest(track, head)
    if row is None:
        return {}
    here = {
        child.role: f"{root}/{child.what.name if isinstance(child.what, Place) else child.name}"
        for child in place.children
    }
    names = frozenset(here.values())
    paths = dict(session.document(row.document).get("paths", ()))
    found: dict[str, tuple[int, str, str]] = {}
    for ref in catalogue.refs(row.urn):
        if ref.child is None or ref.role in here:
            continue
        child = catalogue.version(ref.child, head)
        called = child.name if child is not None else None
        path = paths.get(ref.role, ref.role)
        # What was removed from the pool, or has another place now, has left this folder.
        if not called or not called.startswith(name + "/") or called in names:
            continue
        if keeps(os.path.join(folder, path)):
            found[ref.role] = (ref.child, path, called)
    return found
