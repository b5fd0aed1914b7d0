"""Connections to the catalogue's SQLite file: one per thread, renewed after a fork."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skypool.catalogue.checks import register
from skypool.catalogue.keeping import PLAIN, Keeping, OnlyReading, Opened
from skypool.catalogue.schema import SCHEMA, SCHEMA_VERSION
from skypool.catalogue.sqlite_errors import WAIT_SECONDS, explained
from skypool.errors import StorageError

__all__ = [
    "CatalogueVersion",
    "Database",
    "all_or_nothing",
    "explained",
    "make_tables",
    "schema_rows",
]

_GROUP_FILE = 0o664
CACHE_KB = 65536


class CatalogueVersion(StorageError):
    """The tables are those of another version of skypool."""


@contextlib.contextmanager
def all_or_nothing(connection: sqlite3.Connection, begin: str = "BEGIN") -> Iterator[None]:
    """Do what follows in one transaction, and leave none open whatever is raised.

    A handler of a signal may raise as soon as the transaction has begun.
    """
    try:
        connection.execute(begin)
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables in a database that has none."""
    # Comments may hold the character that ends a statement.
    for statement in re.sub(r"--[^\n]*", "", SCHEMA).split(";"):
        connection.execute(statement)


@functools.cache
def schema_rows() -> list[tuple[str, ...]]:
    """Return type, name, table and SQL of all that a catalogue has, as SQLite lists them."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        make_tables(connection)
        return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()


class Database:
    """An SQLite file.

    Parameters
    ----------
    path
        The file.
    writable
        Whether it may be created and written to.
    scratch
        Nobody else has the file, and nothing is lost with it: it need not be durable.
    how
        How the file is kept.

    Attributes
    ----------
    cache_kb : int
        What connections that are opened from now on keep of the file in memory, each.
    """

    def __init__(
        self,
        path: str,
        *,
        writable: bool,
        scratch: bool = False,
        how: Keeping = PLAIN,
    ) -> None:
        self.path = path
        self.writable = writable
        self._scratch = scratch
        self._how = how
        self._only_reading = OnlyReading(path, how, _connect)
        self.cache_kb = CACHE_KB
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._tidy: weakref.finalize[..., Database] | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()
        # Serialises the writers of this process; those of others wait in SQLite.
        self.writing = threading.RLock()

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        if self._pid != os.getpid():
            # A connection must not be carried over a fork (sqlite.org/howtocorrupt.html,
            # 2.6), not even to be closed: the old ones are kept and never touched.
            self._abandoned = (self._all, self._local)
            self._all, self._local = [], threading.local()
            self._lock, self.writing = threading.Lock(), threading.RLock()
            self._pid = os.getpid()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and self._is_outdated(connection):
            # Questions that are still being answered keep it until they are.
            with self._lock:
                self._all.remove(connection)
            connection = None
        if connection is None:
            with explained(self.path):
                connection, self._local.state = self._open()
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection

    def _is_outdated(self, connection: sqlite3.Connection) -> bool:
        """Return whether what this thread reads is a copy of what was."""
        state = self._local.state
        return (
            state is not None
            and not connection.in_transaction
            and state != self._only_reading.state()
        )

    def separate(self) -> sqlite3.Connection:
        """Return a connection of its own, for temporary tables; the caller closes it."""
        return self._open().connection

    def _open(self) -> Opened:
        state = None
        if self._scratch:
            connection = _connect(self.path)
            connection.execute("PRAGMA journal_mode=MEMORY")
            connection.execute("PRAGMA synchronous=OFF")
        elif self.writable:
            connection = _connect(self.path)
            if self._how.group:
                _let_group_write(connection, self.path)
            _use_journal(connection, self._how.journal)
        else:
            connection, state = self._open_for_reading()
        connection.execute(f"PRAGMA cache_size=-{self.cache_kb}")
        connection.execute("PRAGMA temp_store=MEMORY")
        return Opened(connection, state)

    def _open_for_reading(self) -> Opened:
        fresh = not os.path.exists(self.path + "-wal")
        opened = self._only_reading.open()
        if opened.state is None and fresh and self._tidy is None:
            self._tidy = weakref.finalize(self, _leave_nothing, self._all, self.path, os.getpid())
        return opened

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Ask several questions of one state of the database."""
        connection = self.connection()
        with explained(self.path):
            if connection.in_transaction:
                yield connection
                return
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Change the database: all or nothing."""
        with self.writing:
            connection = self.connection()
            with explained(self.path):
                try:  # a handler of a signal may raise as soon as it has begun
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise

    def query(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Return all rows of a question."""
        with explained(self.path):
            return self.connection().execute(sql, parameters).fetchall()

    def take_over(self, path: str) -> None:
        """Take the whole content of another SQLite file, in one transaction.

        Whoever has this one open goes on with the new content.
        """
        with self.writing, explained(self.path):
            source = _connect(path)
            try:
                source.backup(self.connection())
            finally:
                source.close()
            self.connection().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def prepare(self) -> None:
        """Make the tables where there are none.

        Raises
        ------
        CatalogueVersion
            If the tables are those of another version of skypool.
        """
        with explained(self.path):
            (found,) = self.connection().execute("PRAGMA user_version").fetchone()
        if found == SCHEMA_VERSION:
            return
        if found == 0 and self.writable:
            with self.transaction() as connection:
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    make_tables(connection)
                    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            return
        raise CatalogueVersion(
            f"the catalogue {self.path} has tables of another version of skypool ({found})",
            hint="`skypool reindex` makes a new one; nothing is lost",
        )

    def close(self) -> None:
        """Close all connections of this process."""
        if self._pid == os.getpid():
            with self._lock:
                for connection in self._all:
                    connection.close()
                self._all.clear()
            self._local = threading.local()
            if self._tidy is not None:
                self._tidy()
        self._only_reading.close()


def _leave_nothing(connections: list[sqlite3.Connection], path: str, pid: int) -> None:
    """Remove the `-wal` and `-shm` files that reading has made, if nobody else needs them.

    A connection for reading leaves them behind, empty; the last one for writing does not.
    """
    if pid != os.getpid():
        return
    for connection in connections:
        connection.close()
    if os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK):
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(path, timeout=0.1)
            with contextlib.closing(connection):
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _let_group_write(connection: sqlite3.Connection, path: str) -> None:
    """Let the group write to the file; those that SQLite makes beside it are like it."""
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # makes the file
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(path)
        if found.st_uid == os.geteuid() and found.st_mode & _GROUP_FILE != _GROUP_FILE:
            os.chmod(path, _GROUP_FILE)


def _use_journal(connection: sqlite3.Connection, journal: str) -> None:
    """Set the journal mode, and wait for others who do.

    SQLite does not wait by itself here: two connections that switch a new file to WAL at
    once hold a shared lock each, and it refuses the second one to avoid a deadlock.
    """
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={journal}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                connection.close()
                raise
            time.sleep(random.uniform(0.001, 0.02))
        else:
            break
    # Where a commit is the removal of the journal, that has to be durable too.
    connection.execute(f"PRAGMA synchronous={'FULL' if journal == 'wal' else 'EXTRA'}")


class _Connection(sqlite3.Connection):
    """Closes itself when nobody has it any more: a pool need not be closed, and Python says so."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.ProgrammingError):  # it could not even be opened
            self.close()


def _connect(path: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        uri=uri,
        factory=_Connection,
    )
    register(connection)
    return connection
