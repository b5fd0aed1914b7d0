"""The definition of one column of a FITS table (FITS 4.0, sections 7.2.2 and 7.3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from skypool.codec.columns_scaling import scaled
from skypool.errors import Damaged

__all__ = ["STORED", "ColumnSpec"]

_BINARY = re.compile(r"([0-9]*)([LXBIJKAEDCMPQ])([!-~]*)", re.IGNORECASE)
_ASCII = re.compile(r"([AIJFED])([0-9]*)(?:\.([0-9]*))?", re.IGNORECASE)
_VARIABLE = re.compile(r"([LXBIJKAEDCM])", re.IGNORECASE)
_DIM = re.compile(r"\(\s*(\d+\s*(?:,\s*\d+\s*)*)\)\s*")
# Types of the stored elements; of the halves of a descriptor for P and Q.
STORED = {
    "L": "|u1",
    "X": "|u1",
    "B": "|u1",
    "A": "|u1",
    "I": ">i2",
    "J": ">i4",
    "K": ">i8",
    "E": ">f4",
    "D": ">f8",
    "C": ">c8",
    "M": ">c16",
    "P": ">i4",
    "Q": ">i8",
}
# Widths of ASCII columns whose TFORM does not say; those of astropy.
_ASCII_WIDTHS = {"A": 1, "I": 10, "J": 15, "E": 15, "F": 16, "D": 25}
_KEYS = ("unit", "description", "dim", "scale", "zero", "null", "display")


@dataclass(frozen=True)
class ColumnSpec:
    """One column of a table, as the document has it.

    Attributes
    ----------
    name
        TTYPE; ``col1``, ``col2`` … where the file gives none.
    format
        TFORM.
    unit, description, dim, display
        TUNIT, the comment of TTYPE, TDIM, TDISP; empty where there are none.
    scale, zero
        TSCAL and TZERO.
    null
        TNULL: an integer in binary tables, text in ASCII ones; None where there is none.
    ascii
        A column of an ASCII table.
    """

    name: str
    format: str
    unit: str = ""
    description: str = ""
    dim: str = ""
    scale: float = 1
    zero: float = 0
    null: int | str | None = None
    display: str = ""
    ascii: bool = False

    @classmethod
    def from_json(cls, obj: Mapping[str, Any], ascii: bool = False) -> ColumnSpec:  # noqa: A002
        """Read the column of a document.

        Parameters
        ----------
        obj
            One of a table's ``columns``.
        ascii
            The table's ``ascii``.
        """
        given = {key: obj[key] for key in _KEYS if key in obj}
        return cls(obj["name"], obj["format"], ascii=ascii, **given)

    def to_json(self) -> dict[str, Any]:
        """Return the column as it stands in a document, without statistics."""
        obj: dict[str, Any] = {"name": self.name, "format": self.format}
        for key in _KEYS:
            value = getattr(self, key)
            if value != getattr(type(self), key):
                obj[key] = value
        return obj

    @cached_property
    def _parsed(self) -> tuple[int, str, str]:
        """Repeat count or width, code, and what follows the code."""
        text = self.format.strip()
        if self.ascii:
            found = _ASCII.fullmatch(text)
            if found is None or (found[2] and int(found[2]) == 0):
                raise Damaged(f"column {self.name!r}: {text!r} is no format of an ASCII table")
            code = found[1].upper()
            return int(found[2] or _ASCII_WIDTHS[code]), code, ""
        found = _BINARY.match(text)
        if found is None:
            raise Damaged(f"column {self.name!r}: {text!r} is no format of a binary table")
        code, option = found[2].upper(), found[3]
        repeat = int(found[1]) if found[1] else 1
        if code == "A" and text[0] in "Aa" and option.isdigit():
            # A7 means 7A in ASCII tables; a common mistake that astropy reads so.
            repeat, option = int(option), ""
        if code in "PQ" and (repeat > 1 or not _VARIABLE.match(option)):
            raise Damaged(f"column {self.name!r}: {text!r} is no format of a binary table")
        return repeat, code, option

    @property
    def repeat(self) -> int:
        """Elements in a cell, as TFORM counts: characters, bits, descriptors."""
        return 1 if self.ascii else self._parsed[0]

    @property
    def code(self) -> str:
        """The letter of TFORM, in upper case."""
        return self._parsed[1]

    @property
    def variable(self) -> str:
        """The letter of the elements of a variable-length column, else empty."""
        _, code, option = self._parsed
        return option[0].upper() if code in "PQ" and not self.ascii else ""

    @cached_property
    def width(self) -> int:
        """Bytes in a row."""
        repeat, code, _ = self._parsed
        if self.ascii:
            return repeat
        if code == "X":
            return -(-repeat // 8)
        if code in "PQ":
            return repeat * (8 if code == "P" else 16)
        return repeat * np.dtype(STORED[code]).itemsize

    @property
    def itemsize(self) -> int:
        """Bytes of one element, for the byte shuffle."""
        if self.ascii:
            return 1
        code = self.code
        # The halves of complex numbers and of descriptors are numbers of their own.
        return {"C": 4, "M": 8}.get(code, np.dtype(STORED[code]).itemsize)

    @cached_property
    def dims(self) -> tuple[int, ...]:
        """TDIM, slowest axis first; empty where it is absent or does not fit."""
        found = _DIM.match(self.dim)
        if found is None or self.ascii:
            return ()
        dims = tuple(int(number) for number in found[1].split(","))[::-1]
        fits = self.code in "PQ" or prod(dims) <= self.repeat
        return dims if fits else ()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one cell; empty for single values and for variable lengths."""
        code = self.code
        if self.ascii or code in "PQ":
            return ()
        if code == "A":
            return self.dims[:-1]
        if code != "X" and self.dims:
            return self.dims
        return () if self.repeat == 1 and code != "X" else (self.repeat,)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, native byte order; `object` for variable lengths."""
        if self.variable:
            return np.dtype(object)
        if self.ascii:
            return self._ascii_dtype()
        if self.code == "A":
            return np.dtype(f"U{max(1, self.characters)}")
        return self._element_dtype(self.code)

    @property
    def element(self) -> np.dtype[Any] | None:
        """Type of the elements of a variable-length column, None for other columns."""
        if not self.variable:
            return None
        return np.dtype(str) if self.variable == "A" else self._element_dtype(self.variable)

    @property
    def characters(self) -> int:
        """Characters of one text."""
        return self.dims[-1] if self.dims else self.repeat

    def _ascii_dtype(self) -> np.dtype[Any]:
        width, code, _ = self._parsed
        if code == "A":
            return np.dtype(f"U{width}")
        if code == "I":
            # The limits of CFITSIO, which astropy follows.
            kind = np.dtype("i2" if width <= 4 else "i8" if width > 9 else "i4")
        else:
            kind = np.dtype("i8" if code == "J" else "f8")
        return np.dtype("f8") if (self.scale, self.zero) != (1, 0) else kind

    def _element_dtype(self, code: str) -> np.dtype[Any]:
        if code in "LX":
            return np.dtype(bool)
        dtype: np.dtype[Any] = scaled(np.empty(0, STORED[code]), self.scale, self.zero).dtype
        return dtype

    @property
    def null_value(self) -> int | float | str | None:
        """The value that the user sees where there is none: TNULL once TSCAL and TZERO are applied.

        None where no value stands for it: numbers of ASCII tables are NaN there. Where TNULL is a
        text and the numbers are whole, it is one for which no field has room.
        """
        if self.ascii and self.code != "A":
            whole = self.has_null_text and self.dtype.kind == "i"
            return int(np.iinfo(self.dtype).min) if whole else None
        if self.null is None or isinstance(self.null, str) or self.code not in "BIJK":
            return self.null
        if self.dtype.kind in "iu":
            return self.null + int(self.zero)
        return self.null * self.scale + self.zero

    @property
    def has_null_text(self) -> bool:
        """Whether a text stands for none among whole numbers: those of an ASCII table."""
        return self.ascii and self.code in "IJ" and self.null is not None

    @property
    def has_statistics(self) -> bool:
        """Whether minima and maxima of the column mean something."""
        return not self.variable and self.code not in "AX" and self.dtype.kind in "biuf"
