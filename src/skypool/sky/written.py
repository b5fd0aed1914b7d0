"""Coverage as commit records have it (docs/format/commits.md): what only content can tell.

The rows of tables, and which pixels have values, cannot be looked at where the content is
elsewhere. What is written of them makes a coverage whole again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from skypool.sky.coverage import AllSky, CellsPart, Part, State, TangentPart, decode, encode
from skypool.sky.frames import ROTATIONS
from skypool.sky.healpix import DEEPEST
from skypool.sky.masks import Grid, MaskedPart

__all__ = ["completed", "written", "written_cells"]

# Maps of HEALPix pixels all over the sky, and images that no polygon describes.
_ANYWHERE: Final = AllSky(State.MIXED)


def written(parts: bytes) -> dict[str, Any]:
    """Return what is written of a coverage: `sky` for rows, `masks` for pixels."""
    cells = list(written_cells(parts))
    masks = [
        [place, part.grid.step, part.grid.columns, "".join(map(str, part.grid.states))]
        for place, part in enumerate(decode(parts))
        if isinstance(part, MaskedPart)
    ]
    return {key: found for key, found in (("sky", cells), ("masks", masks)) if found}


def completed(parts: bytes, known: Mapping[str, Any]) -> bytes:
    """Return a coverage with what was written of it.

    Parameters
    ----------
    parts
        The coverage, as far as it can be worked out without content.
    known
        As `written` returns it.
    """
    found: list[Part] = list(decode(parts))
    if known.get("sky"):
        found = [part for part in found if not isinstance(part, CellsPart) and part != _ANYWHERE]
        found += map(_read_cells, known["sky"])
    for place, step, columns, states in known.get("masks", ()):
        part = found[place] if place < len(found) else None
        if type(part) is TangentPart and part.state is State.MIXED:
            grid = Grid(step, columns, bytes(map(int, states)))
            found[place] = MaskedPart(part.tangent, part.width, part.height, part.state, grid)
    return encode(found)


def written_cells(parts: bytes) -> Iterator[list[Any]]:
    """Yield the regions of a coverage that only rows give: frame, order, cells, whether exact."""
    for part in decode(parts):
        if part == _ANYWHERE:
            yield ["icrs", 0, "0-11", False]
        elif isinstance(part, CellsPart):
            order = DEEPEST
            while order and not any(n & 3 for n in _at((*part.starts, *part.stops), order)):
                order -= 1
            pairs = zip(_at(part.starts, order), _at(part.stops, order), strict=True)
            cells = " ".join(str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in pairs)
            yield [tuple(ROTATIONS)[part.frame], order, cells, part.exact]


def _at(limits: Sequence[int], order: int) -> list[int]:
    return [limit >> 2 * (DEEPEST - order) for limit in limits]


def _read_cells(region: Sequence[Any]) -> Part:
    """Return a region as `written_cells` wrote it."""
    frame, order, cells, exact = region
    shift = 2 * (DEEPEST - order)
    pairs = [text.partition("-") for text in cells.split()]
    starts = tuple(int(first) << shift for first, _, _ in pairs)
    stops = tuple(int(last or first) + 1 << shift for first, _, last in pairs)
    if (starts, stops, exact) == ((0,), (12 << 2 * DEEPEST,), False):
        return _ANYWHERE
    return CellsPart(tuple(ROTATIONS).index(frame), starts, stops, exact=exact)
