"""Which format a file has, and the readers by name.

Content decides, names only explain: a file called ``.fits`` that is none is kept
opaque with a reason. Formats of this package are imported when a file looks like
one of them; those of other packages, from the entry points ``skypool.formats``, are
asked only when none of these matches, so that they cost nothing at the start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from skypool.codec.deferring import undeferred
from skypool.errors import MissingDependency, SkypoolError
from skypool.formats.base import FolderFormat, Format, Imported
from skypool.formats.gzip import is_gzip, open_gzip
from skypool.formats.opaque import read_opaque
from skypool.formats.parsing import NotUnderstood, WatchedSource

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from skypool.codec.sinks import ByteSource, ChunkSink

__all__ = ["GROUP", "format_names", "read_file", "reader", "sniff"]

GROUP = "skypool.formats"
HEAD = 65536
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    """A format of this package.

    Attributes
    ----------
    place
        Module and class, imported when needed.
    marks
        Bytes, one of which is in the first block of every such file.
    start
        Whether the mark is at the very start.
    suffixes
        Ends of names that promise this format.
    """

    place: str
    marks: tuple[bytes, ...]
    start: bool
    suffixes: tuple[str, ...] = ()

    def possible(self, head: bytes) -> bool:
        if self.start:
            return head.startswith(self.marks)
        return any(mark in head for mark in self.marks)


# In the order in which they are tried.
_BUILT_IN: dict[str, _BuiltIn] = {
    "fits": _BuiltIn(
        "skypool.formats.fits.reader:FitsFormat",
        (b"SIMPLE",),
        True,
        (".fits", ".fit", ".fts", ".uvfits"),
    ),
    "hdf5": _BuiltIn(
        "skypool.formats.hdf5:Hdf5Format",
        (b"\x89HDF\r\n\x1a\n",),
        False,
        (".h5", ".hdf5", ".hdf", ".he5"),
    ),
    "parquet": _BuiltIn(
        "skypool.formats.parquet:ParquetFormat", (b"PAR1",), True, (".parquet", ".parq")
    ),
    "asdf": _BuiltIn("skypool.formats.asdf:AsdfFormat", (b"#ASDF",), True, (".asdf",)),
    "ecsv": _BuiltIn("skypool.formats.ecsv:EcsvFormat", (b"%ECSV",), False, (".ecsv",)),
    "votable": _BuiltIn(
        "skypool.formats.votable:VOTableFormat",
        (b"VOTABLE", "VOTABLE".encode("utf-16-be"), "VOTABLE".encode("utf-16-le")),
        False,
        (".vot", ".votable"),
    ),
}
_READERS = {
    "fits-compressed": _BUILT_IN["fits"].place,
    **{name: entry.place for name, entry in _BUILT_IN.items()},
    "zarr": "skypool.formats.zarr:ZarrFormat",
    "casa": "skypool.formats.casa:CasaFormat",
    "opaque": "skypool.formats.opaque:OpaqueFormat",
}
# What is recognised, but kept as it is: start of the file, name, typical suffix.
_PACKED: tuple[tuple[bytes, str, str], ...] = (
    (b"BZh", "bzip2", ".bz2"),
    (b"\x1f\x9d", "Unix compress (LZW)", ".z"),
    (b"\xfd7zXZ\0", "xz", ".xz"),
    (b"\x28\xb5\x2f\xfd", "zstd", ".zst"),
    (b"PK\x03\x04", "ZIP archive", ".zip"),
)


@cache
def _made(place: str) -> object:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)()


@cache
def _format(place: str) -> Format:
    made = _made(place)
    assert isinstance(made, Format)
    return made


def sniff(head: bytes, filename: str, size: int) -> Format | None:
    """Find the format of a file by its first bytes.

    Parameters
    ----------
    head
        The first 64 KiB, or all of a shorter file.
    filename
        Its base name.
    size
        Its length in bytes.

    Returns
    -------
    Format or None
        None where it looks like nothing known.
    """
    for entry in _BUILT_IN.values():
        if entry.possible(head):
            found = _format(entry.place)
            if found.matches(head, filename, size):
                return found
    for name in _third_parties():
        plugin = _third_party(name)
        if plugin is not None and _guarded(
            lambda plugin=plugin: plugin.matches(head, filename, size),  # type: ignore[misc]
            f"format {name!r} at {filename!r}",
        ):
            return plugin
    return None


@cache
def _third_parties() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # with much of the standard library

    return {point.name: point for point in entry_points(group=GROUP)}


@cache
def _third_party(name: str) -> Format | None:
    """Load the format of another package; None where it does not work."""

    def load() -> Format | None:
        made = _third_parties()[name].load()
        made = made() if isinstance(made, type) else made
        return made if isinstance(made, Format) else None

    return _guarded(load, f"entry point {name!r} of {GROUP}")


def _guarded(call: Callable[[], T], what: str) -> T | None:
    """Call code of another package, which may do anything: its failure is logged, not raised."""
    try:
        return call()
    except (SkypoolError, OSError):
        raise  # of the file that is read, or of skypool itself
    except Exception:  # noqa: BLE001 - a broken plug-in must not keep a file out of the pool
        _log.warning("%s failed", what, exc_info=True)
        return None


def read_file(
    source: ByteSource, sink: ChunkSink, filename: str, gzip_mode: str = "exact"
) -> Imported:
    """Store a file and describe what is in it.

    Parameters
    ----------
    source
        The file's bytes.
    sink
        Takes the chunks.
    filename
        Its base name.
    gzip_mode
        ``exact`` keeps what is needed to make a gzip file again byte for byte,
        ``content`` only what is in it.

    Returns
    -------
    Imported
        Never fails for bad content: such a file is opaque, with a reason. Only errors
        of reading the file or of storing the chunks are raised.
    """
    head = source.pread(0, HEAD)
    if is_gzip(head):  # a second header is found only by unpacking all that is before
        return _read_gzip(source, undeferred(sink), filename, gzip_mode)
    return _read_plain(source, sink, filename, head)


def _read_gzip(source: ByteSource, sink: ChunkSink, filename: str, mode: str) -> Imported:
    watched = WatchedSource(source)
    try:
        opened = open_gzip(watched)
    except NotUnderstood as error:
        return read_opaque(source, sink, error.reason)
    with opened:
        inner = filename[:-3] if filename.lower().endswith(".gz") else filename
        found = _read_plain(opened.content, sink, inner, opened.content.pread(0, HEAD))
        found.document["file"]["wrapper"] = opened.wrapper(sink, mode)
    return found


def _read_plain(source: ByteSource, sink: ChunkSink, filename: str, head: bytes) -> Imported:
    found = sniff(head, filename, source.size)
    if found is None:
        return read_opaque(source, sink, _reason(head, filename))
    if found.name != "fits":  # what is in it is found by reading most of it
        sink = undeferred(sink)
    if type(found).__module__.startswith("skypool."):
        return found.read(source, sink, filename)
    read = _guarded(
        lambda: found.read(source, sink, filename), f"format {found.name!r} at {filename!r}"
    )
    if read is None:
        return read_opaque(source, sink, f"the format {found.name!r} failed to read it")
    return read


def _reason(head: bytes, filename: str) -> str | None:
    """Say why a file is opaque, where it looks like more; None for unknown files."""
    lower = filename.lower()
    for start, name, suffix in _PACKED:
        if head.startswith(start):
            inside = _promised(lower.removesuffix(suffix))
            what = f"{name}-compressed {inside}" if inside and name != "ZIP archive" else name
            if not inside and name != "ZIP archive":
                what = f"{name}-compressed file"
            return f"{what}: kept as it is"
    promised = _promised(lower)
    if promised is None:
        return None
    if not head:
        return f"an empty file, although its name says {promised}"
    return f"its name says {promised}, its content is not"


def _promised(lower: str) -> str | None:
    for name, entry in _BUILT_IN.items():
        if lower.endswith(entry.suffixes):
            return {"fits": "FITS", "votable": "VOTable", "parquet": "Parquet"}.get(
                name, name.upper()
            )
    return None


def format_names() -> list[str]:
    """Return the names of all formats that are read, those of other packages included."""
    return [*_BUILT_IN, "zarr", "casa", *(n for n in _third_parties() if n not in _READERS)]


def reader(name: str) -> Format | FolderFormat:
    """Return the reader of a document's ``{"reader": name}``.

    Raises
    ------
    MissingDependency
        If no installed package has it.
    """
    place = _READERS.get(name)
    if place is not None:
        made = _made(place)
        assert isinstance(made, Format | FolderFormat)
        return made
    plugin = _third_party(name) if name in _third_parties() else None
    if plugin is None:
        raise MissingDependency(
            f"the reader {name!r} of this dataset is not installed",
            hint=f"install the package that brings the entry point {name!r} of {GROUP}",
        )
    return plugin
