"""What is asked for: a search as the browser holds it, and as code for copying."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from skypool.query.tree import is_identifier

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.results.hits import Hits

__all__ = ["Question", "condition", "key_text", "literal"]


@dataclass(frozen=True, slots=True)
class Question:
    """A search.

    Attributes
    ----------
    text : str
        In the query language, as typed.
    filters : mapping
        Values that were chosen of keys; of one key any, of several keys all. None stands for
        those without one.
    order : tuple of (key, descending)
    all_versions, all_names : bool
        As for `Pool.find`.
    at : str
        Commit or time as of which it is asked; empty for now.
    """

    text: str = ""
    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    order: tuple[tuple[str, bool], ...] = ()
    all_versions: bool = False
    all_names: bool = False
    at: str = ""

    @property
    def query(self) -> str:
        """All of it in the query language."""
        return self._joined(self.filters)

    def _joined(self, filters: Mapping[str, tuple[Any, ...]]) -> str:
        parts = [condition(key, values) for key, values in filters.items() if values]
        text = self.text.strip()
        if text:
            # What is typed may have an `or` in it.
            parts.insert(0, f"({text})" if parts else text)
        return " and ".join(parts)

    def toggled(self, key: str, value: Any) -> Question:
        """Return it with a value of a key chosen, or not any more."""
        had = self.filters.get(key, ())
        has = tuple(v for v in had if v != value) if value in had else (*had, value)
        filters = {**self.filters, key: has}
        return replace(self, filters={k: v for k, v in filters.items() if v})

    def without(self, key: str) -> Question:
        """Return it without what was chosen of a key: what its values are counted in."""
        return replace(self, filters={k: v for k, v in self.filters.items() if k != key})

    def narrowed(self, more: str) -> Question:
        """Return it with one more condition in its text."""
        text = self.text.strip()
        loose = " or " in f" {text} ".lower()
        joined = f"({text}) and {more}" if loose else f"{text} and {more}"
        return replace(self, text=joined if text else more)

    @property
    def order_text(self) -> str:
        """The order as `find` takes it."""
        return ",".join(f"-{key}" if down else key for key, down in self.order)

    def options(self) -> dict[str, Any]:
        """Return the options of `find` that differ from the usual."""
        found: dict[str, Any] = {}
        if self.order:
            found["order_by"] = self.order_text
        if self.all_versions:
            found["all_versions"] = True
        if self.all_names:
            found["all_names"] = True
        return found

    def ask(self, pools: Sequence[Pool]) -> Hits:
        """Return what it finds.

        Raises
        ------
        QueryError
            If the query cannot be understood.
        NotFound
            If there is no such commit.
        """
        from skypool.pool.finding import find_in_pools

        asked = [pool.at(self.at) if self.at else pool for pool in pools]
        if len(asked) == 1:
            return asked[0].find(self.query, **self.options())
        return find_in_pools(self.query, pools=asked, **self.options())

    # -- as code

    def python(self, pools: Sequence[str]) -> str:
        """Return it as lines of Python; *pools* are names or paths."""
        at = f".at({self.at!r})" if self.at else ""
        words = [repr(self.query), *(f"{key}={value!r}" for key, value in self.options().items())]
        opened = [f"sp.Pool({pool!r}){at}" for pool in pools]
        if len(pools) == 1:
            return f"import skypool as sp\nhits = {opened[0]}.find({', '.join(words)})"
        words.insert(1, f"pools=[{', '.join(opened)}]")
        return f"import skypool as sp\nhits = sp.find({', '.join(words)})"

    def command(self, pools: Sequence[str]) -> str:
        """Return it as a command line."""
        words = ["skypool", "find", self.query]
        for pool in pools:
            words += ["-p", pool]
        if self.order:
            # With an equals sign, as an order may begin with a minus.
            words.append(f"--order-by={self.order_text}")
        if self.all_versions:
            words.append("--all-versions")
        if self.all_names:
            words.append("--all-names")
        if self.at:
            words += ["--at", self.at]
        return " ".join(map(_shell_word, words))


def _shell_word(word: str) -> str:
    """Return a word for a shell; texts with single quotes in double ones, which read better."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def key_text(key: str) -> str:
    """Return a key as a query has it: a bare name, else in brackets."""
    return key if is_identifier(key) else f"meta[{key!r}]"


def literal(value: Any, unit: str = "") -> str:
    """Return a value as a query has it."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, datetime):
        return repr(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    if isinstance(value, float) and not math.isfinite(value):
        return f"number({str(value)!r})"
    if isinstance(value, int | float):
        return repr(f"{value!r} {unit}") if unit else repr(value)
    return repr(str(value))


def condition(key: str, values: Sequence[Any], unit: str = "") -> str:
    """Return the condition that a key has one of some values; None is for no value."""
    if key == "tags":
        parts = [f"tagged({value!r})" for value in values]
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"
    name = key_text(key)
    known = [literal(value, unit) for value in values if value is not None]
    parts = []
    if len(known) == 1:
        parts.append(f"{name} == {known[0]}")
    elif known:
        parts.append(f"{name} in [{', '.join(known)}]")
    if None in values:
        parts.append(f"missing({name if is_identifier(key) else repr(key)})")
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"
