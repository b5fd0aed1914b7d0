"""What differs between two versions: parameters, datasets, references, rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import UsageError
from skypool.model.metadata import Parameter
from skypool.model.tables import Table
from skypool.pool.diff import MetaChange, changed_rows, compare
from skypool.server.code_lines import pool_name
from skypool.server.echo import code, command_of, full_name, pool_expression
from skypool.server.facts import brief, dataset_of, each_dataset, walk

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = ["difference", "row_difference"]


def difference(pools: tuple[Pool, Pool], a: Ref, b: Ref, labels: tuple[str, str]) -> dict[str, Any]:
    """Return what differs between two versions, from *a* to *b*, each in its pool.

    `same` are the parameters that are equal, for those who want to see all.
    """
    found = compare(a, b)
    states = {change.name: change for change in found.datasets}
    paths = dict.fromkeys(path for path, _ in (*each_dataset(a), *each_dataset(b)))
    datasets = []
    for path in paths:
        change = states.get(path)
        # A dataset that is whole in one version only is told by the outermost composite.
        outer = change or next((each for name, each in states.items()
                                if path.startswith(f"{name}/")), None)  # fmt: skip
        datasets.append(
            {
                "path": path,
                "state": outer.kind if outer is not None else "same",
                "what": change.what if change else "",
                "changed": change.count if change else 0,
                "unit": change.unit if change else "",
                "box": change.box if change else None,
                "max_difference": change.largest if change else None,
            }
        )
    same = _same(a, b, found.meta)
    return {
        "a": brief(a, labels[0]),
        "b": brief(b, labels[1]),
        "equal": not found,
        "same_bytes": found.same_bytes,
        "kind": found.kind,
        "meta": [_row(change.dataset, change.name, change.before, change.after)
                 for change in found.meta],
        "same_meta": len(same),
        "same": same,
        "datasets": datasets,
        "refs": [
            {
                "role": change.role,
                "state": change.kind,
                "a": brief(change.before, labels[0]) if change.before is not None else None,
                "b": brief(change.after, labels[1]) if change.after is not None else None,
            }
            for change in found.refs
        ],
        "code": _code(pools, a, b),
    }  # fmt: skip


def _code(pools: tuple[Pool, Pool], a: Ref, b: Ref) -> dict[str, str]:
    first, second = pools
    if first is second:
        return code(
            f"{pool_expression(first)}.diff({full_name(a)!r}, {_other(a, b)!r})",
            command_of(first, "diff", full_name(a), _other(a, b)),
        )
    there = f"{pool_expression(second)}[{full_name(b)!r}]"
    words = ("diff", full_name(a), full_name(b), "--in", pool_name(second))
    return code(
        f"{pool_expression(first)}.diff({full_name(a)!r}, {there})", command_of(first, *words)
    )


def _other(a: Ref, b: Ref) -> str:
    return full_name(b) if a.track != b.track or not b.name else f"{b.name}@{b.version}"


def _row(
    dataset: str, name: str, before: Parameter | None, after: Parameter | None
) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "name": name,
        "a": None if before is None else before.value,
        "b": None if after is None else after.value,
        "unit_a": None if before is None else before.unit or None,
        "unit_b": None if after is None else after.unit or None,
        "state": "added" if before is None else "removed" if after is None else "changed",
    }


def _same(a: Ref, b: Ref, changes: list[MetaChange]) -> list[dict[str, Any]]:
    changed = {(change.dataset, change.name) for change in changes}
    found = []
    others = {"": b.product.meta} | {
        path: dataset.meta for path, dataset in walk(b.product.datasets)
    }
    mine = [("", a.product.meta), *((path, item.meta) for path, item in walk(a.product.datasets))]
    for path, meta in mine:
        theirs = others.get(path)
        if theirs is None:
            continue
        found += [
            _row(path, key, meta[key], theirs[key]) | {"state": "same"}
            for key in meta
            if (path, key) not in changed and key in set(theirs) and meta[key] == theirs[key]
        ]
    return found


def row_difference(a: Ref, b: Ref, path: str, start: int, count: int) -> dict[str, Any]:
    """Return rows of a table that differ between two versions, from *start* of them on.

    Raises
    ------
    UsageError
        If the dataset is no table in one of them.
    """
    old, new = _table_of(a, path), _table_of(b, path)
    changed = changed_rows(old, new)
    both = min(len(old), len(new))
    places = np.arange(max(len(old), len(new)))
    differs = np.zeros(places.size, bool)
    differs[both:] = True
    for mask in changed.values():
        differs[:both] |= mask
    found = places[differs]
    shown = [int(place) for place in found[start : start + count]]
    names = [*old.colnames, *(name for name in new.colnames if name not in old.colnames)]
    return {
        "total": int(found.size),
        "start": start,
        "columns": [
            {"name": name, "unit": _unit(old, name) or _unit(new, name) or None,
             "state": _column_state(name, old, new, changed)}
            for name in names
        ],
        "rows": [
            {
                "row": place,
                "a": _cells(old, names, place),
                "b": _cells(new, names, place),
                "changed": [name for name in changed if place < both and changed[name][place]],
            }
            for place in shown
        ],
    }  # fmt: skip


def _table_of(ref: Ref, path: str) -> Table:
    found = dataset_of(ref, path)
    if not isinstance(found, Table):
        raise UsageError(f"{path!r} of {ref.name}@{ref.version} is no table")
    return found


def _column_state(name: str, old: Any, new: Any, changed: Any) -> str:
    if name not in old.colnames:
        return "added"
    if name not in new.colnames:
        return "removed"
    return "changed" if changed[name].any() else "same"


def _unit(table: Any, name: str) -> str:
    return str(table[name].unit_text) if name in table.colnames else ""


def _cells(table: Any, names: list[str], place: int) -> list[Any] | None:
    """Return the cells of a row; long ones as text, cut."""
    if place >= len(table):
        return None
    return [_cell(table, name, place) if name in table.colnames else None for name in names]


def _cell(table: Any, name: str, place: int) -> Any:
    value = table[name][place : place + 1][0]
    if np.ndim(value):
        with np.printoptions(threshold=8, edgeitems=3):
            return str(np.asarray(value))[:200]
    if value is np.ma.masked:
        return None
    return value.item() if hasattr(value, "item") else value
