"""Sources of a rule file as functions of a document."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from skypool.model.attributes import times
from skypool.model.attributes.names import CORE, MAX_TEXT, CoreAttribute
from skypool.model.attributes.rules import Source
from skypool.model.attributes.shapes import Parts, Place, Shape, plain_text
from skypool.model.attributes.spectral import column_range, spectral_range
from skypool.model.attributes.units import convert

__all__ = ["Attributes", "Reader", "reader_of"]

Attributes: TypeAlias = dict[str, Any]
Reader: TypeAlias = Callable[[Parts, Attributes], Any]

_LENGTH: Final = next(attribute for attribute in CORE if attribute.name == "wavelength")
# Units of right ascensions that are times.
_HOURS: Final = frozenset({"h", "hr", "hour", "hours"})
_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d{1,3})?)\s*(.*)\Z", re.S)
_SEXAGESIMAL: Final = re.compile(
    r"\s*([+-]?)(\d{1,3})[:hd\s]\s*(\d{1,2})[:m'\s]\s*(\d{1,2}(?:\.\d*)?)[s\"]?\s*\Z"
)


def reader_of(attribute: CoreAttribute, source: Source, shape: Shape) -> Reader | None:
    """Return the function for a source, None where documents of that shape do not have it.

    The function returns None where a document has no such value after all.
    """
    if source.structure:
        return _constant(attribute, shape.product_type)
    if source.value is not None:
        return _constant(attribute, source.value)
    if source.attribute:
        return _derived(attribute, source)
    if source.spectral:
        found = _spectral(source, shape)
        return found if source.ranges is None or found is None else _in_range(source, found)
    pattern = None if source.dataset is None else _glob(source.dataset)
    places = [place for key in source.keys if (place := shape.find(key, pattern)) is not None]
    if not places:
        return None
    if attribute.type == "time":
        return _time(source, places, shape)
    if source.ranges is not None:
        return _in_range(source, _number(_LENGTH, source, places, shape))
    if attribute.type == "text":
        return _text(source, places)
    return _number(attribute, source, places, shape)


def _glob(pattern: str) -> re.Pattern[str]:
    from fnmatch import translate

    return re.compile(translate(pattern.upper()))


def checked(attribute: CoreAttribute, value: Any) -> Any:
    """Return a value as the attribute has it, None where it cannot be one."""
    kind = attribute.type
    if kind == "text":
        text = plain_text(value)
        return text if text is None or len(text) <= MAX_TEXT else text[:MAX_TEXT]
    if kind == "time":
        return value if isinstance(value, datetime) else None
    if type(value) not in (float, int) or not math.isfinite(value):
        return None
    if attribute.name == "ra" and -360.0 <= value <= 720.0:
        value %= 360.0
    if not attribute.least <= value <= attribute.most:
        return None
    if kind == "integer":
        return int(value) if value == int(value) else None
    return float(value)


def _constant(attribute: CoreAttribute, value: Any) -> Reader | None:
    found = checked(attribute, value)
    return None if found is None else lambda parts, known: found


def _derived(attribute: CoreAttribute, source: Source) -> Reader:
    def read(parts: Parts, known: Attributes) -> Any:
        found = known.get(source.attribute)
        return None if found is None else _put(attribute, source, _changed(source, found))

    return read


def _put(attribute: CoreAttribute, source: Source, value: Any) -> Any:
    """Read a text as a number where the attribute is one."""
    if attribute.type in ("text", "time") or value is None:
        return value
    return _as_number(value, source.unit, attribute.unit)


def _changed(source: Source, value: Any) -> Any:
    """Apply `match`, `names` and `drop`."""
    if source.match is None and source.names is None and source.drop is None:
        return value
    text = plain_text(value)
    if text is None:
        return None
    if source.match is not None:
        found = source.match.search(text)
        if found is None:
            return None
        text = next((group for group in found.groups() if group is not None), found.group())
    if source.drop is not None and source.drop.match(text.upper()):
        return None
    if source.names is not None:
        return source.names.get(text.upper(), source.names.get("*"))
    return text


def _text(source: Source, places: Sequence[Place]) -> Reader:
    plain = source.match is None and source.names is None and source.drop is None
    if len(places) == 1:
        part, index = places[0]
        if plain:
            return lambda parts, known: parts.metas[part][index][1]
        return lambda parts, known: _changed(source, parts.metas[part][index][1])

    def read(parts: Parts, known: Attributes) -> Any:
        found = []
        for part, index in places:
            text = plain_text(_changed(source, parts.metas[part][index][1]))
            if text is not None and text not in found:
                found.append(text)
        return source.join.join(found) if found else None

    return read


def _number(
    attribute: CoreAttribute, source: Source, places: Sequence[Place], shape: Shape
) -> Reader:
    unit, wanted = source.unit, attribute.unit
    angle = attribute.name in ("ra", "dec")
    frame = _frame(shape, places[0]) if angle else None
    if frame == (None, None):
        frame = None  # those of J2000
    plain = source.match is None and source.names is None and source.drop is None

    def one(entry: Sequence[Any]) -> float | None:
        value = entry[1]
        if plain and type(value) is float and wanted:
            given = (entry[2] if len(entry) > 2 else "") or unit
            if given == wanted:
                return value
        value = _changed(source, value)
        if angle and isinstance(value, str):
            found = _sexagesimal(value, 15.0 if attribute.name == "ra" else 1.0)
            if found is not None:
                return found
        own = entry[2] if len(entry) > 2 else ""
        if angle and own in _HOURS:
            own = "hourangle"
        return _as_number(value, own or unit, wanted)

    def read(parts: Parts, known: Attributes) -> Any:
        if frame is not None and not _is_current(parts, frame):
            return None
        part, index = places[0]
        found = one(parts.metas[part][index])
        if source.total:
            more = [one(parts.metas[part][index]) for part, index in places[1:]]
            numbers = [number for number in (found, *more) if number is not None]
            return sum(numbers) if numbers else None
        return found

    return read


def _as_number(value: Any, unit: str, wanted: str) -> float | None:
    if isinstance(value, str):
        match = _NUMBER.match(value)
        if match is None:
            return None
        unit = match[2].strip() or unit
        value = float(match[1].replace("D", "E").replace("d", "e"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if unit and unit != wanted:
        return convert(number, unit, wanted)
    # a length alone may be in any unit
    return number if unit or wanted != "m" else None


def _sexagesimal(text: str, factor: float) -> float | None:
    match = _SEXAGESIMAL.match(text)
    if match is None:
        return None
    value = int(match[2]) + int(match[3]) / 60 + float(match[4]) / 3600
    return (-value if match[1] == "-" else value) * factor


def _frame(shape: Shape, place: Place) -> tuple[Place | None, Place | None]:
    system = shape.near("radesys", place.part) or shape.near("radecsys", place.part)
    return shape.near("equinox", place.part), system


def _is_current(parts: Parts, frame: tuple[Place | None, Place | None]) -> bool:
    """Tell whether positions are those of J2000 or ICRS; others are left out, not moved."""
    year, system = (
        None if place is None else parts.metas[place.part][place.item][1] for place in frame
    )
    if isinstance(system, str) and system.strip().upper() == "ICRS":
        return True
    if isinstance(system, str) and system.strip().upper().startswith("FK4"):
        return False
    number = _as_number(year.strip("JB") if isinstance(year, str) else year, "", "")
    return not number or abs(number - 2000.0) < 0.01


def _in_range(source: Source, read: Reader) -> Reader:
    """Return what names the range in which a wavelength is."""
    ranges = source.ranges or {}

    def named(parts: Parts, known: Attributes) -> Any:
        found = read(parts, known)
        if found is None:
            return None
        return next((name for name, (low, high) in ranges.items() if low <= found < high), None)

    return named


def _spectral(source: Source, shape: Shape) -> Reader | None:
    if shape.spectrum:
        return _of_columns(source.spectral, shape.spectrum)
    if shape.main is None:
        return None
    part, array = shape.main, shape.main
    axes: dict[str, Mapping[str, Place]] = {}
    for axis in "1234":
        places = {
            name: place
            for name in ("ctype", "crval", "cdelt", "crpix", "cunit", f"cd{axis}_", f"pc{axis}_")
            if (place := shape.near(f"{name}{axis}", part)) is not None
        }
        if {"ctype", "crval", "crpix"} <= places.keys():
            axes[axis] = places
    rest = shape.near("restfrq", part) or shape.near("restfreq", part)
    if not axes:
        return None

    def read(parts: Parts, known: Attributes) -> Any:
        lengths = parts.datasets[array - 1][1].get("shape", ())
        return spectral_range(parts.metas, axes, lengths, rest, source.spectral)

    return read


def _of_columns(wanted: str, places: Sequence[tuple[int, int]]) -> Reader:
    def read(parts: Parts, known: Attributes) -> Any:
        found = [parts.datasets[number][1]["columns"][column] for number, column in places]
        return column_range(found, wanted)

    return read


def _time(source: Source, places: Sequence[Place], shape: Shape) -> Reader | None:
    part, index = places[0]
    scale = None if source.scale else shape.near("timesys", part)

    def scale_of(parts: Parts) -> str:
        if scale is None:
            return source.scale or "UTC"
        return str(parts.metas[scale.part][scale.item][1])

    if source.form == "elapsed":
        return _elapsed(source, places[0], shape, scale_of)
    clock = places[1] if len(places) > 1 else None

    def read(parts: Parts, known: Attributes) -> Any:
        value = parts.metas[part][index][1]
        if isinstance(value, datetime):
            return value
        if source.form:
            days = _as_number(value, "", "")
            if not days:  # 0 stands for no time in many headers
                return None
            found = times.from_days(days, julian=source.form == "jd")
        else:
            time_of_day = "" if clock is None else str(parts.metas[clock.part][clock.item][1])
            if source.clock and ":" not in f"{value}{time_of_day}":
                return None
            text = str(value)
            found = times.from_text(text, time_of_day)
            if text.rstrip().endswith(("Z", "z")):
                return found
        return None if found is None else times.to_utc(found, scale_of(parts))

    return read


def _elapsed(
    source: Source, place: Place, shape: Shape, scale_of: Callable[[Parts], str]
) -> Reader | None:
    """Return the reader of a time that is counted from a date of reference."""
    part, index = place
    names = ("mjdref", "mjdrefi", "mjdreff", "bjdrefi", "bjdreff", "timezero")
    extra = {name: found for name in names if (found := shape.near(name, part)) is not None}
    unit_place = shape.near("timeunit", part)
    if source.reference is None and not extra.keys() & {"mjdref", "mjdrefi", "bjdrefi"}:
        return None

    def number(parts: Parts, name: str) -> float:
        found = extra.get(name)
        if found is None:
            return 0.0
        return _as_number(parts.metas[found.part][found.item][1], "", "") or 0.0

    def read(parts: Parts, known: Attributes) -> Any:
        value = _as_number(parts.metas[part][index][1], "", "")
        if value is None:
            return None
        unit = source.unit
        if not unit and unit_place is not None:
            unit = str(parts.metas[unit_place.part][unit_place.item][1])
        seconds = convert(value + number(parts, "timezero"), unit or "s", "s")
        if seconds is None:
            return None
        whole, rest = _reference(source, extra, lambda name: number(parts, name))
        found = times.from_days(whole, rest + seconds / 86400.0)
        return None if found is None else times.to_utc(found, scale_of(parts))

    return read


def _reference(
    source: Source, extra: Mapping[str, Place], number: Callable[[str], float]
) -> tuple[float, float]:
    if source.reference is not None:
        return source.reference, 0.0
    if "mjdrefi" in extra:
        return number("mjdrefi"), number("mjdreff")
    if "mjdref" in extra:
        return number("mjdref"), 0.0
    return number("bjdrefi") - 2400000.5, number("bjdreff")
