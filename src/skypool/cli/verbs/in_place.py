"""`status`, `complete`, `relocate`, `absorb`: content that stays in the user's own files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.failure import Interrupted
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import REF, verb

if TYPE_CHECKING:
    from skypool.pool.absorbing import AbsorbReport
    from skypool.pool.completing import CompleteReport
    from skypool.pool.relocating import RelocateReport
    from skypool.pool.sources import SourceStatus, StatusReport

__all__ = ["absorb_verb", "complete_verb", "relocate_verb", "status_verb"]

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


_REFS = click.argument("refs", metavar="REF...", nargs=-1, required=True, type=REF)


@verb(
    "complete",
    examples=[
        ("complete", "read all files of which only the headers were read"),
        ("complete survey/2026", "those below a name"),
    ],
)
@click.argument("refs", metavar="[REF...]", nargs=-1, type=REF)
@click.option(
    "-j",
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    help="Files to read at a time; by default as many as there are processors, up to 8.",
)
def complete_verb(state: State, refs: tuple[str, ...], threads: int | None) -> int:
    """Read the files that were added with --headers-only.

    Versions stay what they are, and get statistics, coverage and check sums. It can be stopped
    at any time, and goes on where it was. Files that are not as they were are listed, exit code 3.
    """
    pool = state.open(write=True)
    with _continued("read") as reporter:
        report = pool.complete(list(refs) or None, threads=threads or 0, progress=reporter)
    done = f"{count_text(report.completed, 'file')} read, {size_text(report.bytes)}"
    return _tell(state, report, f"{done}, {reporter.seconds:.1f} s")


@verb(
    "relocate",
    examples=[
        ("relocate /disk1/survey /disk2/survey --dry-run", "would all files be found?"),
        ("relocate /disk1/survey /disk2/survey", "look for them there from now on"),
    ],
)
@click.argument("old", metavar="OLD", type=click.Path(readable=False))
@click.argument("new", metavar="NEW", type=click.Path(readable=False))
@click.option("--full", is_flag=True, help="Read every file, even of the same size and time.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("-m", "--message", metavar="TEXT", default="", help="Of the commit.")
def relocate_verb(state: State, old: str, new: str, full: bool, dry_run: bool, message: str) -> int:
    """Follow files kept in place that were moved from OLD to NEW.

    A file is followed if that at the new place has its size and time, or else its check sum. What
    is not the same is refused and listed, and the exit code is 3. No file is touched. Files,
    archives and pools that have dropped content are followed as well.
    """
    pool = state.open(write=not dry_run)
    options: dict[str, Any] = {"full": full, "dry_run": dry_run, "message": message}
    with Reporter() as reporter:
        report = pool.relocate(old, new, progress=reporter, **options)
    if state.json:
        found = dataclasses.asdict(report) | {"dry_run": dry_run}
        found["refused"] = [{"path": path, "reason": reason} for path, reason in report.refused]
        click.echo(to_json(found))
    else:
        for line in _relocated(report, dry_run):
            click.echo(line)
    return _PARTIAL if report.refused else 0


def _relocated(report: RelocateReport, dry_run: bool) -> Iterator[str]:
    for path, reason in report.refused:
        yield f"refused: {shown(path)}: {shown(reason)}"
    read = f", {size_text(report.bytes_read)} read" if report.bytes_read else ""
    done = count_text(report.moved, "file")
    yield f"{done} would be followed{read}" if dry_run else f"{done} followed{read}"


@verb("absorb", examples=[("absorb survey/best", "copy into the pool what is in files of yours")])
@_REFS
def absorb_verb(state: State, refs: tuple[str, ...]) -> int:
    """Copy the content of products kept in place into the pool; then their files may go away.

    Each file is compared with its check sum. It can be stopped at any time, and goes on where it
    was. Files that are not as they were are listed, and the exit code is 3.
    """
    pool = state.open(write=True)
    with _continued("copied") as reporter:
        report = pool.absorb(list(refs), progress=reporter)
    done = f"{count_text(report.absorbed, 'file')} copied, {size_text(report.bytes)}"
    added = f"{size_text(report.bytes_added)} added"
    return _tell(state, report, f"{done}, {added}, {reporter.seconds:.1f} s")


@contextmanager
def _continued(done: str) -> Iterator[Reporter]:
    """Show how far work is that goes on where it was interrupted."""
    with Reporter() as reporter:
        try:
            yield reporter
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted; what was {done} is kept", hint="the same command goes on"
            ) from None


def _tell(state: State, report: CompleteReport | AbsorbReport, done: str) -> int:
    """Say what was done, and what could not be; return the exit code."""
    if state.json:
        skipped = [{"path": path, "reason": reason} for path, reason in report.skipped]
        click.echo(to_json(dataclasses.asdict(report) | {"skipped": skipped}))
    else:
        for path, reason in report.skipped:
            click.echo(f"skipped: {shown(path)}: {shown(reason)}")
        click.echo(done)
    return _PARTIAL if report.skipped else 0
