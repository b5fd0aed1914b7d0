"""Named datasets: those of a product, and those of a composite, which may be nested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from skypool.model.convert import checked_meta
from skypool.model.metadata import MetaData
from skypool.model.names import NameMap, find_name, missing_name
from skypool.model.validate import Problems

if TYPE_CHECKING:
    from skypool.model.arrays import Array
    from skypool.model.tables import Table

__all__ = ["Composite", "Dataset", "Datasets"]

Dataset: TypeAlias = "Array | Table | Composite"


class Datasets(NameMap["Dataset"]):
    """Immutable ordered mapping of names to datasets.

    A lookup takes the exact name, else the only one that differs in case alone, else a
    way into composites: `History/HistoryTasks`.

    Parameters
    ----------
    datasets
        Mapping of names to what `Product` takes as dataset.

    Raises
    ------
    InvalidProduct
        With everything in them that cannot be kept.
    """

    __slots__ = ()

    _what = "dataset"
    _advice = "use product.replace(datasets={...}) to get a changed copy"

    def __init__(self, datasets: Mapping[str, Any] | None = None) -> None:
        from skypool.model.intake import datasets_of

        problems = Problems()
        self._set(_values=datasets_of(datasets or {}, problems))
        problems.raise_all()

    def __getitem__(self, name: str) -> Dataset:
        found = find_name(self._values, name)
        if found is not None:
            return self._values[found]
        if "/" in str(name):
            # The longest first step wins, so that names may contain slashes themselves.
            head, slash, _ = name.rpartition("/")
            while slash:
                first = find_name(self._values, head)
                inner = None if first is None else self._values[first]
                if isinstance(inner, Composite):
                    return inner[name[len(head) + 1 :]]
                head, slash, _ = head.rpartition("/")
        raise missing_name(self._what, self._values, name)

    # Arrays compare element by element: what is equal here is the same.
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Datasets):
            return NotImplemented
        mine, theirs = self._values, other._values
        return mine.keys() == theirs.keys() and all(mine[name] is theirs[name] for name in mine)

    __hash__ = None  # type: ignore[assignment]  # as mappings

    def replace(self, changes: Mapping[str, Any]) -> Datasets:
        """Return a copy with datasets changed, added, or, where None, removed.

        Parameters
        ----------
        changes
            By exact name; `composite/name` changes a dataset in a composite.

        Raises
        ------
        MissingName
            If a dataset that should be removed is not there.
        """
        from skypool.model.intake import merged

        made = Datasets.__new__(Datasets)
        made._set(_values=merged(self._values, changes))
        return made

    def _repr_html_(self) -> str:
        from skypool.model.display import datasets_html

        return datasets_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        from skypool.model.display import dataset_keys

        return dataset_keys(self)


class Composite(Datasets):
    """Immutable ordered mapping of named datasets, which is itself a dataset.

    Parameters
    ----------
    datasets
        Mapping of names to what `Product` takes as dataset.
    meta
        Metadata of its own.
    description
        What it is.

    Raises
    ------
    InvalidProduct
        With everything in it that cannot be kept.
    """

    __slots__ = ("description", "meta")

    meta: MetaData
    description: str

    def __init__(
        self,
        datasets: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
        description: str = "",
    ) -> None:
        from skypool.model.intake import datasets_of

        problems = Problems()
        self._set(
            _values=datasets_of(datasets or {}, problems),
            meta=checked_meta(meta, problems),
            description=str(description or ""),
        )
        problems.raise_all()

    def replace(
        self,
        changes: Mapping[str, Any] | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        description: str | None = None,
    ) -> Composite:
        """Return a copy with datasets, metadata or description changed.

        Parameters
        ----------
        changes
            New datasets by name; None removes one.
        meta
            Changed metadata by name; None removes one.
        description
            Another description.

        Raises
        ------
        MissingName
            If what should be removed is not there.
        """
        from skypool.model.intake import merged

        made = Composite.__new__(Composite)
        made._set(
            _values=merged(self._values, changes or {}),
            meta=self.meta.replace(meta),
            description=self.description if description is None else description,
        )
        return made

    def __repr__(self) -> str:
        return f"Composite({', '.join(self._values)})"
