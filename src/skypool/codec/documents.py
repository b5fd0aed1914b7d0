"""Canonical JSON with tagged values (docs/format/documents.md, *JSON*)."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from skypool.errors import Damaged

__all__ = ["dumps", "format_time", "loads", "parse_time"]

_SAFE = 2**53
_TAGS = frozenset({"$int", "$float", "$time"})


def format_time(time: datetime) -> str:
    """Return a UTC time as `YYYY-MM-DDThh:mm:ss.ffffffZ`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def parse_time(text: str) -> datetime:
    """Read a time as written by `format_time`."""
    return datetime.fromisoformat(text)


def _tagged(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if -_SAFE <= value <= _SAFE else {"$int": str(value)}
    if kind is float:
        if math.isfinite(value) and (value != 0.0 or math.copysign(1.0, value) > 0):
            return value
        return {"$float": "nan" if math.isnan(value) else repr(value)}
    if kind is list or kind is tuple:
        return [_tagged(item) for item in value]
    if kind is dict:
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return {"$time": format_time(value)}
    raise TypeError(f"a document cannot hold a {kind.__name__}")


def dumps(value: Any) -> bytes:
    """Return a value as canonical JSON.

    Parameters
    ----------
    value
        Dictionaries with text keys, lists, tuples, text, numbers, booleans, None
        and aware `datetime` values.
    """
    return json.dumps(
        _tagged(value), sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("ascii")


def _untag(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    ((key, text),) = value.items()
    if key not in _TAGS:
        return value
    if key == "$int":
        return int(text)
    return float(text) if key == "$float" else parse_time(text)


def loads(data: bytes) -> Any:
    """Read canonical JSON.

    Raises
    ------
    Damaged
        If the bytes are not a document.
    """
    try:
        return json.loads(data, object_hook=_untag)
    except (ValueError, TypeError, RecursionError) as error:
        raise Damaged(f"a document cannot be read: {error}") from None
