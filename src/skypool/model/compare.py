"""How two products differ in content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset
from skypool.model.product import Product
from skypool.model.reductions import blocks, tiles
from skypool.model.sources import Ndarray
from skypool.model.tables import Table, masked
from skypool.model.validate import Location, Problem

__all__ = ["differences", "same_values"]


def differences(left: Product, right: Product) -> list[Problem]:
    """Return where two products differ; empty for equal content.

    Compared are kind, metadata (values with their types, units, descriptions, order),
    datasets (order, nesting, types, units, world coordinates, values; NaN equals NaN) and
    history; references by their roles. Values are read piece by piece.

    Parameters
    ----------
    left, right
        The products.
    """
    found: list[Problem] = []
    if left.kind != right.kind:
        found.append(Problem(("kind",), f"{left.kind!r} and {right.kind!r}", "kind"))
    if left.history != right.history:
        found.append(Problem(("history",), f"{left.history!r} and {right.history!r}", "value"))
    if list(left.refs) != list(right.refs):
        found.append(Problem(("refs",), f"{list(left.refs)} and {list(right.refs)}", "reference"))
    found += _names(("meta",), left.meta, right.meta)
    found += _meta((), left.meta, right.meta)
    found += _datasets((), left.datasets, right.datasets)
    return found


def _names(place: Location, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Problem]:
    if list(left) != list(right):
        only = [name for name in left if name not in dict.fromkeys(right)]
        new = [name for name in right if name not in dict.fromkeys(left)]
        if only or new:
            yield Problem(place, f"only left: {only}; only right: {new}", "name")
        else:
            yield Problem(place, f"the order differs: {list(left)} and {list(right)}", "name")


def _meta(place: Location, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Problem]:
    others = dict(right.items())
    for name, parameter in left.items():
        other = others.get(name)
        if other is not None and other != parameter:
            yield Problem((*place, "meta", name), f"{parameter!r} and {other!r}", "value")


def _datasets(
    place: Location, left: Mapping[str, Dataset], right: Mapping[str, Dataset]
) -> Iterator[Problem]:
    yield from _names((*place, "datasets"), left, right)
    others = dict(right.items())
    for name, dataset in left.items():
        if name in others:
            yield from _dataset((*place, "datasets", name), dataset, others[name])


def _dataset(place: Location, left: Dataset, right: Dataset) -> Iterator[Problem]:
    if type(left) is not type(right):
        yield Problem(place, f"{left!r} and {right!r}", "value")
        return
    if left.description != right.description:
        yield Problem(place, f"{left.description!r} and {right.description!r}", "value")
    yield from _names((*place, "meta"), left.meta, right.meta)
    yield from _meta(place, left.meta, right.meta)
    if isinstance(left, Array) and isinstance(right, Array):
        yield from _arrays(place, left, right)
    elif isinstance(left, Table) and isinstance(right, Table):
        yield from _tables(place, left, right)
    elif isinstance(left, Composite) and isinstance(right, Composite):
        yield from _datasets(place, left, right)


def _arrays(place: Location, left: Array, right: Array) -> Iterator[Problem]:
    if (left.shape, left.dtype) != (right.shape, right.dtype):
        yield Problem(place, f"{left!r} and {right!r}", "shape")
        return
    if left.unit_text != right.unit_text:
        yield Problem((*place, "unit"), f"{left.unit_text!r} and {right.unit_text!r}", "unit")
    if left.wcs_header != right.wcs_header:
        yield Problem((*place, "wcs"), "the world coordinates differ", "wcs")
    for part in tiles(left.shape, left.tile):
        if not same_values(left[part], right[part]):
            yield Problem(place, f"the values differ in {part}", "value")
            return


def _tables(place: Location, left: Table, right: Table) -> Iterator[Problem]:
    if left.colnames != right.colnames or len(left) != len(right):
        yield Problem(place, f"{left!r} and {right!r}", "shape")
        return
    for name in left.colnames:
        yield from _columns((*place, name), left, right, name)


def _columns(place: Location, left: Table, right: Table, name: str) -> Iterator[Problem]:
    mine, other = left[name].info, right[name].info
    for fact in ("shape", "unit", "description", "element"):
        if getattr(mine, fact) != getattr(other, fact):
            found = f"{fact} {getattr(mine, fact)!r} and {getattr(other, fact)!r}"
            yield Problem(place, found, "unit" if fact == "unit" else "shape")
    # Text of another width is the same text.
    if mine.dtype != other.dtype and (mine.dtype.kind, other.dtype.kind) != ("U", "U"):
        yield Problem(place, f"{mine.dtype} and {other.dtype}", "dtype")
        return
    for start, stop in blocks(0, len(left), left.source.block_rows):
        if not same_values(
            masked(left[name][start:stop], mine), masked(right[name][start:stop], other)
        ):
            yield Problem(place, f"the values differ in rows {start} to {stop - 1}", "value")
            return


def same_values(left: Ndarray, right: Ndarray) -> bool:
    """Say whether two arrays hold the same values, NaN and missing ones included."""
    left, right = np.ma.asanyarray(left), np.ma.asanyarray(right)
    if left.shape != right.shape:
        return False
    if left.dtype.kind == "O" or right.dtype.kind == "O":
        pairs = zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)
        return all(same_values(np.asarray(a), np.asarray(b)) for a, b in pairs)
    gaps = np.ma.getmaskarray(left)
    if not np.array_equal(gaps, np.ma.getmaskarray(right)):
        return False
    mine, other = np.asarray(left)[~gaps], np.asarray(right)[~gaps]
    equal_nan = mine.dtype.kind in "fc" and other.dtype.kind in "fc"
    return bool(np.array_equal(mine, other, equal_nan=equal_nan))
