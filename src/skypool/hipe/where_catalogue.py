"""What of a where-clause the catalogue can decide, so that few products are looked at.

A clause that is parts joined by `and` holds only where each part does. A part that compares an
attribute or a parameter with a value, asks whether a parameter is there, or needs one, becomes
a term of the pool's query language that is true at least where the part is. The clause itself
decides on what the catalogue finds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from skypool.errors import QueryError, UsageError
from skypool.hipe.finetime import FineTime
from skypool.hipe.where_evaluate import Evaluator
from skypool.hipe.where_names import MISSING
from skypool.model.product import UNKNOWN

__all__ = ["ATTRIBUTES", "SKY", "Terms", "parts_of"]

# The attributes of every product but its type, which the catalogue knows by itself.
ATTRIBUTES: Final = (
    "type",
    "creator",
    "creationDate",
    "description",
    "instrument",
    "modelName",
    "startDate",
    "endDate",
    "formatVersion",
)
_TIMES: Final = frozenset({"creationDate", "startDate", "endDate"})
# Functions of the query language that stand in a clause as parts of their own.
SKY: Final = frozenset({"covers", "footprint_covers", "within", "overlaps"})
_SIGNS: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_TURNED: Final = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
# The catalogue counts UTC: a leap second must not cut off what the clause wants.
_SLACK: Final = timedelta(seconds=2)
# Microseconds of the first days of 1958, which no time of an observation is.
_EARLY: Final = 1e12
_REDUCTIONS: Final = {"MAX": "max", "MIN": "min", "max": "max", "min": "min"}


def parts_of(tree: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts that must all hold."""
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for part in tree.values:
            yield from parts_of(part)
    else:
        yield tree


class Terms:
    """The terms of the query language for a clause.

    Parameters
    ----------
    tree
        The clause.
    variable
        The name that stands for the product.
    evaluator
        Gives the values of what does not depend on the product.

    Attributes
    ----------
    texts : list of str
        To be joined by `and`.
    values : dict
        Of the `$names` in them.
    rest : expr or None
        What the clause itself has to decide; None where nothing is left.
    """

    def __init__(self, tree: ast.expr, variable: str, evaluator: Evaluator) -> None:
        self._variable = variable
        self._evaluator = evaluator
        self.texts: list[str] = []
        self.values: dict[str, Any] = {}
        rest = [part for part in parts_of(tree) if not self._sky(part)]
        for part in rest:
            self._part(part)
        left = [part for part in rest if not (isinstance(part, ast.Constant) and part.value)]
        self.rest: ast.expr | None = None
        if left:
            self.rest = left[0] if len(left) == 1 else ast.BoolOp(ast.And(), left)

    def _bind(self, value: Any) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def _sky(self, part: ast.expr) -> bool:
        """Take over a condition on the sky, which the catalogue alone decides."""
        if not isinstance(part, ast.Call) or not isinstance(part.func, ast.Name):
            return False
        if part.func.id not in SKY:
            return False
        values = [self._evaluator.constant(argument) for argument in part.args]
        if part.keywords or any(value is MISSING for value in values):
            raise QueryError(f"{part.func.id}() takes plain values, or names of the script")
        listed = ", ".join(self._bind(value) for value in values)
        self.texts.append(f"{part.func.id}({listed})")
        return True

    def _part(self, part: ast.expr) -> None:
        found = self._compared(part) or self._any(part)
        if found is not None:
            self.texts.append(found)
        for key in dict.fromkeys(self._needed(part)):
            self.texts.append(key)

    # -- comparisons

    def _compared(self, part: ast.expr) -> str | None:
        if not isinstance(part, ast.Compare) or len(part.ops) != 1:
            return None
        sign = _SIGNS.get(type(part.ops[0]))
        if sign is None:
            return None
        left, right = part.left, part.comparators[0]
        for subject, other, found in ((left, right, sign), (right, left, _TURNED[sign])):
            value = self._evaluator.constant(other)
            if value is not MISSING:
                return self._comparison(subject, found, value)
        return None

    def _comparison(self, subject: ast.expr, sign: str, value: Any) -> str | None:
        name = self._attribute(subject)
        if name is not None:
            if name in _TIMES:
                return self._time(f"meta['{name}']", sign, value)
            if sign != "==" or not isinstance(value, str) or value == UNKNOWN:
                return None
            return f"{'type' if name == 'type' else _key(name)} == {self._bind(value)}"
        inner = self._microseconds(subject)
        key = self._parameter(inner or subject)
        if key is not None:
            if inner is not None:
                return self._time(_key(key), sign, value)
            # Times are compared with numbers as microseconds.
            number = value.microsecondsSince1958() if isinstance(value, FineTime) else value
            plain = self._plain(_key(key), sign, number)
            early = sign == "==" and isinstance(value, int | float) and value < _EARLY
            time = None if plain is None or early else self._time(_key(key), sign, value)
            return plain if time is None else f"{plain} or ({time})"
        data = self._reduced(subject)
        return None if data is None else self._plain(data, sign, value)

    def _plain(self, subject: str, sign: str, value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        if value != value or (isinstance(value, int) and abs(value) >= 2**63):
            return None
        if isinstance(value, str) and sign != "==":
            return None
        return f"{subject} {sign} {self._bind(value)}"

    def _time(self, subject: str, sign: str, value: Any) -> str | None:
        """Return a condition on a time, a little wider than what is asked."""
        if isinstance(value, bool) or not isinstance(value, FineTime | int | float):
            return None
        try:
            moment = FineTime(value if isinstance(value, FineTime) else int(value)).utc
            low, high = moment - _SLACK, moment + _SLACK
        except (UsageError, OverflowError, ValueError):
            return None
        if sign == "==":
            low_name, high_name = self._bind(low), self._bind(high)
            return f"{subject} >= {low_name} and {subject} <= {high_name}"
        return f"{subject} {sign} {self._bind(high if sign[0] == '<' else low)}"

    # -- what expressions mean

    def _is_product(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self._variable

    def _attribute(self, node: ast.expr) -> str | None:
        """Return the attribute of the product that an expression is."""
        if isinstance(node, ast.Attribute) and self._is_product(node.value):
            return node.attr if node.attr in ATTRIBUTES else None
        method = node.func if isinstance(node, ast.Call) and not node.args else None
        if isinstance(method, ast.Attribute) and self._is_product(method.value):
            name = method.attr[3:4].lower() + method.attr[4:]
            return name if method.attr[:3] == "get" and name in ATTRIBUTES else None
        return None

    def _parameter(self, node: ast.expr) -> str | None:
        """Return the key of the parameter whose value an expression is."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            plain = not node.args and node.func.attr in ("getValue", "getDouble")
            return self._parameter_object(node.func.value) if plain else None
        if isinstance(node, ast.Attribute) and node.attr in ("value", "double"):
            return self._parameter_object(node.value)
        return None

    def _parameter_object(self, node: ast.expr) -> str | None:
        """Return the key of `p.meta['key']`."""
        if isinstance(node, ast.Subscript) and self._is_meta(node.value):
            return _text(node.slice)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            gets = node.func.attr == "get" and len(node.args) == 1
            return _text(node.args[0]) if gets and self._is_meta(node.func.value) else None
        return None

    def _is_meta(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute):
            return node.func.attr == "getMeta" and self._is_product(node.func.value)
        return (
            isinstance(node, ast.Attribute) and node.attr == "meta" and self._is_product(node.value)
        )

    def _microseconds(self, node: ast.expr) -> ast.expr | None:
        """Return the time of which an expression is the microseconds."""
        if isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute):
            return node.func.value if node.func.attr == "microsecondsSince1958" else None
        return None

    # -- data

    def _reduced(self, node: ast.expr) -> str | None:
        """Return `max(image)` for `MAX(p['image'].data)`."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
            function = _REDUCTIONS.get(node.func.id)
            data = self._data(node.args[0])
            return f"{function}({data})" if function and data else None
        return None

    def _any(self, part: ast.expr) -> str | None:
        """Return `max(image) > 1` for `ANY(p['image'].data > 1)`."""
        if not isinstance(part, ast.Call) or not isinstance(part.func, ast.Name):
            return None
        inner = part.args[0] if len(part.args) == 1 else None
        if part.func.id != "ANY" or not isinstance(inner, ast.Compare):
            return None
        sign = _SIGNS.get(type(inner.ops[0])) if len(inner.ops) == 1 else None
        data = self._data(inner.left)
        value = self._evaluator.constant(inner.comparators[0])
        if sign is None or data is None or isinstance(value, str | bool):
            return None
        if not isinstance(value, int | float) or sign == "==":
            return None
        return f"{'max' if sign[0] == '>' else 'min'}({data}) {sign} {self._bind(value)}"

    def _data(self, node: ast.expr) -> str | None:
        """Return how the query language calls `p['image'].data`.

        What is deeper may be a column or an array in a composite, which it calls differently.
        """
        if isinstance(node, ast.Attribute) and node.attr == "data":
            node = node.value
        if not isinstance(node, ast.Subscript) or not self._is_product(node.value):
            return None
        name = _text(node.slice)
        return None if name is None else f"datasets['{name}']"

    # -- what must be there

    def _needed(self, node: ast.expr) -> Iterator[str]:
        """Yield conditions that what a part looks at in any case is there."""
        key = self._parameter_object(node)
        if key is None and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asks = node.func.attr in ("containsKey", "has_key") and len(node.args) == 1
            key = _text(node.args[0]) if asks and self._is_meta(node.func.value) else None
        if key is not None:
            yield f"has('{key}')"
            return
        dataset = isinstance(node, ast.Subscript) and self._is_product(node.value)
        if dataset and _text(node.slice) is not None:  # type: ignore[attr-defined]
            yield f"has_dataset('{_text(node.slice)}')"  # type: ignore[attr-defined]
            return
        for child in _always(node):
            if not _asks(child):
                yield from self._needed(child)


def _asks(node: ast.AST) -> bool:
    """Say whether a node asks for a key, so that the answer may be that it is not there."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("containsKey", "has_key")
    )


def _always(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the parts of an expression that are evaluated whatever comes out of the others."""
    if isinstance(node, ast.BoolOp):
        yield node.values[0]
    elif isinstance(node, ast.IfExp):
        yield node.test
    elif isinstance(node, ast.ListComp | ast.GeneratorExp):
        yield node.generators[0].iter
    elif isinstance(node, ast.Compare):
        yield from (node.left, node.comparators[0])
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield child
            elif isinstance(child, ast.keyword):
                yield child.value


def _text(node: ast.expr) -> str | None:
    """Return a text that can be written between quotes as it is."""
    value = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(value, str) or not value.isprintable() or set("'\\\"[]") & set(value):
        return None
    return value or None


def _key(name: str) -> str:
    return f"meta['{name}']"
