"""Rows of a VOTable, gathered into blocks of columns."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from skypool.formats.parsing import NotUnderstood
from skypool.formats.votable_cells import Cell, from_binary, from_text

__all__ = ["RowBlocks"]

Values = np.ndarray[Any, Any]
_COUNT = struct.Struct(">I")
_CHARACTER = {"char": 1, "unicodeChar": 2}


class RowBlocks:
    """Takes the rows of one table and hands them on as columns, block by block.

    Parameters
    ----------
    cells
        Types of the fields.
    layout
        ``TABLEDATA``, ``BINARY`` or ``BINARY2``.
    block
        Rows of one block.
    give
        Called with the columns of each block.
    """

    def __init__(
        self, cells: list[Cell], layout: str, block: int, give: Callable[[list[Values]], None]
    ) -> None:
        self._cells = cells
        self._flags = (len(cells) + 7) // 8 if layout == "BINARY2" else 0
        self._block = block
        self._give = give
        self._texts: list[list[str]] = []
        self._raw: list[list[bytes]] = []
        self._buffer = bytearray()
        self._counted = [0 if cell.fixed else self._counted_width(cell) for cell in cells]
        self._binary = layout != "TABLEDATA"
        if self._binary and any(
            cell.is_text and cell.dims + (1,) * cell.variable and not cell.fixed for cell in cells
        ):
            raise NotUnderstood("an array of texts of various lengths in a binary stream")

    @staticmethod
    def _counted_width(cell: Cell) -> int:
        """Return the bytes of one of the things that the count before a cell counts."""
        if cell.is_text:
            return _CHARACTER[cell.datatype]
        return max(1, cell.width)

    def row(self, cells: list[str]) -> None:
        """Take a row of TABLEDATA."""
        if len(cells) != len(self._cells):
            if not self._cells and not cells:
                return
            raise NotUnderstood(f"a row of {len(cells)} cells under {len(self._cells)} fields")
        if not self._cells:
            return
        self._texts.append(cells)
        if len(self._texts) == self._block:
            self._flush_texts()

    def _flush_texts(self) -> None:
        columns = zip(*self._texts, strict=True)
        self._give(
            [from_text(cell, list(texts)) for cell, texts in zip(self._cells, columns, strict=True)]
        )
        self._texts = []

    def binary(self, data: bytes) -> None:
        """Take the next bytes of a binary stream."""
        if not self._cells:
            return
        self._buffer += data
        position, end = 0, len(self._buffer)
        with memoryview(self._buffer) as view:
            while True:
                row, after = self._split(view, position, end)
                if row is None or after == position:
                    break
                position = after
                self._raw.append(row)
                if len(self._raw) == self._block:
                    self._flush_raw()
        del self._buffer[:position]

    def _split(self, view: memoryview, at: int, end: int) -> tuple[list[bytes] | None, int]:
        """Cut off one row; None where not all of it is there yet."""
        row = [bytes(view[at : at + self._flags])]
        at += self._flags
        for cell, counted in zip(self._cells, self._counted, strict=True):
            length = cell.width
            if counted:
                if at + 4 > end:
                    return None, at
                length = _COUNT.unpack_from(view, at)[0] * counted
                at += 4
            if at + length > end:
                return None, at
            row.append(bytes(view[at : at + length]))
            at += length
        return (None, at) if at > end else (row, at)

    def _flush_raw(self) -> None:
        flags, *columns = (list(part) for part in zip(*self._raw, strict=True))
        null = self._null_bits(flags)
        self._give(
            [
                from_binary(cell, raw, None if null is None else null[:, number])
                for number, (cell, raw) in enumerate(zip(self._cells, columns, strict=True))
            ]
        )
        self._raw = []

    def _null_bits(self, flags: list[bytes]) -> Values | None:
        if not self._flags:
            return None
        packed = np.frombuffer(b"".join(flags), "u1").reshape(len(flags), self._flags)
        return np.unpackbits(packed, axis=1, count=len(self._cells)).astype(bool)

    def finish(self) -> None:
        """Hand on the last block.

        Raises
        ------
        NotUnderstood
            If a binary stream ended within a row.
        """
        if self._texts:
            self._flush_texts()
        if self._raw:
            self._flush_raw()
        if self._buffer:
            raise NotUnderstood("a binary stream that ends within a row")
