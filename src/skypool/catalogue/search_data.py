"""Data functions as SQL: the extremes of datasets stand among the searchable values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from skypool.catalogue.extremes import UNKNOWN, extreme_key
from skypool.catalogue.search_clause import UNDECIDED, Clause
from skypool.catalogue.search_sky import SKY_CALLS
from skypool.catalogue.search_terms import compare_parts
from skypool.query.tree import Call, Column, Compare, Dataset, Literal, Name, Node
from skypool.query.values import Value
from skypool.sky.roles import AUXILIARY

if TYPE_CHECKING:
    from skypool.catalogue.search_compile import Compiler

__all__ = ["compare_data", "some"]

# An element that fulfils a comparison is there only if this extreme fulfils it.
_EXTREME: Final = {">": "max", ">=": "max", "<": "min", "<=": "min"}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compare_data(
    self: Compiler, call: Call, comparison: tuple[str, Value], want: bool, v: str
) -> Clause:
    """Return where `max(image) > 1` and its like are known to be *want*.

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
    data = call.arguments[0] if call.arguments else None
    if len(call.arguments) == 1 and call.function in ("max", "min", "count"):
        place = _place(data)
        if place is not None:
            return _known(self, (call.function, *place), (operator, value), want, v)
    if call.function == "value":
        return _value(self, call, (operator, value), want, v)
    if call.function == "count" and want and _wants_some(operator, value):
        return some(self, call, v)
    return UNDECIDED


def _value(self: Compiler, call: Call, comparison: tuple[str, Value], want: bool, v: str) -> Clause:
    """Return where an image may have such a pixel: round that place, and with such an extreme."""
    place = _place(call.arguments[0])
    if place is None or place[0].rpartition("/")[2].partition(",")[0].casefold() in AUXILIARY:
        return UNDECIDED  # maps that describe others are not part of the coverage
    inside = SKY_CALLS["footprint_covers"](self, Call("footprint_covers", call.arguments[1:]), v)
    operator, value = comparison
    if not want or operator not in _EXTREME:
        return Clause(inside.maybe, "0")
    known = _known(self, (_EXTREME[operator], *place), (operator, value), True, v)
    return Clause(f"({inside.maybe}) AND ({known.maybe})", "0")


def _wants_some(operator: str, value: Value) -> bool:
    """Tell whether a count of 0 does not fulfil a comparison."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (operator == ">" and value >= 0) or (operator in (">=", "==") and value > 0)


def some(self: Compiler, call: Call, v: str) -> Clause:
    """Return where an element may fulfil the comparison that a function is called with."""
    condition = call.arguments[0] if len(call.arguments) == 1 else None
    if not isinstance(condition, Compare) or len(condition.rest) != 1:
        return UNDECIDED
    left, (operator, right) = condition.first, condition.rest[0]
    if isinstance(left, Literal):
        left, right, operator = right, left, _TURNED.get(operator, "")
    place = _place(left)
    if place is None or not isinstance(right, Literal) or operator not in _EXTREME:
        return UNDECIDED
    found = _known(self, (_EXTREME[operator], *place), (operator, right.value), True, v)
    return Clause(found.maybe, "0")


def _place(node: Node | None) -> tuple[str, str] | None:
    """Return the dataset and the column that a node names."""
    if isinstance(node, Name | Dataset):
        return node.name, ""
    return (node.dataset, node.name) if isinstance(node, Column) else None


def _known(
    self: Compiler,
    place: tuple[str, str, str],
    comparison: tuple[str, Value],
    want: bool,
    v: str,
) -> Clause:
    found = self.terms(extreme_key(*place), compare_parts(*comparison, want), want, v)
    unknown = self.with_key(extreme_key(UNKNOWN, *place[1:]), v)
    return Clause(f"({found.maybe}) OR ({unknown.maybe})", found.sure)
