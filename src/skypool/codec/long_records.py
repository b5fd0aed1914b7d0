"""Records with very long lists, read in parts.

A list is not in memory as a whole: its items are made each time that somebody goes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from json import JSONDecodeError
from typing import Any, Final

from skypool.codec.documents import Listed, loads, read_value
from skypool.errors import Damaged

__all__ = ["long_record"]

# A shorter list is one.
_KEPT: Final = 1000


def long_record(parts: Callable[[], Iterator[bytes]]) -> dict[str, Any]:
    """Read a record as `loads` does; its long lists are `Listed`.

    Parameters
    ----------
    parts
        Gives the text in parts, as often as it is asked.

    Raises
    ------
    Damaged
        If it is not a record.
    """
    try:
        return _Text(parts()).record(parts)
    except (ValueError, TypeError, RecursionError):
        # `in_parts` did not write it: it is read as anything else, or told what is wrong.
        found = loads(b"".join(parts()))
    if not isinstance(found, dict):
        raise Damaged("a record of the log is none")
    return found


class _Text:
    """Reads canonical JSON that comes in parts.

    Its methods raise ValueError where it is not.
    """

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._text = ""
        self._at = 0
        self._before = 0  # bytes in front of what is at hand

    @property
    def place(self) -> int:
        """Where it is."""
        return self._before + self._at

    def skip(self, place: int) -> None:
        """Go to a later place."""
        while self._before + len(self._text) <= place:
            self._before += len(self._text)
            self._text, self._at = "", 0
            self._more()
        self._at = place - self._before

    def record(self, parts: Callable[[], Iterator[bytes]]) -> dict[str, Any]:
        """Return the object that is all of the text."""
        found: dict[str, Any] = {}
        last = ""
        self._take("{")
        while True:
            key = self._value()
            if not isinstance(key, str) or key <= last:
                raise ValueError("not the next key")
            last = key
            self._take(":")
            found[key] = self._listed(parts) if self._next() == "[" else self._value()
            if self._take(",}") == "}":
                break
        if self._at < len(self._text) or any(self._parts):
            raise ValueError("more than an object")
        return found

    def _listed(self, parts: Callable[[], Iterator[bytes]]) -> list[Any] | Listed:
        place, count = self.place, 0
        kept: list[Any] = []
        for count, item in enumerate(self.items(), 1):
            if count <= _KEPT:
                kept.append(item)
        if count <= _KEPT:
            return kept

        def again() -> Iterator[Any]:
            text = _Text(parts())
            text.skip(place)
            return text.items()

        return Listed(count, again)

    def items(self) -> Iterator[Any]:
        """Yield the items of a list that begins here."""
        self._take("[")
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._take(",]") == "]":
                return

    def _next(self) -> str:
        if self._at == len(self._text):
            self._more()
        return self._text[self._at]

    def _take(self, wanted: str) -> str:
        found = self._next()
        if found not in wanted:
            raise ValueError(f"{found} instead of {wanted}")
        self._at += 1
        return found

    def _value(self) -> Any:
        """Return the value that begins here; something follows it."""
        while True:
            try:
                found, end = read_value(self._text, self._at)
            except JSONDecodeError:
                pass  # it may go on in the next part
            else:
                if end < len(self._text):
                    self._at = end
                    return found
            self._more()

    def _more(self) -> None:
        """Take in as much again as there is at hand, so that long values are not read often."""
        rest = self._text[self._at :]
        some: list[bytes] = []
        size = 0
        for part in self._parts:
            some.append(part)
            size += len(part)
            if size > len(rest):
                break
        if not size:
            raise ValueError("the text ends too early")
        self._before += self._at
        self._text, self._at = rest + b"".join(some).decode("ascii"), 0
