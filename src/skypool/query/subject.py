"""What a query sees of a product."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from skypool.model.attributes.names import CORE_NAMES, TEXTS, gives_way, stands_beside
from skypool.model.names import find_name
from skypool.query.values import Amount, Kind, Value

__all__ = [
    "Subject",
    "attribute",
    "beside",
    "core_attribute",
    "dataset_called",
    "datasets_of",
    "facet",
    "has_key",
    "matching_roles",
    "named",
    "parameter",
]


class Subject(Protocol):
    """One version of a product, as the evaluator asks about it.

    Attributes
    ----------
    urn, kind, type : str
    name : str or None
        None for a product without a name.
    path : str or None
        The file that holds the content, for products kept in place.
    version, size : int
    saved : datetime
    author, message : str
    hash : str or None
        Of the file, hexadecimal.
    tags : collection of str
    meta : mapping of str to Parameter
        The product's own metadata.
    attributes : mapping of str to Parameter
        All its core attributes (`skypool.model.attributes`).
    datasets : mapping of str to dataset
        Those of `skypool.model`, lazy; composites are mappings.
    """

    @property
    def urn(self) -> str: ...  # noqa: D102 - described by the class
    @property
    def name(self) -> str | None: ...  # noqa: D102
    @property
    def path(self) -> str | None: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def saved(self) -> datetime: ...  # noqa: D102
    @property
    def author(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def tags(self) -> Collection[str]: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def hash(self) -> str | None: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def meta(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def attributes(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def datasets(self) -> Mapping[str, Any]: ...  # noqa: D102
    def parents(self) -> Iterable[Subject]:
        """Return the products that refer to this version, among those that are searched."""
        ...

    def children(self) -> Iterable[tuple[str, Subject | str]]:
        """Return (role, product) of every reference; the text of one that leads nowhere."""
        ...

    def neighbours(self) -> Iterable[Subject]:
        """Return the products, among those that are searched, whose footprints may overlap."""
        ...


def attribute(subject: Subject, name: str) -> Value:
    """Return what the pool knows of a product under one of `tree.ATTRIBUTES`."""
    value: Any = getattr(subject, name)
    if name == "tags":
        return tuple(value)
    if name == "kind":
        return Kind(value)
    found: Value = value
    return found


def parameter(meta: Mapping[str, Any], key: str, field: str = "value") -> tuple[bool, Value]:
    """Look up a key: the exact one, else the only one that differs in case alone.

    Returns
    -------
    tuple of bool and value
        Whether it is there, and its value; numbers with a unit as `Amount`.
    """
    found = find_name(meta, key)
    if found is None:
        return False, None
    entry = meta[found]
    if field != "value":
        return True, getattr(entry, field)
    value, unit = entry.value, entry.unit
    if unit and isinstance(value, int | float) and not isinstance(value, bool):
        return True, Amount(value, unit)
    return True, value


def has_key(meta: Mapping[str, Any], key: str) -> bool:
    """Tell whether a key is there, in whatever case, several times even."""
    if key in meta:
        return True
    folded = key.casefold()
    return any(name.casefold() == folded for name in meta)


def core_attribute(name: str) -> str | None:
    """Return the core attribute that a name means, in whatever case."""
    folded = name.casefold()
    return folded if folded in CORE_NAMES else None


def named(subject: Subject, name: str) -> tuple[bool, Value]:
    """Look up a bare name: a key of the product's own, else a core attribute.

    Some keys give way to the attribute; see `gives_way`.

    Returns
    -------
    tuple of bool and value
        Whether there is either, and its value.
    """
    there, value = parameter(subject.meta, name)
    attribute = core_attribute(name)
    if attribute is None or (there and not gives_way(attribute, value)):
        return there, value
    meta = subject.meta
    if any(
        key.casefold() == attribute and not gives_way(attribute, meta[key].value) for key in meta
    ):
        return there, value
    found, standing_in = parameter(subject.attributes, attribute)
    return (True, standing_in) if found else (there, value)


def beside(subject: Subject, name: str) -> Value:
    """Return what a core attribute answers a bare name beside the product's own key; else None."""
    attribute = core_attribute(name)
    if attribute not in TEXTS:
        return None
    meta = subject.meta
    own = [meta[key].value for key in meta if key.casefold() == attribute]
    if all(gives_way(attribute, value) for value in own):
        return None
    found = subject.attributes.get(attribute)
    if found is None or not stands_beside(attribute, found.value, own):
        return None
    value: Value = found.value
    return value


def datasets_of(datasets: Mapping[str, Any]) -> Iterator[Any]:
    """Yield all datasets, those inside composites after their composite."""
    for name in datasets:
        dataset = datasets[name]
        yield dataset
        if isinstance(dataset, Mapping):
            yield from datasets_of(dataset)


def dataset_called(datasets: Mapping[str, Any], name: str) -> Any | None:
    """Find a dataset by name; ``outer/inner`` reaches into composites."""
    found = find_name(datasets, name)
    if found is not None:
        return datasets[found]
    place = name.find("/")
    while place > 0:
        outer = find_name(datasets, name[:place])
        if outer is not None and isinstance(datasets[outer], Mapping):
            inner = dataset_called(datasets[outer], name[place + 1 :])
            if inner is not None:
                return inner
        place = name.find("/", place + 1)
    return None


def facet(dataset: Any, name: str) -> Value:
    """Return one of `tree.FACETS` of a dataset, None where it has no such thing."""
    if name == "nrows":
        return len(dataset) if hasattr(dataset, "colnames") else None
    if name == "colnames":
        return tuple(dataset.colnames) if hasattr(dataset, "colnames") else None
    if name == "unit":
        return getattr(dataset, "unit_text", None) or None
    if name == "dtype":
        dtype = getattr(dataset, "dtype", None)
        return None if dtype is None else str(dtype)
    if name == "description":
        return str(dataset.description) or None
    if hasattr(dataset, "colnames"):
        return None
    value: Value = getattr(dataset, name, None)
    return value


def matching_roles(roles: Collection[str], wanted: str) -> frozenset[str]:
    """Return the roles that a text means.

    The exact one; else those that differ in case alone; else those of which it is the stem
    (``PSW`` is that of ``PSW.fits``).
    """
    if wanted in roles:
        return frozenset({wanted})
    folded = wanted.casefold()
    same = frozenset(role for role in roles if role.casefold() == folded)
    return same or frozenset(role for role in roles if _stem(role) == wanted)


def _stem(role: str) -> str:
    name = role.removesuffix(".gz")
    return name.rpartition(".")[0] or name
