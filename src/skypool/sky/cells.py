"""Regions of HEALPix cells: positions in tables, HEALPix maps, and MOC files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.model.memory_table import MemoryTable
from skypool.model.tables import Table
from skypool.sky.cells_of_many import cells_of
from skypool.sky.columns import position_columns
from skypool.sky.coverage import AllSky, CellsPart, Part, State, Truth
from skypool.sky.frames import ROTATIONS
from skypool.sky.healpix import DEEPEST, cell_centre, cell_of, cell_radius, holds
from skypool.sky.vectors import Vector, dot, separation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skypool.sky.celestial import Geometry

__all__ = ["SkyCells", "may_hold_cells", "sky_cells"]

ORDER: Final = 10
"""Cells of tables of positions are of this order (3.4 arcmin), larger where there are many."""
MOST_RANGES: Final = 4096
"""Most ranges of cells that the catalogue keeps."""
UNSEEN: Final = -1.6375e30
_BLOCK: Final = 1 << 18
_FRAMES: Final = {"G": "galactic", "GAL": "galactic", "GALACTIC": "galactic"}
# How far cells are divided to see whether they touch something, and of whole-sky images.
_FINER: Final = 9
_COARSE: Final = 8


@dataclass(frozen=True)
class SkyCells:
    """A table that is a region of the sky.

    Attributes
    ----------
    name : str
        Of the dataset.
    table : Table
    kind : str
        ``positions``, ``pixels``, ``healpix`` or ``moc``.
    """

    name: str
    table: Table
    kind: str

    @cached_property
    def frame(self) -> str:
        """In which frame the cells are counted."""
        if self.kind in ("positions", "pixels"):
            return "icrs"
        return _FRAMES.get(_text(self.table.meta, "COORDSYS").upper(), "icrs")

    @cached_property
    def ranges(self) -> tuple[list[int], list[int]]:
        """Starts and ends of the cells at order 29, sorted and apart."""
        try:
            found = _RANGES[self.kind](self)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return [], []  # numbers that are no positions
        return found[:, 0].tolist(), found[:, 1].tolist()

    @cached_property
    def part(self) -> Part | None:
        """What the catalogue keeps of it; None if there are no cells."""
        starts, stops = self.ranges
        if not starts:
            return None
        if self.kind == "healpix" and (starts, stops) == ([0], [12 << 2 * DEEPEST]):
            return AllSky(State.MIXED)
        order, exact = DEEPEST, self.kind != "healpix"
        while len(starts) > MOST_RANGES:
            order, exact = order - 1, False
            starts, stops = _coarser(starts, stops, order)
        frame = list(ROTATIONS).index(self.frame)
        return CellsPart(frame, tuple(starts), tuple(stops), exact=exact)

    def native(self, direction: Vector) -> Vector:
        """Return a direction in the frame of the cells."""
        columns = tuple(zip(*ROTATIONS[self.frame], strict=True))
        return (dot(columns[0], direction), dot(columns[1], direction), dot(columns[2], direction))

    def footprint_covers(self, direction: Vector) -> bool:
        """Tell whether a direction is in one of the cells."""
        return holds(*self.ranges, cell_of(self.native(direction), DEEPEST))

    def covers(self, direction: Vector) -> bool:
        """Tell whether the cell of a direction has a value."""
        if not self.footprint_covers(direction):
            return False
        return self.kind != "healpix" or _pixel_has_value(self.table, self.native(direction))

    def meets_circle(self, direction: Vector, radius: float) -> bool:
        """Tell whether a circle (radius in radians) holds a point of a cell."""
        middle = self.native(direction)
        if self.footprint_covers(direction):
            return True

        def ask(centre: Vector, reach: float) -> Truth:
            away = separation(centre, middle)
            return True if away <= radius else None if away <= radius + reach else False

        return self.meets(ask)

    def meets(self, ask: Callable[[Vector, float], Truth], finest: int = DEEPEST) -> bool:
        """Tell whether a region has a point of a cell.

        Parameters
        ----------
        ask
            Told the middle of a cell and how far its corners may be, it says whether the middle
            is in the region, or else whether any of the cell may be (None).
        finest
            Cells of this order are not divided any more.
        """
        starts, stops = self.ranges
        waiting = [(cell, 0, DEEPEST) for cell in range(12)]
        while waiting:
            cell, order, limit = waiting.pop()
            shift = 2 * (DEEPEST - order)
            first, last = cell << shift, (cell + 1) << shift
            inside = _share(starts, stops, first, last)
            if inside is False:
                continue
            found = ask(cell_centre(cell, order), cell_radius(order))
            if found is False:
                continue
            if found and inside:
                return True
            if inside:
                limit = min(limit, order + _FINER)
            if order < min(limit, finest):
                waiting += [(4 * cell + n, order + 1, limit) for n in range(4)]
        return False

    def overlaps_image(self, found: Geometry, part: Part) -> bool:
        """Tell whether an image has a point in one of the cells."""
        from skypool.sky.overlap import meets_circle

        rows = ROTATIONS[self.frame]

        def ask(centre: Vector, reach: float) -> Truth:
            turned = (dot(rows[0], centre), dot(rows[1], centre), dot(rows[2], centre))
            if found.pixel_of(turned) is not None:
                return True
            return False if meets_circle(part, turned, reach) is False else None

        return self.meets(ask, _COARSE if part.outline is None else DEEPEST)

    def overlaps_cells(self, other: SkyCells) -> bool:
        """Tell whether two regions of cells have a point in common."""
        if self.frame == other.frame:
            starts, stops = other.ranges
            return any(
                _share(starts, stops, first, last) is not False
                for first, last in zip(*self.ranges, strict=True)
            )
        rows = ROTATIONS[self.frame]

        def ask(centre: Vector, reach: float) -> Truth:
            turned = (dot(rows[0], centre), dot(rows[1], centre), dot(rows[2], centre))
            return True if other.footprint_covers(turned) else None

        return self.meets(ask, _COARSE)


def _share(starts: list[int], stops: list[int], first: int, last: int) -> Truth:
    """Tell whether ranges hold all of another (True), some of it (None), or nothing."""
    place = bisect_right(starts, first) - 1
    if place >= 0 and stops[place] > first:
        return True if stops[place] >= last else None
    return None if place + 1 < len(starts) and starts[place + 1] < last else False


def _coarser(starts: list[int], stops: list[int], order: int) -> tuple[list[int], list[int]]:
    """Return the cells of an order that hold all of the ranges."""
    shift = 2 * (DEEPEST - order)
    first = np.array(starts) >> shift
    last = ((np.array(stops) - 1) >> shift) + 1
    merged = _merged(np.stack([first, last], axis=1)) << shift
    return merged[:, 0].tolist(), merged[:, 1].tolist()


def _merged(ranges: NDArray[np.int64]) -> NDArray[np.int64]:
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


def may_hold_cells(columns: list[str], meta: Mapping[str, Any]) -> str | None:
    """Return which kind of region a table may be, from its columns and metadata alone."""
    if _text(meta, "PIXTYPE").upper() == "HEALPIX" and _number(meta, "NSIDE") is not None:
        return "healpix"
    if columns and _text(meta, "ORDERING").upper() in ("NUNIQ", "RANGE") and _is_moc(meta):
        return "moc"
    if _pixel_list(columns, meta) is not None:
        return "pixels"
    return "positions" if position_columns(columns) is not None else None


def sky_cells(name: str, table: Table) -> SkyCells | None:
    """Return the region that a table is, None if it is none."""
    if not is_read(table):
        return None
    kind = may_hold_cells(list(table.colnames), table.meta)
    return None if kind is None else SkyCells(name, table, kind)


def is_read(table: Table) -> bool:
    """Tell whether rows are read without a format: only such tables are indexed."""
    source = table.source
    return getattr(source, "stored", None) is not None or isinstance(source, MemoryTable)


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
        yield [np.asarray(table[name][start : start + _BLOCK]) for name in names]


def _of_directions(table: Table, blocks: Iterator[tuple[Any, Any]], frame: str) -> Any:
    """Return the ranges of the cells that hold directions, given in degrees."""
    cells = np.zeros(0, np.int64)
    matrix = np.array(ROTATIONS[frame])
    for lon, lat in blocks:
        lon, lat = np.radians(np.asarray(lon, float)), np.radians(np.asarray(lat, float))
        scale = np.cos(lat)
        native = np.stack([scale * np.cos(lon), scale * np.sin(lon), np.sin(lat)], axis=1)
        there = np.isfinite(native).all(axis=1) & (np.abs(lat) <= np.pi / 2)
        vectors = native[there] @ matrix.T
        cells = np.union1d(cells, cells_of(vectors, ORDER))
    order = ORDER
    ranges = _merged(np.stack([cells, cells + 1], axis=1))
    while len(ranges) > MOST_RANGES // 2:
        order -= 1
        cells = np.unique(cells >> 2)
        ranges = _merged(np.stack([cells, cells + 1], axis=1))
    return ranges << 2 * (DEEPEST - order)


def _of_positions(self: SkyCells) -> Any:
    chosen = position_columns(list(self.table.colnames))
    assert chosen is not None
    lon, lat, frame = chosen
    factors = [_degrees(self.table[name].unit_text) for name in (lon, lat)]
    if any(self.table[name].dtype.kind not in "iuf" for name in (lon, lat)) or None in factors:
        return np.zeros((0, 2), np.int64)
    if any(self.table[name].ndim != 1 for name in (lon, lat)):
        return np.zeros((0, 2), np.int64)
    blocks = ((x * factors[0], y * factors[1]) for x, y in _blocks(self.table, lon, lat))
    return _of_directions(self.table, blocks, frame)


def _degrees(unit: str) -> float | None:
    known = {"": 1.0, "deg": 1.0, "degree": 1.0, "degrees": 1.0, "rad": 180.0 / np.pi,
             "hourangle": 15.0, "h": 15.0, "arcsec": 1 / 3600.0, "arcmin": 1 / 60.0}  # fmt: skip
    return known.get(unit.strip())


def _of_pixels(self: SkyCells) -> Any:
    """Return the cells of events: columns of pixels with world coordinates (FITS 4.0, 8.2)."""
    from astropy.wcs import WCS

    names, meta = list(self.table.colnames), self.table.meta
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
        for x, y in _blocks(self.table, names[axes[0] - 1], names[axes[1] - 1]):
            place = wcs.pixel_to_world(np.asarray(x, float) - 1, np.asarray(y, float) - 1).icrs
            yield place.ra.deg, place.dec.deg

    return _of_directions(self.table, blocks(), "icrs")


def _of_healpix(self: SkyCells) -> Any:
    """Return the cells of the pixels that a map has, with a value or without."""
    from astropy_healpix.core import ring_to_nested

    meta = self.table.meta
    nside = int(_number(meta, "NSIDE") or 0)
    if nside < 1 or nside & (nside - 1) or nside.bit_length() > DEEPEST + 1:
        return np.zeros((0, 2), np.int64)
    order = nside.bit_length() - 1
    pixels = _listed(self.table)
    if pixels is None:
        return np.array([[0, 12 << 2 * DEEPEST]])
    found = [np.asarray(block[0], np.int64).ravel() for block in _blocks(self.table, pixels)]
    cells = np.unique(np.concatenate([*found, np.zeros(0, np.int64)]))
    cells = cells[(cells >= 0) & (cells < 12 * nside**2)]
    if _text(meta, "ORDERING").upper() != "NESTED" and len(cells):
        cells = np.unique(ring_to_nested(cells, nside))
    return _merged(np.stack([cells, cells + 1], axis=1)) << 2 * (DEEPEST - order)


def _listed(table: Table) -> str | None:
    """Return the column that holds the numbers of pixels; None where they are counted."""
    if _text(table.meta, "INDXSCHM").upper() == "IMPLICIT":
        return None
    explicit = _text(table.meta, "INDXSCHM").upper() == "EXPLICIT"
    for name in table.colnames:
        if name.casefold() in ("pixel", "hpxindex", "healpix", "ipix", "pix", "cellid"):
            return str(name)
    return str(table.colnames[0]) if explicit else None


def _pixel_has_value(table: Table, native: Vector) -> bool:
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


def _of_moc(self: SkyCells) -> Any:
    """Return the ranges of a MOC (IVOA MOC 2.0): NUNIQ numbers, or pairs at order 29."""
    names = list(self.table.colnames)
    values = [np.asarray(b[0], np.int64).ravel() for b in _blocks(self.table, names[0])]
    numbers = np.concatenate([*values, np.zeros(0, np.int64)])
    if _text(self.table.meta, "ORDERING").upper() == "RANGE":
        return _merged(numbers[: len(numbers) // 2 * 2].reshape(-1, 2))
    numbers = numbers[numbers >= 4]
    order = np.array([(int(n).bit_length() - 3) // 2 for n in numbers], np.int64)
    cells = numbers - (np.int64(4) << 2 * order)
    shift = 2 * (DEEPEST - order)
    return _merged(np.stack([cells << shift, (cells + 1) << shift], axis=1).reshape(-1, 2))


_RANGES: Final[dict[str, Callable[[SkyCells], Any]]] = {
    "positions": _of_positions,
    "pixels": _of_pixels,
    "healpix": _of_healpix,
    "moc": _of_moc,
}
