"""Leaving out what cannot be read where the rest is wanted all the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skypool.errors import Damaged, Dropped, Purged
from skypool.storage.inplace import SOURCE_ERRORS

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["leaving_out"]


@contextlib.contextmanager
def leaving_out(ref: Ref, skipped: list[tuple[str, str]] | None) -> Iterator[None]:
    """Note a product whose content cannot be had; without a list it is an error as ever."""
    try:
        yield
    except (Damaged, Dropped, Purged, *SOURCE_ERRORS) as error:
        if skipped is None:
            raise
        name = f"{ref.name}@{ref.version}"
        if not skipped or skipped[-1][0] != name:  # of a product with many files
            skipped.append((name, error.message.removeprefix(name).lstrip(": ")))
