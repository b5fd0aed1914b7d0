"""Means over blocks of pixels, of an image that comes in parts."""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["BlockMeans", "Floats", "means_of"]

Floats: TypeAlias = npt.NDArray[np.float32]
_NARROW: Final = 32


def means_of(part: Any, step: int) -> Floats:
    """Return the means of the finite pixels of the square blocks of an image.

    As `BlockMeans` does, quicker where the image is small and has whole blocks: by few calls of
    numpy, since after each of them threads that work side by side wait for one another.
    """
    height, width = part.shape
    if part.dtype == np.float32 and step <= _NARROW and not (height % step or width % step):
        sums = _summed(part, step)
        if _all_finite(sums):
            sums *= np.float32(step**-2)
            return sums
        finite = np.isfinite(part)
        sums = _summed(np.where(finite, part, np.float32(0)), step)
        if _all_finite(sums):
            with np.errstate(invalid="ignore"):
                return np.asarray(sums / _summed(finite.astype(np.float32), step), np.float32)
    means = BlockMeans((height, width), (step, step))
    means.add_rows(part, 0, 0)
    return means.values()


def _summed(part: Any, step: int) -> Floats:
    """Return the sums of the blocks; not finite where single precision does not hold one."""
    height, width = part.shape
    with np.errstate(invalid="ignore", over="ignore"):
        lines = np.add.reduce(part.reshape(-1, step, width), axis=1)
        sums: Floats = lines.reshape(-1, step) @ np.ones(step, np.float32)
    return sums.reshape(height // step, width // step)


def _all_finite(sums: Any) -> bool:
    """Tell whether numbers are finite, by one call; False too where their sum is too large."""
    with np.errstate(invalid="ignore", over="ignore"):
        return math.isfinite(sums.sum())


class BlockMeans:
    """Means of the finite pixels of each block of an image.

    Parameters
    ----------
    shape
        Height and width of the image.
    step
        Height and width of a block.
    """

    def __init__(self, shape: tuple[int, int], step: tuple[int, int]) -> None:
        self.step = step
        self._width = shape[1]
        # One line for each row of blocks, one column for each column of pixels: summing rows
        # is several times faster than summing along them, so that comes last, and once.
        lines = -(-shape[0] // step[0])
        self._sums = np.zeros((lines, shape[1]), np.float64)
        self._counts = np.zeros((lines, shape[1]), np.int32)

    def add_rows(self, part: Any, top: int, left: int, every: tuple[int, int] = (1, 1)) -> None:
        """Take in some rows of pixels.

        Parameters
        ----------
        part
            Pixels, of two axes.
        top, left
            Where the first of them is in the image.
        every
            How far they are apart.
        """
        if part.dtype.kind == "c":
            part = np.abs(part)
        stop = left + part.shape[1] * every[1]
        columns = slice(left, min(stop, self._width), every[1])
        height = self.step[0]
        row = 0
        while row < part.shape[0]:
            line = (top + row * every[0]) // height
            whole = (part.shape[0] - row) // height
            if every[0] == 1 and whole > 1 and (top + row) % height == 0:
                self._add_lines(part[row : row + whole * height], line, columns)
                row += whole * height
                continue
            rows = min(part.shape[0] - row, -(-((line + 1) * height - top) // every[0]) - row)
            self._add(part[row : row + rows], line, columns)
            row += rows

    def _add_lines(self, part: Any, line: int, columns: slice) -> None:
        """Take in all rows of some lines; one call of numpy for many lines."""
        height = self.step[0]
        lines = part.reshape(-1, height, part.shape[1])
        wide = np.float32 if part.dtype == np.float32 else np.float64
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.add.reduce(lines, axis=1, dtype=wide)
        good = np.isfinite(sums).all(axis=1)
        if good.all():
            self._sums[line : line + len(lines), columns] += sums
            self._counts[line : line + len(lines), columns] += height
            return
        for number, fine in enumerate(good.tolist()):
            if fine:
                self._sums[line + number, columns] += sums[number]
                self._counts[line + number, columns] += height
            else:
                self._add(lines[number], line + number, columns)

    def _add(self, rows: Any, line: int, columns: slice) -> None:
        if rows.dtype.kind == "f":
            wide = np.float64 if rows.dtype.itemsize > 4 else np.float32
            with np.errstate(invalid="ignore", over="ignore"):
                sums = np.add.reduce(rows, axis=0, dtype=wide)
            if not np.isfinite(sums).all():
                finite = np.isfinite(rows)
                sums = np.add.reduce(np.where(finite, rows, 0), axis=0, dtype=np.float64)
                self._sums[line, columns] += sums
                self._counts[line, columns] += np.add.reduce(finite, axis=0, dtype=np.int32)
                return
        else:
            sums = np.add.reduce(rows, axis=0, dtype=np.float64)
        self._sums[line, columns] += sums
        self._counts[line, columns] += rows.shape[0]

    def values(self) -> Floats:
        """Return the means; NaN for blocks without finite pixels."""
        sums, counts = self._by_columns(self._sums), self._by_columns(self._counts)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.asarray(sums / counts, np.float32)

    def _by_columns(self, lines: Any) -> Any:
        """Sum along the lines, block by block."""
        width = self.step[1]
        if width > _NARROW:
            return np.add.reduceat(lines, np.arange(0, self._width, width), axis=1)
        # A few sums of whole lines are several times faster than many of a few numbers.
        found = np.array(lines[:, ::width])
        for place in range(1, min(width, self._width)):
            more = lines[:, place::width]
            found[:, : more.shape[1]] += more
        return found
