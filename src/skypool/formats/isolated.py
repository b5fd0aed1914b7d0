"""Parsers in C that may crash on damaged files, run in a process of their own.

The HDF5 library follows pointers of a file without looking where they lead; one
flipped bit can end the process that reads it, and with it a commit of a thousand
good files. So such a file is described by a helper process, which asks for its
bytes through a pipe; when the helper dies or hangs, the file is opaque.

Once a file has been described, all of it (up to the size limit of statistics) has
been read without harm, so its values are read later in the process that wants them.
"""

from __future__ import annotations

import atexit
import os
import select
import struct
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any

from skypool.codec.documents import dumps, loads
from skypool.errors import MissingDependency, SkypoolError
from skypool.formats.parsing import NotUnderstood, WatchedSource
from skypool.formats.verbatim import Description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skypool.formats.hdf5 import Hdf5Format
    from skypool.formats.parquet import ParquetFormat

__all__ = ["describe_isolated", "serve"]

# Messages: one letter, a length, the payload.
_HEAD = struct.Struct(">cQ")
_PART = struct.Struct(">QQ")
_JOB, _BYTES, _FAILED = b"J", b"B", b"F"
_READ, _DONE, _REASON, _MISSING = b"R", b"D", b"N", b"M"
# Longest silence of the helper; a file that needs more between two reads makes it loop.
TIMEOUT = 120.0
# The helper ends when it has had nothing to do for so long.
IDLE = 10.0
_BLOCK = 64 * 1024
_BLOCKS = 64
# Memory that the helper may use: files can claim any size.
MEMORY = 8 * 1024**3


class _Gone(Exception):
    """The other side closed the pipe, or says nothing any more."""


def _send(pipe: IO[bytes], kind: bytes, payload: bytes) -> None:
    rest = memoryview(_HEAD.pack(kind, len(payload)) + payload)
    try:
        while rest:
            rest = rest[os.write(pipe.fileno(), rest) :]
    except (OSError, ValueError) as error:
        raise _Gone from error


def _receive(pipe: IO[bytes], timeout: float) -> tuple[bytes, bytes]:
    kind, length = _HEAD.unpack(_exactly(pipe, _HEAD.size, timeout))
    return kind, _exactly(pipe, length, timeout)


def _exactly(pipe: IO[bytes], length: int, timeout: float) -> bytes:
    parts = []
    # Not `select`: that refuses files whose number is above 1023.
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    while length:
        if not waiting.poll(timeout * 1000):
            raise _Gone
        data = os.read(pipe.fileno(), min(length, 1024**2))
        if not data:
            raise _Gone
        parts.append(data)
        length -= len(data)
    return b"".join(parts)


class _Helper:
    """The helper process, seen from the one that uses it."""

    def __init__(self) -> None:
        # -P: the current folder, which may hold anything, is no place to import from.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "skypool.formats.isolated"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the user's process, which ends this one
        )
        self.owner = os.getpid()

    @property
    def alive(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def describe(self, job: Mapping[str, Any], source: WatchedSource) -> Any:
        """Give a job, serve its reads, return its answer."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None and back is not None
        _send(to, _JOB, dumps(job))
        while True:
            kind, payload = _receive(back, TIMEOUT)
            if kind != _READ:
                return _answer(kind, payload)
            offset, length = _PART.unpack(payload)
            try:
                data = source.pread(offset, min(length, max(0, source.size - offset)))
            except (OSError, SkypoolError):
                _send(to, _FAILED, b"")  # raised again, from the source, when the job is over
            else:
                _send(to, _BYTES, data)

    def close(self) -> None:
        """End the process."""
        if self.owner != os.getpid():
            return  # a copy after a fork: the process belongs to the parent
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _answer(kind: bytes, payload: bytes) -> Any:
    if kind == _MISSING:
        raise MissingDependency(payload.decode())
    if kind == _REASON:
        raise NotUnderstood(payload.decode())
    return loads(payload)


_lock = threading.Lock()
_helper: _Helper | None = None


def _discard() -> None:
    global _helper
    if _helper is not None:
        _helper.close()
        _helper = None


atexit.register(_discard)


def describe_isolated(format_name: str, source: WatchedSource, filename: str) -> Description:
    """Describe a file in the helper process.

    Parameters
    ----------
    format_name
        ``hdf5`` or ``parquet``.
    source
        The file; read here, on the helper's request.
    filename
        Its base name.

    Raises
    ------
    NotUnderstood
        If the file does not follow the format, or its parser crashed or hung on it.
    MissingDependency
        If the parser is not installed.
    """
    job = {"format": format_name, "filename": filename, "size": source.size}
    with _lock:
        try:
            found = _ask(job, source)
        except (_Gone, NotUnderstood) as error:
            if source.failure is not None:
                raise source.failure from None
            if isinstance(error, NotUnderstood):
                raise
            raise NotUnderstood(
                f"damaged: the {format_name} library crashed or hung while it read it"
            ) from None
    return Description(found["datasets"], found["meta"], found["fixed"], found["kind"])


def _ask(job: Mapping[str, Any], source: WatchedSource) -> Any:
    global _helper
    if _helper is not None and _helper.alive:
        try:
            return _ask_helper(_helper, job, source)
        except _Gone:
            pass  # it may have gone to rest just now: a new one decides
    _discard()
    _helper = _Helper()
    return _ask_helper(_helper, job, source)


def _ask_helper(helper: _Helper, job: Mapping[str, Any], source: WatchedSource) -> Any:
    try:
        return helper.describe(job, source)
    except (NotUnderstood, MissingDependency):
        raise
    except BaseException:
        _discard()  # Ctrl-C, or a crash: nobody knows what is still in the pipes
        raise


class _PipeSource:
    """The file, seen from the helper."""

    def __init__(self, size: int, to: IO[bytes], back: IO[bytes]) -> None:
        self.size = size
        self._to = to
        self._back = back
        self._blocks: dict[int, bytes] = {}

    def pread(self, offset: int, length: int) -> bytes:
        """Return bytes; short runs from blocks that are kept, since each question takes time."""
        number, start = divmod(offset, _BLOCK)
        if start + length > _BLOCK:
            return self._ask(offset, length)
        if number not in self._blocks:
            if len(self._blocks) >= _BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[number] = self._ask(number * _BLOCK, _BLOCK)
        return self._blocks[number][start : start + length]

    def _ask(self, offset: int, length: int) -> bytes:
        _send(self._back, _READ, _PART.pack(offset, length))
        kind, payload = _receive(self._to, TIMEOUT)
        if kind == _FAILED:
            raise OSError("the file cannot be read")
        return payload


def serve(to: IO[bytes], back: IO[bytes]) -> None:
    """Describe files until there is nothing to do; the life of the helper."""
    from skypool.formats.hdf5 import Hdf5Format
    from skypool.formats.parquet import ParquetFormat

    formats: dict[str, Hdf5Format | ParquetFormat]
    formats = {"hdf5": Hdf5Format(), "parquet": ParquetFormat()}
    while True:
        try:
            _, payload = _receive(to, IDLE)
            job = loads(payload)
            _limit_job()
            source = WatchedSource(_PipeSource(job["size"], to, back))
            _send(back, *_described(formats[job["format"]], source, job["filename"]))
        except _Gone:
            return


def _described(
    reader: Hdf5Format | ParquetFormat, source: WatchedSource, filename: str
) -> tuple[bytes, bytes]:
    """Return the answer to a job."""
    try:
        found = reader.describe_here(source, filename)
    except NotUnderstood as error:
        return _REASON, error.reason.encode("utf-8", "replace")
    except MissingDependency as error:
        return _MISSING, error.message.encode("utf-8", "replace")
    except OSError:
        return _REASON, b"not readable"
    answer = {
        "datasets": found.datasets,
        "meta": found.meta,
        "fixed": found.fixed,
        "kind": found.kind,
    }
    return _DONE, dumps(answer)


def _limit() -> None:
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft > MEMORY:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))


def _limit_job() -> None:
    """End the process if one file keeps it busy for longer than its user waits.

    A parser that loops in C knows nothing of a user that was killed meanwhile.
    """
    try:
        import resource
    except ImportError:  # not on this system
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time() + TIMEOUT) + 1
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def main() -> None:
    """Run as the helper process."""
    _limit()
    # What a library prints must not get between the messages.
    with os.fdopen(0, "rb", 0) as to, os.fdopen(os.dup(1), "wb", 0) as back:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.close(silent)
        serve(to, back)


if __name__ == "__main__":
    main()
