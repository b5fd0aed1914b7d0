"""Stored values of arrays and the physical values that they stand for.

FITS 4.0, section 4.4.2.5: value = BZERO + BSCALE x stored; BLANK marks integers without
a value; section 5.2.5: unsigned integers are signed ones with an offset. Types follow
astropy: scaled integers of up to 16 bits become float32, longer ones float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["OFFSETS", "physical", "physical_dtype", "stored"]

# Offsets that only change the sign of an integer type, by stored type.
OFFSETS: dict[str, tuple[int, np.dtype[Any]]] = {
    "u1": (-128, np.dtype("int8")),
    "i2": (2**15, np.dtype("uint16")),
    "i4": (2**31, np.dtype("uint32")),
    "i8": (2**63, np.dtype("uint64")),
}
# By type in memory, without its byte order.
_STORED = {"i1": "|u1", "u2": ">i2", "u4": ">i4", "u8": ">i8", "b1": "|u1"}


def physical_dtype(
    kind: str, zero: float = 0, scale: float = 1, blank: int | None = None
) -> np.dtype[Any]:
    """Return the type of the physical values of an image.

    Parameters
    ----------
    kind
        Type of the stored values, such as `>i2`.
    zero, scale, blank
        BZERO, BSCALE and BLANK.
    """
    dtype = np.dtype(kind).newbyteorder("=")
    if dtype.kind == "f":
        return dtype
    plain = scale == 1 and zero == 0
    if plain and blank is None:
        return dtype
    offset, unsigned = OFFSETS[kind[1:]]
    if scale == 1 and zero == offset:
        return unsigned
    return np.dtype("float64" if dtype.itemsize > 2 else "float32")


def physical(
    raw: np.ndarray[Any, Any],
    dtype: np.dtype[Any],
    zero: float = 0,
    scale: float = 1,
    blank: int | None = None,
) -> np.ndarray[Any, Any]:
    """Return the physical values of stored ones, in native byte order.

    Parameters
    ----------
    raw
        Stored values, any shape.
    dtype
        Type of the physical values.
    zero, scale, blank
        As in `physical_dtype`; NaN stands for blank values where the result is of floats.
    """
    if dtype.kind == "b":
        return raw.astype(bool)
    if dtype.kind in "iu":
        native = raw.astype(raw.dtype.newbyteorder("="))
        if zero == 0:
            return native if native.dtype == dtype else native.astype(dtype)
        # Adding half the range is flipping the highest bit.
        half = native.dtype.type(-(1 << (8 * native.itemsize - 1)) if dtype.kind == "u" else 0x80)
        return np.asarray(native ^ half).view(dtype)
    values = raw.astype(dtype)
    if scale != 1:
        np.multiply(values, scale, values)
    if zero != 0:
        values += dtype.type(zero) if dtype.kind == "f" else zero
    if blank is not None and raw.dtype.kind in "iu":
        values[raw == blank] = np.nan
    return values


def stored(values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], int]:
    """Return values in memory as they are stored (FITS byte order), and their zero point.

    Parameters
    ----------
    values
        Booleans, integers, floats or complex numbers.
    """
    name = values.dtype.str[1:]
    if name not in _STORED:
        return np.ascontiguousarray(values, values.dtype.newbyteorder(">")), 0
    kind = np.dtype(_STORED[name])
    if name == "b1":
        return np.ascontiguousarray(values).view(np.uint8), 0
    native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    if name == "i1":
        return native.view(np.uint8) ^ np.uint8(0x80), -128
    half = 1 << (8 * native.itemsize - 1)
    flipped = (native ^ native.dtype.type(half)).view(kind.newbyteorder("="))
    return flipped.astype(kind), half
