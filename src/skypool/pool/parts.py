"""Parts above the pool, which it may not import: see `skypool.model.optional`."""

from __future__ import annotations

from skypool.model.optional import part

__all__ = ["part"]
