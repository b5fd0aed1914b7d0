"""Completion of queries: which words may stand where the caret is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from skypool.catalogue.lookups import key_facts, names_from
from skypool.errors import QueryError, SkypoolError
from skypool.model.attributes.names import CORE
from skypool.query.completion import JOINING, OPERATORS, Place, place
from skypool.query.functions import FUNCTIONS
from skypool.query.grammar import parse
from skypool.query.render import quote
from skypool.query.tree import ATTRIBUTES, STRUCTURE
from skypool.server.cursors import Results
from skypool.server.search import Asking, key_text

if TYPE_CHECKING:
    from skypool.catalogue.lookups import KeyFacts
    from skypool.pool.pool import Pool
    from skypool.pool.session import Session
    from skypool.server.context import Context
    from skypool.server.endpoint import Asked

__all__ = ["all_keys", "complete", "list_keys"]

_ITEMS: Final = 30
_SEVERAL: Final = 200


def complete(asked: Asked) -> dict[str, Any]:
    """Return what may stand at the caret."""
    text = asked["text"]
    caret = len(text) if asked["caret"] is None else min(asked["caret"], len(text))
    pools = [p for p in asked.context.pools.chosen(asked["pools"]).values() if p.exists]
    here = place(text, caret)
    found = _first(_items(asked.context, pools, here))
    items = [{**each, "count": each.get("count")} for each in found]
    answer: dict[str, Any] = {"start": here.start, "end": here.end, "items": items}
    if text.strip():
        try:
            parse(text, {})
        except QueryError as error:
            answer["error"] = {
                "message": error.message,
                "column": error.column or None,
                "hint": error.hint or None,
            }
    return answer


def _first(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    seen: dict[str, Mapping[str, Any]] = {}
    for each in found:
        seen.setdefault(each["text"], each)
        if len(seen) >= _ITEMS:
            break
    return list(seen.values())


def _items(context: Context, pools: list[Pool], here: Place) -> Iterator[dict[str, Any]]:
    typed = here.typed
    if here.sort == "tag":
        yield from _tags(pools, typed)
    elif here.sort == "key text":
        for key in _keys(pools, typed):
            yield {"text": quote(key), "kind": "key", "detail": ""}
    elif here.sort == "name":
        yield from _names(pools, typed)
    elif here.sort == "value":
        yield from _values(context, pools, here.key, typed)
    elif here.sort in ("word", "operator"):
        yield from _joining(here)
    # A value may be another key, or what a function gives.
    if here.sort == "key" or (here.key and not here.quoted):
        for name in _keys(pools, typed):
            yield {"text": key_text(name), "kind": "key", "detail": _detail(name)}
        for name, function in FUNCTIONS.items():
            if name.startswith(typed.casefold()):
                yield {"text": f"{name}(", "kind": "function", "detail": function.signature}


def _joining(here: Place) -> Iterator[dict[str, Any]]:
    for word in (*OPERATORS, *JOINING) if here.sort == "operator" else JOINING:
        if word.startswith(here.typed.casefold()):
            yield {"text": word, "kind": "function", "detail": "operator"}


def _detail(name: str) -> str:
    for each in CORE:
        if each.name == name:
            return each.description + (f", {each.unit}" if each.unit else "")
    return "of the pool" if name in ATTRIBUTES else ""


def all_keys(pools: Iterable[Pool]) -> list[str]:
    """Return the names of the pool, the core attributes and all keys, each once."""
    found = dict.fromkeys([*sorted(ATTRIBUTES), *(each.name for each in CORE), *sorted(STRUCTURE)])
    for pool in pools:
        if pool.exists:
            found |= dict.fromkeys(list(pool.view.session.catalogue.keys()))
    return list(found)


def _keys(pools: list[Pool], typed: str) -> list[str]:
    """Return the keys that begin so, then those that have it within."""
    low = typed.casefold()
    names = all_keys(pools)
    begin = [name for name in names if name.casefold().startswith(low)]
    within = [name for name in names if low and low in name.casefold() and name not in begin]
    return [*begin, *within]


def _tags(pools: list[Pool], typed: str) -> Iterator[dict[str, Any]]:
    low = typed.casefold()
    counts: dict[str, int] = {}
    for pool in pools:
        for tag, count in pool.tags.items():
            counts[tag] = counts.get(tag, 0) + count
    order = sorted(counts, key=lambda tag: (not tag.casefold().startswith(low), -counts[tag], tag))
    for tag in order:
        if low in tag.casefold():
            yield {"text": quote(tag), "kind": "tag", "detail": "tag", "count": counts[tag]}


def _names(pools: list[Pool], typed: str) -> Iterator[dict[str, Any]]:
    for pool in pools:
        view = pool.view
        for name in names_from(view.session.catalogue.database, typed, view.at, _ITEMS):
            yield {"text": quote(name), "kind": "name", "detail": "product"}


def _values(context: Context, pools: list[Pool], key: str, typed: str) -> Iterator[dict[str, Any]]:
    """Yield the values of a key: the most frequent first."""
    from skypool.server.counts import facet_of

    labels = [label for label, pool in context.pools.all().items() if pool in pools]
    if not labels or key in STRUCTURE:
        return
    try:
        cursor = context.part(Results).ask(Asking.of({"pools": sorted(labels)}))
        values = facet_of(cursor, key, _SEVERAL)["values"]
    except SkypoolError:  # a completion that cannot be had is no reason to disturb
        return
    low = typed.casefold()
    matching = [each for each in values if low in str(each[0]).casefold()]
    matching.sort(key=lambda each: not str(each[0]).casefold().startswith(low))
    for value, count in matching:
        plain = isinstance(value, bool | int | float)
        text = str(value) if plain else quote(_as_text(value))
        yield {"text": text, "kind": "value", "detail": key, "count": count}


def _as_text(value: Any) -> str:
    from skypool.server.answers import jsonable

    return str(jsonable(value))


class KeysOfPools:
    """What the keys of pools are like, worked out once for each commit.

    Parameters
    ----------
    context
        What is made once for the server.
    """

    def __init__(self, context: Context) -> None:
        self._found: WeakKeyDictionary[Session, tuple[tuple[int, int], list[KeyFacts]]] = (
            WeakKeyDictionary()
        )

    def of(self, pool: Pool) -> list[KeyFacts]:
        """Return the facts as of the last commit."""
        session = pool.view.session
        # After a rebuild of the catalogue the commits are the same, the numbers of slots are not.
        state = (session.catalogue.head(), int(session.catalogue.state("epoch")))
        kept = self._found.get(session)
        if kept is None or kept[0] != state:
            kept = self._found[session] = (state, key_facts(session.catalogue.database))
        return kept[1]


def list_keys(asked: Asked) -> dict[str, Any]:
    """Return the keys of pools: what they are, and how many products have them."""
    pools = [p for p in asked.context.pools.chosen(asked["pools"]).values() if p.exists]
    low = asked["search"].casefold()
    core = {each.name: each for each in CORE}
    facts: dict[str, list[Any]] = {}
    for pool in pools:
        for name, sort, its_unit, number in asked.context.part(KeysOfPools).of(pool):
            known = facts.setdefault(name, [sort, its_unit, 0])
            known[0] = sort if known[0] == sort else "text"
            known[1] = its_unit if known[1] == its_unit else None
            known[2] += number
    found = []
    for name in all_keys(pools):
        if low and low not in name.casefold():
            continue
        kind, unit, count = facts.get(name, ("text", None, 0))
        each = core.get(name)
        if each is not None:
            kind, unit = ("number" if each.type == "integer" else each.type), each.unit or None
        found.append(
            {
                "key": name,
                "core": name in core or name in ATTRIBUTES,
                "type": kind,
                "unit": unit or None,
                "products": count,
            }
        )
    return {"keys": found}
