"""`drop` and `get`: content goes where another place has it, and comes back."""

from __future__ import annotations

import dataclasses

import click

from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import REF, verb
from skypool.cli.verbs.sync import resumable

__all__ = ["drop_verb", "get_verb"]

_FROM = click.option(
    "--from",
    "pools",
    metavar="POOL",
    multiple=True,
    help="A pool that has it; repeatable. Those that this one is kept in step with are known.",
)
_VERSIONS = click.option(
    "--versions",
    metavar="all|latest|N..M",
    default="latest",
    show_default=True,
    help="Which versions of each.",
)
_MESSAGE = click.option("-m", "--message", metavar="TEXT", default="", help="Of the commit.")


@verb(
    "drop",
    examples=[
        ("drop 1342182452 --from /archive/survey", "with all below it; the archive has it"),
        ("drop maps --versions all --dry-run", "what would be dropped"),
        ("gc", "then give the space back"),
    ],
)
@click.argument("refs", metavar="REF...", nargs=-1, required=True, type=REF)
@_FROM
@_VERSIONS
@click.option("-n", "--dry-run", is_flag=True, help="Only look.")
@_MESSAGE
def drop_verb(
    state: State,
    refs: tuple[str, ...],
    pools: tuple[str, ...],
    versions: str,
    dry_run: bool,
    message: str,
) -> None:
    """Drop content that another place has, whole, now; metadata and coverage stay findable.

    The place is a pool, a file kept in place, or the file or address that a product came from: all
    of it is read and checked. The space comes back with the next `gc`; `get` undoes it.
    """
    pool = state.open(write=not dry_run)
    named = [state.named_place(name).text for name in pools]
    with resumable() as reporter:
        report = pool.drop(
            list(refs),
            from_=named,
            versions=versions,
            message=message,
            dry_run=dry_run,
            progress=reporter,
        )
    if state.json:
        click.echo(to_json({"dry_run": dry_run} | dataclasses.asdict(report)))
        return
    if not report.versions:
        has = "has" if report.already == 1 else "have"
        text = f"{count_text(report.already, 'version')} {has} no content here"
        click.echo(f"nothing to drop: {text}")
        return
    verb = "would drop" if dry_run else "dropped"
    click.echo(f"{verb} {count_text(report.versions, 'version')}, {size_text(report.bytes)}")
    for place in report.places:
        click.echo(f"  it is in the {shown(place)}")
    if report.commit is not None:
        click.echo("`skypool gc` gives the space back, `skypool get` the content")


@verb(
    "get",
    examples=[
        ("get 1342182452", "with all below it, from where it is known to be"),
        ("get maps/m83.fits --from /disk/copy", "from another pool that has it"),
    ],
)
@click.argument("refs", metavar="REF...", nargs=-1, required=True, type=REF)
@_FROM
@_VERSIONS
@_MESSAGE
def get_verb(
    state: State, refs: tuple[str, ...], pools: tuple[str, ...], versions: str, message: str
) -> None:
    """Bring dropped content back; each piece of it is checked. Interrupted, it goes on."""
    pool = state.open(write=True)
    named = [state.named_place(name).text for name in pools]
    with resumable() as reporter:
        report = pool.bring_back(
            list(refs), from_=named, versions=versions, message=message, progress=reporter
        )
    if state.json:
        click.echo(to_json(dataclasses.asdict(report)))
        return
    text = f"{count_text(report.versions, 'version')} came back, {size_text(report.bytes)} read"
    were = "was" if report.already == 1 else "were"
    click.echo(f"{text}; {report.already:,} {were} here")
