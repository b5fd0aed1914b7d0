"""The columns that a header defines: binary and ASCII tables, random groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skypool.codec.columns import ColumnSpec
from skypool.errors import Damaged
from skypool.formats.typed import unique_names

if TYPE_CHECKING:
    from skypool.formats.fits.cards import Header
    from skypool.formats.fits.layout import Hdu

__all__ = ["TableShape", "ascii_table", "binary_table", "column_specs", "random_groups"]

_CODES = {8: "B", 16: "I", 32: "J", 64: "K", -32: "E", -64: "D"}
# What CFITSIO and others write behind TTYPE; it describes the keyword, not the column.
_EMPTY_WORDS = ("label for field", "label for column", "name for column", "name of field")


@dataclass(slots=True)
class TableShape:
    """How the bytes of a table are divided.

    Attributes
    ----------
    rows, width
        Number of rows, and bytes of each.
    specs
        The columns.
    places
        (offset in the row, width, element size) of each.
    heap
        Offset of the heap in the data unit.
    """

    rows: int
    width: int
    specs: list[ColumnSpec]
    places: list[tuple[int, int, int]]
    heap: int


def binary_table(hdu: Hdu) -> TableShape:
    """Return the columns of a binary table (section 7.3).

    Raises
    ------
    Damaged
        If the columns cannot be as the header says.
    """
    width, rows = hdu.axes
    specs = column_specs(hdu.header, ascii=False)
    places, offset = [], 0
    for spec in specs:
        places.append((offset, spec.width, spec.itemsize))
        offset += spec.width
    if offset > width:
        raise Damaged(f"its columns take {offset} bytes, its rows have {width}")
    heap = hdu.header.integer("THEAP")
    heap = rows * width if heap is None else heap
    if not rows * width <= heap <= hdu.size:
        if any(spec.variable for spec in specs):
            raise Damaged(f"THEAP is {heap}, outside of its data")
        heap = rows * width
    return TableShape(rows, width, specs, places, heap)


def ascii_table(hdu: Hdu) -> TableShape:
    """Return the columns of an ASCII table (section 7.2).

    Raises
    ------
    Damaged
        If the columns cannot be as the header says.
    """
    width, rows = hdu.axes
    specs = column_specs(hdu.header, ascii=True)
    places = []
    for number, spec in enumerate(specs, 1):
        start = hdu.header.integer(f"TBCOL{number}")
        if start is None or start < 1 or start - 1 + spec.width > width:
            raise Damaged(f"its column {spec.name!r} is not within the row")
        places.append((start - 1, spec.width, 1))
    position = 0
    for start, size, _ in sorted(places):
        if start < position:
            raise Damaged("its columns overlap")
        position = start + size
    return TableShape(rows, width, specs, places, rows * width)


def random_groups(hdu: Hdu) -> TableShape:
    """Return random groups as a table (section 6): a row per group.

    A column per parameter, named by PTYPE (the second of a name becomes ``name,2``: the
    sum of both is the parameter), and the column ``DATA`` with the array of each group.
    """
    header, code = hdu.header, _CODES[hdu.bitpix]
    axes = hdu.axes[1:]
    count = 1
    for length in axes:
        count *= length
    names = [header.text(f"PTYPE{n}") or f"par{n}" for n in range(1, hdu.pcount + 1)]
    names = unique_names([*names, "DATA"])
    specs = [
        ColumnSpec(
            name,
            code,
            header.text(f"PUNIT{n}"),
            _words(header, f"PTYPE{n}"),
            scale=_number(header, f"PSCAL{n}", 1),
            zero=_number(header, f"PZERO{n}", 0),
        )
        for n, name in enumerate(names[:-1], 1)
    ]
    dim = f"({','.join(map(str, axes))})" if len(axes) > 1 else ""
    specs.append(
        ColumnSpec(
            names[-1],
            f"{count}{code}",
            header.text("BUNIT"),
            dim=dim,
            scale=_number(header, "BSCALE", 1),
            zero=_number(header, "BZERO", 0),
        )
    )
    places, offset = [], 0
    for spec in specs:
        places.append((offset, spec.width, spec.itemsize))
        offset += spec.width
    return TableShape(hdu.gcount, offset, specs, places, hdu.gcount * offset)


def column_specs(header: Header, ascii: bool) -> list[ColumnSpec]:  # noqa: A002 (as in ColumnSpec)
    """Return the columns that a header defines."""
    fields = header.integer("TFIELDS")
    if fields is None or not 0 <= fields <= 999:
        raise Damaged(f"TFIELDS is {header.get('TFIELDS')!r}")
    numbers = range(1, fields + 1)
    names = unique_names(header.text(f"TTYPE{n}") or f"col{n}" for n in numbers)
    return [_spec(header, n, name, ascii) for n, name in zip(numbers, names, strict=True)]


def _spec(header: Header, n: int, name: str, ascii: bool) -> ColumnSpec:  # noqa: A002
    form = header.text(f"TFORM{n}")
    if not form:
        raise Damaged(f"its column {name!r} has no TFORM{n}")
    null = header.get(f"TNULL{n}")
    if ascii:
        null = None if null is None else str(null)
    elif type(null) is not int:
        null = None
    spec = ColumnSpec(
        name,
        form,
        header.text(f"TUNIT{n}"),
        header.text(f"TCOMM{n}") or _words(header, f"TTYPE{n}"),
        header.text(f"TDIM{n}"),
        _number(header, f"TSCAL{n}", 1),
        _number(header, f"TZERO{n}", 0),
        null if isinstance(null, int | str) else None,
        header.text(f"TDISP{n}"),
        ascii,
    )
    _ = spec.width, spec.dtype  # a format that cannot be read is noticed here
    return spec


def _number(header: Header, keyword: str, default: int) -> int | float:
    value = header.number(keyword)
    return default if value is None else value


def _words(header: Header, keyword: str) -> str:
    card = header.card(keyword)
    if card is None or card.comment.lower().startswith(_EMPTY_WORDS):
        return ""
    return card.comment
