"""The tree of an ASDF file: where arrays and tables are in it, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skypool.formats.yaml_tree import Tagged, simplified

__all__ = ["Found", "TreeWalk", "fixed_of", "is_array"]

MAX_VISITS = 1_000_000
_SKIPPED = ("/transform/", "gwcs", "/wcs/")
_FIXED = {
    "instrument": ("meta.instrument.name", "meta.instrument"),
    "startDate": ("meta.exposure.start_time", "meta.observation.start_time"),
    "endDate": ("meta.exposure.end_time", "meta.observation.end_time"),
    "creationDate": ("meta.date", "meta.file_date"),
    "creator": ("meta.author", "meta.origin"),
    "type": ("meta.model_type", "meta.reftype"),
    "description": ("meta.description", "meta.title"),
}


@dataclass(slots=True)
class Found:
    """An array or table of the tree."""

    path: list[str]
    node: Any
    unit: str = ""


class TreeWalk:
    """Finds the arrays of a tree, and the tree without them."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self._seen: set[int] = set()
        self._left = MAX_VISITS

    def visit(self, value: Any, path: list[str]) -> Any:
        """Go through a part of the tree; returns what is left of it for the parameters."""
        self._left -= 1
        if self._left < 0 or len(path) > 100:
            return None
        tag = value.tag if isinstance(value, Tagged) else ""
        inner = value.value if isinstance(value, Tagged) else value
        if any(part in tag for part in _SKIPPED):
            return None
        if is_array(value) or "/table" in tag:
            return self._keep(value, path, "")
        quantity = simplified(value)
        if quantity is not None:
            if is_array(quantity[0]):
                return self._keep(quantity[0], path, quantity[1])
            return value
        if isinstance(inner, dict | list):
            if id(inner) in self._seen:
                return None  # shared with, or part of, what was already seen
            self._seen.add(id(inner))
        if isinstance(inner, dict):
            kept = {key: self.visit(item, [*path, key]) for key, item in inner.items()}
            return {key: item for key, item in kept.items() if item is not None}
        if isinstance(inner, list):
            return [self.visit(item, [*path, str(n)]) for n, item in enumerate(inner)]
        return value

    def _keep(self, node: Any, path: list[str], unit: str) -> None:
        if id(node) not in self._seen:
            self._seen.add(id(node))
            self.found.append(Found(path, node, unit))


def is_array(value: Any) -> bool:
    """Say whether a node is an ndarray."""
    return isinstance(value, Tagged) and "/core/ndarray" in value.tag


def fixed_of(meta: list[list[Any]]) -> dict[str, Any]:
    """Find fixed attributes in trees such as those of JWST and Roman."""
    values = {name: value for name, value, *_ in reversed(meta)}
    fixed: dict[str, Any] = {}
    for name, keys in _FIXED.items():
        for key in keys:
            value = values.get(key, values.get("roman." + key))
            if value is not None and (isinstance(value, str) == (not name.endswith("Date"))):
                fixed.setdefault(name, value)
    return fixed
