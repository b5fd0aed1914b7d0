"""What tables become in other packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from skypool.model.optional import part

if TYPE_CHECKING:
    from astropy.table import Table as AstropyTable
    from matplotlib.axes import Axes
    from pandas import DataFrame
    from pyarrow import Table as ArrowTable
    from specutils import Spectrum
    from xarray import Dataset

    from skypool.model.tables import Table

__all__ = ["TableConversions"]


class TableConversions:
    """What a table becomes in other packages; see `Table`."""

    __slots__ = ()

    @property
    def _table(self) -> Table:
        return cast("Table", self)

    def plot(
        self,
        x: str | None = None,
        y: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        *,
        row: int | None = None,
        **style: Any,
    ) -> Axes:
        """Draw columns against another one, with their units; needs `skypool[plot]`.

        A line where *x* only grows or only falls, else points. Of columns that are too large
        for a figure, every n-th block is read, and the figure says so.

        Parameters
        ----------
        x, y
            Names of columns; *y* may be several. By default those that a spectrum or a
            light curve has, else the first two with numbers; `x=""` is the number of the row.
        ax
            Axes to draw in; by default those of a new figure.
        row
            Draw the arrays in the cells of this row.
        **style
            Of matplotlib's `Axes.plot`.

        Returns
        -------
        matplotlib.axes.Axes
            It is not shown: that is left to the notebook, or to `matplotlib.pyplot.show()`.
        """
        draw = part("plot", extra="plot")
        return draw(self, ax, x=x, y=y, row=row, **style)  # type: ignore[no-any-return]

    def __astropy_table__(self, kind: type[AstropyTable], copy: bool, **options: Any) -> Any:
        # What astropy's Table and QTable ask for.
        return kind(self.to_astropy(), copy=False, **options)

    def to_astropy(self, *, lazy: bool = False) -> AstropyTable:
        """Return a copy as `astropy.table.Table`, with units, descriptions and metadata.

        Columns with missing values are masked ones. Columns of times were turned into
        text of UTC when they were given; `astropy.time.Time(list(table["t"]))` reads it.

        Parameters
        ----------
        lazy
            Read a column when it is first used. What shows, slices or writes the whole table
            reads all of them.
        """
        from skypool.model.astropy_tables import build_table

        return build_table(self._table, lazy=lazy)

    def to_pandas(self) -> DataFrame:
        """Return a copy as `pandas.DataFrame`; needs `skypool[pandas]`.

        Integers and truth values with missing ones are pandas' nullable types. Cells that are
        arrays are objects. `frame.attrs` has the units, descriptions and metadata.
        """
        from skypool.model.bridges.frames import build_frame

        return build_frame(self._table)

    def to_arrow(self) -> ArrowTable:
        """Return a `pyarrow.Table`, numbers without copying; needs `skypool[parquet]`.

        Units, descriptions and UCDs are metadata of the fields. Cells that are arrays are lists
        of fixed size, complex numbers lists of two.
        """
        from skypool.model.bridges.arrow import build_arrow

        return build_arrow(self._table)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the rows block by block to anything that takes Arrow's C stream, such as polars."""
        from skypool.model.bridges.arrow import stream

        return stream(self._table, requested_schema)

    def to_xarray(self) -> Dataset:
        """Return an `xarray.Dataset` of the columns along `row`; needs `skypool[xarray]`.

        A column is read when it is looked at. Missing numbers are NaN. Columns of arrays of
        different lengths are left out.
        """
        from skypool.model.bridges.xarrays import build_dataset

        made: Dataset = build_dataset(self._table, self._table.meta)
        return made

    def to_spectrum(self) -> Spectrum:
        """Return the columns of a spectrum as `specutils.Spectrum`; needs `skypool[spectra]`.

        They are found by name (wavelength, frequency, ...; flux, ...; error, ...) or by UCD.
        """
        from skypool.model.bridges.spectra import spectrum_of_table

        return spectrum_of_table(self._table)
