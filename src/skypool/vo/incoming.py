"""What another program sends, as a file that is known to be what it says."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from skypool.codec.buffers import Buffer
from skypool.codec.digest import digest
from skypool.errors import NotFound, SkypoolError, StorageError, UsageError

__all__ = ["MTYPES", "Incoming", "fetch", "label_of"]

#: The mtypes that are received: what they must hold, and the formats that they may be.
MTYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "image.load.fits": ("image", ("fits",)),
    "table.load.fits": ("table", ("fits",)),
    "table.load.votable": ("table", ("votable",)),
    "spectrum.load.ssa-generic": ("spectrum", ("fits", "votable")),
}
_IDS = ("name", "image-id", "table-id", "spectrum-id")
_ENDS = {"fits": ".fits", "votable": ".vot"}
_KNOWN_ENDS = (".fits.gz", ".fits", ".fit", ".fts", ".vot.gz", ".vot", ".votable", ".xml")
_LONGEST_NAME = 100
_FETCH_SECONDS = 60.0
_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that was fetched and looked at.

    Attributes
    ----------
    path : str
        Where it is.
    name : str
        What it is to be called, with the extension of its format.
    """

    path: str
    name: str


def fetch(mtype: str, params: Mapping[str, Any], folder: str) -> Incoming:
    """Fetch what a message is about into a folder, and check it.

    Parameters
    ----------
    mtype, params
        The message.
    folder
        An empty folder.

    Raises
    ------
    UsageError
        If the message, or what it is about, is not what it should be.
    SkypoolError
        If it cannot be fetched or read.
    """
    wanted, formats = MTYPES[mtype]
    url = params.get("url")
    if not isinstance(url, str) or not url.strip():
        raise UsageError(f"{mtype} without a url")
    path = _fetched(url.strip(), folder)
    found, form, ending = _looked_at(path)
    if form not in formats:
        raise UsageError(f"{mtype}: it is no {' or '.join(formats).upper()} that can be read")
    if wanted not in found and not (wanted == "spectrum" and found):
        raise UsageError(f"{mtype}: there is no {wanted} in it")
    return Incoming(path, label_of(params) + ending)


def label_of(params: Mapping[str, Any]) -> str:
    """Return what a message calls its content, as a name for a product without extension."""
    url = params.get("url")
    texts: list[Any] = [params.get(key) for key in _IDS]
    texts.append(unquote(urlsplit(url).path).rsplit("/", 1)[-1] if _is_address(url) else "")
    for text in texts:
        if not isinstance(text, str):
            continue
        plain = re.sub(r"[\x00-\x1f\x7f/\\:]+", "_", text.strip())
        plain = plain.encode("utf-8", "replace").decode()
        for end in _KNOWN_ENDS:
            if plain.lower().endswith(end) and len(plain) > len(end):
                plain = plain[: -len(end)]
                break
        plain = plain[:_LONGEST_NAME].strip(" ._")
        if plain:
            return plain
    return "unnamed"


def _is_address(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def _fetched(url: str, folder: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(f"the address {url[:200]!r} is none") from None
    if parts.scheme == "file":
        return _copied(unquote(parts.path), os.path.join(folder, "file"))
    if parts.scheme in ("http", "https") and parts.netloc:
        from skypool.pool.downloading import Downloader

        found = Downloader(folder, pauses=(0.5,), timeout=_FETCH_SECONDS).fetch(url)
        assert found is not None  # nothing was known of it
        return found.path
    raise UsageError(f"files are received by file, http and https, not by {parts.scheme[:20]!r}")


def _copied(path: str, to: str) -> str:
    """Copy a file: programs delete what they have sent whenever they like."""
    try:
        # A pipe would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise NotFound(f"there is no file {path[:300]!r} that can be read ({error})") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UsageError(f"{path[:300]!r} is no file")
    with os.fdopen(handle, "rb") as source:
        try:
            with open(to, "xb") as copy:
                shutil.copyfileobj(source, copy, _BLOCK)
        except OSError as error:
            raise StorageError(f"{path[:300]!r} cannot be copied: {error.strerror}") from None
    return to


class _Nowhere:
    """A sink that keeps nothing: the file is only looked at."""

    def stream(self, itemsize: int = 1) -> _Nowhere:
        return self

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        return digest(raw)


def _looked_at(path: str) -> tuple[set[str], str, str]:
    """Return what is in a file, its format, and the extension that it should have."""
    from skypool.formats.registry import read_file
    from skypool.storage.inplace import FileSource

    source = FileSource(path, None)
    try:
        document = read_file(source, _Nowhere(), os.path.basename(path), "content").document
    finally:
        source.close()
    file = document.get("file") or {}
    form = str(file.get("format", ""))
    ending = _ENDS.get(form, "") + (".gz" if file.get("wrapper") else "")
    return set(_content(document["datasets"])), form, ending


def _content(datasets: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    for _, dataset in datasets:
        if dataset["is"] == "table":
            yield "table"
        elif dataset["is"] == "array":
            yield "image" if sum(length > 1 for length in dataset["shape"]) > 1 else "spectrum"
        else:
            yield from _content(dataset.get("datasets", ()))


def problem_text(error: SkypoolError) -> str:
    """Return an error as one line, for the program that sent it."""
    return " ".join(error.message.split())[:500]
