"""What the catalogue leaves open, and content that is there more than once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.interface import NUMBERS
from skypool.pool.results.snapshot import Snapshot
from skypool.pool.subject import ProductSubject

if TYPE_CHECKING:
    from skypool.catalogue.search import Found
    from skypool.pool.results.hits import Hits
    from skypool.query.tree import Node

__all__ = ["decided", "once", "taken"]

# For fewer numbers it does not pay to load numpy.
_FEW: Final = 1000


def taken(numbers: array[int], places: Sequence[int] | None) -> array[int]:
    """Return the numbers at some places; None for all."""
    if places is None:
        return numbers
    if len(places) < _FEW:
        return array(NUMBERS, [numbers[place] for place in places])
    import numpy as np

    found = array(NUMBERS)
    chosen = np.frombuffer(numbers, np.int32)[np.asarray(places, np.int32)]
    found.frombytes(chosen.view(np.uint8).data)
    return found


def decided(
    snapshot: Snapshot, tree: Node, found: Found, text: str, enough: int | None, *, merged: bool
) -> list[int] | None:
    """Return the places of those that are found; None where all are.

    Parameters
    ----------
    snapshot
        The pool.
    tree, text
        The query.
    found
        What the catalogue found.
    enough
        How many are wanted; None for all.
    merged
        Whether of identical content one is enough.
    """
    contents = found.contents if merged else None
    if not found.undecided:
        return None if contents is None else _first(contents)[:enough]
    holds = _evaluator(snapshot, tree, found, text)
    seen: set[int] = set()
    places: list[int] = []
    for place, number in enumerate(found.numbers):
        if enough is not None and len(places) >= enough:
            break
        if contents is not None and contents[place] in seen:
            continue
        if number in found.undecided and not holds(number):
            continue
        if contents is not None:
            seen.add(contents[place])
        places.append(place)
    return places


def _first(contents: Sequence[int]) -> list[int]:
    """Return where each content stands first."""
    if len(contents) < _FEW:
        seen: dict[int, int] = {}
        for place, content in enumerate(contents):
            seen.setdefault(content, place)
        return list(seen.values())
    import numpy as np

    numbers = np.array(contents, np.int64)
    numbers -= numbers.min()
    first = np.full(int(numbers.max()) + 1, -1, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)  # the last that is written stays
    places: list[int] = np.sort(first[first >= 0]).tolist()
    return places


def _evaluator(snapshot: Snapshot, tree: Node, found: Found, text: str) -> Callable[[int], bool]:
    """Return what decides about those that the catalogue leaves open."""
    from skypool.query.evaluate import matches

    waiting = [number for number in found.numbers if number in found.undecided]
    pinned = Snapshot(snapshot.pinned, snapshot.at, found.rows)
    refs: dict[int, Any] = {}
    position = 0

    def holds(number: int) -> bool:
        nonlocal position
        while number not in refs:
            refs.clear()
            block = waiting[position : position + 256]
            position += len(block)
            refs.update(zip(block, pinned.refs(block), strict=True))
        return matches(tree, ProductSubject(pinned.view, refs[number]), text)

    return holds


def once(hits: Hits, found: Found) -> Hits:
    """Leave of identical content the first."""
    if found.contents is None:
        return hits
    contents = dict(zip(found.numbers, found.contents, strict=True))
    return hits.taken(_first([contents[number] for number in hits.numbers]))
