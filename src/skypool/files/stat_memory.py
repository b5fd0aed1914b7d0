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
_PLAIN: Final = ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
_GIVEN: Final = ("st_ino", "st_mode", "st_size", "st_blocks")
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
        names = [name for _, _, name in sorted(found)]
        fixed = {"st_nlink": 1, "st_uid": os.getuid(), "st_gid": os.getgid()}
        self._values = [fixed.get(name, 0) for name in names]
        self._places = [names.index(name) for name in _GIVEN]
        self._when = [
            [n for n, name in enumerate(names) if name == part] for part in ("tv_sec", "tv_nsec")
        ]

    def write(self, into: Any, found: Attributes, number: int = 0) -> None:
        """Write attributes into a structure, and zeros everywhere else.

        Parameters
        ----------
        into
            The structure.
        found
            The attributes.
        number
            Of the inode.
        """
        mode, size, time_ns = found
        values = self._values.copy()
        at_number, at_mode, at_size, at_blocks = self._places
        values[at_number] = number
        values[at_mode] = mode
        values[at_size] = size
        values[at_blocks] = -(-size // _BLOCK)
        for value, places in zip(divmod(time_ns, 1_000_000_000), self._when, strict=True):
            for place in places:
                values[place] = value
        self._struct.pack_into(into, 0, *values)
