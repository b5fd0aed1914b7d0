"""``value in [...]`` for long lists: the answer of comparing with each, found by hash."""

from __future__ import annotations

from collections.abc import Sequence

from skypool.query.compare import Truth, any_of, compare
from skypool.query.values import Amount, Value, parse_number, parse_quantity, parse_time

__all__ = ["Members"]


class Members:
    """The values of a list.

    Parameters
    ----------
    values
        What stands in the list.
    """

    __slots__ = ("_amounts", "_numbers", "_others", "_texts", "_unknown", "_values", "_written")

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = tuple(values)
        self._numbers: set[int | float] = set()
        self._written: set[int | float] = set()
        self._amounts: set[int | float] = set()
        self._texts: set[str] = set()
        self._unknown = False
        # what must be compared one by one with texts and quantities
        self._others: list[Value] = []
        for value in self._values:
            self._take(value)

    def _take(self, value: Value) -> None:
        number = value.value if isinstance(value, Amount) else value
        if isinstance(number, bool | int | float):
            if number != number:
                self._unknown = True
                self._others.append(value)
            else:
                (self._amounts if isinstance(value, Amount) else self._numbers).add(number)
                if isinstance(value, Amount):
                    self._others.append(value)
            return
        if isinstance(value, str):
            self._texts.add(value)
            written = parse_number(value)
            if written is not None:
                self._written.add(written)
            if parse_quantity(value) is None and parse_time(value) is None:
                return
        self._others.append(value)

    def holds(self, value: Value) -> Truth:
        """Return whether a value equals any of them."""
        number = value.value if isinstance(value, Amount) else value
        if number is None or not self._values:
            return None if number is None else False
        if isinstance(number, bool | int | float):
            if number != number:
                return None
            if number in self._numbers or number in self._written:
                return True
            if isinstance(value, Amount):
                return any_of(compare("==", value, other) for other in self._others)
            return True if number in self._amounts else None if self._unknown else False
        if type(value) is not str:
            return any_of(compare("==", value, other) for other in self._values)
        written = parse_number(value)
        if value in self._texts or (written is not None and written in self._numbers):
            return True
        return any_of(compare("==", value, other) for other in self._others)
