"""What the browser remembers from one time to the next: columns, facets, colours."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Final

from skypool.errors import StorageError

__all__ = ["Memory"]

_FILE: Final = "tui.json"


class Memory:
    """Settings that the user made in the browser, in a file of the settings folder.

    Parameters
    ----------
    folder
        The settings folder; None to remember nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / _FILE
        self._kept: dict[str, Any] = {}
        if self._path is not None:
            # A file that cannot be understood is as good as none: it holds habits only.
            with contextlib.suppress(OSError, ValueError):
                kept = json.loads(self._path.read_text("utf-8"))
                self._kept = kept if isinstance(kept, dict) else {}

    def get(self, name: str, default: Any) -> Any:
        """Return what is remembered, if it is of the type of the default."""
        found = self._kept.get(name, default)
        return found if isinstance(found, type(default)) else default

    def put(self, name: str, value: Any) -> None:
        """Remember a value; where that cannot be written, until the program ends."""
        if self._kept.get(name) == value:
            return
        self._kept[name] = value
        if self._path is None:
            return
        from skypool.storage.filelayer import LocalFiles
        from skypool.storage.whole_files import replace_file

        data = json.dumps(self._kept, indent=1, sort_keys=True).encode() + b"\n"
        with contextlib.suppress(OSError, StorageError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(LocalFiles(), str(self._path), data)
