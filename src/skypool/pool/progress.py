"""What long work tells while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["OnProgress", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far some work is.

    Attributes
    ----------
    stage : str
        What is being done.
    items, total_items : int
        Files, products or packs done, and to do (0 where that is not known).
    bytes, total_bytes : int
        Bytes done, and to do (0 where that is not known).
    name : str
        What is being worked on.
    """

    stage: str
    items: int = 0
    total_items: int = 0
    bytes: int = 0
    total_bytes: int = 0
    name: str = ""


OnProgress: TypeAlias = Callable[[Progress], None]
