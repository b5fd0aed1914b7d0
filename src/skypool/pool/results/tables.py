"""Hits as tables of other libraries."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skypool.errors import MissingDependency
from skypool.pool.results.ordering import by_key

if TYPE_CHECKING:
    from astropy.table import Table
    from pandas import DataFrame

    from skypool.pool.results.hits import Hits
    from skypool.pool.results.values import Values

__all__ = ["tags_of", "to_pandas", "to_table"]

_ALWAYS = ("name", "version", "kind", "type")
_INT64 = range(-(2**63), 2**63)


def tags_of(hits: Hits) -> list[list[str]]:
    """Return the tags of each hit."""
    if hits.pools is None:
        return hits.snapshots[0].tags(hits.numbers) if hits.snapshots else []
    found: list[list[str]] = [[] for _ in hits.numbers]
    for pool, snapshot in enumerate(hits.snapshots):
        places = [place for place, other in enumerate(hits.pools) if other == pool]
        tags = snapshot.tags([hits.numbers[place] for place in places])
        for place, listed in zip(places, tags, strict=True):
            found[place] = listed
    return found


def to_table(hits: Hits, keys: Sequence[str]) -> Table:
    """Return a table of hits; see `Hits.to_table`."""
    from astropy.table import Table

    rows = [(*(getattr(ref, name) for name in _ALWAYS), ref.urn) for ref in hits]
    listed = list(zip(*rows, strict=True)) or [()] * (len(_ALWAYS) + 1)
    columns: dict[str, Any] = dict(zip((*_ALWAYS, "urn"), map(list, listed), strict=True))
    columns["tags"] = [", ".join(tags) for tags in tags_of(hits)]
    table = Table(columns)
    if len(hits.snapshots) > 1:
        names = [snapshot.view.session.folder.name for snapshot in hits.snapshots]
        table.add_column([names[pool] for pool in hits.pools or ()], name="pool", index=0)
    for key in keys:
        if key not in table.colnames:
            table[key] = _column(by_key(hits, key))
    return table


def _column(values: Values) -> Any:
    import numpy as np
    from astropy.table import MaskedColumn

    listed = values.listed()
    mask = [value is None for value in listed]
    known = [value for value in listed if value is not None]
    if any(isinstance(value, str | datetime) for value in known) or any(
        isinstance(value, int) and value not in _INT64 for value in known
    ):
        listed = ["" if value is None else str(value) for value in listed]
    elif not known:
        return MaskedColumn(np.zeros(len(listed)), mask=True)  # no type is known: floating point
    elif all(isinstance(value, bool) for value in known):
        listed = [bool(value) for value in listed]
    else:
        listed = [0 if value is None else value for value in listed]
    column = MaskedColumn(listed, mask=mask)
    units = values.units
    if len(units) == 1 and units[0] and column.dtype.kind in "if":
        column.unit = units[0]
    return column


def to_pandas(hits: Hits, keys: Sequence[str]) -> DataFrame:
    """Return a data frame of hits; see `Hits.to_pandas`."""
    try:
        importlib.import_module("pandas")
    except ImportError:
        raise MissingDependency(
            "to_pandas() needs pandas, which is not installed",
            hint="pip install 'skypool[pandas]'; to_table() needs nothing more",
        ) from None
    table = to_table(hits, keys)
    for name in table.colnames:
        if table[name].dtype.kind == "U":
            table[name] = _encodable(table[name])
    return table.to_pandas()


def _encodable(column: Any) -> Any:
    """Write out what no text of pandas holds: halves of characters, such as odd file names have."""
    texts = [
        text
        if text is None or text.isascii()
        else text.encode("utf-8", "backslashreplace").decode()
        for text in column.tolist()
    ]
    if texts == column.tolist():
        return column
    from astropy.table import MaskedColumn

    mask = [text is None for text in texts]
    return MaskedColumn(["" if text is None else text for text in texts], mask=mask)
