"""What is selected: versions by the pools that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import NotFound, UsageError
from skypool.server.cursors import Results
from skypool.server.schema import BOOLEAN, TEXT, component, listing, told

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref
    from skypool.server.context import Context

__all__ = ["SELECTION", "Selected", "count_of", "refs_of", "selected"]

_REFS: Final = listing(TEXT, maxItems=1_000_000)
SELECTION: Final = component(
    "Selection",
    {
        "type": "object",
        "properties": {
            "refs": told(_REFS, "versions, one by one"),
            "cursor": told(TEXT, "of a search, for all that it found"),
            "all": told(BOOLEAN, "all that the search of the cursor found; refs are left alone"),
            "except": told(_REFS, "what is left out of all"),
        },
        "additionalProperties": False,
    },
    "What is acted on: versions one by one, or all of a search but some.",
    {"refs": ["temp1/3", "temp1/4"]},
    {"cursor": "5f0c6d", "all": True, "except": ["temp1/3"]},
)
_BATCH: Final = 2000


@dataclass(frozen=True)
class Selected:
    """Versions of one pool.

    Attributes
    ----------
    label : str
    pool : Pool
    numbers : sequence of int
    """

    label: str
    pool: Pool
    numbers: Sequence[int]

    def refs(self) -> Iterator[Ref]:
        """Return them, in their order.

        Raises
        ------
        NotFound
            If one is not there.
        """
        view = self.pool.view
        at = view.at
        for start in range(0, len(self.numbers), _BATCH):
            part = self.numbers[start : start + _BATCH]
            rows = view.identity.numbered_all(part, at)
            for number in part:
                if number not in rows:
                    raise NotFound(f"there is no version {number} in the pool {self.label!r}")
                yield view.ref(rows[number])

    def tags(self) -> dict[int, list[str]]:
        """Return their tags, by their numbers."""
        view = self.pool.view
        return view.identity.tags_of(self.numbers, view.at)


def selected(context: Context, body: Mapping[str, Any], *, change: bool) -> list[Selected]:
    """Return what a request has selected; pools that are to be changed are checked.

    Raises
    ------
    UsageError
        If nothing is selected.
    ReadOnly
        If a pool may not be changed.
    """
    found = context.part(Results).selected(body)
    pools = context.pools
    parts = [
        Selected(label, pools.changeable(label) if change else pools[label], numbers)
        for label, numbers in found.items()
        if numbers
    ]
    if not parts:
        raise UsageError("nothing is selected")
    for part in parts:
        next(part.refs())
    return parts


def refs_of(parts: Sequence[Selected]) -> Iterator[Ref]:
    """Return the versions of all pools."""
    for part in parts:
        yield from part.refs()


def count_of(parts: Sequence[Selected]) -> int:
    """Return how many versions are selected."""
    return sum(len(part.numbers) for part in parts)
