"""`copy` and `collect`: pieces of a pool for others, and working sets."""

from __future__ import annotations

import click

from skypool.cli.state import State
from skypool.cli.text import count_text, shown, to_json
from skypool.cli.verb import REF, verb
from skypool.cli.verbs.sync import resumable, tell

__all__ = ["collect_verb", "copy_verb"]


@verb(
    "copy",
    examples=[
        ("copy 1342182452 --to /disk/student", "an observation, with all below it"),
        ("copy \"instrument == 'SPIRE'\" --to student", "what a query finds"),
        ("copy maps/m83.fits --versions all --to student", "with all of its versions"),
    ],
)
@click.argument("what", metavar="REF|QUERY...", nargs=-1, required=True, type=REF)
@click.option("--to", metavar="POOL", required=True, help="Where to; made where there is none.")
@click.option(
    "--versions",
    metavar="all|latest|N..M",
    default="latest",
    show_default=True,
    help="Which versions of each.",
)
@click.option("-m", "--message", metavar="TEXT", default="", help="Of the commit there.")
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Take along what is whole of products that are damaged here; exit code 3.",
)
def copy_verb(
    state: State, what: tuple[str, ...], to: str, versions: str, message: str, skip_damaged: bool
) -> int:
    """Copy products to another pool, with all that they refer to, names, tags and provenance.

    The same again copies nothing; what was interrupted goes on where it was.
    """
    pool = state.open()
    with resumable() as reporter:
        report = pool.copy(
            list(what),
            state.named_place(to).text,
            versions=versions,
            message=message,
            skip_damaged=skip_damaged,
            progress=reporter,
        )
    return tell(state, report, reporter.seconds)


@verb(
    "collect",
    examples=[
        ("collect sets/m83 \"object == 'M83'\"", "refer to all that is found"),
        ("collect sets/m83 \"object == 'M83'\"", "again: a new version if more is found"),
        ("copy sets/m83 --to /disk/student", "and give it to somebody"),
    ],
)
@click.argument("name")
@click.argument("query")
@click.option("-m", "--message", metavar="TEXT", default="", help="What the history says of it.")
def collect_verb(state: State, name: str, query: str, message: str) -> None:
    """Keep what QUERY finds under NAME: a context that refers to it; nothing is copied."""
    pool = state.open(write=True)
    before = pool[f"name:{name}"].number if f"name:{name}" in pool else None
    ref = pool.collect(name, query, message=message)
    made = ref.number != before
    if state.json:
        found = {"urn": ref.urn, "name": ref.name, "version": ref.version, "saved": made}
        click.echo(to_json(found | {"products": len(ref.refs)}))
        return
    what = count_text(len(ref.refs), "product")
    click.echo(f"{shown(ref.name)}@{ref.version}: {what}{'' if made else ', as before'}")
