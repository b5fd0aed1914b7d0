"""`doctor`."""

from __future__ import annotations

import dataclasses
import os
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from skypool.cli.state import State
from skypool.cli.text import shown, size_text, to_json
from skypool.cli.verb import verb

if TYPE_CHECKING:
    from skypool.files.doctor import Examination

__all__ = ["doctor_verb"]


@verb(
    "doctor",
    examples=[
        ("doctor", "this installation, and the pool that commands use here"),
        ("doctor temp1", "another pool"),
        ("doctor /data/pools/new", "a disk where a pool shall be"),
    ],
)
@click.argument("place", required=False, metavar="[POOL]")
def doctor_verb(state: State, place: str | None) -> int:
    """Look at the installation, the disk and the pool, and say what could be better.

    Shows versions, optional parts with the extra that brings each, programs
    that skypool works with, what the file system can do (by a small file that
    is removed again), and the health of the pool in short; `skypool verify`
    checks every byte. Exits with 1 if something does not work.
    """
    from skypool.files.doctor import examine
    from skypool.pool.folder import is_pool
    from skypool.pool.named import missing_pool

    where = state.named_place(place) if place is not None else state.place()
    where = where or state.default_place()
    if os.path.isfile(where.folder) or (not where.exists and is_pool(where.text)):
        raise missing_pool(where.folder, state.settings)
    found = examine(where.folder, is_pool=where.exists)
    if state.json:
        click.echo(to_json(_object(found)))
    else:
        for line in _lines(found, where.text, where.exists):
            click.echo(line)
    return 0 if found.ok else 1


def _object(found: Examination) -> dict[str, object]:
    return {
        "ok": found.ok,
        "versions": dict(found.versions),
        "extras": {
            name: {"installed": not missing, "missing": missing}
            for name, missing in found.extras.items()
        },
        "programs": dict(found.programs),
        "disk": dataclasses.asdict(found.disk),
        "pool": found.pool,
        "advice": [dataclasses.asdict(entry) for entry in found.advice],
    }


def _lines(found: Examination, name: str, is_pool: bool) -> Iterator[str]:
    yield from _section("versions", found.versions.items())
    missing = [(extra, ", ".join(names)) for extra, names in found.extras.items() if names]
    there = [extra for extra, names in found.extras.items() if not names]
    lines = [("there", ", ".join(there) or "none")]
    lines += [(extra, f"lacks {names}: pip install 'skypool[{extra}]'") for extra, names in missing]
    yield from _section("optional parts", lines)
    yield from _section(
        "programs", ((each, shown(path) if path else "-") for each, path in found.programs.items())
    )
    disk = found.disk
    network = ", network" if disk.network else ""
    lines = [
        ("place", shown(disk.folder)),
        ("file system", f"{disk.type or 'unknown'}{network}"),
        ("free", f"{size_text(disk.free_bytes)} of {size_text(disk.total_bytes)}"),
        ("inodes free", f"{disk.free_inodes:,}" if disk.free_inodes >= 0 else "not counted"),
        ("writable", "full" if disk.full else _yes(disk.writable)),
        ("sync", f"{disk.sync_ms:.1f} ms" if disk.sync_ms is not None else "not tried"),
        ("locks", _yes(disk.locks)),
        ("stable inodes", _yes(disk.stable_inodes)),
        ("upper and lower case differ", _yes(disk.case_sensitive)),
        ("clock ahead by", f"{disk.skew_s:.3f} s" if disk.skew_s is not None else "not tried"),
    ]
    yield from _section("disk", lines)
    if found.pool is None:
        yield f"pool: {'not opened' if is_pool else 'none'}, {shown(name)}"
    else:
        yield from _section("pool", _pool_lines(found))
    yield ""
    for entry in found.advice:
        yield from textwrap.wrap(f"{entry.level}: {shown(entry.text)}", 100, subsequent_indent="  ")
    if not found.advice:
        yield "all is well"


def _pool_lines(found: Examination) -> Iterator[tuple[str, str]]:
    pool = found.pool or {}
    yield "place", shown(pool["path"])
    for name in ("products", "versions", "commits", "packs", "unsealed"):
        yield name, f"{pool[name]:,}"
    yield "last commit", str(pool["last_commit"] or "-")
    yield "stored", f"{size_text(pool['bytes_stored'])}, index {size_text(pool['bytes_index'])}"
    yield "journal", pool["journal"]
    yield "damage", "noted: see below" if pool["damage_noted"] else "none known"


def _section(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"{title}:"
    for name, text in rows:
        yield f"  {name:<27} {text}"


def _yes(value: bool | None) -> str:
    return "not tried" if value is None else "yes" if value else "no"
