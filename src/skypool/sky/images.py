"""The images of a product that are on the sky, and which of their pixels have a value.

A pixel has a value if it is finite and, where the product has a coverage or weight map of the
same shape, that is above zero there. Of a cube, one finite value along the other axes is enough.
Maps that only describe others (errors, flags, weights) do not count by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.model.arrays import Array
from skypool.model.composite import Composite
from skypool.model.tables import Table
from skypool.sky.celestial import Geometry, geometry
from skypool.sky.cells import SkyCells, sky_cells
from skypool.sky.coverage import Part, State, centre
from skypool.sky.outlines import image_part
from skypool.sky.overlap import meets_circle, parts_meet
from skypool.sky.positions import position_of
from skypool.sky.roles import AUXILIARY, WEIGHTS
from skypool.sky.vectors import Vector, vector

if TYPE_CHECKING:
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
    """

    name: str
    array: Array
    weights: Array | None

    @cached_property
    def geometry(self) -> Geometry | None:
        """Where it is; None if it has no celestial axes after all."""
        return geometry(self.array.wcs_header, self.array.shape, lambda: self.array.wcs)

    @cached_property
    def part(self) -> Part | None:
        """What the catalogue keeps of it; None if it is nowhere on the sky."""
        return None if self.geometry is None else image_part(self.geometry, self.state)

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
        """Tell whether the pixel in a direction has a value."""
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
            yield SkyImage(name, dataset, _weights(datasets, name, dataset))


def _weights(datasets: Mapping[str, Dataset], name: str, array: Array) -> Array | None:
    """Return the coverage or weight map that belongs to an image."""
    own, number = _split(name)
    if own in WEIGHTS:
        return array
    for other, dataset in datasets.items():
        base, version = _split(other)
        if (
            isinstance(dataset, Array)
            and base in WEIGHTS
            and version == number
            and dataset.shape == array.shape
        ):
            return dataset
    return None


def _split(name: str) -> tuple[str, str]:
    """Return the folded name of an extension without its number, and the number."""
    base, _, number = name.partition(",")
    return base.strip().casefold(), number.strip()


def coverage_of(datasets: Mapping[str, Dataset]) -> list[Part]:
    """Return the parts of a product's coverage; pixels are not read."""
    return [image.part for image in sky_images(datasets) if image.part is not None]


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
