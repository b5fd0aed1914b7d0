"""How Python 2 writes values: `str`, the operator `%`, and `print`."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["Line", "Printer", "encode", "modulo", "text"]

_SPEC = re.compile(
    r"%(?:\((?P<key>[^()]*)\))?(?P<flags>[#0\- +]*)(?P<width>\*|\d+)?(?P<dot>\.(?:\*|\d*))?"
    r"[hlL]?(?P<type>.)",
    re.DOTALL,
)


def text(*given: Any) -> str:
    """Write a value as `str` and `unicode` of Python 2 do.

    Parameters
    ----------
    given
        The value; for bytes, and then their encoding.

    Returns
    -------
    str
    """
    if not given:
        return ""
    value = given[0]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(*given[1:] or ("latin-1",))
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float | np.floating) and not isinstance(value, np.longdouble):
        return _float(float(value))
    if isinstance(value, complex) and type(value) is complex:
        return _complex(value)
    return str(value)


def _float(value: float) -> str:
    # Twelve digits, as Python 2 has them: 0.1 + 0.2 is 0.3.
    found = f"{value:.12g}"
    return found if any(sign in found for sign in ".einf") else f"{found}.0"


def _complex(value: complex) -> str:
    if value.real == 0:
        return f"{value.imag:.12g}j"
    return f"({value.real:.12g}{value.imag:+.12g}j)"


def modulo(left: Any, right: Any) -> Any:
    """Calculate `left % right` as Python 2 does; with a text on the left, put values in.

    Parameters
    ----------
    left, right
        Operands.

    Returns
    -------
    object
    """
    if not isinstance(left, str):
        return left % right
    if "%" not in left and right in ((), {}):
        return left
    return _Filled(left, right).text()


class _Filled:
    """A format with its values."""

    def __init__(self, form: str, values: Any) -> None:
        self._form = form
        self._values = values
        self._given = values if isinstance(values, tuple) else (values,)
        self._next = 0
        self._by_name = False

    def text(self) -> str:
        found = _SPEC.sub(self._one, self._form)
        rest = _SPEC.sub("", self._form)
        if "%" in rest:
            raise ValueError("incomplete format")
        mapping = isinstance(self._values, Mapping) or self._by_name
        if self._next < len(self._given) and not mapping:
            raise TypeError("not all arguments converted during string formatting")
        return found

    def _take(self) -> Any:
        if self._next >= len(self._given):
            raise TypeError("not enough arguments for format string")
        self._next += 1
        return self._given[self._next - 1]

    def _one(self, match: re.Match[str]) -> str:
        kind = match["type"]
        if kind == "%":
            return "%"
        width, dot = match["width"] or "", match["dot"] or ""
        width = str(self._take()) if width == "*" else width
        dot = f".{self._take()}" if dot == ".*" else dot
        if match["key"] is not None:
            self._by_name = True
            value = self._values[match["key"]]
        else:
            value = self._take()
        if kind in "sr":
            value, kind = (repr if kind == "r" else text)(value), "s"
        elif kind in "diuoxX":
            kind = "d" if kind in "iu" else kind
            number = not isinstance(value, str | bytes) and hasattr(value, "__int__")
            value = int(value) if number else value
            if kind == "o" and "#" in match["flags"] and number:
                return f"%{match['flags'].replace('#', '')}{width}{dot}s" % _octal(value)
        elif kind in "eEfFgG" and isinstance(value, str):
            raise TypeError("float argument required, not str")
        return f"%{match['flags']}{width}{dot}{kind}" % (value,)


def _octal(value: int) -> str:
    return f"{'-' if value < 0 else ''}{'0' if value else ''}{abs(value):o}"


def encode(value: str, codec: str = "ascii", errors: str = "strict", back: bool = False) -> str:
    """Encode or decode a text of Python 2, whose bytes are characters here.

    Parameters
    ----------
    value
        The text.
    codec
        Such as ``utf-8`` or ``hex``.
    errors
        As for Python's `encode`.
    back
        Whether to decode.

    Returns
    -------
    str
        A text stays a text; what the codec cannot write is treated as `errors` says.
    """
    found = codecs.lookup(codec)
    if not getattr(found, "_is_text_encoding", True):
        if found.name == "rot13":
            return str(codecs.encode(value, codec))
        change: Any = codecs.decode if back else codecs.encode
        return bytes(change(value.encode("latin-1"), codec)).decode("latin-1")
    return value.encode(codec, errors).decode(codec) if not back else value


class Line:
    """One statement `print`.

    Parameters
    ----------
    stream
        Where to print.
    due
        By stream, whether a blank is due before the next item.
    """

    def __init__(self, stream: Any, due: dict[int, bool]) -> None:
        self._stream = stream
        self._due = due

    def item(self, value: Any) -> Line:
        """Print an item."""
        words = text(value)
        if self._due.get(id(self._stream), False):
            self._stream.write(" ")
        self._stream.write(words)
        # A tab or newline at the end of a text takes the place of the blank.
        blank = not (isinstance(value, str) and words[-1:].isspace() and words[-1:] != " ")
        self._due[id(self._stream)] = blank
        return self

    def pause(self) -> None:
        """Leave the line open: the statement ends in a comma."""

    def end(self) -> None:
        """End the line."""
        self._due[id(self._stream)] = False
        self._stream.write("\n")


class Printer:
    """The statement `print`, with its blanks between statements that end in a comma."""

    def __init__(self) -> None:
        # By stream: whether a blank is due before the next item.
        self._due: dict[int, bool] = {}

    def line(self, stream: Any = None) -> Line:
        """Begin a statement.

        Parameters
        ----------
        stream
            Where to print; None for standard output.

        Returns
        -------
        Line
        """
        return Line(sys.stdout if stream is None else stream, self._due)

    def finish(self) -> None:
        """End the line of standard output where a statement left it open."""
        if self._due.pop(id(sys.stdout), False):
            sys.stdout.write("\n")
