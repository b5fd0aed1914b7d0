"""What can go on from a query that is being typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from skypool.errors import QueryError
from skypool.query.completion import JOINING, OPERATORS, Place, place
from skypool.query.functions import FUNCTIONS
from skypool.query.tree import ATTRIBUTES, STRUCTURE
from skypool.tui.question import literal

__all__ = ["Completion", "Item", "Known", "complete", "problem"]

_MOST: Final = 50


class Item(NamedTuple):
    """One way to go on.

    Attributes
    ----------
    text : str
        What is put in the place.
    kind : str
        `key`, `value`, `function`, `tag`, `word`.
    detail : str
        More about it, such as how many products have the value.
    """

    text: str
    kind: str
    detail: str = ""


class Completion(NamedTuple):
    """The ways to go on, and the place in the text that they replace."""

    start: int
    end: int
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Known:
    """What there is in the pools.

    Attributes
    ----------
    keys : mapping
        Keys of metadata and attributes, each with a word about it.
    tags : mapping
        How many versions carry each.
    values : callable
        Gives the values of a key, the most frequent first, with their numbers.
    """

    keys: Mapping[str, str]
    tags: Mapping[str, int]
    values: Callable[[str], Sequence[tuple[Any, int]]]


def problem(text: str) -> QueryError | None:
    """Return what is wrong with a query, if it cannot be understood."""
    from skypool.query.grammar import parse

    if not text.strip():
        return None
    try:
        parse(text)
    except QueryError as error:
        return error
    return None


def complete(text: str, caret: int, known: Known) -> Completion:
    """Return the ways to go on at a place of a query.

    Parameters
    ----------
    text
        The query so far.
    caret
        Where the next character would go, from 0.
    known
        What there is.
    """
    here = place(text, caret)
    items = _best(_items(here, known), text[here.start : caret])
    return Completion(here.start, here.end, items)


def _items(here: Place, known: Known) -> Iterable[Item]:
    if here.sort == "tag":
        return [Item(repr(tag), "tag", f"{n:,}") for tag, n in known.tags.items()]
    if here.sort == "key text":
        return [Item(repr(key), "key", detail) for key, detail in known.keys.items()]
    if here.sort in ("value", "name") and here.key:
        values = [(v, n) for v, n in known.values(here.key) if v is not None]
        found = [Item(literal(v), "value", f"{n:,}") for v, n in values]
        return found if found or here.quoted else _names(known)
    if here.sort in ("word", "operator"):
        words = [*OPERATORS, *JOINING] if here.sort == "operator" else list(JOINING)
        return [Item(word, "word") for word in words]
    return _names(known) if here.sort == "key" else []


def _names(known: Known) -> Iterable[Item]:
    for key, detail in known.keys.items():
        yield Item(key, "key", detail)
    for name in sorted(ATTRIBUTES | STRUCTURE):
        if name not in known.keys:
            yield Item(name, "key", "of every product")
    for function in FUNCTIONS.values():
        yield Item(f"{function.name}(", "function", function.signature)
    yield Item("not", "word")


def _best(items: Iterable[Item], prefix: str) -> list[Item]:
    """Return those that fit what is typed: from their beginning first, then from inside."""
    wanted = prefix.lstrip("'\"").casefold()
    first, then = [], []
    for item in items:
        text = item.text.lstrip("'\"").casefold()
        if item.text == prefix:
            continue
        if text.startswith(wanted):
            first.append(item)
        elif wanted and wanted in text:
            then.append(item)
    return [*first, *then][:_MOST]
