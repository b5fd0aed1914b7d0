"""`clone`, `pull` and `push`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.failure import Interrupted
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import verb

if TYPE_CHECKING:
    from skypool.pool.sync.report import SyncReport

__all__ = ["clone_verb", "pull_verb", "push_verb", "resumable", "tell"]

_PARTIAL = 3
_SHOWN = 20

_skip_damaged = click.option(
    "--skip-damaged",
    is_flag=True,
    help="Take along what is whole of products that are damaged there; exit code 3.",
)
_unrelated = click.option(
    "--unrelated", is_flag=True, help="Merge pools that have no commit in common."
)


@contextlib.contextmanager
def resumable() -> Iterator[Reporter]:
    """Show progress; tell whoever interrupts that nothing is lost by it."""
    with Reporter() as reporter:
        try:
            yield reporter
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the same command goes on where it was") from None


@verb(
    "clone",
    examples=[
        ("clone /archive/survey survey", "a pool of your own, with all versions and tags"),
        ("clone temp1 /disk/temp1", "the same again goes on where it was interrupted"),
    ],
)
@click.argument("source")
@click.argument("destination")
@_skip_damaged
def clone_verb(state: State, source: str, destination: str, skip_damaged: bool) -> int:
    """Make a pool that has all that another one has, versions, tags and history included.

    `pull` and `push` keep it in step later on; the other side is remembered.
    """
    pool = state.open_place(state.named_place(source))
    with resumable() as reporter:
        report = pool.clone_report(
            state.named_place(destination).text, skip_damaged=skip_damaged, progress=reporter
        )
    return tell(state, report, reporter.seconds)


@verb(
    "pull",
    examples=[
        ("-p survey pull", "from where it was cloned"),
        ("-p survey pull /disk/of-anna", "from another clone"),
    ],
)
@click.argument("other", required=False)
@_unrelated
@_skip_damaged
def pull_verb(state: State, other: str | None, unrelated: bool, skip_damaged: bool) -> int:
    """Bring in what OTHER has and this pool lacks; what both changed is merged and told.

    OTHER is by default the pool that this one was cloned from, or pulled from first.
    """
    pool = state.open(write=True)
    place = None if other is None else state.named_place(other).text
    with resumable() as reporter:
        report = pool.pull(place, unrelated=unrelated, skip_damaged=skip_damaged, progress=reporter)
    return tell(state, report, reporter.seconds)


@verb(
    "push",
    examples=[
        ("-p survey push", "to where it was cloned from"),
        ("-p survey push /disk/of-anna", "to another clone"),
    ],
)
@click.argument("other", required=False)
@_unrelated
@_skip_damaged
def push_verb(state: State, other: str | None, unrelated: bool, skip_damaged: bool) -> int:
    """Bring to OTHER what this pool has and it lacks: what OTHER would do with `pull`.

    OTHER is by default the pool that this one was cloned from, or pushed to first.
    """
    # Opened like for `pull`, so that the other side can be remembered where that is allowed.
    pool = state.open(write=True)
    place = None if other is None else state.named_place(other).text
    with resumable() as reporter:
        report = pool.push(place, unrelated=unrelated, skip_damaged=skip_damaged, progress=reporter)
    return tell(state, report, reporter.seconds)


def tell(state: State, report: SyncReport, seconds: float) -> int:
    """Say what was done; return the exit code."""
    code = _PARTIAL if report.damaged else 0
    if state.json:
        click.echo(to_json(_as_json(report)))
        return code
    if not report.changed:
        has = "in step already" if report.how == "same" else "has all of it already"
        click.echo(f"{shown(report.target)}: {has}, commit {report.commit}")
        return code
    # What `copy` takes along becomes a commit of its own: none comes.
    commits = f"{count_text(report.commits, 'commit')}, " if report.commits else ""
    click.echo(
        f"{shown(report.target)}: {commits}{count_text(report.versions, 'version')},"
        f" {size_text(report.bytes_copied)} copied in {seconds:.1f} s"
    )
    for line in _lines(report):
        click.echo(shown(line))
    return code


def _as_json(report: SyncReport) -> dict[str, Any]:
    facts = dataclasses.asdict(report)
    facts["renamed"] = [{"theirs": theirs, "here": here} for theirs, here in report.renamed]
    return facts


def _lines(report: SyncReport) -> list[str]:
    """Return what both sides had changed, and what did not come whole."""
    lines = _cut([f"both changed {item}" for item in report.tracks], "products")
    lines += _cut([f"both changed {item}" for item in report.resolved], "names and tags")
    lines += _cut(
        [f"the name {theirs} is taken: theirs is {here} here" for theirs, here in report.renamed],
        "names",
    )
    lines += _cut([f"in view again: {name}, removed there" for name in report.restored], "products")
    if report.unchanged:
        lines.append(f"{count_text(report.unchanged, 'version')} of theirs are equal to ours")
    if report.in_place:
        what = count_text(report.in_place, "product")
        lines.append(f"{what} stay in files outside the pool, which only this machine may have")
    if report.purged:
        lines.append(f"{count_text(report.purged, 'version')} came without content: purged there")
    lines += _cut([f"damaged there: {name}" for name in report.damaged], "products")
    return lines


def _cut(lines: list[str], what: str) -> list[str]:
    more = len(lines) - _SHOWN
    return lines if more <= 0 else [*lines[:_SHOWN], f"and {more} more {what}"]
