"""Which columns a result has, and the texts in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from skypool.errors import SkypoolError
from skypool.tui.text import cell, size_text

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits

__all__ = ["ALWAYS", "DEFAULTS", "Head", "HitRows", "defaults_for", "used"]


class Head(NamedTuple):
    """The head of a column.

    Attributes
    ----------
    key : str
    title : str
        The key, with the unit where all have one.
    right : bool
        Whether cells stand at the right, as numbers do.
    middle : bool
        Whether long cells lose their middle.
    """

    key: str
    title: str
    right: bool = False
    middle: bool = False


# Columns by kind, most special first: what the Product Browser of HIPE showed of observations,
# and what tells the products of a kind apart.
DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "ObservationContext": (
        "name", "obsid", "odNumber", "start", "aot", "instrument", "obs_mode", "object",
        "proposal", "aorLabel", "tags", "version", "total_size",
    ),
    "Context": ("name", "kind", "type", "object", "instrument", "tags", "version", "total_size"),
    "SimpleCube": (
        "name", "object", "instrument", "start", "band", "wavelength", "obs_mode", "exposure",
        "obsid", "tags", "version", "size",
    ),
    "SimpleImage": (
        "name", "object", "instrument", "start", "band", "wavelength", "exposure", "obsid",
        "obs_mode", "tags", "version", "size",
    ),
    "Spectrum1d": (
        "name", "object", "instrument", "start", "wavelength_min", "wavelength_max", "exposure",
        "obsid", "tags", "version", "size",
    ),
    "Search": ("name", "query", "author", "saved", "version"),
    "File": ("name", "type", "size", "saved", "tags", "version"),
}  # fmt: skip
_USUAL: Final = (
    "name", "kind", "type", "object", "instrument", "start", "tags", "version", "size",
)  # fmt: skip
#: What every product has, beside its metadata.
ALWAYS: Final = (
    "name", "version", "kind", "type", "tags", "size", "total_size", "saved", "author", "message",
    "urn", "hash", "path", "track", "pool",
)  # fmt: skip


def defaults_for(kinds: Mapping[Any, int]) -> tuple[str, ...]:
    """Return the columns for a result, by the kinds in it, the most frequent first."""
    from skypool.model.kinds import is_kind

    total = sum(kinds.values())
    for kind, count in kinds.items():
        if kind is None or count * 10 < total * 6:
            break
        for known, columns in DEFAULTS.items():
            if is_kind(kind, known):
                return columns
    return _USUAL


_OF_REF: Final[dict[str, Callable[[Ref], Any]]] = {
    "tags": lambda ref: ", ".join(ref.tags),
    "total_size": lambda ref: ref.total_size,
    "size": lambda ref: ref.size,
    "kind": lambda ref: ref.kind,
    "type": lambda ref: "" if ref.type == "Unknown" else ref.type,
    "version": lambda ref: ref.version,
    "name": lambda ref: ref.name or ref.urn,
    "urn": lambda ref: ref.urn,
    "track": lambda ref: ref.track,
    "pool": lambda ref: ref.view.session.folder.name,
}
_SIZES: Final = frozenset({"size", "total_size"})
_MIDDLE: Final = frozenset({"name", "path", "urn"})


class HitRows:
    """The rows of a result, for a grid.

    Parameters
    ----------
    hits
        The result.
    keys
        Of the columns.
    """

    def __init__(self, hits: Hits, keys: Sequence[str]) -> None:
        self.hits = hits
        self._values: dict[str, type] = {}
        self.heads = [Head(key, key, False, key in _MIDDLE) for key in keys]
        units: dict[str, str] = {}
        first = self._block(0, min(len(hits), 40), units)
        self.heads = [
            self._head(key, column, units) for key, column in zip(keys, first, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.hits)

    def _head(self, key: str, column: Sequence[Any], units: Mapping[str, str]) -> Head:
        known = [value for value in column if value is not None and value != ""]
        numbers = bool(known) and all(isinstance(v, int | float) for v in known)
        title = f"{key} [{units[key]}]" if units.get(key) else key
        return Head(key, title, numbers and not isinstance(known[0], bool), key in _MIDDLE)

    def cells(self, start: int, stop: int) -> list[tuple[str, ...]]:
        """Return the texts of some rows; only these are loaded."""
        keys = [head.key for head in self.heads]
        columns = [
            [_text(key, value) for value in column]
            for key, column in zip(keys, self._block(start, stop), strict=True)
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * (stop - start)

    def _block(self, start: int, stop: int, units: dict[str, str] | None = None) -> list[list[Any]]:
        """Return the values of some rows, column by column."""
        block = self.hits[start:stop]
        refs: list[Ref] = list(block)
        columns = []
        for head in self.heads:
            known = _OF_REF.get(head.key)
            if known is not None:
                columns.append([known(ref) for ref in refs])
            else:
                columns.append(_listed(block, head.key, units))
        return columns


def _listed(block: Hits, key: str, units: dict[str, str] | None) -> list[Any]:
    from skypool.pool.results.ordering import by_key

    try:
        values = by_key(block, key)
    except SkypoolError:  # a key without one value for each product has no column
        return [None] * len(block)
    if units is not None and len(values.units) == 1:
        units[key] = values.units[0]
    return values.listed()


def _text(key: str, value: Any) -> str:
    if key in _SIZES and isinstance(value, int):
        return size_text(value)
    return cell(value)


def used(rows: HitRows, keys: Sequence[str]) -> tuple[str, ...]:
    """Return the columns in which the first rows have something."""
    cells = rows.cells(0, min(len(rows), 40))
    if not cells:
        return tuple(keys)
    filled = [any(column) for column in zip(*cells, strict=True)]
    return tuple(key for key, full in zip(keys, filled, strict=True) if full or key == "name")
