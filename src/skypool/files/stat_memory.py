"""Attributes of files in the memory of libfuse, written at once."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from skypool.files.operations import Attributes

__all__ = ["StatMemory"]

_BLOCK: Final = 512
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "q"}
_PLAIN: Final = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
_TIMES: Final = ("st_atimespec", "st_mtimespec", "st_ctimespec")


class StatMemory:
    """Writes attributes into a `stat` of C, all of it in one step: listings have thousands.

    Parameters
    ----------
    layout
        The structure, as ctypes has it.
    """

    def __init__(self, layout: Any) -> None:
        places = [(getattr(layout, name), name) for name in _PLAIN]
        found = [(field.offset, field.size, name) for field, name in places]
        types = dict(each[:2] for each in layout._fields_)
        for name in _TIMES:
            start = getattr(layout, name).offset
            for part in ("tv_sec", "tv_nsec"):
                field = getattr(types[name], part)
                found.append((start + field.offset, field.size, part))
        code, end = "=", 0
        for offset, size, _ in sorted(found):
            code += f"{offset - end}x{_CODES[size]}"
            end = offset + size
        self._struct = struct.Struct(f"{code}{ctypes.sizeof(layout) - end}x")
        self._order = [name for _, _, name in sorted(found)]
        self._fixed = {"st_nlink": 1, "st_uid": os.getuid(), "st_gid": os.getgid()}

    def write(self, into: Any, found: Attributes) -> None:
        """Write attributes into a structure, and zeros everywhere else."""
        mode, size, time_ns = found
        seconds, rest = divmod(time_ns, 1_000_000_000)
        values = self._fixed | {
            "st_mode": mode,
            "st_size": size,
            "st_blocks": -(-size // _BLOCK),
            "tv_sec": seconds,
            "tv_nsec": rest,
        }
        self._struct.pack_into(into, 0, *[values[name] for name in self._order])
