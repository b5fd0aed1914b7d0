"""Connections to the catalogue's file."""

import multiprocessing
import sqlite3
import subprocess
import sys

import pytest

from skypool.catalogue.checks import guarded
from skypool.catalogue.database import Database
from skypool.errors import Damaged, Locked

FORK = multiprocessing.get_context("fork")
ROUNDS = 60


def open_all(folder, start, results):
    failed = []
    for number in range(ROUNDS):
        start.wait()
        database = Database(str(folder / f"{number}.sqlite"), writable=True)
        try:
            database.prepare()
        except Locked as error:
            failed.append(str(error))
        database.close()
    results.put(failed)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_processes_that_make_the_catalogue_at_once(tmp_path):
    start, results = FORK.Barrier(6), FORK.Queue()
    workers = [FORK.Process(target=open_all, args=(tmp_path, start, results)) for _ in range(6)]
    for worker in workers:
        worker.start()
    failed = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert failed == [[]] * 6


def test_a_lock_that_does_not_end_is_told(tmp_path, monkeypatch):
    path = tmp_path / "c.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t(x)")
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("skypool.catalogue.database.WAIT_SECONDS", 0.05)
    with pytest.raises(Locked, match="in use by another process"):
        Database(str(path), writable=True).prepare()
    other.close()


class Stop(Exception):
    """What a handler of a signal may raise."""


@pytest.mark.parametrize("raised", [KeyboardInterrupt, Stop])
def test_what_stops_a_function_of_ours_is_no_damage(tmp_path, raised):
    def stop(*_):
        raise raised

    database = Database(str(tmp_path / "c.sqlite"), writable=True)
    database.prepare()
    connection = database.connection()
    connection.create_function("asked", 1, guarded(stop))
    with pytest.raises(raised):
        database.query("SELECT asked(1)")
    connection.create_function("asked", 1, stop)  # as if it came before the first line
    with pytest.raises(KeyboardInterrupt):
        database.query("SELECT asked(1)")
    connection.execute("CREATE TABLE odd(x)")
    connection.execute("INSERT INTO odd VALUES (CAST(x'80' AS TEXT))")
    connection.create_function("asked", 1, stop)
    with pytest.raises(Damaged):  # text that is none
        database.query("SELECT asked(x) FROM odd")
    connection.create_function("asked", 1, guarded(int))  # a value that cannot be
    with pytest.raises(Damaged):
        database.query("SELECT asked('x')")


def test_pools_that_nobody_closes_say_nothing(tmp_path):
    # Python 3.13 warns of connections that nobody closed, older ones of files.
    script = """
import sys
import skypool as sp

def use(mode):
    pool = sp.Pool(sys.argv[1], mode=mode)
    if mode == "a":
        pool.save(sp.Product(), name="one")
    assert len(pool.find("")) == 1

use("a")
use("r")
kept = sp.Pool(sys.argv[1])
kept.find("")
"""
    words = [sys.executable, "-X", "dev", "-c", script, str(tmp_path / "pool")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("deed", ["transaction", "reading"])
def test_what_is_stopped_when_it_has_just_begun_leaves_no_transaction(tmp_path, monkeypatch, deed):
    class Stopped(sqlite3.Connection):
        def execute(self, sql, *given):
            done = super().execute(sql, *given)
            if sql.startswith("BEGIN"):
                raise KeyboardInterrupt  # as the handler of a signal does
            return done

    database = Database(str(tmp_path / "c.sqlite"), writable=True)
    database.prepare()
    stopped = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None, factory=Stopped)
    with monkeypatch.context() as patch:
        patch.setattr(database, "connection", lambda: stopped)
        with pytest.raises(KeyboardInterrupt), getattr(database, deed)():
            pass
    assert not stopped.in_transaction
    with database.transaction() as connection:  # nobody holds the lock
        connection.execute("CREATE TABLE later(x)")
    stopped.close()
    database.close()
