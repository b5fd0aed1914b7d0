"""Write products as FITS files in the convention of Herschel's software (HCSS).

Only what the made observation needs: a primary header that is the product, a
tree of extensions found through ``DS_n``, parameters under translated keywords
with their map cards ``HIERARCH  key.FITSKEY='name'``, units and descriptions in
the comments. The cards follow those of files that HCSS 14 wrote; the parts that
break FITS 4.0 on purpose (the map cards) are therefore there as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Group", "Image", "Made", "Par", "Table", "to_fits"]

_BLOCK = 2880

# The part of HCSS's dictionary that the made products use; any other name becomes META_n.
_KEYWORDS = {
    "telescope": "TELESCOP",
    "instrument": "INSTRUME",
    "creator": "CREATOR",
    "object": "OBJECT",
    "observer": "OBSERVER",
    "proposal": "PROPOSAL",
    "obsid": "OBS_ID",
    "odNumber": "ODNUMBER",
    "creationDate": "DATE",
    "startDate": "DATE-OBS",
    "endDate": "DATE-END",
    "aot": "AOT",
    "aorLabel": "AOR",
    "cusMode": "CUSMODE",
    "instMode": "INSTMODE",
    "obsMode": "OBS_MODE",
    "pointingMode": "POINTMOD",
    "modelName": "MODELNAM",
    "formatVersion": "FORMATV",
    "equinox": "EQUINOX",
    "raDeSys": "RADESYS",
    "ra": "RA",
    "raNominal": "RA_NOM",
    "dec": "DEC",
    "decNominal": "DEC_NOM",
    "posAngle": "POSANGLE",
    "origin": "ORIGIN",
    "type": "TYPE",
    "description": "DESC",
    "calVersion": "CALVERS",
    "level": "LEVEL",
    "scanSpeed": "SCANSPD",
    "scanVelocity": "SCANVEL",
    "arrayName": "DETECTOR",
    "camera": "CAMERA",
    "unit": "SIGUNIT",
    "wavelength": "WAVELNTH",
    **{
        f"{stem}{axis}": f"{stem.upper()}{axis}"
        for stem in ("crpix", "crval", "cdelt", "ctype", "cunit", "crota")
        for axis in (1, 2, 3)
    },
}

_NUMERIC = {"f8": "Double", "f4": "Float", "i8": "Long", "i4": "Int", "i2": "Short", "u1": "Byte"}
_TFORM = {"f8": "D", "f4": "E", "i8": "K", "i4": "J", "i2": "I", "u1": "B"}


class Par(NamedTuple):
    """A parameter: its value, unit and description."""

    value: int | float | str | bool
    unit: str = ""
    description: str = ""


Meta = Mapping[str, Par]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An array of any number of axes, slowest first."""

    data: NDArray[Any]
    unit: str = ""
    description: str = ""
    meta: Meta = field(default_factory=dict)


class Column(NamedTuple):
    """A column of a table."""

    data: NDArray[Any]
    unit: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of equal length."""

    columns: Mapping[str, Column]
    description: str = ""
    meta: Meta = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Named datasets; a composite in HCSS's words."""

    datasets: Mapping[str, Dataset]
    description: str = ""
    class_name: str = "herschel.ia.dataset.CompositeDataset"
    meta: Meta = field(default_factory=dict)


Dataset = Image | Table | Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A product as it will be written.

    Attributes
    ----------
    class_name
        Name of its Java class.
    meta
        Its parameters, in order.
    datasets
        Its datasets, in order.
    """

    class_name: str
    meta: Meta
    datasets: Mapping[str, Dataset] = field(default_factory=dict)


def to_fits(product: Made) -> Iterator[bytes]:
    """Give the bytes of a product's FITS file, piece by piece.

    Parameters
    ----------
    product
        The product.

    Yields
    ------
    bytes
        Headers and data units in file order, whole blocks of 2880 bytes.
    """
    # HCSS numbers the extensions breadth first: all children before all grandchildren.
    queue: list[tuple[str, Dataset]] = list(product.datasets.items())
    children: dict[int, list[int]] = {0: list(range(1, len(queue) + 1))}
    place = 0
    while place < len(queue):
        dataset = queue[place][1]
        place += 1
        if isinstance(dataset, Group):
            first = len(queue) + 1
            queue.extend(dataset.datasets.items())
            children[place] = list(range(first, len(queue) + 1))

    yield _primary_header(product, children[0])
    for number, (name, dataset) in enumerate(queue, start=1):
        yield from _extension(name, dataset, children.get(number))


def _primary_header(product: Made, children: list[int]) -> bytes:
    description = str(product.meta["description"].value)
    cards = [
        *_card("SIMPLE", True, "Java FITS"),
        *_card("BITPIX", 32),
        *_card("NAXIS", 0, "Dimensionality"),
        *_card("EXTEND", True, "May contain datasets"),
        *_card("TIMESYS", "UTC", "All dates are in UTC time"),
        *_long_strings(),
        *_card("HCSS____", 5, "HCSS Fits Product Version"),
        *_card("CLASS___", product.class_name, "java representation"),
        *_card("INFO____", description),
        *_parameters(product.meta),
        *_children(children),
    ]
    return _header(cards)


def _extension(name: str, dataset: Dataset, children: list[int] | None) -> Iterator[bytes]:
    if isinstance(dataset, Image):
        data = np.ascontiguousarray(dataset.data, dtype=dataset.data.dtype.newbyteorder(">"))
        cards = [
            *_array_cards(data),
            *_structure(name, dataset, "herschel.ia.dataset.ArrayDataset"),
        ]
        cards += _card(
            "DATA____", f"herschel.ia.numeric.{_java_type(data.dtype)}{data.ndim}d", "java Data"
        )
        if dataset.unit:
            cards += _card("QTTY____", dataset.unit, "Unit of the data")
            cards += _card("BUNIT", dataset.unit, "Unit of the data")
        payload = data.tobytes()
    elif isinstance(dataset, Table):
        rows, columns = _rows(dataset)
        cards = [
            *_table_cards(rows, dataset),
            *_structure(name, dataset, "herschel.ia.dataset.TableDataset"),
        ]
        cards += columns
        payload = rows.tobytes()
    else:
        cards = [*_array_cards(None), *_structure(name, dataset, dataset.class_name)]
        payload = b""
    cards += _parameters(dataset.meta)
    if children is not None:
        cards += _children(children)
    yield _header(cards)
    if payload:
        yield payload
        yield bytes(-len(payload) % _BLOCK)


def _array_cards(data: NDArray[Any] | None) -> list[str]:
    cards = _card("XTENSION", "IMAGE", "Java FITS")
    if data is None:
        cards += [*_card("BITPIX", 32), *_card("NAXIS", 0, "Dimensionality")]
    else:
        bits = 8 * data.dtype.itemsize * (-1 if data.dtype.kind == "f" else 1)
        cards += [*_card("BITPIX", bits), *_card("NAXIS", data.ndim, "Dimensionality")]
        for axis, length in enumerate(reversed(data.shape), start=1):
            cards += _card(f"NAXIS{axis}", length)
    cards += [*_card("PCOUNT", 0, "No extra parameters"), *_card("GCOUNT", 1, "One group")]
    return [*cards, *_long_strings()]


def _table_cards(rows: NDArray[Any], table: Table) -> list[str]:
    return [
        *_card("XTENSION", "BINTABLE", "Java FITS"),
        *_card("BITPIX", 8),
        *_card("NAXIS", 2, "Dimensionality"),
        *_card("NAXIS1", rows.dtype.itemsize, "Bytes in a row"),
        *_card("NAXIS2", len(rows), "Number of rows"),
        *_card("PCOUNT", 0, "No extra parameters"),
        *_card("GCOUNT", 1, "One group"),
        *_card("TFIELDS", len(table.columns), "Number of columns"),
        *_long_strings(),
    ]


def _rows(table: Table) -> tuple[NDArray[Any], list[str]]:
    """Join the columns to rows in FITS order, and describe them."""
    types: list[tuple[str, str, tuple[int, ...]]] = []
    cards: list[str] = []
    values: dict[str, NDArray[Any]] = {}
    for number, (name, column) in enumerate(table.columns.items(), start=1):
        data = column.data
        if data.dtype.kind == "U":
            data = np.char.encode(data, "ascii")
        shape = data.shape[1:]
        values[name] = data
        cards += _card(f"TTYPE{number}", name, column.description)
        if data.dtype.kind == "S":
            types.append((name, f"S{data.dtype.itemsize}", shape))
            cards += _card(f"TFORM{number}", f"{data.dtype.itemsize}A")
        else:
            code = f"{data.dtype.kind}{data.dtype.itemsize}"
            types.append((name, f">{code}", shape))
            cards += _card(f"TFORM{number}", f"{math.prod(shape)}{_TFORM[code]}")
        if len(shape) > 1:
            cards += _card(f"TDIM{number}", f"({','.join(map(str, reversed(shape)))})")
        if column.unit:
            cards += _card(f"TUNIT{number}", column.unit)
        cards += _card(f"TCOLU{number}", "herschel.ia.dataset.Column")
        cards += _card(
            f"TCLAS{number}", f"herschel.ia.numeric.{_java_type(data.dtype)}{data.ndim}d"
        )
    rows = np.empty(len(next(iter(values.values()))), dtype=np.dtype(types))
    for name, data in values.items():
        rows[name] = data
    return rows, cards


def _java_type(dtype: np.dtype[Any]) -> str:
    return "String" if dtype.kind == "S" else _NUMERIC[f"{dtype.kind}{dtype.itemsize}"]


def _structure(name: str, dataset: Dataset, class_name: str) -> list[str]:
    cards = [
        *_card("EXTNAME", name, "name of this HDU"),
        *_card("CLASS___", class_name, "java representation"),
    ]
    return [*cards, *_card("INFO____", dataset.description)] if dataset.description else cards


def _children(numbers: list[int]) -> list[str]:
    cards = _card("DSETS___", len(numbers), "Number of datasets")
    for index, number in enumerate(numbers):
        cards += _card(f"DS_{index}", number, "HDU of Child Dataset")
    return cards


def _parameters(meta: Meta) -> list[str]:
    cards: list[str] = []
    names: list[str] = []
    unnamed = 0
    for name, par in meta.items():
        key = _KEYWORDS.get(name)
        if key is None:
            key = f"META_{unnamed}"
            unnamed += 1
        comment = par.description
        if isinstance(par.value, int | float) and not isinstance(par.value, bool):
            comment = f"[{par.unit}] {comment}"
        cards += _card(key, par.value, comment)
        if key == "DATE-OBS":
            cards += _card("DATE_OBS", par.value, comment)
        names.append(f"HIERARCH  key.{key}='{name}'")
    return cards + names


def _long_strings() -> list[str]:
    return _card("LONGSTRN", "OGIP 1.0", "The OGIP long string convention may be used.")


def _card(key: str, value: int | float | str | bool, comment: str = "") -> list[str]:
    """One parameter as cards: long texts by CONTINUE, long comments by ``&`` and COMMENT."""
    if isinstance(value, str):
        return _text_card(key, value, comment)
    text = ("T" if value else "F") if isinstance(value, bool) else _number(value)
    return _with_comment(f"{key:<8}= {text:>20}", comment)


def _text_card(key: str, value: str, comment: str) -> list[str]:
    quoted = value.replace("'", "''")
    line = f"{key:<8}= '{quoted:<8}'"
    if len(line) <= 80:
        if not comment or len(f"{line:<30} / {comment}") <= 80:
            return _with_comment(f"{line:<30}", comment)
        if len(line) < 80:
            # As HCSS does it: an empty continuation only carries the comment on.
            first = f"{key:<8}= '{quoted:<7}&'"
            return [first, "CONTINUE  '' / &", *_comments(comment)]
    pieces = [quoted[start : start + 66] for start in range(0, len(quoted), 66)]
    lines = [f"{key:<8}= '{pieces[0]}&'"]
    lines += [f"CONTINUE  '{piece}&'" for piece in pieces[1:-1]]
    lines.append(f"CONTINUE  '{pieces[-1]}'")
    return lines


def _with_comment(line: str, comment: str) -> list[str]:
    if not comment:
        return [line]
    whole = f"{line} / {comment}"
    if len(whole) <= 80:
        return [whole]
    room = 80 - len(line) - 3 - 1
    return [f"{line} / {comment[:room]}&", *_comments(comment[room:])]


def _comments(text: str) -> list[str]:
    pieces = [text[start : start + 71] for start in range(0, len(text), 71)]
    return [f"COMMENT {piece}{'&' if piece is not pieces[-1] else ''}" for piece in pieces]


def _number(value: int | float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value)).upper()


def _header(cards: list[str]) -> bytes:
    text = "".join(f"{card:<80}" for card in [*cards, "END"])
    return text.encode("ascii").ljust(-(-len(text) // _BLOCK) * _BLOCK)
