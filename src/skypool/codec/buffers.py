"""The type of anything that gives its bytes through the buffer protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer
else:
    # collections.abc.Buffer exists from Python 3.12 only; annotations need no more.
    Buffer = object

__all__ = ["Buffer"]
