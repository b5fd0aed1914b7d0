"""YAML as plain values, for the headers of ECSV and ASDF files.

The tree is made from the events of the parser instead of by its loaders: these
recurse in C, so that a hundred thousand brackets kill the process, and they would
make objects of whatever packages happen to be installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

from skypool.formats.parsing import NotUnderstood

__all__ = ["Tagged", "load_yaml", "mapping", "simplified"]

MAX_DEPTH = 500
MAX_NODES = 5_000_000
_CORE = "tag:yaml.org,2002:"
_OMAP = _CORE + "omap"
_PLAIN = {_CORE + name for name in ("int", "float", "bool", "null", "timestamp")}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Tagged:
    """A value with a tag that is not one of YAML's own; ordered mappings, too."""

    tag: str
    value: Any


class _Builder:
    """Makes the tree of one document from its events."""

    def __init__(self) -> None:
        self._anchors: dict[str, Any] = {}
        self._stack: list[dict[str, Any] | list[Any]] = []
        self._keys: list[str | None] = []
        self._resolver = yaml.resolver.Resolver()
        self._constructor = yaml.constructor.SafeConstructor()
        self._nodes = 0
        self.root: Any = None

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise NotUnderstood(f"YAML with the unknown anchor {event.anchor[:100]!r}")
            self._add(self._anchors[event.anchor], None)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
            self._keys.pop()

    def _open(self, event: Any) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise NotUnderstood(f"YAML nested more than {MAX_DEPTH} deep")
        value: dict[str, Any] | list[Any]
        value = {} if isinstance(event, yaml.MappingStartEvent) else []
        own = event.tag and (event.tag == _OMAP or not event.tag.startswith(_CORE))
        self._add(Tagged(event.tag, value) if own and event.tag != "!" else value, event.anchor)
        self._stack.append(value)
        self._keys.append(None)

    def _add(self, value: Any, anchor: str | None) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise NotUnderstood(f"YAML with more than {MAX_NODES} values")
        if anchor is not None:
            self._anchors[anchor] = value
        if not self._stack:
            self.root = value
            return
        top, key = self._stack[-1], self._keys[-1]
        if isinstance(top, list):
            top.append(value)
        elif key is None:
            self._keys[-1] = _key(value)
        else:
            top[key] = value
            self._keys[-1] = None

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag in _PLAIN:
            try:
                return self._constructor.construct_object(yaml.ScalarNode(tag, event.value))
            except (ValueError, OverflowError, LookupError, AttributeError, yaml.YAMLError):
                return event.value  # what claims to be a number or date and is none
        return event.value if tag.startswith(_CORE) else Tagged(tag, event.value)


def _key(value: Any) -> str:
    """Return a key as text; keys that are no scalars all read ``?``."""
    if isinstance(value, Tagged):
        value = value.value
    return "?" if isinstance(value, dict | list) else str(value)


def load_yaml(text: bytes | str) -> Any:
    """Read the first document of a YAML text.

    Returns
    -------
    object
        Dictionaries with text keys, lists, text, numbers, truth values, None, times,
        and `Tagged` values. Parts that the text shares are shared.

    Raises
    ------
    NotUnderstood
        If it is not YAML, or too deep, or too large.
    """
    builder = _Builder()
    try:
        loader = _Loader(text)
        try:
            while loader.check_event():
                event = loader.get_event()
                if isinstance(event, yaml.DocumentEndEvent):
                    break
                builder.take(event)
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise NotUnderstood(f"YAML that is not well-formed: {lines[0][:200]}") from None
    return builder.root


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping for a mapping, an ordered mapping, or a list of small mappings."""
    if isinstance(value, Tagged):
        value = value.value
    if isinstance(value, list):
        merged: dict[str, Any] = {}
        for item in value:
            if isinstance(item, dict):
                merged |= item
        return merged
    return value if isinstance(value, dict) else {}


def simplified(value: Any) -> tuple[Any, str] | None:
    """Return value and unit of a tagged value that stands for a quantity or a unit.

    ECSV (``astropy.units.Quantity``, ``Unit``) and ASDF (``unit/quantity``, ``unit/unit``)
    write them; other tagged scalars give their text. None for everything else.
    """
    if not isinstance(value, Tagged):
        return None
    inner, name = value.value, value.tag.rpartition("/")[2].lower()
    if isinstance(inner, str | int | float | bool):
        return inner, ""
    if isinstance(inner, dict):
        if "value" in inner and "unit" in inner:
            unit = inner["unit"]
            named = unit if isinstance(unit, str) else (simplified(unit) or ("", ""))[0]
            return inner["value"], str(named)
        if "unit" in inner and "unit" in name:
            return str(inner["unit"]), ""
    return None
