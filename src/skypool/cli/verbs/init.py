"""`init` and `pools`."""

from __future__ import annotations

import os
from typing import Any

import click

from skypool.cli.pools import pool_id
from skypool.cli.state import State
from skypool.cli.text import Table, size_text, to_json
from skypool.cli.verb import verb
from skypool.cli.verbs.config import settings_object
from skypool.errors import PoolExists, UsageError

__all__ = ["init_verb", "pools_verb"]


@verb(
    "init",
    examples=[
        ("init temp1", "a pool with a name, among your own pools"),
        ("init ./survey", "a pool in this folder"),
        ("init", "the pool that is used when none is named"),
        ("init ./survey --shared group", "shared"),
    ],
)
@click.argument("pool", required=False)
@click.option("--new", is_flag=True, help="Fail if the pool is there already.")
@click.option(
    "--max-size",
    metavar="SIZE",
    help="What the pool may take, such as 500GB: more is refused before it is written.",
)
@click.option(
    "--shared",
    type=click.Choice(["group", "user"]),
    default="user",
    show_default=True,
    help="Who may write: you, or all of the folder's group.",
)
@click.option(
    "--journal",
    type=click.Choice(["wal", "delete"]),
    help="How the catalogue is kept; by default delete on network file systems.",
)
def init_verb(
    state: State,
    pool: str | None,
    new: bool,
    max_size: str | None,
    shared: str,
    journal: str | None,
) -> None:
    """Make a pool.

    A bare POOL is a name below $SKYPOOL_HOME; with a separator it is a path. A
    pool that is there already is left as it is. `add` makes missing pools too.
    """
    if pool == "":
        raise UsageError("the name of a pool is empty", hint="without one, it is the default pool")
    named = pool or state.pool or state.settings.pool
    place = state.named_place(named) if named else state.default_place()
    made = True
    try:
        opened = state.open_place(
            place, mode="x", max_size=max_size, shared=shared, journal=journal
        )
    except PoolExists:
        if new:
            raise
        made = False
        # Whoever made the folder may not be done with it: a writer completes it, a reader cannot.
        opened = state.open_place(place, mode="a")
        if max_size or shared != "user" or journal:
            raise PoolExists(
                f"there is a pool at {opened.path} already; it is set to what it is set to",
                hint="`skypool config` shows and changes that",
            ) from None
    if state.json:
        click.echo(
            to_json(
                {
                    "pool": place.text,
                    "path": opened.path,
                    "id": pool_id(opened),
                    "created": made,
                    **settings_object(opened.options),
                }
            )
        )
    else:
        click.echo(f"{'made' if made else 'there already'}: {opened.path}")


@verb(
    "pools",
    examples=[
        ("pools", "names, sizes and places"),
        ("-p temp1 info", "use one of them"),
    ],
)
def pools_verb(state: State) -> None:
    """List the pools that have names: those below $SKYPOOL_HOME."""
    from skypool.pool.named import list_pools

    rows: list[dict[str, Any]] = [
        {"name": entry.name, "path": str(entry.path), "bytes_stored": _stored(entry.path)}
        for entry in list_pools(state.settings)
    ]
    if state.json:
        click.echo(to_json({"pools": rows}))
        return
    table = Table(["POOL", ">SIZE", "PATH"], flexible=2, middle=True, colour=state.colour)
    for line in table.lines(
        [row["name"], size_text(row["bytes_stored"]), row["path"]] for row in rows
    ):
        click.echo(line)
    if not rows:
        state.note(f"no pools in {state.settings.home}")


def _stored(pool: str) -> int:
    """Add up the packs of a pool, without opening it."""
    try:
        with os.scandir(os.path.join(pool, "packs")) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except OSError:  # of another user
        return 0
