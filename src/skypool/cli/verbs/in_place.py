"""`status`: products whose content stays in the user's own files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import REF, verb

if TYPE_CHECKING:
    from skypool.pool.sources import SourceStatus, StatusReport

__all__ = ["status_verb"]

_PARTIAL = 3
_FEW = 3


@verb(
    "status",
    examples=[
        ("status", "which files in place have changed, moved, or are gone"),
        ("status survey --full", "read all of them, and compare"),
    ],
)
@click.argument("refs", metavar="[REF...]", nargs=-1, type=REF)
@click.option("--full", is_flag=True, help="Read the files; without it size and time are compared.")
@click.option("-v", "--verbose", is_flag=True, help="List the files that are fine too.")
def status_verb(state: State, refs: tuple[str, ...], full: bool, verbose: bool) -> int:
    """Tell which files kept in place are not as they were.

    Nothing is changed. If products in view cannot be read any more the exit code is 3.
    """
    pool = state.open()
    with Reporter() as reporter:
        report = pool.status(list(refs) or None, full=full, every=verbose, progress=reporter)
    if state.json:
        found = dataclasses.asdict(report) | {"ok": report.ok}
        click.echo(to_json(found))
    else:
        for line in _status_lines(report, full):
            click.echo(line)
    return 0 if report.ok else _PARTIAL


def _status_lines(report: StatusReport, full: bool) -> Iterator[str]:
    for source in report.sources:
        yield f"{source.state:<11}{shown(source.path)}{_why(source)}"
    total = sum(report.counts.values())
    if not total:
        yield "no files are kept in place"
        return
    states = ", ".join(f"{count:,} {name}" for name, count in sorted(report.counts.items()))
    read = f"; {size_text(report.bytes)} read" if full else ""
    yield f"{count_text(total, 'file')} in place: {states}{read}"
    if report.unproven:
        yield f"{count_text(report.unproven, 'file')} not proven: only the headers were ever read"


def _why(source: SourceStatus) -> str:
    if not source.reason:
        return ""
    listed = ", ".join(map(shown, source.products[:_FEW]))
    more = f" and {len(source.products) - _FEW} more" if len(source.products) > _FEW else ""
    return f": {shown(source.reason)} ({listed}{more})"
