"""Rows of a result: some versions, with the values of some keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import UsageError
from skypool.model.attributes.names import CORE
from skypool.pool.results.tables import tags_of
from skypool.query.tree import STRUCTURE

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits
    from skypool.server.cursors import Cursor

__all__ = ["COLUMNS", "default_columns", "page"]

_NUMERIC: Final = ("version", "size", "total_size", "track")
COLUMNS: Final[Mapping[str, Callable[[Ref], Any]]] = {
    "name": lambda ref: ref.name,
    "version": lambda ref: ref.version,
    "kind": lambda ref: ref.kind,
    "type": lambda ref: ref.type,
    "size": lambda ref: ref.size,
    "total_size": lambda ref: ref.total_size,
    "urn": lambda ref: ref.urn,
    "hash": lambda ref: ref.hash,
    "track": lambda ref: ref.track,
    "path": lambda ref: next(
        (each.path for each in ref.view.session.catalogue.sources(ref.row.document)), None
    ),
}
_OF_COMMIT: Final = ("saved", "author", "message")
_LABELS: Final = {"total_size": "total size", "size": "size", "saved": "saved", "obsid": "obsid"}
# What people look for, by the names that observatories give it: as the Product Browser of HIPE
# had it. Those that no product has are left out.
_LIKELY: Final = (
    ("obsid",), ("odNumber", "od"), ("startDate", "start", "DATE-OBS"), ("aot", "obs_mode"),
    ("instrument",), ("obsMode",), ("object",), ("band", "FILTER"), ("proposal",),
)  # fmt: skip
_TYPES: Final = {"number": "number", "integer": "number", "time": "time", "text": "text"}


def default_columns(keys: Sequence[str]) -> list[str]:
    """Return the columns that a table shows where nobody chose any.

    Parameters
    ----------
    keys
        All metadata keys of the pools.
    """
    known = {key.casefold(): key for key in reversed(keys)}
    core = {each.name for each in CORE}
    found = ["name", "kind", "type"]
    for choices in _LIKELY:
        for choice in choices:
            if choice.casefold() in known or choice in core:
                found.append(choice if choice in core else known[choice.casefold()])
                break
    return [*found, "version", "tags", "total_size", "saved"]


def page(cursor: Cursor, start: int, count: int, keys: Sequence[str]) -> dict[str, Any]:
    """Return some rows of a result, and what its columns are."""
    for key in keys:
        if key in STRUCTURE:
            raise UsageError(f"{key!r} is not one value of a product", hint="choose another key")
    hits = cursor.part(start, count)
    refs = list(hits)
    known = _Known()
    columns, values = [], []
    for key in keys:
        found, unit, kind = _column(cursor, hits, refs, key, known)
        columns.append({"key": key, "unit": unit, "type": kind, "label": _LABELS.get(key, key)})
        values.append(found)
    texts = cursor.texts(hits)
    return {
        "start": start,
        "columns": columns,
        "rows": [[text, *row] for text, row in zip(texts, zip(*values, strict=True), strict=True)]
        if values
        else [[text] for text in texts],
    }


class _Known:
    """Commits of a page, each asked once."""

    def __init__(self) -> None:
        self._commits: dict[tuple[bytes, int], Any] = {}

    def commit(self, ref: Ref) -> Any:
        key = (ref.view.session.folder.key, ref.commit)
        if key not in self._commits:
            self._commits[key] = ref.view.identity.commit(ref.commit)
        return self._commits[key]


def _column(
    cursor: Cursor, hits: Hits, refs: Sequence[Ref], key: str, known: _Known
) -> tuple[list[Any], str | None, str]:
    """Return the values of a key, their unit and their type."""
    if key in COLUMNS:
        return [COLUMNS[key](ref) for ref in refs], _unit(key), _type(key)
    if key == "tags":
        return [list(tags) for tags in tags_of(hits)], None, "tags"
    if key == "pool":
        pools = hits.pools or [0] * len(refs)
        return [cursor.labels[pool] for pool in pools], None, "text"
    if key in _OF_COMMIT:
        from skypool.catalogue.times import time_of

        commits = [known.commit(ref) for ref in refs]
        if key == "saved":
            return [None if c is None else time_of(c.time_us) for c in commits], None, "time"
        return [None if c is None else getattr(c, key) for c in commits], None, "text"
    return _of_meta(hits, refs, key)


def _unit(key: str) -> str | None:
    return "B" if key in ("size", "total_size") else None


def _type(key: str) -> str:
    return "number" if key in _NUMERIC else "text"


def _of_meta(hits: Hits, refs: Sequence[Ref], key: str) -> tuple[list[Any], str | None, str]:
    from skypool.pool.results.ordering import by_key
    from skypool.pool.results.values import FEW, parameter_of

    snapshot = hits.snapshots[0] if hits.snapshots else None
    # Rows do not wait for a column that somebody reads.
    cached = snapshot is not None and snapshot.columns.ready(f"meta:{key}")
    if cached or len(refs) > 2 * FEW:
        found = by_key(hits, key)
        units = [unit for unit in found.units if unit] if refs else []
        values = found.listed()
        if len(found.units) > 1 and units:
            entries = found.entries
            values = [
                value if value is None else f"{value} {entries[code].unit}".rstrip()
                for value, code in zip(values, found.codes.tolist(), strict=True)
            ]
            units = []
    else:
        parameters = [parameter_of(ref, key) for ref in refs]
        units = list(dict.fromkeys(each.unit for each in parameters if each is not None))
        mixed = len(units) > 1
        values = [
            None if each is None else f"{each.value} {each.unit}".rstrip() if mixed else each.value
            for each in parameters
        ]
        units = [] if mixed else [unit for unit in units if unit]
    return values, units[0] if len(units) == 1 else None, _type_of(key, values)


def _type_of(key: str, values: Sequence[Any]) -> str:
    kinds = {
        "time" if hasattr(value, "isoformat") else
        "boolean" if isinstance(value, bool) else
        "number" if isinstance(value, int | float) else "text"
        for value in values if value is not None
    }  # fmt: skip
    if len(kinds) == 1:
        return kinds.pop()
    core = next((each.type for each in CORE if each.name == key.casefold()), "text")
    return "text" if kinds else _TYPES[core]
