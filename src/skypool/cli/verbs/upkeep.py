"""`info`, `verify`, `gc` and `reindex`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.durations import Duration
from skypool.cli.failure import Interrupted
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import at_option, verb
from skypool.errors import UsageError

if TYPE_CHECKING:
    from skypool.pool.healing import RepairReport
    from skypool.pool.maintenance import GcReport
    from skypool.pool.verifying import VerifyReport

__all__ = ["gc_verb", "info_verb", "reindex_verb", "verify_verb"]

_PARTIAL = 3
_CORRUPT = 12
# Bytes of no use in packs that nobody is told of.
_LITTLE = 1 << 16


@verb("info", examples=[("info", "of the pool that commands use here"), ("-p temp1 info", "")])
@at_option
def info_verb(state: State, at: str | None) -> None:
    """Show what a pool holds: products, versions, sizes, place."""
    facts = state.open(at=at).info()
    if state.json:
        click.echo(
            to_json(
                {
                    "products": facts.products,
                    "versions": facts.versions,
                    "commits": facts.commits,
                    "bytes_logical": facts.bytes_logical,
                    "bytes_stored": facts.bytes_stored,
                    "packs": facts.packs,
                    "bytes_index": facts.bytes_index,
                    "tags": facts.tags,
                    "waiting": facts.waiting,
                    "waiting_bytes": facts.waiting_bytes,
                    "created": facts.created,
                    "path": str(facts.path),
                    "id": facts.id,
                }
            )
        )
        return
    share = f" ({facts.bytes_stored / facts.bytes_logical:.0%})" if facts.bytes_logical else ""
    for head, text in (
        ("path", shown(str(facts.path))),
        ("id", facts.id),
        ("products", f"{facts.products:,}"),
        ("versions", f"{facts.versions:,}"),
        ("commits", f"{facts.commits:,}"),
        ("tags", f"{facts.tags:,}"),
        ("holds", size_text(facts.bytes_logical)),
        ("stored", f"{size_text(facts.bytes_stored)}{share} in {count_text(facts.packs, 'pack')}"),
        ("index", size_text(facts.bytes_index)),
    ):
        click.echo(f"{head:<10}{text}")
    if facts.waiting:
        waiting = count_text(facts.waiting, "version")
        click.echo(f"{'removed':<10}{waiting}, {size_text(facts.waiting_bytes)}, until gc")


@verb(
    "verify",
    examples=[
        ("verify", "read and check every byte"),
        ("verify --quick", "check sums only, without unpacking"),
        ("verify --resume", "go on after Ctrl-C"),
        ("verify --repair-from ../copy", "heal, with good data from another pool"),
    ],
)
@click.option("--quick", is_flag=True, help="Check the stored bytes without unpacking them.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted `verify` stopped.")
@click.option("--repair", is_flag=True, help="Heal what can be healed from the pool itself.")
@click.option(
    "--repair-from",
    "sources",
    metavar="POOL|PATH",
    multiple=True,
    help="Heal with what another pool, or the files that were added, have; repeatable.",
)
def verify_verb(
    state: State, quick: bool, resume: bool, repair: bool, sources: tuple[str, ...]
) -> int:
    """Check every stored byte; nothing is changed. Damage gives exit code 12.

    Files in place that you may not read are listed, and give exit code 3: nothing is known of them.

    With --repair or --repair-from, damage is healed: from the pool itself, other pools, or files.
    """
    healing = repair or bool(sources)
    if healing and resume:
        raise UsageError("--resume does not go together with --repair")
    pool = state.open(write=healing)
    with Reporter() as reporter:
        try:
            if healing:
                healed: RepairReport | None = pool.repair(sources, quick=quick, progress=reporter)
                assert healed is not None
                report = healed.verified
            else:
                healed = None
                report = pool.verify(quick=quick, resume=resume, progress=reporter)
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted{_how_far(reporter)}",
                hint="what was done so far is done"
                if healing
                else "`skypool verify --resume` goes on from there",
            ) from None
    if state.json:
        click.echo(to_json(_verify_object(report, healed)))
    else:
        _print_report(report, healed, reporter)
    return _CORRUPT if report.problems else 0 if report.ok else _PARTIAL


def _how_far(reporter: Reporter) -> str:
    last = reporter.last
    if last is None:
        return " before anything was read"
    if last.total_bytes:
        share = f"{size_text(last.bytes)} of {size_text(last.total_bytes)}"
        return f" while {last.stage}: {share} in {last.items} of {last.total_items} packs"
    return f" while {last.stage}: {last.items:,} of {last.total_items:,}"


def _verify_object(report: VerifyReport, healed: RepairReport | None) -> dict[str, Any]:
    problems, wasted, overwritten, unreadable = (
        [
            {"kind": item.kind, "where": item.where, "what": item.what, "hurt": item.hurt}
            for item in listed
        ]
        for listed in (report.problems, report.wasted, report.overwritten, report.unreadable)
    )
    found = {"ok": report.ok, "checked": report.checked, "problems": problems, "wasted": wasted}
    found |= {"overwritten": overwritten, "unreadable": unreadable}
    if healed is not None:
        found["repair"] = {
            "healed": healed.healed,
            "missing": healed.missing,
            "commits": healed.commits,
            "rebuilt": healed.rebuilt,
            "packs": healed.packs,
        }
    return found


def _print_report(report: VerifyReport, healed: RepairReport | None, reporter: Reporter) -> None:
    if healed is not None:
        for count, what in (
            (healed.healed, "chunk"),
            (len(healed.commits), "record"),
            (healed.packs, "pack"),
        ):
            if count:
                click.echo(f"healed: {count_text(count, what)}{_OF[what]}")
        if healed.rebuilt:
            click.echo("healed: the catalogue, made anew from the log")
    for item in report.problems:
        click.echo(f"damaged: {shown(str(item))}")
    for item in report.unreadable:
        click.echo(f"not read: {shown(str(item))}")
    found = count_text(len(report.problems), "problem") if report.problems else "sound"
    if report.unreadable:
        found += f", but for {count_text(len(report.unreadable), 'file')} that could not be read"
    click.echo(
        f"{found}: {report.checked:,} checked, {size_text(report.bytes)}, {reporter.seconds:.1f} s"
    )
    if report.wasted:
        what = count_text(len(report.wasted), "damaged place")
        click.echo(f"{what} healed before: good copies are elsewhere (`--repair` clears them away)")
    _print_overwritten(report)
    if report.reclaimable:
        click.echo(f"{size_text(report.reclaimable)} left by interrupted work; `gc` takes them")
    if report.problems and healed is None:
        click.echo(
            "add the same files again, or name a pool that has them: verify --repair-from POOL",
            err=True,
        )


def _print_overwritten(report: VerifyReport) -> None:
    names = [name for each in report.overwritten for name in each.hurt]
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        what = count_text(len(names), "older version")
        click.echo(
            f"content of {what} gone, in files that hold newer ones:"
            f" {shown(', '.join(names[:5]))}{more}"
            " (`absorb` copies content before it is written anew; `skypool status` lists all)"
        )


_OF = {
    "chunk": ", good again",
    "record": " of the log, written again",
    "pack": " with damaged bytes, replaced",
}


@verb(
    "gc",
    examples=[
        ("gc --dry-run", "how much would come back"),
        ("gc", "give it back"),
        ("gc --waste 0", "every byte, even where much is copied for little"),
        ("gc --max-time 10m", "stop in time; the next run goes on"),
        ("gc --removed-after never", "keep what was removed"),
    ],
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.option(
    "--grace",
    metavar="TIME",
    type=Duration(),
    default=None,
    help="Leave alone what was written so recently [default: 1h].",
)
@click.option(
    "--removed-after",
    metavar="TIME",
    type=Duration(never=True),
    default=None,
    help="Give up products that were removed so long ago, or `never` [default: 30d].",
)
@click.option(
    "--waste",
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    default=None,
    help="Rewrite packs of which more than that is of no use [default: 25].",
)
@click.option(
    "--max-time",
    metavar="TIME",
    type=Duration(),
    default=None,
    help="Begin nothing more after that; the next run goes on.",
)
def gc_verb(
    state: State,
    dry_run: bool,
    grace: float | None,
    removed_after: float | None,
    waste: float | None,
    max_time: float | None,
) -> None:
    """Give back space: of interrupted work, and of products removed 30 days ago.

    All other versions stay. Of removed products those stay that carry a tag, or that another
    one refers to. It can be stopped at any time: what was given back stays given back.
    """
    pool = state.open(write=not dry_run)
    with Reporter() as reporter:
        try:
            report = pool.gc(
                dry_run=dry_run,
                grace=grace,
                removed_after=removed_after,
                waste=None if waste is None else waste / 100,
                max_seconds=max_time,
                progress=reporter,
            )
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted; what was done stays done, the next gc goes on"
            ) from None
    if state.json:
        click.echo(to_json({"dry_run": dry_run} | dataclasses.asdict(report)))
        return
    for line in _gc_lines(report, dry_run=dry_run):
        click.echo(line)


def _gc_lines(report: GcReport, *, dry_run: bool) -> Iterator[str]:
    what = f"{count_text(report.chunks, 'chunk')}, {count_text(report.packs, 'pack')}"
    if dry_run:
        yield f"{size_text(report.reclaimable)} could be given back: {what}"
    else:
        yield f"{size_text(report.reclaimed)} given back: {what}"
    if report.purged:
        given = "would be given up" if dry_run else "given up"
        yield (
            f"{count_text(report.purged, 'version')} of removed products {given}"
            f" ({size_text(report.purged_bytes)})"
        )
    if report.waiting:
        until = f", the first until {report.due:%Y-%m-%d}" if report.due else ""
        yield (
            f"{count_text(report.waiting, 'version')} of removed products"
            f" ({size_text(report.waiting_bytes)}) can still be restored{until}"
        )
    for count, why in (
        (report.busy, "in use"),
        (report.young, "written to just now (--grace)"),
        (report.damaged, "damaged: see `verify`"),
    ):
        if count:
            yield f"{count_text(count, 'pack')} left alone: {why}"
    if report.spread > _LITTLE:
        yield (
            f"{size_text(report.spread)} of no use stay in packs that are mostly in use:"
            " `skypool gc --waste 0` gives them back too"
        )
    if report.stopped:
        yield "the time was up: the next gc goes on"


def _restore_marker(state: State) -> None:
    from skypool.pool.restoring import restore_marker
    from skypool.storage.filelayer import LocalFiles

    place = state.place()
    if place is None or not os.path.isdir(os.path.join(place.folder, "packs")):
        return
    if restore_marker(place.folder, LocalFiles()):
        state.note(f"the marker of {shown(place.folder)} was made anew from its packs")


@verb("reindex", examples=[("reindex", "the catalogue anew from the stored data")])
def reindex_verb(state: State) -> None:
    """Rebuild the catalogue from the stored data; it may be deleted before.

    A marker (skypool.json) that is damaged or missing is made anew as well.
    """
    _restore_marker(state)
    pool = state.open(write=True)
    with Reporter() as reporter:
        pool.reindex(progress=reporter)
    facts = pool.info()
    if state.json:
        click.echo(to_json({"commits": facts.commits, "versions": facts.versions}))
    else:
        click.echo(
            f"catalogue rebuilt: {count_text(facts.commits, 'commit')},"
            f" {count_text(facts.versions, 'version')}, {reporter.seconds:.1f} s"
        )
