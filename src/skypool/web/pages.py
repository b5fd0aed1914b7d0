"""The built page: its files, compressed once, and for how long a browser may keep them."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from skypool.server.answers import IMMUTABLE

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["STATIC", "page_routes"]

STATIC: Final = Path(__file__).parent / "static"
_LEAST: Final = 1000
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>skypool</title></head><body><h1>skypool</h1>
<p>The page is not built in this checkout: <code>make frontend</code> builds it.
The API is at <a href="api/v1/openapi.json">api/v1</a>.</p></body></html>"""


class _File(NamedTuple):
    """A file, as it is and compressed."""

    content: bytes
    small: bytes
    media_type: str
    tag: str


def page_routes(folder: Path = STATIC) -> list[BaseRoute]:
    """Return the routes of the built page; of a page that tells how to build it without one."""
    if not (folder / "index.html").is_file():
        return [Route("/", lambda _: HTMLResponse(_NOT_BUILT, status_code=503))]
    routes: list[BaseRoute] = []
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent, name)
            address = path.relative_to(folder).as_posix()
            routes.append(_route("/" if address == "index.html" else f"/{address}", path))
    return routes


def _route(address: str, path: Path) -> Route:
    lasting = address.startswith("/assets/")  # their names hold a hash of their content

    async def answer(request: Request) -> Response:
        file = _read(path, path.stat().st_mtime_ns)
        headers = {
            "Cache-Control": IMMUTABLE if lasting else "no-cache",
            "ETag": f'"{file.tag}"',
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        content = file.content
        if file.small and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"], content = "gzip", file.small
        return Response(content, media_type=file.media_type, headers=headers)

    return Route(address, answer, methods=["GET"])


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> _File:
    content = path.read_bytes()
    known = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    packed = gzip.compress(content, 9, mtime=0) if len(content) > _LEAST else b""
    small = packed if len(packed) < 0.9 * len(content) else b""
    tag = hashlib.blake2b(content, digest_size=12).hexdigest()
    return _File(content, small, known or "application/octet-stream", tag)
