"""Tables that are regions of HEALPix cells: which tables are, and which cells they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.model.tables import Table
from skypool.sky.cells_of_many import PIECE, cells_of, distinct
from skypool.sky.columns import position_columns
from skypool.sky.frames import ROTATIONS, frame_of_cells
from skypool.sky.healpix import DEEPEST, cell_of
from skypool.sky.vectors import Vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MOST_RANGES",
    "frame_of_table",
    "kind_of_region",
    "merged",
    "pixel_has_value",
    "ranges_of",
]

ORDER: Final = 10
"""Cells of tables of positions are of this order (3.4 arcmin), larger where there are many."""
MOST_RANGES: Final = 4096
"""Most ranges of cells that the catalogue keeps."""
UNSEEN: Final = -1.6375e30
_BLOCK: Final = 1 << 18


def merged(ranges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ranges sorted, those that touch as one."""
    if not len(ranges):
        return ranges.reshape(0, 2)
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    ends = np.maximum.accumulate(ranges[:, 1])
    new = np.r_[True, ranges[1:, 0] > ends[:-1]]
    found: NDArray[np.int64] = np.stack(
        [ranges[new, 0], ends[np.r_[np.flatnonzero(new)[1:] - 1, len(ranges) - 1]]], axis=1
    )
    return found


def kind_of_region(table: Table) -> str | None:
    """Return which kind of region a table is: ``positions``, ``pixels``, ``healpix`` or ``moc``.

    None for a table that is none; only columns and metadata are looked at.
    """
    kind = _kind(list(table.colnames), table.meta, _ucds(table))
    if kind in ("healpix", "moc") and frame_of_cells(_text(table.meta, "COORDSYS")) is None:
        return None  # of another planet, or of a frame that nobody knows
    return kind


def frame_of_table(table: Table, kind: str) -> str:
    """Return in which frame the cells of a region are counted."""
    if kind in ("positions", "pixels"):
        return "icrs"
    return frame_of_cells(_text(table.meta, "COORDSYS")) or "icrs"


def _kind(columns: list[str], meta: Mapping[str, Any], ucds: Mapping[str, str]) -> str | None:
    if _text(meta, "PIXTYPE").upper() == "HEALPIX" and _number(meta, "NSIDE") is not None:
        return "healpix"
    if columns and _text(meta, "ORDERING").upper() in ("NUNIQ", "RANGE") and _is_moc(meta):
        return "moc"
    if _pixel_list(columns, meta) is not None:
        return "pixels"
    return "positions" if position_columns(columns, ucds) is not None else None


def _ucds(table: Table) -> dict[str, str]:
    return {
        name: table[name].info.ucd or _text(table.meta, f"TUCD{n}")
        for n, name in enumerate(table.colnames, 1)
    }


def _is_moc(meta: Mapping[str, Any]) -> bool:
    dimension = _text(meta, "MOCDIM").upper()
    return dimension in ("", "SPACE") and any(
        _number(meta, key) is not None for key in ("MOCORDER", "MOCORD_S")
    )


def _pixel_list(columns: list[str], meta: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the numbers (from 1) of the columns that are longitude and latitude of pixels."""
    kinds = [_text(meta, f"TCTYP{n}").upper() for n in range(1, len(columns) + 1)]
    for n, kind in enumerate(kinds):
        if kind[:4] in ("RA--", "GLON"):
            wanted = {"RA--": "DEC-", "GLON": "GLAT"}[kind[:4]] + kind[4:]
            if wanted in kinds:
                return n + 1, kinds.index(wanted) + 1
    return None


def _text(meta: Mapping[str, Any], key: str) -> str:
    found = meta.get(key)
    value = getattr(found, "value", found)
    return value.strip() if isinstance(value, str) else ""


def _number(meta: Mapping[str, Any], key: str) -> float | None:
    found = meta.get(key)
    value = getattr(found, "value", found)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _blocks(table: Table, *names: str) -> Iterator[list[NDArray[Any]]]:
    for start in range(0, len(table), _BLOCK):
        yield [_block(table, name, start) for name in names]


def _block(table: Table, name: str, start: int) -> NDArray[Any]:
    """Return some values of a column, NaN where there are none."""
    values = table[name][start : start + _BLOCK]
    beside = f"{name}.mask"
    if type(values) is np.ndarray and beside not in table.colnames:
        return values  # without `numpy.ma`, which takes time to load
    missing = np.ma.getmaskarray(values)
    if beside in table.colnames and table[beside].dtype.kind == "b":
        # Where astropy keeps the masks of columns in HDF5 and Parquet.
        missing = missing | np.asarray(table[beside][start : start + _BLOCK])
    values = np.ma.getdata(values)
    return np.where(missing, np.nan, values) if missing.any() else np.asarray(values)


def _of_directions(table: Table, blocks: Iterator[tuple[Any, Any]], frame: str) -> Any:
    """Return the ranges of the cells that hold directions, given in degrees."""
    found = [
        cells_of(_vectors(lon[start : start + PIECE], lat[start : start + PIECE], frame), ORDER)
        for lon, lat in blocks
        for start in range(0, len(lon), PIECE)
    ]
    cells = distinct(np.concatenate([*found, np.zeros(0, np.int64)]))
    order = ORDER
    ranges = merged(np.stack([cells, cells + 1], axis=1))
    while len(ranges) > MOST_RANGES // 2:
        order -= 1
        cells = distinct(cells >> 2)
        ranges = merged(np.stack([cells, cells + 1], axis=1))
    return ranges << 2 * (DEEPEST - order)


def _vectors(lon: Any, lat: Any, frame: str) -> NDArray[np.float64]:
    """Return the unit vectors of those directions that are some."""
    lon, lat = np.radians(np.asarray(lon, float)), np.radians(np.asarray(lat, float))
    there = np.isfinite(lon) & (np.abs(lat) <= np.pi / 2)
    if not there.all():
        lon, lat = lon[there], lat[there]
    scale = np.cos(lat)
    native = np.stack([scale * np.cos(lon), scale * np.sin(lon), np.sin(lat)], axis=1)
    return native if frame == "icrs" else native @ np.array(ROTATIONS[frame]).T


def _of_positions(table: Table) -> Any:
    chosen = position_columns(list(table.colnames), _ucds(table))
    assert chosen is not None
    lon, lat, frame = chosen
    factors = [_degrees(table[name].unit_text) for name in (lon, lat)]
    if any(table[name].dtype.kind not in "iuf" for name in (lon, lat)) or None in factors:
        return np.zeros((0, 2), np.int64)
    if any(table[name].ndim != 1 for name in (lon, lat)):
        return np.zeros((0, 2), np.int64)
    blocks = ((x * factors[0], y * factors[1]) for x, y in _blocks(table, lon, lat))
    return _of_directions(table, blocks, frame)


def _degrees(unit: str) -> float | None:
    known = {"": 1.0, "deg": 1.0, "degree": 1.0, "degrees": 1.0, "rad": 180.0 / np.pi,
             "hourangle": 15.0, "h": 15.0, "arcsec": 1 / 3600.0, "arcmin": 1 / 60.0}  # fmt: skip
    return known.get(unit.strip())


def _of_pixels(table: Table) -> Any:
    """Return the cells of events: columns of pixels with world coordinates (FITS 4.0, 8.2)."""
    from astropy.wcs import WCS

    names, meta = list(table.colnames), table.meta
    axes = _pixel_list(names, meta)
    assert axes is not None
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [_text(meta, f"TCTYP{n}") for n in axes]
    wcs.wcs.crval = [_number(meta, f"TCRVL{n}") or 0.0 for n in axes]
    wcs.wcs.crpix = [_number(meta, f"TCRPX{n}") or 0.0 for n in axes]
    wcs.wcs.cdelt = [_number(meta, f"TCDLT{n}") or 1.0 for n in axes]
    wcs.wcs.radesys = _text(meta, "RADESYS") or _text(meta, "RADECSYS")
    equinox = _number(meta, "EQUINOX")
    if equinox is not None:
        wcs.wcs.equinox = equinox

    def blocks() -> Iterator[tuple[Any, Any]]:
        for x, y in _blocks(table, names[axes[0] - 1], names[axes[1] - 1]):
            place = wcs.pixel_to_world(np.asarray(x, float) - 1, np.asarray(y, float) - 1).icrs
            yield place.ra.deg, place.dec.deg

    return _of_directions(table, blocks(), "icrs")


def _of_healpix(table: Table) -> Any:
    """Return the cells of the pixels that a map has, with a value or without."""
    from astropy_healpix.core import ring_to_nested

    meta = table.meta
    nside = int(_number(meta, "NSIDE") or 0)
    if nside < 1 or nside & (nside - 1) or nside.bit_length() > DEEPEST + 1:
        return np.zeros((0, 2), np.int64)
    order = nside.bit_length() - 1
    pixels = _listed(table)
    if pixels is None:
        return np.array([[0, 12 << 2 * DEEPEST]])
    found = [block[np.isfinite(block)].astype(np.int64) for (block,) in _blocks(table, pixels)]
    cells = np.unique(np.concatenate([*found, np.zeros(0, np.int64)]))
    cells = cells[(cells >= 0) & (cells < 12 * nside**2)]
    if _text(meta, "ORDERING").upper() != "NESTED" and len(cells):
        cells = np.unique(ring_to_nested(cells, nside))
    return merged(np.stack([cells, cells + 1], axis=1)) << 2 * (DEEPEST - order)


def _listed(table: Table) -> str | None:
    """Return the column that holds the numbers of pixels; None where they are counted."""
    if _text(table.meta, "INDXSCHM").upper() == "IMPLICIT":
        return None
    explicit = _text(table.meta, "INDXSCHM").upper() == "EXPLICIT"
    for name in table.colnames:
        if name.casefold() in ("pixel", "hpxindex", "healpix", "ipix", "pix", "cellid"):
            return str(name)
    return str(table.colnames[0]) if explicit else None


def pixel_has_value(table: Table, native: Vector) -> bool:
    """Tell whether any column of a HEALPix map has a value in a direction."""
    from astropy_healpix.core import nested_to_ring

    nside = int(_number(table.meta, "NSIDE") or 1)
    pixel = cell_of(native, nside.bit_length() - 1)
    if _text(table.meta, "ORDERING").upper() != "NESTED":
        pixel = int(nested_to_ring(pixel, nside))
    listed = _listed(table)
    for name in table.colnames:
        if name == listed or table[name].dtype.kind not in "iufb":
            continue
        if listed is not None:
            row, inner = _row_of(table, listed, pixel), 0
        else:
            width = int(np.prod(table[name].shape[1:], dtype=int))
            row, inner = divmod(pixel - int(_number(table.meta, "FIRSTPIX") or 0), width)
        if not 0 <= row < len(table):
            continue
        value = np.asarray(table[name][row : row + 1]).reshape(1, -1)[0, inner]
        if np.isfinite(value) and not np.isclose(value, UNSEEN, rtol=1e-6, atol=0):
            return True
    return False


def _row_of(table: Table, listed: str, pixel: int) -> int:
    start = 0
    for (block,) in _blocks(table, listed):
        found = np.flatnonzero(np.asarray(block).ravel() == pixel)
        if len(found):
            return start + int(found[0])
        start += len(block)
    return -1


def _of_moc(table: Table) -> Any:
    """Return the ranges of a MOC (IVOA MOC 2.0): NUNIQ numbers, or pairs at order 29."""
    names = list(table.colnames)
    values = [np.asarray(b[0], np.int64).ravel() for b in _blocks(table, names[0])]
    numbers = np.concatenate([*values, np.zeros(0, np.int64)])
    if _text(table.meta, "ORDERING").upper() == "RANGE":
        return merged(numbers[: len(numbers) // 2 * 2].reshape(-1, 2))
    numbers = numbers[numbers >= 4]
    order = np.array([(int(n).bit_length() - 3) // 2 for n in numbers], np.int64)
    cells = numbers - (np.int64(4) << 2 * order)
    shift = 2 * (DEEPEST - order)
    return merged(np.stack([cells << shift, (cells + 1) << shift], axis=1).reshape(-1, 2))


_RANGES: Final[dict[str, Callable[[Table], Any]]] = {
    "positions": _of_positions,
    "pixels": _of_pixels,
    "healpix": _of_healpix,
    "moc": _of_moc,
}


def ranges_of(table: Table, kind: str) -> NDArray[np.int64]:
    """Return the cells of a region: (n, 2) starts and ends at order 29, sorted and apart.

    Raises
    ------
    ArithmeticError, LookupError, TypeError, ValueError
        If the numbers in the table are no positions.
    """
    found: NDArray[np.int64] = _RANGES[kind](table)
    return found
