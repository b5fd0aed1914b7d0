"""Commits whose records are read in parts: the pool is what it is when they are read as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.catalogue import identity, records
from skypool.catalogue.records import record_of
from skypool.codec import long_records, packing
from skypool.codec.documents import Listed, dumps_in_parts, loads
from skypool.errors import Damaged
from skypool.pool import mending_log, rebuilding
from skypool.pool.incomplete import drop_incomplete
from skypool.pool.sync import transfer
from skypool.storage import commit_records

_TABLES = ("commits", "documents", "versions", "refs", "names", "tags", "sources", "completed")


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes all that is read in parts small."""

    def small() -> None:
        monkeypatch.setattr(commit_records, "_LONG", 0)
        monkeypatch.setattr(long_records, "_KEPT", 1)
        monkeypatch.setattr(packing, "_STEP", 64)
        monkeypatch.setattr(identity, "_PAGE", 2)
        monkeypatch.setattr(records, "_PAGE", 2)
        monkeypatch.setattr(rebuilding, "RUN_DOCUMENTS", 2)
        monkeypatch.setattr(rebuilding, "_VERSIONS_AT_ONCE", 4)
        monkeypatch.setattr(mending_log, "_LARGE", 2)
        monkeypatch.setattr(transfer, "_DOCUMENTS_AT_ONCE", 1)

    return small


def table(path: Path, right_ascension: float) -> None:
    """Write a table in text of which rows say what it covers."""
    rows = np.random.default_rng(5).uniform(0, 0.3, (2, 20))
    columns = [
        fits.Column("RA", "D", array=right_ascension + rows[0], unit="deg"),
        fits.Column("DEC", "D", array=20 + rows[1]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path, overwrite=True)
    os.utime(path, (1.5e9, 1.5e9))


def image(path: Path, number: int) -> None:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "NUMBER": number})
    for key, value in (
        ("CRVAL1", number * 3.0),
        ("CRVAL2", 5.0),
        ("CDELT1", -0.1),
        ("CDELT2", 0.1),
    ):
        header[key] = value
    fits.PrimaryHDU(np.full((12, 12), number, "f4"), header).writeto(path, overwrite=True)
    os.utime(path, (1.5e9, 1.5e9))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with commits of all kinds."""
    top = tmp_path_factory.mktemp("made")
    survey = top / "survey"
    for number in range(9):
        (survey / f"d{number // 3}").mkdir(parents=True, exist_ok=True)
        image(survey / f"d{number // 3}" / f"f{number}.fits", number)
    with sp.Pool(top / "pool") as pool:
        pool.add(survey, in_place=True, headers_only=True)
        pool.complete(["survey/d0", "survey/d1"])
        tables = top / "tables"
        tables.mkdir()
        for number in range(4):
            table(tables / f"t{number}.fits", 40.0 * number)
        pool.add(tables, in_place=True, tags=["tables"])
        pool.add(survey, name="copied")
        with pool.commit("many") as commit:
            for number in range(7):
                commit.save(sp.Product(kind="CalTable", meta={"n": number}), name=f"cal{number}")
        image(survey / "d0" / "f0.fits", 77)
        os.utime(survey / "d0" / "f0.fits", (1.6e9, 1.6e9))
        pool.add(survey, in_place=True)
        pool.remove("cal3")
        pool.rename("cal4", "cal44 \udcff")
        pool.restore("cal3")
        pool.save(sp.Product(kind="CalTable", meta={"n": -1}), name="cal5")
        pool.purge("cal5", keep=1)
    return top / "pool"


def rows(pool: sp.Pool) -> dict[str, list[Any]]:
    """Return what a catalogue holds, without what depends on when it was made."""
    found = {}
    for name in _TABLES:
        query = f"SELECT * FROM {name} ORDER BY 1, 2"
        found[name] = sorted(map(repr, pool.view.session.catalogue.database.query(query)))
    return found


def problems(pool: sp.Pool) -> list[tuple[Any, ...]]:
    return [(each.kind, each.what, each.where, tuple(each.hurt)) for each in pool.verify().problems]


def test_rebuilt_cloned_and_verified_alike(
    made: Path, tmp_path: Path, in_parts: Callable[[], None]
) -> None:
    def all_of_it(name: str) -> tuple[Any, ...]:
        shutil.copytree(made, tmp_path / name)
        with sp.Pool(tmp_path / name) as pool:
            pool.reindex()
            rebuilt = rows(pool)
            first = problems(pool)
            with pool.clone(tmp_path / f"{name} too") as clone:
                cloned = rows(clone)
                assert not [each for each in problems(clone) if each not in first]
                log = (tmp_path / f"{name} too" / "commits.log").read_bytes()
            session = pool.view.session
            drop_incomplete(session.folder, session.store)
            assert session.folder.log.end().number == session.catalogue.head()
            return rebuilt, first, cloned, log

    whole = all_of_it("whole")
    in_parts()
    parts = all_of_it("parts")
    for one, other in zip(whole, parts, strict=True):
        assert one == other
    for name in ("commits", "names", "refs", "tags"):
        assert whole[0][name] == whole[2][name]
    assert whole[3] == (made / "commits.log").read_bytes()


def test_a_clone_covers_what_the_pool_covers(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Documents that are staged ahead of their commit: of tables in place only the log says it.
    monkeypatch.setattr(transfer, "_DOCUMENTS_AT_ONCE", 1)
    with sp.Pool(made) as pool, pool.clone(tmp_path / "clone") as clone:
        assert [ref.name for ref in pool.find("overlaps(40.1, 20.1, 1)")] == ["tables/t1.fits"]
        assert [ref.name for ref in clone.find("overlaps(40.1, 20.1, 1)")] == ["tables/t1.fits"]


# What of the rows of the first commit is another one, with check sums that fit.
_CHANGES = {
    "a version less": "DELETE FROM versions WHERE urn = 4",
    "another total": "UPDATE versions SET total = total + 1, crc = crc_of_row(urn, track, version,"
    " (SELECT digest FROM documents d WHERE d.id = document), total + 1, since, until, origin,"
    " children, purged) WHERE urn = 4",
    "a damaged row": "UPDATE versions SET total = total + 1 WHERE urn = 4",
    "a reference less": "DELETE FROM refs WHERE position = 1"
    " AND parent = (SELECT min(parent) FROM refs)",
    "another role": "UPDATE refs SET role = 'x', crc = crc_of_row(parent, position, 'x', child,"
    " external) WHERE position = 1 AND parent = (SELECT min(parent) FROM refs)",
    "a name less": "DELETE FROM names WHERE track = 3",
    "another time": "UPDATE commits SET time_us = time_us + 1, crc = crc_of_row(number,"
    " time_us + 1, author, message, changes) WHERE number = 1",
}


@pytest.mark.parametrize("change", _CHANGES)
def test_what_differs_is_told_alike(
    made: Path, tmp_path: Path, in_parts: Callable[[], None], change: str
) -> None:
    shutil.copytree(made, tmp_path / "pool")
    with sp.Pool(tmp_path / "pool") as pool:
        before = problems(pool)
        with pool.view.session.catalogue.database.transaction() as connection:
            assert connection.execute(_CHANGES[change]).rowcount == 1
        whole = problems(pool)
        assert whole != before
        in_parts()
        assert problems(pool) == whole


def test_records_made_again_say_the_same(made: Path, in_parts: Callable[[], None]) -> None:
    with sp.Pool(made) as pool:
        session = pool.view.session

        def made_again() -> list[bytes]:
            numbers = range(1, session.catalogue.head() + 1)
            found = [record_of(session.catalogue.database, number) for number in numbers]
            assert all(isinstance(each["versions"], Listed) for each in found if "versions" in each)
            return [dumps_in_parts(each) for each in found]

        whole = made_again()
        in_parts()
        assert made_again() == whole
        logged = [record.commit() for record in session.folder.log.records()]
        for one, other in zip(map(loads, whole), logged, strict=True):
            keys = ("urn", "track", "version", "total", "refs")
            assert [[v[key] for key in keys] for v in one.get("versions", ())] == [
                [v[key] for key in keys] for v in other.get("versions", ())
            ]


@pytest.mark.parametrize("parts", [False, True])
def test_a_mended_log_has_the_bytes_of_the_old_one(
    made: Path, tmp_path: Path, in_parts: Callable[[], None], parts: bool
) -> None:
    if parts:
        in_parts()
    shutil.copytree(made, tmp_path / "pool")
    log = tmp_path / "pool" / "commits.log"
    data = log.read_bytes()
    with sp.Pool(tmp_path / "pool") as pool:
        bad = bytearray(data)
        bad[200] ^= 1
        log.write_bytes(bad)
        assert [each[0] for each in problems(pool) if each[0] == "log"] == ["log"]
        # Another copy has the record that is lost here, as it was.
        (tmp_path / "copy.log").write_bytes(data)
        assert mending_log.mend_log(pool.view.session, [str(tmp_path / "copy.log")]) == [1]
        assert log.read_bytes() == data
        log.write_bytes(bad)
        assert mending_log.mend_log(pool.view.session) == [1]
        assert not [each for each in problems(pool) if each[0] == "log"]
        pool.reindex()
        assert pool["survey/d2/f8.fits"].meta["NUMBER"].value == 8


def test_a_record_that_is_no_text_ends_the_log(
    tmp_path: Path, in_parts: Callable[[], None]
) -> None:
    in_parts()
    data = commit_records.encode(b'{"commit": 1}' * 50, 1)
    with pytest.raises(Damaged):
        commit_records.Payload(1, 13 * 50 + 1, data)
    with pytest.raises(Damaged):
        commit_records.Payload(1, 13 * 50, data[:-4])
    said = commit_records.Payload(1, 13 * 50, data)
    with pytest.raises(Damaged, match="Extra data"):
        said.commit()
