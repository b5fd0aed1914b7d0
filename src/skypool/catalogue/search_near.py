"""Many places at once: which documents are near each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import methodcaller
from typing import Final

from skypool.catalogue.coverages import BOXES
from skypool.catalogue.database import Database
from skypool.sky.coverage import any_part, decode
from skypool.sky.polygons import box_of_circle
from skypool.sky.vectors import Vector, separation

__all__ = ["coverages", "covering", "within"]

_BATCH: Final = 500
_TOUCHES: Final = "x0 <= ?2 AND x1 >= ?1 AND y0 <= ?4 AND y1 >= ?3 AND z0 <= ?6 AND z1 >= ?5"


def covering(
    database: Database, directions: Iterable[tuple[int, Vector]]
) -> Iterator[tuple[int, bytes, bool]]:
    """Yield number of a direction, digest of a document that may have a value there, and if so.

    Parameters
    ----------
    database
        The catalogue's.
    directions
        With the numbers that stand in the answer.
    """
    sql = (
        "SELECT DISTINCT d.digest, c.parts FROM boxes b CROSS JOIN coverages c"
        f" ON c.document = b.id / {BOXES} CROSS JOIN documents d ON d.id = c.document"
        f" WHERE {_TOUCHES}"
    )
    with database.reading() as connection:
        for number, direction in directions:
            x, y, z = direction
            for digest, parts in connection.execute(sql, (x, x, y, y, z, z)):
                found = any_part(decode(parts), methodcaller("covers", direction))
                if found is not False:
                    yield number, digest, found is True


def within(
    database: Database, directions: Iterable[tuple[int, Vector]], radius: float
) -> Iterator[tuple[int, bytes, bool]]:
    """Yield number of a direction and digest of a document within a radius (radians), True."""
    sql = (
        "SELECT d.digest, b.x, b.y, b.z FROM points b CROSS JOIN documents d ON d.id = b.id"
        f" WHERE {_TOUCHES}"
    )
    with database.reading() as connection:
        for number, direction in directions:
            for digest, *at in connection.execute(sql, box_of_circle(direction, radius)):
                if separation((at[0], at[1], at[2]), direction) <= radius:
                    yield number, digest, True


def coverages(database: Database, documents: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the coverages of documents, of those that have one."""
    found: dict[bytes, bytes] = {}
    with database.reading() as connection:
        for start in range(0, len(documents), _BATCH):
            part = documents[start : start + _BATCH]
            found.update(
                connection.execute(
                    "SELECT d.digest, c.parts FROM documents d JOIN coverages c"
                    f" ON c.document = d.id WHERE d.digest IN ({','.join('?' * len(part))})",
                    part,
                )
            )
    return found
