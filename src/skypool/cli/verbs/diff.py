"""`diff`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.pools import brief, full_name, is_external, parameter, target
from skypool.cli.state import State
from skypool.cli.text import plain, to_json, value_text
from skypool.cli.verb import REF, at_option, verb

if TYPE_CHECKING:
    from skypool.model.metadata import Parameter
    from skypool.pool.diff import DatasetChange, Diff

__all__ = ["diff_verb"]

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}


@verb(
    "diff",
    examples=[
        ("diff maps/m83@0 maps/m83", "what changed since the first version"),
        ("diff PSW@0 PSW@1 --json", "for a script"),
        ("diff PSW PSW --in student", "and what is called so in another pool"),
    ],
)
@click.argument("a", type=REF)
@click.argument("b", type=REF)
@click.option("--in", "other", metavar="POOL", help="The pool of B; that of A without.")
@at_option
def diff_verb(state: State, a: str, b: str, other: str | None, at: str | None) -> None:
    """Compare two versions: metadata, datasets, changed pixels and rows."""
    pool = state.open(at=at)
    where = pool if other is None else state.open_place(state.named_place(other))
    first, second = pool[a], where[b]
    found = pool.diff(first, second)
    if state.json:
        click.echo(to_json(_as_json(found)))
        return
    click.echo(f"{plain(full_name(first))} -> {plain(full_name(second))}")
    for line in _lines(found, state.colour):
        click.echo(line)
    if not found:
        click.echo("no difference")


def _as_json(found: Diff) -> dict[str, Any]:
    return {
        "a": brief(found.a),
        "b": brief(found.b),
        "same": not found,
        "same_bytes": found.same_bytes,
        "meta": [
            {
                "kind": change.kind,
                "key": change.key,
                "before": parameter(change.before),
                "after": parameter(change.after),
            }
            for change in found.meta
        ],
        "datasets": [
            {
                "kind": change.kind,
                "dataset": change.name,
                "what": change.what,
                "count": change.count,
                "unit": change.unit,
                "box": change.box,
            }
            for change in found.datasets
        ],
        "refs": [
            {
                "kind": change.kind,
                "role": change.role,
                "before": target(change.before),
                "after": target(change.after),
            }
            for change in found.refs
        ],
    }


def _lines(found: Diff, colour: bool) -> Iterator[str]:
    if found.kind:
        yield _line("changed", f"kind: {' -> '.join(found.kind)}", colour)
    for meta in found.meta:
        yield _line(meta.kind, f"{plain(meta.key)}: {_values(meta.before, meta.after)}", colour)
    for data in found.datasets:
        yield _line(data.kind, f"[{plain(data.name)}]{_extent(data)}", colour)
    for ref in found.refs:
        sides = [
            full_name(side) if not is_external(side) else side.text
            for side in (ref.before, ref.after)
            if side is not None
        ]
        yield _line(ref.kind, plain(f"{ref.role}: {' -> '.join(sides)}"), colour)
    if found.same_bytes is False and not (found.meta or found.datasets or found.refs):
        yield "the files differ only in bytes that are neither metadata nor data"


def _values(before: Parameter | None, after: Parameter | None) -> str:
    sides = [item for item in (before, after) if item is not None]
    texts = [f"{value_text(item.value)} {plain(item.unit)}".rstrip() for item in sides]
    if len(set(texts)) == 1 and before is not None and after is not None:
        return f"{texts[0]} (description changed)"
    return " -> ".join(texts)


def _extent(change: DatasetChange) -> str:
    parts = [plain(change.what)] if change.what else []
    if change.count:
        parts.append(f"{change.count:,} {change.unit}")
    if change.box:
        parts.append("in [" + ", ".join(f"{start}:{stop}" for start, stop in change.box) + "]")
    return " " + ", ".join(parts) if parts else ""


def _line(kind: str, text: str, colour: bool) -> str:
    line = f"{_SIGNS.get(kind, ' ')} {text}"
    return click.style(line, fg=_COLOURS.get(kind)) if colour else line
