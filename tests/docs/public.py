"""What is public: names of the package, classes that their methods return, members."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import skypool

from .pages import DOCS

#: What public methods return that is of the layers below: seen, and promised to nobody.
BELOW = {
    "ArraySource", "ByteSource", "ProductBrowser", "State", "TableSource", "VersionRow", "View",
}  # fmt: skip


@cache
def classes() -> dict[str, type]:
    """Return the classes that the reference documents, by their place."""
    found: dict[str, type] = {}
    for page in sorted((DOCS / "reference/python").glob("*.md")):
        module = "skypool"
        for line in page.read_text("utf-8").splitlines():
            if match := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = match[1]
            if match := re.match(r"\.\. autoclass:: (\S+)", line):
                place = match[1] if "." in match[1] else f"{module}.{match[1]}"
                home, _, name = place.rpartition(".")
                found[place] = getattr(importlib.import_module(home), name)
    return found


def functions() -> dict[str, Any]:
    """Return the functions that the reference documents, by their place."""
    found: dict[str, Any] = {}
    for page in sorted((DOCS / "reference/python").glob("*.md")):
        module = "skypool"
        for line in page.read_text("utf-8").splitlines():
            if match := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = match[1]
            if match := re.match(r"\.\. autofunction:: (\S+)", line):
                place = match[1] if "." in match[1] else f"{module}.{match[1]}"
                home, _, name = place.rpartition(".")
                found[place] = getattr(importlib.import_module(home), name)
    return found


def members(found: type) -> list[str]:
    """Return the public members of a class that are skypool's own."""
    names = []
    for name in dir(found):
        homes = [base for base in found.__mro__ if name in vars(base)]
        if not name.startswith("_") and homes and homes[0].__module__.startswith("skypool"):
            names.append(name)
    return names


def callables() -> Iterator[tuple[str, Any]]:
    """Yield the public functions and methods, with their places."""
    yield from functions().items()
    for place, found in classes().items():
        for name in members(found):
            value = inspect.getattr_static(found, name)
            value = getattr(value, "__func__", value)
            if inspect.isfunction(value):
                yield f"{place}.{name}", value


def returned() -> set[str]:
    """Return the names of classes of skypool that public functions and properties return."""
    names: set[str] = set()
    known = {found.__name__ for found in classes().values()}
    for place, found in classes().items():
        for name in members(found):
            value = inspect.getattr_static(found, name)
            value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            hint = str(getattr(value, "__annotations__", {}).get("return", ""))
            for word in re.findall(r"\b[A-Z]\w+", hint):
                home = importlib.import_module(getattr(value, "__module__", "skypool"))
                if _is_ours(word, home, place) and word not in known:
                    names.add(word)
    return names


def _is_ours(word: str, home: Any, place: str) -> bool:
    """Return whether a word of an annotation is a class of skypool."""
    source = inspect.getsource(home)
    if re.search(rf"^class {word}\b", source, re.M):
        return True
    match = re.search(
        rf"from (skypool[\w.]*) import (?:\([^)]*\b{word}\b|[^\n(]*\b{word}\b)", source
    )
    if match is None:
        return False
    return isinstance(getattr(importlib.import_module(match[1]), word, None), type)


assert skypool.__all__
