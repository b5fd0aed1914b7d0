"""What arrays become in other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from skypool.model.optional import part

if TYPE_CHECKING:
    from astropy.nddata import CCDData, NDData
    from astropy.units import Quantity
    from dask.array import Array as DaskArray
    from matplotlib.axes import Axes
    from spectral_cube import SpectralCube
    from specutils import Spectrum
    from xarray import DataArray

    from skypool.model.arrays import Array

__all__ = ["Conversions"]


class Conversions:
    """What an array becomes in other packages; see `Array`."""

    __slots__ = ()

    @property
    def _array(self) -> Array:
        return cast("Array", self)

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw an image, a plane of a cube, or a spectrum; needs `skypool[plot]`.

        Of a large image no more is read than the figure can show: block means, of samples
        where even they would need more than 64 MiB. `cutout` gives a part in full.

        Parameters
        ----------
        ax
            Axes to draw in; by default those of a new figure, with celestial coordinates
            (`WCSAxes`) where the image has them. Give such axes yourself by
            `projection=image.wcs`.
        **options
            Of images: `stretch` (`asinh`, `linear`, `log`, `sqrt`), `percentiles` (of what is
            shown, by default 0.5 and 99.5) or `low` and `high`, `cmap`, `colorbar`
            (False for none), `full=True` to read and draw every pixel, and those of
            matplotlib's `Axes.imshow`. Of cubes: `plane`, the middle one by default, or
            `pixel=(x, y)` for the spectrum there, counted from 0. Of spectra: those of
            matplotlib's `Axes.plot`.

        Returns
        -------
        matplotlib.axes.Axes
            It is not shown: that is left to the notebook, or to `matplotlib.pyplot.show()`.
        """
        return part("plot", extra="plot")(self, ax, **options)  # type: ignore[no-any-return]

    def to_quantity(self) -> Quantity:
        """Return the values with their unit, as `astropy.units.Quantity` (a copy).

        Raises
        ------
        UsageError
            If astropy does not know the unit.
        """
        from astropy.units import Quantity

        from skypool.model.units import unknown_unit

        unit = self._array.unit
        if isinstance(unit, str):
            raise unknown_unit(unit)
        return Quantity(np.array(self._array), unit, subok=True)

    def to_nddata(self, *, lazy: bool = False) -> NDData:
        """Return an `astropy.nddata.NDData` with copied data, unit, WCS and metadata.

        Mask and uncertainty are datasets of their own: `product.to_nddata(name)`
        gives all of them together.

        Parameters
        ----------
        lazy
            Give an `NDDataRef` over the dataset itself: its slices read their part.
        """
        from skypool.model.nddata import build

        return build(self._array, lazy=lazy)

    def to_ccddata(self) -> CCDData:
        """Return an `astropy.nddata.CCDData` with copied data, unit, WCS and metadata.

        Raises
        ------
        UsageError
            If there is no unit, without which there is no `CCDData`.
        """
        from skypool.model.nddata import build_ccd

        return build_ccd(self._array)

    def to_dask(self, chunks: Any = None) -> DaskArray:
        """Return a `dask.array.Array` over the tiles; needs `skypool[dask]`.

        Nothing is read before it is computed. What is loaded from a pool is computed in other
        processes, too, and by `distributed`, whose workers open the pool for reading. The names
        of its tasks are made of the content: equal arrays, equal names.

        Parameters
        ----------
        chunks
            As dask takes them; by default multiples of the tile, of 16 MiB or more.
        """
        from skypool.model.bridges.dask_arrays import Lazy, build_dask

        made: DaskArray = build_dask(Lazy(self._array.source), self._array.tile, chunks)
        return made

    # What dask looks for in `dask.array.asarray` and in its own operators.
    to_dask_array = to_dask

    def to_xarray(self, name: str | None = None, *, coordinates: bool = True) -> DataArray:
        """Return an `xarray.DataArray` that reads what is looked at; needs `skypool[xarray]`.

        Parameters
        ----------
        name
            Of the `DataArray`.
        coordinates
            False for the names of the axes alone, without coordinates (docs/howto/arrays.md).
        """
        from skypool.model.bridges.xarrays import build_array

        made: DataArray = build_array(self._array, name, coordinates=coordinates)
        return made

    def to_spectrum(self) -> Spectrum:
        """Return a spectrum or a cube as `specutils.Spectrum` (a copy); needs `skypool[spectra]`.

        `product.to_spectrum(name)` gives it together with its mask and uncertainty.

        Raises
        ------
        UsageError
            If it has no spectral axis.
        """
        from skypool.model.bridges.spectra import spectrum_of_array

        return spectrum_of_array(self._array)

    def to_spectral_cube(self, *, stokes: str = "") -> SpectralCube:
        """Return a cube as `spectral_cube.SpectralCube`, read where it is computed.

        Needs `skypool[spectra]`. `product.to_spectral_cube(name)` leaves out what its mask hides.

        Parameters
        ----------
        stokes
            Which of several Stokes parameters: `I`, `Q`, `RR`, ...

        Raises
        ------
        UsageError
            If it has no spectral and two celestial axes.
        """
        from skypool.model.bridges.cubes import build_cube

        return build_cube(self._array, stokes=stokes)
