"""Plots of dots: eight in each character (braille), in any terminal."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

__all__ = ["plot"]

# Bits of the dots of a braille character, by row and column.
_DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
_BRAILLE: Final = 0x2800
_AXIS: Final = 10


def plot(
    low: Any,
    high: Any,
    size: tuple[int, int],
    *,
    x_range: tuple[float, float] | None = None,
    x_label: str = "",
    y_label: str = "",
) -> list[str]:
    """Return the lines of a plot.

    Parameters
    ----------
    low, high
        For each bin along the horizontal axis the smallest and largest value; NaN where there
        is none.
    size
        Height and width in characters, axes included.
    x_range
        What the first and last bin stand for.
    x_label, y_label
        What the axes are.
    """
    height, width = max(4, size[0]), max(_AXIS + 8, size[1])
    rows, columns = height - 2, width - _AXIS
    low, high = np.asarray(low, float), np.asarray(high, float)
    finite = np.isfinite(low) & np.isfinite(high)
    if not finite.any():
        return ["no values"]
    bottom, top = float(low[finite].min()), float(high[finite].max())
    if bottom == top:
        pad = abs(bottom) / 10 or 1.0
        bottom, top = bottom - pad, top + pad
    dots = _dots(low, high, finite, (bottom, top), (4 * rows, 2 * columns))
    lines = ["".join(map(chr, line)) for line in _characters(dots)]
    middle = bottom / 2 + top / 2
    labels = {0: f"{top:.5g}", rows // 2: f"{middle:.5g}", rows - 1: f"{bottom:.5g}"}
    made = [
        f"{labels.get(n, '')[: _AXIS - 2]:>{_AXIS - 2}} ┤{line}" for n, line in enumerate(lines)
    ]
    made.append(" " * (_AXIS - 1) + "└" + "─" * columns)
    first, last = (f"{value:.6g}" for value in x_range or (0, len(low) - 1))
    label = x_label.center(max(0, columns - len(first) - len(last)))
    made.append((" " * _AXIS + first + label + last)[:width])
    return ([y_label] if y_label else []) + made


def _dots(
    low: Any, high: Any, finite: Any, limits: tuple[float, float], size: tuple[int, int]
) -> Any:
    """Return which dots are set; values beside each other are joined."""
    height, width = size
    bottom, top = limits
    dots = np.zeros(size, bool)
    places = np.minimum((np.arange(len(low)) + 0.5) * width / len(low), width - 1).astype(int)
    span = top / 2 - bottom / 2
    with np.errstate(invalid="ignore"):
        lines = np.stack([(values / 2 - bottom / 2) / span for values in (low, high)])
    lines = np.where(finite, np.round((1 - lines) * (height - 1)), 0).astype(int)
    before: tuple[int, int, int] | None = None
    for bin_, place in enumerate(places.tolist()):
        if not finite[bin_]:
            before = None
            continue
        upper, lower = int(lines[1, bin_]), int(lines[0, bin_])
        dots[upper : lower + 1, place] = True
        if before is not None:
            _join(dots, before, (place, upper, lower))
        before = (place, upper, lower)
    return dots


def _join(dots: Any, a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    """Draw the line between two bins."""
    steps = b[0] - a[0]
    if steps < 1:
        return
    first, last = (a[1] + a[2]) / 2, (b[1] + b[2]) / 2
    for step in range(steps):
        start = first + (last - first) * step / steps
        stop = first + (last - first) * (step + 1) / steps
        top, bottom = sorted((round(start), round(stop)))
        dots[top : bottom + 1, a[0] + step] = True


def _characters(dots: Any) -> Any:
    height, width = dots.shape
    cells = dots.reshape(height // 4, 4, width // 2, 2)
    codes = (cells * _DOTS[None, :, None, :]).sum(axis=(1, 3), dtype=np.uint16)
    return (codes + _BRAILLE).tolist()
