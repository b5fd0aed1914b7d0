"""`config`: what a pool is set to."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.state import State
from skypool.cli.text import size_text, to_json
from skypool.cli.verb import verb

if TYPE_CHECKING:
    from skypool.pool.marker import PoolSettings

__all__ = ["config_verb", "settings_object"]

_KEYS = ("max_size", "shared", "journal")


@verb(
    "config",
    examples=[
        ("config", "what the pool is set to"),
        ("config max_size 500GB", "what it may take"),
        ("config max_size none", "no limit any more"),
        ("config shared group", "let the group of its folder write"),
        ("config journal delete", "before it goes to a network disk"),
    ],
)
@click.argument("key", required=False, type=click.Choice(_KEYS))
@click.argument("value", required=False)
def config_verb(state: State, key: str | None, value: str | None) -> None:
    """Show what a pool is set to, for all who use it, or set it.

    KEY is max_size (such as 500GB, or none), shared (group or user) or journal (wal or delete).
    """
    if key is None or value is None:
        settings = state.open().options
    else:
        pool = state.open(write=True)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            settings = pool.configure(**{key: value})
        for warning in said:
            click.echo(f"skypool: warning: {warning.message}", err=True)
    found = settings_object(settings)
    if state.json:
        click.echo(to_json(found))
        return
    if settings.max_size is not None:
        found["max_size"] = size_text(settings.max_size)
    for name in _KEYS:
        if key in (None, name):
            click.echo(f"{name:<10}{'none' if found[name] is None else found[name]}")


def settings_object(settings: PoolSettings) -> dict[str, Any]:
    """Return settings as `--json` prints them."""
    return {
        "max_size": settings.max_size,
        "shared": "group" if settings.shared else "user",
        "journal": settings.journal,
    }
