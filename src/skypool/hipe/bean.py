"""Getters and setters beside properties: `p.getCreator()` is `p.creator`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

__all__ = ["Bean"]


def _decapitalised(name: str) -> str:
    # As in Java: getURL() is the property URL, getCreator() is creator.
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


class Bean:
    """Gives every property `x` the methods `getX()`, `setX(value)` and, if it tells, `isX()`.

    What is no property cannot be set: a misspelt name would be lost without a word.
    """

    __slots__ = ("__weakref__",)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for start, make in (("get", self._getter), ("is", self._getter), ("set", self._setter)):
                rest = name[len(start) :]
                if name.startswith(start) and rest[:1].isupper() and not rest.startswith("_"):
                    for inner in (_decapitalised(rest), rest):
                        if hasattr(type(self), inner):
                            return make(inner)
        raise AttributeError(f"a {type(self).__name__} has no {name!r}{self._near(name)}")

    def _getter(self, name: str) -> Callable[[], Any]:
        def get() -> Any:
            return getattr(self, name)

        return get

    def _setter(self, name: str) -> Callable[[Any], None]:
        def put(value: Any) -> None:
            setattr(self, name, value)

        return put

    def _near(self, name: str) -> str:
        known = [known for known in dir(type(self)) if not known.startswith("_")]
        close = difflib.get_close_matches(name, known, n=3)
        return f"; did you mean {' or '.join(close)}?" if close else ""

    def __setattr__(self, name: str, value: Any) -> None:
        own = type(self).__module__.partition(".")[0] == "skypool"
        if name.startswith("_") or not own or hasattr(type(self), name):
            object.__setattr__(self, name, value)
            return
        raise AttributeError(
            f"a {type(self).__name__} has no {name!r} that could be set{self._near(name)}"
        )
