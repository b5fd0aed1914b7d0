"""Columns made in memory: from values to the bytes of a FITS binary table.

The reverse of `columns.decode_column`: decoding gives the values back, in their type where FITS
has one (half precision becomes single, long double becomes double).
"""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

import numpy as np

from skypool.codec.columns_spec import ColumnSpec
from skypool.errors import UsageError

__all__ = ["encode_column"]

Values: TypeAlias = np.ndarray[Any, Any]

# Numpy's kind and size: letter of TFORM, stored type, TZERO.
_CODES: dict[str, tuple[str, str, int]] = {
    "b1": ("L", "u1", 0),
    "i1": ("B", "u1", -128),
    "u1": ("B", "u1", 0),
    "i2": ("I", ">i2", 0),
    "u2": ("I", ">i2", 2**15),
    "i4": ("J", ">i4", 0),
    "u4": ("J", ">i4", 2**31),
    "i8": ("K", ">i8", 0),
    "u8": ("K", ">i8", 2**63),
    "f2": ("E", ">f4", 0),
    "f4": ("E", ">f4", 0),
    "f8": ("D", ">f8", 0),
    "f16": ("D", ">f8", 0),
    "c8": ("C", ">c8", 0),
    "c16": ("M", ">c16", 0),
    "c32": ("M", ">c16", 0),
}
# 32-bit descriptors reach this far into the heap.
_P_LIMIT = 2**31 - 1


def encode_column(
    name: str, values: Any, unit: str = "", description: str = ""
) -> tuple[ColumnSpec, Values, bytes | None]:
    """Turn values into the bytes of a column.

    Parameters
    ----------
    name, unit, description
        Texts of the column.
    values
        An array of shape (rows, ...) of booleans, numbers, text or bytes; masked values
        become NaN, empty text, false, or in integers a TNULL. An `object` array with an
        array in each cell becomes a column of variable length, one of texts a column of text.

    Returns
    -------
    spec : ColumnSpec
    raw : ndarray
        Shape (rows, width), uint8.
    heap : bytes or None
        Bytes that the descriptors point at, offsets from 0; None for columns of fixed width.

    Raises
    ------
    UsageError
        If FITS has no type for the values.
    """
    array = np.ma.asanyarray(values) if np.ma.isMaskedArray(values) else np.asarray(values)
    if array.ndim == 0:
        raise UsageError(f"column {name!r} is a single value, not one per row")
    if array.dtype.kind == "O":
        array, cells = _unpacked(name, array)
        if cells is not None:
            return _encode_variable(name, cells, unit, description)
    array, null = _filled(array)
    if array.dtype.kind in "US":
        width, dim, raw = _encode_text(array)
        return ColumnSpec(name, f"{width}A", unit, description, dim), raw, None
    code, stored, zero = _code_of(name, array.dtype)
    raw = _stored(array, code, stored, zero)
    count = prod(array.shape[1:])
    spec = ColumnSpec(
        name,
        f"{count if array.ndim > 1 else ''}{code}",
        unit,
        description,
        dim=_dim(array.shape[1:]),
        zero=zero,
        null=null,
    )
    return spec, raw.reshape(-1).view(np.uint8).reshape(len(array), spec.width), None


def _code_of(name: str, dtype: np.dtype[Any]) -> tuple[str, str, int]:
    found = _CODES.get(f"{dtype.kind}{dtype.itemsize}")
    if found is None:
        raise UsageError(f"column {name!r}: a FITS table cannot hold values of type {dtype}")
    return found


def _dim(shape: tuple[int, ...]) -> str:
    # "1J" alone would be a single value, not an array of one.
    needed = len(shape) > 1 or shape == (1,)
    return f"({','.join(str(n) for n in reversed(shape))})" if needed else ""


def _filled(array: Values) -> tuple[Values, int | None]:
    """Replace masked values by what FITS has for them."""
    if not isinstance(array, np.ma.MaskedArray):
        return array, None
    mask = np.ma.getmaskarray(array)
    plain = np.array(array.data)
    if not mask.any():
        return plain, None
    kind = plain.dtype.kind
    if kind in "fc":
        plain[mask] = np.nan
    elif kind in "USb":
        plain[mask] = plain.dtype.type()
    else:
        null = _unused(plain[~mask])
        plain[mask] = null
        # TNULL is the stored value, without TZERO (section 7.3.2).
        _, _, zero = _code_of("", plain.dtype)
        return plain, int(null) - zero
    return plain, None


def _unused(values: Values) -> int:
    """Return an integer of the type that does not occur among the values."""
    limits = np.iinfo(values.dtype)
    if not values.size or values.min() > limits.min:
        return int(limits.min)
    if values.max() < limits.max:
        return int(limits.max)
    taken = np.unique(values)
    for low, high in zip(taken[:-1].tolist(), taken[1:].tolist(), strict=True):
        if high - low > 1:
            return int(low) + 1
    raise UsageError("a column with masked values uses all integers of its type")


def _stored(array: Values, code: str, stored: str, zero: int) -> Values:
    if code == "L":
        letters: Values = np.where(array, np.uint8(ord("T")), np.uint8(ord("F")))
        return letters
    if zero:
        native = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
        bits = native.view(f"u{native.itemsize}") ^ np.array(
            1 << (8 * native.itemsize - 1), f"u{native.itemsize}"
        )
        signed: Values = bits.astype(f">u{native.itemsize}").view(stored)
        return signed
    plain: Values = np.ascontiguousarray(array.astype(stored))
    return plain


def _encode_text(array: Values) -> tuple[int, str, Values]:
    """Give text as ASCII, as UTF-8 where it has other characters: width, TDIM, bytes."""
    if array.dtype.kind == "U":
        if array.size and array.dtype.itemsize and not _is_ascii(array):
            array = np.strings.encode(array, "utf-8")
        else:
            array = array.astype(f"S{max(1, array.dtype.itemsize // 4)}")
    size = array.dtype.itemsize
    count = prod(array.shape[1:])
    raw = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), count * size)
    dim = _dim((*array.shape[1:], size)) if array.ndim > 1 else ""
    return count * size, dim, raw


def _is_ascii(array: Values) -> bool:
    native = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
    return bool(native.view(np.uint32).max() < 128)


def _unpacked(name: str, array: Values) -> tuple[Values, list[Values] | None]:
    """Say what is in an `object` array: text (returned as such), or arrays of any length."""
    mask = np.ma.getmaskarray(array)
    flat = np.asarray(array).reshape(-1).tolist()
    flat = [None if masked else cell for cell, masked in zip(flat, mask.reshape(-1), strict=True)]
    if all(cell is None or isinstance(cell, str | bytes) for cell in flat):
        texts = [
            cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell or ""
            for cell in flat
        ]
        return np.array(texts, dtype=str).reshape(array.shape), None
    if array.ndim > 1:
        raise UsageError(f"column {name!r}: cells of objects can have one axis only")
    cells = [np.empty(0) if cell is None else np.asarray(cell) for cell in flat]
    if all(cell.ndim == 0 for cell in cells):
        plain = np.array(flat)
        if plain.dtype.kind in "biufcUS":
            return plain, None
    return array, cells


def _encode_variable(
    name: str, cells: list[Values], unit: str, description: str
) -> tuple[ColumnSpec, Values, bytes | None]:
    """Store arrays of various lengths: descriptors in the rows, values in the heap."""
    filled = [cell for cell in cells if cell.size]
    try:
        dtype = np.result_type(*(cell.dtype for cell in filled)) if filled else np.dtype("f8")
    except TypeError as error:
        raise UsageError(f"column {name!r}: its arrays have no type in common: {error}") from None
    code, stored, zero = _code_of(name, dtype)
    parts = [
        _stored(cell.astype(dtype), code, stored, zero).tobytes() if cell.size else b""
        for cell in cells
    ]
    heap = b"".join(parts)
    letter, kind = ("P", ">i4") if len(heap) <= _P_LIMIT else ("Q", ">i8")
    pairs = np.zeros((len(cells), 2), kind)
    pairs[:, 0] = [cell.size for cell in cells]
    pairs[1:, 1] = np.cumsum([len(part) for part in parts])[:-1] if cells else 0
    longest = max((cell.size for cell in cells), default=0)
    shapes = {cell.shape[1:] for cell in filled}
    inner = shapes.pop() if len(shapes) == 1 else ()
    spec = ColumnSpec(
        name,
        f"1{letter}{code}({longest})",
        unit=unit,
        description=description,
        dim=_dim((max((len(cell) for cell in filled), default=0), *inner)) if inner else "",
        zero=zero,
    )
    raw = pairs.view(np.uint8).reshape(len(cells), spec.width)
    return spec, raw, heap
