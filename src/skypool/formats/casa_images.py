"""CASA images: pixels and masks in tiles, units and coordinates in keywords.

The file of a tiled storage manager holds the tiles of one array behind each other, in
Fortran order of the grid of tiles, each of them in Fortran order and of full size.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged
from skypool.formats.casa_tables import CasaTable, open_casa
from skypool.formats.parsing import CONTENT_ERRORS, NotUnderstood
from skypool.formats.typed import ColumnScan, array_dataset, flatten
from skypool.formats.verbatim import Description

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["TiledArray", "describe_image"]

Values = np.ndarray[Any, Any]
# Larger images get no statistics: they would have to be read to be added.
SCAN_LIMIT = 1024**3
_TYPES = {4: "f4", 8: "f8"}
_WCS_ERRORS: tuple[type[Exception], ...] = (ImportError, *CONTENT_ERRORS)


class TiledArray:
    """An array in the file of a tiled storage manager.

    Parameters
    ----------
    item
        ``shape`` and ``tile`` (slowest axis first), ``dtype`` (``bits`` for masks).
    """

    def __init__(self, item: Mapping[str, Any]) -> None:
        self._shape: tuple[int, ...] = tuple(item["shape"])
        self._tile: tuple[int, ...] = tuple(item["tile"])
        self._dtype: str = item["dtype"]
        self._grid = [-(-n // t) for n, t in zip(self._shape, self._tile, strict=True)]
        count = math.prod(self._tile)
        width = 0 if self._dtype == "bits" else np.dtype(self._dtype).itemsize
        self._bytes = (count + 7) // 8 if self._dtype == "bits" else count * width

    @property
    def size(self) -> int:
        """Bytes of all tiles."""
        return math.prod(self._grid) * self._bytes

    def read(self, source: ByteSource, index: tuple[slice, ...]) -> Values:
        """Return a part of the values, reading the tiles that it touches.

        Raises
        ------
        Damaged
            If a tile is not all there.
        """
        ranges = [range(*part.indices(n)) for part, n in zip(index, self._shape, strict=True)]
        low = [min(r, default=0) for r in ranges]
        high = [max(r, default=-1) + 1 for r in ranges]
        if any(len(r) == 0 for r in ranges):
            return np.empty([len(r) for r in ranges], self._native)
        box = np.empty([b - a for a, b in zip(low, high, strict=True)], self._native)
        tiles = [
            range(a // t, (b - 1) // t + 1) for a, b, t in zip(low, high, self._tile, strict=True)
        ]
        for place in itertools.product(*tiles):
            tile = self._read_tile(source, place)
            start = [p * t for p, t in zip(place, self._tile, strict=True)]
            into, of = [], []
            for s, t, a, b in zip(start, self._tile, low, high, strict=True):
                first, last = max(s, a), min(s + t, b)
                into.append(slice(first - a, last - a))
                of.append(slice(first - s, last - s))
            box[tuple(into)] = tile[tuple(of)]
        return box[tuple(slice(None, None, r.step) for r in ranges)]

    @property
    def _native(self) -> np.dtype[Any]:
        return np.dtype(bool if self._dtype == "bits" else self._dtype).newbyteorder("=")

    def _read_tile(self, source: ByteSource, place: tuple[int, ...]) -> Values:
        number = 0
        for p, n in zip(place, self._grid, strict=True):
            number = number * n + p
        data = source.pread(number * self._bytes, self._bytes)
        if len(data) != self._bytes:
            raise Damaged("the tiles of a CASA image end too early")
        if self._dtype == "bits":
            raw = np.frombuffer(data, np.uint8)
            bits = np.unpackbits(raw, count=math.prod(self._tile), bitorder="little")
            return bits.astype(bool).reshape(self._tile)
        # Fortran order of the reversed axes is C order of these.
        return np.frombuffer(data, self._dtype).reshape(self._tile)


def describe_image(main: CasaTable, files: Mapping[str, ByteSource]) -> Description | None:
    """Describe an image; None where the table is none.

    Raises
    ------
    NotUnderstood
        If it looks like an image and cannot be read as one.
    """
    if [column.name for column in main.columns] != ["map"] or "coords" not in main.keywords:
        return None
    keywords = main.keywords
    rest = {k: v for k, v in keywords.items() if k not in ("coords", "masks")}
    found = Description(meta=flatten(rest))
    item = _item(main, "table.f0_TSM0", files, bits=False)
    unit = str(keywords.get("units", ""))
    image = _array(item, unit, files)
    header = _wcs(main.coordinates)
    if header:
        image["wcs"] = {"header": header}
    found.datasets.append(["image", image])
    masks = keywords.get("masks")
    for name in masks if isinstance(masks, dict) else ():
        try:
            with open_casa(files, str(name)) as mask:
                place = _item(mask, f"{name}/table.f0_TSM0", files, bits=True)
                found.datasets.append([str(name), _array(place, "", files)])
        except NotUnderstood:
            continue  # the mask of a region, which has no tiles
    found.kind = {2: "SimpleImage", 3: "SimpleCube"}.get(len(item["shape"]), "Product")
    return found


def _item(
    table: CasaTable, file: str, files: Mapping[str, ByteSource], bits: bool
) -> dict[str, Any]:
    """Read where the tiles of an image are, and of which type."""
    try:
        manager = table.managers[0]
        shape = [int(n) for n in manager.cube_shapes[0]][::-1]
        tile = [int(n) for n in manager.default_tile_shape][::-1]
        order = ">" if manager.big_endian else "<"
        count = math.prod(-(-n // t) for n, t in zip(shape, tile, strict=True)) * math.prod(tile)
        size = files[file].size
    except CONTENT_ERRORS as error:
        raise NotUnderstood(f"an image of another layout ({type(error).__name__})") from error
    if bits:
        dtype = "bits"
    elif count and size % count == 0 and size // count in _TYPES:
        # The description's type is not given by the package: the length tells.
        dtype = order + _TYPES[size // count]
    else:
        raise NotUnderstood("an image whose tiles have another length than its shape says")
    item = {"file": file, "shape": shape, "tile": tile, "dtype": dtype}
    if TiledArray(item).size != size:
        raise NotUnderstood("an image whose tiles have another length than its shape says")
    return item


def _array(item: dict[str, Any], unit: str, files: Mapping[str, ByteSource]) -> dict[str, Any]:
    array, shape, scan = TiledArray(item), tuple(item["shape"]), ColumnScan()
    source = files[item["file"]]
    if 0 < array.size <= SCAN_LIMIT:
        step = max(1, item["tile"][0])
        rest = tuple(slice(None) for _ in shape[1:])
        for start in range(0, shape[0], step):
            scan.add(array.read(source, (slice(start, start + step), *rest)))
    dtype = np.dtype(bool if item["dtype"] == "bits" else item["dtype"]).newbyteorder("=")
    return array_dataset(shape, dtype, {"reader": "casa", "item": item}, [], unit, scan=scan)


def _wcs(coordinates: Any) -> str:
    """Return the world coordinates as the cards of a FITS header; empty where there are none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from casa_formats_io import coordsys_to_astropy_wcs

            return str(coordsys_to_astropy_wcs(coordinates).to_header_string())
    except _WCS_ERRORS:
        return ""  # the pixels are there without
