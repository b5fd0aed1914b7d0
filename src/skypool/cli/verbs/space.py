"""`du`, `purge` and `forget`: where the space goes, and what old versions may give back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import Table, count_text, size_text, to_json
from skypool.cli.verb import REF, at_option, verb

if TYPE_CHECKING:
    from skypool.pool.giving_up import PurgeReport

__all__ = ["du_verb", "forget_verb", "purge_verb"]


@verb(
    "du",
    examples=[
        ("du", "what each first part of the names takes"),
        ("du survey --depth 2", "below a name"),
        ("du --by kind", "what images, cubes, tables take"),
        ("du --by version", "what is newest, older, removed"),
        ("du maps/m83.fits --by version", "what each version of a product takes"),
    ],
)
@click.argument("name", required=False, type=REF)
@click.option(
    "--by",
    type=click.Choice(["name", "kind", "type", "version"]),
    default="name",
    help="What makes the parts.",
)
@click.option(
    "-d", "--depth", metavar="N", type=click.IntRange(min=1), default=1, help="Parts of a name."
)
@at_option
def du_verb(state: State, name: str | None, by: Any, depth: int, at: str | None) -> None:
    """Show what the parts of a pool take on disk.

    STORED is what a part needs, compressed. ALONE is what no other part needs: what would come
    back without it. SHARED is the rest. What is kept in place in your own files costs nothing.

    Elsewhere than on a terminal it prints bytes, with tabs and without titles: stored, alone,
    shared, size as files, versions, part.
    """
    pool = state.open(at=at)
    with Reporter() as reporter:
        found = pool.usage(name, by=by, depth=depth, progress=reporter)
    if state.json:
        parts = [dataclasses.asdict(part) | {"shared": part.shared} for part in found.parts]
        click.echo(to_json({"stored": found.stored, "parts": parts}))
        return
    heads = [">STORED", ">ALONE", ">SHARED", ">AS FILES", ">VERSIONS", "PART"]
    table = Table(heads, flexible=5, middle=True, colour=state.colour, tabs=True)
    size = size_text if table.terminal else str
    rows = (
        [
            size(part.stored),
            size(part.unique),
            size(part.shared),
            size(part.logical),
            str(part.versions),
            part.part,
        ]
        for part in found.parts
    )
    for line in table.lines(rows):
        click.echo(line)
    if table.terminal:
        click.echo(f"{size_text(found.stored)} together")


_DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help="Only say what would be given up.")
_MESSAGE = click.option("-m", "--message", metavar="TEXT", default="", help="Of the commit.")


@verb(
    "purge",
    examples=[
        ("purge maps/m83.fits --keep 3 --dry-run", "what would be given up"),
        ("purge survey --keep 1", "only the newest versions, of all below survey"),
        ("gc", "then give the space back"),
    ],
)
@click.argument("refs", metavar="REF...", nargs=-1, required=True, type=REF)
@click.option(
    "-k",
    "--keep",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many of the newest versions stay.",
)
@_DRY_RUN
@_MESSAGE
def purge_verb(state: State, refs: tuple[str, ...], keep: int, dry_run: bool, message: str) -> None:
    """Give up old versions of products for good.

    Of a context, those of what is named below it too. Versions with a tag stay, and those to which
    one that stays refers. The space comes back with the next `gc`.
    """
    pool = state.open(write=not dry_run)
    _tell(state, pool.purge(list(refs), keep, message, dry_run=dry_run), dry_run)


@verb(
    "forget",
    examples=[
        ("forget --before 2026-01-01 --dry-run", "what would be given up"),
        ("forget --before 2026-01-01", "what was replaced or removed by then"),
    ],
)
@click.option(
    "--before",
    metavar="COMMIT|TIME",
    required=True,
    help="The pool as of then, and everything newer, stays; a date means its end, UTC.",
)
@_DRY_RUN
@_MESSAGE
def forget_verb(state: State, before: str, dry_run: bool, message: str) -> None:
    """Give up what was replaced or removed by some time.

    Versions with a tag stay, and those to which one that stays refers. The space comes back
    with the next `gc`.
    """
    pool = state.open(write=not dry_run)
    _tell(state, pool.forget(before, message, dry_run=dry_run), dry_run)


def _tell(state: State, report: PurgeReport, dry_run: bool) -> None:
    if state.json:
        click.echo(to_json({"dry_run": dry_run} | dataclasses.asdict(report)))
        return
    for line in _lines(report, dry_run):
        click.echo(line)


def _lines(report: PurgeReport, dry_run: bool) -> Iterator[str]:
    what = f"{count_text(report.versions, 'version')} ({size_text(report.bytes)} as files)"
    if dry_run:
        yield f"{what} would be given up"
    elif report.versions:
        yield f"{what} given up; `skypool gc` gives the space back"
    else:
        yield "nothing to give up"
    for count, why in (
        (report.tagged, "with a tag: take it away with `skypool untag`"),
        (report.newest, "the newest of its product"),
        (report.needed, "needed by a version that stays"),
    ):
        if count:
            yield f"{count_text(count, 'version')} kept: {why}"
