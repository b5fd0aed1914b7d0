"""Arrays: images, cubes and spectra with unit and world coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.model import convert
from skypool.model.conversions import Conversions
from skypool.model.duck import Duck
from skypool.model.fancy import take
from skypool.model.immutable import Immutable
from skypool.model.indexing import select
from skypool.model.metadata import MetaData
from skypool.model.reductions import Reducible, tile_shape, tiles
from skypool.model.sources import ArraySource, Ndarray, TileStatistics, content_token
from skypool.model.units import parse_unit
from skypool.model.validate import Problems
from skypool.model.wcs import build_wcs, needs_tables, wcs_cards, wcs_text

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["Array", "MemoryArray"]


class MemoryArray:
    """An `ArraySource` over an array in memory, seen read-only.

    Parameters
    ----------
    data
        Of any dtype that `skypool.model.convert.clean_array` gives.
    """

    __slots__ = ("_data",)

    statistics: TileStatistics | None = None
    stored: object = None

    def __init__(self, data: Ndarray) -> None:
        self._data = data

    @property
    def shape(self) -> tuple[int, ...]:
        """Slowest axis first."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self._data.dtype

    def token(self) -> object:
        """Return the values themselves, which dask hashes."""
        return self._data

    def read(self, index: tuple[slice, ...]) -> Ndarray:
        """Return a part of the values, without copying."""
        # The ellipsis keeps an array of no axes an array.
        place: tuple[Any, ...] = (*index, ...)
        part: Ndarray = self._data[place]
        return part


class Array(Duck, Conversions, Reducible, Immutable):
    """Immutable n-dimensional values with unit, world coordinates and metadata.

    Slicing and `numpy.asarray` give read-only numpy arrays; what is not asked for is
    not read. `numpy.array` gives a copy that may be changed. Operators and functions of
    numpy take the values and give numpy arrays, without unit (docs/howto/arrays.md).

    Axes are those of numpy, slowest first: the pixel (x, y) of FITS, counted from 1, is
    `array[y - 1, x - 1]`. The methods that reduce (`max`, `mean`, ...) leave NaN out and give
    plain numbers in the array's unit; `max`, `min` and `count` of a saved array read no values.

    Parameters
    ----------
    data
        What `numpy.asarray` takes, a `Quantity`, an `NDData` or `CCDData` without
        mask and uncertainty (a `Product` takes those, too), or an `ArraySource`.
    unit
        Text or `astropy.units` object; by default that of the data.
    wcs
        `astropy.wcs.WCS`, `Header`, text of 80-character header cards, or a function
        that gives such a text when it is first needed; by default that of the data.
    meta
        Metadata of its own.
    description
        What it is.
    copy
        False to keep the data themselves instead of a copy, on the promise that
        nobody changes them.

    Raises
    ------
    InvalidProduct
        With everything in it that cannot be kept.

    Examples
    --------
    >>> image = Array(np.zeros((100, 200), "f4"), unit="Jy/beam", wcs=wcs)
    >>> image.shape, image.max(), image[40:72, 40:72]
    >>> image.cutout(SkyCoord(204.2538, -29.8657, unit="deg"), 2 * u.arcmin)
    """

    __slots__ = ("_cards", "_header", "_source", "_unit_text", "_wcs", "description", "meta")

    _advice = "change a copy (numpy.array(dataset)) and use product.replace(datasets={name: copy})"

    _source: ArraySource
    _header: str | Callable[[], str] | None
    _cards: str | None
    _unit_text: str
    _wcs: Any
    meta: MetaData
    description: str

    def __init__(
        self,
        data: Any,
        unit: Any = None,
        wcs: Any = None,
        meta: Mapping[str, Any] | None = None,
        description: str = "",
        *,
        copy: bool = True,
    ) -> None:
        problems = Problems()
        parts = convert.array_parts(data, problems, copy=copy)
        source = parts.source if parts.values is None else MemoryArray(parts.values)
        meta = parts.meta if meta is None else meta
        self._set(
            _source=source,
            _unit_text=convert.checked_unit(parts.unit if unit is None else unit, problems),
            _header=_header_of(parts.wcs if wcs is None else wcs, problems),
            _cards=None,
            _wcs=None,
            meta=convert.checked_meta(meta, problems),
            description=str(description or ""),
        )
        problems.raise_all()

    @property
    def source(self) -> ArraySource:
        """Where the values come from."""
        return self._source

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of the axes, slowest first."""
        return tuple(self._source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self._source.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._source.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        size = 1
        for length in self._source.shape:
            size *= length
        return size

    @property
    def nbytes(self) -> int:
        """Bytes that all values take in memory."""
        return self.size * self.dtype.itemsize

    @property
    def unit_text(self) -> str:
        """The unit as text; empty where there is none, `1` where it is dimensionless."""
        return self._unit_text

    @property
    def unit(self) -> Any:
        """The unit: an `astropy.units` object where astropy reads the text, else the text.

        None where there is none.
        """
        return parse_unit(self.unit_text)

    @property
    def wcs_header(self) -> str:
        """The world coordinates as 80-character header cards; empty where there are none."""
        header = self._header
        if callable(header):
            # Such a text is the whole header of an image.
            if self._cards is None:
                self._set(_cards=wcs_cards(header() or ""))
            return self._cards or ""
        return header or ""

    @property
    def wcs_source(self) -> str | Callable[[], str] | None:
        """Where the world coordinates come from: a text, or a function that reads the header."""
        return self._header

    @property
    def may_have_wcs(self) -> bool:
        """Whether there is a header for world coordinates; it is not read."""
        return self._header is not None

    @property
    def wcs(self) -> WCS | None:
        """A copy of the world coordinates, None where there are none."""
        found = self._own_wcs()
        return None if found is None else found.deepcopy()

    def _own_wcs(self) -> WCS | None:
        if self._wcs is None and self._header is not None:
            text = self.wcs_header
            self._set(_wcs=build_wcs(text, self.shape, getattr(self._header, "open_file", None)))
        return self._wcs

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_wcs": None}  # made again from the header

    def __dask_tokenize__(self) -> object:
        return "skypool.Array", content_token(self._source)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("an array without axes has no length")
        return self.shape[0]

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError("the truth of an array is not defined; use .any() or .all()")
        return bool(self._read_all().reshape(-1)[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        selection = select(index, self.shape)
        if selection is None:
            found = take(index, self.shape, self.dtype, self.tile, self._source.read)
            return _frozen(self._read_all()[index] if found is None else found)
        values = self._source.read(selection.slices)
        return _frozen(values if selection.trivial else values[selection.then])

    def _numpy(self) -> Ndarray:
        values: Ndarray = _frozen(self._read_all())
        return values

    def _along(self, name: str, axis: int | tuple[int, ...]) -> Ndarray:
        from skypool.model.along import along

        return along(name, axis, self.shape, self.dtype, self.tile, self._source.read)

    def _read_all(self) -> Ndarray:
        return self._source.read(tuple(slice(0, length, 1) for length in self.shape))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Ndarray:
        values = self._read_all()
        if copy:
            return np.array(values, dtype=dtype, copy=True)
        if dtype is not None and np.dtype(dtype) != values.dtype:
            if copy is False:
                raise ValueError(f"values of type {values.dtype} need a copy to become {dtype}")
            values = values.astype(dtype)
        frozen: Ndarray = _frozen(values)
        return frozen

    @property
    def tile(self) -> tuple[int, ...]:
        """Shape of a full tile, in which the values are read."""
        known = getattr(self._source, "tile", None)
        return tuple(known) if known else tile_shape(self.shape, self.dtype.itemsize)

    def _tiles(self) -> Iterator[Ndarray]:
        for place in tiles(self.shape, self.tile):
            yield self._source.read(place)

    def _statistics(self) -> TileStatistics | None:
        return self._source.statistics

    def _reduced_dtype(self) -> np.dtype[Any]:
        return self.dtype

    def cutout(self, position: Any, size: Any) -> Array:
        """Return the part of an image around a position, with its world coordinates.

        Only the tiles that it touches are read. What lies outside is left out; of a
        cube, all planes are kept.

        Parameters
        ----------
        position
            `SkyCoord`, or (x, y) in pixels counted from 0.
        size
            Integer (pixels) or `Quantity` (pixels or angle), one for a square or
            (ny, nx).

        Raises
        ------
        astropy.nddata.NoOverlapError
            If the image does not reach there.
        UsageError
            If the array is no image, or has no world coordinates to find the position.
        """
        from skypool.model.cutouts import cut

        place, wcs = cut(self.shape, self._own_wcs(), position, size)
        # The values read stay as they are in memory: nobody else can change them.
        made = Array(
            self._source.read(place), self.unit_text, None, self.meta, self.description, copy=False
        )
        # Distortions from tables are tables of the whole image: a part of it is without.
        if wcs is not None and not needs_tables(self.wcs_header):
            problems = Problems()
            made._set(_header=wcs_text(wcs, problems), _wcs=wcs)
            problems.raise_all()
        return made

    def __repr__(self) -> str:
        unit = f", unit={self.unit_text!r}" if self.unit_text else ""
        return f"Array(shape={self.shape}, dtype={self.dtype.name}{unit})"

    def _repr_html_(self) -> str:
        from skypool.model.display import array_html

        return array_html(self)


def _frozen(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        if values.flags.writeable:
            values = values.view()
            values.flags.writeable = False
        return values
    return values


def _header_of(wcs: Any, problems: Problems) -> str | Callable[[], str] | None:
    if wcs is None or (callable(wcs) and not hasattr(wcs, "to_header")):
        return wcs  # type: ignore[no-any-return]
    return wcs_text(wcs, problems.at("wcs")) or None
