"""What products become in other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from skypool.model.optional import part

if TYPE_CHECKING:
    from astropy.nddata import CCDData, NDData
    from matplotlib.axes import Axes
    from spectral_cube import SpectralCube
    from specutils import Spectrum, SpectrumList
    from xarray import Dataset

    from skypool.model.arrays import Array
    from skypool.model.product import Product

__all__ = ["ProductConversions"]


class ProductConversions:
    """What a product becomes in other packages; see `Product`."""

    __slots__ = ()

    @property
    def _product(self) -> Product:
        return cast("Product", self)

    def plot(self, dataset: str = "", ax: Axes | None = None, **options: Any) -> Axes:
        """Draw a dataset; needs `skypool[plot]`.

        Parameters
        ----------
        dataset
            Which; by default the image, cube, spectrum or table that matters most.
        ax
            Axes to draw in; by default those of a new figure.
        **options
            Those of `Array.plot` and `Table.plot`.

        Returns
        -------
        matplotlib.axes.Axes
            It is not shown: that is left to the notebook, or to `matplotlib.pyplot.show()`.
        """
        draw = part("plot", extra="plot")
        return draw(self, ax, dataset=dataset, **options)  # type: ignore[no-any-return]

    def to_nddata(self, name: str = "image", *, lazy: bool = False) -> NDData:
        """Return an array with its mask and uncertainty as `astropy.nddata.NDData`.

        Parameters
        ----------
        name
            Of the array. Mask and uncertainty are the datasets that `Product` makes of
            an `NDData`.
        lazy
            Give an `NDDataRef` over the datasets themselves: its slices read their part.
        """
        from skypool.model.nddata import build, companions

        beside = companions(self._product.datasets, name, lazy=lazy)
        return build(self._array(name), **beside, lazy=lazy)

    def _array(self, name: str) -> Array:
        from skypool.errors import UsageError
        from skypool.model.arrays import Array

        found = self._product[name]
        if not isinstance(found, Array):
            raise UsageError(f"the dataset {name!r} is no array, but a {type(found).__name__}")
        return found

    def to_ccddata(self, name: str = "image") -> CCDData:
        """Return an array with its mask and uncertainty as `astropy.nddata.CCDData`.

        Parameters
        ----------
        name
            Name of the dataset.

        Raises
        ------
        UsageError
            If it has no unit, without which there is no `CCDData`.
        """
        from skypool.model.nddata import build_ccd, companions

        return build_ccd(self._array(name), **companions(self._product.datasets, name))

    def to_xarray(self, group: str = "", *, coordinates: bool = True) -> Dataset:
        """Return the arrays as `xarray.Dataset`, read where looked at; needs `skypool[xarray]`.

        Arrays that lie on each other share their axes (docs/howto/arrays.md).

        Parameters
        ----------
        group
            A table or a composite, instead of the arrays beside it. Where a product has no
            arrays and one of these, that is taken.
        coordinates
            False for the names of the axes alone.
        """
        from skypool.model.bridges.xarrays import build_dataset

        product = self._product
        made: Dataset = build_dataset(product.datasets, product.meta, group, coordinates)
        return made

    def to_spectrum(self, name: str = "") -> Spectrum:
        """Return a spectrum as `specutils.Spectrum`, with mask and uncertainty.

        Needs `skypool[spectra]`.

        Parameters
        ----------
        name
            An array with a spectral axis, or a table with a column of wavelengths, frequencies,
            energies or velocities, and one of fluxes; by default the first.
        """
        from skypool.model.bridges.spectra import spectrum_of

        return spectrum_of(self._product, name)

    def to_spectra(self) -> SpectrumList:
        """Return all spectra as `specutils.SpectrumList`; needs `skypool[spectra]`.

        Tables whose cells are spectra give one for each row.
        """
        from skypool.model.bridges.spectra import spectra_of

        return spectra_of(self._product)

    def to_spectral_cube(self, name: str = "", *, stokes: str = "") -> SpectralCube:
        """Return a cube as `spectral_cube.SpectralCube`, read where it is computed.

        Needs `skypool[spectra]`. A table `BEAMS`, as CASA writes it, makes it a cube of
        varying resolution.

        Parameters
        ----------
        name
            The array; by default the first with a spectral and two celestial axes.
        stokes
            Which of several Stokes parameters: `I`, `Q`, `RR`, ...
        """
        from skypool.model.bridges.cubes import cube_of

        return cube_of(self._product, name, stokes)
