"""Parameters of product documents, made of whatever metadata a file has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

__all__ = ["MAX_TEXT", "flatten", "known_attributes", "parameter", "parse_date"]

MAX_TEXT = 65536
MAX_PARAMETERS = 10000
MAX_DEPTH = 32
_SIMPLE = (str, int, float, bool, type(None))
# Keys that say the same as a fixed attribute, in lower case; the first found counts.
_SYNONYMS = {
    "type": ("type",),
    "creator": ("creator", "author", "provider", "publisher", "origin"),
    "creationDate": ("creationdate", "date", "creation_date", "created"),
    "description": ("description", "title"),
    "instrument": ("instrument", "instrume", "instrument_name"),
    "modelName": ("modelname",),
    "startDate": ("startdate", "date-obs", "date_obs", "date-beg", "date_beg"),
    "endDate": ("enddate", "date-end", "date_end"),
    "formatVersion": ("formatversion",),
}
_DATES = {"creationDate", "startDate", "endDate"}


def parameter(name: str, value: Any, unit: str = "", description: str = "") -> list[Any] | None:
    """Make a parameter of a document, None where the value is not a single one.

    Parameters
    ----------
    name
        As the file gives it.
    value
        Text, number, truth value, time or date; numpy scalars, too. Times without
        a zone are taken as UTC.
    unit, description
        Texts.
    """
    plain = _plain(value)
    if plain is None:
        return None
    listed: list[Any] = [name, plain]
    if unit or description:
        listed.append(unit)
    if description:
        listed.append(description[:MAX_TEXT])
    return listed


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        if isinstance(value, np.datetime64):
            # Values outside the years of datetime come back as numbers.
            value = value.astype("datetime64[us]").item()
        else:
            value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return str(value[:MAX_TEXT])
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None


def flatten(
    tree: Any,
    prefix: str = "",
    simplify: Callable[[Any], tuple[Any, str] | None] = lambda value: None,
) -> list[list[Any]]:
    """Make parameters of nested mappings and lists: ``a.b.0`` names an entry.

    Lists of numbers and texts become one text in JSON. *simplify* gives value and unit
    of things that are a value although they look like a tree. At most 10,000 entries are
    looked at and 32 levels, so that a tree with shared parts cannot explode.
    """
    walk = _Walk(simplify)
    walk.visit(tree, prefix, 0)
    return walk.found


class _Walk:
    """Goes through a tree and collects its parameters."""

    def __init__(self, simplify: Callable[[Any], tuple[Any, str] | None]) -> None:
        self.found: list[list[Any]] = []
        self._simplify = simplify
        self._budget = MAX_PARAMETERS

    def visit(self, tree: Any, name: str, depth: int) -> None:
        self._budget -= 1
        if self._budget < 0 or depth > MAX_DEPTH:
            return
        simple = self._simplify(tree)
        value, unit = simple if simple is not None else (tree, "")
        value = getattr(value, "value", value)  # what is left of tagged values
        if isinstance(value, Mapping):
            for key, item in value.items():
                place = f"{name}.{str(key)[:1024]}" if name else str(key)[:1024]
                self.visit(item, place, depth + 1)
        elif isinstance(value, list | tuple):
            self._visit_list(value, name, depth, unit)
        else:
            made = parameter(name, value, unit)
            if made is not None:
                self.found.append(made)

    def _visit_list(self, items: Sequence[Any], name: str, depth: int, unit: str) -> None:
        if len(items) <= 64 and all(isinstance(item, _SIMPLE) for item in items):
            made = parameter(name, json.dumps(list(items), ensure_ascii=False), unit)
            assert made is not None
            self.found.append(made)
            return
        for number, item in enumerate(items):
            if self._budget < 0:
                return
            self.visit(item, f"{name}.{number}" if name else str(number), depth + 1)


def parse_date(value: Any) -> datetime | None:
    """Read a time or date; None where it is none. Times without a zone are UTC."""
    plain = _plain(value)
    if isinstance(plain, datetime):
        return plain
    if isinstance(plain, str) and re.match(r"\d{4}-\d\d-\d\d", plain.strip()):
        try:
            return _plain(datetime.fromisoformat(plain.strip()))  # type: ignore[no-any-return]
        except (ValueError, OverflowError):
            return None
    return None


def known_attributes(parameters: Iterable[list[Any]]) -> dict[str, Any]:
    """Find the fixed attributes of a product among the parameters of a file."""
    lower: dict[str, Any] = {}
    for entry in parameters:
        lower.setdefault(str(entry[0]).lower(), entry[1])
    fixed: dict[str, Any] = {}
    for name, keys in _SYNONYMS.items():
        for key in keys:
            value = lower.get(key)
            if name in _DATES:
                value = parse_date(value)
            elif not isinstance(value, str) or not value.strip():
                continue
            if value is not None:
                fixed[name] = value
                break
    return fixed
