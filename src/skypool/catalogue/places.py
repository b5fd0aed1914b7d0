"""Where documents are on the sky, as arrays: for maps of any number of products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.coverages import BOXES
from skypool.catalogue.integers import damaged, integers, numbers
from skypool.catalogue.search_sky import answer
from skypool.sky.coverage import CellsPart, decode
from skypool.sky.polygons import Box
from skypool.sky.vectors import Vector, position, vector

if TYPE_CHECKING:
    import sqlite3

    from skypool.catalogue.columns import Columns
    from skypool.catalogue.database import Database

__all__ = ["AT_ONCE", "Places", "boxed", "covering", "places_of", "rings"]

Ring = list[tuple[float, float]]

_MOST_POINTS: Final = 200
_BATCH: Final = 500
_KEPT: Final = "places"
# What number no document has.
_BEYOND: Final = 2**28
# Documents whose places are worked on together: arrays of all of them are what takes memory.
AT_ONCE: Final = 100_000
# Coordinates of boxes are single precision.
_ROUNDED: Final = 1e-6


class Places:
    """Unit vectors of documents.

    Attributes
    ----------
    xyz : array of float64, shape (n, 3)
        By the number of the document; NaN for those that are nowhere.
    """

    def __init__(self) -> None:
        self.xyz: NDArray[np.float64] = np.zeros((0, 3))
        self._seen = (0, 0)

    def read(self, connection: sqlite3.Connection) -> Places:
        """Read what is new, inside a transaction."""
        count, last = connection.execute(
            "SELECT count(*), coalesce(max(rowid), 0) FROM points_rowid"
        ).fetchone()
        if (count, last) == self._seen:
            return self
        if last >= _BEYOND:
            raise damaged("a number in it is beyond all bounds")
        found = np.full((last + 1, 3), np.nan)
        found[: len(self.xyz)] = self.xyz[: last + 1]
        if _fill(connection, found, self._seen[1]) + self._seen[0] != count:
            found[:] = np.nan  # places of older documents have come or gone
            _fill(connection, found, 0)
        self.xyz, self._seen = found, (count, last)
        return self

    def of(self, documents: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the unit vectors of documents, NaN where there is none."""
        found = np.full((len(documents), 3), np.nan)
        known = documents < len(self.xyz)
        found[known] = self.xyz[documents[known]]
        return found


def _fill(connection: sqlite3.Connection, found: NDArray[np.float64], after: int) -> int:
    """Read the vectors of documents with larger numbers; return how many there are."""
    # The table behind the tree, in which the exact vectors stand, is read in order.
    sql = "SELECT rowid, a0, a1, a2 FROM points_rowid WHERE rowid > ? AND rowid <= ?"
    count = 0
    for start in range(after, len(found) - 1, AT_ONCE):
        rows = numbers(connection, sql, 4, (start, start + AT_ONCE))
        found[rows[:, 0].astype(np.int64)] = rows[:, 1:]
        count += len(rows)
    return count


def places_of(columns: Columns, connection: sqlite3.Connection) -> Places:
    """Return the places of a catalogue, inside `Columns.reading`."""
    found: Places = columns.extras.setdefault(_KEPT, Places())
    return found.read(connection)


def rings(database: Database, documents: Sequence[int]) -> dict[int, list[Ring]]:
    """Return the outlines of documents: right ascensions and declinations, degrees.

    A ring of a single point stands for a cell of a map.
    """
    found: dict[int, list[Ring]] = {}
    with database.reading() as connection:
        for start in range(0, len(documents), _BATCH):
            part = documents[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            rows = connection.execute(
                f"SELECT document, parts FROM coverages WHERE document IN ({marks})", tuple(part)
            )
            for document, parts in rows:
                found[document] = _rings(parts)
    return found


def _rings(parts: bytes) -> list[Ring]:
    made: list[Ring] = []
    for part in decode(parts):
        if isinstance(part, CellsPart):
            made += [[position(each)] for each in part.points()[:_MOST_POINTS]]
        elif part.outline is not None:
            made.append([position(each) for each in part.outline.vertices])
    return made


def covering(database: Database, ra: float, dec: float) -> set[int]:
    """Return the documents with a footprint that may hold a place."""
    direction: Vector = vector(ra, dec)
    x, y, z = direction
    found = set()
    with database.reading() as connection:
        rows = connection.execute(
            f"SELECT c.document, c.parts FROM boxes b CROSS JOIN coverages c"
            f" ON c.document = b.id / {BOXES} WHERE b.x0 <= ?1 AND b.x1 >= ?1 AND b.y0 <= ?2"
            " AND b.y1 >= ?2 AND b.z0 <= ?3 AND b.z1 >= ?3",
            (x, y, z),
        )
        for document, parts in rows:
            if document not in found and answer(parts, lambda part: part.footprint(direction)):
                found.add(document)
    return found


def boxed(
    connection: sqlite3.Connection, box: Box, centre: Vector, radius: float
) -> NDArray[np.int64]:
    """Return the documents with a box that may touch a circle, inside a transaction.

    Parameters
    ----------
    connection
    box
        Round the circle.
    centre, radius
        Of the circle; radians.
    """
    away = " + ".join(
        f"max(b.{axis}0 - ?{n}, ?{n} - b.{axis}1, 0) * max(b.{axis}0 - ?{n}, ?{n} - b.{axis}1, 0)"
        for axis, n in (("x", 7), ("y", 8), ("z", 9))
    )
    chord = 2.0 * math.sin(min(radius, math.pi) / 2.0) + _ROUNDED
    rows = integers(
        connection,
        f"SELECT DISTINCT id / {BOXES} FROM boxes b WHERE b.x0 <= ?2 AND b.x1 >= ?1"
        f" AND b.y0 <= ?4 AND b.y1 >= ?3 AND b.z0 <= ?6 AND b.z1 >= ?5 AND {away} <= ?10",
        1,
        (*box, *centre, chord * chord),
    )
    return rows[:, 0]
