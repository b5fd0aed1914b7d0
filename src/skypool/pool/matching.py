"""Pairs of products that have a place in common."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from skypool.pool.ref import Ref

__all__ = ["match"]


def match(one: Iterable[Ref], other: Iterable[Ref]) -> list[tuple[Ref, Ref]]:
    """Return the pairs of products whose footprints have a point in common.

    Parameters
    ----------
    one, other
        Products, as searches find them; they may be of different pools. A product is not
        paired with itself.

    Returns
    -------
    list of (Ref, Ref)
        In the order of the first, then of the second.
    """
    from skypool.sky.coverage import decode
    from skypool.sky.overlap import coverages_meet

    first, second = list(one), list(other)
    coverages = _coverages([*first, *second])
    pairs: list[tuple[Ref, Ref]] = []
    with _Boxes(second, coverages) as boxes:
        for ref in first:
            parts = coverages.get(_key(ref))
            if parts is None:
                continue
            for candidate in boxes.touching(parts):
                if candidate == ref:
                    continue
                found = coverages_meet(decode(parts), decode(coverages[_key(candidate)]))
                if found is None:
                    found = _overlap(ref, candidate)
                if found:
                    pairs.append((ref, candidate))
    return pairs


def _key(ref: Ref) -> tuple[bytes, bytes]:
    return ref.view.session.folder.key, ref.row.document


def _overlap(one: Ref, other: Ref) -> bool:
    from skypool.sky.images import overlaps

    return overlaps(one.product.datasets, other.product.datasets)


def _coverages(refs: list[Ref]) -> dict[tuple[bytes, bytes], bytes]:
    """Return what the catalogues know of the sky."""
    from skypool.catalogue.search_near import coverages

    pools = {ref.view.session.folder.key: ref.view.session.catalogue.database for ref in refs}
    found: dict[tuple[bytes, bytes], bytes] = {}
    for pool, database in pools.items():
        documents = list({r.row.document for r in refs if r.view.session.folder.key == pool})
        found.update(
            ((pool, document), parts) for document, parts in coverages(database, documents).items()
        )
    return found


class _Boxes:
    """An R*Tree of the boxes of some products, in memory."""

    def __init__(self, refs: list[Ref], coverages: dict[tuple[bytes, bytes], bytes]) -> None:
        from skypool.sky.coverage import decode

        self._refs = refs
        self._tree = sqlite3.connect(":memory:")
        self._tree.execute("CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1, z0, z1, +n)")
        for number, ref in enumerate(refs):
            parts = coverages.get(_key(ref))
            if parts is not None:
                self._tree.executemany(
                    "INSERT INTO boxes(x0, x1, y0, y1, z0, z1, n) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [(*part.box(), number) for part in decode(parts)],
                )

    def __enter__(self) -> _Boxes:
        return self

    def __exit__(self, *_: object) -> None:
        self._tree.close()

    def touching(self, parts: bytes) -> list[Ref]:
        """Return the products with a box that touches one of a coverage's."""
        from skypool.sky.coverage import decode

        numbers: set[int] = set()
        for part in decode(parts):
            numbers.update(
                number
                for (number,) in self._tree.execute(
                    "SELECT n FROM boxes WHERE x0 <= ?2 AND x1 >= ?1 AND y0 <= ?4 AND y1 >= ?3"
                    " AND z0 <= ?6 AND z1 >= ?5",
                    part.box(),
                )
            )
        return [self._refs[number] for number in sorted(numbers)]
