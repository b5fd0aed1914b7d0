"""Products by how near they are to places on the sky."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from skypool.catalogue.search_near import covering, within
from skypool.catalogue.search_sky import directions
from skypool.pool.places import angle_of, directions_of
from skypool.pool.ref import Ref
from skypool.pool.view import View
from skypool.query.sky import nearest_of
from skypool.query.tree import And, Call, Literal, Node
from skypool.query.values import Amount
from skypool.sky.vectors import separation

__all__ = ["Rows", "nearest"]

_FIRST = 0.1  # degrees
_STEP = 8.0


def nearest(view: View, call: Call, rest: Node, find: Callable[[Node], Iterable[Ref]]) -> list[Ref]:
    """Return the products nearest to a place, those at the same distance in the order of names.

    Parameters
    ----------
    view
        The pool as of a commit.
    call
        Of ``nearest(ra, dec, count)``.
    rest
        The rest of the query.
    find
        Answers a query.
    """
    region, count = nearest_of(call)
    number = isinstance(first := call.arguments[0], Literal) and isinstance(
        first.value, int | float | Amount
    )
    places = call.arguments[: 2 if number else 1]
    radius = _FIRST
    while True:
        # All within the radius are looked at: the nearest ones are among them, if enough are.
        circle = Call("within", (*places, Literal(radius)))
        found = list(find(And((circle, rest))))
        if len(found) >= count or radius >= 180.0:
            break
        radius = min(180.0, radius * _STEP)
    documents = list({ref.row.document for ref in found})
    at = directions(view.session.catalogue.database, documents)

    def order(ref: Ref) -> tuple[float, str, int]:
        here = at[ref.row.document]
        return min(separation(here, d) for d in region.directions), ref.name, ref.version

    return sorted(found, key=order)[:count]


class Rows:
    """Places on the sky, and which documents are at each.

    Parameters
    ----------
    view
        The pool as of a commit.
    near
        What `directions_of` takes.
    radius
        Positions count within this angle; None where values count.
    """

    def __init__(self, view: View, near: Any, radius: Any) -> None:
        database = view.session.catalogue.database
        places = directions_of(near)
        self._directions = dict(places)
        self._found: defaultdict[bytes, dict[int, bool]] = defaultdict(dict)
        rows = (
            covering(database, places)
            if radius is None
            else within(database, places, angle_of(radius))
        )
        for number, document, decided in rows:
            self._found[document][number] = decided

    @property
    def documents(self) -> list[bytes]:
        """Digests of the documents that may be at one of the places."""
        return list(self._found)

    def of(self, refs: Iterable[Ref]) -> Iterator[tuple[Ref, tuple[int, ...]]]:
        """Yield the products that are at one of the places, and at which."""
        known: dict[bytes, tuple[int, ...]] = {}
        for ref in refs:
            document = ref.row.document
            if document not in known:
                known[document] = tuple(self._at(ref))
            if known[document]:
                yield ref, known[document]

    def _at(self, ref: Ref) -> Iterator[int]:
        from skypool.sky.images import sky_images

        rows = self._found[ref.row.document]
        images = [] if all(rows.values()) else sky_images(ref.product.datasets)
        for number, decided in sorted(rows.items()):
            direction = self._directions[number]
            if decided or any(image.covers(direction) for image in images):
                yield number
