"""`export` and `path`."""

from __future__ import annotations

import os

import click

from skypool.cli.failure import Interrupted
from skypool.cli.pools import full_name
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import count_text, shown, size_text, to_json
from skypool.cli.verb import REF, at_option, verb

__all__ = ["export_verb", "path_verb"]


@verb(
    "export",
    examples=[
        ("export 1342182452 out/", "all its files, byte for byte as they came"),
        ("export maps/m83@0 .", "an old version"),
        ("export maps/m83 out/ --format hcss", "as HIPE writes and reads products"),
        ("export 1342182452 out/ --at 2026-11-01", "as it was at the end of that day"),
    ],
)
@click.argument("ref", type=REF)
@click.argument("folder", metavar="DIR")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["hcss"]),
    help="Write FITS files in the convention of HCSS, which HIPE reads.",
)
@at_option
def export_verb(
    state: State, ref: str, folder: str, overwrite: bool, form: str | None, at: str | None
) -> int:
    """Write files, byte for byte as they came.

    DIR is made where it is missing. A product that was made in memory is
    written as standard FITS. Where a .gz file comes out with the same content
    but packed differently, that is said, and the exit code is 3.

    With --format hcss every product becomes a FITS file of the Herschel
    software; files that it wrote come as they are. In a tree, what is plain
    bytes is copied and listed, and the exit code is 3.
    """
    pool = state.open(at=at)
    target = pool[ref]
    with Reporter() as reporter:
        try:
            report = pool.export(
                target, folder, overwrite=overwrite, format=form, progress=reporter
            )
        except KeyboardInterrupt:
            done = f" after {reporter.last.items:,} files" if reporter.last else ""
            raise Interrupted(f"interrupted{done}; {folder} is not complete") from None
    if state.json:
        click.echo(
            to_json(
                {
                    "files": len(report.files),
                    "bytes": report.bytes,
                    "inexact": [
                        {"path": path, "reason": reason} for path, reason in report.inexact
                    ],
                }
            )
        )
    else:
        where = shown(os.path.join(folder, ""))
        size = size_text(report.bytes)
        count = count_text(len(report.files), "file")
        click.echo(f"{shown(full_name(target))}: {count}, {size} in {where}")
        for path, reason in report.inexact:
            click.echo(f"{shown(path)}: {reason}")
    return 3 if report.inexact else 0


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
