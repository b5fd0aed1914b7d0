"""The comparisons, by family; each takes a `Bench` and gives figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bounds import Bounds
from environments import Peer

__all__ = ["Bench"]


@dataclass
class Bench:
    """What every family of rows works with.

    `scale` is 1 at full size; goals hold only there. `programs` are the peers that are no
    Python packages, and `notes` collects what a reader of the table has to know. `pools` is
    where pools that `big_pool.py` made are kept, each called by its number of products.
    """

    scratch: Path
    peers: dict[str, Peer]
    programs: tuple[str, ...]
    bounds: Bounds
    runs: int
    scale: float
    full: bool
    products: int
    pools: Path | None = None
    notes: list[str] = field(default_factory=list)

    def goal(self, value: float) -> float | None:
        """Give the goal, where the size is the one that it was set for."""
        return value if self.scale == 1 else None

    def folder(self, name: str) -> Path:
        """Make a folder for one measurement."""
        folder = self.scratch / name
        folder.mkdir(parents=True)
        return folder

    def present(self, *names: str) -> list[Peer]:
        """Give the peers of these names that are installed."""
        return [self.peers[name] for name in names if name in self.peers]
