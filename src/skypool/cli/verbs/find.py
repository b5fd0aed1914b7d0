"""`ls` and `find`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from skypool.cli.pools import found
from skypool.cli.state import State
from skypool.cli.text import Table, plain, size_text, to_json
from skypool.cli.verb import REF, at_option, verb
from skypool.errors import UsageError

if TYPE_CHECKING:
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
        ("find \"object == 'M83'\" -q | xargs -n1 skypool path", "real files, for any program"),
    ],
)
@click.argument("query", required=False, nargs=-1)
@click.option("-k", "--kind", metavar="KIND", help="Only this kind, its sub-kinds included.")
@click.option("-l", "--limit", metavar="N", type=click.IntRange(min=0), help="At most N products.")
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@click.option("-0", "--null", is_flag=True, help="Names only, each ended by a zero byte.")
@at_option
def find_verb(
    state: State,
    query: tuple[str, ...],
    kind: str | None,
    limit: int | None,
    quiet: bool,
    null: bool,
    at: str | None,
) -> None:
    """Find products by a query; without one, all.

    QUERY is one text of the query language, the same as in Python. There is no
    limit unless you give one. Elsewhere than on a terminal it prints the columns
    with tabs and without titles: name, version, kind, type, size, tags.
    """
    if len(query) > 1:
        raise UsageError(
            "the query must be one word for the shell",
            hint='put it in double quotes: skypool find "obsid == 1"',
        )
    pool = state.open(at=at)
    hits = pool.find(query[0] if query else "", kind=kind)
    _print(state, islice(hits, limit), quiet, null)


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
