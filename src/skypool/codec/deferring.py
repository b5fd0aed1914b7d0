"""Files of which only the headers are read now, and the pixels when somebody wants them.

See docs/format/documents.md, *Deferred content*. A chunk that was not read has no digest; in its
place stands a name that says where it is: the mark of the file, the list, the number in the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final

from skypool.codec.digest import digest
from skypool.codec.documents import dumps
from skypool.codec.segments import ChunkList

__all__ = [
    "Deferral",
    "deferral_of",
    "deferred_lists",
    "has_same_headers",
    "is_deferred",
    "undeferred",
]

_MARK: Final = 16
_NUMBER: Final = 8


class Deferral:
    """Makes the lists of chunks of one file that is not read.

    Parameters
    ----------
    path, size, mtime_ns
        The file as it is.
    """

    def __init__(self, path: str, size: int, mtime_ns: int) -> None:
        self._mark = digest(dumps([path, size, mtime_ns]))[:_MARK]
        self._lists = 0

    def chunks(self, count: int) -> ChunkList:
        """Return a list of so many chunks."""
        number = self._lists.to_bytes(_NUMBER, "big")
        self._lists += 1
        return ChunkList.not_read(self._mark + number, count)


def deferral_of(sink: Any) -> Deferral | None:
    """Return what a sink defers content with; None where everything is read."""
    found: Deferral | None = getattr(sink, "deferral", None)
    return found


def undeferred(sink: Any) -> Any:
    """Return the sink that reads everything."""
    return sink.reading() if deferral_of(sink) is not None else sink


def is_deferred(document: Mapping[str, Any]) -> bool:
    """Tell whether only the headers of a document's file were read."""
    file = document.get("file")
    return file is not None and "hash" not in file


def deferred_lists(segments: list[Mapping[str, Any]]) -> Iterator[int]:
    """Yield the places of the segments that were not read."""
    for number, segment in enumerate(segments):
        chunks = segment.get("chunks")
        if isinstance(chunks, Mapping) and "deferred" in chunks:
            yield number


def has_same_headers(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether what was read of a file at first is so in the document of all of it.

    Parameters
    ----------
    old
        The document of the headers alone.
    new
        That of the same file, read completely, or another one of its headers.
    """
    if old["file"]["format"] != new["file"]["format"] or old["file"]["size"] != new["file"]["size"]:
        return False
    before, now = old["file"]["segments"], new["file"]["segments"]
    unread = set(deferred_lists(before))
    return all(
        number in unread or one == other
        for number, (one, other) in enumerate(zip_longest(before, now))
    )
