"""What can go on from a query that is being typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from skypool.errors import QueryError
from skypool.query.functions import FUNCTIONS
from skypool.query.tree import ATTRIBUTES, STRUCTURE
from skypool.tui.question import literal

__all__ = ["Completion", "Item", "Known", "complete", "problem"]

_MOST: Final = 50
_TAIL: Final = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<open>'(?:[^'\\]|\\.)*$|"(?:[^"\\]|\\.)*$)
      | (?P<name>[^\W\d]\w*)
      | (?P<number>[0-9.][0-9.eE]*)
      | (?P<sign>==|!=|<=|>=|<|>|[(),\[\]]|\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMPARING: Final = frozenset(
    {"==", "!=", "<", "<=", ">", ">=", "in", "like", "contains", "startswith"}
)
_JOINING: Final = ("and", "or")
# Functions whose first argument is a text of a known sort.
_TAGS: Final = frozenset({"tagged"})
_OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "in [", "like", "contains", "startswith")


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


class _Piece(NamedTuple):
    kind: str
    text: str
    start: int


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
    pieces = [
        _Piece(found.lastgroup or "", found.group(), found.start())
        for found in _TAIL.finditer(text[:caret])
    ]
    typed = pieces.pop() if pieces and _is_typed(pieces[-1], caret) else None
    start = caret if typed is None else typed.start
    prefix = "" if typed is None else typed.text
    end = caret
    if typed is not None and typed.kind == "name":
        end += len(re.match(r"\w*", text[caret:]).group())  # type: ignore[union-attr]
    return Completion(start, end, _best(_items(pieces, typed, prefix, known), prefix))


def _is_typed(piece: _Piece, caret: int) -> bool:
    ends = piece.start + len(piece.text) == caret
    return piece.kind == "open" or (piece.kind in ("name", "number") and ends)


def _items(
    before: Sequence[_Piece], typed: _Piece | None, prefix: str, known: Known
) -> Iterable[Item]:
    last = before[-1] if before else None
    function = before[-2].text if last and last.text == "(" and len(before) > 1 else ""
    if function in _TAGS:
        return [Item(repr(t), "tag", f"{n:,}") for t, n in known.tags.items()]
    key = _compared(before)
    if key is not None:
        found = [Item(literal(v), "value", f"{n:,}") for v, n in known.values(key) if v is not None]
        return found if found or (typed and typed.kind == "open") else _names(known)
    if typed is not None and typed.kind == "open":
        return []
    if last is not None and (last.kind in ("name", "text", "number") or last.text in (")", "]")):
        if last.text.lower() in (*_JOINING, "not", "in"):
            return _names(known)
        words = [*_OPERATORS, *_JOINING] if last.kind == "name" else list(_JOINING)
        return [Item(word, "word") for word in words]
    return _names(known)


def _compared(before: Sequence[_Piece]) -> str | None:
    """Return the key whose value comes next."""
    place = len(before) - 1
    while place >= 0 and _in_list(before, place):
        place -= 1
    if place < 1 or before[place].text not in _COMPARING:
        return None
    if before[place].text == "in" and before[place - 1].text == "not":
        place -= 1
    left = before[place - 1]
    if left.kind == "name":
        return left.text
    if left.text == "]" and place >= 4 and before[place - 2].kind == "text":
        return before[place - 2].text[1:-1]
    return None


def _in_list(before: Sequence[_Piece], place: int) -> bool:
    """Tell whether a piece belongs to a list of values that is not closed yet."""
    if before[place].text in (",", "["):
        return True
    value = before[place].kind in ("text", "number")
    return value and place > 0 and before[place - 1].text in (",", "[")


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
