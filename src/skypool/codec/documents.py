"""Canonical JSON with tagged values (docs/format/documents.md, *JSON*)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring_ascii
from typing import Any

from skypool.codec.parameter_columns import ParameterColumns
from skypool.errors import Damaged

__all__ = [
    "Listed",
    "dumps",
    "dumps_document",
    "dumps_in_parts",
    "format_time",
    "in_parts",
    "loads",
    "parse_time",
    "read_value",
]

_SAFE = 2**53
# Items of a list that are written at once.
_PART = 1000
_TAGS = frozenset({"$int", "$float", "$time"})
_LEAVES = frozenset({str, float, bool, type(None), datetime})
_NEGATIVE_ZERO = re.compile(r"-0\.0(?![0-9])")


def format_time(time: datetime) -> str:
    """Return a UTC time as `YYYY-MM-DDThh:mm:ss.ffffffZ`."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    # Without the offset `+00:00`.
    return time.isoformat(timespec="microseconds")[:26] + "Z"


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
    # Most of what is in them is text.
    if kind is list or kind is tuple:
        return [item if type(item) is str else _tagged(item) for item in value]
    if kind is dict:
        return {key: item if type(item) is str else _tagged(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return {"$time": format_time(value)}
    raise TypeError(f"a document cannot hold a {kind.__name__}")


def _is_plain(value: Any) -> bool:
    """Return whether a value holds only what the encoder writes as `_tagged` would.

    Floats are left out: those that need a tag show in what is written.
    """
    found = [value]
    for item in found:  # grows meanwhile
        kind = type(item)
        if kind in _LEAVES:
            continue
        if kind is list or kind is tuple:
            found += item
        elif kind is int:
            if not -_SAFE <= item <= _SAFE:
                return False
        elif kind is dict:
            found += item.values()
        else:
            return False
    return True


def _as_time(value: Any) -> dict[str, str]:
    """Return what the encoder writes for a value that it does not know."""
    if isinstance(value, datetime):
        return {"$time": format_time(value)}
    raise TypeError(f"a document cannot hold a {type(value).__name__}")


_encode = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    allow_nan=False,
    check_circular=False,
    default=_as_time,
).encode


def _number(value: float) -> str:
    if value - value == 0.0 and (value or math.copysign(1.0, value) > 0):
        return repr(value)
    return _encode(_tagged(value))


def _integer(value: int) -> str:
    return repr(value) if -_SAFE <= value <= _SAFE else _encode(_tagged(value))


# What writes the values of metadata.
_WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    float: _number,
    int: _integer,
    bool: {True: "true", False: "false"}.__getitem__,
    datetime: lambda value: f'{{"$time":"{format_time(value)}"}}',
}
# The same, where no number is what gives one of `_TAGGED`.
_PLAIN_WRITERS: Mapping[type, Callable[[Any], str]] = {**_WRITERS, float: float.__repr__}
_TAGGED = frozenset({"nan", "inf", "-inf", "-0.0"})


def _listed(meta: ParameterColumns) -> str:
    """Write the metadata of a document: no other part has as many values."""
    around = _around(meta.names, meta.described)
    texts = [_PLAIN_WRITERS[type(value)](value) for value in meta.values]
    if not _TAGGED.isdisjoint(texts):
        texts = [_WRITERS[type(value)](value) for value in meta.values]
    parts = [f"{head}{text}{tail}" for (head, tail), text in zip(around, texts, strict=True)]
    return f"[[{'],['.join(parts)}]]"


@lru_cache(maxsize=128)
def _around(
    names: tuple[str, ...], described: tuple[tuple[Any, ...], ...]
) -> list[tuple[str, str]]:
    """Return how the entries of metadata begin and end, but for their values.

    Products of one pipeline have the same keys, units and descriptions.
    """
    heads = (encode_basestring_ascii(name) + "," for name in names)
    tails = ("".join(f",{_write_text(text)}" for text in texts) for texts in described)
    return list(zip(heads, tails, strict=True))


def _write_text(value: Any) -> str:
    return _WRITERS[type(value)](value)


def dumps_document(document: Mapping[str, Any], columns: ParameterColumns | None = None) -> bytes:
    """Return a product document as canonical JSON, as `dumps` does, in less time.

    Parameters
    ----------
    document
        With `meta`, a list of entries of a text key, a value, and texts that describe it.
    columns
        What `ParameterColumns.of` gives for these, where it is at hand.
    """
    meta = document["meta"]
    if not meta:
        return dumps(document)
    parts = []
    for key in sorted(document):
        if key == "meta":
            text = _listed(columns or ParameterColumns.of(meta))
        else:
            part = document[key]
            write = _WRITERS.get(type(part))
            text = dumps(part).decode("ascii") if write is None else write(part)
        parts.append(f'"{key}":{text}')
    return f"{{{','.join(parts)}}}".encode("ascii")


def dumps(value: Any) -> bytes:
    """Return a value as canonical JSON.

    Parameters
    ----------
    value
        Dictionaries with text keys, lists, tuples, text, numbers, booleans, None
        and aware `datetime` values.
    """
    # Values that need a tag are rare: what has none goes to the encoder as it is.
    if _is_plain(value):
        try:
            text = _encode(value)
        except ValueError:  # NaN or an infinity
            text = "-0.0"
        if "-0.0" not in text or not _NEGATIVE_ZERO.search(text):
            return text.encode("ascii")
    return _encode(_tagged(value)).encode("ascii")


class Listed:
    """A list of a record that is made each time it is asked for: there may be millions of items.

    Parameters
    ----------
    count
        How many there are.
    items
        Gives them.
    """

    __slots__ = ("_count", "_items")

    def __init__(self, count: int, items: Callable[[], Iterable[Any]]) -> None:
        self._count = count
        self._items = items

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())


def in_parts(value: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield an object with very long lists as `dumps` writes it, in parts."""
    before = b"{"
    for key in sorted(value):
        yield before + dumps(key) + b":"
        before = b","
        part = value[key]
        if not isinstance(part, list | Listed):
            yield dumps(part)
            continue
        items, comma = iter(part), b"["
        while some := list(islice(items, _PART)):
            yield comma + dumps(some)[1:-1]
            comma = b","
        yield b"[]" if comma == b"[" else b"]"
    yield b"{}" if before == b"{" else b"}"


def dumps_in_parts(value: Mapping[str, Any]) -> bytes:
    """Return an object as `dumps` does, of which lists may be `Listed`."""
    return b"".join(in_parts(value))


def _untag(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    ((key, text),) = value.items()
    if key not in _TAGS:
        return value
    if key == "$int":
        return int(text)
    return float(text) if key == "$float" else parse_time(text)


# Reads the value that begins at a place of a text; gives the place behind it, too.
read_value = json.JSONDecoder(object_hook=_untag).raw_decode


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
