"""Data functions as SQL: the extremes of datasets stand among the searchable values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skypool.catalogue.search_clause import UNDECIDED, Clause
from skypool.catalogue.search_keys import (
    EXTREME,
    dataset_place,
    extreme_condition,
    some_condition,
)
from skypool.catalogue.search_sky import SKY_CALLS
from skypool.query.tree import Call
from skypool.query.values import Value
from skypool.sky.roles import AUXILIARY

if TYPE_CHECKING:
    from skypool.catalogue.search_compile import Compiler

__all__ = ["compare_data"]


def compare_data(
    self: Compiler, call: Call, comparison: tuple[str, Value], want: bool, v: str
) -> Clause:
    """Return where `count(image > 1) > 2` and its like are known to be *want*.

    Parameters
    ----------
    self
        The compiler.
    call
        The function.
    comparison
        Operator, and the value to compare with.
    want
        True or False.
    v
        Alias of the table of versions.
    """
    operator, value = comparison
    if call.function == "value":
        return _value(self, call, (operator, value), want, v)
    if call.function == "count" and want and _wants_some(operator, value):
        condition = some_condition(call)
        if condition is not None:
            return self.keyed(condition, v)
    return UNDECIDED


def _value(self: Compiler, call: Call, comparison: tuple[str, Value], want: bool, v: str) -> Clause:
    """Return where an image may have such a pixel: round that place, and with such an extreme."""
    place = dataset_place(call.arguments[0])
    if place is None or place[0].rpartition("/")[2].partition(",")[0].casefold() in AUXILIARY:
        return UNDECIDED  # maps that describe others are not part of the coverage
    inside = SKY_CALLS["footprint_covers"](self, Call("footprint_covers", call.arguments[1:]), v)
    operator, value = comparison
    if not want or operator not in EXTREME:
        return Clause(inside.maybe, "0")
    known = self.keyed(extreme_condition((EXTREME[operator], *place), (operator, value), True), v)
    return Clause(f"({inside.maybe}) AND ({known.maybe})", "0")


def _wants_some(operator: str, value: Value) -> bool:
    """Tell whether a count of 0 does not fulfil a comparison."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (operator == ">" and value >= 0) or (operator in (">=", "==") and value > 0)
