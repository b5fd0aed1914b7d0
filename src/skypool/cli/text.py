"""Text for people: sizes, names, tables that fit; and JSON for programs."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import click

from skypool.model.amounts import count_text, size_text

__all__ = [
    "Table",
    "count_text",
    "plain",
    "shorten",
    "shown",
    "size_text",
    "terminal_width",
    "time_text",
    "to_json",
    "value_text",
    "width_of",
]

_BLOCK = 500  # rows whose widths decide those of a table; memory stays small for any length

# Control characters, and those that reverse or hide what follows, would let a
# file's name rewrite the terminal.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    code = ord(character)
    return known or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def plain(text: str) -> str:
    """Make text safe for one line; bytes that are no text stay for the output to write.

    Parameters
    ----------
    text
        Any text, such as a file's name.

    Returns
    -------
    str
    """
    return _UNSAFE.sub(_escape, text)


def shown(text: str) -> str:
    r"""Make text safe for a terminal: bytes that are no text are shown as ``\xff`` too.

    Parameters
    ----------
    text
        Any text, such as a file's name.

    Returns
    -------
    str
    """
    return _SURROGATE.sub(lambda match: f"\\x{ord(match.group()) & 0xFF:02x}", plain(text))


def width_of(text: str) -> int:
    """Count the terminal's columns that a text takes.

    Parameters
    ----------
    text
        Text without control characters.

    Returns
    -------
    int
    """
    if text.isascii():
        return len(text)
    wide = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
            continue
        wide += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return wide


def shorten(text: str, width: int, *, middle: bool = False) -> str:
    """Cut a text to a width, with an ellipsis where something is missing.

    Parameters
    ----------
    text
        Text without control characters.
    width
        Columns that it may take, at least 1.
    middle
        Whether to leave out the middle and not the end: for names of files.

    Returns
    -------
    str
    """
    if width_of(text) <= width:
        return text
    tail = (width - 1) * 2 // 3 if middle else 0
    end = _cut(text[::-1], tail)[::-1]
    return _cut(text, width - 1 - width_of(end)) + "…" + end


def _cut(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    taken = 0
    for index, character in enumerate(text):
        taken += width_of(character)
        if taken > width:
            return text[:index]
    return text


def time_text(time: datetime) -> str:
    """Write a time for people: UTC, to the second.

    Parameters
    ----------
    time
        An aware time.

    Returns
    -------
    str
    """
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def value_text(value: object) -> str:
    """Write the value of a parameter on one line.

    Parameters
    ----------
    value
        Number, text, truth or time.

    Returns
    -------
    str
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return shown(str(value))


def _json_default(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | os.PathLike):
        return str(value)
    item = getattr(value, "item", None)  # a numpy scalar
    return item() if callable(item) else str(value)


def _finite(value: Any) -> Any:
    # JSON has no NaN and no infinities; they are texts, so that every reader copes.
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def to_json(value: object) -> str:
    """Write a value as one line of JSON, ASCII only.

    Parameters
    ----------
    value
        Dicts, lists, texts, numbers, times; NaN and infinities become texts.

    Returns
    -------
    str
    """
    return json.dumps(_finite(value), default=_json_default, allow_nan=False)


def terminal_width() -> int | None:
    """Give the columns of the terminal.

    Returns
    -------
    int or None
        None where the output is no terminal: nothing needs to fit.
    """
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


# Of a name so much is shown before other columns are left out.
_LEAST_NAME = 16


class Table:
    """A table that fits the terminal; elsewhere one as wide as it needs, or lines with tabs.

    Parameters
    ----------
    heads
        Titles of the columns; one that starts with ``>`` is aligned to the right.
    flexible
        Column that gives way first when the terminal is narrow.
    middle
        Whether its cells lose their middle and not their end: for names of files.
    colour
        Whether titles may be bold.
    tabs
        Whether programs read it where there is no terminal: cells as they are, with tabs
        between them, without titles.
    terminal
        Whether the output is a terminal; None to look.
    width
        Columns of the terminal; None to look.

    Attributes
    ----------
    terminal : bool
        Whether lines are made for a terminal.
    """

    def __init__(
        self,
        heads: Sequence[str],
        *,
        flexible: int = 0,
        middle: bool = False,
        colour: bool = False,
        tabs: bool = False,
        terminal: bool | None = None,
        width: int | None = None,
    ) -> None:
        self._heads = [head.lstrip(">") for head in heads]
        self._right = [head.startswith(">") for head in heads]
        self._flexible = flexible
        self._middle = flexible if middle else -1
        self._colour = colour
        self.terminal = sys.stdout.isatty() if terminal is None else terminal
        self._tabs = tabs and not self.terminal
        self._width = (width or shutil.get_terminal_size().columns) if self.terminal else None

    def lines(self, rows: Iterable[Sequence[str]]) -> Iterator[str]:
        """Lay out rows, as they come.

        Parameters
        ----------
        rows
            Texts of the cells.

        Yields
        ------
        str
            One line each.
        """
        if self._tabs:
            yield from ("\t".join(plain(cell) for cell in row) for row in rows)
            return
        remaining = iter(rows)
        widths: list[int] = []
        clean = shown if self.terminal else plain
        while block := [[clean(cell) for cell in row] for row in islice(remaining, _BLOCK)]:
            if not widths:
                widths = self._widths(block)
                head = self._line(self._heads, widths)
                yield click.style(head, bold=True) if self._colour else head
            for row in block:
                yield self._line(row, widths)

    def _widths(self, rows: Sequence[Sequence[str]]) -> list[int]:
        widths = [
            max(width_of(head), *(width_of(row[index]) for row in rows))
            for index, head in enumerate(self._heads)
        ]
        if self._width is None:
            return widths
        free = self._width - 2 * (len(widths) - 1)
        others = [i for i in range(len(widths)) if i != self._flexible and not self._right[i]]
        name = widths[self._flexible]
        # Columns give way in turn, each time a little further; numbers stay whole.
        for columns, least in (
            ([self._flexible], 32),
            (others, 12),
            ([self._flexible], 16),
            (others, 6),
            ([self._flexible], 4),
        ):
            for index in sorted(columns, key=lambda i: -widths[i]):
                excess = max(0, sum(widths) - free)
                widths[index] = max(min(widths[index], least), widths[index] - excess)
        if self._middle >= 0:
            self._leave_out(widths, name)
        return widths

    def _leave_out(self, widths: list[int], name: int) -> None:
        """Leave out texts, the last ones first, where too little of the names would be left."""
        assert self._width is not None
        for index in reversed(range(len(widths))):
            spare = self._width - sum(widths) - 2 * (sum(map(bool, widths)) - 1)
            if spare >= 0 and widths[self._flexible] + spare >= min(name, _LEAST_NAME):
                break
            if index != self._flexible and not self._right[index]:
                widths[index] = 0
        spare = self._width - sum(widths) - 2 * (sum(map(bool, widths)) - 1)
        widths[self._flexible] = max(4, min(name, widths[self._flexible] + spare))

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = []
        for index, cell in enumerate(row):
            if not widths[index]:
                continue
            if self._width is not None:
                cell = shorten(cell, widths[index], middle=index == self._middle)
            gap = " " * (widths[index] - width_of(cell))
            cells.append(gap + cell if self._right[index] else cell + gap)
        line = "  ".join(cells).rstrip()
        return line if self._width is None else shorten(line, self._width)
