"""What a catalogue is asked and told, whatever database it lives in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from skypool.catalogue.draft import Draft, Published
from skypool.errors import Conflict

__all__ = [
    "FOREVER",
    "NUMBERS",
    "Catalogue",
    "ChunkPlace",
    "ChunksGone",
    "CommitRow",
    "HeadMoved",
    "IndexedDocument",
    "Listed",
    "OnSphere",
    "RefRow",
    "Term",
    "VersionRow",
]

# The end of a range of commits that still holds (the largest SQL integer).
FOREVER = 2**63 - 1
# Type of the arrays that hold numbers of versions: 32 bits, as no catalogue has larger ones.
NUMBERS = "i"


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


class OnSphere(NamedTuple):
    """Where a document is on the sky, as the indexes have it.

    Attributes
    ----------
    middle : tuple or None
        Unit vector of its middle, or of where its metadata say that it is.
    boxes : list of tuple
        Of unit vectors: least and largest x, y, z.
    """

    middle: tuple[float, float, float] | None
    boxes: list[tuple[float, ...]]


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
    on_sphere : OnSphere or None
        Where the coverage is, if that was worked out already.
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
    on_sphere: OnSphere | None = None


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
