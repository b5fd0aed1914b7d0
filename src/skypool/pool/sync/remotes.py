"""The pools that a pool was cloned from, pulled from and pushed to (docs/format/pool.md)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skypool.errors import NotFound
from skypool.storage.whole_files import replace_file

if TYPE_CHECKING:
    from skypool.pool.folder import PoolFolder

__all__ = ["REMOTES", "Remotes", "other_side"]

REMOTES = "remotes.json"


@dataclass(slots=True)
class Remotes:
    """Where a pool is pulled from and pushed to when nothing is said.

    Attributes
    ----------
    pull, push : str or None
        Paths of pools.
    cloning : str or None
        The identifier of the pool of which this one is a clone that is not finished.
    """

    pull: str | None = None
    push: str | None = None
    cloning: str | None = None

    @classmethod
    def read(cls, folder: PoolFolder) -> Remotes:
        """Return what a pool remembers; nothing where its file cannot be understood."""
        try:
            with open(os.path.join(folder.path, REMOTES), encoding="utf-8") as file:
                obj: dict[str, Any] = json.load(file)
            return cls(obj.get("pull"), obj.get("push"), obj.get("cloning"))
        except (OSError, ValueError, AttributeError):
            return cls()

    def write(self, folder: PoolFolder) -> None:
        """Remember, durably."""
        obj = {"pull": self.pull, "push": self.push, "cloning": self.cloning}
        text = json.dumps({key: value for key, value in obj.items() if value}, indent=1) + "\n"
        replace_file(folder.files, os.path.join(folder.path, REMOTES), text.encode())


def other_side(folder: PoolFolder, direction: str) -> str:
    """Return the pool that a pull or push means where none is named.

    Raises
    ------
    NotFound
        If none is remembered.
    """
    remotes = Remotes.read(folder)
    known = remotes.pull if direction == "pull" else remotes.push
    if known is None:
        raise NotFound(
            f"{folder.path} remembers no pool to {direction}",
            hint=f"name it: `skypool {direction} POOL`; it is remembered from then on",
        )
    return known
