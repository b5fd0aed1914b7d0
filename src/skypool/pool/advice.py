"""What may be wrong with a query that finds nothing, although it means something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from skypool.query.tree import ATTRIBUTES, STRUCTURE, Call, Compare, Literal, Name, Node, walk

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["advice"]

_TIMES: Final = frozenset({"start", "end", "saved"})


def advice(text: str, values: dict[str, Any] | None, pools: Sequence[Pool]) -> Iterator[str]:
    """Yield what a user may have meant otherwise, one line each.

    Parameters
    ----------
    text
        A query that finds nothing.
    values
        What `$names` in it stand for.
    pools
        Those that were asked.
    """
    from skypool.query.grammar import parse

    if not text.strip():
        return
    tree = parse(text, values or {})
    yield from _unknown(tree, pools)
    for compare in (node for node in walk(tree) if isinstance(node, Compare)):
        for name, operator, literal in _pairs(compare):
            if name in _TIMES and _is_no_time(literal):
                yield f"{name!r} is a time: compare it with a date in quotes, such as '2010-03-01'"
            elif operator == "==" and isinstance(literal, str):
                yield from _spelt_otherwise(name, literal, pools)


def _unknown(tree: Node, pools: Sequence[Pool]) -> Iterator[str]:
    """Yield the names that are no keys: mostly texts without quotes."""
    from skypool.model.attributes.names import CORE_NAMES

    keys = [key for pool in pools for key in tuple(pool.view.session.catalogue.keys())]
    known = {key.casefold() for key in keys} | {*ATTRIBUTES, *STRUCTURE, *CORE_NAMES}
    for name in dict.fromkeys(_names(tree)):
        if name.casefold() not in known:
            yield f"no product has the key {name!r}; a text would stand in quotes: '{name}'"


def _names(tree: Node) -> Iterator[str]:
    """Yield bare names that stand for keys; in functions of data they are datasets."""
    from skypool.query.functions import FUNCTIONS

    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Name):
            yield node.name
        data = isinstance(node, Call) and FUNCTIONS[node.function].need == "data"
        if not (data or (isinstance(node, Call) and node.function in ("has", "missing"))):
            waiting.extend(reversed(node.children()))


def _pairs(compare: Compare) -> Iterator[tuple[str, str, Any]]:
    """Yield bare names that are compared with what is written out."""
    left = compare.first
    for operator, right in compare.rest:
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Name) and isinstance(other, Literal):
                yield one.name, operator, other.value
        left = right


def _is_no_time(value: Any) -> bool:
    from skypool.query.values import parse_time

    if isinstance(value, str):
        return parse_time(value) is None
    return isinstance(value, int | float)


def _spelt_otherwise(name: str, text: str, pools: Sequence[Pool]) -> Iterator[str]:
    pattern = "".join("\\" + c if c in "%*_?\\" else c for c in text)
    for pool in pools:
        found = pool.find(f"{name} like $pattern", pattern=pattern, limit=1, columns=[name])
        if len(found):
            value = found.to_table(name)[name][0]
            if value != text:
                yield f"there is {name} == '{value}', and == tells capitals apart; `like` does not"
                return
