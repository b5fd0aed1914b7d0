"""What may stand at a place of a query that is being typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

__all__ = ["JOINING", "OPERATORS", "Place", "place"]

Sort = Literal["key", "key text", "value", "tag", "name", "word", "operator", ""]
JOINING: Final = ("and", "or")
OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "in [", "like", "contains", "startswith")
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
# Functions whose first argument is a text of a known sort, and `meta[...]`.
_TEXTS: Final[dict[str, Sort]] = {
    "tagged": "tag", "has": "key text", "missing": "key text", "refers_to": "name",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a query.

    Attributes
    ----------
    start, end : int
        The part of the text that a completion replaces.
    typed : str
        What is there so far, up to the caret, without its quote.
    quoted : bool
        Whether it is the beginning of a text.
    sort : str
        What may stand there: a `key` (or a function), a `key text` in quotes, a `value` of a
        key, a `tag`, a `name` of a product, a `word` that joins conditions, an `operator` or
        such a word; nothing that is known if empty.
    key : str
        Whose values are wanted.
    """

    start: int
    end: int
    typed: str
    quoted: bool
    sort: Sort
    key: str = ""


class _Piece(NamedTuple):
    kind: str
    text: str
    start: int


def place(text: str, caret: int) -> Place:
    """Return what may stand at a place of a query.

    Parameters
    ----------
    text
        The query so far.
    caret
        Where the next character would go, from 0.
    """
    pieces = [
        _Piece(found.lastgroup or "", found.group(), found.start())
        for found in _TAIL.finditer(text[:caret])
    ]
    typed = pieces.pop() if pieces and _is_typed(pieces[-1], caret) else None
    quoted = typed is not None and typed.kind == "open"
    start = caret if typed is None else typed.start
    sort, key = _wanted(pieces, quoted)
    prefix = "" if typed is None else typed.text[1:] if quoted else typed.text
    return Place(start, _end(text, caret, typed), prefix, quoted, sort, key)


def _is_typed(piece: _Piece, caret: int) -> bool:
    ends = piece.start + len(piece.text) == caret
    return piece.kind == "open" or (piece.kind in ("name", "number") and ends)


def _end(text: str, caret: int, typed: _Piece | None) -> int:
    """Return where the same word or text ends, behind the caret."""
    if typed is None or typed.kind == "number":
        return caret
    if typed.kind == "name":
        return caret + len(re.match(r"\w*", text[caret:]).group())  # type: ignore[union-attr]
    closed = text.find(typed.text[0], caret)
    return closed + 1 if closed >= 0 and "\n" not in text[caret:closed] else caret


def _wanted(before: Sequence[_Piece], quoted: bool) -> tuple[Sort, str]:
    last = before[-1] if before else None
    opener = before[-2].text if last is not None and len(before) > 1 else ""
    if last is not None and last.text == "(" and opener in _TEXTS:
        sort = _TEXTS[opener]
        return (sort, "") if quoted or sort != "name" else ("", "")
    if last is not None and last.text == "[" and opener == "meta":
        return "key text", ""
    key = _compared(before)
    if key is not None:
        known: dict[str, Sort] = {"name": "name", "tags": "tag"}
        return known.get(key, "value"), key
    if quoted:
        return "", ""
    if last is not None and (last.kind in ("name", "text", "number") or last.text in (")", "]")):
        if last.text.lower() in (*JOINING, "not", "in"):
            return "key", ""
        return ("operator" if last.kind == "name" else "word"), ""
    return "key", ""


def _compared(before: Sequence[_Piece]) -> str | None:
    """Return the key whose value comes next."""
    at = len(before) - 1
    while at >= 0 and _in_list(before, at):
        at -= 1
    if at < 1 or before[at].text not in _COMPARING:
        return None
    if before[at].text == "in" and before[at - 1].text == "not":
        at -= 1
        if at < 1:
            return None
    left = before[at - 1]
    if left.kind == "name":
        return left.text
    if left.text == "]" and at >= 4 and before[at - 2].kind == "text":
        return before[at - 2].text[1:-1]
    return None


def _in_list(before: Sequence[_Piece], at: int) -> bool:
    """Tell whether a piece belongs to a list of values that is not closed yet."""
    if before[at].text in (",", "["):
        return True
    value = before[at].kind in ("text", "number")
    return value and at > 0 and before[at - 1].text in (",", "[")
