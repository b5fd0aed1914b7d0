"""`tree`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from skypool.cli.pools import brief, full_name, is_external, title
from skypool.cli.state import State
from skypool.cli.text import plain, shorten, shown, terminal_width, to_json, width_of
from skypool.cli.verb import REF, at_option, verb

__all__ = ["tree_verb"]


@verb(
    "tree",
    examples=[
        ("tree 1342182452", "everything below an observation"),
        ("tree 1342182452 -d 1", "one level"),
    ],
)
@click.argument("ref", type=REF)
@click.option(
    "-d",
    "--depth",
    metavar="N",
    type=click.IntRange(min=0),
    help="Levels below the product; without it, all.",
)
@at_option
def tree_verb(state: State, ref: str, depth: int | None, at: str | None) -> None:
    """Show a product and what is below it.

    Children that were shown before, because parents share them, are not opened
    again.
    """
    root = state.open(at=at)[ref]
    if state.json:
        click.echo(to_json(_nested(root, depth)))
        return
    for line in _lines(root, depth):
        click.echo(line)


def _children(ref: Any, level: int, depth: int | None, seen: set[str]) -> list[tuple[str, Any]]:
    """Give roles and children of a product that is opened for the first time."""
    if is_external(ref) or ref.urn in seen or (depth is not None and level >= depth):
        return []
    seen.add(ref.urn)
    return list(ref.refs.items())


def _nested(root: Any, depth: int | None) -> dict[str, Any]:
    seen: set[str] = set()

    def node(ref: Any, level: int) -> dict[str, Any]:
        if is_external(ref):
            return {"external": ref.text}
        again = ref.urn in seen
        children = [
            {"role": role} | node(child, level + 1)
            for role, child in _children(ref, level, depth, seen)
        ]
        return brief(ref) | ({"again": True} if again else {"refs": children})

    return node(root, 0)


def _lines(root: Any, depth: int | None) -> Iterator[str]:
    seen: set[str] = set()
    yield _label("", "", root, False)
    stack = [("", iter(_mark_last(_children(root, 0, depth, seen))))]
    while stack:  # no recursion: trees may be deep
        prefix, children = stack[-1]
        entry = next(children, None)
        if entry is None:
            stack.pop()
            continue
        (role, child), last = entry
        again = child.urn in seen
        yield _label(prefix + ("└── " if last else "├── "), role, child, again)
        below = _children(child, len(stack), depth, seen)
        stack.append((prefix + ("    " if last else "│   "), iter(_mark_last(below))))


def _mark_last(children: list[tuple[str, Any]]) -> Iterator[tuple[tuple[str, Any], bool]]:
    for index, child in enumerate(children):
        yield child, index == len(children) - 1


def _label(lead: str, role: str, child: Any, again: bool) -> str:
    if is_external(child):
        return f"{lead}{plain(role)}: {plain(child.text)} (not in the pool)"
    name = full_name(child)
    stem, _, version = name.rpartition("@")
    # The name repeats the role where a file lies under its own name.
    text = f"{role}@{version}" if role and stem.endswith(role) else name
    if role and not stem.endswith(role):
        text = f"{role}: {name}"
    rest = f"  {title(child)}{' (see above)' if again else ''}"
    width = terminal_width()
    if width is None:
        return lead + plain(text) + rest
    room = max(16, width - width_of(lead) - width_of(rest))
    return shorten(lead + shorten(shown(text), room, middle=True) + rest, width)
