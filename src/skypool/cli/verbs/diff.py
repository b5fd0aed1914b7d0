"""`diff`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from skypool.cli.pools import brief, dataset_changes, full_name, meta_changes
from skypool.cli.state import State
from skypool.cli.text import plain, shown, to_json
from skypool.cli.verb import REF, at_option, verb

__all__ = ["diff_verb"]

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}


@verb(
    "diff",
    examples=[
        ("diff maps/m83@0 maps/m83", "what changed since the first version"),
        ("diff PSW@0 PSW@1 --json", "for a script"),
    ],
)
@click.argument("a", type=REF)
@click.argument("b", type=REF)
@at_option
def diff_verb(state: State, a: str, b: str, at: str | None) -> None:
    """Compare two versions: metadata, datasets, changed pixels and rows."""
    pool = state.open(at=at)
    first, second = pool[a], pool[b]
    result = pool.diff(first, second)
    meta, datasets = list(meta_changes(result)), list(dataset_changes(result))
    if state.json:
        facts = {"a": brief(first), "b": brief(second), "same": not (meta or datasets)}
        click.echo(to_json(facts | {"meta": meta, "datasets": datasets}))
        return
    click.echo(f"{plain(full_name(first))} -> {plain(full_name(second))}")
    for line in _lines(meta, datasets, state.colour):
        click.echo(line)
    if not (meta or datasets):
        click.echo("no difference")


def _lines(
    meta: list[dict[str, Any]], datasets: list[dict[str, Any]], colour: bool
) -> Iterator[str]:
    for change in meta:
        values = [
            shown(str(change[side])) for side in ("before", "after") if change[side] is not None
        ]
        yield _line(change["kind"], f"{shown(change['key'])}: {' -> '.join(values)}", colour)
    for change in datasets:
        yield _line(change["kind"], f"[{shown(change['dataset'])}]{_extent(change)}", colour)


def _extent(change: dict[str, Any]) -> str:
    text = f" {change['what']}" if change.get("what") else ""
    if change.get("count") is not None:
        text += f" {change['count']:,} {change.get('unit') or 'values'}"
    if change.get("box"):
        text += " in [" + ", ".join(f"{start}:{stop}" for start, stop in change["box"]) + "]"
    return text


def _line(kind: str, text: str, colour: bool) -> str:
    line = f"{_SIGNS.get(kind, ' ')} {text}"
    return click.style(line, fg=_COLOURS.get(kind)) if colour else line
