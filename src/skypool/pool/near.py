"""Products by how near they are to places on the sky."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from skypool.catalogue.search_sky import directions
from skypool.pool.ref import Ref
from skypool.pool.view import View
from skypool.query.sky import nearest_of
from skypool.query.tree import And, Call, Literal, Node
from skypool.query.values import Amount
from skypool.sky.vectors import separation

__all__ = ["nearest"]

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
