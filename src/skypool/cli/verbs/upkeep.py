"""`info`, `verify`, `gc` and `reindex`."""

from __future__ import annotations

import click

from skypool.cli.failure import Interrupted
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import at_option, verb

__all__ = ["gc_verb", "info_verb", "reindex_verb", "verify_verb"]

_CORRUPT = 12


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
        ("holds", size_text(facts.bytes_logical)),
        ("stored", f"{size_text(facts.bytes_stored)}{share} in {count_text(facts.packs, 'pack')}"),
    ):
        click.echo(f"{head:<10}{text}")


@verb(
    "verify",
    examples=[
        ("verify", "read and check every byte"),
        ("verify --quick", "check sums only, without unpacking"),
    ],
)
@click.option("--quick", is_flag=True, help="Check the stored bytes without unpacking them.")
def verify_verb(state: State, quick: bool) -> int:
    """Check every stored byte; nothing is changed. Damage gives exit code 12."""
    pool = state.open()
    with Reporter() as reporter:
        try:
            report = pool.verify(quick=quick, progress=reporter)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; what was checked so far was sound") from None
    problems = [str(problem) for problem in report.problems]
    if state.json:
        click.echo(to_json({"ok": report.ok, "checked": report.checked, "problems": problems}))
    else:
        for problem in problems:
            click.echo(f"damaged: {shown(problem)}")
        click.echo(
            f"{'sound' if report.ok else count_text(len(problems), 'problem')}:"
            f" {report.checked:,} checked in {reporter.seconds:.1f} s"
        )
    return 0 if report.ok else _CORRUPT


@verb(
    "gc",
    examples=[
        ("gc --dry-run", "how much would come back"),
        ("gc", "give it back"),
    ],
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.option(
    "--grace",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    default=None,
    help="Days for which removed products stay restorable [default: 30].",
)
def gc_verb(state: State, dry_run: bool, grace: float | None) -> None:
    """Give back space that nothing uses: leftovers, and what was removed long ago."""
    pool = state.open(write=not dry_run)
    seconds = None if grace is None else grace * 86400
    with Reporter() as reporter:
        report = pool.gc(dry_run=dry_run, grace=seconds, progress=reporter)
    if state.json:
        click.echo(
            to_json(
                {
                    "dry_run": dry_run,
                    "reclaimable": report.reclaimable,
                    "reclaimed": report.reclaimed,
                    "chunks": report.chunks,
                    "packs": report.packs,
                }
            )
        )
        return
    what = f"{count_text(report.chunks, 'chunk')}, {count_text(report.packs, 'pack')}"
    if dry_run:
        click.echo(f"{size_text(report.reclaimable)} could be given back: {what}")
    else:
        click.echo(f"{size_text(report.reclaimed)} given back: {what}")


@verb("reindex", examples=[("reindex", "the catalogue anew from the stored data")])
def reindex_verb(state: State) -> None:
    """Rebuild the catalogue from the stored data; it may be deleted before."""
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
