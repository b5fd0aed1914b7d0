"""Headers first: what is known then, and what `complete` makes of it."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from skypool.cli.app import app
from skypool.errors import SourceChanged, SourceMissing, UsageError
from skypool.pool.pool import Pool
from skypool.storage.inplace import FileSource

from .conftest import image, settle

MAP = "survey/maps/m1.fits"


def add(pool: Pool, survey: Path, **options: Any) -> Any:
    return pool.add_report(survey, in_place=True, headers_only=True, **options)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that are read from the user's files, one entry a read."""
    found: list[int] = []
    before = FileSource.pread

    def pread(self: FileSource, offset: int, length: int) -> bytes:
        data = before(self, offset, length)
        found.append(len(data))
        return data

    monkeypatch.setattr(FileSource, "pread", pread)
    return found


def test_only_headers_are_read(pool: Pool, tmp_path: Path, reads: list[int]) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for n in range(3):
        hdus.append(fits.ImageHDU(np.zeros((1000, 1000), "f4"), name=f"I{n}"))
    hdus.writeto(tmp_path / "big.fits")
    settle(tmp_path / "big.fits")
    ref = pool.add(tmp_path / "big.fits", in_place=True, headers_only=True)
    assert sum(reads) < 300_000 < 12_000_000 < ref.size
    assert list(ref.product.datasets) == ["I0", "I1", "I2"]
    assert ref.product["I2"].shape == (1000, 1000)


def test_what_is_not_known_is_said(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    ref = pool[MAP]
    assert not ref.complete
    assert ref.file_hash is None
    assert ref.meta["SEED"].value == 1
    assert ref.product["image"].source.statistics is None
    assert pool["survey/events"].complete  # a .gz cannot be read in parts
    assert pool.status(full=True).unproven == 4
    assert pool.verify().ok
    assert pool[MAP].path == str(survey / "maps" / "m1.fits")
    shown = CliRunner().invoke(app, ["-p", str(pool.path), "show", MAP])
    assert "headers only" in shown.output


def test_values_are_those_of_the_file(pool: Pool, survey: Path, tmp_path: Path) -> None:
    add(pool, survey)
    values = fits.getdata(survey / "maps" / "m1.fits")
    found = pool[MAP].product["image"]
    np.testing.assert_array_equal(found[100:270, 3:299], values[100:270, 3:299])
    assert found.max() == np.nanmax(values)
    top = float(np.nanmax(values))
    assert [r.name for r in pool.find(f"max(image) >= {top!r}")] == [
        f"survey/maps/m{n}.fits"
        for n in range(3)
        if np.nanmax(fits.getdata(survey / "maps" / f"m{n}.fits")) >= top
    ]
    pool.export("survey", tmp_path / "out")
    for path in survey.rglob("*.*"):
        assert (tmp_path / "out" / path.relative_to(survey)).read_bytes() == path.read_bytes()


def test_the_sky_is_that_of_the_headers(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    corner = pool[MAP].product["image"].wcs.pixel_to_world(5, 5)  # NaN is there
    place = f"{float(corner.ra.deg)!r}, {float(corner.dec.deg)!r}"
    for _ in range(2):
        assert len(pool.find(f"footprint_covers({place})")) == 3
        assert len(pool.find(f"covers({place})")) == 0
        assert len(pool.find("covers(204.25, -29.87)")) == 3
        assert len(pool.find("footprint_covers(10, 10)")) == 0
        pool.reindex()


def test_tables_may_be_anywhere_until_they_are_read(pool: Pool, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    columns = [
        fits.Column(name, "D", array=rng.uniform(low, low + 1, 900), unit="deg")
        for name, low in (("RA", 9.5), ("Dec", -0.5))
    ]
    path = tmp_path / "disk/rows.fits"
    path.parent.mkdir()
    fits.BinTableHDU.from_columns(columns).writeto(path)
    settle(path)
    add(pool, path)
    questions = {
        "covers(10, 0)": 1, "footprint_covers(10, 0)": 1, "overlaps(10.9, 0, 0.5)": 1,
        "covers(12, 0)": 0, "footprint_covers(12, 0)": 0, "overlaps(12, 0, 0.5)": 0,
    }  # fmt: skip
    assert not pool["rows.fits"].complete
    for _ in range(2):
        assert {question: len(pool.find(question)) for question in questions} == questions
        assert not pool.find("within(10, 0, 0.1)")  # the middle is not known
        pool.reindex()
    pool.complete()
    path.parent.rename(tmp_path / "away")
    questions |= {"within(10, 0, 0.1)": 1, "within(12, 0, 0.1)": 0}
    questions = {question: n for question, n in questions.items() if "overlaps" not in question}
    for _ in range(2):
        assert {question: len(pool.find(question)) for question in questions} == questions
        pool.reindex()


def test_a_changed_file_is_never_read_as_the_old_one(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    product = pool[MAP].product
    image(survey / "maps" / "m1.fits", 9)
    with pytest.raises(SourceChanged):
        np.asarray(product["image"])
    (survey / "maps" / "m1.fits").unlink()
    with Pool(pool.path, "r") as again, pytest.raises(SourceMissing):
        np.asarray(again[MAP].product["image"])
    problems = pool.verify().problems
    assert [p.where for p in problems] == [str(survey / "maps" / "m1.fits")]
    assert problems[0].hurt == [f"{MAP}@0"]


def test_completing(pool: Pool, survey: Path) -> None:
    add(pool, survey, tags=["mine"])
    pool.tag(MAP, "good")
    old = pool[MAP]
    assert old.product["image"].shape == (280, 300)
    report = pool.complete()
    assert (report.completed, report.skipped) == (4, [])
    assert report.bytes == sum(p.stat().st_size for p in survey.rglob("*.*") if p.suffix != ".gz")
    ref = pool[MAP]
    assert ref.complete
    assert (ref.urn, ref.version, ref.tags, len(ref.versions)) == (old.urn, 0, ("good",), 1)
    assert pool["mine"].refs["maps"].product.refs["m1.fits"] == ref
    assert ref.file_hash is not None
    statistics = ref.product["image"].source.statistics
    assert statistics is not None
    assert int(statistics.counts[:, 1].sum()) == 400
    assert pool.status(full=True).unproven == 0
    assert pool.verify().ok
    assert pool.complete().completed == 0
    # Refs from before go on, and so do products that were loaded.
    assert old.product["image"].max() == ref.product["image"].max()
    with Pool(pool.path, "r") as again:
        assert again[MAP].complete
        assert not again.at(1)[MAP].meta.get("nothing")


def test_search_sees_what_was_completed(pool: Pool, survey: Path, reads: list[int]) -> None:
    add(pool, survey)
    question = "max(image) > 0 and covers(204.25, -29.87)"
    assert len(pool.find(question)) == 3
    assert len(pool.find(f"hash == '{'0' * 64}'")) == 0
    pool.complete()
    reads.clear()
    assert len(pool.find("max(image) > 0")) == 3
    assert len(pool.find("max(image) > 1000")) == 0
    assert not reads  # statistics decide
    shutil.rmtree(survey)
    for _ in range(2):
        assert len(pool.find("max(image) > 0 and footprint_covers(204.25, -29.87)")) == 3
        assert len(pool.find("min(image) < 1000", kind="SimpleImage")) == 3
        pool.reindex()


def test_completing_is_the_same_as_reading_at_once(
    pool: Pool, survey: Path, tmp_path: Path
) -> None:
    add(pool, survey)
    pool.complete()
    with Pool(tmp_path / "other") as other:
        other.add(survey, in_place=True)
        for ref in other.ls():
            assert pool[ref.name].hash == ref.hash


def test_completing_some(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    assert pool.complete(MAP).completed == 1
    assert pool[MAP].complete
    assert not pool["survey/maps/m0.fits"].complete
    assert pool.complete("survey/maps", threads=1).completed == 2
    assert pool.complete(["survey"]).completed == 1


def test_completing_stops_and_goes_on(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        image(tmp_path / "many" / f"m{n}.fits", n)
    pool.add(tmp_path / "many", in_place=True, headers_only=True)
    monkeypatch.setattr("skypool.pool.completing._FILES", 2)

    def stop(step: Any) -> None:
        if step.items >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.complete(progress=stop)
    assert sum(ref.complete for ref in pool.ls("many/")) == 4
    report = pool.complete()
    assert (report.completed, len(report.commits)) == (2, 1)
    assert all(ref.complete for ref in pool.ls("many/"))


def test_what_cannot_be_completed_is_listed(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    gone, other, hidden = (survey / "maps" / f"m{n}.fits" for n in range(3))
    gone.unlink()
    image(other, 5, EXTRA=1)
    before = hidden.stat()
    data = hidden.read_bytes().replace(b"'M83", b"'M81")
    hidden.write_bytes(data)
    os.utime(hidden, ns=(before.st_atime_ns, before.st_mtime_ns))
    report = pool.complete()
    assert report.completed == 1
    reasons = dict(report.skipped)
    assert "gone" in reasons[str(gone)]
    assert "has changed" in reasons[str(other)]
    assert "though its size and time are" in reasons[str(hidden)]
    assert not any(pool[f"survey/maps/m{n}.fits"].complete for n in range(3))


def test_adding_again(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    assert add(pool, survey).saved == []
    # The same files read completely: no new versions, what was not known is.
    report = pool.add_report(survey, in_place=True)
    assert report.saved == []
    assert all(ref.complete for ref in pool.ls("survey"))
    # Headers again: what is known stays known.
    assert add(pool, survey, force_read=True).saved == []
    assert all(ref.complete for ref in pool.ls("survey"))
    image(survey / "maps" / "m1.fits", 8)
    assert {ref.name for ref in add(pool, survey).saved} == {"survey/maps/m1.fits"} | {
        "survey/maps", "survey"
    }  # fmt: skip
    assert not pool[MAP].complete
    assert pool[f"{MAP}@0"].complete


def test_copying_in_completes(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    assert pool.add_report(survey).saved == []
    shutil.rmtree(survey)
    with Pool(pool.path, "r") as again:
        assert again[MAP].complete
        assert np.isfinite(np.asarray(again[MAP].product["image"])).sum() == 280 * 300 - 400
        assert again.status().ok


def test_a_file_written_just_now_is_read(pool: Pool, tmp_path: Path) -> None:
    fits.PrimaryHDU(np.ones((10, 10))).writeto(tmp_path / "new.fits")
    assert pool.add(tmp_path / "new.fits", in_place=True, headers_only=True).complete


def test_files_that_are_read_all_the_same(pool: Pool, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    fits.PrimaryHDU(np.ones((10, 10))).writeto(folder / "a.fits")
    with gzip.open(folder / "b.fits.gz", "wb") as file:
        file.write((folder / "a.fits").read_bytes())
    rows = [fits.Column("n", "I5", array=np.arange(5)), fits.Column("x", "A3", array=["a"] * 5)]
    fits.TableHDU.from_columns(rows).writeto(folder / "ascii.fits")
    (folder / "empty.fits").touch()
    (folder / "broken.fits").write_bytes((folder / "a.fits").read_bytes()[:3000])
    fits.PrimaryHDU().writeto(folder / "header.fits")
    for path in folder.iterdir():
        settle(path)
    pool.add(folder, in_place=True, headers_only=True)
    complete = {ref.name.removeprefix("odd/") for ref in pool.ls("odd/") if ref.complete}
    assert complete == {"b.fits.gz", "header.fits", "empty.fits"}
    table = pool["odd/ascii"].product
    assert list(next(iter(table.datasets.values()))["n"][:]) == [0, 1, 2, 3, 4]
    assert pool.complete().skipped == []
    assert all(ref.complete for ref in pool.ls("odd/"))
    assert pool.verify().ok


def test_it_is_for_files_in_place(pool: Pool, survey: Path) -> None:
    with pytest.raises(UsageError, match="stay where they are"):
        pool.add(survey, headers_only=True)


def test_a_changed_copy_stands_alone(pool: Pool, survey: Path) -> None:
    add(pool, survey)
    values = fits.getdata(survey / "maps" / "m1.fits").copy()
    new = pool.save(pool[MAP].product.replace(meta={"n": 1}), name="new")
    assert new.complete
    shutil.rmtree(survey)
    with Pool(pool.path, "r") as again:
        np.testing.assert_array_equal(np.asarray(again["new"].product["image"]), values)


def test_gc_touches_no_file_and_forgets_nothing(pool: Pool, survey: Path) -> None:
    before = {p: (p.read_bytes(), p.stat()) for p in survey.rglob("*.*")}
    add(pool, survey)
    old = pool[MAP]
    pool.complete()
    pool.gc(grace=0)
    pool.gc(grace=0)
    assert old.product["image"].shape == (280, 300)  # what it was made of is garbage now
    pool.remove("survey")
    pool.gc(grace=0, removed_after=0)
    pool.gc(grace=0)
    after = {p: (p.read_bytes(), p.stat()) for p in survey.rglob("*.*")}
    assert {p: (d, s.st_mtime_ns, s.st_ino) for p, (d, s) in before.items()} == {
        p: (d, s.st_mtime_ns, s.st_ino) for p, (d, s) in after.items()
    }
    assert pool.verify().ok


@pytest.mark.parametrize("collected", [False, True])
def test_a_lost_catalogue_comes_back(pool: Pool, survey: Path, collected: bool) -> None:
    add(pool, survey)
    pool.complete(MAP)
    if collected:
        pool.gc(grace=0)
        pool.gc(grace=0)
    found = {ref.name: (ref.urn, ref.hash, ref.complete) for ref in pool.ls()}
    pool.reindex()
    assert {ref.name: (ref.urn, ref.hash, ref.complete) for ref in pool.ls()} == found
    assert pool.verify().ok
    assert add(pool, survey).saved == []
    assert pool.complete().completed == 3


@pytest.mark.parametrize("collected", [False, True])
def test_clones_and_merges(pool: Pool, survey: Path, tmp_path: Path, collected: bool) -> None:
    add(pool, survey)
    with pool.clone(tmp_path / "early") as early, pool.clone(tmp_path / "apart") as apart:
        apart.tag("survey", "mine")  # so that it is merged
        pool.complete()
        if collected:
            pool.gc(grace=0)
            pool.gc(grace=0)
        with pool.clone(tmp_path / "late") as late:
            assert late[MAP].complete
            assert late.verify().ok
        early.pull(pool.path)
        assert early[MAP].complete
        apart.pull(pool.path)
        assert apart[MAP].complete
        assert apart.verify().ok
        assert apart["mine"].name == "survey"
        again = {ref.name: ref.hash for ref in apart.ls()}
        apart.reindex()
        assert {ref.name: ref.hash for ref in apart.ls()} == again


def test_completing_a_file_does_not_look_at_all_others(pool: Pool, survey: Path) -> None:
    """With 200,000 files that had been seen, each one that was completed took 0.1 s."""
    add(pool, survey)
    connection = pool.view.session.catalogue.database.connection()
    made: list[str] = []
    connection.set_trace_callback(made.append)
    pool.complete()
    connection.set_trace_callback(None)
    updates = [sql for sql in made if sql.lstrip().startswith("UPDATE seen")]
    assert updates
    for sql in updates:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        assert not [step for *_, step in plan if step.startswith("SCAN")]
