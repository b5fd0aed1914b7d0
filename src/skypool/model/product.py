"""Products: metadata, datasets, references and history that never change in place."""

# ruff: noqa: N802, N803 (the names of the attributes are those of HCSS and of the contract)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skypool.errors import InvalidProduct
from skypool.model.immutable import Immutable
from skypool.model.kinds import is_context, is_kind
from skypool.model.metadata import MetaData
from skypool.model.parts import (
    DATES,
    FIXED_ATTRIBUTES,
    UNKNOWN,
    check_attributes,
    checked_datasets,
    checked_history,
    checked_kind,
    checked_meta,
    checked_refs,
)
from skypool.model.product_conversions import ProductConversions
from skypool.model.references import Refs
from skypool.model.validate import Problems

if TYPE_CHECKING:
    from skypool.model.composite import Datasets
    from skypool.model.provenance import Provenance

__all__ = ["FIXED_ATTRIBUTES", "UNKNOWN", "Product"]


class Product(ProductConversions, Immutable):
    """Metadata, named datasets, references to other products, and a history.

    A product never changes in place: `replace` gives a changed copy.

    Parameters
    ----------
    kind
        How it is built: `SimpleImage`, `TableProduct`, ... (`skypool.model.kinds`).
    type
        The code that the pipeline gave it, such as `HPPPMAPBS`.
    creator, description, instrument, modelName
        Text; `Unknown` where not given.
    creationDate, startDate, endDate
        Times; the first is now where not given, the others are then left out.
    formatVersion
        Version of the product's layout.
    meta
        Further parameters: values, or `Parameter` with unit and description.
    datasets
        By name: `Array`, `Table`, `Composite`, or anything that these take: numpy arrays,
        `Quantity`, `astropy.table.Table`, pandas data frames, mappings (composites).
        `NDData`, `CCDData` and masked arrays bring their mask and uncertainty as further
        datasets: `mask` and `error` (`variance`, `ivar`, `uncertainty`) for `image`,
        `<name>_mask` and so on for others.
    refs
        By role: references, or products that are not saved yet. A sequence gives the
        roles `0`, `1`, ...
    history
        Texts, oldest first.

    Attributes
    ----------
    kind : str
    meta : MetaData
        All parameters, the fixed ones included.
    datasets : mapping of str to Array, Table or Composite
    refs : Refs
    origin : object
        What it was loaded from; None for a product that was made in memory.

    Raises
    ------
    InvalidProduct
        With all problems of all parts.

    Examples
    --------
    >>> product = Product(
    ...     kind="SimpleImage", instrument="SPIRE",
    ...     meta={"obsid": 1342182452, "wavelength": Parameter(250.0, "um", "of the band")},
    ...     datasets={"image": Array(values, unit="Jy/beam", wcs=wcs), "sources": table},
    ...     refs={"made from": pool["m83/raw"]},
    ... )
    >>> saved = pool.save(product, name="m83/blue")
    >>> changed = saved.product.replace(meta={"obsid": 1342182453})
    """

    __slots__ = ("_history", "_unchanged", "datasets", "kind", "meta", "origin", "refs")

    _advice = "use product.replace(...) to get a changed copy"

    kind: str
    meta: MetaData
    datasets: Datasets
    refs: Refs
    origin: object
    _history: tuple[str, ...]
    _unchanged: bool

    def __init__(
        self,
        kind: str = "Product",
        *,
        type: str | None = None,  # noqa: A002 (the name is part of the contract)
        creator: str | None = None,
        creationDate: datetime | None = None,
        description: str | None = None,
        instrument: str | None = None,
        modelName: str | None = None,
        startDate: datetime | None = None,
        endDate: datetime | None = None,
        formatVersion: str | None = None,
        meta: Mapping[str, Any] | None = None,
        datasets: Mapping[str, Any] | None = None,
        refs: Mapping[str, Any] | Iterable[Any] | None = None,
        history: Iterable[str] | str = (),
    ) -> None:
        problems = Problems()
        fixed = {
            "type": type,
            "creator": creator,
            "creationDate": creationDate,
            "description": description,
            "instrument": instrument,
            "modelName": modelName,
            "startDate": startDate,
            "endDate": endDate,
            "formatVersion": formatVersion,
        }
        self._set(
            kind=checked_kind(kind, problems),
            meta=checked_meta(fixed, meta, problems),
            datasets=checked_datasets(datasets, problems),
            refs=checked_refs(refs, problems),
            _history=checked_history(history, problems),
            origin=None,
            _unchanged=False,
        )
        problems.raise_all()

    @classmethod
    def assemble(
        cls,
        kind: str,
        meta: MetaData,
        datasets: Datasets,
        refs: Refs,
        history: tuple[str, ...] = (),
        origin: object = None,
    ) -> Product:
        """Put parts together that are in order already, as a pool does that loads them.

        Parameters
        ----------
        kind, meta, datasets, refs, history
            Kept as they are, without checks and without defaults.
        origin
            What the pool wants to know about it when it is saved again.
        """
        made = cls.__new__(cls)
        made._set(
            kind=kind,
            meta=meta,
            datasets=datasets,
            refs=refs,
            _history=history,
            origin=origin,
            _unchanged=origin is not None,
        )
        return made

    @property
    def history(self) -> tuple[str, ...]:
        """Texts, oldest first: those given, else the tasks that a dataset `History` records."""
        if not self._history:
            provenance = self.provenance
            return () if provenance is None else provenance.lines
        return self._history

    @property
    def own_history(self) -> tuple[str, ...]:
        """Texts given to the product itself, without those of a dataset `History`."""
        return self._history

    @property
    def provenance(self) -> Provenance | None:
        """Tasks, parameters and script of the dataset `History` of Herschel's software.

        None where the product has no such dataset.
        """
        if "History" not in self.datasets:
            return None
        from skypool.model.provenance import provenance_of

        return provenance_of(self.datasets)

    @property
    def unchanged(self) -> bool:
        """Whether this is what its origin holds, not a changed copy."""
        return self._unchanged

    @property
    def product(self) -> Product:
        """The product itself, so that references and products not yet saved read alike."""
        return self

    def replace(
        self,
        *,
        kind: str | None = None,
        meta: Mapping[str, Any] | None = None,
        datasets: Mapping[str, Any] | None = None,
        refs: Mapping[str, Any] | None = None,
        history: Iterable[str] | str | None = None,
        **attributes: Any,
    ) -> Product:
        """Return a changed copy.

        Parameters
        ----------
        kind
            Another kind.
        meta, datasets, refs
            Merged into what is there; None as value removes the entry.
        history
            Takes the place of the history.
        **attributes
            Fixed attributes: `type`, `creator`, `creationDate`, `description`,
            `instrument`, `modelName`, `startDate`, `endDate`, `formatVersion`.

        Raises
        ------
        InvalidProduct
            With all problems of the changes.
        MissingName
            If what should be removed is not there.
        """
        for name in attributes:
            if name not in FIXED_ATTRIBUTES:
                raise TypeError(f"a product has no attribute {name!r}; use meta={{{name!r}: ...}}")
        problems = Problems()
        changes = {**(meta or {}), **attributes}
        made = Product.assemble(
            self.kind if kind is None else checked_kind(kind, problems),
            _replaced(self.meta, changes, problems.at("meta")),
            _replaced(self.datasets, datasets, problems.at("datasets")),
            _replaced(self.refs, refs, problems.at("refs")),
            self._history if history is None else checked_history(history, problems),
            self.origin,
        )
        check_attributes(dict(made.meta.raw_items()), problems)
        problems.raise_all()
        made._set(_unchanged=False)
        return made

    def __getitem__(self, name: str) -> Any:
        return self.datasets[name]

    def __contains__(self, name: object) -> bool:
        return name in self.datasets

    def __iter__(self) -> Iterator[str]:
        return iter(self.datasets)

    def is_kind(self, wanted: str) -> bool:
        """Say whether its kind is *wanted* or one of its sub-kinds.

        Parameters
        ----------
        wanted
            A kind, such as `Context`.
        """
        return is_kind(self.kind, wanted)

    @property
    def is_context(self) -> bool:
        """Whether its content is references."""
        return is_context(self.kind)

    def _attribute(self, name: str) -> Any:
        found = self.meta.get(name)
        if found is None:
            return None if name in DATES else UNKNOWN
        return found.value

    @property
    def type(self) -> str:
        """Code that the pipeline gave it."""
        return str(self._attribute("type"))

    @property
    def creator(self) -> str:
        """Program or person that made it."""
        return str(self._attribute("creator"))

    @property
    def creationDate(self) -> datetime | None:
        """When it was made."""
        return self._attribute("creationDate")  # type: ignore[no-any-return]

    @property
    def description(self) -> str:
        """What it is."""
        return str(self._attribute("description"))

    @property
    def instrument(self) -> str:
        """Instrument that took the data."""
        return str(self._attribute("instrument"))

    @property
    def modelName(self) -> str:
        """Model of the instrument, such as `FLIGHT`."""
        return str(self._attribute("modelName"))

    @property
    def startDate(self) -> datetime | None:
        """When the observation began."""
        return self._attribute("startDate")  # type: ignore[no-any-return]

    @property
    def endDate(self) -> datetime | None:
        """When the observation ended."""
        return self._attribute("endDate")  # type: ignore[no-any-return]

    @property
    def formatVersion(self) -> str:
        """Version of the product's layout."""
        return str(self._attribute("formatVersion"))

    def __repr__(self) -> str:
        parts = [self.kind, self.type] if self.type != UNKNOWN else [self.kind]
        parts += [f"{len(self.meta)} parameters"]
        if self.datasets:
            parts.append(f"datasets: {_listed(self.datasets)}")
        if self.refs:
            parts.append(f"refs: {_listed(self.refs)}")
        return f"<Product {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        from skypool.model.display import product_html

        return product_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        from skypool.model.display import dataset_keys

        return dataset_keys(self.datasets)

    def __str__(self) -> str:
        lines = [repr(self)]
        lines += [f"  {name}: {dataset!r}" for name, dataset in self.datasets.items()]
        lines += [f"  -> {role}: {ref!r}" for role, ref in self.refs.items()]
        return "\n".join(lines)


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown if len(shown) <= 6 else [*shown[:6], f"... ({len(shown)})"])


def _replaced(old: Any, changes: Mapping[str, Any] | None, problems: Problems) -> Any:
    if not changes:
        return old
    try:
        return old.replace(changes)
    except InvalidProduct as error:
        problems.take(error)
    return old
