"""Data functions: ``max(image)``, ``count(events['energy'] > 2000)``, ``value(image, ra, dec)``.

Plain datasets and columns answer themselves, from their statistics where those decide; expressions
over their elements are computed block by block. NaN is ignored everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

import numpy as np

from skypool.errors import QueryError
from skypool.model.names import find_name
from skypool.model.reductions import Reducible, blocks, tile_shape, tiles
from skypool.query.elements import Vector, vector
from skypool.query.functions import FUNCTIONS
from skypool.query.sky import split_positions
from skypool.query.subject import dataset_called
from skypool.query.tree import (
    And,
    Call,
    Column,
    Compare,
    Dataset,
    Item,
    Name,
    Node,
    Not,
    Or,
)
from skypool.query.values import Amount, Value, convert_bound
from skypool.query.vectors import Vectors

if TYPE_CHECKING:
    from skypool.query.evaluate import Evaluator

__all__ = ["element", "reduce"]

_ROWS: Final = 32_768
_UNITED: Final = frozenset({"max", "min", "mean", "median", "sum", "std"})
_CONDITIONS: Final = (Compare, And, Or, Not)
Place: TypeAlias = "tuple[slice, ...]"


def reduce(evaluator: Evaluator, node: Call) -> Value:
    """Return the value of a data function.

    Parameters
    ----------
    evaluator
        Knows the product.
    node
        The call.

    Returns
    -------
    value
        None where the product lacks the dataset or column, or where it has no such value.
    """
    if node.function == "value":
        return _value_at(evaluator, node)
    data = node.arguments[0]
    if len(node.arguments) == 1 and isinstance(data, Name | Dataset | Column):
        found = _source(evaluator, data)
        if found is None:
            return None
        if hasattr(found, "colnames"):
            return len(found) if node.function == "count" else None
        return _answer(node.function, found, _unit(found))
    return _computed(evaluator, node)


def _answer(function: str, data: Any, unit: str) -> Value:
    try:
        value = convert_bound(getattr(data, function)())
    except (TypeError, AttributeError):
        return None  # text has no mean, composites no values
    if isinstance(value, float) and math.isnan(value):
        return None
    if unit and function in _UNITED and isinstance(value, int | float):
        return Amount(value, unit)
    return value


def _unit(data: Any) -> str:
    text = getattr(data, "unit_text", None)
    if text is None:
        text = getattr(data, "unit", None)
    return "" if text is None else str(text)


def _source(evaluator: Evaluator, node: Name | Dataset | Column) -> Any | None:
    """Return the dataset or column that a node names."""
    name = node.dataset if isinstance(node, Column) else node.name
    dataset = dataset_called(evaluator.subject.datasets, name)
    if not isinstance(node, Column) or dataset is None:
        return dataset
    if not hasattr(dataset, "colnames"):
        return None
    column = find_name(dict.fromkeys(dataset.colnames), node.name)
    return None if column is None else dataset[column]


@dataclass(frozen=True, slots=True)
class _Operands:
    """The datasets of an expression: columns of one table, or arrays of one shape."""

    sources: dict[Node, Any]
    rows: int | None
    shape: tuple[int, ...]

    def places(self) -> Iterator[Place]:
        if self.rows is not None:
            return ((slice(start, stop, 1),) for start, stop in blocks(0, self.rows, _ROWS))
        return tiles(self.shape, tile_shape(self.shape, 8))


def _named(node: Node) -> Iterator[Name | Dataset | Column]:
    """Yield the nodes of an expression that may name data, not those of functions inside it."""
    if isinstance(node, Name | Dataset | Column):
        yield node
    elif not (isinstance(node, Call) and FUNCTIONS[node.function].need == "data"):
        for child in node.children():
            yield from _named(child)


def _operands(evaluator: Evaluator, node: Call) -> _Operands | None:
    sources: dict[Node, Any] = {}
    tables: set[str] = set()
    rows: int | None = None
    shape: tuple[int, ...] | None = None
    for part in (found for argument in node.arguments for found in _named(argument)):
        source = _source(evaluator, part)
        if source is None:
            if isinstance(part, Name):
                continue  # a key of the metadata
            return None
        if isinstance(part, Column):
            tables.add(part.dataset.casefold())
            rows = len(dataset_called(evaluator.subject.datasets, part.dataset) or ())
        elif hasattr(source, "shape") and not hasattr(source, "colnames"):
            if shape is not None and shape != source.shape:
                _fail(evaluator, "the arrays have different shapes", part)
            shape = tuple(source.shape)
        else:
            return None
        sources[part] = source
    if len(tables) > 1 or (tables and shape is not None):
        _fail(evaluator, "the elements of several datasets do not correspond", node)
    if not sources:
        return None
    return _Operands(sources, rows, shape or ())


def _fail(evaluator: Evaluator, message: str, node: Node) -> NoReturn:
    raise QueryError(message, text=evaluator.text, column=node.column)


class _Elements(Reducible):
    """The values of an expression, block by block."""

    __slots__ = ("_dtype", "_evaluator", "_node", "_operands", "unit")

    def __init__(self, evaluator: Evaluator, node: Call, operands: _Operands) -> None:
        self._evaluator, self._node, self._operands = evaluator, node, operands
        first = next(operands.places(), None)
        # the type of the values is that of the first block
        probe = None if first is None else self._values_at(first)
        self._dtype = np.dtype(np.float64) if probe is None else probe[0].dtype
        self.unit = "" if probe is None else probe[1]

    def _reduced_dtype(self) -> np.dtype[Any]:
        return self._dtype

    def _tiles(self) -> Iterator[Any]:
        for place in self._operands.places():
            yield self._values_at(place)[0]

    def _values_at(self, place: Place) -> tuple[Any, str]:
        data, where = self._node.arguments[0], self._node.arguments[1:]
        cache: dict[Node, Vector] = {}
        vectors = Vectors(partial(self._resolve, place, cache), self._evaluator.text)
        kept: Any = np.asarray(True)
        for condition in where:
            kept = kept & vectors.condition(condition)[0]
        if isinstance(data, _CONDITIONS):
            holds, fails = vectors.condition(data)
            found, unit, kept = holds, "", kept & (holds | fails)
        else:
            value = vectors.value(data)
            if not isinstance(value, Vector):
                value = vector(np.asarray(np.nan if value is None else value))
            found, unit, kept = value.data, value.unit, kept & ~value.missing
        found, kept = np.broadcast_arrays(found, kept)
        return found[kept], unit

    def _resolve(self, place: Place, cache: dict[Node, Vector], node: Node) -> Vector | Value:
        base = node.base if isinstance(node, Item) else node
        source = self._operands.sources.get(base)
        if source is None:
            return self._evaluator.value(node)
        if base not in cache:
            cache[base] = vector(source[place if len(place) > 1 else place[0]], _unit(source))
        found = cache[base]
        if not isinstance(node, Item):
            if self._operands.rows is not None and found.data.ndim > 1:
                _fail(self._evaluator, "the column has several values a row", node)
            return found
        index: tuple[Any, ...] = (..., *node.index)
        if self._operands.rows is None or len(node.index) != found.data.ndim - 1:
            _fail(self._evaluator, "the cells have another number of axes", node)
        try:
            unknown = None if found.unknown is None else found.unknown[index]
            return Vector(found.data[index], unknown, found.unit)
        except IndexError:
            return None


def _computed(evaluator: Evaluator, node: Call) -> Value:
    operands = _operands(evaluator, node)
    if operands is None:
        return None
    elements = _Elements(evaluator, node, operands)
    data = node.arguments[0]
    if node.function == "count" and isinstance(data, _CONDITIONS):
        return sum(int(np.count_nonzero(part)) for part in elements._tiles())
    return _answer(node.function, elements, elements.unit)


def element(evaluator: Evaluator, node: Item) -> Value:
    """Return ``image[10, 20]`` or ``events['energy'][0]``, None where there is no such element."""
    base = node.base
    assert isinstance(base, Dataset | Column)
    source = _source(evaluator, base)
    if source is None or hasattr(source, "colnames"):
        return None
    index: tuple[Any, ...] = node.index
    try:
        found = source[index[0]] if len(index) == 1 else source[index]
        if isinstance(found, np.ndarray) and found.ndim:
            return None
        value = convert_bound(found)
    except (IndexError, TypeError):
        return None
    unit = _unit(source)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Amount(value, unit) if unit and number else value  # type: ignore[arg-type] # see number


def _value_at(evaluator: Evaluator, node: Call) -> Value:
    """Return the pixel of an image at a place on the sky."""
    data = node.arguments[0]
    assert isinstance(data, Name | Dataset)
    places, _ = split_positions([evaluator.value(argument) for argument in node.arguments[1:]])
    place = places[0] if places and len(places) == 1 else None
    image = _source(evaluator, data)
    if place is None or image is None or not hasattr(image, "wcs"):
        return None
    shape = tuple(image.shape)
    wcs = image.wcs
    if wcs is None or len(shape) < 2 or any(length != 1 for length in shape[:-2]):
        return None
    if not wcs.has_celestial:
        return None
    from astropy.coordinates import SkyCoord
    from astropy.wcs import NoConvergence

    try:
        x, y = wcs.celestial.world_to_pixel(SkyCoord(place.ra, place.dec, unit="deg"))
    except (NoConvergence, ValueError):
        return None
    if not (math.isfinite(x) and math.isfinite(y)):
        return None
    column, row = math.floor(float(x) + 0.5), math.floor(float(y) + 0.5)
    if not (0 <= row < shape[-2] and 0 <= column < shape[-1]):
        return None
    value = convert_bound(image[(*(0 for _ in shape[:-2]), row, column)])
    unit = _unit(image)
    return Amount(value, unit) if unit and isinstance(value, int | float) else value
