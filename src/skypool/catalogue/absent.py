"""Content that was dropped: which versions lack it, and where it can be had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skypool.catalogue.checks import DROPPED, sure
from skypool.catalogue.database import Database
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.outside import is_below, named_path, text_of_path
from skypool.codec.documents import loads

__all__ = ["Absent"]

# Versions that need the content of a document: neither given up nor dropped.
_NEEDED = (
    "SELECT 1 FROM versions w WHERE w.document = v.document AND w.purged = 0 AND w.since <= :at"
    " AND NOT EXISTS (SELECT 1 FROM dropped y WHERE y.urn = w.urn AND y.since <= :at"
    " AND y.until > :at AND (:pool = '' OR y.pool = :pool))"
)


class Absent:
    """The part of the catalogue that knows what was dropped."""

    _database: Database

    def dropped(self, urn: int, pool: str = "") -> list[dict[str, Any]] | None:
        """Return the places that had the content of a version when it was dropped.

        Parameters
        ----------
        urn
            The version.
        pool
            Only what the pool of that `id` dropped; else any, which may be in this one all the
            same.

        Returns
        -------
        list or None
            None where it was not dropped, or is there again.
        """
        rows = self._database.query(
            f"SELECT {sure(DROPPED, 'places')} FROM dropped x WHERE urn = ? AND until = ?"
            " AND (? = '' OR pool = ?)",
            (urn, FOREVER, pool, pool),
        )
        if not rows:
            return None
        return [place for (text,) in rows for place in loads(text.encode())]

    def dropped_below(self, path: str) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
        """Return the places at or below a path that had dropped content.

        Returns
        -------
        iterator of (number, document, place)
            Each with the version, and the digest of its document; places stand together whose
            paths are the same.
        """
        rows = self._database.query(
            f"SELECT x.urn, d.digest, {sure(DROPPED, 'x.places')} FROM dropped x"
            " JOIN versions v ON v.urn = x.urn JOIN documents d ON d.id = v.document"
            " WHERE x.until = ? AND v.purged = 0 AND instr(x.places, ?) ORDER BY x.urn",
            (FOREVER, text_of_path(path)),
        )
        found = [
            (urn, document, place)
            for urn, document, text in rows
            for place in loads(text.encode())
            if is_below(named_path(place), path)
        ]
        return iter(sorted(found, key=lambda each: named_path(each[2])))

    def dropped_documents(self, at: int, pool: str = "") -> frozenset[bytes]:
        """Return the documents whose content nobody needs, since all their versions are dropped.

        Parameters
        ----------
        at
            As of this commit.
        pool
            Only what the pool of that `id` dropped; else any.
        """
        rows = self._database.query(
            f"SELECT DISTINCT d.digest, {sure(DROPPED, 'x.urn')} FROM dropped x"
            " JOIN versions v ON v.urn = x.urn"
            " JOIN documents d ON d.id = v.document WHERE x.since <= :at AND x.until > :at"
            f" AND (:pool = '' OR x.pool = :pool) AND NOT EXISTS ({_NEEDED})",
            {"at": at, "pool": pool},
        )
        return frozenset(digest for digest, _ in rows)
