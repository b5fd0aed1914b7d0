"""Tables as text: HIPE's asciiTableReader and asciiTableWriter.

HIPE's own form is CSV with four lines above the rows: names, types, units, descriptions.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skypool.errors import NotFound, UsageError
from skypool.hipe.numeric import Bool1d, Byte1d, Double1d, Float1d, Int1d, Long1d, Short1d, String1d
from skypool.hipe.numeric_text import java_text
from skypool.hipe.tables import Column, TableDataset

__all__ = ["AsciiParser", "CsvFormatter", "asciiTableReader", "asciiTableWriter"]


class AsciiParser:
    """How types of columns are found; they are always guessed from all rows."""

    GUESS_ALL = "GUESS_ALL"
    GUESS_FIRST = "GUESS_FIRST"
    GUESS_NONE = "GUESS_NONE"


def _truth(text: str) -> bool:
    return text.strip().lower() == "true"


# By the name in the header: the class of the column, and what reads a value.
_TYPES: dict[str, tuple[Any, Callable[[str], Any]]] = {
    "Boolean": (Bool1d, _truth),
    "Byte": (Byte1d, int),
    "Short": (Short1d, int),
    "Integer": (Int1d, int),
    "Long": (Long1d, int),
    "Float": (Float1d, float),
    "Double": (Double1d, float),
    "String": (String1d, str),
}


class CsvFormatter:
    """How rows are written.

    Parameters
    ----------
    delimiter
        What stands between values.
    """

    def __init__(self, delimiter: str = ",", **_: Any) -> None:
        if len(delimiter) != 1:
            raise UsageError(f"a delimiter is one character, not {delimiter!r}")
        self.delimiter = delimiter


def asciiTableReader(
    file: Any,
    tableType: str = "CSV",
    columnNames: Sequence[str] | bool | None = None,
    skip: int = 0,
    delimiter: str | None = None,
    columnType: Any = AsciiParser.GUESS_ALL,
) -> TableDataset:
    """Read a table that is text.

    Parameters
    ----------
    file
        Its path.
    tableType
        ``CSV``: with HIPE's four lines of header, a line of names, or none; ``SPACES``: columns
        between blanks, without a header; ``ADVANCED``: whichever it looks like. Lines that
        start with # are comments.
    columnNames
        Names of the columns, or whether a line of names stands first; else those of the
        header, or c0, c1 and so on.
    skip
        How many lines to pass over first.
    delimiter
        What stands between values; by default as *tableType* says.
    columnType
        Taken for HIPE's sake; types that the header does not name are guessed.

    Returns
    -------
    TableDataset

    Raises
    ------
    UsageError
        If the rows are not of one length, or *tableType* is none of these.
    """
    kind = str(tableType).upper()
    if kind not in ("CSV", "SPACES", "ADVANCED"):
        raise UsageError(
            f"tables of type {tableType} cannot be read",
            hint="read them with astropy: TableDataset columns take its columns as they are",
        )
    path = os.path.expanduser(str(file))
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as text:
            lines = text.read().splitlines()[skip:]
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if kind == "ADVANCED":
        kind = "CSV" if delimiter or (lines and "," in lines[0]) else "SPACES"
    between = delimiter or ("," if kind == "CSV" else None)
    if between is None:
        rows = [line.split() for line in lines]
    else:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=between))
    if isinstance(columnNames, bool | int):
        return _table(rows, None, path, header=bool(columnNames))
    return _table(rows, columnNames, path, header=kind == "CSV")


def _table(
    rows: list[list[str]], names: Sequence[str] | None, path: str, header: bool
) -> TableDataset:
    width = len(rows[0]) if rows else len(names or ())
    for number, row in enumerate(rows):
        if len(row) != width:
            raise UsageError(f"{path}: row {number + 1} has {len(row)} values, the first {width}")
    types, units, texts = [""] * width, [""] * width, [""] * width
    found = [f"c{number}" for number in range(width)]
    if header and len(rows) > 1 and all(word in _TYPES for word in rows[1]):
        found, types, units, texts = (rows + [[""] * width] * 4)[:4]
        rows = rows[4:]
    elif header and rows and not any(_number(word) for word in rows[0]):
        found, rows = rows[0], rows[1:]
    made = TableDataset()
    for place, name in enumerate(names or found):
        words = [row[place] for row in rows]
        cls, read = _TYPES[types[place] or _guessed(words)]
        column = Column(cls([read(word) for word in words]), units[place] or None, texts[place])
        made.addColumn(name.strip(), column)
    return made


def _number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _guessed(words: list[str]) -> str:
    if all(word.strip().lstrip("+-").isdigit() for word in words):
        return "Long"
    if all(map(_number, words)):
        return "Double"
    return "Boolean" if all(word.lower() in ("true", "false") for word in words) else "String"


def asciiTableWriter(
    table: Any,
    file: Any,
    formatter: CsvFormatter | None = None,
    writeHeader: Any = True,
    writeMetadata: Any = False,
    tableType: str = "CSV",
) -> str:
    """Write a table as text.

    Parameters
    ----------
    table
        A `TableDataset` with columns of one dimension.
    file
        Path of the file; one that is there is replaced.
    formatter
        What stands between values; by default a comma.
    writeHeader
        Whether names, types, units and descriptions stand above the rows.
    writeMetadata
        Whether the parameters of the table stand above, as comments.
    tableType
        ``CSV`` or ``SPACES``.

    Returns
    -------
    str
        The path.
    """
    if not isinstance(table, TableDataset):
        raise UsageError(f"a {type(table).__name__} is no TableDataset")
    spaces = str(tableType).upper() == "SPACES"
    delimiter = formatter.delimiter if formatter else " " if spaces else ","
    columns = [(name, table.getColumn(name)) for name in table.columnNames]
    for name, column in columns:
        if column.rank != 1:
            raise UsageError(f"column {name!r} has {column.rank} dimensions; text has one")
    out = io.StringIO()
    if writeMetadata:
        for key in table.meta:
            out.write(f"# {key} = {table.meta[key].value}\n")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    if writeHeader:
        writer.writerow([name for name, _ in columns])
        writer.writerow([_type_of(column) for _, column in columns])
        writer.writerow([column.unit or "" for _, column in columns])
        writer.writerow([column.description or "" for _, column in columns])
    # Through numpy: single precision is written with its own digits.
    values = [list(map(java_text, np.asarray(column.data))) for _, column in columns]
    writer.writerows(zip(*values, strict=True))
    path = os.path.expanduser(str(file))
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as target:
        target.write(out.getvalue())
    return path


def _type_of(column: Column) -> str:
    cls = type(column.data)
    return next((name for name, (known, _) in _TYPES.items() if known is cls), "String")
