"""What goes out: JSON of any value, errors with their status, bytes that never change."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from skypool.errors import (
    Ambiguous,
    Conflict,
    InvalidProduct,
    Locked,
    MissingDependency,
    NotFound,
    Purged,
    QueryError,
    ReadOnly,
    SkypoolError,
    UsageError,
)

__all__ = [
    "IMMUTABLE",
    "JsonResponse",
    "bytes_answer",
    "download_headers",
    "error_answer",
    "error_body",
    "jsonable",
    "status_of",
    "time_text",
    "to_json",
]

IMMUTABLE: Final = "private, max-age=31536000, immutable"
"""For what belongs to a hash in its address."""
_EXACT: Final = 2**53
# Bytes of JSON from which compressing takes less time than sending does over most networks.
_LONG: Final = 10_000

_STATUS: Final[tuple[tuple[type[SkypoolError], int], ...]] = (
    (QueryError, 422),
    (InvalidProduct, 422),
    (MissingDependency, 501),
    (UsageError, 400),
    (Purged, 410),
    (NotFound, 404),
    (Ambiguous, 409),
    (Conflict, 409),
    (ReadOnly, 403),
    (Locked, 423),
)


def status_of(error: SkypoolError) -> int:
    """Return the HTTP status that fits an error; those of the server name theirs."""
    own: int | None = getattr(error, "status", None)
    if own is not None:
        return own
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def error_body(
    code: str,
    message: str,
    hint: str = "",
    *,
    column: int | None = None,
    suggestions: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the object that says what went wrong."""
    body: dict[str, Any] = {"code": code, "message": message, "hint": hint}
    if column is not None:
        body["column"] = column
    if suggestions:
        body["suggestions"] = list(suggestions)
    return {"error": body}


def error_answer(error: SkypoolError) -> Response:
    """Return what a client gets for an error."""
    column = error.column if isinstance(error, QueryError) and error.column else None
    body = error_body(
        error.code, error.message, error.hint, column=column, suggestions=error.candidates
    )
    return JsonResponse(body, status_code=status_of(error))


class JsonResponse(Response):
    """JSON of whatever a pool holds; see `jsonable`."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write it down."""
        return to_json(content)

    def shrink(self, accepted: str) -> None:
        """Compress what is long, for a client that takes it: pages are read through ssh too.

        Parameters
        ----------
        accepted
            The header `Accept-Encoding` of the request.
        """
        if len(self.body) < _LONG:
            return
        self.headers["Vary"] = "Accept-Encoding"
        if "gzip" in accepted:
            self.body = gzip.compress(self.body, 1, mtime=0)
            self.headers["Content-Encoding"] = "gzip"
            self.headers["Content-Length"] = str(len(self.body))


def to_json(content: Any) -> bytes:
    """Write a value as JSON, in UTF-8."""
    clean = jsonable(content)
    try:
        return json.dumps(clean, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # halves of characters, which odd names of files have
        return json.dumps(clean, separators=(",", ":")).encode()


def jsonable(value: Any) -> Any:
    """Return a value as JSON has it.

    Numbers that JSON does not have are texts, as are whole numbers that a double does not hold;
    times are ISO 8601 in UTC.
    """
    if value is None or value is True or value is False or type(value) is str:
        return value
    if isinstance(value, int):
        return int(value) if -_EXACT <= value <= _EXACT else str(int(value))
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, datetime):
        return time_text(value)
    return _other(value)


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _other(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat()
    for method in ("tolist", "isoformat"):  # arrays and numbers of numpy
        made = getattr(value, method, None)
        if made is not None:
            return jsonable(made())
    return str(value)


def time_text(moment: datetime) -> str:
    """Write a time: ISO 8601, UTC, microseconds only where there are some."""
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.isoformat().replace("+00:00", "Z")


def bytes_answer(
    content: bytes,
    media_type: str = "application/octet-stream",
    *,
    immutable: bool = True,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return bytes; by default those that belong to a hash and are kept by caches for ever."""
    extra = dict(headers or {})
    if immutable:
        extra["Cache-Control"] = IMMUTABLE
    return Response(content, media_type=media_type, headers=extra)


def download_headers(name: str) -> dict[str, str]:
    """Return headers for files of users: saved under their name, never run as part of the page."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    exact = quote(name.encode("utf-8", "surrogateescape"))
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
