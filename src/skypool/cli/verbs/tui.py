"""`tui`."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

import click

from skypool.cli.state import State
from skypool.cli.verb import at_option, verb
from skypool.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from skypool.tui.app import Browser

__all__ = ["tui_verb"]


@verb(
    "tui",
    examples=[
        ("tui", "browse the pool"),
        ("tui survey ./mine", "several pools at once"),
        ("tui -q \"instrument == 'SPIRE'\"", "begin with a query"),
        ("tui --at 2026-11-01", "as it was at the end of that day"),
    ],
)
@click.argument("pools", nargs=-1, metavar="[POOL]...")
@click.option("-q", "--query", default="", metavar="QUERY", help="Begin with this query.")
@click.option("--read-only", is_flag=True, help="Change nothing.")
@at_option
def tui_verb(
    state: State, pools: tuple[str, ...], query: str, read_only: bool, at: str | None
) -> None:
    """Browse pools in the terminal: search, look at images, tag, export.

    It needs a terminal, and works over ssh. `?` shows its keys. POOL is a name or
    path, as with -p.
    """
    browser = _browser()
    if state.json:
        raise UsageError("the browser has no JSON", hint="`skypool find --json` has")
    if not _in_terminal():
        raise UsageError("the browser needs a terminal", hint="`skypool find` works in scripts")
    state.pools = (*state.pools, *pools)
    if len(state.pools) > 1:
        opened = state.open_several(write=not read_only)
    else:
        pool = state.open(write=not read_only)
        place = state.place()
        opened = {pool.path if place is None else place.text: pool}
    for pool in opened.values():
        if at is not None:
            pool.at(at)
    warnings.simplefilter("ignore")  # they would be written over the screen
    browser(opened, state.settings, query=query, at=at or "", read_only=read_only).run()


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _browser() -> type[Browser]:
    try:
        import textual  # noqa: F401 (only whether it is there)
    except ImportError:
        raise MissingDependency(
            "the terminal browser needs textual, which is not installed",
            hint="python -m pip install 'skypool[tui]'",
        ) from None
    from skypool.tui.app import Browser

    return Browser
