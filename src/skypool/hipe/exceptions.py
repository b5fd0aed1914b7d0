"""The errors of skypool under the names that scripts catch."""

from __future__ import annotations

from skypool.errors import ContextRuleException, NotFound, UsageError

__all__ = ["ContextRuleException", "IllegalArgumentException", "NoSuchElementException"]

IllegalArgumentException = UsageError
NoSuchElementException = NotFound
