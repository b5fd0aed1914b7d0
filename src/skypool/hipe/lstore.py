"""HIPE's own pools below `~/.hcss/lstore`, taken over when they are first opened."""

from __future__ import annotations

import os

__all__ = ["old_pools", "taken_over"]


def old_pools() -> list[str]:
    """Return the names of HIPE's own pools."""
    return []


def taken_over(name: str, path: str) -> str:
    """Return the folder of the pool."""
    return os.path.abspath(path)
