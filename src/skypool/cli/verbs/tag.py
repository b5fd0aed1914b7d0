"""`tag`, `untag`, `mv`, `rm`, `restore`, `undo` and `trash`."""

from __future__ import annotations

from typing import Any

import click

from skypool.cli.pools import brief, full_name
from skypool.cli.state import State
from skypool.cli.text import Table, plain, time_text, to_json
from skypool.cli.verb import REF, verb

__all__ = [
    "mv_verb",
    "restore_verb",
    "rm_verb",
    "tag_verb",
    "trash_verb",
    "undo_verb",
    "untag_verb",
]


def _say(state: State, facts: dict[str, Any], text: str) -> None:
    click.echo(to_json(facts) if state.json else plain(text))


@verb(
    "tag",
    examples=[
        ("tag 1342182452 'using cal v1'", "the latest version"),
        ("tag maps/m83@0 first published", "two tags on version 0"),
        ("find \"tagged('published')\"", "find it again"),
    ],
)
@click.argument("ref", type=REF)
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("-m", "--message", default="", help="Message of the commit.")
def tag_verb(state: State, ref: str, tags: tuple[str, ...], message: str) -> None:
    """Put tags on a version. A tag may be on any number of products."""
    pool = state.open(write=True)
    target = pool[ref]
    with pool.commit(message or f"tag {', '.join(tags)}") as commit:
        commit.tag(target, *tags)
    facts = brief(target) | {"tags": list(pool[target.urn].tags)}
    _say(state, facts, f"{full_name(target)}: {', '.join(facts['tags'])}")


@verb("untag", examples=[("untag 1342182452 'using cal v1'", "the version stays")])
@click.argument("ref", type=REF)
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("-m", "--message", default="", help="Message of the commit.")
def untag_verb(state: State, ref: str, tags: tuple[str, ...], message: str) -> None:
    """Take tags away from a version."""
    pool = state.open(write=True)
    target = pool[ref]
    with pool.commit(message or f"untag {', '.join(tags)}") as commit:
        commit.untag(target, *tags)
    facts = brief(target) | {"tags": list(pool[target.urn].tags)}
    _say(state, facts, f"{full_name(target)}: {', '.join(facts['tags']) or 'no tags'}")


@verb(
    "mv",
    examples=[
        ("mv HPPPMAPBS-1 maps/m83", "all its versions go with it"),
        ("mv 1342182452 m83", "all names below go with it"),
    ],
)
@click.argument("ref", type=REF)
@click.argument("name")
@click.option("-m", "--message", default="", help="Message of the commit.")
def mv_verb(state: State, ref: str, name: str, message: str) -> None:
    """Rename a product; what is below a folder is renamed with it."""
    pool = state.open(write=True)
    target = pool[ref]
    was = target.name
    with pool.commit(message or f"rename {was} to {name}") as commit:
        commit.rename(target, name)
    renamed = pool[target.urn]
    _say(state, brief(renamed) | {"was": was}, f"{was} -> {renamed.name}")


@verb(
    "rm",
    examples=[
        ("rm maps/m83", "out of view; `restore` brings it back"),
        ("rm 1342182452", "with all below that nothing else refers to"),
    ],
)
@click.argument("refs", nargs=-1, required=True, type=REF, metavar="REF...")
@click.option("-m", "--message", default="", help="Message of the commit.")
def rm_verb(state: State, refs: tuple[str, ...], message: str) -> None:
    """Remove products from view, with all their versions and all named below them.

    Nothing is lost: `restore` brings them back, and `--at` shows them as they
    were. Children that others refer to stay.
    """
    pool = state.open(write=True)
    targets = {target.track: target for target in (pool[ref] for ref in refs)}.values()
    names = ", ".join(target.name for target in targets)
    with pool.commit(message or f"remove {names[:200]}") as commit:
        reports = [commit.remove(target) for target in targets]
    removed = {name for report in reports for name in report.removed}
    spared = {name for report in reports for name in report.spared} - removed
    if state.json:
        click.echo(to_json({"removed": sorted(removed), "spared": sorted(spared)}))
        return
    for target in targets:
        click.echo(f"removed {plain(target.name)}")
    if len(removed) > len(targets):
        click.echo(f"and {len(removed) - len(targets):,} below")
    for name in sorted(spared):
        click.echo(f"kept {plain(name)}: others refer to it")


@verb(
    "restore",
    examples=[
        ("restore maps/m83", "a product that was removed"),
        ("restore urn:temp1:SimpleImage:41", "by its URN"),
    ],
)
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
def restore_verb(state: State, refs: tuple[str, ...]) -> None:
    """Bring removed products back, with what was removed together with them.

    REF is the name that it had, or its URN.
    """
    pool = state.open(write=True)
    restored = [pool.restore(pool[ref] if ref.startswith("urn:") else ref) for ref in refs]
    if state.json:
        click.echo(to_json({"restored": [brief(ref) for ref in restored]}))
        return
    for ref in restored:
        click.echo(f"restored {plain(full_name(ref))}")


@verb(
    "undo",
    examples=[
        ("undo 41", "what commit 41 changed is as it was before"),
        ("history -l 5", "the last commits"),
    ],
)
@click.argument("commit", type=click.IntRange(min=1))
@click.option("-m", "--message", default="", help="Message of the commit.")
def undo_verb(state: State, commit: int, message: str) -> None:
    """Take a commit back, by a new one that does the contrary.

    Tags, names and removals are as before; what was added is removed, and where a
    product got a version, the one before it is the newest again. It is refused
    where somebody has changed since what it would change back. Content that was in
    files in place, and was written anew, does not come back; such versions are listed.
    """
    from skypool.pool.overwritten import gone_again

    pool = state.open(write=True)
    made = pool.undo(commit, message)
    gone = gone_again(pool.view, made)
    facts = {"undone": commit, "commit": made, "gone": gone}
    _say(state, facts, f"commit {commit} undone by commit {made}")
    for name in [] if state.json else gone:
        click.echo(plain(f"gone: {name}: its content was in a file that was written anew"))


@verb("trash", examples=[("trash", "what `restore` can bring back")])
def trash_verb(state: State) -> None:
    """List removed products that can be restored, the last removed first."""
    found = state.open().trash()
    if state.json:
        entries = [
            brief(item.ref)
            | {"name": item.name, "commit": item.commit, "time": item.time, "author": item.author}
            for item in found
        ]
        click.echo(to_json({"trash": entries}))
        return
    table = Table(["NAME", "REMOVED (UTC)", "AUTHOR", ">COMMIT"], flexible=0, colour=state.colour)
    for line in table.lines(
        [item.name, time_text(item.time), item.author, str(item.commit)] for item in found
    ):
        click.echo(line)
