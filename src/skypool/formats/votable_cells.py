"""Values of VOTable cells: types of fields, TABLEDATA text, BINARY and BINARY2 bytes.

VOTable 1.5, section 2.1 (arrays), 6 (serialisations). What is missing becomes NaN
for floating-point cells, the mask of a masked array for others, and the empty text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from skypool.formats.parsing import NotUnderstood
from skypool.formats.votable_xml import Entry

__all__ = ["Cell", "cell_type", "from_binary", "from_text"]

Values = np.ndarray[Any, Any]

_DTYPES = {
    "boolean": "?",
    "bit": "?",
    "unsignedByte": "u1",
    "short": "i2",
    "int": "i4",
    "long": "i8",
    "float": "f4",
    "double": "f8",
    "floatComplex": "c8",
    "doubleComplex": "c16",
}
_TEXT = {"char": 1, "unicodeChar": 2}
_ARRAYSIZE = re.compile(r"(\d+x)*(\d+|\d*\*)")
_SPLIT = re.compile(r"[\s,]+")
_TRUE = {"T", "TRUE", "1"}
_FALSE = {"F", "FALSE", "0"}
_UNKNOWN = {"", "?", "\0"}
MAX_CELL = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Cell:
    """The type of the cells of a field.

    Attributes
    ----------
    name
        Of the field, for messages.
    datatype
        VOTable's word.
    dims
        The fixed axes of a cell, slowest first, without the length of texts.
    variable
        Whether a further, slowest axis differs from row to row.
    length
        Characters of a text: 0 where it is not fixed (or bounded only).
    null
        The integer that stands for "no value".
    """

    name: str
    datatype: str
    dims: tuple[int, ...]
    variable: bool
    length: int
    null: int | float | None

    @property
    def is_text(self) -> bool:
        """Whether the cells are texts."""
        return self.datatype in _TEXT

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, native byte order; objects for texts."""
        return np.dtype(object if self.is_text else _DTYPES[self.datatype])

    @property
    def count(self) -> int:
        """Number of elements of the fixed axes."""
        return math.prod(self.dims)

    @property
    def width(self) -> int:
        """Bytes in BINARY of the elements of the fixed axes."""
        if self.is_text:
            return self.count * self.length * _TEXT[self.datatype]
        if self.datatype == "bit":
            return (self.count + 7) // 8
        return self.count * self.dtype.itemsize

    @property
    def fixed(self) -> bool:
        """Whether all cells have the same number of bytes in BINARY."""
        return not self.variable and not (self.is_text and self.length == 0)


def cell_type(entry: Entry) -> Cell:
    """Read the type of a FIELD or PARAM.

    Raises
    ------
    NotUnderstood
        If there is no such type.
    """
    name = entry.attributes.get("name") or entry.attributes.get("ID", "")
    datatype = entry.attributes.get("datatype", "char")
    if datatype not in _DTYPES and datatype not in _TEXT:
        raise NotUnderstood(f"field {name!r} has the unknown datatype {datatype[:100]!r}")
    arraysize = entry.attributes.get("arraysize", "").strip()
    if arraysize and not _ARRAYSIZE.fullmatch(arraysize):
        raise NotUnderstood(f"field {name!r} has the arraysize {arraysize[:100]!r}")
    # A scalar has no arraysize; 1 is an array of one element (astropy: the same).
    parts = arraysize.split("x") if arraysize else []
    length = 0
    variable = bool(parts) and parts[-1].endswith("*")
    if datatype in _TEXT:
        first = parts.pop(0) if parts else "1"
        length = 0 if first.endswith("*") else int(first)
        variable = variable and bool(parts)
    if variable:
        parts.pop()
    dims = tuple(int(part) for part in reversed(parts))
    null = _null(entry.null, datatype, name)
    cell = Cell(name, datatype, dims, variable, length, null)
    if cell.width > MAX_CELL:
        raise NotUnderstood(f"field {name!r} has cells of {cell.width} bytes")
    return cell


def _null(text: str | None, datatype: str, name: str) -> int | float | None:
    if text is None or not text.strip() or datatype in ("boolean", "bit", *_TEXT):
        return None
    try:
        if np.dtype(_DTYPES[datatype]).kind in "iu":
            return _integer(text)
        return float(text)
    except ValueError:
        raise NotUnderstood(f"field {name!r} has the null value {text[:100]!r}") from None


def _integer(text: str) -> int:
    text = text.strip()
    return int(text[2:], 16) if text[:2].lower() == "0x" else int(text)


def from_text(cell: Cell, texts: list[str]) -> Values:
    """Convert the TABLEDATA texts of cells of one field.

    Returns
    -------
    ndarray
        Shape (n, *dims); objects where cells vary in length, or are texts.

    Raises
    ------
    NotUnderstood
        If a text does not say a value of the type.
    """
    if cell.variable:
        return _objects([_text_cell(cell, text) for text in texts])
    if cell.is_text and not cell.dims:
        return _objects(texts)
    if not cell.dims:
        return _scalars(cell, texts)
    cells = [_text_cell(cell, text) for text in texts]
    empty = np.empty((0, *cell.dims), cell.dtype)
    stacked = np.ma.stack(cells) if cells else empty
    return _simple(stacked)


def _simple(values: Values) -> Values:
    """Return a plain array where nothing is masked."""
    if isinstance(values, np.ma.MaskedArray) and not np.ma.getmaskarray(values).any():
        return np.asarray(values)
    return values


def _objects(items: list[Any]) -> Values:
    array = np.empty(len(items), object)
    for number, item in enumerate(items):  # a slice would look into the items
        array[number] = item
    return array


def _text_cell(cell: Cell, text: str) -> Values:
    """Convert one cell that is an array."""
    if cell.is_text:
        return _strings(cell, text)
    if cell.datatype == "bit":
        parts = list(_SPLIT.sub("", text))
    else:
        parts = [part for part in _SPLIT.split(text.strip()) if part]
    per = 2 if cell.dtype.kind == "c" else 1
    items = cell.count * per
    if not cell.variable:
        if not parts:
            return _masked(np.zeros(cell.dims, cell.dtype), np.True_)
        if len(parts) < items:
            parts += ["nan" if cell.dtype.kind in "fc" else ""] * (items - len(parts))
        parts = parts[:items]
    elif items == 0 or len(parts) % items:
        raise NotUnderstood(f"field {cell.name!r}: {len(parts)} values do not fill its axes")
    scalar = Cell(cell.name, cell.datatype, (), False, 0, cell.null)
    if per == 2:
        parts = [f"{a} {b}" for a, b in zip(parts[::2], parts[1::2], strict=True)]
    values = _scalars(scalar, parts)
    shape = (-1, *cell.dims) if cell.variable else cell.dims
    return values.reshape(shape) if values.size else np.empty((0, *cell.dims), cell.dtype)


def _strings(cell: Cell, text: str) -> Values:
    """Cut one text into the strings of an array of strings."""
    if cell.length == 0:
        raise NotUnderstood(f"field {cell.name!r} is an array of texts without a length")
    strings = [text[i : i + cell.length].rstrip("\0") for i in range(0, len(text), cell.length)]
    if not cell.variable:
        strings = (strings + [""] * cell.count)[: cell.count]
        return _objects(strings).reshape(cell.dims)
    if cell.count == 0:
        raise NotUnderstood(f"field {cell.name!r} has an axis of length 0")
    strings += [""] * (-len(strings) % cell.count)
    return _objects(strings).reshape((-1, *cell.dims))


def _masked(values: Values, mask: Any) -> Values:
    """Mark values as missing: NaN where the type has it, else a masked array."""
    if values.dtype.kind in "fc":
        return np.where(mask, values.dtype.type(np.nan), values)
    made: Values = np.ma.MaskedArray(values, np.broadcast_to(mask, values.shape))
    return made


def _scalars(cell: Cell, texts: list[str]) -> Values:
    kind = cell.dtype.kind
    if kind == "f":
        return _floats(cell, texts)
    if kind == "c":
        return _complexes(cell, texts)
    try:
        pairs = [_truth(text) if kind == "b" else _whole(cell, text) for text in texts]
        values = np.array([value for value, _ in pairs], cell.dtype)
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(f"field {cell.name!r}: {str(error)[:200]}") from None
    mask = np.array([missing for _, missing in pairs], bool)
    return _masked(values, mask) if mask.any() else values


def _truth(text: str) -> tuple[bool, bool]:
    word = text.strip().upper()
    if word in _TRUE:
        return True, False
    if word in _FALSE:
        return False, False
    if word in _UNKNOWN:
        return False, True
    raise ValueError(f"{text[:100]!r} is not a truth value")


def _whole(cell: Cell, text: str) -> tuple[int, bool]:
    word = text.strip()
    if not word or word.lower() == "nan":
        return (int(cell.null) if cell.null is not None else 0), True
    value = _integer(word)
    return value, cell.null is not None and value == cell.null


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # "null" and the like: such a cell has no value (astropy: the same)


def _floats(cell: Cell, texts: list[str]) -> Values:
    try:
        wide = np.array([float(text) for text in texts], np.float64)
    except ValueError:
        wide = np.array([_float(text) for text in texts], np.float64)
    if cell.null is not None:
        wide[wide == cell.null] = np.nan
    with np.errstate(over="ignore"):
        return wide.astype(cell.dtype)


def _complexes(cell: Cell, texts: list[str]) -> Values:
    values = np.full(len(texts), np.nan, np.complex128)
    for number, text in enumerate(texts):
        parts = [part for part in _SPLIT.split(text.strip()) if part]
        if len(parts) == 2:
            values[number] = complex(_float(parts[0]), _float(parts[1]))
        elif parts and [part.lower() for part in parts] != ["nan"]:
            raise NotUnderstood(f"field {cell.name!r}: {text[:100]!r} is not a complex number")
    with np.errstate(over="ignore"):
        return values.astype(cell.dtype)


def from_binary(cell: Cell, raw: list[bytes], null: Values | None) -> Values:
    """Convert the BINARY bytes of cells of one field, lengths taken off.

    Parameters
    ----------
    cell
        The type.
    raw
        The bytes of each cell.
    null
        Which cells BINARY2 says are missing, shape (n,); None where it does not say.
    """
    if cell.variable:
        return _objects([_elements(cell, part) for part in raw])
    if not cell.fixed:  # text of any length
        return _objects([_decode(cell, part) for part in raw])
    values = _elements(cell, b"".join(raw), len(raw))
    if null is None or not null.any() or cell.is_text:
        return values
    mask = null.reshape((-1,) + (1,) * len(cell.dims)) | np.ma.getmaskarray(values)
    return _masked(np.asarray(values), mask)


def _decode(cell: Cell, data: bytes) -> str:
    if cell.datatype == "unicodeChar":
        return data.decode("utf-16-be", "replace").partition("\0")[0]
    data = data.partition(b"\0")[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _elements(cell: Cell, data: bytes, rows: int | None = None) -> Values:
    """Convert bytes of whole cells; *rows* None: of the elements of one variable cell."""
    if rows is None:
        rows = len(data) // cell.width if cell.width else 0
    shape = (rows, *cell.dims)
    if cell.is_text:
        step = cell.length * _TEXT[cell.datatype]
        count = rows * cell.count
        return _objects(
            [_decode(cell, data[i * step : (i + 1) * step]) for i in range(count)]
        ).reshape(shape)
    if cell.datatype == "bit":
        return _bits(cell, data, rows)
    if cell.datatype == "boolean":
        words = np.frombuffer(data, "u1")
        truth = np.isin(words, [ord(c) for c in "Tt1"])
        known = truth | np.isin(words, [ord(c) for c in "Ff0"])
        if not np.isin(words[~known], [0, ord("?"), ord(" ")]).all():
            raise NotUnderstood(f"field {cell.name!r}: a byte that is not a truth value")
        values = truth.reshape(shape)
        return values if known.all() else _masked(values, ~known.reshape(shape))
    values = np.frombuffer(data, cell.dtype.newbyteorder(">")).astype(cell.dtype).reshape(shape)
    if cell.null is not None:
        missing = values == cell.null
        if missing.any():
            return _masked(values, missing)
    return values


def _bits(cell: Cell, data: bytes, rows: int) -> Values:
    """Convert bits, eight a byte, the first one in the highest bit."""
    if not cell.dims:  # a single bit: writers disagree on its place in the byte
        flags: Values = np.frombuffer(data, "u1") != 0
        return flags
    packed = np.frombuffer(data, "u1").reshape(rows, cell.width)
    bits: Values = np.unpackbits(packed, axis=1, count=cell.count).astype(bool)
    return bits.reshape(rows, *cell.dims)
