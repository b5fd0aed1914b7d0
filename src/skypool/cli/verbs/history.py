"""`history`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any

import click

from skypool.cli.state import State
from skypool.cli.text import Table, count_text, time_text, to_json
from skypool.cli.verb import REF, at_option, verb

__all__ = ["history_verb"]


@verb(
    "history",
    examples=[
        ("history", "all commits, the newest first"),
        ("history maps/m83", "the versions of a product"),
        ("history -l 5", "the last five"),
    ],
)
@click.argument("ref", required=False, type=REF)
@click.option("-l", "--limit", metavar="N", type=click.IntRange(min=0), help="At most N commits.")
@at_option
def history_verb(state: State, ref: str | None, limit: int | None, at: str | None) -> None:
    """Show commits, the newest first; with REF, those that changed the product."""
    pool = state.open(at=at)
    commits = list(
        islice(
            pool.history(pool[ref] if ref is not None else None),
            limit if limit is None else min(limit, sys.maxsize),
        )
    )
    if state.json:
        click.echo(to_json({"commits": [_as_json(commit) for commit in commits]}))
        return
    table = Table(
        [">COMMIT", "TIME (UTC)", "AUTHOR", "CHANGES", "MESSAGE"],
        flexible=4,
        colour=state.colour,
    )
    for line in table.lines(
        [
            str(commit.number),
            time_text(commit.time),
            commit.author,
            _changes(commit.changes),
            commit.message,
        ]
        for commit in commits
    ):
        click.echo(line)


def _as_json(commit: Any) -> dict[str, Any]:
    return {
        "commit": commit.number,
        "time": commit.time,
        "author": commit.author,
        "message": commit.message,
        "changes": commit.changes,
    }


def _changes(changes: Any) -> str:
    if isinstance(changes, Mapping):
        return ", ".join(
            f"{count:,} removed or restored"
            if what == "hidden"
            else count_text(count, what.removesuffix("s"), what)
            for what, count in changes.items()
            if count
        )
    return str(changes)
