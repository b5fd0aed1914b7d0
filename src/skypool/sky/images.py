"""The images of a product that are on the sky, and which of their pixels have a value.

A pixel has a value if it is finite and, where the product has a coverage or weight map of the
same shape, that is above zero there. Of a cube, one finite value along the other axes is enough.
Maps that only describe others (errors, flags, weights) do not count by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from skypool.errors import Damaged, Dropped, StorageError
from skypool.model.arrays import Array
from skypool.model.composite import Composite
from skypool.model.tables import Table
from skypool.sky.celestial import Geometry, geometry
from skypool.sky.cells import SkyCells, sky_cells
from skypool.sky.coverage import AllSky, Part, State, TangentPart, centre
from skypool.sky.masks import MaskedPart, grid_of
from skypool.sky.outlines import image_part
from skypool.sky.overlap import meets_circle, parts_meet
from skypool.sky.positions import position_of
from skypool.sky.roles import AUXILIARY, WEIGHTS
from skypool.sky.vectors import Vector, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skypool.model.datasets import Dataset

__all__ = [
    "SkyImage",
    "coverage_of",
    "covers",
    "direction_of",
    "footprint_covers",
    "meets",
    "overlaps",
    "sky_images",
]


Pixels: TypeAlias = "Callable[[str, Array], NDArray[Any]]"
# Larger images are not read to know where they have values.
_MOST_PIXELS: Final = 1 << 24


@dataclass(frozen=True)
class SkyImage:
    """An array with celestial axes.

    Attributes
    ----------
    name : str
        Of the dataset.
    array : Array
    weights : Array or None
        The map that says where it has a value.
    weights_name : str
        Its name; empty for none.
    """

    name: str
    array: Array
    weights: Array | None
    weights_name: str = ""

    @cached_property
    def geometry(self) -> Geometry | None:
        """Where it is; None if it has no celestial axes after all."""
        return geometry(self.array.wcs_header, self.array.shape, lambda: self.array.wcs)

    @cached_property
    def part(self) -> Part | None:
        """What the catalogue keeps of it; None if it is nowhere on the sky."""
        return None if self.geometry is None else image_part(self.geometry, self.state)

    def masked_part(self, pixels: Pixels) -> Part | None:
        """Return `part` with what is known of blocks of pixels.

        Parameters
        ----------
        pixels
            Gives the values of an array by its name; it is asked for those that decide.
        """
        part = self.part
        mixed = isinstance(part, TangentPart) and part.state is State.MIXED
        if not mixed or self.array.size > _MOST_PIXELS:
            return part
        assert isinstance(part, TangentPart)
        try:
            grid = grid_of(self._valued(pixels))
        except (Damaged, Dropped, StorageError):
            return part  # values that only a format gives, or a file that is away
        return MaskedPart(part.tangent, part.width, part.height, part.state, grid)

    def _valued(self, pixels: Pixels) -> NDArray[np.bool_]:
        """Return which pixels of a two-dimensional image have a value."""
        if _state(self.array, positive=False) is State.FULL:
            valued = np.ones(self.array.shape, bool)
        else:
            values = pixels(self.name, self.array)
            valued = (
                np.isfinite(values) if values.dtype.kind in "fc" else np.ones_like(values, bool)
            )
        if self.weights is None or _state(self.weights, positive=True) is State.FULL:
            return valued
        return valued & (pixels(self.weights_name, self.weights) > 0)  # NaN is not

    @property
    def state(self) -> State:
        """What its statistics say of its pixels, without reading any."""
        own = _state(self.array, positive=False)
        if own is State.EMPTY or self.weights is None:
            return own
        other = _state(self.weights, positive=True)
        return other if own is State.FULL or other is State.EMPTY else State.MIXED

    def footprint_covers(self, direction: Vector) -> bool:
        """Tell whether a direction is inside the outer edges of its pixels."""
        return self.geometry is not None and self.geometry.pixel_of(direction) is not None

    def meets_circle(self, direction: Vector, radius: float) -> bool:
        """Tell whether a circle (radius in radians) has a point inside its outer edges."""
        if self.geometry is None or self.part is None:
            return False
        found = meets_circle(self.part, direction, radius)
        if found is not None:
            return found
        from skypool.sky.regions import image_meets_circle

        return image_meets_circle(self.geometry, direction, radius)

    def overlaps(self, other: SkyImage | SkyCells) -> bool:
        """Tell whether two images have a point inside the outer edges of both."""
        if isinstance(other, SkyCells):
            if self.geometry is None or self.part is None:
                return False
            return other.overlaps_image(self.geometry, self.part)
        if self.geometry is None or other.geometry is None:
            return False
        if self.part is None or other.part is None:
            return False
        found = parts_meet(self.part, other.part)
        if found is not None:
            return found
        from skypool.sky.regions import images_meet

        return images_meet(self.geometry, other.geometry)

    def covers(self, direction: Vector) -> bool:
        """Tell whether the pixel in a direction has a value.

        Where the pixels were dropped, it is enough that it is inside of an image that has some.
        """
        try:
            return self._covers(direction)
        except Dropped:
            return self.state is not State.EMPTY and self.footprint_covers(direction)

    def _covers(self, direction: Vector) -> bool:
        found = self.geometry
        pixel = None if found is None else found.pixel_of(direction)
        if found is None or pixel is None:
            return False
        values = self.array[_line(found, pixel, self.array.ndim)]
        valued = np.isfinite(values) if values.dtype.kind in "fc" else np.ones_like(values, bool)
        if self.weights is not None:
            weights = self.weights[_line(found, pixel, self.weights.ndim)]
            valued = valued & (weights > 0)  # NaN is not
        return bool(np.any(valued))


def _line(found: Geometry, pixel: tuple[int, int], ndim: int) -> tuple[Any, ...]:
    index: list[Any] = [slice(None)] * ndim
    column, row = pixel
    index[found.x_axis] = slice(column, column + 1)
    index[found.y_axis] = slice(row, row + 1)
    return tuple(index)


def _state(array: Array, *, positive: bool) -> State:
    statistics = array.source.statistics
    if statistics is None or not len(statistics.counts):
        return State.MIXED
    finite = int(statistics.counts[:, 0].sum())
    full = finite == array.size
    if not finite:
        return State.EMPTY
    if positive:
        if full and statistics.minima.min() > 0:
            return State.FULL
        return State.EMPTY if statistics.maxima.max() <= 0 and full else State.MIXED
    return State.FULL if full else State.MIXED


def sky_images(datasets: Mapping[str, Dataset]) -> list[SkyImage | SkyCells]:
    """Return the images of a product that are on the sky.

    Tables count where there are none: maps of HEALPix pixels, regions, positions of rows.
    """
    found = list(_all(datasets))
    signal = [image for image in found if _split(image.name)[0] not in AUXILIARY]
    there = [image for image in signal or found if image.geometry is not None]
    return [*there] or [*_cells(datasets)]


def _cells(datasets: Mapping[str, Dataset]) -> Iterator[SkyCells]:
    for name, dataset in datasets.items():
        if isinstance(dataset, Composite):
            yield from _cells(dataset)
        elif isinstance(dataset, Table):
            cells = sky_cells(name, dataset)
            if cells is not None:
                yield cells


def _all(datasets: Mapping[str, Dataset]) -> Iterator[SkyImage]:
    for name, dataset in datasets.items():
        if isinstance(dataset, Composite):
            yield from _all(dataset)
        elif isinstance(dataset, Array) and dataset.ndim >= 2 and dataset.may_have_wcs:
            beside = _weights(datasets, name, dataset)
            weights = datasets[beside] if beside else None
            assert weights is None or isinstance(weights, Array)
            yield SkyImage(name, dataset, weights, beside)


def _weights(datasets: Mapping[str, Dataset], name: str, array: Array) -> str:
    """Return the name of the coverage or weight map that belongs to an image; empty for none."""
    own, number = _split(name)
    if own in WEIGHTS:
        return name
    for other, dataset in datasets.items():
        base, version = _split(other)
        if (
            isinstance(dataset, Array)
            and base in WEIGHTS
            and version == number
            and dataset.shape == array.shape
        ):
            return other
    return ""


def _split(name: str) -> tuple[str, str]:
    """Return the folded name of an extension without its number, and the number."""
    base, _, number = name.partition(",")
    return base.strip().casefold(), number.strip()


def coverage_of(
    datasets: Mapping[str, Dataset], pixels: Pixels | None = None, *, rows: bool = True
) -> list[Part]:
    """Return the parts of a product's coverage.

    Parameters
    ----------
    datasets
        Of the product.
    pixels
        Gives the values of an array by its name, to know blocks of them that have values, or
        none; None reads no pixels.
    rows
        Whether to read the rows of tables; else these may be anywhere.
    """
    found: list[Part | None] = []
    for image in sky_images(datasets):
        if isinstance(image, SkyCells):
            found.append(image.part if rows else AllSky(State.MIXED))
        else:
            found.append(image.part if pixels is None else image.masked_part(pixels))
    return [part for part in found if part is not None]


def covers(datasets: Mapping[str, Dataset], direction: Vector) -> bool:
    """Tell whether a product has a pixel with a value in a direction; the definition."""
    return any(image.covers(direction) for image in sky_images(datasets))


def footprint_covers(datasets: Mapping[str, Dataset], direction: Vector) -> bool:
    """Tell whether a direction is inside the outer edges of an image; the definition."""
    return any(image.footprint_covers(direction) for image in sky_images(datasets))


def meets(datasets: Mapping[str, Dataset], direction: Vector, radius: float) -> bool:
    """Tell whether a circle has a point inside the outer edges of an image; the definition."""
    return any(image.meets_circle(direction, radius) for image in sky_images(datasets))


def overlaps(datasets: Mapping[str, Dataset], others: Mapping[str, Dataset]) -> bool:
    """Tell whether footprints of two products have a point in common; the definition."""
    second = sky_images(others)
    return any(_overlap(one, other) for one in sky_images(datasets) for other in second)


def _overlap(one: SkyImage | SkyCells, other: SkyImage | SkyCells) -> bool:
    if isinstance(one, SkyImage):
        return one.overlaps(other)
    return other.overlaps(one) if isinstance(other, SkyImage) else one.overlaps_cells(other)


def direction_of(meta: Mapping[str, Any], datasets: Mapping[str, Dataset]) -> Vector | None:
    """Return the position of a product: the middle of its coverage, else what metadata give."""
    middle = centre(coverage_of(datasets))
    if middle is not None:
        return vector(*middle)
    return position_of([_listed(meta), *(_listed(dataset.meta) for dataset in _within(datasets))])


def _within(datasets: Mapping[str, Dataset]) -> Iterator[Dataset]:
    for dataset in datasets.values():
        yield dataset
        if isinstance(dataset, Composite):
            yield from _within(dataset)


def _listed(meta: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    return [(key, found.value, found.unit or "") for key, found in meta.items()]
