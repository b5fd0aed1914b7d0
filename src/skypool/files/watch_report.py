"""How a folder is watched, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from skypool.pool.add_report import AddReport

__all__ = ["WatchOptions", "WatchReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How folders are watched; see `Pool.watch`."""

    name: str | None = None
    under: str | None = None
    tags: Sequence[str] = ()
    message: str = ""
    quiet: float = 1.0
    longest: float = 30.0
    exclude: Sequence[str] = ()
    dot_files: bool = False
    remove: bool = False
    in_place: bool = False
    as_version: bool = False
    gzip: str = "exact"
    poll: float | None = None
    rescan: float = 60.0
    once: bool = False


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What watching did with one burst of changes.

    Attributes
    ----------
    time : datetime
        When, UTC.
    commit : int or None
        Number of the commit; None where there was none.
    added : AddReport or None
        What was added.
    moved : dict
        Paths of files and folders that were moved, each with the one that it had.
    problems : list of (path, reason)
        What could not be added, and was not reported before; it is tried again when it changes.
    """

    time: datetime
    commit: int | None = None
    added: AddReport | None = None
    moved: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()
