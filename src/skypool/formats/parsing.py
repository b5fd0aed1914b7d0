"""Reading bytes that others wrote: errors of content apart from errors of the system.

Parsers of other packages report bad content with classes of many kinds, among
them `OSError`, which also says that a disk failed. `WatchedSource` notes what the
file itself raised, and `understanding` turns the rest into `NotUnderstood`, upon
which a file is kept opaque.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from skypool.codec.streams import SourceFile
from skypool.errors import MissingDependency, SkypoolError

if TYPE_CHECKING:
    from types import ModuleType

    from skypool.codec.sinks import ByteSource

__all__ = [
    "CONTENT_ERRORS",
    "NotUnderstood",
    "SourceFile",
    "WatchedSource",
    "optional_import",
    "read_all",
    "require",
    "understanding",
]

T = TypeVar("T")

# What parsers in Python and C raise on mutated real files (tests/formats/test_other_formats_fuzz.py
# tries): arithmetic on wrong sizes, missing keys, bad text, too much memory, too deep nesting.
CONTENT_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)


class NotUnderstood(Exception):
    """A file that looks like a format does not follow it; the text says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WatchedSource:
    """A `ByteSource` that remembers the error that the file below raised.

    Attributes
    ----------
    failure : Exception or None
        The first error of reading.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.size = source.size
        self.failure: OSError | SkypoolError | None = None

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        try:
            return self._source.pread(offset, length)
        except (OSError, SkypoolError) as error:
            self.failure = self.failure or error
            raise

    def close(self) -> None:
        """Close the file below, where it can be closed."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


@contextmanager
def understanding(
    source: WatchedSource, what: str, more: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn errors of content into `NotUnderstood`, let those of reading pass.

    Parameters
    ----------
    source
        What the parser reads.
    what
        The name of the format for the reason.
    more
        Classes of the parser's own that are not built-in ones.

    Raises
    ------
    NotUnderstood
        If the content is not as the parser wants it.
    """
    try:
        yield
    except NotUnderstood:
        raise
    except (*CONTENT_ERRORS, *more) as error:
        if source.failure is not None:
            raise source.failure from error
        raise NotUnderstood(f"not readable as {what}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0].strip() if lines else ""
    text = "".join(c if c.isprintable() else "?" for c in text)
    if len(text) > 200:
        text = text[:200] + " …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def read_all(source: ByteSource, limit: int) -> bytes:
    """Return all bytes of a file that has to be parsed as a whole.

    Raises
    ------
    NotUnderstood
        If it is longer than *limit*.
    """
    if source.size > limit:
        raise NotUnderstood(f"larger than the {limit // 1024**2} MiB that are parsed as a whole")
    return source.pread(0, source.size)


def optional_import(load: Callable[[], ModuleType], extra: str) -> ModuleType:
    """Import a package that a plain installation does not have.

    Raises
    ------
    MissingDependency
        If it is not there, or does not work here; the text names the extra that brings it.
    """
    try:
        return load()
    except (ImportError, AttributeError, ValueError) as error:
        # ValueError: numcodecs fails so at import beside some versions of zfpy.
        raise MissingDependency(f"install skypool[{extra}] to read it ({error})") from error


def require(package: str, extra: str) -> None:
    """Check that a package is installed, without importing it.

    Raises
    ------
    MissingDependency
        If it is not there.
    """
    if find_spec(package) is None:
        raise MissingDependency(f"install skypool[{extra}] to read it")
