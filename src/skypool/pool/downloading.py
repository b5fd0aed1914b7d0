"""Files from the network: fetched once, continued after a cut, checked for their length."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from skypool.errors import DiskFull, NotFound, StorageError, Unreachable
from skypool.pool.progress import OnProgress, Progress

__all__ = ["Download", "Downloader"]

_BLOCK = 1 << 20
# What is there is asked for once more, so much of its end, before a file is continued: a server
# that makes its archives anew for everybody may give other bytes the second time.
_OVERLAP = 1 << 16
_UNSAFE = re.compile(r"[^A-Za-z0-9._+=,@-]+")
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was fetched.

    Attributes
    ----------
    url : str
        Where it was asked for.
    path : str
        The file; it stays until `Downloader.forget`.
    origin : dict
        `url`, and as far as the server says them `etag` and `modified`: with them it can be
        asked later whether the file is still the same.
    """

    url: str
    path: str
    origin: Mapping[str, str]


class _CutError(Exception):
    """The connection ended before the file did."""


class Downloader:
    """Fetches files into a folder.

    A file that could not be fetched to its end stays there in part. It is continued where it
    ended if the server can give ranges and the file there is the same still; else it is begun
    anew.

    Parameters
    ----------
    folder
        Where the files are kept until they are not needed any more.
    on_progress
        Told how far the work is.
    pauses
        Seconds to wait before each new try after a cut; a try that brought something on does not
        count as one.
    timeout
        Seconds without a byte after which a connection counts as cut.
    """

    def __init__(
        self,
        folder: str,
        *,
        on_progress: OnProgress | None = None,
        pauses: Sequence[float] = (1.0, 3.0, 10.0),
        timeout: float = 120.0,
    ) -> None:
        self._folder = folder
        self._on_progress = on_progress
        self._pauses = tuple(pauses)
        self._timeout = timeout
        self._opener = _opener()

    def fetch(
        self, url: str, known: Mapping[str, str] | None = None, *, name: str = ""
    ) -> Download | None:
        """Fetch a file.

        Parameters
        ----------
        url
            Its address, `http` or `https`.
        known
            What `Download.origin` was when it was fetched the last time.
        name
            What the file is called where the server does not say it.

        Returns
        -------
        Download or None
            None if it is as it was then: nothing was fetched.

        Raises
        ------
        Unreachable
            If there is no connection to the server, or it ended again and again.
        NotFound
            If the server has no such file.
        StorageError
            If it refuses, or the file cannot be written.
        """
        place = os.path.join(self._folder, hashlib.sha256(url.encode()).hexdigest()[:32])
        try:
            with _only_one(place):
                return self._with_tries(_Part(place, url, name), known or {})
        except OSError as error:
            if error.errno in (28, 122):  # no space, quota
                raise DiskFull(f"no room left in {self._folder} for {url}") from None
            raise StorageError(f"cannot write below {self._folder}: {error.strerror}") from None

    def forget(self, download: Download) -> None:
        """Remove a fetched file."""
        inner = os.path.dirname(download.path)
        place = os.path.dirname(inner)
        with contextlib.suppress(OSError), _only_one(place):
            os.unlink(download.path)
            Path(inner).rmdir()
            for name in (_NOTE, _LOCK):
                os.unlink(os.path.join(place, name))
            Path(place).rmdir()

    def _with_tries(self, part: _Part, known: Mapping[str, str]) -> Download | None:
        pauses = iter(self._pauses)
        while True:
            before = part.size
            try:
                return self._try(part, known)
            except (_CutError, http.client.HTTPException, OSError) as error:
                if isinstance(error, OSError) and not _is_network(error):
                    raise
                if part.size <= before:
                    pause = next(pauses, None)
                    if pause is None:
                        raise _unreachable(part, error) from None
                    time.sleep(pause)

    def _try(self, part: _Part, known: Mapping[str, str]) -> Download | None:
        start = part.continue_from()
        headers = {"User-Agent": "skypool", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if part.note.get("etag") or part.note.get("modified"):
                headers["If-Range"] = part.note.get("etag") or part.note["modified"]
        elif part.is_complete:
            known = part.note
        if not start and known.get("etag"):
            headers["If-None-Match"] = known["etag"]
        elif not start and known.get("modified"):
            headers["If-Modified-Since"] = known["modified"]
        elif part.is_complete:  # nobody can say whether it changed meanwhile
            return part.download()
        request = urllib.request.Request(part.url, headers=headers)  # noqa: S310 - is_url saw it
        try:
            with self._opener.open(request, timeout=self._timeout) as reply:
                return self._take(part, reply, start)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    return part.download() if part.is_complete else None
                if error.code == 416:  # the file has become shorter
                    part.restart({})
                    raise _CutError("the file changed on the server") from None
                raise _refused(part.url, error) from None

    def _take(self, part: _Part, reply: Any, start: int) -> Download:
        validators = _validators(reply.headers)
        if reply.status == 206 and _first_byte(reply.headers) != start:
            part.restart({})
            raise _CutError("the server sent another part than was asked for")
        if reply.status != 206:
            start = 0
        total = _total(reply.headers, start)
        if start == 0:
            name = _file_name(reply, part)
            part.restart({"total": total, "name": name} | validators)
        elif total is not None and part.note["total"] not in (None, total):
            part.restart({})
            raise _CutError("the file changed on the server")
        with part.open(start) as out:
            for block in self._blocks(part, reply, start, total):
                if not out.take(block):
                    part.restart({})
                    raise _CutError("the file changed on the server")
        if total is not None and part.size != total:
            raise _CutError(f"{part.size} of {total} bytes came")
        return part.complete()

    def _blocks(self, part: _Part, reply: Any, start: int, total: int | None) -> Iterator[bytes]:
        done = start
        while True:
            if self._on_progress is not None:
                name = part.note["name"]
                self._on_progress(Progress("fetching", 0, 0, done, total or 0, name))
            block = reply.read1(_BLOCK)
            if not block:
                return
            done += len(block)
            yield block


_NOTE = "note.json"
_LOCK = "lock"


class _Part:
    """A file in the making: its bytes so far, and a note of what the server said of it."""

    def __init__(self, folder: str, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self._folder = folder
        self._bytes = os.path.join(folder, "part")
        self.note: dict[str, Any] = {}
        note = os.path.join(folder, _NOTE)
        with contextlib.suppress(FileNotFoundError, ValueError), open(note, "rb") as file:
            self.note = json.load(file)

    @property
    def size(self) -> int:
        """Bytes that are there."""
        try:
            return os.stat(self._bytes).st_size
        except FileNotFoundError:
            return 0

    @property
    def _path(self) -> str:
        return os.path.join(self._folder, "file", str(self.note.get("name", "")))

    @property
    def is_complete(self) -> bool:
        """Whether all of it is there, from an earlier time."""
        return bool(self.note.get("name")) and os.path.isfile(self._path)

    def continue_from(self) -> int:
        """Return from which byte on it should be asked for; 0 to begin anew."""
        return 0 if self.is_complete or not self.note else max(0, self.size - _OVERLAP)

    def restart(self, note: Mapping[str, Any]) -> None:
        """Begin anew."""
        for path in (self._bytes, self._path):
            if os.path.isfile(path):
                os.unlink(path)
        self.note = dict(note)
        with open(os.path.join(self._folder, _NOTE), "w", encoding="utf-8") as file:
            json.dump(self.note, file)

    @contextlib.contextmanager
    def open(self, start: int) -> Iterator[_Out]:
        """Open it for more bytes, the first of which are to be those that are there."""
        with open(self._bytes, "r+b" if start else "w+b") as file:
            file.seek(start)
            yield _Out(file)

    def complete(self) -> Download:
        """Give it its name."""
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        os.replace(self._bytes, self._path)
        return self.download()

    def download(self) -> Download:
        """Return it."""
        origin = {key: str(v) for key, v in self.note.items() if key in ("etag", "modified")}
        return Download(self.url, self._path, {"url": self.url} | origin)


class _Out:
    """Writes behind what is there, and compares as long as it is within that."""

    def __init__(self, file: Any) -> None:
        self._file = file
        place = file.tell()
        self._left = file.seek(0, os.SEEK_END) - place
        file.seek(place)

    def take(self, block: bytes) -> bool:
        """Take bytes; return whether they go with those that are there."""
        same = min(self._left, len(block))
        if same and self._file.read(same) != block[:same]:
            return False
        self._left -= same
        self._file.write(block[same:])
        return True


@contextlib.contextmanager
def _only_one(folder: str) -> Iterator[None]:
    """Let one process at a time fetch a file."""
    path = os.path.join(folder, _LOCK)
    while True:
        os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_there(path, lock.fileno()):
                yield
                return


def _is_there(path: str, handle: int) -> bool:
    """Return whether a file is under its name still: who had the lock may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses: of the web alone, also where a server leads elsewhere."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _validators(headers: Message) -> dict[str, Any]:
    found: dict[str, Any] = {
        "etag": headers.get("ETag", ""),
        "modified": headers.get("Last-Modified", ""),
    }
    # A weak tag does not promise the same bytes.
    return {key: str(v) for key, v in found.items() if v and not str(v).startswith("W/")}


def _first_byte(headers: Message) -> int | None:
    match = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _total(headers: Message, start: int) -> int | None:
    match = re.search(r"/(\d+)\s*\Z", headers.get("Content-Range", ""))
    if match:
        return int(match[1])
    length = headers.get("Content-Length", "")
    return start + int(length) if length.isascii() and length.isdigit() else None


def _file_name(reply: Any, part: _Part) -> str:
    """Return what the server calls a file, else the last part of its address."""
    name = reply.headers.get_filename() or part.name
    if not name:
        parts = urllib.parse.urlsplit(reply.url or part.url)
        name = urllib.parse.unquote(parts.path).rstrip("/")
    name = _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")[:200]
    return name or "download"


def _is_network(error: OSError) -> bool:
    kinds = (urllib.error.URLError, TimeoutError, ConnectionError)
    return isinstance(error, kinds) or type(error).__module__ in ("ssl", "socket")


def _unreachable(part: _Part, error: Exception) -> Unreachable:
    host = urllib.parse.urlsplit(part.url).netloc
    reason = getattr(error, "reason", None) or error
    kept = f"; the {part.size:,} bytes that came are kept" if part.size else ""
    what = f"the connection to {host} was cut" if part.size else f"cannot reach {host}"
    return Unreachable(
        f"{what}: {reason}{kept}",
        hint="are you offline? " * (not part.size)
        + ("the same command goes on where it ended" if part.size else "try again later"),
    )


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    text = f"{error.code} {error.reason}".strip()
    if error.code in _TEMPORARY:
        return _CutError(f"the server says {text}")
    if error.code in (404, 410):
        return NotFound(f"there is no {url} ({text})")
    hint = "the data may be proprietary, or need an account" if error.code in (401, 403) else ""
    return StorageError(f"the server refuses {url}: {text}", hint=hint)
