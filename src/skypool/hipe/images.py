"""Images and cubes."""

from __future__ import annotations

import math
from typing import Any

from skypool.errors import UsageError
from skypool.hipe.arrays import ArrayDataset, Values
from skypool.hipe.datasets import dataset_of
from skypool.hipe.products import Product
from skypool.hipe.wcs import Wcs

__all__ = ["RgbSimpleImage", "SimpleCube", "SimpleImage", "SpectralSimpleCube"]

_PARTS = ("image", "error", "exposure", "coverage", "flag", "stDev")


def _part(name: str) -> Any:
    def get(self: SimpleImage) -> Values | None:
        return self[name].values if name in self else None

    def put(self: SimpleImage, data: Any) -> None:
        if data is None:
            self.remove(name)
            return
        old = self.sets.get(name)
        if isinstance(old, ArrayDataset) and not isinstance(data, ArrayDataset | Values):
            old.data = data  # unit and coordinates stay
            if getattr(data, "unit", None) is not None:
                old.unit = data.unit
            return
        made = dataset_of(data)
        if isinstance(made, ArrayDataset) and made.wcs is None and self._wcs is not None:
            made.wcs = self._wcs
        self[name] = made

    return property(get, put, doc=f"The values of the dataset `{name}`; None where there are none.")


class SimpleImage(Product):
    """An image, with error, exposure, coverage and flags where it has them.

    `image.image` and the like are the values of the datasets `image["image"]`; pixels are read
    when they are needed.

    Parameters
    ----------
    description
        What it is.
    image, error, exposure, coverage, flag
        Arrays.
    wcs
        World coordinates: `Wcs` or `astropy.wcs.WCS`.
    unit
        Of image and error.
    **attributes
        Any property.
    """

    _wcs: Any = None

    def __init__(self, description: str | None = None, **attributes: Any) -> None:
        unit = attributes.pop("unit", None)
        super().__init__(description, **attributes)
        if unit is not None:
            self.unit = unit

    image = _part("image")
    error = _part("error")
    exposure = _part("exposure")
    coverage = _part("coverage")
    flag = _part("flag")
    stDev = _part("stDev")

    def _pixels(self) -> ArrayDataset:
        found = self.sets.get("image")
        if not isinstance(found, ArrayDataset):
            raise UsageError("the product has no image", hint="set it: product.image = array")
        return found

    @property
    def unit(self) -> str | None:
        """Unit of the image."""
        return self._pixels().unit

    @unit.setter
    def unit(self, unit: Any) -> None:
        for name in ("image", "error", "stDev"):
            if name in self:
                self[name].unit = unit

    @property
    def wcs(self) -> Wcs | None:
        """The world coordinates; what is set in them changes those of the image."""
        found = self._pixels().wcs if "image" in self else self._wcs
        return None if found is None else Wcs.of(found, self)

    @wcs.setter
    def wcs(self, wcs: Any) -> None:
        self._wcs = wcs.astropy if isinstance(wcs, Wcs) else wcs
        shape = self["image"].shape if "image" in self else None
        for name in _PARTS:
            if name in self and self[name].shape == shape:
                self[name].wcs = self._wcs

    @property
    def wavelength(self) -> float | None:
        """The parameter `wavelength`."""
        found = self.meta.get("wavelength")
        return None if found is None else found.double

    @wavelength.setter
    def wavelength(self, value: float) -> None:
        self.meta["wavelength"] = float(value)

    @property
    def dimensions(self) -> list[int]:
        """Length of the axes, slowest first."""
        return self._pixels().dimensions

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.dimensions[-1]

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.dimensions[-2]

    def getIntensity(self, row: int, column: int) -> float:
        """Return the value of a pixel, counted from 0."""
        return float(self._at(int(row), int(column)))

    def _at(self, *place: int) -> Any:
        pixels = self._pixels()
        # Only the tile is read where nothing is in memory.
        return pixels._live()[place]

    def getIntensityWorldCoordinates(self, ra: float, dec: float) -> float:
        """Return the value of the pixel at a place in degrees (ICRS), NaN outside."""
        wcs = self.wcs
        if wcs is None:
            raise UsageError("the image has no world coordinates")
        place = wcs.getPixelCoordinates(ra, dec)
        if not all(math.isfinite(part) for part in place):
            return math.nan
        row, column = (math.floor(part + 0.5) for part in place)
        inside = 0 <= row < self.height and 0 <= column < self.width
        return float(self._at(row, column)) if inside else math.nan


def _has(name: str) -> Any:
    def has(self: SimpleImage) -> bool:
        return name in self

    has.__doc__ = f"Say whether there is a dataset `{name}`."
    return has


def _remove(name: str) -> Any:
    def remove(self: SimpleImage) -> None:
        self.remove(name)

    remove.__doc__ = f"Take the dataset `{name}` out."
    return remove


for _name in _PARTS:
    _end = _name[0].upper() + _name[1:]
    setattr(SimpleImage, f"has{_end}", _has(_name))
    setattr(SimpleImage, f"remove{_end}", _remove(_name))


class SimpleCube(SimpleImage):
    """A cube: images in layers, the first axis."""

    kind = "SimpleCube"

    @property
    def depth(self) -> int:
        """Number of layers."""
        return self.dimensions[0]

    def getIntensity(self, *place: int) -> float:
        """Return the value of a pixel: layer, row and column, counted from 0."""
        return float(self._at(*(int(part) for part in place)))

    def getIntensityWorldCoordinates(self, ra: float, dec: float, layer: int = 0) -> float:
        """Return the value of the pixel at a place in degrees (ICRS), NaN outside."""
        return self.getSimpleImage(layer).getIntensityWorldCoordinates(ra, dec)

    def getSimpleImage(self, layer: int) -> SimpleImage:
        """Return a layer as an image."""
        made = SimpleImage(self.description)
        made.meta = self.meta.copy()
        for name in _PARTS:
            if name not in self:
                continue
            old = self[name]
            part = ArrayDataset(old._live()[layer], old.unit, old.description)
            if old.wcs is not None:
                part.wcs = old.wcs.celestial
            made[name] = part
        return made


class SpectralSimpleCube(SimpleCube):
    """A cube whose layers are wavelengths or frequencies."""


class RgbSimpleImage(Product):
    """Three images for red, green and blue."""
