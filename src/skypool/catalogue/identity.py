"""Questions about names, versions, tags, references and commits, as of a commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from skypool.catalogue.applying import changes_of, state
from skypool.catalogue.checks import COMMIT, NAME, REF, TAG, VERSION, sure
from skypool.catalogue.database import explained
from skypool.catalogue.draft import SourceRow
from skypool.catalogue.interface import CommitRow, RefRow, VersionRow
from skypool.catalogue.names import BATCH, Names
from skypool.catalogue.text import from_database, to_database
from skypool.errors import Damaged

__all__ = ["Identity", "version_of"]

_VERSION = (
    f"SELECT {sure(VERSION, 'v.urn')}, v.track, v.version, d.digest, d.kind, d.type, d.size,"
    f" v.total, v.since, (SELECT {sure(NAME, 'n.name')} FROM names n WHERE n.track = v.track"
    " AND n.since <= :at AND n.until > :at ORDER BY n.since DESC LIMIT 1), :at, v.purged"
    " FROM versions v JOIN documents d ON d.id = v.document"
)

# Rows that are read at once where there may be millions.
_PAGE = 1000


class Identity(Names):
    """The half of the catalogue that knows what is called how.

    Every question takes *at*, the commit as of which it is answered.
    """

    def head(self) -> int:
        """Return the number of the last commit, 0 before the first."""
        with explained(self._database.path):
            return int(state(self._database.connection(), "head"))

    def version(self, urn: int, at: int) -> VersionRow | None:
        """Return a version by its number."""
        rows = self._versions("WHERE v.urn = :urn AND v.since <= :at", at, urn=urn)
        return rows[0] if rows else None

    def numbered_all(self, numbers: Sequence[int], at: int) -> dict[int, VersionRow]:
        """Return versions by their numbers: those that are there as of a commit."""
        found: dict[int, VersionRow] = {}
        for start in range(0, len(numbers), BATCH):
            marks = ", ".join(str(int(number)) for number in numbers[start : start + BATCH])
            rows = self._versions(f"WHERE v.urn IN ({marks}) AND v.since <= :at", at)
            found.update((row.urn, row) for row in rows)
        return found

    def latest(self, track: int, at: int) -> VersionRow | None:
        """Return the newest version of a track."""
        rows = self._versions(
            "WHERE v.track = :track AND v.since <= :at AND v.until > :at", at, track, track=track
        )
        return rows[0] if rows else None

    def track_versions(self, track: int, at: int) -> list[VersionRow]:
        """Return all versions of a track, oldest first."""
        return self._versions(
            "WHERE v.track = :track AND v.since <= :at ORDER BY v.version", at, track, track=track
        )

    def numbered(self, track: int, version: int, at: int) -> VersionRow | None:
        """Return one version of a track."""
        rows = self._versions(
            "WHERE v.track = :track AND v.version = :version AND v.since <= :at",
            at,
            track,
            track=track,
            version=version,
        )
        return rows[0] if rows else None

    def with_value(self, key: str, value: Any, at: int) -> list[VersionRow]:
        """Return the visible newest versions whose own metadata have a key of that value."""
        return self._versions(
            "JOIN names n ON n.track = v.track AND n.since <= :at AND n.until > :at"
            " WHERE v.since <= :at AND v.until > :at AND v.document IN"
            " (SELECT t.document FROM terms t JOIN keys k ON k.id = t.key"
            " WHERE k.name = :key AND t.value = :value AND t.place = 0) ORDER BY n.name",
            at,
            key=key,
            value=value,
        )

    def listing(self, at: int, below: str = "") -> list[VersionRow]:
        """Return the newest version of every named track, in the order of their names."""
        where, values = "", {}
        if below:
            where = " AND n.name >= :low AND n.name < :high"
            values = {"low": to_database(below) + "/", "high": to_database(below) + "0"}
        rows = self._database.query(
            f"SELECT {sure(VERSION, 'v.urn')}, v.track, v.version, d.digest, d.kind, d.type,"
            f" d.size, v.total, v.since, {sure(NAME, 'n.name')}, "
            " :at, v.purged, n.track FROM names n"
            " JOIN versions v ON v.track = n.track JOIN documents d ON d.id = v.document"
            " WHERE n.since <= :at AND n.until > :at AND v.since <= :at AND v.until > :at"
            f"{where} ORDER BY n.name",
            {"at": at, **values},
        )
        return [version_of(row[:-1], row[-1]) for row in rows]

    def tagged(self, tag: str, at: int) -> list[VersionRow]:
        """Return the versions that carry a tag, oldest first."""
        return self._versions(
            f"WHERE v.urn IN (SELECT {sure(TAG, 't.urn')} FROM tags t WHERE t.tag = :tag"
            " AND t.since <= :at AND t.until > :at) ORDER BY v.urn",
            at,
            tag=to_database(tag),
        )

    def hashed(self, low: bytes, high: bytes, at: int) -> list[VersionRow]:
        """Return the versions whose document or file has a digest in a range."""
        return self._versions(
            "WHERE v.since <= :at AND (d.digest BETWEEN :low AND :high"
            " OR d.file_hash BETWEEN :low AND :high) ORDER BY v.urn",
            at,
            low=low,
            high=high,
        )

    def refs(self, urn: int) -> list[RefRow]:
        """Return the references of a version, in order."""
        rows = self._database.query(
            f"SELECT {sure(REF, 'role')}, child, external FROM refs r WHERE parent = ?"
            " ORDER BY position",
            (urn,),
        )
        ((count,),) = self._database.query(
            "SELECT coalesce(max(children), 0) FROM versions WHERE urn = ?", (urn,)
        )
        if count != len(rows):
            raise Damaged(
                f"the catalogue {self._database.path} is damaged: the version {urn} has {count}"
                f" references, {len(rows)} are there",
                hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
            )
        return [
            RefRow(from_database(role), child, external and from_database(external))
            for role, child, external in rows
        ]

    def parents(self, urn: int, at: int) -> list[VersionRow]:
        """Return the versions that refer to a version."""
        return self._versions(
            f"WHERE v.urn IN (SELECT {sure(REF, 'r.parent')} FROM refs r WHERE r.child = :urn)"
            " AND v.since <= :at ORDER BY v.urn",
            at,
            urn=urn,
        )

    def live_parents(self, track: int, at: int) -> list[VersionRow]:
        """Return the visible newest versions that refer to any version of a track."""
        return self._versions(
            "JOIN refs r ON r.parent = v.urn JOIN versions c ON c.urn = r.child"
            " JOIN names n ON n.track = v.track AND n.since <= :at AND n.until > :at"
            " WHERE c.track = :track AND v.since <= :at AND v.until > :at"
            " GROUP BY v.urn ORDER BY v.urn",
            at,
            track=track,
        )

    def descendants(self, urn: int) -> list[tuple[int, int, int]]:
        """Return (version's number, track, size) of all that is below a version, each once."""
        rows = self._database.query(
            f"WITH RECURSIVE below(urn) AS (SELECT {sure(REF, 'child')} FROM refs r"
            " WHERE parent = ? AND child IS NOT NULL"
            f" UNION SELECT {sure(REF, 'r.child')} FROM refs r JOIN below b"
            " ON r.parent = b.urn WHERE r.child IS NOT NULL)"
            f" SELECT b.urn, v.track, {sure(VERSION, 'd.size')} FROM below b"
            " JOIN versions v ON v.urn = b.urn JOIN documents d ON d.id = v.document",
            (urn,),
        )
        return [(found, track, size) for found, track, size in rows]

    def origin(self, urn: int) -> str | None:
        """Return the origin of a version as JSON text."""
        rows = self._database.query(
            f"SELECT {sure(VERSION, 'origin')} FROM versions v"
            " JOIN documents d ON d.id = v.document WHERE urn = ?",
            (urn,),
        )
        return rows[0][0] if rows else None

    def purged_versions(self) -> frozenset[int]:
        """Return the numbers of the versions whose content was given up."""
        rows = self._database.query("SELECT urn FROM versions WHERE purged > 0")
        return frozenset(urn for (urn,) in rows)

    def given_up(self) -> frozenset[bytes]:
        """Return the documents of which every version was purged: they may be gone."""
        rows = self._database.query(
            "SELECT d.digest FROM versions v JOIN documents d ON d.id = v.document"
            " WHERE v.purged > 0 AND NOT EXISTS"
            " (SELECT 1 FROM versions w WHERE w.document = d.id AND w.purged = 0)"
        )
        return frozenset(digest for (digest,) in rows)

    def origins(self, key: str, at: int) -> Iterator[tuple[int, str]]:
        """Return number and origin (JSON text) of the versions whose origin has a key."""
        rows = self._database.query(
            "SELECT urn, origin FROM versions WHERE since <= ? AND instr(origin, ?)",
            (at, f'"{key}":'),
        )
        return ((urn, text) for urn, text in rows)

    def sources(self, digest: bytes) -> list[SourceRow]:
        """Return the files outside the pool that hold the content of a document."""
        rows = self._database.query(
            "SELECT s.path, s.size, s.mtime_ns, s.inode FROM sources s"
            " JOIN documents d ON d.id = s.document WHERE d.digest = ? ORDER BY s.path",
            (digest,),
        )
        return [SourceRow(digest, from_database(path), *rest) for path, *rest in rows]

    def stands_for(self, digest: bytes) -> bytes:
        """Return the document that took the place of one, itself if none did."""
        rows = self._database.query("SELECT document FROM completed WHERE digest = ?", (digest,))
        return rows[0][0] if rows else digest

    def commits(self, at: int, track: int | None = None) -> list[CommitRow]:
        """Return the commits up to *at*, newest first; of one track where it is given."""
        where, values = "", []
        if track is not None:
            where = (
                " AND number IN (SELECT since FROM versions WHERE track = ?"
                f" UNION SELECT {sure(NAME, 'since')} FROM names n WHERE track = ?"
                f" UNION SELECT {sure(NAME, 'until')} FROM names n WHERE track = ?"
                f" UNION SELECT {sure(TAG, 't.since')} FROM tags t JOIN versions v ON v.urn = t.urn"
                " WHERE v.track = ?"
                f" UNION SELECT {sure(TAG, 't.until')} FROM tags t JOIN versions v ON v.urn = t.urn"
                " WHERE v.track = ?)"
            )
            values = [track] * 5
        rows = self._database.query(
            f"SELECT {sure(COMMIT, 'number')}, time_us, author, message, changes FROM commits c"
            f" WHERE number <= ?{where} ORDER BY number DESC",
            (at, *values),
        )
        return [_commit(row) for row in rows]

    def commit(self, number: int) -> CommitRow | None:
        """Return one commit."""
        rows = self._database.query(
            f"SELECT {sure(COMMIT, 'number')}, time_us, author, message, changes FROM commits c"
            " WHERE number = ?",
            (number,),
        )
        return _commit(rows[0]) if rows else None

    def commit_at(self, time_us: int) -> int:
        """Return the last commit up to a time (us since 1970); 0 where there is none."""
        rows = self._database.query(
            f"SELECT max({sure(COMMIT, 'number')}) FROM commits c WHERE time_us <= ?", (time_us,)
        )
        return int(rows[0][0] or 0)

    def changes(self, number: int) -> list[VersionRow]:
        """Return the versions that a commit made."""
        return self._versions("WHERE v.since = :number ORDER BY v.urn", number, number=number)

    def changes_in_parts(self, number: int) -> Iterator[VersionRow]:
        """Yield the versions that a commit made: there may be millions."""
        last = -1
        while True:
            rows = self._versions(
                "WHERE v.since = :at AND v.urn > :last ORDER BY v.urn LIMIT :count",
                number,
                last=last,
                count=_PAGE,
            )
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1].urn

    def counts(self, at: int) -> tuple[int, int, int]:
        """Return the number of visible products, of versions, and the bytes of those not purged."""
        ((products,),) = self._database.query(
            "SELECT count(*) FROM names WHERE since <= ? AND until > ?", (at, at)
        )
        ((versions, size),) = self._database.query(
            "SELECT count(*), coalesce(sum(d.size) FILTER (WHERE v.purged = 0), 0) FROM versions v"
            " JOIN documents d ON d.id = v.document WHERE v.since <= ?",
            (at,),
        )
        return products, versions, size

    def _versions(
        self, where: str, at: int, own: int | None = None, **values: Any
    ) -> list[VersionRow]:
        rows = self._database.query(f"{_VERSION} {where}", {"at": at, **values})
        return [version_of(row, own) for row in rows]


def version_of(row: tuple[Any, ...], track: int | None = None) -> VersionRow:
    """Return a row that was asked for by a track: a damaged index leads to those of others."""
    found = VersionRow._make(row)
    if track is not None and found.track != track:
        raise Damaged(
            f"the catalogue is damaged: the version {found.urn} stands where those of another"
            " product are",
            hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
        )
    if found.name is None or found.name.isascii():
        return found
    return found._replace(name=from_database(found.name))


def _commit(row: tuple[Any, ...]) -> CommitRow:
    number, time_us, author, message, changes = row
    return CommitRow(
        number, time_us, from_database(author), from_database(message), changes_of(changes)
    )
