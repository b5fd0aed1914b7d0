"""Hypothesis strategies for products and their parts, hostile ones included.

Everything they make can be saved, exported and read back equal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skypool.model.arrays import Array
from skypool.model.composite import Composite
from skypool.model.kinds import PARENTS
from skypool.model.metadata import MetaData, Parameter
from skypool.model.product import FIXED_ATTRIBUTES, Product
from skypool.model.tables import Table

__all__ = [
    "array_values",
    "arrays",
    "columns",
    "composites",
    "datasets",
    "metadata",
    "names",
    "parameters",
    "products",
    "tables",
    "texts",
    "times",
    "units",
    "values",
    "wcs",
]

_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
_NUMBERS = (*_INTEGERS, "float32", "float64", "complex64", "complex128")
# Names that mean something to FITS or to somebody's program.
_TRAPS = (
    "NAXIS1",
    "naxis2",
    "END",
    "COMMENT",
    "HISTORY",
    "bzero",
    "TTYPE1",
    "CRVAL1",
    "DATE",
    "DATE-OBS",
    "EQUINOX",
    "OBJECT",
    "EXTNAME",
    "SKYPOOL",
    "SIMPLE",
    "desc",
    "image",
    "a name",
    "a/b",
    "Ünïcode",
    "x" * 90,
    "it's",
    "lower_case_and_long",
    "$",
    " blank ",
    "key.x",
    "SKY1",
)
_UNITS = ("Jy/pixel", "MJy sr-1", "micrometer", "km/s", "deg", "Å", "furlongs per fortnight", "1")


def texts(max_size: int = 90) -> st.SearchStrategy[str]:
    """Texts of any characters but lone surrogates, some long, some full of quotes."""
    return st.one_of(
        st.text(max_size=max_size),
        st.text(alphabet="'& abc/", max_size=3 * max_size),
        st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=max_size),
    )


def names() -> st.SearchStrategy[str]:
    """Names of parameters, datasets, columns and roles."""
    return st.one_of(
        st.sampled_from(_TRAPS),
        st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}", fullmatch=True),
        st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,12}", fullmatch=True),
        st.text(min_size=1, max_size=12),
    )


def units() -> st.SearchStrategy[str]:
    """Units as text: known ones, unknown ones, none."""
    return st.one_of(st.just(""), st.sampled_from(_UNITS))


def times() -> st.SearchStrategy[datetime]:
    """Make times of UTC, from the year 1 on."""
    return st.datetimes(timezones=st.just(UTC))


def values() -> st.SearchStrategy[Any]:
    """Values of parameters."""
    return st.one_of(
        st.booleans(),
        st.integers(),
        st.integers(min_value=-(2**80), max_value=2**300),
        st.floats(),
        texts(),
        times(),
    )


def parameters() -> st.SearchStrategy[Parameter]:
    """Parameters with and without unit and description."""
    return st.builds(Parameter, values(), units(), st.one_of(st.just(""), texts()))


def metadata(max_size: int = 8) -> st.SearchStrategy[MetaData]:
    """Metadata of datasets and products."""
    return st.dictionaries(names(), parameters(), max_size=max_size).map(MetaData)


@st.composite
def wcs(draw: st.DrawFn, ndim: int) -> Any:
    """World coordinates: spectral for one axis, celestial ones and spectral ones for more."""
    from astropy.wcs import WCS

    made = WCS(naxis=ndim)
    if ndim >= 2:
        projection = draw(st.sampled_from(("TAN", "SIN", "CAR", "AIT")))
        more = ("FREQ", "STOKES")[: ndim - 2]
        made.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}", *more]
        angle = draw(st.floats(0, 6))
        rotation = np.eye(ndim)
        rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        made.wcs.pc = rotation
        made.wcs.cdelt = [
            -draw(st.floats(1e-5, 0.1)),
            draw(st.floats(1e-5, 0.1)),
            *[1.0] * (ndim - 2),
        ]
        made.wcs.crval = [draw(st.floats(0, 359)), draw(st.floats(-89, 89)), *[1.0] * (ndim - 2)]
    else:
        made.wcs.ctype = [draw(st.sampled_from(("WAVE", "FREQ", "VRAD")))]
        made.wcs.cunit = [{"WAVE": "um", "FREQ": "GHz", "VRAD": "km/s"}[made.wcs.ctype[0]]]
        made.wcs.restfrq = 1.4e9
        made.wcs.crval = [draw(st.floats(1, 1000))]
        made.wcs.cdelt = [draw(st.floats(0.001, 10))]
    made.wcs.crpix = [draw(st.floats(-100, 100)) for _ in range(ndim)]
    return made


def array_values(
    min_dims: int = 0, max_dims: int = 4, max_side: int = 5
) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Values of arrays of every type and shape, empty ones included."""
    shapes = npst.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=0, max_side=max_side)
    return st.sampled_from(("bool", *_NUMBERS)).flatmap(
        lambda dtype: npst.arrays(np.dtype(dtype), shapes)
    )


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    """Images, cubes, spectra and single values."""
    data = draw(array_values())
    coordinates = draw(st.one_of(st.none(), wcs(data.ndim))) if 1 <= data.ndim <= 4 else None
    return Array(data, draw(units()), coordinates, draw(metadata(3)), draw(texts(40)))


@st.composite
def columns(draw: st.DrawFn, rows: int) -> Any:
    """Make a column: numbers, truth values, text, arrays in cells, missing values."""
    sort = draw(st.sampled_from(("number", "cells", "text", "ragged", "masked")))
    if sort == "text":
        return np.array(draw(st.lists(st.text(max_size=8), min_size=rows, max_size=rows)), "U8")
    if sort == "ragged":
        made = np.empty(rows, dtype=object)
        dtype = np.dtype(draw(st.sampled_from(_NUMBERS)))
        for place in range(rows):
            made[place] = draw(npst.arrays(dtype, st.integers(0, 4)))
        return made
    if sort == "masked":
        dtype = np.dtype(draw(st.sampled_from((*_INTEGERS, "float32", "float64"))))
        data = draw(npst.arrays(dtype, rows))
        return np.ma.MaskedArray(data, mask=draw(npst.arrays(np.dtype(bool), rows)))
    dtype = np.dtype(draw(st.sampled_from(("bool", *_NUMBERS))))
    cell = draw(npst.array_shapes(min_dims=1, max_dims=2, max_side=3)) if sort == "cells" else ()
    return draw(npst.arrays(dtype, (rows, *cell)))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables of a few columns, with units and descriptions."""
    from astropy.table import Column, MaskedColumn
    from astropy.table import Table as AstropyTable

    rows = draw(st.integers(0, 5))
    made = AstropyTable()
    for name in draw(st.lists(names(), max_size=4, unique=True)):
        data = draw(columns(rows))
        kind = MaskedColumn if isinstance(data, np.ma.MaskedArray) else Column
        made[name] = kind(
            data,
            unit=draw(st.sampled_from(("Jy", "km/s", None))),
            description=draw(st.one_of(st.none(), texts(80))),
        )
    return Table(made, draw(metadata(3)), draw(texts(40)))


def composites() -> st.SearchStrategy[Composite]:
    """Composites of arrays, tables and composites."""
    leaves = st.one_of(arrays(), tables())
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            Composite, st.dictionaries(names(), inner, max_size=2), metadata(2), texts(20)
        ),
        max_leaves=3,
    ).map(lambda made: made if isinstance(made, Composite) else Composite({"inner": made}))


def datasets() -> st.SearchStrategy[Array | Table | Composite]:
    """Any dataset."""
    return st.one_of(arrays(), tables(), composites())


@st.composite
def products(draw: st.DrawFn, max_datasets: int = 3) -> Product:
    """Products without references."""
    found = draw(metadata())
    meta = {name: found[name] for name in found if name not in FIXED_ATTRIBUTES}
    fixed: dict[str, Any] = {
        "type": draw(texts(20)),
        "creationDate": draw(times()),
        "description": draw(texts()),
        "instrument": draw(st.sampled_from(("PACS", "SPIRE", "HIFI"))),
    }
    return Product(
        draw(st.sampled_from(sorted(PARENTS))),
        meta=meta,
        datasets=draw(st.dictionaries(names(), datasets(), max_size=max_datasets)),
        history=draw(st.lists(texts(200), max_size=3)),
        **fixed,
    )
