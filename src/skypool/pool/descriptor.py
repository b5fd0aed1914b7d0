"""The XML file that the Herschel archive puts beside an observation.

It lists the products with their URNs, classes and files, and holds the metadata of all of
them, those of the observation itself included, which stand in no FITS file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

from skypool.model.kinds import kind_of_class
from skypool.model.times import time_of_fine_time

__all__ = ["Descriptor", "Item", "NotADescriptorError", "is_named_like_one", "read_descriptor"]

_NAME = re.compile(r"[\dC]+-[\w.]+-\d+\.xml\Z")
_LARGEST = 256 * 1024**2


class NotADescriptorError(Exception):
    """An XML file that is something else, or damaged."""


@dataclass(slots=True)
class Item:
    """A product of the list.

    Attributes
    ----------
    urn, kind : str
        As the archive knows it.
    path : str
        Where its file is in the download; empty where it has none.
    meta : list
        Parameters, as in a document.
    """

    urn: str = ""
    kind: str = "Product"
    path: str = ""
    meta: list[list[Any]] = field(default_factory=list)


@dataclass(slots=True)
class Descriptor:
    """What the file says.

    Attributes
    ----------
    instrument : str
    parallel : bool
        Whether it is half of a parallel-mode observation.
    observation : Item
        The observation itself.
    items : list of Item
        All others.
    """

    instrument: str = ""
    parallel: bool = False
    observation: Item = field(default_factory=Item)
    items: list[Item] = field(default_factory=list)

    @property
    def obsid(self) -> int | None:
        """Number of the observation."""
        for entry in self.observation.meta:
            if entry[0] == "obsid" and isinstance(entry[1], int):
                return entry[1]
        return None


def is_named_like_one(name: str) -> bool:
    """Return whether a file has the name of a descriptor: `<obsid>-<class>-<n>.xml`."""
    return _NAME.match(name) is not None


def read_descriptor(path: str) -> Descriptor:
    """Read a descriptor.

    Raises
    ------
    NotADescriptorError
        If it is none, or is damaged.
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise NotADescriptorError("it is larger than 256 MiB")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise NotADescriptorError(f"it is damaged: {error}") from None
    return reader.result()


def _refuse(*_: object) -> None:
    raise NotADescriptorError("it declares a document type, which may make it harmful")


class _Reader:
    """Takes the elements in; attributes or elements of the same names are one to it."""

    def __init__(self) -> None:
        self.found = Descriptor()
        self.text: list[str] = []
        self._root = ""
        self._request: Mapping[str, str] = {}
        self._item: dict[str, str] | None = None
        self._meta: list[list[Any]] = []
        self._all: list[Item] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        self.text.clear()
        if not self._root:
            self._root = name
            if name != "request":
                raise NotADescriptorError(f"its root is {name!r}, not 'request'")
            self._request = dict(attributes)
        elif name == "item":
            self._finish_item()
            self._item, self._meta = dict(attributes), []
        elif name in ("param", "meta") and self._item is not None:
            self._take(attributes)

    def end(self, name: str) -> None:
        """End an element."""
        if name == "item":
            self._finish_item()
        elif self._item is not None and name not in ("param", "meta", "metadata", "meta_object"):
            self._item.setdefault(name, "".join(self.text).strip())
        self.text.clear()

    def _take(self, given: Mapping[str, str]) -> None:
        # Those of the archive's own, such as HCSS_TRACK_ID, are no metadata of the product.
        if given.get("id", "HCSS_").startswith("HCSS_"):
            return
        value = _value(given.get("value", ""), given.get("type", ""))
        entry: list[Any] = [given["id"], value]
        unit, description = given.get("unit", ""), given.get("description", "")
        if unit or description:
            entry.append(unit if unit.casefold() not in ("null", "none") else "")
        if description:
            entry.append(description)
        # `metadata` repeats some of `meta_object`, with less said of each.
        others = [old for old in self._meta if old[0] != entry[0]]
        if len(others) == len(self._meta) or len(entry) > 2:
            self._meta = [*others, entry]

    def _finish_item(self) -> None:
        if self._item is None:
            return
        given, self._item = self._item, None
        urn = given.get("urn", "")
        of_urn = urn.split(":")[2] if urn.count(":") >= 3 else ""
        path = ""
        if given.get("distribution_filename"):
            path = posixpath.join(
                given.get("distribution_path", "").strip("/"), given["distribution_filename"]
            )
        elif given.get("stored", "true").casefold() != "false":
            path = given.get("file_sub_path", "").strip("/")
        kind = kind_of_class(given.get("class") or of_urn)
        self._all.append(Item(urn, kind, path, self._meta))

    def result(self) -> Descriptor:
        """Return what was found.

        Raises
        ------
        NotADescriptorError
            If there is no observation in it.
        """
        found, urn = self.found, self._request.get("urn", "")
        for item in self._all:
            if item.kind == "ObservationContext" and (not urn or item.urn in ("", urn)):
                found.observation = item
                break
        else:
            raise NotADescriptorError("it lists no observation")
        found.items = [item for item in self._all if item is not found.observation]
        found.instrument = self._request.get("instrument", "")
        found.parallel = self._request.get("parallel_mode", "").casefold() in ("true", "1", "yes")
        return found


def _value(text: str, kind: str) -> Any:
    """Return a value by the name of its type, as text where it is not what the type says."""
    kind = kind.rpartition(".")[2].casefold().removesuffix("parameter")
    reader = _READERS.get(kind)
    if reader is None:
        return text
    try:
        return reader(text.strip())
    except (ValueError, OverflowError, KeyError):
        return text


def _time(text: str) -> datetime:
    """Read a time: UTC as text, or microseconds of TAI since 1958."""
    if text.lstrip("-").isdigit():
        return time_of_fine_time(int(text))
    found = datetime.fromisoformat(text.split(" (")[0].removesuffix(" UTC").removesuffix("Z"))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


_READERS: dict[str, Callable[[str], Any]] = {
    "long": lambda text: int(text, 0),
    "int": lambda text: int(text, 0),
    "integer": lambda text: int(text, 0),
    "short": lambda text: int(text, 0),
    "double": float,
    "float": float,
    "boolean": lambda text: {"true": True, "false": False}[text.casefold()],
    "bool": lambda text: {"true": True, "false": False}[text.casefold()],
    "date": _time,
    "finetime": _time,
    "time": _time,
}
