"""Products kept in place: chunks that are in the user's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from skypool.catalogue.draft import SourceRow
from skypool.codec.buffers import Buffer
from skypool.codec.digest import digest
from skypool.codec.segments import (
    ArraySegment,
    Bytes,
    Fill,
    Inline,
    Segment,
    TableSegment,
    segment_from_json,
)
from skypool.codec.sinks import ByteSource, ChunkSink, ChunkStream
from skypool.errors import Damaged, SourceChanged, StorageError
from skypool.formats.gzip import open_gzip
from skypool.pool.reaching import lookup_tables
from skypool.storage.inplace import FileSource, FileState

if TYPE_CHECKING:
    from skypool.codec.deferring import Deferral
    from skypool.pool.session import Session

__all__ = ["InPlaceChunks", "InPlaceSink"]

_HEADER_BYTES = 256 << 10
_KEPT_BYTES = 8 << 20
# Bytes by which the names of chunks that were not read say in which list they are.
_LIST_MARK: Final = 24


class InPlaceSink:
    """A `ChunkSink` that only names the content of a file, which stays where it is.

    Runs of content come through `stream`; what a pool adds to it (lists of chunks,
    statistics) through `put`, and goes into the pool.

    Parameters
    ----------
    sink
        Takes what goes into the pool.
    deferral
        Stands for the content of a file of which only the headers are read.
    """

    def __init__(self, sink: ChunkSink, deferral: Deferral | None = None) -> None:
        self._sink = sink
        self._named = _Named()
        self.deferral = deferral

    def reading(self) -> InPlaceSink:
        """Return a sink that reads all of the file."""
        self.deferral = None
        return self

    def stream(self, itemsize: int = 1) -> ChunkStream:
        """Start a run of content."""
        return self._named

    def keep_headers(self, document: Mapping[str, Any]) -> None:
        """Store the headers with world coordinates in the pool as well.

        They are small, and with them products are found on the sky, and the index of the sky is
        rebuilt, while the disk with the files is away.
        """
        file = document["file"]
        wanted = {file["hdus"][n]["header"] for n in _wcs_headers(document["datasets"])}
        tables = set(lookup_tables(document["datasets"]))
        if tables:  # who reads them goes through the headers of all that is before
            wanted |= tables | {hdu["header"] for hdu in file["hdus"]}
        for number in wanted:
            segment = segment_from_json(file["segments"][number])
            if isinstance(segment, Bytes | ArraySegment) and not segment.chunks.deferred:
                for name in segment.chunks.digests(self._named.kept.__getitem__):
                    if name in self._named.kept:
                        self._sink.put(self._named.kept[name])

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        """Store what is not content of the file."""
        return self._sink.put(raw, itemsize)


class _Named:
    """Names chunks; the small ones are kept for as long as a file is read."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self._room = _KEPT_BYTES

    def put(self, raw: Buffer) -> bytes:
        """Return the digest of a chunk."""
        name = digest(raw)
        size = memoryview(raw).nbytes
        if size <= _HEADER_BYTES and size <= self._room and name not in self.kept:
            self.kept[name] = bytes(raw)
            self._room -= size
        return name


def _wcs_headers(datasets: Iterable[Any]) -> Iterator[int]:
    for _, dataset in datasets:
        if dataset["is"] == "composite":
            yield from _wcs_headers(dataset["datasets"])
        elif "hdu" in dataset.get("wcs", ()):
            yield dataset["wcs"]["hdu"]


class _Place(NamedTuple):
    """Where a chunk is: in a segment that starts at *start* of the file or its content."""

    segment: Segment
    start: int
    number: int
    inside: bool


class InPlaceChunks:
    """Gives the chunks of one document from the pool, else from the user's file.

    Parameters
    ----------
    session
        The open pool.
    document
        The product document.
    sources
        The files that hold its content.
    """

    def __init__(
        self, session: Session, document: Mapping[str, Any], sources: Sequence[SourceRow]
    ) -> None:
        self._session = session
        self._document = document
        self._sources = sources
        self._index: dict[bytes, _Place] | None = None
        self._opened: dict[bool, ByteSource] = {}

    def fetch(self, name: bytes) -> bytes:
        """Return a chunk, checked against its digest.

        Raises
        ------
        SourceMissing, SourceChanged
            If the user's file is gone, or not as it was.
        """
        part = self._not_read(name)
        if part is None and self._session.catalogue.places(name):
            try:
                return self._session.fetch(name)
            except Damaged:
                if name not in self._places():
                    raise
        place = self._places().get(name) if part is None else part
        if place is None:
            return self._session.fetch(name)  # raises, and says what is missing
        cached = self._session.store.cached(name)
        if cached is not None:
            return cached
        data = _read_chunk(self._open(place.inside), place.segment, place.start, place.number)
        if part is None and digest(data) != name:
            path = self._sources[0].path
            raise SourceChanged(
                f"{path} is not as it was when it was added, though its size and time are",
                hint="add it again to make a new version of it",
            )
        self._session.store.keep(name, data)
        return data

    def _places(self) -> dict[bytes, _Place]:
        if self._index is None:
            self._index = dict(self._find())
        return self._index

    def _not_read(self, name: bytes) -> _Place | None:
        """Return where a chunk is that has no digest: the file was opened as it was."""
        found = self._lists.get(name[:_LIST_MARK])
        return found and found._replace(number=int.from_bytes(name[_LIST_MARK:], "big"))

    @cached_property
    def _lists(self) -> dict[bytes, _Place]:
        """The segments that were not read, by what the names of their chunks begin with."""
        found: dict[bytes, _Place] = {}
        file, start = self._document["file"], 0
        if "hash" in file:
            return found
        for obj in file["segments"]:
            segment = segment_from_json(obj)
            if not isinstance(segment, Inline | Fill) and segment.chunks.deferred:
                found[segment.chunks.deferred] = _Place(segment, start, 0, True)
            start += segment.size
        return found

    def _find(self) -> Iterator[tuple[bytes, _Place]]:
        file = self._document["file"]
        wrapper = file.get("wrapper") or {}
        for inside, listed in ((False, wrapper.get("stream", ())), (True, file["segments"])):
            start = 0
            for obj in listed:
                segment = segment_from_json(obj)
                if not isinstance(segment, Inline | Fill) and not segment.chunks.deferred:
                    for number, name in enumerate(segment.chunks.digests(self._session.fetch)):
                        yield name, _Place(segment, start, number, inside)
                start += segment.size

    def _open(self, inside: bool) -> ByteSource:
        """Return the first file that is as it was, or the content of its wrapper."""
        if inside in self._opened:
            return self._opened[inside]
        problem: StorageError | None = None
        for row in self._sources:
            try:
                source = FileSource(row.path, FileState(row.size, row.mtime_ns))
            except StorageError as error:
                problem = error
                continue
            wrapped = inside and "wrapper" in self._document["file"]
            self._opened[inside] = open_gzip(source).content if wrapped else source
            return self._opened[inside]
        assert problem is not None
        if isinstance(problem, SourceChanged) and self._is_replaced():
            raise SourceChanged(
                f"{self._sources[-1].path} holds a newer version: what this one had is gone",
                hint="its metadata and statistics stay; `absorb` copies content into the pool"
                " before it is overwritten",
            ) from None
        raise problem

    def _is_replaced(self) -> bool:
        """Tell whether the file was written anew, and was added again since."""
        from skypool.catalogue.kept_files import KeptFiles
        from skypool.pool.sources import is_replaced

        return is_replaced(KeptFiles(self._session.catalogue.database), self._sources[-1])


def _read_chunk(source: ByteSource, segment: Segment, start: int, number: int) -> bytes:
    """Read one chunk of a segment from the file in which the segment starts at *start*."""
    if isinstance(segment, Bytes):
        first = number * segment.block
        return source.pread(start + first, min(segment.block, segment.size - first))
    if isinstance(segment, TableSegment):
        return _read_column(source, segment, start, number)
    assert isinstance(segment, ArraySegment)
    return _read_tile(source, segment, start, number)


def _read_column(source: ByteSource, segment: TableSegment, start: int, number: int) -> bytes:
    block = number if segment.packed else number % segment.blocks
    first = block * segment.block
    rows = min(segment.block, segment.rows - first)
    data = source.pread(start + first * segment.width, rows * segment.width)
    table = np.frombuffer(data, np.uint8).reshape(rows, segment.width)
    if segment.packed:
        return b"".join(table[:, at : at + width].tobytes() for at, width, _ in segment.columns)
    column = segment.chunk_rank.index(number // segment.blocks)
    at, width, _ = segment.columns[column]
    return table[:, at : at + width].tobytes()


def _read_tile(source: ByteSource, segment: ArraySegment, start: int, number: int) -> bytes:
    place = []
    for count in reversed(segment.grid):
        place.append(number % count)
        number //= count
    low = [p * t for p, t in zip(reversed(place), segment.tile, strict=True)]
    size = [min(t, n - a) for t, n, a in zip(segment.tile, segment.shape, low, strict=True)]
    strides = [segment.itemsize] * len(size)
    for axis in range(len(size) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * segment.shape[axis + 1]
    if not size:
        return source.pread(start, segment.itemsize)
    tile = np.empty((*size[:-1], size[-1] * segment.itemsize), np.uint8)
    if len(size) >= 2:
        # Whole lines are read, the tile is cut out of them: fewer calls, in file order.
        for lead in np.ndindex(*size[:-2]):
            base = start + low[-2] * strides[-2]
            base += sum((a + i) * s for a, i, s in zip(low[:-2], lead, strides[:-2], strict=True))
            rows = source.pread(base, size[-2] * strides[-2])
            band = np.frombuffer(rows, np.uint8).reshape(size[-2], strides[-2])
            first = low[-1] * segment.itemsize
            tile[lead] = band[:, first : first + size[-1] * segment.itemsize]
        return tile.tobytes()
    return source.pread(start + low[0] * segment.itemsize, size[0] * segment.itemsize)
