"""Products that change in place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from skypool.errors import UsageError
from skypool.hipe.bean import Bean
from skypool.hipe.containers import JavaList
from skypool.hipe.datasets import DatasetMap, HasDatasets
from skypool.hipe.finetime import FineTime
from skypool.hipe.metadata import MetaData
from skypool.hipe.parameters import DateParameter, StringParameter
from skypool.hipe.places import Places
from skypool.model.composite import Datasets
from skypool.model.metadata import MetaData as CoreMetaData
from skypool.model.product import FIXED_ATTRIBUTES, UNKNOWN
from skypool.model.product import Product as CoreProduct
from skypool.model.references import Refs

__all__ = ["CLASSES", "Product"]

# Classes of kinds that scripts wrote themselves.
CLASSES: dict[str, type[Product]] = {}


def _text(name: str) -> Any:
    def get(self: Product) -> str:
        found = self._parameter(name)
        return UNKNOWN if found is None else str(found.value)

    def put(self: Product, value: Any) -> None:
        old = self.meta.get(name)
        self.meta[name] = StringParameter(value, "" if old is None else old.description)

    return property(get, put, doc=f"The text `{name}`; {UNKNOWN!r} where it is not known.")


def _time(name: str) -> Any:
    def get(self: Product) -> FineTime | None:
        found = self._parameter(name)
        return None if found is None else FineTime(found.value)

    def put(self: Product, value: Any) -> None:
        old = self.meta.get(name)
        if value is None:
            self.meta.remove(name)
        else:
            self.meta[name] = DateParameter(value, "" if old is None else old.description)

    return property(get, put, doc=f"The time `{name}`; None where it is not known.")


class Product(HasDatasets, Bean):
    """Named datasets with metadata, in memory; a `ProductStorage` saves it.

    Parameters
    ----------
    description
        What it is.
    **attributes
        Any property: `creator`, `instrument`, `type`, `startDate`, ..., and those of the class.
    """

    kind: ClassVar[str] = "Product"
    _meta: MetaData | None
    _type: ClassVar[str] = UNKNOWN

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" not in cls.__dict__:
            cls.kind = cls.__name__
        if cls.__module__.partition(".")[0] != "skypool":
            CLASSES[cls.kind] = cls

    def __init__(self, description: str | None = None, **attributes: Any) -> None:
        self._start(None)
        given = {
            "type": self._type,
            "creator": UNKNOWN,
            "creationDate": FineTime(datetime.now(UTC)),
            "description": UNKNOWN if description is None else description,
            "instrument": UNKNOWN,
            "modelName": UNKNOWN,
            "formatVersion": "1.0",
        }
        self._meta = MetaData((name, given[name]) for name in FIXED_ATTRIBUTES if name in given)
        for name, value in attributes.items():
            setattr(self, name, value)

    def _start(self, core: CoreProduct | None) -> None:
        self._core = core
        self._meta = None
        self._sets = DatasetMap(None if core is None else core.datasets)
        self._history: Any = None
        self._places = Places()

    @classmethod
    def of_core(cls, core: CoreProduct, places: Places | None = None) -> Any:
        """Wrap a product of skypool, as the class of its kind."""
        from skypool.hipe.classes import class_of_kind

        found = CLASSES.get(core.kind) or class_of_kind(core.kind)
        made = found.__new__(found)
        made._start(core)
        if places is not None:
            made._places = places
        return made

    # -- what is in it

    type = _text("type")
    creator = _text("creator")
    creationDate = _time("creationDate")
    description = _text("description")
    instrument = _text("instrument")
    modelName = _text("modelName")
    startDate = _time("startDate")
    endDate = _time("endDate")
    formatVersion = _text("formatVersion")

    def _parameter(self, name: str) -> Any:
        """Return a parameter to be looked at, without taking all of them into memory."""
        if self._meta is None and self._core is not None:
            return self._core.meta[name] if name in list(self._core.meta) else None
        return self.meta.get(name)

    @property
    def meta(self) -> MetaData:
        """The parameters."""
        if self._meta is None:
            self._meta = MetaData(self._core.meta if self._core is not None else {})
        return self._meta

    @meta.setter
    def meta(self, given: Mapping[str, Any]) -> None:
        self._meta = given if isinstance(given, MetaData) else MetaData(given)

    @property
    def default(self) -> Any:
        """The first dataset; None where there are none."""
        return self._sets[next(iter(self._sets))] if self._sets else None

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, where both are known."""
        if self.startDate is None or self.endDate is None:
            return None
        return float(self.endDate.subtract(self.startDate)) / 1e6

    @property
    def history(self) -> Any:
        """The dataset `History` as HCSS wrote it, else a list of texts, oldest first."""
        if self._history is None:
            if "History" in self._sets:
                return self._sets["History"]
            self._history = JavaList(() if self._core is None else self._core.own_history)
        return self._history

    @history.setter
    def history(self, given: Any) -> None:
        if isinstance(given, str) or all(isinstance(line, str) for line in given):
            self._history = JavaList([given] if isinstance(given, str) else given)
        else:
            raise UsageError("a history is a list of texts")

    @property
    def product(self) -> Self:
        """The product itself, as a reference gives it."""
        return self

    # -- keeping

    def core_with(self, refs: Refs | None, origin: object) -> CoreProduct:
        """Return the product as skypool keeps it, with some references.

        Parameters
        ----------
        refs
            Its references; None where they are those that were loaded.
        origin
            The version that it continues.

        Returns
        -------
        skypool.Product
            What was loaded where nothing changed.
        """
        core = self._core
        datasets = self._sets.to_core()
        meta = self._core_meta()
        history = tuple(self._history or ()) if core is None else core.own_history
        if core is not None and self._history is not None:
            history = tuple(self._history)
        if core is not None:
            same_sets = self._sets.unchanged(datasets)
            about = (core.meta, core.own_history, core.kind)
            if refs is None and same_sets and about == (meta, history, self.kind):
                return core
            if refs is None:
                refs = self._kept_refs(core)
            elif self._refs_of_file(core):
                datasets.pop("context", None)  # the table that the references were read from
        made = CoreProduct.assemble(
            type(self).kind, meta, Datasets(datasets), refs or Refs(), history, origin
        )
        return made.replace()  # a changed copy, whatever it came from

    def _kept_refs(self, core: CoreProduct) -> Refs:
        """Return the references that were loaded."""
        return core.refs

    def _refs_of_file(self, core: CoreProduct) -> bool:
        """Say whether the references are those of a table in a file of HIPE."""
        return False

    def _core_meta(self) -> CoreMetaData:
        core = None if self._core is None else self._core.meta
        if self._meta is None:
            return CoreMetaData() if core is None else core
        made: CoreMetaData = self._meta.to_core()
        same = made is core or (core is not None and list(core.items()) == list(made.items()))
        return core if core is not None and same else made

    def to_core(self) -> CoreProduct:
        """Return the product as one of skypool, with all products below it."""
        from skypool.hipe.saving import Tree

        return Tree(None).build(self)

    def adopt(self, core: CoreProduct) -> None:
        """Take what was saved for what was loaded; nothing that is held changes."""
        self._core = core
        self._sets.adopt(core.datasets)

    def copy(self) -> Any:
        """Return a product of its own, which no pool knows."""
        core = self.to_core()
        made = type(self).__new__(type(self))
        made._start(core)
        made._core = None
        made._meta = MetaData(core.meta)
        made._history = JavaList(core.own_history)
        made._copy_refs(core)
        return made

    def _copy_refs(self, core: CoreProduct) -> None:
        """Take the references of a copy; contexts have some."""

    def equals(self, other: object) -> bool:
        """Say whether another product holds the same."""
        from skypool.model.compare import differences

        if not isinstance(other, Product):
            return False
        return self is other or not differences(self.to_core(), other.to_core())

    def toString(self) -> str:
        """Return what it is, in a line."""
        return str(self)

    def __str__(self) -> str:
        parts = [f"description={self.description!r}", f"type={self.type!r}"]
        if self._sets:
            parts.append(f"datasets={list(self._sets)}")
        return f"{type(self).__name__}({', '.join(parts)})"

    __repr__ = __str__
