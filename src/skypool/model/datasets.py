"""The datasets of products."""

from __future__ import annotations

from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset, Datasets
from skypool.model.sources import ArraySource, ColumnInfo, TableSource, TileStatistics
from skypool.model.tables import Column, Table

__all__ = [
    "Array",
    "ArraySource",
    "Column",
    "ColumnInfo",
    "Composite",
    "Dataset",
    "Datasets",
    "Table",
    "TableSource",
    "TileStatistics",
]
