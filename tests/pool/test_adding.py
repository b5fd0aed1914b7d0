"""Adding files, folders and archives, and getting them back byte for byte."""

from __future__ import annotations

import filecmp
import gzip
import io
import os
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool import errors


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        yield pool


def image(path: Path, seed: int = 0, **cards) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = fits.Header()
    for key, value in cards.items():
        header[key] = value
    data = np.random.default_rng(seed).normal(size=(300, 280)).astype("f4")
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
    old = time.time() - 60  # settled: not within the grain of the clock
    os.utime(path, (old, old))
    return path


@pytest.fixture
def tree(tmp_path):
    """A folder of many sorts of things."""
    top = tmp_path / "obs"
    image(top / "level2" / "PSW.fits", 1)
    image(top / "level2" / "PMW.fits", 2)
    (top / "level2" / ".hidden").write_text("dot files belong to it")
    (top / "empty").mkdir()
    (top / "empty.dat").touch()
    (top / "with blank & ümlaut.txt").write_text("text")
    (top / os.fsdecode(b"not-utf8-\xff.bin")).write_bytes(bytes(range(256)) * 40)
    packed = top / "calibration" / "table.fits.gz"
    packed.parent.mkdir()
    table = fits.BinTableHDU.from_columns(
        [fits.Column("a", "J", array=np.arange(1000)), fits.Column("b", "5A", array=["x"] * 1000)]
    )
    raw = tmp_path / "raw.fits"
    table.writeto(raw)
    with gzip.GzipFile(packed, "wb", 6, mtime=1) as file:
        file.write(raw.read_bytes())
    for path in top.rglob("*"):
        os.utime(path, (time.time() - 60, time.time() - 60))
    return top


def same(a: Path, b: Path) -> bool:
    """Compare two trees, names and bytes."""
    left = sorted(p.relative_to(a) for p in a.rglob("*"))
    right = sorted(p.relative_to(b) for p in b.rglob("*"))
    return left == right and all(
        (b / p).is_dir() if (a / p).is_dir() else filecmp.cmp(a / p, b / p, shallow=False)
        for p in left
    )


def test_a_folder_comes_back_byte_for_byte(pool, tree, tmp_path):
    ref = pool.add(tree, tags=["first"])
    assert (ref.name, ref.version, ref.kind, ref.tags) == ("obs", 0, "MapContext", ("first",))
    report = pool.export(ref, tmp_path / "out")
    assert same(tree, tmp_path / "out")
    assert report.inexact == []
    psw = ref.product.refs["level2"].product.refs["PSW"]
    assert psw.name == "obs/level2/PSW.fits"
    assert psw.product["image"].shape == (300, 280)
    assert pool["obs/level2/PSW"] == psw
    assert pool["obs/empty.dat"].kind == "File"
    assert ref.total_size == sum(p.stat().st_size for p in tree.rglob("*") if p.is_file())


def test_adding_again_saves_what_changed_and_nothing_else(pool, tree, tmp_path):
    pool.add(tree)
    again = pool.add_report(tree)
    assert (again.commit, again.saved, again.unchanged, again.bytes_added) == (None, [], 11, 0)
    path = tree / "level2" / "PSW.fits"
    with fits.open(path) as hdus:
        data, header = hdus[0].data.copy(), hdus[0].header
        data[:20, :20] = 0
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
    report = pool.add_report(tree)
    assert [ref.name for ref in report.saved] == ["obs/level2/PSW.fits", "obs/level2", "obs"]
    assert report.unchanged == 8
    assert report.bytes_added < 256 * 256 * 4 + 10_000  # one tile of four
    assert pool["obs"].version == 1
    for version in (0, 1):
        pool.export(f"obs@{version}", tmp_path / f"out{version}")
    assert same(tree, tmp_path / "out1")
    assert not same(tree, tmp_path / "out0")
    assert pool.diff("obs/level2/PSW@0", "obs/level2/PSW@1").datasets[0].box[1][1] <= 20


def test_unchanged_files_are_not_read(pool, tree, monkeypatch):
    from skypool.pool import reading_files as adding
    from skypool.pool import seen_before

    monkeypatch.setattr(seen_before, "_CLOCK_GRAIN_NS", 0)
    pool.add(tree)
    opened = []
    original = adding.FileSource
    monkeypatch.setattr(
        adding, "FileSource", lambda path, **given: opened.append(path) or original(path, **given)
    )
    pool.add(tree)
    assert opened == []
    pool.add(tree, force_read=True)
    assert len(opened) == 7


def test_a_file_changed_within_the_grain_of_the_clock_is_noticed(pool, tmp_path):
    path = tmp_path / "quick.dat"
    path.write_bytes(b"one")
    status = path.stat()
    pool.add(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert pool.add(path).version == 1


def test_what_a_folder_lost_is_hidden_not_deleted(pool, tree, tmp_path):
    first = pool.add(tree)
    (tree / "level2" / "PMW.fits").unlink()
    report = pool.add_report(tree)
    assert report.removed == ["obs/level2/PMW.fits"]
    assert "obs/level2/PMW.fits" not in [ref.name for ref in pool.ls()]
    assert list(pool["obs/level2"].product.refs) == [".hidden", "PSW.fits"]
    assert first.product.refs["level2"].product.refs["PMW"].product["image"].shape == (300, 280)
    image(tree / "level2" / "PMW.fits", 2)
    pool.add(tree)
    assert pool["obs/level2/PMW"].version == 0  # the same content: its track goes on


def test_names_of_files_given_alone(pool, tmp_path, monkeypatch):
    image(tmp_path / "sub" / "a.fits")
    monkeypatch.chdir(tmp_path)
    assert pool.add("sub/a.fits").name == "sub/a.fits"
    assert pool.add("./sub/../sub/a.fits").name == "sub/a.fits"
    assert pool.add(tmp_path / "sub" / "a.fits").name == "a.fits"
    assert pool.add("sub/a.fits", name="maps/m83").name == "maps/m83"
    assert pool.add("sub/a.fits", under="x/y").name == "x/y/sub/a.fits"
    assert pool.add("sub", under="x").name == "x/sub"
    assert [r.name for r in pool.add(["sub/a.fits", "sub"])] == ["sub/a.fits", "sub"]
    with pytest.raises(errors.UsageError):
        pool.add(["sub", "sub/a.fits"], name="n")
    with pytest.raises(errors.NotFound, match="nothing"):
        pool.add("nothing.fits")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_archives(pool, tree, tmp_path, mode):
    path = tmp_path / ("obs.tar" if mode == "w" else "whatever.tgz")
    with tarfile.open(path, mode) as archive:
        archive.add(tree, "obs")
        evil = tarfile.TarInfo("../evil")
        archive.addfile(evil)
    report = pool.add_report(path)
    assert report.refs[0].name == "obs"
    assert len(report.skipped) == 1
    pool.export("obs", tmp_path / "out")
    assert same(tree, tmp_path / "out")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_cut_or_damaged_tar_is_refused_wherever_it_ends(pool, tmp_path, ending):
    path = tmp_path / f"a.tar{ending}"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("one", "two"):
            (tmp_path / name).write_bytes(name.encode() * 200)
            archive.add(tmp_path / name, name)
    whole = path.read_bytes()
    end = 2 * (512 + 1024)  # a header each, and 600 bytes in two blocks
    assert whole[end:] == bytes(len(whole) - end)
    harmed = [whole[:cut] for cut in (*range(512, end + 512, 512), 700, end + 100)]
    harmed += [bytes([*whole[:at], whole[at] ^ 255, *whole[at + 1 :]]) for at in (1536, 1700)]
    for data in harmed:
        path.write_bytes(gzip.compress(data) if ending else data)
        with pytest.raises(errors.StorageError, match="cannot be unpacked"):
            pool.add(path)
    data = whole[: end + 512]
    path.write_bytes(gzip.compress(data) if ending else data)
    assert sorted(pool.add(path).product.refs) == ["one", "two"]


def test_a_tar_of_an_observation_is_named_by_its_header(pool, tmp_path):
    top = tmp_path / "anything"
    image(top / "level2" / "PSW" / "a.fits", OBSID=1342182452, INSTRUME="SPIRE")
    image(top / "level1" / "b.fits", OBSID=1342182452, INSTRUME="SPIRE")
    path = tmp_path / "download1647421891.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(top, "anything")
    ref = pool.add(path)
    assert (ref.name, ref.kind) == ("1342182452", "ObservationContext")
    assert ref.meta["obsid"].value == 1342182452
    assert pool.obs(1342182452) == ref
    assert pool.obs(1342182452, instrument="spire") == ref
    with pytest.raises(errors.NotFound):
        pool.obs(1342182452, instrument="PACS")
    assert pool.add_report(path).saved == []


def test_contradicting_data_are_refused(pool, tmp_path):
    path = image(tmp_path / "m.fits", 1, OBSID=1, INSTRUME="PACS")
    pool.add(path)
    image(path, 2, OBSID=2, INSTRUME="PACS")
    with pytest.raises(errors.NameConflict, match="obsid"):
        pool.add(path)
    assert len(pool.history()) == 1
    assert pool.add(path, as_version=True).version == 1
    image(path, 3, INSTRUME="PACS")  # says nothing of it
    assert pool.add(path).version == 2


def test_what_cannot_be_read_is_skipped_and_said(pool, tree):
    (tree / "broken").symlink_to(tree / "nowhere")
    (tree / "loop").symlink_to(tree)
    os.mkfifo(tree / "pipe")
    (tree / "link.txt").symlink_to(tree / "with blank & ümlaut.txt")
    report = pool.add_report(tree)
    assert {Path(path).name: reason for path, reason in report.skipped} == {
        "broken": "a broken symbolic link",
        "loop": "a symbolic link to a folder above",
        "pipe": "a named pipe",
    }
    assert pool["obs/link.txt"].size == 4


def test_the_pool_itself_is_not_added(tmp_path, tree):
    with sp.Pool(tree / "pool") as pool:
        first = pool.add_report(tree)
        assert first.skipped == []
        assert not [ref.name for ref in pool.ls() if "pool" in ref.name]
        assert pool.add_report(tree).saved == []


def test_files_in_place(pool, tree, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in tree.rglob("*")}
    for folder in [tree, *(p for p in tree.rglob("*") if p.is_dir())]:
        folder.chmod(0o500)
    try:
        report = pool.add_report(tree, in_place=True)
        ref = report.refs[0]
        assert report.bytes_added < 15_000 < report.bytes_in
        assert {p: p.stat().st_mtime_ns for p in tree.rglob("*")} == before
        assert pool["obs/level2/PSW"].path == str(tree / "level2" / "PSW.fits")
        psw = pool["obs/level2/PSW"].product["image"]
        np.testing.assert_array_equal(
            psw[100:120, 50:60], fits.getdata(tree / "level2" / "PSW.fits")[100:120, 50:60]
        )
        assert len(pool["obs/calibration/table"].product.datasets) == 1
        pool.export(ref, tmp_path / "out")
        assert same(tree, tmp_path / "out")
    finally:
        for folder in [tree, *(p for p in tree.rglob("*") if p.is_dir())]:
            folder.chmod(0o700)


def test_changed_and_missing_files_in_place_are_errors(pool, tmp_path):
    path = image(tmp_path / "a.fits", OBJECT="M83")
    pool.add(path, in_place=True)
    first = pool["a.fits"].product["image"]
    assert first.shape == (300, 280)
    data = bytearray(path.read_bytes())
    data[-3000] ^= 1
    status = path.stat()
    path.write_bytes(data)
    with pytest.raises(errors.SourceChanged):
        np.asarray(sp.Pool(pool.path, "r")["a.fits"].product["image"])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # a change that hides
    with pytest.raises(errors.SourceChanged, match="size and time"):
        np.asarray(sp.Pool(pool.path, "r")["a.fits"].product["image"])
    path.unlink()
    with pytest.raises(errors.SourceMissing):
        np.asarray(sp.Pool(pool.path, "r")["a.fits"].product["image"])
    assert pool["a.fits"].meta["OBJECT"].value == "M83"  # metadata stay
    assert first.max() > 0  # and so do statistics


def test_a_changed_copy_of_a_product_in_place_stands_alone(pool, tmp_path):
    path = image(tmp_path / "a.fits")
    values = fits.getdata(path).copy()
    pool.add(path, in_place=True)
    pool.save(pool["a.fits"].product.replace(meta={"n": 1}), name="new")
    path.unlink()
    with sp.Pool(pool.path, "r") as again:
        np.testing.assert_array_equal(np.asarray(again["new"].product["image"]), values)


def test_files_in_place_that_moved_are_found_again(pool, tmp_path):
    path = image(tmp_path / "a.fits")
    pool.add(path, in_place=True)
    moved = tmp_path / "sub" / "a.fits"
    moved.parent.mkdir()
    path.rename(moved)
    report = pool.add_report(moved, in_place=True)
    assert (report.saved, report.unchanged) == ([], 1)
    with sp.Pool(pool.path, "r") as again:
        assert again["a.fits"].product["image"][0].shape == (280,)
        assert again["a.fits"].path == str(moved)


def test_content_in_place_does_not_count_as_stored(pool, tmp_path):
    path = image(tmp_path / "a.fits")
    pool.add(path, in_place=True)
    copy = image(tmp_path / "b.fits")
    pool.add(copy)
    path.unlink()
    assert filecmp.cmp(copy, pool["b.fits"].path, shallow=False)
    pool.export("b.fits", tmp_path / "out")
    assert filecmp.cmp(copy, tmp_path / "out" / "b.fits", shallow=False)


@pytest.mark.parametrize("name", ["a.fits", "b.fits.gz"])
def test_path_is_a_real_read_only_file(pool, tmp_path, name):
    path = image(tmp_path / "a.fits")
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(path.read_bytes(), 9))
    ref = pool.add(tmp_path / name)
    assert Path(ref.path).name == name
    assert filecmp.cmp(ref.path, tmp_path / name, shallow=False)
    assert not os.stat(ref.path).st_mode & 0o222
    assert ref.path == ref.path
    np.testing.assert_array_equal(fits.getdata(ref), fits.getdata(path))


def test_the_cache_of_files_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYPOOL_CACHE_BYTES", "1000000")
    pool = sp.Pool(tmp_path / "pool")
    refs = [pool.add(image(tmp_path / f"{n}.fits", n)) for n in range(5)]
    paths = [ref.path for ref in refs]
    kept = [os.path.exists(path) for path in paths]
    assert kept[-1]
    assert sum(kept) == 2
    assert filecmp.cmp(refs[0].path, tmp_path / "0.fits", shallow=False)


def test_export_refuses_to_overwrite(pool, tmp_path):
    pool.add(image(tmp_path / "a.fits"))
    pool.export("a.fits", tmp_path / "out")
    with pytest.raises(errors.Conflict):
        pool.export("a.fits", tmp_path / "out")
    pool.export("a.fits", tmp_path / "out", overwrite=True)
    assert os.listdir(tmp_path / "out") == ["a.fits"]


def test_a_failure_in_the_middle_commits_nothing(pool, tree, monkeypatch):
    from skypool.pool import reading_files as adding

    original = adding.read_file
    count = iter(range(100))

    def fail(*args):
        if next(count) == 4:
            raise errors.DiskFull("no room left")
        return original(*args)

    monkeypatch.setattr(adding, "read_file", fail)
    with pytest.raises(errors.DiskFull):
        pool.add(tree)
    assert len(pool) == 0
    assert pool.history() == []
    monkeypatch.undo()
    assert pool.add(tree).name == "obs"


def test_members_of_an_archive_that_lead_out_of_it_are_left_out(tmp_path):
    def member(name, kind=tarfile.REGTYPE, link=""):
        found = tarfile.TarInfo(name)
        found.type, found.linkname, found.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
        return found

    hostile = [
        member("obs/good.txt"), member("../evil.txt"), member(str(tmp_path / "evil.txt")),
        member("obs/out", tarfile.SYMTYPE, "../.."), member("obs/out/evil.txt"),
        member("obs/far", tarfile.SYMTYPE, "/etc"), member("obs/hard", tarfile.LNKTYPE, "../evil"),
        member("obs/pipe", tarfile.FIFOTYPE),
    ]  # fmt: skip
    with tarfile.open(tmp_path / "obs.tar", "w") as archive:
        for found in hostile:
            archive.addfile(found, io.BytesIO(b"abc") if found.size else None)
    pool = sp.Pool(tmp_path / "pool")
    report = pool.add_report(tmp_path / "obs.tar")
    assert {path.rpartition(": ")[2] for path, _ in report.skipped} >= {
        "../evil.txt", str(tmp_path / "evil.txt"), "obs/out", "obs/far", "obs/hard", "obs/pipe",
    }  # fmt: skip
    assert not list(tmp_path.rglob("evil.txt"))
    assert "obs/good.txt" in [ref.name for ref in pool.ls()]


def test_what_a_package_would_read_is_read_once_it_is_there(pool, tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr("skypool.pool.seen_before._CLOCK_GRAIN_NS", -(10**18))
    with h5py.File(tmp_path / "values.h5", "w") as file:
        file["a"] = np.arange(12.0)
    with monkeypatch.context() as without:
        without.setattr("skypool.formats.parsing.find_spec", lambda name: None)
        for _ in range(2):
            report = pool.add_report([tmp_path / "values.h5"])
            assert [reason for _, reason in report.opaque] == ["install skypool[hdf5] to read it"]
    ref = pool.add(tmp_path / "values.h5")
    assert (ref.version, list(ref.product.datasets)) == (1, ["a"])
    assert pool.add_report([tmp_path / "values.h5"]).files_read == 0


def test_a_folder_that_a_package_would_read_says_so(pool, tmp_path, monkeypatch):
    def missing(load, extra):
        raise errors.MissingDependency(f"install skypool[{extra}] to read it")

    images = Path(__file__).parents[1] / "formats" / "data" / "casa_images.tar.xz"
    with tarfile.open(images) as archive:
        archive.extractall(tmp_path, filter="data")
    with monkeypatch.context() as without:
        without.setattr("skypool.formats.casa_tables.optional_import", missing)
        report = pool.add_report([tmp_path / "cube.image"])
    assert report.opaque == [("cube.image", "install skypool[casa] to read it")]
    said = report.refs[0].product["content"].description
    assert said == "not read: install skypool[casa] to read it"
