"""`ls` and `find`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.pools import found
from skypool.cli.state import State
from skypool.cli.tables import print_columns, print_facets, write_table
from skypool.cli.text import Table, plain, size_text, to_json
from skypool.cli.verb import REF, at_option, verb
from skypool.errors import UsageError

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = ["find_verb", "ls_verb"]


@verb(
    "ls",
    examples=[
        ("ls", "everything, by name"),
        ("ls 1342182452/level2", "what is below a name"),
        ("ls -q | head", "names only"),
        ("ls --at 2026-11-01", "as it was at the end of that day"),
    ],
)
@click.argument("prefix", required=False, type=REF)
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@click.option("-0", "--null", is_flag=True, help="Names only, each ended by a zero byte.")
@at_option
def ls_verb(state: State, prefix: str | None, quiet: bool, null: bool, at: str | None) -> None:
    """List products by name: the latest version of each.

    Elsewhere than on a terminal it prints the columns with tabs and without
    titles: name, version, kind, type, size, tags.
    """
    pool = state.open(at=at)
    _print(state, pool.ls((prefix or "").rstrip("/")), quiet, null)


@verb(
    "find",
    examples=[
        ("find \"instrument == 'SPIRE'\"", "by an attribute or any metadata key"),
        ('find "obsid == 1342182452 and wavelength < 100"', "by several"),
        ("find \"tagged('using cal v1')\" --kind SimpleImage", "images with a tag"),
        ('find "od == 98" -c instrument,band -s -saved', "columns, newest first"),
        ("find --facets instrument,band", "how many of each"),
        ("find 'covers($object)' --object 'M 83'", "images of an object, by its name"),
        ("find \"object == 'M83'\" -q | xargs -n1 skypool path", "real files, for any program"),
    ],
)
@click.argument("query", required=False, nargs=-1)
@click.option("-k", "--kind", metavar="KIND", help="Only this kind, its sub-kinds included.")
@click.option(
    "--object",
    "target",
    metavar="NAME",
    help="Look up an object online (Sesame); $object in the query is its position.",
)
@click.option("-l", "--limit", metavar="N", type=click.IntRange(min=0), help="At most N products.")
@click.option(
    "-s", "--order-by", metavar="KEYS", help="Order, such as `-saved,name`; `-` is descending."
)
@click.option("-c", "--columns", metavar="KEYS", help="Keys to show, with commas between them.")
@click.option("--all-versions", is_flag=True, help="Old versions too.")
@click.option("--all-names", is_flag=True, help="Identical content under each of its names.")
@click.option("--count", is_flag=True, help="Only how many there are.")
@click.option("--facets", metavar="KEYS", help="How many have each value of these keys.")
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "ecsv", "votable", "parquet"]),
    default="table",
    help="What to write.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to a new file.")
@click.option("--saved", metavar="NAME", help="Ask a saved search.")
@click.option("--save", metavar="NAME", help="Save the search under a name.")
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@click.option("-0", "--null", is_flag=True, help="Names only, each ended by a zero byte.")
@at_option
def find_verb(
    state: State,
    query: tuple[str, ...],
    facets: str | None,
    format_: str,
    output: str | None,
    saved: str | None,
    save: str | None,
    quiet: bool,
    null: bool,
    at: str | None,
    **options: Any,
) -> None:
    """Find products by a query; without one, all.

    QUERY is one text of the query language, the same as in Python. There is no
    limit unless you give one. Elsewhere than on a terminal it prints the columns
    with tabs and without titles: name, version, kind, type, size, tags, or the
    name and those of --columns.
    """
    if len(query) > 1:
        raise UsageError(
            "the query must be one word for the shell",
            hint='put it in double quotes: skypool find "obsid == 1"',
        )
    count = options.pop("count")
    _check_together(
        {
            "--count": count,
            "--facets": facets,
            "-q": quiet,
            "-0": null,
            f"--format {format_}": format_ != "table",
        }
    )
    if output is not None and format_ == "table":
        raise UsageError("--output goes with --format", hint="--format csv --output FILE")
    keys = _keys(options.pop("columns"))
    options["values"] = _values(options.pop("target"))
    pool = state.open(write=save is not None, at=at)
    text = query[0] if query else ""
    hits = pool.find(text, saved=saved, columns=keys, **options)
    _check_keys(pool, hits.columns)
    if save is not None:
        kept = {key: value for key, value in options.items() if value is not None}
        pool.save_search(save, text, columns=keys, **kept)
        state.note(f"saved as {save!r}; `skypool find --saved {save!r}` asks it again")
    if count:
        click.echo(to_json({"count": len(hits)}) if state.json else str(len(hits)))
    elif facets is not None:
        _check_keys(pool, _keys(facets))
        print_facets(state, hits, _keys(facets))
    elif format_ != "table":
        write_table(hits, format_, output)
    elif hits.columns and not (quiet or null):
        print_columns(state, hits)
    else:
        _print(state, hits, quiet, null)


def _check_together(given: dict[str, Any]) -> None:
    several = [name for name, value in given.items() if value]
    if len(several) > 1:
        raise UsageError(f"{' and '.join(several)} do not go together", hint="choose one")


def _keys(text: str | None) -> tuple[str, ...]:
    """Return the keys of a text such as ``instrument,band``."""
    return tuple(key.strip() for key in (text or "").split(",") if key.strip())


def _check_keys(pool: Pool, keys: tuple[str, ...]) -> None:
    if keys and pool.exists:
        from skypool.pool.results.ordering import check_keys

        check_keys(keys, pool.view.session.catalogue.keys(), "a column")


def _values(target: str | None) -> dict[str, object] | None:
    """Return what `$object` stands for; only this asks the network."""
    if target is None:
        return None
    from skypool.pool.sesame import resolve

    return {"object": resolve(target)}


def _print(state: State, refs: Iterable[Ref], quiet: bool, null: bool) -> None:
    if state.json:
        for ref in refs:
            click.echo(to_json(found(ref)))
    elif null:
        for ref in refs:
            click.echo((ref.name or ref.urn) + "\0", nl=False)
    elif quiet:
        for ref in refs:
            click.echo(plain(ref.name or ref.urn))
    else:
        table = Table(
            ["NAME", ">VER", "KIND", "TYPE", ">SIZE", "TAGS"], colour=state.colour, tabs=True
        )
        for line in table.lines(_cells(refs, table.terminal)):
            click.echo(line)


def _cells(refs: Iterable[Ref], terminal: bool) -> Iterator[list[str]]:
    for ref in refs:
        size, code = str(ref.size), ref.type
        if terminal:
            size, code = size_text(ref.size), "" if code == "Unknown" else code
        yield [ref.name or ref.urn, str(ref.version), ref.kind, code, size, ", ".join(ref.tags)]
