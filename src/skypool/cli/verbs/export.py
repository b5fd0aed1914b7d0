"""`export`, `manifest` and `path`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from skypool.cli.failure import Interrupted
from skypool.cli.pools import full_name
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import REF, at_option, verb
from skypool.errors import UsageError

if TYPE_CHECKING:
    from skypool.pool.manifests import CheckReport

__all__ = ["export_verb", "manifest_verb", "path_verb"]


@verb(
    "export",
    examples=[
        ("export 1342182452 out/", "all its files, byte for byte as they came"),
        ("export maps/m83@0 .", "an old version"),
        ("export maps/m83 out/ --format hcss", "as HIPE writes and reads products"),
        ("export 1342182452 out/ --at 2026-11-01", "as it was at the end of that day"),
        ("export --all out/", "every file of every name"),
        ("export --all bag/ --bag", "with check sums that prove it complete (BagIt)"),
    ],
)
@click.argument("ref", metavar="[REF]", required=False, type=REF)
@click.argument("folder", metavar="DIR", required=False)
@click.option("--all", "whole", is_flag=True, help="Every file of every name; no REF then.")
@click.option("--bag", is_flag=True, help="With --all: make DIR a bag (RFC 8493).")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Write what is whole; list what is damaged, gone or dropped, exit code 3.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["hcss"]),
    help="Write FITS files in the convention of HCSS, which HIPE reads.",
)
@at_option
def export_verb(
    state: State,
    ref: str | None,
    folder: str | None,
    whole: bool,
    bag: bool,
    overwrite: bool,
    skip_damaged: bool,
    form: str | None,
    at: str | None,
) -> int:
    """Write files, byte for byte as they came.

    DIR is made where it is missing. A product that was made in memory is
    written as standard FITS. Where a .gz file comes out with the same content
    but packed differently, that is said, and the exit code is 3.

    With --format hcss every product becomes a FITS file of the Herschel
    software; files that it wrote come as they are. In a tree, what is plain
    bytes is copied and listed, and the exit code is 3.

    With --all the newest version of every product is written, at the path that
    its name is. What is there already as it should be is kept, so an
    interrupted export goes on. With --at, versions that were given up since are
    listed, and the exit code is 3.
    """
    if ref is None:
        raise UsageError(
            f"say where to: export {'--all' if whole else 'REF'} DIR",
            hint="skypool export --help has examples",
        )
    if whole:
        return _export_all(state, ref, folder, bag, overwrite, skip_damaged, form, at)
    if folder is None:
        raise UsageError("say where to: export REF DIR", hint="or everything: export --all DIR")
    if bag:
        raise UsageError("--bag goes with --all", hint="skypool export --all DIR --bag")
    pool = state.open(at=at)
    target = pool[ref]
    with Reporter() as reporter:
        try:
            report = pool.export(
                target,
                folder,
                overwrite=overwrite,
                format=form,
                skip_damaged=skip_damaged,
                progress=reporter,
            )
        except KeyboardInterrupt:
            done = f" after {reporter.last.items:,} files" if reporter.last else ""
            raise Interrupted(f"interrupted{done}; {folder} is not complete") from None
    if state.json:
        figures = {"files": len(report.files), "bytes": report.bytes}
        click.echo(to_json(figures | _left(report)))
    else:
        click.echo(f"{shown(full_name(target))}: {_how_much(len(report.files), report, folder)}")
    return _inexact(state, report)


class _Written(Protocol):
    """What both ways of exporting report."""

    @property
    def bytes(self) -> int: ...
    @property
    def inexact(self) -> Sequence[tuple[Any, str]]: ...
    @property
    def skipped(self) -> Sequence[tuple[str, str]]: ...


def _how_much(count: int, report: _Written, folder: str) -> str:
    where = shown(os.path.join(folder, ""))
    return f"{count_text(count, 'file')}, {size_text(report.bytes)} in {where}"


def _entries(pairs: Iterable[tuple[Any, str]], what: str) -> list[dict[str, str]]:
    return [{"path": str(path), what: text} for path, text in pairs]


def _left(report: _Written) -> dict[str, Any]:
    skipped = [{"name": name, "reason": reason} for name, reason in report.skipped]
    return {"inexact": _entries(report.inexact, "reason"), "skipped": skipped}


def _inexact(state: State, report: _Written) -> int:
    """List what did not come out as it went in, or not at all; return the exit code."""
    if not state.json:
        for path, reason in report.inexact:
            click.echo(f"{shown(path)}: {reason}")
        for name, reason in report.skipped:
            click.echo(f"left out: {shown(name)}: {shown(reason)}")
    return 3 if report.inexact or report.skipped else 0


def _export_all(
    state: State,
    folder: str,
    second: str | None,
    bag: bool,
    overwrite: bool,
    skip_damaged: bool,
    form: str | None,
    at: str | None,
) -> int:
    if second is not None:
        raise UsageError("--all takes no REF", hint="skypool export --all DIR")
    if form is not None or (bag and overwrite):
        raise UsageError(f"--all does not go with {'--format' if form else '--bag --overwrite'}")
    if bag and skip_damaged:
        raise UsageError("a bag is complete, or none: --bag does not go with --skip-damaged")
    pool = state.open(at=at)
    with Reporter() as reporter:
        try:
            report = pool.export_all(
                folder, overwrite=overwrite, bag=bag, skip_damaged=skip_damaged, progress=reporter
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted; {folder} is not complete", hint="the same command goes on"
            ) from None
    if state.json:
        figures = {"files": report.files, "bytes": report.bytes, "kept": report.kept}
        click.echo(to_json(figures | _left(report) | {"moved": _entries(report.moved, "name")}))
    else:
        kept = f", {report.kept:,} there already" if report.kept else ""
        click.echo(_how_much(report.files, report, folder) + kept)
        for path, name in report.moved:
            click.echo(f"{shown(path)}: {shown(name)} is the path of something else")
    return _inexact(state, report)


@verb(
    "manifest",
    examples=[
        ("manifest > SHA256SUMS", "check sums of all files, as sha256sum writes them"),
        ("manifest 1342182452 -a md5", "of what is below a name"),
        ("manifest --check SHA256SUMS", "is every file of a list in the pool?"),
        ("manifest --check bag/ --under survey", "or of a bag (RFC 8493)"),
    ],
)
@click.argument("name", required=False, type=REF)
@click.option(
    "-a",
    "--algorithm",
    type=click.Choice(["sha256", "sha512", "sha1", "md5", "blake3"]),
    help="Of the check sums [default: sha256, or that of the list].",
)
@click.option("--check", metavar="FILE|BAG", help="Compare the pool with a list or a bag.")
@click.option("--under", metavar="NAME", help="With --check: the paths are below this name.")
@at_option
def manifest_verb(
    state: State,
    name: str | None,
    algorithm: str | None,
    check: str | None,
    under: str | None,
    at: str | None,
) -> int:
    """Print check sums of all files, or compare the pool with a list of them.

    The files are those that `export --all` writes. With --check, files that are
    missing or different are listed, and the exit code is 1.
    """
    if check is not None and name is not None:
        raise UsageError("--check takes no NAME", hint="--under NAME says where the files are")
    if check is None and under is not None:
        raise UsageError("--under goes with --check", hint="skypool manifest NAME")
    pool = state.open(at=at)
    if check is not None:
        with Reporter() as reporter:
            report = pool.check_manifest(
                check, below=under or "", algorithm=algorithm, progress=reporter
            )
        return _tell_check(state, report)
    from skypool.pool.manifests import write_line

    inexact = []
    left: list[tuple[str, str]] = []
    options: dict[str, Any] = {"algorithm": algorithm or "sha256", "given_up": left}
    with Reporter() as reporter:
        for file in pool.manifest(name or "", progress=reporter, **options):
            if not file.exact:
                inexact.append(file.path)
            if state.json:
                click.echo(to_json(dataclasses.asdict(file)))
            else:
                click.echo(write_line(file), nl=False)
    for path in inexact:
        state.note(f"{shown(path)}: zlib here packs it to other bytes than were added")
    for called, reason in left:
        state.note(f"left out: {shown(called)}: {shown(reason)}")
    return 3 if inexact or left else 0


def _tell_check(state: State, report: CheckReport) -> int:
    if state.json:
        click.echo(to_json(dataclasses.asdict(report) | {"complete": report.complete}))
        return 0 if report.complete else 1
    for paths, what in ((report.missing, "missing"), (report.different, "different")):
        for path in paths:
            click.echo(f"{shown(path)}: {what}")
    found = "complete" if report.complete else "not complete"
    parts = [f"{report.checked:,} as listed"]
    for paths, what in (
        (report.missing, "missing"),
        (report.different, "different"),
        (report.extra, "more in the pool"),
    ):
        if paths:
            parts.append(f"{len(paths):,} {what}")
    click.echo(f"{found}: {', '.join(parts)}")
    if report.missing and not (report.checked or report.different):
        state.note("if the list is of a folder that was added, name it: --under NAME")
    return 0 if report.complete else 1


@verb(
    "path",
    examples=[
        ("path PSW", "a file that any program can open"),
        ("path PSW@0", "an old version"),
        ("find \"type == 'PSW'\" -0 | xargs -0n1 skypool path", "of many"),
    ],
)
@click.argument("ref", type=REF)
@at_option
def path_verb(state: State, ref: str, at: str | None) -> None:
    """Print the path of a real file, for any program: ds9 $(skypool path PSW).

    The file is read-only and lies in a cache that is kept small; copy it, or
    `export`, to keep it.
    """
    path = str(state.open(at=at)[ref].path)
    click.echo(to_json({"path": path}) if state.json else path)
