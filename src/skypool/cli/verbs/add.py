"""`add`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.failure import Interrupted
from skypool.cli.pools import brief, full_name, head, title
from skypool.cli.progress import Reporter
from skypool.cli.state import Place, State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import verb
from skypool.errors import NotFound, UsageError
from skypool.pool.addresses import is_url

if TYPE_CHECKING:
    from skypool.pool.add_report import AddReport
    from skypool.pool.pool import Pool

__all__ = [
    "add_verb",
    "naming_options",
    "place_to_add",
    "reading_options",
    "report_json",
    "report_lines",
]

_FEW = 10  # lines of a kind that are shown without --verbose


Function = Callable[..., Any]


def naming_options(what: str) -> Callable[[Function], Function]:
    """Give a verb the options of how what is added is named."""
    options = [
        click.option("-n", "--name", help=f"Name in the pool, for a single {what}."),
        click.option("-u", "--under", metavar="PREFIX", help="Names start with PREFIX/."),
        click.option(
            "-t", "--tag", "tags", multiple=True, help=f"Tag for each {what}; may be repeated."
        ),
        click.option("-m", "--message", default="", help="Message of the commit."),
    ]
    return lambda function: _with(options, function)


def reading_options(function: Function) -> Function:
    """Give a verb the options that say how files are taken."""
    options = [
        click.option(
            "--in-place", is_flag=True, help="Leave the data in the files where they are."
        ),
        click.option(
            "--as-version",
            is_flag=True,
            help="A new version even where it is another observation.",
        ),
        click.option(
            "--gzip",
            type=click.Choice(["exact", "content"]),
            default="exact",
            show_default=True,
            help="What must come back of .gz files.",
        ),
    ]
    return _with(options, function)


def _with(options: Sequence[Callable[[Function], Function]], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function


@verb(
    "add",
    examples=[
        ("add 1342182452/", "a folder, with everything in it"),
        ("add 1342182452.tar", "an observation as the archive sends it"),
        ("add *.fits --under maps", "files, as maps/NAME"),
        ("add map.fits --name m83/blue -t 'using cal v1'", "with another name and a tag"),
        ("add --in-place /data/survey", "the data stay where they are"),
        ("add --in-place --headers-only /data/survey", "pixels later: `skypool complete`"),
        ("add https://example.org/m83.fits", "from the network; a cut download goes on"),
    ],
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@naming_options("PATH")
@reading_options
@click.option("--headers-only", is_flag=True, help="With --in-place: read only headers now.")
@click.option("--exclusive", is_flag=True, help="Refuse where a product has the name already.")
@click.option("--force-read", is_flag=True, help="Read files that look unchanged too.")
@click.option("-v", "--verbose", is_flag=True, help="List every product that was saved.")
def add_verb(
    state: State, paths: Sequence[str], name: str | None, verbose: bool, **options: Any
) -> int:
    """Add files and folders; add them again to save what changed.

    Nothing is changed or moved. A folder becomes a product with a reference to
    each of its files; archive tars and folders of observations are named by
    their observation. A missing pool is made. All of it is one commit: it
    happens completely or not at all. A PATH may be an address (https://...):
    it is fetched again only if the server says that it has changed.
    """
    if name is not None and len(paths) > 1:
        raise UsageError("--name is for a single PATH", hint="use --under PREFIX for several")
    for path in paths:
        if not is_url(path) and not os.path.lexists(path):
            raise NotFound(
                f"there is no file {path!r}" if path else "a PATH is empty",
                hint=f"paths are as seen from {Path.cwd()}",
            )
    place = place_to_add(state)
    made = not place.exists
    if not options["in_place"]:
        _warn_of_disk(state, place, paths)
    pool = state.open_place(place, mode="a")
    with Reporter() as reporter:
        report = _add(pool, paths, name, options, reporter)
    if made:
        state.note(f"made the pool {shown(place.text)}")
    if state.json:
        click.echo(to_json(report_json(report)))
    else:
        for line in report_lines(report, verbose, reporter.seconds):
            click.echo(line)
    return 3 if report.skipped else 0


def place_to_add(state: State) -> Place:
    """Return the pool that takes what is added; one is chosen where none is named."""
    place = state.place() or state.default_place()
    if place.how == "default":
        state.note(f"using the pool {place.text!r} in {state.settings.home}; -p names another")
    return place


def _add(
    pool: Pool, paths: Sequence[str], name: str | None, options: dict[str, Any], step: Reporter
) -> AddReport:
    before = head(pool)
    try:
        return pool.add_report(list(paths), name=name, progress=step, **options)
    except KeyboardInterrupt:
        raise Interrupted(_what_was_done(pool, before, step)) from None


def _what_was_done(pool: Pool, before: int, step: Reporter) -> str:
    after = head(pool)
    if after > before:  # Ctrl-C came after the commit, or another process made one
        return f"interrupted; the pool is whole and at commit {after} (it was at {before})"
    done = ""
    if step.last is not None and step.last.stage == "fetching":
        return "interrupted; nothing was added, what came is kept, the same command goes on with it"
    if step.last is not None:
        total = f" of {step.last.total_items:,}" if step.last.total_items else ""
        done = f" after {step.last.items:,}{total} items"
    return (
        f"interrupted{done}; nothing was added: the pool is as it was, at commit {before};"
        " the same command goes on, and does not read again what was read"
    )


def _warn_of_disk(state: State, place: Place, paths: Sequence[str]) -> None:
    folder = place.folder
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    needed = 0
    for size in _sizes(paths):
        needed += size
        if needed > free:
            break
    else:
        return
    state.note(
        f"warning: the disk may run short: {size_text(free)} free in {shown(folder)}, more than"
        " that to add (what the pool holds already takes no space)"
    )


def _sizes(paths: Sequence[str]) -> Iterator[int]:
    stack = [path for path in paths if not is_url(path)]
    while stack:
        path = stack.pop()
        try:
            if not os.path.isdir(path):
                yield os.stat(path).st_size
                continue
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    elif entry.is_file():
                        yield entry.stat().st_size
        except OSError:  # the pool says which files it could not read
            continue


def report_json(report: AddReport) -> dict[str, Any]:
    """Return what adding did, as `--json` prints it."""
    found = {
        "commit": report.commit,
        "saved": [brief(ref) for ref in report.saved],
        "unchanged": report.unchanged,
        "skipped": [{"path": str(path), "reason": reason} for path, reason in report.skipped],
        "bytes_in": report.bytes_in,
        "bytes_added": report.bytes_added,
        "files_read": report.files_read,
    }
    more = {
        "opaque": [{"name": name, "reason": reason} for name, reason in report.opaque if reason],
        "notes": [{"path": path, "text": text} for path, text in report.notes],
        "removed": report.removed,
        "overwritten": report.overwritten,
        "bytes_fetched": report.bytes_fetched,
    }
    return found | {key: value for key, value in more.items() if value}


def report_lines(report: AddReport, verbose: bool, seconds: float) -> Iterator[str]:
    """Return what adding did, as lines for people."""
    listed = report.saved if verbose else report.refs
    limit = len(listed) if verbose else _FEW
    for ref in listed[:limit]:
        yield f"{shown(full_name(ref))}  {title(ref)}  {ref.urn}"
    if len(listed) > limit:
        yield f"and {len(listed) - limit:,} more"
    yield from _listed("note", report.notes, True)
    yield from _listed("kept as plain bytes", report.opaque, verbose)
    yield from _listed("skipped", report.skipped, verbose)
    yield from _listed(
        "no longer there", [(name, "its versions stay") for name in report.removed], verbose
    )
    told = "its content was in a file that was written anew; `absorb` keeps it the next time"
    yield from _listed("gone", [(name, told) for name in report.overwritten], verbose)
    commit = "nothing new" if report.commit is None else f"commit {report.commit}"
    yield (
        f"{commit}: {len(report.saved):,} saved, {report.unchanged:,} unchanged;"
        f" {size_text(report.bytes_in)} in, {size_text(report.bytes_added)} added,"
        + (f" {size_text(report.bytes_fetched)} fetched," if report.bytes_fetched else "")
        + f" {seconds:.1f} s"
        + (f"; {count_text(len(report.skipped), 'file')} skipped" if report.skipped else "")
    )


def _listed(what: str, entries: Sequence[tuple[str, str]], verbose: bool) -> Iterator[str]:
    entries = [entry for entry in entries if entry[1]]
    limit = len(entries) if verbose else _FEW
    for path, reason in entries[:limit]:
        yield f"{what}: {shown(str(path))}: {shown(reason)}"
    if len(entries) > limit:
        yield f"{what}: {len(entries) - limit:,} more (-v lists them)"
