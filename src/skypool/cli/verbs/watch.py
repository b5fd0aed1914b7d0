"""`watch`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.pools import brief
from skypool.cli.state import State
from skypool.cli.text import shorten, shown, size_text, to_json
from skypool.cli.verb import verb
from skypool.cli.verbs.add import naming_options, place_to_add, reading_options

if TYPE_CHECKING:
    from skypool.files.watch_report import WatchReport
    from skypool.files.watching import Watch
    from skypool.pool.add_report import AddReport

__all__ = ["watch_verb"]

_NAMES = 3  # that a line shows


@verb(
    "watch",
    examples=[
        ("watch reduced/", "add what a pipeline writes there, until Ctrl-C"),
        ("watch raw/ reduced/ --under n42", "two folders, as n42/raw and n42/reduced"),
        ("watch out/ --exclude '*.log'", "without some of it"),
        ("watch /data/incoming --in-place", "the data stay where they are"),
        ("watch out/ --once", "only add what is there and complete; for cron"),
    ],
)
@click.argument("folders", nargs=-1, required=True, metavar="DIR...")
@naming_options("DIR")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out; may be repeated.")
@click.option("--dot-files", is_flag=True, help="Add names that begin with a dot too.")
@click.option("--remove", is_flag=True, help="Remove from view what is deleted.")
@reading_options
@click.option(
    "--quiet", type=float, default=1.0, show_default=True, metavar="SECONDS",
    help="Without a change, then it is added.",
)  # fmt: skip
@click.option(
    "--longest", type=float, default=30.0, show_default=True, metavar="SECONDS",
    help="After which it is added even if changes go on.",
)  # fmt: skip
@click.option(
    "--poll", type=float, metavar="SECONDS",
    help="Look that often, instead of being told by the system.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Add what is there and complete, and end.")
def watch_verb(state: State, folders: Sequence[str], **options: Any) -> int:
    """Add what appears and changes in folders, as it appears.

    Each burst of changes is one commit, and one line of output. Names are as
    `skypool add DIR` gives them. Files that a program still writes wait until
    it closes them; temporary and hidden names are left out, and a file that is
    renamed to its final name is added then. What changed while nobody watched
    is added first. Nothing is removed from the pool, unless --remove is given.
    Ctrl-C ends it after the running commit.
    """
    place = place_to_add(state)
    pool = state.open_place(place, mode="a")
    watch = pool.watch(list(folders), on_note=state.note, **options)
    if not options["once"]:
        state.note(f"watching {', '.join(map(shown, folders))} for the pool {shown(place.text)}")
    partial = False
    with _ending(watch):
        for report in watch:
            partial = bool(report.problems)
            for path, reason in report.problems:
                state.note(f"not added: {shown(path)}: {shown(reason)}")
            if report.commit is not None or state.json:
                click.echo(to_json(_object(report)) if state.json else _line(report))
                sys.stdout.flush()
    return 3 if partial and options["once"] else 0


@contextmanager
def _ending(watch: Watch) -> Iterator[None]:
    """End on the first Ctrl-C or SIGTERM after the running commit, on the second at once."""
    before: dict[signal.Signals, Any] = {}

    def end(number: int, frame: Any) -> None:
        watch.stop()
        signal.signal(number, signal.default_int_handler)  # raises KeyboardInterrupt

    for kind in (signal.SIGINT, signal.SIGTERM):
        before[kind] = signal.signal(kind, end)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _object(report: WatchReport) -> dict[str, Any]:
    added = report.added
    found: dict[str, Any] = {
        "time": f"{report.time:%Y-%m-%dT%H:%M:%SZ}",
        "commit": report.commit,
        "saved": [brief(ref) for ref in added.saved] if added is not None else [],
        "moved": [{"from": old, "to": new} for new, old in report.moved.items()],
        "removed": added.removed if added is not None else [],
        "problems": [{"path": path, "reason": reason} for path, reason in report.problems],
        "files_read": added.files_read if added is not None else 0,
        "bytes_added": added.bytes_added if added is not None else 0,
    }
    return found


def _line(report: WatchReport) -> str:
    added = report.added
    assert added is not None
    parts = [f"{report.time.astimezone():%Y-%m-%d %H:%M:%S}  commit {report.commit}:"]
    names = _names(added)
    what = ", ".join(shorten(shown(name), 40, middle=True) for name in names[:_NAMES])
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    changes = []
    if names:
        changes.append(f"{len(names):,} saved, {what}{more}")
    if report.moved:
        changes.append(f"{len(report.moved):,} moved")
    if added.removed:
        changes.append(f"{len(added.removed):,} removed")
    changes = changes or ["the folder"]
    return " ".join([*parts, "; ".join([*changes, f"{size_text(added.bytes_added)} added"])])


def _names(added: AddReport) -> list[str]:
    """Return the names of the files among what was saved: folders have a version each time."""
    return [ref.name for ref in added.saved if not ref.kind.endswith("Context")]
