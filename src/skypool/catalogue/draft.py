"""What a commit is made of before it has a number, and what became of it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any, TypeAlias, overload

from skypool.codec.packing import PackedRows

__all__ = [
    "PLACEHOLDER",
    "Children",
    "Completion",
    "Draft",
    "DraftVersion",
    "Expectation",
    "External",
    "Move",
    "Published",
    "Purge",
    "RefTarget",
    "SourceRow",
    "SourceRows",
]

# What the names below a name that is not chosen yet start with.
PLACEHOLDER = "\0"


@dataclass(frozen=True, slots=True)
class External:
    """A reference that could not be resolved."""

    text: str


RefTarget: TypeAlias = "int | External"


class Children(Sequence[tuple[str, RefTarget]]):
    """References to versions by number: a context may have a million."""

    __slots__ = ("_roles", "_targets")

    def __init__(self) -> None:
        self._roles: list[str] = []
        self._targets = array("q")

    def append(self, role: str, target: int) -> None:
        """Add one."""
        self._roles.append(role)
        self._targets.append(target)

    def __len__(self) -> int:
        return len(self._roles)

    def __iter__(self) -> Iterator[tuple[str, RefTarget]]:
        return zip(self._roles, self._targets, strict=True)

    @overload
    def __getitem__(self, index: int) -> tuple[str, RefTarget]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[str, RefTarget]]: ...
    def __getitem__(
        self, index: int | slice
    ) -> tuple[str, RefTarget] | Sequence[tuple[str, RefTarget]]:
        if isinstance(index, slice):
            return list(zip(self._roles[index], self._targets[index], strict=True))
        return self._roles[index], self._targets[index]


@dataclass(slots=True)
class DraftVersion:
    """A version that wants to be committed.

    Attributes
    ----------
    document : bytes
        Digest of the product document.
    refs : sequence of (role, target)
        Targets are numbers of versions, or `-1 - n` for the version at place *n* of the same
        draft, which must come earlier; or `External`.
    name : str or None
        Name under which it is saved: continues the track of that name. One that starts with
        `PLACEHOLDER` and the number of a stem stands below the name made from that stem.
    track : int or None
        Track to continue, whatever its name.
    keep_same : bool
        Reuse the track's last version where document and references are the same.
    taken : collection of bytes
        Documents of versions of the pool of which content was not written again: the commit
        makes sure that it was not given up meanwhile.
    """

    document: bytes
    kind: str
    type: str
    size: int
    total: int
    refs: Sequence[tuple[str, RefTarget]] = ()
    name: str | None = None
    track: int | None = None
    keep_same: bool = False
    origin: Mapping[str, Any] | None = None
    taken: Collection[bytes] = ()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A file outside the pool that holds the content of a document."""

    document: bytes
    path: str
    size: int
    mtime_ns: int
    inode: int


class SourceRows:
    """Files outside the pool in a draft, packed: there may be millions.

    Parameters
    ----------
    rows
        The first ones.
    """

    def __init__(self, rows: Iterable[SourceRow] = ()) -> None:
        self._rows = PackedRows(map(_values, rows))

    def append(self, row: SourceRow) -> None:
        """Add one."""
        self._rows.append(_values(row))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[SourceRow]:
        return starmap(SourceRow, self._rows)

    def since(self, start: int) -> list[SourceRow]:
        """Return those from one on."""
        return list(starmap(SourceRow, self._rows.since(start)))


def _values(row: SourceRow) -> tuple[bytes, str, int, int, int]:
    return row.document, row.path, row.size, row.mtime_ns, row.inode


@dataclass(frozen=True, slots=True)
class Move:
    """Files outside the pool that have other paths now.

    Attributes
    ----------
    old, new : str
        Absolute paths of files or folders.
    but : tuple of str
        Paths at or below *old* that did not move.
    """

    old: str
    new: str
    but: tuple[str, ...] = ()


@dataclass(slots=True)
class Completion:
    """A document of a file that was read completely takes the place of one of its headers.

    Attributes
    ----------
    of, document : bytes
        Digests of both documents.
    kind, type, size
        Of the complete one.
    sky : list
        See `skypool.pool.sky_tables`.
    """

    of: bytes
    document: bytes
    kind: str
    type: str
    size: int
    sky: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a track was like when an exclusive commit was made.

    Attributes
    ----------
    name : str
        Its name.
    track : int or None
        Its number; None if there was to be no product of that name.
    at : int
        The commit as of which it was seen.
    version : int or None
        The version that was seen, to be the newest; None if any may be.
    """

    name: str
    track: int | None = None
    at: int = 0
    version: int | None = None


@dataclass(slots=True)
class Purge:
    """Versions whose content may be given up; see `skypool.catalogue.purging`.

    Attributes
    ----------
    versions : list of int
        Their numbers. Those that are protected when the commit is made are left out.
    removed_before : int or None
        Only those of products that were removed before that time (us since 1970) and are
        removed still.
    """

    versions: list[int]
    removed_before: int | None = None


@dataclass(slots=True)
class Draft:
    """One commit before it has a number.

    Each of `stems` gets a name `<stem>-<n>` that no track ever had; see `DraftVersion.name`.
    `tags` are (tag, target, set or not) with targets as in `DraftVersion.refs`; `renames` are
    (track, new name), and so are `moves`, of tracks that get a version in the same commit;
    `hidden` are (track, removed or restored). `relocated` and `gone` (document, path) change
    where files outside the pool are looked for.

    `plans` are called with the draft inside the transaction, before anything is resolved: what
    depends on the names that there are (renaming all below a folder) is filled in there, and
    cannot be out of date. `expected` must hold in the same transaction. `staged` are documents,
    among those taken, that an earlier commit indexed and never published; all chunks that they
    reach are in the writer's `reused`.
    """

    author: str
    message: str
    stems: list[str] = field(default_factory=list)
    versions: list[DraftVersion] = field(default_factory=list)
    tags: list[tuple[str, int, bool]] = field(default_factory=list)
    renames: list[tuple[int, str]] = field(default_factory=list)
    moves: list[tuple[int, str]] = field(default_factory=list)
    hidden: list[tuple[int, bool]] = field(default_factory=list)
    sources: SourceRows = field(default_factory=SourceRows)
    relocated: list[Move] = field(default_factory=list)
    gone: list[tuple[bytes, str]] = field(default_factory=list)
    completed: list[Completion] = field(default_factory=list)
    plans: list[Callable[[Draft], None]] = field(default_factory=list)
    expected: list[Expectation] = field(default_factory=list)
    staged: set[bytes] = field(default_factory=set)
    purge: Purge | None = None
    # Number of a version, and the places that have its content, as the log says them.
    drops: list[tuple[int, list[dict[str, Any]]]] = field(default_factory=list)
    fetches: list[int] = field(default_factory=list)
    # The `id` of the pool that is committed to, for these two.
    pool: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (
            self.versions
            or self.tags
            or self.renames
            or self.hidden
            or self.plans
            or self.purge
            or self.drops
            or self.fetches
        )


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a draft.

    Attributes
    ----------
    commit : int or None
        Its number; None where nothing had to be committed.
    urns : tuple of int
        Number of the version for each draft version, in order.
    new : tuple of bool
        Whether that version is new (else an equal one was there).
    """

    commit: int | None
    urns: tuple[int, ...]
    new: tuple[bool, ...]
