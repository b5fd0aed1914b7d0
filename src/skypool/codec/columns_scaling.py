"""Scaling of stored values: BSCALE and BZERO, TSCAL and TZERO (FITS 4.0, sections 4.4.2, 7.3.2).

The types of the results are those of astropy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["image_dtype", "physical", "physical_function", "scaled"]

Values = np.ndarray[Any, Any]

# Zero points that stand for unsigned integers, and for signed bytes (tables 11 and 19).
_UNSIGNED = {("i", 2): 2**15, ("i", 4): 2**31, ("i", 8): 2**63, ("u", 1): -128}
_SIGN_FLIPPED = {("i", 2): "u2", ("i", 4): "u4", ("i", 8): "u8", ("u", 1): "i1"}


def _flipped(stored: np.dtype[Any], scale: float, zero: float) -> np.dtype[Any] | None:
    """Return the integer type that a zero point stands for, None where it is an offset."""
    kind = (stored.kind, stored.itemsize)
    if scale == 1 and zero != 0 and _UNSIGNED.get(kind) == zero:
        return np.dtype(_SIGN_FLIPPED[kind])
    return None


def _flip(stored: Values, dtype: np.dtype[Any]) -> Values:
    """Add half the range exactly, by turning the highest bit."""
    native = stored.astype(stored.dtype.newbyteorder("="))
    unsigned = native.view(f"u{native.itemsize}")
    unsigned ^= unsigned.dtype.type(1 << (8 * native.itemsize - 1))
    return unsigned.view(dtype)


def scaled(stored: Values, scale: float, zero: float) -> Values:
    """Return the values of a table column.

    Parameters
    ----------
    stored
        Numbers in any byte order.
    scale, zero
        TSCAL and TZERO.

    Returns
    -------
    ndarray
        zero + scale x stored as float64 (complex128), unsigned integers where the zero
        point stands for them, and the stored values where nothing is scaled.
    """
    if scale == 1 and zero == 0:
        return stored.astype(stored.dtype.newbyteorder("="))
    flipped = _flipped(stored.dtype, scale, zero)
    if flipped is not None:
        return _flip(stored, flipped)
    values = stored.astype("c16" if stored.dtype.kind == "c" else "f8")
    if scale != 1:
        values *= scale
    if zero != 0:
        values += zero
    return values


def image_dtype(
    stored: np.dtype[Any], scale: float, zero: float, blank: int | None
) -> np.dtype[Any]:
    """Return the type of the values of an image as the user sees them, native byte order.

    Parameters
    ----------
    stored
        Of the stored values.
    scale, zero, blank
        BSCALE, BZERO, BLANK (None where there is none).
    """
    plain = stored.newbyteorder("=")
    if scale == 1 and zero == 0 and (blank is None or plain.kind == "f"):
        return plain
    flipped = _flipped(stored, scale, zero)
    if flipped is not None:
        return flipped
    if plain.kind == "f":
        return plain
    return np.dtype("f4" if plain.itemsize <= 2 else "f8")


def physical(stored: Values, scale: float, zero: float, blank: int | None = None) -> Values:
    """Return the values of an image as the user sees them.

    Parameters
    ----------
    stored
        Any shape, any byte order.
    scale, zero
        BSCALE and BZERO.
    blank
        BLANK: the stored integer that means that there is no value; becomes NaN, except in
        unsigned integers. As in astropy, 0 is not taken for a blank.

    Returns
    -------
    ndarray
        The shape of `stored`, native byte order.
    """
    dtype = image_dtype(stored.dtype, scale, zero, blank)
    if scale == 1 and zero == 0 and dtype.kind == stored.dtype.kind:
        return stored.astype(dtype)
    if _flipped(stored.dtype, scale, zero) is not None:
        return _flip(stored, dtype)
    values = stored.astype(dtype)
    # In place, so that float32 stays float32, as in astropy.
    if scale != 1:
        np.multiply(values, scale, out=values, casting="same_kind")
    if zero != 0:
        np.add(values, zero, out=values, casting="same_kind")
    if blank and stored.dtype.kind in "iu":
        values[stored == blank] = np.nan
    return values


def physical_function(
    scale: float, zero: float, blank: int | None = None
) -> Callable[[Values], Values]:
    """Return `physical` for one image."""
    if scale == 1 and zero == 0 and blank is None:
        return lambda stored: stored
    return lambda stored: physical(stored, scale, zero, blank)
