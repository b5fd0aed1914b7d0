"""Spectra and products that are one table."""

from __future__ import annotations

from typing import Any

from skypool.errors import MissingName
from skypool.hipe.products import Product
from skypool.hipe.tables import Column, TableDataset

__all__ = ["SimpleSpectrum", "Spectrum", "Spectrum1d", "Spectrum2d", "TableProduct"]


class TableProduct(Product):
    """A product whose content is a table."""

    @property
    def table(self) -> TableDataset:
        """The first table."""
        for name in self.sets:
            if isinstance(self[name], TableDataset):
                return self[name]  # type: ignore[no-any-return]
        raise MissingName("the product has no table")


def _column(name: str) -> Any:
    def get(self: Spectrum) -> Any:
        return self.column(name).data

    def put(self: Spectrum, data: Any) -> None:
        if not any(isinstance(self[part], TableDataset) for part in self.sets):
            self["spectrum"] = TableDataset()
        table = self.table
        if name in table and not isinstance(data, Column):
            table[name].data = data
        else:
            table[name] = data

    return property(get, put, doc=f"The values of the column `{name}`.")


class Spectrum(TableProduct):
    """A spectrum: a table of wavelengths or frequencies, fluxes, weights and flags.

    Parameters
    ----------
    description
        What it is.
    **attributes
        Any property: `wave`, `flux`, `weight`, `flag`, `segment`, `instrument`, ...
    """

    kind = "Spectrum"

    def column(self, name: str) -> Column:
        """Return a column of the table by its name."""
        return self.table[name]

    wave = _column("wave")
    flux = _column("flux")
    weight = _column("weight")
    flag = _column("flag")
    segment = _column("segment")


class Spectrum1d(Spectrum):
    """A spectrum, one row a channel."""


class SimpleSpectrum(Spectrum1d):
    """A spectrum, one row a channel."""


class Spectrum2d(Spectrum):
    """Several spectra, one row each."""
