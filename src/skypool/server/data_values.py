"""Values of data as text, and cells of tables as the HTTP API gives them."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

__all__ = ["cell", "value_text"]

# Elements of a cell that are shown; the rest is counted.
_ELEMENTS: Final = 8
_TEXT: Final = 1000


def value_text(value: Any) -> str:
    """Return a value in as few digits as tell it apart from its neighbours, whatever its type."""
    if isinstance(value, np.complexfloating | complex):
        real, imaginary = value_text(value.real), value_text(value.imag)
        sign = "" if imaginary.startswith("-") else "+"
        return f"{real}{sign}{imaginary}i"
    if isinstance(value, np.bool_ | bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("latin-1").rstrip("\0")
    if isinstance(value, np.floating | float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value)


def cell(value: Any) -> Any:
    """Return a cell of a table as a value of Python.

    Missing values are None; of arrays in cells the first elements, and how many there are, as
    text.
    """
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, bytes):
        return _cut(value.decode("latin-1").rstrip("\0"))
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.complexfloating | complex):
        return value_text(value)
    if isinstance(value, np.float32 | np.float16):  # the shortest digits that mean it
        return float(str(value))
    if isinstance(value, np.generic):
        return value.item() if value.itemsize <= 8 else float(value)
    if isinstance(value, int | float):
        return value
    return _cut(str(value))


def _array(value: Any) -> Any:
    if not value.ndim:
        return cell(value[()])
    flat = value.reshape(-1)
    shown = ["-" if item is np.ma.masked else value_text(item) for item in flat[:_ELEMENTS]]
    more = ", …" if flat.size > _ELEMENTS else ""
    shape = f" ({' × '.join(map(str, value.shape))})" if more or value.ndim > 1 else ""
    return _cut(f"[{', '.join(shown)}{more}]{shape}")


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"
