"""From numbers to colours: stretches, and colour maps as tables of 256 colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from skypool.errors import UsageError

__all__ = ["COLOUR_MAPS", "STRETCHES", "colour_map", "colours", "stretched"]

Floats: TypeAlias = npt.NDArray[np.float32]
Bytes: TypeAlias = npt.NDArray[np.uint8]

# The linear part of asinh is a tenth of the range; logarithms span three decades: what images
# of the sky are usually shown with (those of DS9 and of astropy.visualization).
_SOFTENING: Final = 0.1
_CONTRAST: Final = 1000.0

# Every sixteenth colour of maps that matplotlib gave to the public domain (CC0).
_NODES: Final = {
    "viridis": (
        "44015448186a472d7b4240863b528b33638d2c728e26828e21908c"
        "1f9f8827ad813ebc745cc86382d34daadc32d5e21afde725"
    ),
    "inferno": (
        "0000040b0724210c4a3d096556106e70196e89226aa32c61bb3654"
        "d14545e35932f1721ef98c0afcaa0ff9c932f2e865fcffa4"
    ),
    "cividis": (
        "00224e002e6a1a386f32436d434e6c535a6d61656f6f70737c7c78"
        "8b87789a9376aaa073bbad6dccba64ddc858efd748fee838"
    ),
    "coolwarm": (
        "3b4cc04e68d86282ea779af78db0fea3c2feb8d0f9ccd9eddcdcdc"
        "ebd3c6f4c5adf7b194f49a7bec7f63de614dcb3e38b40426"
    ),
}
_FORMULAE: Final = ("gray", "heat", "rainbow")
#: Names of the colour maps; with `_r` behind them they run the other way.
COLOUR_MAPS: Final = ("gray", "viridis", "inferno", "heat", "cividis", "rainbow", "coolwarm")


def _linear(share: Floats) -> Floats:
    return share


def _asinh(share: Floats) -> Floats:
    return _floats(np.arcsinh(share / _SOFTENING) / np.arcsinh(1 / _SOFTENING))


def _log(share: Floats) -> Floats:
    return _floats(np.log1p(_CONTRAST * share) / np.log1p(_CONTRAST))


def _sqrt(share: Floats) -> Floats:
    return _floats(np.sqrt(share))


def _histogram(share: Floats) -> Floats:
    """Give every colour to equally many values."""
    known = np.sort(share[np.isfinite(share)], axis=None)
    if not known.size or known[0] == known[-1]:
        return share
    below = np.searchsorted(known, share, "left") + np.searchsorted(known, share, "right")
    ranks = (below - below[np.isfinite(share)].min()) / (2 * known.size)
    ranks[~np.isfinite(share)] = np.nan
    return _floats(ranks / np.nanmax(ranks))


def _floats(values: Any) -> Floats:
    return np.asarray(values, np.float32)


#: Each takes values between 0 and 1 and gives such values; NaN stays NaN.
STRETCHES: Final[dict[str, Callable[[Floats], Floats]]] = {
    "asinh": _asinh,
    "linear": _linear,
    "log": _log,
    "sqrt": _sqrt,
    "histogram": _histogram,
}


def stretched(values: npt.ArrayLike, low: float, high: float, stretch: str = "asinh") -> Floats:
    """Return values as numbers between 0 and 1, for a colour map.

    Parameters
    ----------
    values
        Of any shape.
    low, high
        What becomes 0 and 1; beyond them everything does. If they are equal, values become one
        half.
    stretch
        One of `STRETCHES`.

    Returns
    -------
    ndarray of float32
        NaN where the values are NaN; infinities are at the ends.

    Raises
    ------
    UsageError
        If there is no such stretch.
    """
    if stretch not in STRETCHES:
        raise UsageError(f"there is no stretch {stretch!r}", candidates=list(STRETCHES))
    numbers = np.asarray(values, np.float64)
    if not high > low:
        return _floats(np.where(np.isnan(numbers), np.nan, 0.5))
    with np.errstate(invalid="ignore", over="ignore"):
        # Each is divided: the difference of two large limits may be too large for a float.
        share = (numbers / 2 - low / 2) / (high / 2 - low / 2)
    return STRETCHES[stretch](_floats(np.clip(share, 0, 1)))


def colours(share: npt.ArrayLike, name: str = "gray") -> Bytes:
    """Return the colours of numbers between 0 and 1.

    Parameters
    ----------
    share
        Of any shape; what is not finite is transparent.
    name
        One of `COLOUR_MAPS`, or one with `_r` behind it.

    Returns
    -------
    ndarray of uint8, shape (..., 4)
        Red, green, blue, opacity (0 or 255).
    """
    numbers = np.asarray(share, np.float32)
    finite = np.isfinite(numbers)
    place = np.where(finite, np.clip(numbers, 0, 1) * 255 + 0.5, 0).astype(np.uint8)
    found = np.empty((*numbers.shape, 4), np.uint8)
    found[..., :3] = colour_map(name)[place]
    found[..., :3][~finite] = 0
    found[..., 3] = np.where(finite, 255, 0)
    return found


@cache
def colour_map(name: str) -> Bytes:
    """Return the 256 colours of a map, as an array of shape (256, 3), read-only.

    Raises
    ------
    UsageError
        If there is no such map.
    """
    plain = name.removesuffix("_r")
    if plain not in COLOUR_MAPS:
        raise UsageError(f"there is no colour map {name!r}", candidates=list(COLOUR_MAPS))
    table = _formula(plain) if plain in _FORMULAE else _between(_NODES[plain])
    table = np.ascontiguousarray(table[::-1] if name != plain else table)
    table.flags.writeable = False
    return table


def _formula(name: str) -> Bytes:
    x = np.arange(256) / 255
    if name == "gray":
        parts = [x, x, x]
    elif name == "heat":  # black, red, yellow, white, as DS9 has it
        parts = [3 * x, 3 * x - 1, 3 * x - 2]
    else:  # blue, cyan, green, yellow, red
        parts = [np.abs(2 * x - 0.5), np.sin(np.pi * x), np.cos(np.pi * x / 2)]
    return np.round(255 * np.clip(np.stack(parts, axis=-1), 0, 1)).astype(np.uint8)


def _between(nodes: str) -> Bytes:
    """Return 256 colours, evenly between those that are given in hexadecimal digits."""
    known = np.frombuffer(bytes.fromhex(nodes), np.uint8).reshape(-1, 3)
    places = np.linspace(0, 255, len(known))
    parts = [np.interp(np.arange(256), places, known[:, part]) for part in range(3)]
    return np.round(np.stack(parts, axis=-1)).astype(np.uint8)
