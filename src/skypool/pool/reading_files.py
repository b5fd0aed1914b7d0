"""Reading one file for `add`: what it is, what the catalogue says of it, and its chunks.

Nothing here asks the pool, so it is the same work in another process: a `Recorder` takes the chunks
there, and they are put into the pool, in their order, where it is open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from skypool.catalogue.coverages import on_sphere
from skypool.catalogue.coverages_at_hand import coverage_from_headers
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.terms import indexed
from skypool.codec.deferring import Deferral, is_deferred
from skypool.codec.digest import digest
from skypool.codec.documents import dumps_document, loads
from skypool.codec.parameter_columns import ParameterColumns
from skypool.errors import SkypoolError
from skypool.formats.registry import read_file
from skypool.pool.inplace import InPlaceSink
from skypool.storage.inplace import SOURCE_ERRORS, FileSource, FileState, SourceUnreadable
from skypool.storage.looking import absolute
from skypool.storage.pieces import chosen_at_once

if TYPE_CHECKING:
    from skypool.codec.buffers import Buffer
    from skypool.codec.sinks import ChunkSink
    from skypool.formats.base import Imported
    from skypool.storage.interface import NamedStream, Writer
    from skypool.storage.pieces import Chosen

__all__ = [
    "AHEAD_BYTES",
    "FileRead",
    "How",
    "Record",
    "Recorder",
    "Steps",
    "TooLarge",
    "file_size",
    "recorded",
    "recording",
    "records",
    "take_file",
]

Steps: TypeAlias = Generator[None, None, "Record"]
"""Reading a file: gives nothing after each step, and returns what was read."""

Chunk: TypeAlias = tuple[int, int, bytes, bytes, "Chosen | None"]
"""Number of the run that a chunk is of, or 0; bytes of an element; its digest and bytes; its codec
and what that gives, where it was found out."""

# Files up to this size are read in one go; smaller ones where the headers alone are asked for.
AHEAD_BYTES: Final = 1 << 20
_HEADERS_AHEAD_BYTES: Final = 64 << 10
_CLOCK_GRAIN_NS: Final = 2 * 10**9
# Larger files are not kept in memory. Of those that stay in place nothing is, but who stops has
# to wait for the end of reading.
_LARGEST: Final = 16 << 20
_LARGEST_IN_PLACE: Final = 256 << 20
_MOST_AHEAD: Final = 64 << 20
# What a recorder keeps of one file, and of larger ones: some are large once they are unpacked.
_KEPT_BYTES: Final = 8 << 20
_KEPT_TIMES: Final = 3


@dataclass(frozen=True, slots=True)
class How:
    """How files are read; see `AddOptions`."""

    in_place: bool = False
    headers_only: bool = False
    gzip: str = "exact"

    @property
    def largest(self) -> int:
        """Bytes of the largest file that is read ahead, by a thread."""
        return _LARGEST_IN_PLACE if self.in_place else _LARGEST

    @property
    def most_ahead(self) -> int | None:
        """Bytes of files that threads read at a time; None if nothing of them is kept."""
        return None if self.in_place else _MOST_AHEAD

    def begin(self, path: str, name: str, member: str, size: int) -> Steps:
        """Read a file, of so many bytes when it was found, as `take_file` does, and keep all of it.

        Raises
        ------
        TooLarge
            If it has more content than is kept in memory.
        """
        most = max(_KEPT_BYTES, _KEPT_TIMES * size)
        return (yield from recording(lambda to: take_file(path, name, member, self, to), most))


@dataclass(slots=True)
class FileRead:
    """A file that was read; its content went into a sink.

    Attributes
    ----------
    found : Imported
        What the file is.
    state : FileState
        Of the file while it was read.
    sink : ChunkSink
        Where its content went: the pool, or nowhere as it stays in place.
    """

    found: Imported
    state: FileState
    sink: ChunkSink

    @property
    def reason(self) -> str | None:
        """Why it is opaque; see `Imported`."""
        return self.found.reason

    @property
    def lacking(self) -> bool:
        """Whether a package that is not installed would have read more."""
        return self.found.lacking

    @property
    def deferred(self) -> bool:
        """Whether only its headers were read."""
        return is_deferred(self.found.document)

    def document(self) -> dict[str, Any]:
        """Return its document."""
        return self.found.document

    def index(self, sink: ChunkSink) -> IndexedDocument:
        """Put its document into *sink*, and return what is indexed of it."""
        name, columns = self.put_document(sink)
        return self.indexed(name, columns, self.coverage())

    def put_document(self, sink: ChunkSink) -> tuple[bytes, ParameterColumns]:
        """Put its document into *sink*; return the digest, and the metadata of the product."""
        document = self.found.document
        if isinstance(self.sink, InPlaceSink):
            self.sink.keep_headers(document)
        columns = ParameterColumns.of(document["meta"])
        return sink.put(dumps_document(document, columns)), columns

    def coverage(self) -> bytes | None:
        """Return what it covers on the sky; None where chunks have to be read for it."""
        found = self.found
        return coverage_from_headers(found.document, found.headers) if found.headers else None

    def indexed(
        self, name: bytes, columns: ParameterColumns, coverage: bytes | None
    ) -> IndexedDocument:
        """Return what is indexed of its document, given by its digest."""
        document = self.found.document
        return indexed(name, document, file_size(document["file"]), coverage, columns)


def take_file(path: str, name: str, member: str, how: How, sink: ChunkSink) -> FileRead:
    """Read a file.

    Parameters
    ----------
    path, name
        Where it is, and its base name.
    member
        Its path in the archive that it was unpacked from: in a folder that goes away, so that
        the pool takes its content in any case.
    how
        How files are read.
    sink
        Takes what goes into the pool.

    Raises
    ------
    SourceMissing, SourceChanged, SourceUnreadable
        If it cannot be read.
    """
    ahead = _HEADERS_AHEAD_BYTES if how.headers_only else AHEAD_BYTES
    with FileSource(path, ahead=ahead) as source:
        if how.in_place and not member:
            sink = InPlaceSink(sink, _deferral(source) if how.headers_only else None)
        found = read_file(source, sink, name, how.gzip)
        source.check()
        return FileRead(found, source.state, sink)


def _deferral(source: FileSource) -> Deferral | None:
    """Return what stands for the content of a file of which the headers alone are read."""
    state = source.state
    # A file that may change again without showing it is read: digests tell then.
    if time.time_ns() - state.mtime_ns <= _CLOCK_GRAIN_NS:
        return None
    return Deferral(absolute(source.path), state.size, state.mtime_ns)


def file_size(file: Mapping[str, Any]) -> int:
    """Return the bytes of a file, as it is, by its recipe."""
    wrapper = file.get("wrapper")
    return int(wrapper["size"] if wrapper else file["size"])


# -- elsewhere


class TooLarge(Exception):
    """A file has more content than is kept in memory."""


class Recorder:
    """A `ChunkSink` that keeps what is put, for a pool that is open elsewhere.

    Parameters
    ----------
    most
        Bytes that it keeps.

    Attributes
    ----------
    chunks : list of Chunk
        In their order.
    """

    def __init__(self, most: int = _KEPT_BYTES) -> None:
        self.chunks: list[Chunk] = []
        self._undecided: list[int] = []
        self._runs = 0
        self._room = most

    def stream(self, itemsize: int = 1) -> _Run:
        """Start a run of chunks."""
        self._runs += 1
        return _Run(self, self._runs, itemsize)

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        """Keep a single chunk and return its digest."""
        return self.keep(0, itemsize, raw, first=True)

    def keep(self, run: int, itemsize: int, raw: Buffer, *, first: bool) -> bytes:
        """Keep a chunk; *first* of its run.

        Raises
        ------
        TooLarge
            If there are too many.
        """
        data = bytes(raw)
        self._room -= len(data)
        if self._room < 0:
            raise TooLarge
        name = digest(data)
        if first:
            self._undecided.append(len(self.chunks))
        self.chunks.append((run, itemsize, name, data, None))
        return name

    def choose(self) -> None:
        """Find out the codecs of the chunks that tell them."""
        for place in self._undecided:
            run, itemsize, name, data, _ = self.chunks[place]
            self.chunks[place] = run, itemsize, name, data, chosen_at_once(data, itemsize)
        self._undecided.clear()


class _Run:
    """A run of chunks of one sort."""

    def __init__(self, recorder: Recorder, number: int, itemsize: int) -> None:
        self._recorder = recorder
        self._number = number
        self._itemsize = itemsize
        self._first = True

    def put(self, raw: Buffer) -> bytes:
        first, self._first = self._first, False
        return self._recorder.keep(self._number, self._itemsize, raw, first=first)


@dataclass(slots=True)
class Record:
    """A file that was read in another process or thread; see `FileRead`.

    Attributes
    ----------
    problem : str
        Why it cannot be read; empty where it was.
    chunks : list of Chunk
        Of its content.
    own : list of Chunk
        Those that follow: of its document, which is the last of them.
    """

    problem: str
    entry: IndexedDocument
    state: FileState
    reason: str | None = None
    lacking: bool = False
    deferred: bool = False
    chunks: list[Chunk] = field(default_factory=list)
    own: list[Chunk] = field(default_factory=list)

    def __reduce__(self) -> tuple[Any, ...]:
        # Field by field and class by class is much of what it costs to hand over a small file.
        return _unpickled, (
            self.problem,
            tuple([getattr(self.entry, name) for name in _ENTRY]),
            (self.state.size, self.state.mtime_ns, self.state.inode),
            (self.reason, self.lacking, self.deferred, self.chunks, self.own),
        )

    def put(self, writer: Writer) -> Record:
        """Put its content into the pool, as `take_file` does.

        Raises
        ------
        SourceUnreadable
            If the file cannot be read.
        """
        if self.problem:
            raise SourceUnreadable(self.problem)
        _replay(self.chunks, writer)
        return self

    def document(self) -> dict[str, Any]:
        """Return its document."""
        made: dict[str, Any] = loads(self.own[-1][3])
        return made

    def index(self, writer: Writer) -> IndexedDocument:
        """Put its document into the pool, and return what is indexed of it."""
        _replay(self.own, writer)
        return self.entry


_ENTRY: Final = tuple(field.name for field in fields(IndexedDocument))


def _unpickled(
    problem: str, entry: tuple[Any, ...], state: tuple[int, int, int], rest: tuple[Any, ...]
) -> Record:
    return Record(problem, IndexedDocument(*entry), FileState(*state), *rest)


_NOTHING: Final = IndexedDocument(b"", "", "", 0, None, ())


def records(begin: Callable[..., Steps], files: Sequence[Sequence[Any]]) -> list[Record | None]:
    """Read files, each step of all of them before the next: what a step needs is at hand then.

    So it takes a sixth less of the processor than one file after the other.

    Parameters
    ----------
    begin
        Begins to read a file, given by what is handed over for it.
    files
        What that is.

    Returns
    -------
    list of (Record or None)
        None for what has to be read where the pool is.
    """
    found: list[Record | None] = [None] * len(files)
    under_way = [(number, begin(*file)) for number, file in enumerate(files)]
    while under_way:
        left = []
        for number, steps in under_way:
            try:
                next(steps)
                left.append((number, steps))
            except StopIteration as end:
                found[number] = end.value
            except (TooLarge, SkypoolError, OSError, MemoryError):
                # Whatever it is, it happens again where it can be told to the user.
                continue
        under_way = left
    return found


def recorded(read: Callable[[ChunkSink], FileRead], most: int = _KEPT_BYTES) -> Record:
    """Read a file, and keep all of it, as `recording` does."""
    steps = recording(read, most)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Record = end.value
            return found


def recording(read: Callable[[ChunkSink], FileRead], most: int = _KEPT_BYTES) -> Steps:
    """Read a file, and keep all of it.

    Parameters
    ----------
    read
        Reads it.
    most
        Bytes of its content that are kept.

    Raises
    ------
    TooLarge
        If it has more.
    """
    recorder = Recorder(most)
    try:
        found = read(recorder)
    except SOURCE_ERRORS as error:
        return Record(error.message, _NOTHING, FileState(0, 0))
    count = len(recorder.chunks)
    yield
    name, columns = found.put_document(recorder)
    yield
    coverage = found.coverage()
    yield
    entry = found.indexed(name, columns, coverage)
    entry.metas = [(place, ParameterColumns.of(listed)) for place, listed in entry.metas]
    yield
    if not entry.on_sky:  # all is known that its place follows from
        entry.on_sphere = on_sphere(entry)
    yield
    recorder.choose()
    return Record(
        "",
        entry,
        found.state,
        found.reason,
        found.lacking,
        found.deferred,
        recorder.chunks[:count],
        recorder.chunks[count:],
    )


def _replay(chunks: Iterable[Chunk], writer: Writer) -> None:
    """Put chunks that were recorded into the pool, as they came."""
    runs: dict[int, NamedStream] = {}
    for run, itemsize, name, data, chosen in chunks:
        stream = runs.get(run) if run else None
        if stream is None:
            stream = writer.stream(itemsize)
            if run:
                runs[run] = stream
        stream.take(name, data, chosen)
