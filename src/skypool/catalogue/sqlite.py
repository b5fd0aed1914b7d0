"""The catalogue in an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from skypool.catalogue.absent import Absent
from skypool.catalogue.ahead import WorkedOut, ahead, is_large, worked_out
from skypool.catalogue.applying import apply, set_state, state
from skypool.catalogue.batches import in_batches
from skypool.catalogue.checks import DOCUMENT, sure
from skypool.catalogue.chunks import ChunkIndex
from skypool.catalogue.database import Database, explained
from skypool.catalogue.draft import Draft, Published
from skypool.catalogue.extremes import PREFIX, dataset_of
from skypool.catalogue.identity import Identity
from skypool.catalogue.indexing import RUN_DOCUMENTS, index_documents
from skypool.catalogue.interface import (
    FOREVER,
    ChunkPlace,
    HeadMoved,
    IndexedDocument,
)
from skypool.catalogue.keeping import PLAIN, Keeping
from skypool.catalogue.seen import SeenFiles
from skypool.catalogue.text import from_database

__all__ = ["SqliteCatalogue"]

# Rows of chunks in one short transaction.
_STAGED_CHUNKS = 20_000
_AT_ONCE = 500


class SqliteCatalogue(Identity, Absent):
    """A `Catalogue` in an SQLite file.

    Parameters
    ----------
    path
        The file; made where it does not exist and *writable* is true.
    writable
        Whether it may be written to.
    confirm
        Says whether the record at a place really holds a digest.
    scratch
        Nobody else has the file, and nothing is lost with it: it need not be durable.
    how
        How the file is kept.
    """

    def __init__(
        self,
        path: str,
        *,
        writable: bool,
        confirm: Callable[[ChunkPlace, bytes], bool] | None = None,
        scratch: bool = False,
        how: Keeping = PLAIN,
    ) -> None:
        super().__init__(Database(path, writable=writable, scratch=scratch, how=how))
        try:
            self._database.prepare()
        except BaseException:
            self._database.close()
            raise
        self.chunks = ChunkIndex(self._database, confirm)
        self.seen = SeenFiles(self._database)
        self.places = self.chunks.places
        self.known = self.chunks.known

    @property
    def database(self) -> Database:
        """The database below, for search."""
        return self._database

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def state(self, key: str, default: Any = 0) -> Any:
        """Return a value that belongs to the catalogue as a whole."""
        with explained(self._database.path):
            return state(self._database.connection(), key, default)

    def states(self, *keys: str) -> tuple[Any, ...]:
        """Return several of these values as they are at one time; None where there is none."""
        marks = ", ".join("?" * len(keys))
        rows = dict(
            self._database.query(f"SELECT key, value FROM state WHERE key IN ({marks})", keys)
        )
        return tuple(rows.get(key) for key in keys)

    def set_state(self, values: Mapping[str, Any]) -> None:
        """Set values that belong to the catalogue as a whole."""
        with self._database.transaction() as connection:
            _set_state(connection, values)

    def stage(
        self,
        places: Sequence[tuple[bytes, ChunkPlace]],
        documents: Sequence[IndexedDocument],
    ) -> None:
        """Index chunks and documents ahead of a commit, in short transactions."""
        for start in range(0, len(places), _STAGED_CHUNKS):
            with self._database.transaction() as connection:
                self.chunks.insert(connection, places[start : start + _STAGED_CHUNKS])
        for start in range(0, len(documents), RUN_DOCUMENTS):
            with self._database.transaction() as connection:
                index_documents(connection, documents[start : start + RUN_DOCUMENTS])

    def unstage(self, places: Sequence[tuple[bytes, ChunkPlace]]) -> None:
        """Forget places of chunks."""
        with self._database.transaction() as connection:
            self.chunks.delete(connection, places)

    def publish(
        self,
        draft: Draft,
        places: Sequence[tuple[bytes, ChunkPlace]],
        documents: Sequence[IndexedDocument],
        reused: Collection[bytes],
        noted: Mapping[str, Any] | None = None,
    ) -> Published:
        """Commit a draft in one transaction; see `Catalogue.publish`.

        Parameters
        ----------
        draft
            What is committed.
        places, documents
            What was not staged before.
        reused
            Chunks that must still be there.
        noted
            Values of the state to keep with the commit; records up to `log_number` are durable in
            the log and are forgotten.
        """
        early = None
        if is_large(draft) and not documents:
            early = ahead(self._database, self.chunks, draft, reused)
        with self._database.transaction() as connection:
            found, untouched = self._still(connection, early)
            if not untouched:
                self.chunks.keep(connection, reused)
            self.chunks.insert(connection, places)
            index_documents(connection, documents)
            if found is None:
                found = worked_out(connection, draft)
            elif not untouched:
                found.resolver.check_taken()
            record = found.record
            if record is not None:
                apply(connection, record, found.rows if untouched else None)
                connection.execute(
                    "INSERT INTO unlogged(number, record) VALUES (?, ?)",
                    (record["commit"], found.data),
                )
            if noted:
                _set_state(connection, noted)
        number = None if record is None else record["commit"]
        return Published(number, tuple(found.resolver.urns), tuple(map(bool, found.resolver.new)))

    @staticmethod
    def _still(
        connection: sqlite3.Connection, early: WorkedOut | None
    ) -> tuple[WorkedOut | None, bool]:
        """Return what was worked out early if it holds, and whether nobody changed anything."""
        if early is None:
            return None, False
        if state(connection, "head") != early.head:
            early.take_back()
            return None, False
        ((seen,),) = connection.execute("PRAGMA data_version")
        return early, early.kept and seen == early.seen

    def adopt(
        self,
        head: int,
        commits: Sequence[tuple[Mapping[str, Any], bytes]],
        places: Sequence[tuple[bytes, ChunkPlace]],
        documents: Sequence[IndexedDocument],
        reused: Iterable[bytes],
        noted: Mapping[str, Any] | None = None,
    ) -> None:
        """Take commits whose records are made already; see `Catalogue.adopt`.

        Parameters
        ----------
        head
            The last commit that they count on.
        commits
            Each record, and the bytes that the log shall have: its payload, or the whole
            record as it is in the log of another pool.
        places, documents, reused, noted
            As in `publish`.
        """
        with self._database.transaction() as connection:
            found = state(connection, "head")
            if found != head:
                raise HeadMoved(f"commit {found} was made meanwhile")
            self.chunks.keep(connection, reused)
            self.chunks.insert(connection, places)
            index_documents(connection, documents)
            for record, data in commits:
                apply(connection, record)
                connection.execute(
                    "INSERT INTO unlogged(number, record) VALUES (?, ?)", (record["commit"], data)
                )
            if noted:
                _set_state(connection, noted)

    def replay(self, record: Mapping[str, Any]) -> None:
        """Take in a record of the log."""
        with self._database.transaction() as connection:
            apply(connection, record)

    def replay_all(
        self, commits: Iterable[tuple[Mapping[str, Any], Sequence[IndexedDocument]]]
    ) -> None:
        """Take in records of the log, with the documents of their versions, all or nothing."""
        with self._database.transaction() as connection:
            for record, documents in commits:
                index_documents(connection, documents)
                apply(connection, record)

    def indexed(self, digests: Sequence[bytes]) -> set[bytes]:
        """Return those documents of which more is known than the log says."""
        return {
            digest
            for part in in_batches(digests, _AT_ONCE)
            for (digest,) in self._database.query(
                "SELECT digest FROM documents WHERE NOT bare"
                f" AND digest IN ({', '.join('?' * len(part))})",
                part,
            )
        }

    def unlogged(self, above: int = 0) -> list[tuple[int, bytes]]:
        """Return the records that are not known to be in the log."""
        return [
            (number, record)
            for number, record in self._database.query(
                "SELECT number, record FROM unlogged WHERE number > ? ORDER BY number", (above,)
            )
        ]

    def mark_bad(self, ranges: Iterable[tuple[bytes, int, int]]) -> None:
        """Note that bytes of packs are damaged; see `ChunkIndex.mark_bad`."""
        with self._database.transaction() as connection:
            if self.chunks.mark_bad(connection, ranges):
                _set_state(connection, {"has_bad": 1})

    def documents_with(self, file_hash: bytes) -> list[bytes]:
        """Return the digests of the documents of a file's content."""
        rows = self._database.query(
            "SELECT digest FROM documents d WHERE file_hash = ? AND EXISTS"
            " (SELECT 1 FROM versions v WHERE v.document = d.id AND v.purged = 0)",
            (file_hash,),
        )
        return [digest for (digest,) in rows]

    def keeps(self, document: bytes) -> bool:
        """Return whether a document is that of a version that was not given up."""
        return bool(
            self._database.query(
                "SELECT 1 FROM documents d JOIN versions v ON v.document = d.id"
                " WHERE d.digest = ? AND v.purged = 0 AND NOT EXISTS"
                " (SELECT 1 FROM dropped x WHERE x.urn = v.urn AND x.until = ?) LIMIT 1",
                (document, FOREVER),
            )
        )

    def document_size(self, digest: bytes) -> tuple[str, str, int] | None:
        """Return kind, type and size of an indexed document."""
        rows = self._database.query(
            f"SELECT {sure(DOCUMENT, 'kind')}, type, size FROM documents d WHERE digest = ?",
            (digest,),
        )
        return rows[0] if rows else None

    def live_documents(self) -> Iterator[bytes]:
        """Return the digests of the documents of all versions."""
        rows = self._database.query(
            "SELECT DISTINCT d.digest FROM documents d JOIN versions v ON v.document = d.id"
        )
        return (digest for (digest,) in rows)

    def keys(self) -> list[str]:
        """Return the names of all metadata keys."""
        rows = self._database.query("SELECT name FROM keys ORDER BY name")
        names = [from_database(name) for (name,) in rows]
        return [name for name in names if not name.startswith(PREFIX)]

    def datasets(self) -> dict[str, set[str]]:
        """Return the names of all datasets, with those of their columns."""
        found: dict[str, set[str]] = {}
        for (name,) in self._database.query(
            "SELECT name FROM keys WHERE name >= ? AND name < ? ORDER BY name",
            (PREFIX, chr(ord(PREFIX) + 1)),
        ):
            dataset, column = dataset_of(from_database(name))
            found.setdefault(dataset, set()).add(column)
        return found


def _set_state(connection: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    set_state(connection, values)
    if "log_number" in values:
        connection.execute("DELETE FROM unlogged WHERE number <= ?", (values["log_number"],))
