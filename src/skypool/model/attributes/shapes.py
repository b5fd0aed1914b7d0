"""The shape of a product document: which keys stand where, and what its datasets are.

Products of one pipeline have one shape, so that what depends on it is worked out once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from skypool.model.kinds import ancestors, is_context, is_kind

__all__ = ["Parts", "Place", "Shape", "parts_of", "plain_text"]

# Datasets beyond this number are not looked at.
_LOOKED_AT: Final = 12
_NOTHING: Final = frozenset(
    {
        "",
        "UNKNOWN",
        "N/A",
        "NONE",
        "NULL",
        "UNDEFINED",
        "-",
        "--",
        "TBD",
        "NOT APPLICABLE",
        "UNAVAILABLE",
        "MISSING",
        "#TODO",
    }
)
# Datasets that say something about others.
_BESIDE: Final = (
    "err", "dq", "mask", "var", "weight", "wht", "coverage", "flag", "stdev", "exposure", "ctx",
)  # fmt: skip


# Columns of spectra: those that say where, and those that say how much.
_WHERE: Final = re.compile(
    r"(?:[ul]sb)?(?:wave|wavelengths?|wavelen|lambda|wl|awav|freq|frequency|wavenumber|wavenum)(?:_\d+)?"
)
_HOW_MUCH: Final = re.compile(
    r"(?:flux|flux_?density|intensity|flam|fnu|f_lambda|f_nu|net|gross|surf_bright|brightness"
    r"|signal|temperature)(?:_\d+)?"
)


class Parts(NamedTuple):
    """A product document taken apart.

    Attributes
    ----------
    key
        Equal for documents of the same shape.
    metas
        Metadata of the product, and of its datasets.
    datasets
        The datasets, those inside composites behind them.
    """

    key: tuple[Any, ...]
    metas: list[Sequence[Sequence[Any]]]
    datasets: list[tuple[str, Mapping[str, Any]]]


class Place(NamedTuple):
    """Where a parameter stands: number of the metadata (0 the product's), and its number there."""

    part: int
    item: int


def parts_of(document: Mapping[str, Any]) -> Parts:
    """Take a product document apart."""
    meta = document["meta"]
    metas = [meta]
    datasets: list[tuple[str, Mapping[str, Any]]] = []
    signature: list[Any] = []
    if document["datasets"]:
        for name, dataset in _flat(document["datasets"]):
            listed = dataset.get("meta")
            if not isinstance(listed, list | tuple):
                listed = ()
            metas.append(listed)
            datasets.append((name, dataset))
            signature.append((name, tuple([p[0] for p in listed]), _structure(dataset)))
            if len(datasets) == _LOOKED_AT:
                break
    key = (document["kind"], tuple([p[0] for p in meta]), tuple(signature))
    return Parts(key, metas, datasets)


def _flat(datasets: Sequence[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, dataset in datasets:
        yield name, dataset
        if dataset["is"] == "composite":
            yield from _flat(dataset["datasets"])


def _structure(dataset: Mapping[str, Any]) -> tuple[Any, ...]:
    if dataset["is"] == "array":
        return tuple([length > 1 for length in dataset.get("shape", ())])
    return tuple([column["name"] for column in dataset.get("columns", ())])


class Shape:
    """What can be said about all documents of one shape.

    Parameters
    ----------
    parts
        Of one of them.
    """

    def __init__(self, parts: Parts) -> None:
        self.kind: str = parts.key[0]
        self._keys = [
            {entry[0].casefold(): n for n, entry in reversed(list(enumerate(meta)))}
            for meta in parts.metas
        ]
        self._names = [name for name, _ in parts.datasets]
        self._datasets = [dataset for _, dataset in parts.datasets]
        self.own = frozenset(self._keys[0])
        self.main = self._main_array()
        self.spectrum = self._spectrum() if self.main is None else ()

    def find(self, key: str, dataset: Any = None) -> Place | None:
        """Return where a key stands: in the product's own metadata, else in the first dataset.

        Parameters
        ----------
        key
            Folded.
        dataset
            Pattern of names of the only datasets that count.
        """
        for part, keys in enumerate(self._keys):
            if dataset is not None and (
                part == 0 or dataset.match(self._names[part - 1].upper()) is None
            ):
                continue
            index = keys.get(key)
            if index is not None:
                return Place(part, index)
        return None

    def near(self, key: str, part: int) -> Place | None:
        """Return where a key stands, at best in the same metadata as another."""
        index = self._keys[part].get(key)
        return self.find(key) if index is None else Place(part, index)

    def described(self, key: str) -> list[str]:
        """Return what is known of the structure, under a name that starts with `@`."""
        if key == "@kind":
            found = list(ancestors(self.kind))
        elif key == "@axes":
            found = [] if self.main is None else [str(self.axes)]
        elif key == "@datasets":
            found = self._names
        elif key == "@columns":
            found = [
                column["name"]
                for dataset in self._datasets
                if dataset["is"] == "table"
                for column in dataset.get("columns", ())
            ]
        else:
            found = []
        return [text.upper() for text in found]

    def _main_array(self) -> int | None:
        """Return the number of the metadata of the dataset that the product is about."""
        tables = False
        for part, (name, dataset) in enumerate(zip(self._names, self._datasets, strict=True), 1):
            if dataset["is"] == "array" and len(dataset.get("shape", ())) > 0:
                beside = name.casefold().startswith(_BESIDE) or "mask" in name.casefold()
                if not beside and not tables:
                    return part
            tables = tables or dataset["is"] == "table"
        return None

    def _spectrum(self) -> tuple[tuple[int, int], ...]:
        """Return the columns of wavelengths of the first table that is a spectrum.

        Each as the number of the dataset, from 0, and that of the column.
        """
        for number, dataset in enumerate(self._datasets):
            columns = dataset.get("columns", ()) if dataset["is"] == "table" else ()
            names = [column["name"].casefold() for column in columns]
            found = [n for n, name in enumerate(names) if _WHERE.fullmatch(name)]
            if found and any(_HOW_MUCH.fullmatch(name) for name in names):
                return tuple((number, n) for n in found)
        return ()

    @property
    def axes(self) -> int:
        """Axes of the main array that are longer than one element."""
        if self.main is None:
            return 0
        return sum(length > 1 for length in self._datasets[self.main - 1].get("shape", ()))

    @property
    def product_type(self) -> str | None:
        """What kind and datasets say about the type of the product."""
        if is_context(self.kind):
            return "context"
        for kind, found in (
            ("SimpleCube", "cube"), ("Spectrum", "spectrum"), ("TimelineProduct", "timeseries"),
        ):  # fmt: skip
            if is_kind(self.kind, kind):
                return found
        if self.main is not None:
            return "image" if self.axes == 2 else "cube" if self.axes > 2 else None
        if self.spectrum:
            return "spectrum"
        if any(dataset["is"] == "table" for dataset in self._datasets):
            return "table"
        return None


def plain_text(value: Any) -> str | None:
    """Return a value as text, None where it says that there is none."""
    if isinstance(value, str):
        return _stripped(value)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


@lru_cache(maxsize=4096)
def _stripped(text: str) -> str | None:
    text = text.strip()
    capitals = text.upper()
    return None if capitals in _NOTHING or capitals.startswith("MISSING (") else text
