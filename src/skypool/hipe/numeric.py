"""HIPE's numeric names (``herschel.ia.numeric``) over numpy: arrays, functions, `max`, `min`."""

from __future__ import annotations

from typing import Any

import numpy as np

from skypool.hipe.numeric_arrays import ArrayData
from skypool.hipe.numeric_classes import CLASSES
from skypool.hipe.numeric_functions import (
    BinCentres,
    Histogram,
    elementwise,
    largest,
    modulo,
    places,
    reduction,
    reshaped,
    reverse,
    smallest,
    sort,
    transpose,
    without_nan,
)
from skypool.hipe.numeric_selection import Selection

__all__ = [
    "ABS",
    "ALL",
    "ANY",
    "ARCCOS",
    "ARCSIN",
    "ARCTAN",
    "CEIL",
    "CONJUGATE",
    "COS",
    "COSH",
    "EXP",
    "FIX",
    "FLOOR",
    "IMAG",
    "IS_FINITE",
    "IS_INFINITE",
    "IS_NAN",
    "LOG",
    "LOG10",
    "MAX",
    "MEAN",
    "MEDIAN",
    "MIN",
    "MODULO",
    "NAN_FILTER",
    "NOT",
    "PRODUCT",
    "REAL",
    "RESHAPE",
    "REVERSE",
    "RMS",
    "ROUND",
    "SIGNUM",
    "SIN",
    "SINH",
    "SORT",
    "SQRT",
    "SQUARE",
    "STDDEV",
    "SUM",
    "TAN",
    "TANH",
    "TRANSPOSE",
    "VARIANCE",
    "WHERE",
    "ArrayData",
    "BinCentres",
    "Bool1d",
    "Bool2d",
    "Bool3d",
    "Bool4d",
    "Bool5d",
    "Byte1d",
    "Byte2d",
    "Byte3d",
    "Byte4d",
    "Byte5d",
    "Complex1d",
    "Complex2d",
    "Complex3d",
    "Complex4d",
    "Complex5d",
    "Double1d",
    "Double2d",
    "Double3d",
    "Double4d",
    "Double5d",
    "Float1d",
    "Float2d",
    "Float3d",
    "Float4d",
    "Float5d",
    "Histogram",
    "Int1d",
    "Int2d",
    "Int3d",
    "Int4d",
    "Int5d",
    "Long1d",
    "Long2d",
    "Long3d",
    "Long4d",
    "Long5d",
    "Selection",
    "Short1d",
    "Short2d",
    "Short3d",
    "Short4d",
    "Short5d",
    "String1d",
    "String2d",
    "String3d",
    "String4d",
    "String5d",
    "max",
    "min",
]


def _ranks(kind: str, item: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Make the classes of a type, of one to five dimensions."""
    made = []
    for rank in range(1, 6):
        text = f"An array of {kind} of {rank} dimension{'s' if rank > 1 else ''}."
        facts = {"kind": kind, "item": np.dtype(item), "rank": rank, "__hash__": None}
        members = {"__doc__": text, "__module__": __name__, **facts}
        cls = CLASSES[kind, rank] = type(f"{kind}{rank}d", (ArrayData,), members)
        made.append(cls)
    one, two, three, four, five = made
    return one, two, three, four, five


Bool1d, Bool2d, Bool3d, Bool4d, Bool5d = _ranks("Bool", np.bool_)
Byte1d, Byte2d, Byte3d, Byte4d, Byte5d = _ranks("Byte", np.int8)
Short1d, Short2d, Short3d, Short4d, Short5d = _ranks("Short", np.int16)
Int1d, Int2d, Int3d, Int4d, Int5d = _ranks("Int", np.int32)
Long1d, Long2d, Long3d, Long4d, Long5d = _ranks("Long", np.int64)
Float1d, Float2d, Float3d, Float4d, Float5d = _ranks("Float", np.float32)
Double1d, Double2d, Double3d, Double4d, Double5d = _ranks("Double", np.float64)
Complex1d, Complex2d, Complex3d, Complex4d, Complex5d = _ranks("Complex", np.complex128)
String1d, String2d, String3d, String4d, String5d = _ranks("String", object)

ABS = elementwise("ABS")
ARCCOS = elementwise("ARCCOS")
ARCSIN = elementwise("ARCSIN")
ARCTAN = elementwise("ARCTAN")
CEIL = elementwise("CEIL")
CONJUGATE = elementwise("CONJUGATE")
COS = elementwise("COS")
COSH = elementwise("COSH")
EXP = elementwise("EXP")
FIX = elementwise("FIX")
FLOOR = elementwise("FLOOR")
IMAG = elementwise("IMAG")
IS_FINITE = elementwise("IS_FINITE")
IS_INFINITE = elementwise("IS_INFINITE")
IS_NAN = elementwise("IS_NAN")
LOG = elementwise("LOG")
LOG10 = elementwise("LOG10")
NOT = elementwise("NOT")
REAL = elementwise("REAL")
ROUND = elementwise("ROUND")
SIGNUM = elementwise("SIGNUM")
SIN = elementwise("SIN")
SINH = elementwise("SINH")
SQRT = elementwise("SQRT")
SQUARE = elementwise("SQUARE")
TAN = elementwise("TAN")
TANH = elementwise("TANH")

MAX = reduction("MAX")
MIN = reduction("MIN")
SUM = reduction("SUM")
PRODUCT = reduction("PRODUCT")
MEAN = reduction("MEAN")
MEDIAN = reduction("MEDIAN")
VARIANCE = reduction("VARIANCE")
STDDEV = reduction("STDDEV")
RMS = reduction("RMS")
ANY = reduction("ANY")
ALL = reduction("ALL")

MODULO = modulo
NAN_FILTER = without_nan
RESHAPE = reshaped
REVERSE = reverse
SORT = sort
TRANSPOSE = transpose
WHERE = places

max = largest
min = smallest
