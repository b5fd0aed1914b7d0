"""Values of which some are missing, for who knows no masks: NaN, or an empty text."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from skypool.errors import UsageError
from skypool.model.sources import Ndarray

__all__ = ["filled"]

_SIGNS: Final[dict[str, Any]] = {"f": np.nan, "c": np.nan, "U": "", "S": b""}


def filled(
    values: Ndarray, name: str, *, as_float: bool = False, wanted: np.dtype[Any] | None = None
) -> Ndarray:
    """Return values without mask; whole numbers of which some are missing as float64.

    Parameters
    ----------
    values
        Some or all values of a column.
    name
        Of the column.
    as_float
        Make whole numbers float64 though none is missing here, since some are elsewhere.
    wanted
        The type that they will become.

    Raises
    ------
    UsageError
        If nothing says that one is missing, or float64 has no room for all digits.
    """
    holes = isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values)
    if values.dtype.kind in "iub" and (as_float or holes):
        values = _floats(values, name)
    if not holes or values.dtype.kind == "O":
        return np.asarray(values)
    if values.dtype.kind not in _SIGNS or (wanted is not None and wanted.kind in "iub"):
        raise UsageError(
            f"values are missing in column {name!r}, and type {wanted or values.dtype} has no sign "
            "for that",
            hint="column[:] is a masked array; or use table.to_pandas() or table.to_arrow()",
        )
    masked: Any = values
    return np.asarray(masked.filled(_SIGNS[values.dtype.kind]))


def _floats(values: Ndarray, name: str) -> Ndarray:
    made: Ndarray = values.astype(np.float64)
    if values.dtype.itemsize == 8 and np.ma.any(np.abs(made) > 2.0**53):
        raise UsageError(
            f"values are missing in column {name!r}, whose whole numbers are too large "
            "for floating point numbers beside NaN",
            hint="column[:] is a masked array; or use table.to_pandas() or table.to_arrow()",
        )
    return made
