"""The core attributes of product documents, by the rules of their families.

What depends on the shape of a document only (`shapes`) is worked out once for each shape: which
family it may belong to, and which sources it has. So a document costs a look at the
few values that decide, and one at each value that is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from skypool.model.attributes.names import CORE, CoreAttribute
from skypool.model.attributes.rules import (
    Bands,
    Condition,
    Conditions,
    Family,
    Source,
    read_families,
)
from skypool.model.attributes.shapes import Parts, Place, Shape, parts_of, plain_text
from skypool.model.attributes.sources import Attributes, Reader, checked, reader_of

__all__ = ["Engine", "load"]

# Shapes, and plans of each shape, that are remembered.
_REMEMBERED: Final = 256
_PAIR: Final = ("ra", "dec")
_WAVELENGTHS: Final = ("wavelength", "wavelength_min", "wavelength_max")

_Plan = Sequence[tuple[CoreAttribute, tuple[Reader, ...]]]


class Engine:
    """Rules, ready to be applied.

    Parameters
    ----------
    families
        In the order in which they are tried; the last one takes what no other does.
    """

    def __init__(self, families: Sequence[Family]) -> None:
        self.families = families
        self._deciding = _keys_of(
            conditions for family in families for conditions in family.recognise
        )
        self._shapes: dict[tuple[Any, ...], _Shaped] = {}

    def attributes(self, document: Mapping[str, Any]) -> Attributes:
        """Return the core attributes of a product document that are known, in their order.

        Parameters
        ----------
        document
            As in docs/format/documents.md.
        """
        parts = parts_of(document)
        shaped = self._shapes.get(parts.key)
        if shaped is None:
            if len(self._shapes) >= _REMEMBERED:
                self._shapes.clear()
            shaped = self._shapes[parts.key] = _Shaped(self, Shape(parts))
        found: Attributes = {}
        for attribute, readers in shaped.plan(parts):
            for read in readers:
                value = read(parts, found)
                if value is not None:
                    value = checked(attribute, value)
                    if value is not None:
                        found[attribute.name] = value
                        break
        return found

    def family(self, document: Mapping[str, Any]) -> str:
        """Return the name of the rules that a document falls under."""
        parts = parts_of(document)
        shape = Shape(parts)
        return self.recognise(_Values(shape, self._deciding).all(parts), shape).name

    @property
    def deciding(self) -> Sequence[str]:
        """The keys that tell families apart."""
        return self._deciding

    def recognise(self, values: Mapping[str, str | None], shape: Shape) -> Family:
        """Return the family that deciding values belong to."""
        for family in self.families[:-1]:
            if any(_hold(conditions, values, shape) for conditions in family.recognise):
                return family
        return self.families[-1]


def _keys_of(alternatives: Any) -> tuple[str, ...]:
    keys = [
        condition.key
        for conditions in alternatives
        for condition in conditions
        if not condition.key.startswith("@") and not condition.any
    ]
    return tuple(dict.fromkeys(keys))


def _hold(conditions: Conditions, values: Mapping[str, str | None], shape: Shape) -> bool:
    return all(_holds(condition, values, shape) for condition in conditions)


def _holds(condition: Condition, values: Mapping[str, str | None], shape: Shape) -> bool:
    if condition.key.startswith("@"):
        found: Sequence[str | None] = shape.described(condition.key) or [None]
        return any(condition.holds(text) for text in found)
    if condition.any:  # its values may be many: they decide nothing
        return shape.find(condition.key) is not None
    return condition.holds(values.get(condition.key))


class _Values:
    """Reads the values of some keys."""

    def __init__(self, shape: Shape, keys: Sequence[str]) -> None:
        found = [(key, shape.find(key)) for key in keys]
        self._places: list[tuple[str, Place]] = [
            (key, place) for key, place in found if place is not None
        ]
        self._quick = [tuple(place) for _, place in self._places]

    def raw(self, parts: Parts) -> tuple[Any, ...]:
        """Return them as they are."""
        metas = parts.metas
        return tuple([metas[part][index][1] for part, index in self._quick])

    def all(self, parts: Parts) -> dict[str, str | None]:
        """Return them as conditions look at them."""
        return {
            key: (plain_text(parts.metas[place.part][place.item][1]) or "").upper()
            for key, place in self._places
        }


class _Shaped:
    """What is known about documents of one shape."""

    def __init__(self, engine: Engine, shape: Shape) -> None:
        self._engine = engine
        self._shape = shape
        self._values = _Values(shape, engine.deciding)
        self._families: dict[str, _Planned] = {}
        self._known: dict[tuple[Any, ...], _Planned] = {}

    def plan(self, parts: Parts) -> _Plan:
        """Return what to do with a document."""
        values = self._values.raw(parts)
        planned = self._known.get(values)
        if planned is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            family = self._engine.recognise(self._values.all(parts), self._shape)
            if family.name not in self._families:
                self._families[family.name] = _Planned(family, self._shape)
            planned = self._known[values] = self._families[family.name]
        return planned.plan(parts)


class _Planned:
    """What is known about documents of one shape and family."""

    def __init__(self, family: Family, shape: Shape) -> None:
        self._family = family
        self._shape = shape
        asked = [source.when for listed in family.sources.values() for source in listed]
        asked += [bands.when for bands in family.bands]
        self._values = _Values(shape, _keys_of(asked))
        self._conditions = tuple(
            dict.fromkeys(
                condition
                for conditions in asked
                for condition in conditions
                if not condition.key.startswith("@") and not condition.any
            )
        )
        self._plans: dict[tuple[bool, ...], _Plan] = {}
        self._known: dict[tuple[Any, ...], _Plan] = {}

    def plan(self, parts: Parts) -> _Plan:
        """Return what to do with a document."""
        raw = self._values.raw(parts)
        plan = self._known.get(raw)
        if plan is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            plan = self._known[raw] = self._plan_for(self._values.all(parts))
        return plan

    def _plan_for(self, values: Mapping[str, str | None]) -> _Plan:
        """Return the plan for some values, of which there may be many for one plan."""
        outcome = tuple([each.holds(values.get(each.key)) for each in self._conditions])
        plan = self._plans.get(outcome)
        if plan is None:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            plan = self._plans[outcome] = self._make(values)
        return plan

    def _make(self, values: Mapping[str, str | None]) -> _Plan:
        plan = []
        bands = self._bands(values)
        for attribute in CORE:
            readers = [reader for reader in self._readers(attribute, values) if reader is not None]
            if bands and attribute.name in _WAVELENGTHS:
                readers.append(_of_band(bands, _WAVELENGTHS.index(attribute.name)))
            if readers:
                plan.append((attribute, tuple(readers)))
        return tuple(plan)

    def _readers(
        self, attribute: CoreAttribute, values: Mapping[str, str | None]
    ) -> list[Reader | None]:
        sources = self._family.sources
        readers = [
            self._reader(attribute, source, values) for source in sources.get(attribute.name, ())
        ]
        if attribute.name not in _PAIR:
            return readers
        other = next(each for each in CORE if each.name in _PAIR and each is not attribute)
        others = [self._reader(other, source, values) for source in sources.get(other.name, ())]
        if len(others) != len(readers):
            return readers
        return [
            _with(read, other, beside)
            for read, beside in zip(readers, others, strict=True)
            if read is not None and beside is not None
        ]

    def _reader(
        self, attribute: CoreAttribute, source: Source, values: Mapping[str, str | None]
    ) -> Reader | None:
        if source.when and not _hold(source.when, values, self._shape):
            return None
        return reader_of(attribute, source, self._shape)

    def _bands(self, values: Mapping[str, str | None]) -> dict[str, tuple[float | None, ...]]:
        found: dict[str, tuple[float | None, ...]] = {}
        tables: list[Bands] = [b for b in self._family.bands if _hold(b.when, values, self._shape)]
        for table in reversed(tables):
            found.update(table.values)
        return found


def _with(read: Reader, other: CoreAttribute, beside: Reader) -> Reader:
    """Return a reader of one coordinate that counts only where the other one is known as well."""

    def paired(parts: Parts, known: Attributes) -> Any:
        found = read(parts, known)
        if found is None or checked(other, beside(parts, known)) is None:
            return None
        return found

    return paired


def _of_band(bands: Mapping[str, tuple[float | None, ...]], item: int) -> Reader:
    """Return what looks up the wavelength of the band, or of the first part that has one."""

    def read(parts: Parts, known: Attributes) -> Any:
        band = known.get("band")
        if band is None:
            return None
        whole = bands.get(band.upper())
        if whole is None:
            pieces = (bands.get(piece.strip()) for piece in band.upper().split("+"))
            whole = next((piece for piece in pieces if piece is not None), None)
        return None if whole is None else whole[item]

    return read


def load(folder: Path | None = None) -> Engine:
    """Return the rules of skypool, with those of a folder before them.

    Raises
    ------
    UsageError
        With file, rule, and what is wrong with it.
    """
    families = read_families(folder)
    return Engine([family for family in families[:-1] if family.recognise] + families[-1:])
