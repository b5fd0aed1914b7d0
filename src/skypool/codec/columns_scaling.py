"""Scaling of table columns: TSCAL and TZERO (FITS 4.0, section 7.3.2).

Types of the results are those of astropy; images are scaled by `scaling`, where small integers
become float32 instead of float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skypool.codec.scaling import OFFSETS, physical

__all__ = ["scaled"]


def scaled(stored: np.ndarray[Any, Any], scale: float, zero: float) -> np.ndarray[Any, Any]:
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
        point stands for them, and the stored values where nothing is scaled; native byte
        order.
    """
    if scale == 1 and zero == 0:
        return stored.astype(stored.dtype.newbyteorder("="))
    offset, dtype = OFFSETS.get(stored.dtype.str[1:], (0, np.dtype(float)))
    if scale == 1 and zero == offset:
        return physical(stored, dtype, zero)
    dtype = np.dtype(complex if stored.dtype.kind == "c" else float)
    return physical(stored, dtype, zero, scale)
