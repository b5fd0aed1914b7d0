"""How HIPE, that is Java, writes numbers and arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["java_float", "java_text", "text_of"]


def java_float(value: float, digits: str | None = None) -> str:
    """Write a floating point number as Java does.

    Parameters
    ----------
    value
        The number.
    digits
        Its shortest decimal text, where that is known.

    Returns
    -------
    str
        Such as ``1.0``, ``1.0E10``, ``NaN``.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = digits or repr(float(value))
    size = abs(value)
    if size == 0 or 1e-3 <= size < 1e7:
        return np.format_float_positional(value, trim="0") if "e" in text else text
    mantissa, _, exponent = np.format_float_scientific(value, trim="0", exp_digits=1).partition("e")
    return f"{mantissa}E{int(exponent)}"


def java_text(value: Any) -> str:
    """Write a value as Java does.

    Parameters
    ----------
    value
        A number, a truth value, a text, None.

    Returns
    -------
    str
    """
    if value is None:
        return "null"
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, np.float32):
        return java_float(value, str(value))  # type: ignore[arg-type]
    if isinstance(value, float):
        return java_float(value)
    if isinstance(value, complex):
        return f"({java_float(value.real)},{java_float(value.imag)})"
    return str(value)


def text_of(values: npt.NDArray[Any]) -> str:
    """Write an array as HIPE does.

    Parameters
    ----------
    values
        The array.

    Returns
    -------
    str
        Such as ``[1.0,2.0]``; a line for each row where there are more dimensions.
    """
    return "\n".join(_lines(values, ""))


def _lines(values: npt.NDArray[Any], indent: str) -> list[str]:
    if values.ndim <= 1:
        return [f"{indent}[{','.join(java_text(part) for part in np.atleast_1d(values))}]"]
    lines = [f"{indent}["]
    for number, part in enumerate(values):
        inner = _lines(part, f"{indent} ")
        if number < len(values) - 1:
            inner[-1] += ","
        lines += inner
    return [*lines, f"{indent}]"]
