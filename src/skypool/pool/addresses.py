"""What is an address on the network, not a path."""

from __future__ import annotations

import re

__all__ = ["is_url"]

_URL = re.compile(r"https?://[^/\s]", re.IGNORECASE)


def is_url(text: object) -> bool:
    """Return whether a text is an address that can be fetched."""
    return isinstance(text, str) and _URL.match(text) is not None
