"""What a catalogue is asked and told, whatever database it lives in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from skypool.errors import Conflict

__all__ = [
    "FOREVER",
    "PLACEHOLDER",
    "Catalogue",
    "ChunkPlace",
    "ChunksGone",
    "CommitRow",
    "Completion",
    "Draft",
    "DraftVersion",
    "Expectation",
    "External",
    "HeadMoved",
    "IndexedDocument",
    "Listed",
    "Move",
    "Published",
    "Purge",
    "RefRow",
    "SourceRow",
    "Term",
    "VersionRow",
]

# The end of a range of commits that still holds (the largest SQL integer).
FOREVER = 2**63 - 1
# What the names below a name that is not chosen yet start with.
PLACEHOLDER = "\0"


class ChunkPlace(NamedTuple):
    """Where a chunk is: in a record of a pack, or in a block there.

    Attributes
    ----------
    pack : bytes
        The pack's name, 16 bytes.
    offset : int
        Of the record.
    stored : int
        Bytes of the record's header and payload.
    member : int or None
        Start of the chunk in the decoded block.
    length : int
        Bytes of the chunk, decoded.
    """

    pack: bytes
    offset: int
    stored: int
    member: int | None
    length: int


class Term(NamedTuple):
    """One searchable value of a document.

    Attributes
    ----------
    key : str or int
        Name of the parameter; the number that stands for a core attribute.
    value : int, float, str or bytes
        Times as text; booleans as 0 and 1; text cut at `TEXT_LIMIT`; NaN as no bytes.
    unit : str
        Unit as text, empty where there is none.
    place : int
        0 for the product's own metadata, else the number of the dataset.
    """

    key: str | int
    value: Any
    unit: str
    place: int


# Parameters as documents list them: name, value, and where there are unit and description.
Listed: TypeAlias = Sequence[Sequence[Any]]


@dataclass(slots=True)
class IndexedDocument:
    """A product document as the catalogue indexes it.

    Attributes
    ----------
    metas : list of (place, parameters)
        Metadata of the product (place 0) and of its datasets (by their numbers, from 1).
    on_sky : bool
        Whether coverage has still to be worked out; it is when its chunks are durable.
    coverage : bytes
        As `sky.coverage.encode` gives it.
    attributes : mapping
        Core attributes, by name.
    """

    digest: bytes
    kind: str
    type: str
    size: int
    file_hash: bytes | None
    metas: Sequence[tuple[int, Listed]]
    on_sky: bool = False
    coverage: bytes = b""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    # Whether it cannot be read, so that no more is known than the log says.
    bare: bool = False


@dataclass(frozen=True, slots=True)
class External:
    """A reference that could not be resolved."""

    text: str


RefTarget: TypeAlias = "int | External"


@dataclass(slots=True)
class DraftVersion:
    """A version that wants to be committed.

    Attributes
    ----------
    document : bytes
        Digest of the product document.
    refs : list of (role, target)
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
    refs: list[tuple[str, RefTarget]] = field(default_factory=list)
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
    sources: list[SourceRow] = field(default_factory=list)
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


class VersionRow(NamedTuple):
    """A version.

    *at* is the commit as of which it was asked for, *purged* the one that gave it up, or 0.
    """

    urn: int
    track: int
    version: int
    document: bytes
    kind: str
    type: str
    size: int
    total: int
    commit: int
    name: str | None
    at: int
    purged: int = 0


class RefRow(NamedTuple):
    """A reference of a version: *child* is None where it is external."""

    role: str
    child: int | None
    external: str | None


class CommitRow(NamedTuple):
    """A commit as the history shows it."""

    number: int
    time_us: int
    author: str
    message: str
    changes: Mapping[str, int]


class ChunksGone(Conflict):
    """Chunks that a draft counted on are no longer there; they must be written again."""

    code = "chunks_gone"

    def __init__(self, digests: Iterable[bytes]) -> None:
        self.digests = frozenset(digests)
        super().__init__(f"{len(self.digests)} chunks were reclaimed meanwhile")


class HeadMoved(Conflict):
    """Somebody else made a commit meanwhile; what was planned must be looked at again."""

    code = "head_moved"


class Catalogue(Protocol):
    """An index of a pool in some database.

    Questions about names, tags and versions take the commit as of which they are asked.
    """

    def head(self) -> int:
        """Return the number of the last commit, 0 before the first."""
        ...

    def places(self, digest: bytes) -> list[ChunkPlace]:
        """Return where a chunk is; several places where it was written more than once."""
        ...

    def known(self, digests: Sequence[bytes]) -> Iterable[bytes]:
        """Return those of these chunks that are there to be reused."""
        ...

    def stage(
        self,
        places: Sequence[tuple[bytes, ChunkPlace]],
        documents: Sequence[IndexedDocument],
    ) -> None:
        """Index chunks and documents ahead of a commit; nothing becomes visible."""
        ...

    def publish(
        self,
        draft: Draft,
        places: Sequence[tuple[bytes, ChunkPlace]],
        documents: Sequence[IndexedDocument],
        reused: Iterable[bytes],
        noted: Mapping[str, Any] | None = None,
    ) -> Published:
        """Commit a draft in one transaction.

        Raises
        ------
        ChunksGone
            If chunks in *reused* are no longer there; nothing was committed.
        EditConflict
            If something that was expected does not hold any more; nothing was committed.
        NameConflict
            If a new name is taken; nothing was committed.
        """
        ...

    def adopt(
        self,
        head: int,
        commits: Sequence[tuple[Mapping[str, Any], bytes]],
        places: Sequence[tuple[bytes, ChunkPlace]],
        documents: Sequence[IndexedDocument],
        reused: Iterable[bytes],
        noted: Mapping[str, Any] | None = None,
    ) -> None:
        """Take commits whose records are made already, in one transaction.

        Raises
        ------
        ChunksGone
            If chunks in *reused* are no longer there; nothing was committed.
        HeadMoved
            If the last commit is not *head*; nothing was committed.
        """
        ...

    def replay(self, record: Mapping[str, Any]) -> None:
        """Take in a record of the log, when the catalogue is rebuilt or behind the log."""
        ...

    def unlogged(self, above: int = 0) -> list[tuple[int, bytes]]:
        """Return the records, as canonical JSON, that are not known to be in the log."""
        ...
