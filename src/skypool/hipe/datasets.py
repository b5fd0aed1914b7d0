"""Composites, and the datasets of skypool as those of HIPE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skypool.errors import UsageError
from skypool.hipe.arrays import ArrayDataset, Values
from skypool.hipe.containers import JavaList, JavaMap
from skypool.hipe.dataset import Dataset
from skypool.hipe.tables import Column, TableDataset
from skypool.model.arrays import Array
from skypool.model.composite import Composite, Datasets
from skypool.model.metadata import MetaData as CoreMetaData
from skypool.model.names import missing_name
from skypool.model.tables import Table

__all__ = ["CompositeDataset", "DatasetMap", "HasDatasets", "dataset_of", "same", "wrapped"]


def wrapped(core: Any) -> Dataset:
    """Return a dataset of skypool as one of HIPE."""
    if isinstance(core, Composite):
        return CompositeDataset.of_core(core)
    return TableDataset.of_core(core) if isinstance(core, Table) else ArrayDataset.of_core(core)


def dataset_of(given: Any) -> Dataset:
    """Return a dataset for what was given: one of HIPE or skypool, an array, a table, a mapping.

    Raises
    ------
    UsageError
        If it is none.
    """
    if isinstance(given, Dataset):
        return given
    if isinstance(given, Values):
        return ArrayDataset(given.data, given.unit, given.description)
    if isinstance(given, Column):
        return ArrayDataset(given.data, given.unit, given.description)
    if isinstance(given, Array | Table | Composite):
        return wrapped(given)
    if isinstance(given, Mapping):
        made = CompositeDataset()
        for name, part in given.items():
            made[name] = part
        return made
    if hasattr(given, "colnames") or getattr(getattr(given, "dtype", None), "names", None):
        return wrapped(Table(given))
    if isinstance(given, list | tuple) or hasattr(given, "__array__"):
        return ArrayDataset(given)
    raise UsageError(
        f"a {type(given).__name__} is no dataset",
        hint="give an ArrayDataset, TableDataset or CompositeDataset, or an array",
    )


class DatasetMap(JavaMap[Any]):
    """Datasets by name, wrapped when they are asked for.

    Parameters
    ----------
    core
        The datasets that were loaded.
    """

    def __init__(self, core: Datasets | None = None) -> None:
        super().__init__({}, dataset_of)
        self._core = core
        for name in core or ():
            # None stands for one that nobody has looked at yet.
            dict.__setitem__(self, name, None)

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if found is None and self._core is not None:
            found = wrapped(self._core[name])
            dict.__setitem__(self, name, found)
        return found

    def __missing__(self, name: Any) -> Any:
        if isinstance(name, int) and -len(self) <= name < len(self):
            return self[list(self)[name]]
        raise missing_name("dataset", self, name)

    def get(self, name: Any, default: Any = None) -> Any:
        """Return a dataset, else *default*."""
        if name not in self:
            return default
        return self[name]

    def values(self) -> Any:
        """Return the datasets, in their order."""
        return [self[name] for name in self]

    def items(self) -> Any:
        """Return pairs of names and datasets, in their order."""
        return [(name, self[name]) for name in self]

    def pop(self, name: str, *default: Any) -> Any:
        """Take a dataset out and return it."""
        if name in self:
            self[name]
        return super().pop(name, *default)

    def to_core(self) -> dict[str, Any]:
        """Return the datasets as skypool keeps them; those loaded where nothing changed."""
        found = {}
        for name in self:
            kept = dict.__getitem__(self, name)
            known = None if self._core is None else self._core
            found[name] = known[name] if kept is None and known is not None else kept.to_core()
        return found

    def adopt(self, core: Datasets) -> None:
        """Take what was saved for what was loaded; nothing that is held changes."""
        self._core = core
        for name in self:
            kept = dict.__getitem__(self, name)
            if kept is not None:
                kept.adopt(core[name])

    def unchanged(self, made: Mapping[str, Any]) -> bool:
        """Say whether *made* (of `to_core`) are the very datasets that were loaded."""
        core = self._core
        if core is None or list(core) != list(made):
            return False
        return all(core[name] is dataset for name, dataset in made.items())


class HasDatasets:
    """What products and composites have in common: named datasets, in their order."""

    _sets: DatasetMap

    @property
    def sets(self) -> DatasetMap:
        """The datasets by name."""
        return self._sets

    def set(self, name: str, dataset: Any) -> None:
        """Put a dataset in."""
        self._sets[name] = dataset

    def get(self, name: str) -> Any:
        """Return a dataset."""
        return self._sets[name]

    def remove(self, name: str) -> Any:
        """Take a dataset out and return it."""
        return self._sets.remove(name)

    def keySet(self) -> JavaList[str]:
        """Return the names of the datasets, in their order."""
        return self._sets.keySet()

    def containsKey(self, name: object) -> bool:
        """Say whether there is a dataset of that name."""
        return name in self._sets

    def size(self) -> int:
        """Return the number of datasets."""
        return len(self._sets)

    def isEmpty(self) -> bool:
        """Say whether there are no datasets."""
        return not self._sets

    def __getitem__(self, name: str) -> Any:
        return self._sets[name]

    def __setitem__(self, name: str, dataset: Any) -> None:
        self._sets[name] = dataset

    def __delitem__(self, name: str) -> None:
        del self._sets[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sets

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)

    def __bool__(self) -> bool:
        return True


class CompositeDataset(HasDatasets, Dataset):
    """Named datasets, in their order; they may be composites again.

    Parameters
    ----------
    description
        What it is.
    """

    def __init__(self, description: str = "") -> None:
        super().__init__(description)
        self._sets = DatasetMap()

    @classmethod
    def of_core(cls, core: Composite) -> CompositeDataset:
        """Wrap a composite of skypool."""
        made = cls.__new__(cls)
        made._core, made._meta, made._description = core, None, core.description
        made._sets = DatasetMap(core)
        return made

    def adopt(self, core: Any) -> None:
        """Take what was saved for what was loaded."""
        self._core = core
        self._sets.adopt(core)

    def to_core(self) -> Composite:
        """Return the dataset as skypool keeps it; what was loaded where nothing changed."""
        made = self._sets.to_core()
        if self._core is not None and self._sets.unchanged(made) and self._same_about():
            return self._core  # type: ignore[no-any-return]
        return Composite(made, self._core_meta(), self._description)

    def __str__(self) -> str:
        return f"CompositeDataset({', '.join(self._sets)})"

    __repr__ = __str__


def same(left: Any, right: Any) -> bool:
    """Say whether two datasets of skypool hold the same."""
    from skypool.model.compare import differences
    from skypool.model.product import Product
    from skypool.model.references import Refs

    def product(dataset: Any) -> Product:
        return Product.assemble("Product", CoreMetaData(), Datasets({"x": dataset}), Refs())

    return left is right or not differences(product(left), product(right))
