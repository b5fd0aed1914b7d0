"""`herschel get`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.failure import Interrupted
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import shown, to_json
from skypool.cli.verb import VerbGroup, verb
from skypool.cli.verbs.add import place_to_add, report_json, report_lines
from skypool.errors import UsageError

if TYPE_CHECKING:
    from skypool.pool.add_report import AddReport

__all__ = ["herschel_verb"]

_EXAMPLES = (
    ("herschel get 1342182452", "an observation, from the archive into the pool"),
    ("herschel get 1342218995 --instrument SPIRE", "one half of a parallel-mode observation"),
    ("herschel get 1342182452 --level 2", "only its level 2"),
)


@verb("get", examples=_EXAMPLES)
@click.argument("obsids", metavar="OBSID...", nargs=-1, required=True)
@click.option("--instrument", metavar="NAME", help="PACS, SPIRE or HIFI; else all that observed.")
@click.option("--level", metavar="LEVEL", help="Only that: 0, 0_5, 1, 2, 2_5, 3, auxiliary, ...")
@click.option("-n", "--name", help="Name in the pool, for a single OBSID of one instrument.")
@click.option("-u", "--under", metavar="PREFIX", help="Names start with PREFIX/.")
@click.option("-t", "--tag", "tags", multiple=True, help="Tag for each; may be repeated.")
@click.option("-m", "--message", default="", help="Message of the commit.")
@click.option("--refresh", is_flag=True, help="Fetch again what the pool has from there.")
@click.option("-v", "--verbose", is_flag=True, help="List every product that was saved.")
def _get(state: State, obsids: Sequence[str], verbose: bool, **options: Any) -> int:
    """Bring observations from the Herschel Science Archive into the pool.

    What the pool has from there already is not fetched again. A download
    that was cut goes on where it ended when the same command is given again.
    Each observation is a commit of its own. A missing pool is made.
    """
    from skypool.files.herschel import get_observation_report

    if options["name"] is not None and len(obsids) > 1:
        raise UsageError("--name is for a single OBSID", hint="use --under PREFIX for several")
    place = place_to_add(state)
    made = not place.exists
    pool = state.open_place(place, mode="a")
    found: list[tuple[AddReport, float]] = []
    for obsid in obsids:
        with Reporter() as reporter:
            try:
                report = get_observation_report(pool, obsid, progress=reporter, **options)
            except KeyboardInterrupt:
                raise Interrupted("interrupted; the same command goes on where it was") from None
        if made:
            state.note(f"made the pool {shown(place.text)}")
            made = False
        if not state.json:
            for line in report_lines(report, verbose, reporter.seconds):
                click.echo(line)
        found.append((report, reporter.seconds))
    if state.json:
        reports = [report_json(report) for report, _ in found]
        click.echo(to_json(reports[0] if len(reports) == 1 else {"observations": reports}))
    return 3 if any(report.skipped for report, _ in found) else 0


_get.short_help = "Bring observations from the archive into the pool."

herschel_verb = VerbGroup(
    "herschel",
    commands={"get": _get},
    examples=_EXAMPLES,
    help="Get observations from the Herschel Science Archive.",
    subcommand_metavar="VERB [ARGS]...",
)
