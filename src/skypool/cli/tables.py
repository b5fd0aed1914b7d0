"""Hits as tables with chosen columns, as files of other formats, and as counts."""

from __future__ import annotations

import importlib
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.pools import found
from skypool.cli.state import State
from skypool.cli.text import Table, to_json, value_text
from skypool.errors import Conflict, MissingDependency, UsageError

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits

__all__ = ["print_columns", "print_facets", "write_table"]

_BLOCK = 500


def print_columns(state: State, hits: Hits) -> None:
    """Print the names of products and their values of the hits' columns.

    Parameters
    ----------
    state
        The run.
    hits
        What was found.
    """
    if state.json:
        for ref, values in _rows(hits):
            known = dict(zip(hits.columns, values, strict=True))
            click.echo(to_json(found(ref) | {"columns": known}))
        return
    heads = ["NAME", *(key.upper() for key in hits.columns)]
    table = Table(heads, colour=state.colour, tabs=True)
    cells = ([ref.name or ref.urn, *map(_cell, values)] for ref, values in _rows(hits))
    for line in table.lines(cells):
        click.echo(line)


def _rows(hits: Hits) -> Iterator[tuple[Ref, Sequence[Any]]]:
    """Yield each product and its values, read some at a time."""
    from skypool.pool.results.ordering import by_key
    from skypool.pool.results.tables import tags_of

    for start in range(0, len(hits), _BLOCK):
        block = hits[start : start + _BLOCK]
        columns = [
            [", ".join(tags) or None for tags in tags_of(block)]
            if key == "tags"
            else by_key(block, key).listed()
            for key in hits.columns
        ]
        yield from zip(block, zip(*columns, strict=True), strict=True)


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


def write_table(hits: Hits, format_: str, output: str | None) -> None:
    """Write hits as a table of another format, to a new file or to standard output.

    Parameters
    ----------
    hits
        What was found.
    format_
        csv, ecsv, votable or parquet.
    output
        The file; None for standard output.
    """
    if format_ == "parquet":
        _need_parquet(output)
    if output is not None and os.path.lexists(output):
        raise Conflict(f"{output} is there already", hint="choose another name, or remove it")
    data = _written(hits.to_table(), format_)
    if output is None:
        click.echo(data, nl=False)
        return
    # Whoever looks at the name sees the whole file or none.
    folder, name = os.path.split(os.path.abspath(output))
    handle, temporary = tempfile.mkstemp(prefix=f".{name[:40]}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(file.fileno(), 0o666 & ~mask)
        os.replace(temporary, output)
    except BaseException:
        os.unlink(temporary)
        raise


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
