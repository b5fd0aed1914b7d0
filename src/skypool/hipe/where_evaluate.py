"""Evaluation of where-clauses: an interpreter of expressions that knows what it may do.

Nothing is ever handed to Python's own `eval`: names are those of the product and the script,
attributes those of products and plain values, calls those of `where_names`.
"""

from __future__ import annotations

import ast
import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from skypool.errors import NotFound, QueryError
from skypool.hipe.arrays import ArrayDataset, Reduced, Values
from skypool.hipe.containers import JavaList, JavaMap
from skypool.hipe.dataset import Dataset
from skypool.hipe.finetime import FineTime
from skypool.hipe.numeric import ArrayData, Selection
from skypool.hipe.parameters import Parameter
from skypool.hipe.products import Product
from skypool.hipe.refs import ProductRef
from skypool.hipe.tables import Column
from skypool.hipe.urn import Urn
from skypool.hipe.wcs import Wcs
from skypool.hipe.where_names import MISSING, Names

__all__ = ["Evaluator", "NoMatch", "check_attribute"]

_TEXT_METHODS: Final = frozenset(
    {"startswith", "endswith", "lower", "upper", "strip", "lstrip", "rstrip", "find", "rfind",
     "index", "count", "split", "replace", "isdigit", "isalpha"}
)  # fmt: skip
# What Java's texts have.
_JAVA_TEXT: Final[dict[str, Callable[..., Any]]] = {
    "contains": lambda text, part: part in text,
    "equals": operator.eq,
    "equalsIgnoreCase": lambda text, other: text.lower() == str(other).lower(),
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "toLowerCase": str.lower,
    "toUpperCase": str.upper,
    "indexOf": str.find,
    "length": len,
    "trim": str.strip,
}
_ARRAY_NAMES: Final = frozenset(
    {"shape", "size", "ndim", "max", "min", "mean", "sum", "std", "any", "all", "T"}
)
_OURS: Final = (
    Product, Parameter, FineTime, JavaMap, JavaList, ArrayDataset, Column, Values, ArrayData,
    Selection, Reduced, Dataset, ProductRef, Wcs, Urn,
)  # fmt: skip
# What leads out of a product, or changes it.
_CLOSED: Final = re.compile(
    r"(storage|getStorage|pool|parents|adopt|become|unload|core|core_with|to_core|of_core|frozen"
    r"|perform|mutate|sort|reverse"
    r"|(set|add|remove|put|clear|pop|update|append|insert|extend|concatenate)([A-Z].*|item|default"
    r"|))\Z"
)
_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
}
_ORDER: Final = (ast.Gt, ast.GtE, ast.Lt, ast.LtE)
_LONGEST: Final = 1_000_000


class NoMatch(Exception):
    """What a clause needs is not in the product."""


class Evaluator:
    """Evaluates a clause for products.

    Parameters
    ----------
    tree
        The clause.
    variable
        The name that stands for the product.
    names
        What other names stand for.
    """

    def __init__(self, tree: ast.expr, variable: str, names: Names) -> None:
        self._tree = tree
        self._variable = variable
        self._names = names
        self._local: dict[str, Any] = {}

    def matches(self, product: Any, part: ast.expr | None = None, *, quiet: bool = True) -> bool:
        """Say whether the clause, or a part of it, holds; not where it needs what is not there.

        Raises
        ------
        NoMatch
            If it does, and *quiet* is false.
        """
        self._local = {self._variable: product}
        try:
            return truth(self._value(part or self._tree))
        except NoMatch:
            if not quiet:
                raise
            return False

    def constant(self, node: ast.expr) -> Any:
        """Return the value of an expression without the product, `MISSING` where it has none."""
        self._local = {}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id == self._variable:
                return MISSING
        try:
            return self._value(node)
        except (NoMatch, QueryError):
            return MISSING

    def _value(self, node: ast.expr) -> Any:
        visit = getattr(self, f"_{type(node).__name__.lower()}", None)
        if visit is None:
            raise QueryError(f"a where-clause cannot have {_what(node)}")
        return visit(node)

    # -- leaves

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        if node.id in self._local:
            return self._local[node.id]
        found = self._names.value(node.id)
        if found is MISSING:
            near = self._names.near(node.id, self._local)
            raise QueryError(f"{node.id!r} is not known in the where-clause", candidates=near)
        return found

    def _list(self, node: ast.List) -> Any:
        return [self._value(item) for item in node.elts]

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._value(item) for item in node.elts)

    # -- operators

    def _boolop(self, node: ast.BoolOp) -> Any:
        value: Any = None
        for part in node.values:
            value = self._value(part)
            if truth(value) is isinstance(node.op, ast.Or):
                break
        return value

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        value = self._value(node.operand)
        if isinstance(node.op, ast.Not):
            return not truth(value)
        return _calculated(_UNARY[type(node.op)], value)

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self._value(node.left), self._value(node.right)
        if isinstance(node.op, ast.Div):
            # As in Jython: whole numbers give a whole number.
            whole = isinstance(left, int) and isinstance(right, int)
            return _calculated(operator.floordiv if whole else operator.truediv, left, right)
        if isinstance(node.op, ast.Pow):
            if isinstance(left, int) and isinstance(right, int) and abs(right) > 1000:
                raise QueryError(f"the power {right} is too large for a where-clause")
            return _calculated(operator.pow, left, right)
        function = _BINARY.get(type(node.op))
        if function is None:
            raise QueryError(f"a where-clause cannot have {_what(node.op)}")
        if isinstance(node.op, ast.Mult):
            for group, count in ((left, right), (right, left)):
                repeats = isinstance(group, str | list | tuple) and isinstance(count, int)
                if repeats and len(group) * count > _LONGEST:
                    raise QueryError("a where-clause cannot repeat so much")
        return _calculated(function, left, right)

    def _compare(self, node: ast.Compare) -> Any:
        left = self._value(node.left)
        result: Any = True
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self._value(part)
            result = _compared(_COMPARE[type(op)], left, right)
            if len(node.ops) > 1 and not truth(result):
                return False
            left = right
        return result

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self._value(node.body if truth(self._value(node.test)) else node.orelse)

    def _listcomp(self, node: ast.ListComp) -> Any:
        return self._loop(node)

    def _generatorexp(self, node: ast.GeneratorExp) -> Any:
        return self._loop(node)

    def _loop(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        if len(node.generators) != 1 or not isinstance(node.generators[0].target, ast.Name):
            raise QueryError("a where-clause loops over one name")
        (loop,) = node.generators
        assert isinstance(loop.target, ast.Name)
        name, outer, found = loop.target.id, dict(self._local), []
        for item in self._value(loop.iter):
            self._local[name] = item
            if all(truth(self._value(test)) for test in loop.ifs):
                found.append(self._value(node.elt))
        self._local = outer
        return found

    # -- parts of things

    def _subscript(self, node: ast.Subscript) -> Any:
        group = self._value(node.value)
        try:
            return group[self._index(node.slice)]
        except (NotFound, KeyError, IndexError):
            raise NoMatch from None
        except TypeError as error:
            raise NoMatch if group is None else QueryError(str(error)) from None

    def _index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            parts = (node.lower, node.upper, node.step)
            return slice(*(None if part is None else self._value(part) for part in parts))
        if isinstance(node, ast.Tuple):
            return tuple(self._index(item) for item in node.elts)
        return self._value(node)

    def _attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id not in self._local:
            module = self._names.module(node.value.id)
            if module is not None:
                found = module(node.attr)
                if found is MISSING:
                    raise QueryError(f"a where-clause cannot use {node.value.id}.{node.attr}")
                return found
        return attribute(self._value(node.value), node.attr)

    def _quantified(self, node: ast.Call, name: str) -> Any:
        """Return `ANY(data > 1)` and the like from maximum and minimum, `MISSING` if they do not.

        What is not in memory need not be read for it.
        """
        inner = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if not isinstance(inner, ast.Compare) or type(inner.ops[0]) not in _ORDER:
            return MISSING
        data = self._value(inner.left) if len(inner.ops) == 1 else None
        if not isinstance(data, Values) or data.dtype.kind not in "iuf" or not data.size:
            return MISSING
        limit = self._value(inner.comparators[0])
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            return MISSING
        larger = isinstance(inner.ops[0], ast.Gt | ast.GtE)
        extreme = data.max() if larger is (name == "ANY") else data.min()
        holds = bool(_COMPARE[type(inner.ops[0])](extreme, limit))
        return holds and (name == "ANY" or data.count() == data.size)

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name):
            if node.func.id in ("ANY", "ALL"):
                found = self._quantified(node, node.func.id)
                if found is not MISSING:
                    return found
            function = self._names.function(node.func.id)
            if function is MISSING:
                near = self._names.near(node.func.id)
                raise QueryError(
                    f"the where-clause calls {node.func.id!r}, which is not known", candidates=near
                )
        elif isinstance(node.func, ast.Attribute):
            function = self._attribute(node.func)
        else:
            raise QueryError("a where-clause calls functions by their names")
        arguments = [self._value(part) for part in node.args]
        options = {str(part.arg): self._value(part.value) for part in node.keywords if part.arg}
        if not callable(function):
            raise NoMatch
        return function(*arguments, **options)


def truth(value: Any) -> bool:
    """Say whether a value counts as true; arrays where all of them are."""
    if isinstance(value, ArrayData | np.ndarray | Values):
        return bool(np.all(np.asarray(value)))
    return bool(value)


def check_attribute(name: str) -> None:
    """Refuse an attribute that no where-clause may look at, whatever it is of.

    Raises
    ------
    QueryError
        If it is one.
    """
    if name.startswith("_") or _CLOSED.match(name):
        raise QueryError(f"a where-clause cannot use .{name}")


def attribute(value: Any, name: str) -> Any:
    """Return an attribute that a where-clause may look at.

    Raises
    ------
    NoMatch
        If there is none.
    QueryError
        If it is none of its business.
    """
    check_attribute(name)
    if value is None:
        raise NoMatch
    if isinstance(value, ArrayDataset | Column) and name == "data":
        return Values(value)
    if isinstance(value, str):
        if name in _JAVA_TEXT:
            return lambda *given: _JAVA_TEXT[name](value, *given)
        allowed = name in _TEXT_METHODS
    elif isinstance(value, np.ndarray | np.generic):
        allowed = name in _ARRAY_NAMES
    else:
        plain = isinstance(value, dt.date | complex | float | int | Mapping)
        allowed = isinstance(value, _OURS) or plain
    if not allowed:
        raise QueryError(
            f"a where-clause cannot use .{name} of a {type(value).__name__}",
            hint="look at it in a function of your script, and call that one",
        )
    try:
        return getattr(value, name)
    except (AttributeError, NotFound):
        raise NoMatch from None


def _calculated(function: Callable[..., Any], *values: Any) -> Any:
    try:
        return function(*values)
    except (TypeError, ZeroDivisionError, OverflowError, ValueError):
        raise NoMatch from None


def _compared(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    try:
        return function(left, right)
    except TypeError:  # a number and a text have no order
        return False


def _what(node: ast.AST) -> str:
    return f"a {type(node).__name__.lower()}"
