"""Names that a file system takes for one, and those for what cannot have its own."""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["Spelling", "beside"]

_KEPT: Final = 16


class Spelling:
    """Tells whether what is at a path stands there under another name.

    Only folders in which something is at the path are listed, so that writing into an empty one
    costs nothing.

    Parameters
    ----------
    top
        The folder that is written into; how it is spelled itself does not matter.
    """

    def __init__(self, top: str) -> None:
        self._top = top
        self._listed: dict[str, frozenset[str]] = {}

    def other(self, path: str) -> str:
        """Return the path of what stands at *path* under another name; empty if nothing does."""
        if not os.path.lexists(path):
            return ""
        folder, differs = self._top, False
        for part in Path(os.path.relpath(path, self._top)).parts:
            place = os.path.join(folder, part)
            if not self._has(folder, part):
                differs, place = True, os.path.join(folder, self._found(folder, part))
            folder = place
        return folder if differs else ""

    def _has(self, folder: str, name: str) -> bool:
        """Say whether a folder lists a name; what was written meanwhile is there too."""
        known = self._listed.pop(folder, frozenset())
        if name not in known:
            try:
                known = frozenset(os.listdir(folder))
            except OSError:  # one that cannot be listed tells nothing
                return True
        self._listed[folder] = known
        if len(self._listed) > _KEPT:  # that which was not asked for longest
            del self._listed[next(iter(self._listed))]
        return name in known

    def _found(self, folder: str, name: str) -> str:
        """Return the name of what a folder has under another one."""
        key = _key(name)
        return next((each for each in sorted(self._listed[folder]) if _key(each) == key), name)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold()).rstrip(". ")


def beside(path: str, version: int) -> Iterator[str]:
    """Return paths for what cannot be at its own: `PSW@2.fits`, `PSW@2-2.fits`, ..."""
    stem, end = os.path.splitext(path)
    yield f"{stem}@{version}{end}"
    yield from (f"{stem}@{version}-{n}{end}" for n in itertools.count(2))
