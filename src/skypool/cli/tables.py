"""Hits as tables with chosen columns, as files of other formats, and as counts."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from skypool.cli.pools import found
from skypool.cli.state import State
from skypool.cli.text import Table, to_json, value_text
from skypool.errors import Conflict, MissingDependency, UsageError

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits
    from skypool.pool.results.values import Values

__all__ = ["Labels", "label", "print_columns", "print_facets", "write_table"]

_BLOCK = 500


Labels: TypeAlias = "Mapping[str, str] | None"
"""What pools were called, by their folders; None where only one is asked."""


def label(labels: Labels, ref: Ref) -> str:
    """Return what the pool of a product was called.

    Parameters
    ----------
    labels
        Of several pools.
    ref
        The product.
    """
    assert labels is not None
    return labels[ref.view.session.folder.path]


def print_columns(state: State, hits: Hits, labels: Labels) -> None:
    """Print the names of products and their values of the hits' columns.

    Parameters
    ----------
    state
        The run.
    hits
        What was found.
    labels
        Of several pools.
    """
    if state.json:
        for ref, values in _rows(hits):
            known = dict(zip(hits.columns, values, strict=True))
            pool = {} if labels is None else {"pool": label(labels, ref)}
            click.echo(to_json(pool | found(ref) | {"columns": known}))
        return
    first = [] if labels is None else ["POOL"]
    heads = [*first, "NAME", *(key.upper() for key in hits.columns)]
    table = Table(heads, flexible=len(first), middle=True, colour=state.colour, tabs=True)
    cells = (
        [*(label(labels, ref) for _ in first), ref.name or ref.urn, *map(_cell, values)]
        for ref, values in _rows(hits, units=table.terminal)
    )
    for line in table.lines(cells):
        click.echo(line)


def _rows(hits: Hits, *, units: bool = False) -> Iterator[tuple[Ref, Sequence[Any]]]:
    """Yield each product and its values, read some at a time; with units as texts."""
    from skypool.pool.results.ordering import by_key
    from skypool.pool.results.tables import tags_of

    for start in range(0, len(hits), _BLOCK):
        block = hits[start : start + _BLOCK]
        columns = [
            [", ".join(tags) or None for tags in tags_of(block)]
            if key == "tags"
            else _listed(by_key(block, key), units=units)
            for key in hits.columns
        ]
        yield from zip(block, zip(*columns, strict=True), strict=True)


def _listed(values: Values, *, units: bool) -> list[Any]:
    if not (units and values.units):
        return values.listed()
    made: dict[int, Any] = {}
    for code in [0, *values.used().tolist()]:
        entry, value = values.entries[code], values.value(code)
        unit = "" if entry is None else entry.unit
        made[code] = f"{value_text(value)} {unit}" if unit else value
    return [made[code] for code in values.codes.tolist()]


def _cell(value: Any) -> str:
    return "" if value is None else value_text(value)


def print_facets(state: State, hits: Hits, keys: Sequence[str]) -> None:
    """Print how many products have which value.

    Parameters
    ----------
    state
        The run.
    hits
        What was found.
    keys
        What to count.
    """
    facets = hits.facets(*keys)
    if state.json:
        listed = {
            key: [{"value": value, "count": count} for value, count in facet.items()]
            for key, facet in facets.items()
        }
        click.echo(to_json({"facets": listed}))
        return
    table = Table(["KEY", "VALUE", ">COUNT"], flexible=1, colour=state.colour, tabs=True)
    for line in table.lines(
        [key, _cell(value) if value is not None else "(none)", str(count)]
        for key, facet in facets.items()
        for value, count in facet.items()
    ):
        click.echo(line)


def write_table(hits: Hits, format_: str, output: str | None, labels: Labels) -> None:
    """Write hits as a table of another format, to a new file or to standard output.

    Parameters
    ----------
    hits
        What was found.
    format_
        csv, ecsv, votable or parquet.
    output
        The file; None for standard output.
    labels
        Of several pools.
    """
    if format_ == "parquet":
        _need_parquet(output)
    if output is not None and os.path.lexists(output):
        raise Conflict(f"{output} is there already", hint="choose another name, or remove it")
    from skypool.pool.exporting import write_whole

    table = hits.to_table()
    if labels is not None:
        called = [label(labels, ref) for ref in hits]
        if "pool" in table.colnames:
            table.remove_column("pool")
        table.add_column(called, name="pool", index=0)
    data = _written(table, format_)
    if output is None:
        click.echo(data, nl=False)
        return
    # Whoever looks at the name sees the whole file or none.
    write_whole(output, lambda file: file.write(data))


def _written(table: Any, format_: str) -> bytes:
    if format_ == "votable":
        held = io.BytesIO()
        table.write(held, format="votable")
        return held.getvalue()
    if format_ == "parquet":
        import pyarrow as pa
        from pyarrow.parquet import write_table as write_parquet

        columns = {name: _plain(table[name]) for name in table.colnames}
        stream = pa.BufferOutputStream()
        write_parquet(pa.table(columns), stream)
        found: bytes = stream.getvalue().to_pybytes()
        return found
    text = io.StringIO()
    table.write(text, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv"}[format_])
    return text.getvalue().encode("utf-8", "surrogateescape")


def _plain(column: Any) -> list[Any]:
    listed: list[Any] = column.tolist()
    return listed


def _need_parquet(output: str | None) -> None:
    try:
        importlib.import_module("pyarrow")
    except ImportError:
        raise MissingDependency(
            "Parquet needs the package pyarrow", hint="pip install 'skypool[parquet]'"
        ) from None
    if output is None:
        raise UsageError("a Parquet file is not for a terminal", hint="name it: --output FILE")
