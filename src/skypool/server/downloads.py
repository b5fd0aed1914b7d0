"""Files of products over HTTP: as they came, whole or by ranges."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.responses import Response, StreamingResponse

from skypool.codec.sinks import ByteSource
from skypool.errors import SkypoolError
from skypool.pool.exporting import file_name, is_folder
from skypool.server.answers import IMMUTABLE, download_headers
from skypool.server.zips import top_name, zip_stream

if TYPE_CHECKING:
    from starlette.requests import Request

    from skypool.pool.ref import Ref

__all__ = ["byte_range", "file_answer"]

_PIECE: Final = 1 << 20
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_FITS: Final = (".fits", ".fit", ".fts")


def file_answer(ref: Ref, request: Request) -> Response:
    """Return the file of a product, byte for byte; of a folder or context a zip file of all.

    One range of bytes may be asked for (RFC 9110), but of zip files.
    """
    if is_folder(ref) or "tree" in ref.document:
        headers = download_headers(f"{top_name(ref)}.zip")
        return StreamingResponse(zip_stream([ref]), media_type="application/zip", headers=headers)
    headers = download_headers(file_name(ref)) | {
        "Accept-Ranges": "bytes",
        "ETag": f'"{ref.hash}"',
        "Cache-Control": IMMUTABLE,
    }
    read, size = _reader(ref)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range", "")
    if request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        wanted = ""
    span = byte_range(wanted, size)
    if span is None:
        headers["Content-Range"] = f"bytes */{size}"
        return Response(status_code=416, headers=headers)
    start, stop = span
    status = 200
    if stop - start < size or (wanted and _RANGE.fullmatch(wanted)):
        status = 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    kind = "application/fits" if file_name(ref).endswith(_FITS) else "application/octet-stream"
    return StreamingResponse(
        read(start, stop), status_code=status, media_type=kind, headers=headers
    )


def byte_range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and stop of what a `Range` header asks for; None where it cannot be given.

    What is no single range of bytes means the whole.
    """
    found = _RANGE.fullmatch(text.strip())
    if not found or found[1] == found[2] == "":
        return 0, size
    if found[1] == "":
        return (max(0, size - int(found[2])), size) if int(found[2]) and size else None
    start = int(found[1])
    stop = min(size, int(found[2]) + 1) if found[2] else size
    if found[2] and int(found[2]) < start:
        return 0, size
    return (start, stop) if start < size else None


def _reader(ref: Ref) -> tuple[Callable[[int, int], Iterator[bytes]], int]:
    """Return what gives a part of a file, and its size: from the chunks, else a real file."""
    file = ref.document.get("file")
    if file is not None and "wrapper" not in file:
        return partial(_from_chunks, ref.view.content(ref)), int(file["size"])
    path = ref.path
    return partial(_from_file, path), os.path.getsize(path)


def _from_chunks(source: ByteSource, start: int, stop: int) -> Iterator[bytes]:
    """Return bytes, checked as all chunks are.

    What is found damaged ends the answer early: the client sees that it is too short.
    """
    try:
        for at in range(start, stop, _PIECE):
            yield source.pread(at, min(_PIECE, stop - at))
    except SkypoolError as error:
        raise OSError(error.message) from error


def _from_file(path: str, start: int, stop: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(start)
        for at in range(start, stop, _PIECE):
            yield file.read(min(_PIECE, stop - at))
