"""Rule files: where the observatories write the core attributes.

One TOML file describes one family of products (docs/reference/attributes.md). Those beside this
module come with skypool; a user's stand in a folder of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from skypool.errors import UsageError
from skypool.model.attributes.names import CORE_NAMES
from skypool.model.attributes.units import convert

__all__ = ["Bands", "Condition", "Family", "Source", "read_families", "read_family"]

SHIPPED: Final = Path(__file__).parent / "rules"
_BASE: Final = "fits"
_TIMES: Final = ("mjd", "jd", "elapsed")


@dataclass(frozen=True, slots=True)
class Globs:
    """Patterns with `*` and `?`, compiled when they are first used: most never are."""

    patterns: tuple[str, ...]

    def match(self, text: str) -> bool:
        """Tell whether a text, in capitals, fits one of them."""
        return _compiled(self.patterns).match(text) is not None


@lru_cache(maxsize=4096)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{translate(pattern.upper())})" for pattern in patterns))


@dataclass(frozen=True, slots=True)
class Condition:
    """What the value of a key must look like.

    Attributes
    ----------
    key
        Folded key, or one of the names that start with `@`.
    pattern
        Of the value in capitals.
    empty
        Whether it may be missing.
    any
        Whether it is enough that the key is there.
    """

    key: str
    pattern: Globs
    empty: bool
    any: bool

    def holds(self, value: str | None) -> bool:
        """Tell whether a value fits; None is that of a key that is not there."""
        if not value:
            return self.empty
        return self.pattern.match(value)


Conditions = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One place that a core attribute can come from; see docs/reference/attributes.md."""

    keys: tuple[str, ...] = ()
    dataset: str | None = None
    value: str | int | float | None = None
    attribute: str = ""
    structure: bool = False
    spectral: str = ""
    when: Conditions = ()
    unit: str = ""
    form: str = ""
    scale: str = ""
    reference: float | None = None
    match: re.Pattern[str] | None = None
    names: Mapping[str, Any] | None = None
    drop: Globs | None = None
    join: str = "+"
    total: bool = False
    clock: bool = False
    ranges: Mapping[str, tuple[float, float]] | None = None
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Bands:
    """Wavelengths of bands, in metres: representative, shortest, longest."""

    when: Conditions
    values: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class Family:
    """Rules of one family of products.

    Attributes
    ----------
    name
        Name of the file, without its ending.
    recognise
        Alternatives; empty for rules that only others are based on, or that fit all.
    sources
        Those of each core attribute, the best first.
    bands
        Tables of wavelengths.
    based_on
        The family whose rules follow; empty for none.
    instead
        Whether it takes the place of a family of that name, and is not put before it.
    """

    name: str
    recognise: tuple[Conditions, ...] = ()
    sources: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    bands: tuple[Bands, ...] = ()
    based_on: str = _BASE
    instead: bool = False


class _Reader:
    """Reads one file, and says where in it something is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, where: str, what: str, hint: str = "") -> UsageError:
        place = f" at {where}" if where else ""
        return UsageError(
            f"{self.path}{place}: {what}", hint=hint or "see docs/reference/attributes.md"
        )

    def only(self, table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
        names = sorted(known)
        for name in table:
            if name not in names:
                raise self.fail(where, f"{name!r} is not known here", f"one of {', '.join(names)}")

    def typed(self, value: Any, kind: type | tuple[type, ...], where: str) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            wanted = kind if isinstance(kind, tuple) else (kind,)
            words = {str: "a text", bool: "true or false", dict: "a table", list: "a list"}
            names = " or ".join(sorted({words.get(each, "a number") for each in wanted}))
            raise self.fail(where, f"{names} is wanted, not {value!r}")
        return value

    def family(self) -> Family:
        import tomllib

        try:
            table = tomllib.loads(self.path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise self.fail("", f"cannot be read: {error}") from None
        self.only(table, ("based_on", "instead", "recognise", "attributes", "bands"), "the top")
        attributes = self.typed(table.get("attributes", {}), dict, "attributes")
        self.only(attributes, CORE_NAMES, "attributes")
        return Family(
            self.path.stem,
            tuple(
                self.conditions(entry, f"recognise[{n}]")
                for n, entry in enumerate(self.typed(table.get("recognise", []), list, "recognise"))
            ),
            {
                name: tuple(
                    self.source(name, entry, f"attributes.{name}[{n}]")
                    for n, entry in enumerate(self.typed(listed, list, f"attributes.{name}"))
                )
                for name, listed in attributes.items()
            },
            tuple(
                self.band_table(entry, f"bands[{n}]")
                for n, entry in enumerate(self.typed(table.get("bands", []), list, "bands"))
            ),
            self.typed(table.get("based_on", _BASE), str, "based_on"),
            self.typed(table.get("instead", False), bool, "instead"),
        )

    def conditions(self, table: Any, where: str) -> Conditions:
        found = []
        for key, wanted in self.typed(table, dict, where).items():
            listed = wanted if isinstance(wanted, list) else [wanted]
            patterns = [self.typed(text, str, f"{where}.{key}") for text in listed]
            if not patterns:
                raise self.fail(f"{where}.{key}", "a pattern is missing")
            found.append(
                Condition(key.casefold(), Globs(tuple(patterns)), "" in patterns, patterns == ["*"])
            )
        return tuple(found)

    def source(self, name: str, entry: Any, where: str) -> Source:
        if isinstance(entry, str):
            return Source(keys=(self.key(entry, where),))
        table = self.typed(entry, dict, where)
        readers = self._options()
        self.only(table, (*readers, "ranges"), where)
        options: dict[str, Any] = {}
        for option, value in table.items():
            if option == "ranges":
                continue  # they count in the unit
            target, read = readers[option]
            options[target] = read(value, f"{where}.{option}")
        source = Source(**options)
        given = [
            bool(source.keys), source.value is not None, bool(source.attribute),
            source.structure, bool(source.spectral), source.stop,
        ]  # fmt: skip
        if sum(given) != 1:
            what = "one of key, keys, value, attribute, structure, spectral, stop is wanted"
            raise self.fail(where, what)
        if "ranges" in table:
            source = replace(source, ranges=self.ranges(table, where))
        if source.attribute and CORE_NAMES.index(source.attribute) >= CORE_NAMES.index(name):
            raise self.fail(where, f"{source.attribute!r} is not known before {name!r}")
        return source

    def _options(self) -> dict[str, tuple[str, Callable[[Any, str], Any]]]:
        return {
            "key": ("keys", lambda value, where: (self.key(value, where),)),
            "keys": ("keys", self.keys),
            "dataset": ("dataset", lambda value, where: self.typed(value, str, where)),
            "value": ("value", lambda value, where: self.typed(value, (str, int, float), where)),
            "attribute": ("attribute", lambda value, where: self.one(value, CORE_NAMES, where)),
            "structure": ("structure", lambda value, where: self.typed(value, bool, where)),
            "spectral": (
                "spectral", lambda value, where: self.one(value, ("min", "mid", "max"), where),
            ),
            "when": ("when", self.conditions),
            "unit": ("unit", self.unit),
            "as": ("form", lambda value, where: self.one(value, _TIMES, where)),
            "scale": ("scale", lambda value, where: self.typed(value, str, where)),
            "reference": (
                "reference", lambda value, where: float(self.typed(value, (int, float), where)),
            ),
            "match": ("match", self.regex),
            "names": ("names", self.mapping),
            "drop": ("drop", lambda value, where: Globs(tuple(self.texts(value, where)))),
            "join": ("join", lambda value, where: self.typed(value, str, where)),
            "sum": ("total", lambda value, where: self.typed(value, bool, where)),
            "clock": ("clock", lambda value, where: self.typed(value, bool, where)),
            "stop": ("stop", lambda value, where: self.typed(value, bool, where)),
        }  # fmt: skip

    def key(self, value: Any, where: str) -> str:
        key: str = self.typed(value, str, where)
        if not key.strip():
            raise self.fail(where, "a key is missing")
        return key.casefold()

    def keys(self, value: Any, where: str) -> tuple[str, ...]:
        found = tuple(self.key(entry, where) for entry in self.typed(value, list, where))
        if not found:
            raise self.fail(where, "a key is missing")
        return found

    def texts(self, value: Any, where: str) -> list[str]:
        return [self.typed(entry, str, where) for entry in self.typed(value, list, where)]

    def one(self, value: Any, known: tuple[str, ...], where: str) -> str:
        if value not in known:
            raise self.fail(where, f"{value!r} is not known here", f"one of {', '.join(known)}")
        text: str = value
        return text

    def unit(self, value: Any, where: str) -> str:
        text: str = self.typed(value, str, where)
        if all(convert(1.0, text, unit) is None for unit in ("m", "s", "deg", "Hz")):
            raise self.fail(where, f"the unit {text!r} is not known")
        return text

    def regex(self, value: Any, where: str) -> re.Pattern[str]:
        try:
            return re.compile(self.typed(value, str, where), re.IGNORECASE)
        except re.error as error:
            raise self.fail(where, f"no regular expression: {error}") from None

    def mapping(self, value: Any, where: str) -> Mapping[str, Any]:
        table = self.typed(value, dict, where)
        return {
            key.upper(): self.typed(entry, (str, int, float), f"{where}.{key}")
            for key, entry in table.items()
        }

    def ranges(self, table: Mapping[str, Any], where: str) -> Mapping[str, tuple[float, float]]:
        unit = table.get("unit", "m")
        found = {}
        for name, pair in self.typed(table["ranges"], dict, f"{where}.ranges").items():
            place = f"{where}.ranges.{name}"
            if not isinstance(pair, list) or len(pair) != 2:
                raise self.fail(place, "two numbers are wanted")
            numbers = [float(self.typed(number, (int, float), place)) for number in pair]
            ends = [end for n in numbers if (end := convert(n, unit, "m")) is not None]
            if len(ends) != 2:
                raise self.fail(place, f"{pair} {unit} are no wavelengths or frequencies")
            found[name] = (min(ends), max(ends))
        return found

    def band_table(self, entry: Any, where: str) -> Bands:
        table = self.typed(entry, dict, where)
        self.only(table, ("when", "unit", "values"), where)
        unit = self.unit(table.get("unit", "m"), f"{where}.unit")
        values = {}
        for band, listed in self.typed(table.get("values", {}), dict, f"{where}.values").items():
            place = f"{where}.values.{band}"
            numbers = listed if isinstance(listed, list) else [listed]
            if len(numbers) not in (1, 3):
                raise self.fail(place, "a wavelength, or [it, shortest, longest] is wanted")
            found = [
                convert(float(self.typed(number, (int, float), place)), unit, "m")
                for number in numbers
            ]
            values[band.upper()] = (*found, *[None] * (3 - len(found)))
        return Bands(self.conditions(table.get("when", {}), f"{where}.when"), values)


def read_family(path: Path) -> Family:
    """Read a rule file.

    Raises
    ------
    UsageError
        With the file, the rule, and what is wrong with it.
    """
    return _Reader(path).family()


def read_families(folder: Path | None = None) -> list[Family]:
    """Return all families, each with the rules it is based on, in the order they are tried.

    Parameters
    ----------
    folder
        The user's rule files. One that is named like a file of skypool's is put before it; the
        others are tried before all of skypool's.
    """
    shipped = {path.stem: read_family(path) for path in sorted(SHIPPED.glob("*.toml"))}
    own: dict[str, Family] = {}
    for path in sorted(folder.glob("*.toml")) if folder is not None else ():
        family = read_family(path)
        if family.name not in shipped:
            own[family.name] = family
        elif family.instead:
            shipped[family.name] = family
        else:
            shipped[family.name] = _before(family, shipped[family.name])
        if family.based_on and family.based_on not in {*shipped, *own, family.name}:
            known = ", ".join(sorted({*shipped, *own}))
            raise UsageError(
                f"{path} at based_on: there are no rules {family.based_on!r}",
                hint=f"one of {known}",
            )
    every = {**own, **shipped}
    whole = {name: _with_bases(family, every) for name, family in every.items()}
    last = whole.pop(_BASE)
    return [*whole.values(), last]


def _before(first: Family, second: Family) -> Family:
    names = {*first.sources, *second.sources}
    return replace(
        second,
        recognise=first.recognise + second.recognise,
        sources={
            name: _until_stop(first.sources.get(name, ()) + second.sources.get(name, ()))
            for name in CORE_NAMES
            if name in names
        },
        bands=first.bands + second.bands,
    )


def _until_stop(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    stops = [place for place, source in enumerate(sources) if source.stop]
    return sources[: stops[0] + 1] if stops else sources


def _with_bases(family: Family, every: Mapping[str, Family]) -> Family:
    seen, base = {family.name}, family.based_on
    while base and base in every and base not in seen:
        seen.add(base)
        below = every[base]
        family = replace(_before(family, below), name=family.name, recognise=family.recognise)
        base = below.based_on
    return family
