"""Ordered mappings whose names are found without knowing their case."""

from __future__ import annotations

import difflib
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Any, TypeVar

from skypool.errors import MissingName
from skypool.model.immutable import Immutable

__all__ = ["NameMap", "find_name", "missing_name"]

T = TypeVar("T")


def find_name(names: Mapping[str, Any], wanted: object) -> str | None:
    """Return the name that is meant: the exact one, else the only one in other case.

    Parameters
    ----------
    names
        Mapping whose keys are the names.
    wanted
        What the user wrote.

    Returns
    -------
    str or None
        None where there is no such name or where several differ only in case.
    """
    if not isinstance(wanted, str):
        return None
    if wanted in names:
        return wanted
    folded = wanted.casefold()
    found = [name for name in names if name.casefold() == folded]
    return found[0] if len(found) == 1 else None


def missing_name(what: str, names: Iterable[str], wanted: object) -> MissingName:
    """Return the error for a name that is not there, with near names."""
    text = str(wanted)
    by_folded: dict[str, list[str]] = {}
    for name in names:
        by_folded.setdefault(name.casefold(), []).append(name)
    same = by_folded.get(text.casefold(), [])
    if len(same) > 1:
        return MissingName(f"{what} {text!r} could be any of", candidates=same)
    near = difflib.get_close_matches(text.casefold(), list(by_folded), n=5, cutoff=0.6)
    candidates = [name for folded in near for name in by_folded[folded]]
    if not candidates and len(by_folded) <= 12:
        candidates = [name for group in by_folded.values() for name in group]
    ending = "; there are" if candidates else ""
    return MissingName(f"no {what} {text!r}{ending}", candidates=candidates)


class NameMap(Immutable, Mapping[str, T]):
    """Immutable ordered mapping of names to values.

    A lookup takes the exact name, else the only name that differs in case alone.
    """

    __slots__ = ("_values",)

    _what = "name"
    _values: dict[str, T]

    def __init__(self, values: Mapping[str, T] | Iterable[tuple[str, T]] = ()) -> None:
        self._set(_values=dict(values))

    def __getitem__(self, name: str) -> T:
        try:
            return self._values[name]
        except (KeyError, TypeError):
            found = find_name(self._values, name)
        if found is None:
            raise missing_name(self._what, self._values, name)
        return self._values[found]

    # Those of `Mapping` ask for the value: a name that is not there would be told with near ones.
    def __contains__(self, name: object) -> bool:
        return find_name(self._values, name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a name, or *default* where it is not there.

        Parameters
        ----------
        name
            Its name; small and capital letters count as in `[]`.
        default
            What is returned where it is not there.
        """
        found = find_name(self._values, name)
        return default if found is None else self[found]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    # Those of `Mapping` look every name up.
    def items(self) -> ItemsView[str, T]:
        """Return names and values, in order."""
        return self._values.items()

    def values(self) -> ValuesView[T]:
        """Return the values, in order."""
        return self._values.values()

    def _ipython_key_completions_(self) -> list[str]:
        from skypool.model.display import completions

        return completions(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._values)})"
