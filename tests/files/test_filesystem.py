"""Pools through fsspec."""

from __future__ import annotations

import gc
import io
import os
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skypool as sp
from skypool.errors import SkypoolError, SourceChanged, SourceMissing
from skypool.files.opened import ReadingFile

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

fsspec = pytest.importorskip("fsspec", reason="needs fsspec")
SkypoolFileSystem = pytest.importorskip("skypool.files.filesystem").SkypoolFileSystem


@pytest.fixture
def fs(tmp_path: Path) -> Iterator[AbstractFileSystem]:
    rng = np.random.default_rng(2)
    folder = tmp_path / "1342182452"
    (folder / "level2").mkdir(parents=True)
    image = fits.PrimaryHDU(rng.normal(size=(600, 700)).astype(">f4"))
    image.writeto(folder / "level2" / "PSW.fits")
    (folder / "notes.csv").write_text("ra,dec\n1.5,2\n2.5,3\n")
    with sp.Pool("temp1") as pool:
        pool.add(folder, name="1342182452", tags=["first look"])
        sources = Table({"name": ["a", "b"], "flux": [1.0, 2.0]})
        pool.save(sp.Product(datasets={"sources": sources}), name="catalogues/m83")
    fs = fsspec.filesystem("skypool")
    yield fs
    fs.close()
    SkypoolFileSystem.clear_instance_cache()


def data(tmp_path: Path) -> bytes:
    return (tmp_path / "1342182452" / "level2" / "PSW.fits").read_bytes()


PSW = "skypool://temp1/1342182452/level2/PSW.fits"


def test_it_is_registered(fs: AbstractFileSystem) -> None:
    assert isinstance(fs, SkypoolFileSystem)
    assert isinstance(fsspec.core.url_to_fs(PSW)[0], SkypoolFileSystem)
    assert fsspec.core.url_to_fs(PSW)[1] == PSW.removeprefix("skypool://")


def test_listing(fs: AbstractFileSystem, tmp_path: Path) -> None:
    assert fs.ls("skypool://", detail=False) == ["temp1"]
    assert fs.ls("temp1", detail=False) == ["temp1/1342182452", "temp1/catalogues"]
    assert fs.find("skypool://temp1") == [
        "temp1/1342182452/level2/PSW.fits",
        "temp1/1342182452/notes.csv",
        "temp1/catalogues/m83.fits",
    ]
    assert fs.glob("skypool://temp1/*/level2/*.fits") == ["temp1/1342182452/level2/PSW.fits"]
    assert fs.du("temp1/1342182452") == len(data(tmp_path)) + 19
    assert [(top, files) for top, _, files in fs.walk("temp1/1342182452")] == [
        ("temp1/1342182452", ["notes.csv"]),
        ("temp1/1342182452/level2", ["PSW.fits"]),
    ]
    assert fs.isdir("temp1/1342182452/level2")
    assert not fs.exists("temp1/nothing")
    assert not fs.exists("nothing/at/all")
    with pytest.raises(FileNotFoundError, match="no pool"):
        fs.ls("temp2")
    with pytest.raises(FileNotFoundError, match="'1342182452/level3'"):
        fs.ls("temp1/1342182452/level3")


def test_info(fs: AbstractFileSystem, tmp_path: Path) -> None:
    path = tmp_path / "1342182452" / "notes.csv"
    found = fs.info("skypool://temp1/1342182452/notes.csv")
    assert found == {
        "name": "temp1/1342182452/notes.csv",
        "size": 19,
        "type": "file",
        "mtime": path.stat().st_mtime_ns / 1e9,
        "urn": found["urn"],
        "version": 0,
        "kind": found["kind"],
        "tags": (),
    }
    assert fs.info("temp1/1342182452")["tags"] == ("first look",)
    assert fs.modified(PSW) <= fs.created(PSW) <= datetime.now(UTC)
    before = fs.checksum(PSW), fs.ukey(PSW)
    fs.pipe_file("temp1/copy.fits", data(tmp_path))
    assert fs.checksum("temp1/copy.fits") == before[0]
    assert fs.ukey("temp1/copy.fits") != before[1]
    fs.pipe_file("temp1/copy.fits", b"other")
    assert fs.checksum("temp1/copy.fits") != before[0]
    with pytest.raises(IsADirectoryError):
        fs.checksum("temp1/1342182452")


def test_full_paths(fs: AbstractFileSystem, tmp_path: Path, monkeypatch) -> None:
    with sp.Pool(tmp_path / "deep" / "pool") as pool:
        pool.save(sp.Product(datasets={"a": np.zeros(3)}), name="maps/a.fits")
    url = f"skypool://{tmp_path}/deep/pool/maps/a.fits"
    assert fsspec.open(url).open().read(6) == b"SIMPLE"
    assert fs.unstrip_protocol(fs._strip_protocol(url)) == url
    assert fs.find(f"{tmp_path}/deep/pool") == [url.removeprefix("skypool://")]
    monkeypatch.chdir(tmp_path)
    assert fs.isfile("skypool://./deep/pool/maps/a.fits")
    with pytest.raises(FileNotFoundError, match="no folder of this path is a pool"):
        fs.info(f"{tmp_path}/deep/other/a.fits")


def test_reading(fs: AbstractFileSystem, tmp_path: Path) -> None:
    whole = data(tmp_path)
    assert fs.cat(PSW) == whole
    assert fs.cat_file(PSW, 10, 30) == whole[10:30]
    assert fs.cat_file(PSW, -30) == whole[-30:]
    assert fs.cat_file(PSW, 30, 10) == b""
    assert fs.cat_ranges([PSW, PSW], [0, 5], [3, 9]) == [whole[:3], whole[5:9]]
    assert fs.head(PSW, 6) == b"SIMPLE"
    rng = np.random.default_rng(4)
    with fs.open(PSW) as file:
        assert isinstance(file, ReadingFile)
        assert (file.size, file.path) == (len(whole), PSW.removeprefix("skypool://"))
        for _ in range(60):
            at, length = int(rng.integers(0, len(whole))), int(rng.integers(0, 500_000))
            file.seek(at)
            assert file.read(length) == whole[at : at + length]
            assert file.tell() == min(len(whole), at + length)
        file.seek(-5, os.SEEK_END)
        assert file.read() == whole[-5:]
        file.seek(0)
        assert b"".join(iter(lambda: file.read(2880), b"")) == whole
        file.seek(0)
        assert file.read() == whole
        with pytest.raises(ValueError, match="no place"):
            file.raw.seek(-1)
        again = pickle.loads(pickle.dumps(file))
        assert again.read(6) == b"SIMPLE"
        again.close()
    with fs.open("temp1/1342182452/notes.csv", "r") as text:
        assert text.readlines() == ["ra,dec\n", "1.5,2\n", "2.5,3\n"]


def test_wrappers_that_cache(fs: AbstractFileSystem, tmp_path: Path) -> None:
    content = data(tmp_path)
    for wrapper in ("simplecache", "filecache"):
        options = {wrapper: {"cache_storage": str(tmp_path / wrapper)}}
        for _ in range(2):
            with fsspec.open(f"{wrapper}::{PSW}", "rb", **options) as file:
                file.seek(-100, os.SEEK_END)
                assert file.read() == content[-100:]
                file.seek(1000)
                assert file.read(3000) == content[1000:4000]


def test_touch(fs: AbstractFileSystem) -> None:
    fs.touch("temp1/empty")
    assert fs.cat("temp1/empty") == b""
    with pytest.raises(NotImplementedError, match="times"):
        fs.touch("temp1/empty", truncate=False)


def test_only_chunks_that_are_touched_are_read(fs: AbstractFileSystem, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(1024, 1024)).astype("f4")
    with sp.Pool("temp1") as pool:
        pool.save(sp.Product(datasets={"image": noise}), name="large")
    with fits.open("skypool://temp1/large.fits", use_fsspec=True) as opened:
        store = fs._opened["temp1"].pool.view.session.store
        before = store.bytes_read
        part = opened["image"].section[300:310, 300:310]
        assert np.array_equal(part, noise[300:310, 300:310])
        assert 0 < store.bytes_read - before < noise.nbytes / 3


def test_special_folders(fs: AbstractFileSystem, tmp_path: Path) -> None:
    fs.pipe_file("temp1/1342182452/notes.csv", b"ra,dec\n")
    old = "skypool://temp1/@versions/1342182452/notes.csv/notes@0.csv"
    assert fs.cat(old).startswith(b"ra,dec\n1.5")
    assert fs.ls("temp1/@tags/first look", detail=False) == ["temp1/@tags/first look/1342182452"]
    found = fs.find("temp1/@search/name == 'catalogues%2Fm83'")
    assert [path.rpartition("/")[2] for path in found] == ["m83.fits"]
    assert fs.cat("temp1/@at/1/1342182452/notes.csv").startswith(b"ra,dec\n1.5")
    with pytest.raises(PermissionError, match="@tags"):
        fs.pipe_file("temp1/@tags/x/y", b"")


def test_astropy_reads_and_writes(fs: AbstractFileSystem, tmp_path: Path) -> None:
    with fits.open(PSW, use_fsspec=True) as opened:
        expected = fits.getdata(io.BytesIO(data(tmp_path)))
        assert np.array_equal(opened[0].section[10:20, 5:9], expected[10:20, 5:9])
        assert np.array_equal(opened[0].data, expected)
    table = Table.read("skypool://temp1/catalogues/m83.fits", hdu=1, format="fits", use_fsspec=True)
    assert list(table["flux"]) == [1.0, 2.0]
    with fs.open("temp1/1342182452/notes.csv") as file:
        assert list(Table.read(file, format="ascii.csv")["dec"]) == [2, 3]
    with fs.open("temp1/new/image.fits", "wb") as file:
        fits.PrimaryHDU(np.arange(6.0).reshape(2, 3)).writeto(file)
    with sp.Pool("temp1") as pool:
        assert pool["new/image.fits"].product["image"].shape == (2, 3)


def test_pandas_and_dask(fs: AbstractFileSystem) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = pandas.read_csv("skypool://temp1/1342182452/notes.csv")
    assert frame["ra"].tolist() == [1.5, 2.5]
    frame.to_csv("skypool://temp1/out.csv", index=False)
    assert fs.cat("temp1/out.csv") == b"ra,dec\n1.5,2\n2.5,3\n"
    bytes_ = pytest.importorskip("dask.bytes", reason="needs dask")
    _, blocks = bytes_.read_bytes("skypool://temp1/1342182452/*.csv", blocksize=8, sample=False)
    import dask

    parts = dask.compute(*blocks[0], scheduler="synchronous")
    assert b"".join(parts) == b"ra,dec\n1.5,2\n2.5,3\n"
    assert len(parts) > 1


def test_arrow_reads_parquet(fs: AbstractFileSystem) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    import pyarrow as pa

    with fs.open("temp1/t.parquet", "wb") as file:
        parquet.write_table(pa.table({"a": list(range(1000))}), file)
    assert parquet.read_table("temp1/t.parquet", filesystem=fs)["a"][999].as_py() == 999


def test_xarray_and_zarr_open_a_store_in_a_pool(fs: AbstractFileSystem, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    xarray = pytest.importorskip("xarray", reason="needs xarray")
    made = xarray.Dataset({"flux": (("y", "x"), np.arange(6.0).reshape(2, 3))})
    made.to_zarr(tmp_path / "cube.zarr", consolidated=False)
    with sp.Pool("temp1") as pool:
        pool.add(tmp_path / "cube.zarr", name="cube.zarr")
    assert zarr.open("skypool://temp1/cube.zarr/flux", mode="r")[1, 2] == 5
    with xarray.open_zarr("skypool://temp1/cube.zarr", consolidated=False) as found:
        assert found["flux"].values.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_hdf5(fs: AbstractFileSystem) -> None:
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    out = io.BytesIO()
    with h5py.File(out, "w") as made:
        made["a"] = np.arange(5000)
    fs.pipe_file("temp1/a.h5", out.getvalue())
    with fs.open("temp1/a.h5") as file, h5py.File(file) as found:
        assert found["a"][4000] == 4000


def history(pool: str = "temp1") -> list[str]:
    with sp.Pool(pool, "r") as found:
        return [entry.message for entry in found.history()]


def test_each_file_that_is_written_is_a_commit(fs: AbstractFileSystem, tmp_path: Path) -> None:
    commits = len(history())
    for text in ("one", "two"):
        with fs.open("temp1/new/a.txt", "w") as file:
            file.write(text)
    assert history()[:2] == ["write new/a.txt (fsspec)"] * 2
    assert len(history()) == commits + 2
    assert fs.info("temp1/new/a.txt")["version"] == 1
    with fs.open("temp1/new/a.txt", "ab") as file:
        file.write(b" three")
    assert fs.cat("temp1/new/a.txt") == b"two three"
    with pytest.raises(FileExistsError):
        fs.open("temp1/new/a.txt", "xb")
    with pytest.raises(FileExistsError):
        fs.put_file(__file__, "temp1/new/a.txt", mode="create")
    fs.put(str(tmp_path / "1342182452"), "temp1/again/", recursive=True)
    assert fs.cat("temp1/again/1342182452/level2/PSW.fits") == data(tmp_path)
    with pytest.raises(ValueError, match="opened with"):
        fs.open("temp1/new/a.txt", "r+b")
    with pytest.raises(IsADirectoryError):
        fs.open("temp1/new", "wb")
    with pytest.raises(IsADirectoryError, match="a folder, not a file"):
        fs.open("temp1/new", "rb")


def test_a_transaction_is_one_commit(fs: AbstractFileSystem) -> None:
    commits = len(history())
    with fs.transaction:
        for n in range(5):
            fs.pipe_file(f"temp1/t/{n}.txt", b"%d" % n)
        assert not fs.exists("temp1/t/0.txt")
    assert history()[0] == "write 5 files (fsspec)"
    assert len(history()) == commits + 1
    assert fs.cat("temp1/t/4.txt") == b"4"
    with pytest.raises(RuntimeError), fs.transaction:
        fs.pipe_file("temp1/t/5.txt", b"")
        raise RuntimeError
    assert not fs.exists("temp1/t/5.txt")
    assert len(history()) == commits + 1
    assert not list(Path(os.environ["SKYPOOL_CACHE"], "writing").iterdir())


def test_what_is_not_finished_is_not_written(fs: AbstractFileSystem) -> None:
    with pytest.raises(RuntimeError), fs.open("temp1/half.txt", "wb") as file:
        file.write(b"half")
        raise RuntimeError
    assert not fs.exists("temp1/half.txt")
    file = fs.open("temp1/half.txt", "wb")
    file.write(b"half")
    del file
    gc.collect()
    assert not fs.exists("temp1/half.txt")
    assert not list(Path(os.environ["SKYPOOL_CACHE"], "writing").iterdir())


def test_removing_and_renaming(fs: AbstractFileSystem) -> None:
    commits = len(history())
    fs.mv("temp1/1342182452/notes.csv", "temp1/1342182452/level2/")
    assert fs.ls("temp1/1342182452/level2", detail=False)[-1].endswith("level2/notes.csv")
    fs.mv("temp1/1342182452", "temp1/observation", recursive=True)
    assert fs.exists("temp1/observation/level2/notes.csv")
    with pytest.raises(IsADirectoryError):
        fs.rm("temp1/observation")
    fs.rm("temp1/observation", recursive=True)
    assert fs.ls("temp1", detail=False) == ["temp1/catalogues"]
    assert len(history()) == commits + 3
    with sp.Pool("temp1") as pool:
        pool.restore("observation")
    assert fs.exists("temp1/observation/level2/notes.csv")
    fs.rm("temp1/observation/*/*.csv")
    assert fs.find("temp1/observation") == ["temp1/observation/level2/PSW.fits"]
    with pytest.raises(FileNotFoundError):
        fs.rm("temp1/nothing")


def test_folders_and_pools_are_made(fs: AbstractFileSystem) -> None:
    with pytest.raises(FileNotFoundError, match="no pool"):
        fs.pipe_file("temp2/a.txt", b"")
    fs.mkdir("skypool://temp2")
    fs.pipe_file("temp2/a.txt", b"a")
    fs.cp("temp2/a.txt", "temp1/b.txt")
    fs.mv("temp2/a.txt", "temp1/c.txt")
    assert (fs.cat("temp1/b.txt"), fs.cat("temp1/c.txt")) == (b"a", b"a")
    assert not fs.exists("temp2/a.txt")
    with pytest.raises(FileExistsError):
        fs.mkdir("temp2")
    fs.makedirs("temp2/x/y", exist_ok=True)
    fs.makedirs("temp2/x/y", exist_ok=True)
    assert fs.ls("temp2", detail=False) == ["temp2/x"]
    with pytest.raises(FileExistsError):
        fs.makedirs("temp2/x/y")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir("temp2/x")
    fs.rmdir("temp2/x/y")
    with pytest.raises(FileNotFoundError):
        fs.mkdir("temp2/p/q", create_parents=False)


def test_read_only(fs: AbstractFileSystem) -> None:
    reading = fsspec.filesystem("skypool", read_only=True)
    assert reading.cat("temp1/1342182452/notes.csv")
    for change in (
        lambda: reading.pipe_file("temp1/a", b""),
        lambda: reading.rm("temp1/1342182452/notes.csv"),
        lambda: reading.mkdir("temp3"),
        lambda: reading.mv("temp1/1342182452/notes.csv", "temp1/x"),
    ):
        with pytest.raises(PermissionError, match="read only"):
            change()
    again = pickle.loads(pickle.dumps(reading))
    assert again.read_only
    reading.close()
    again.close()


def test_errors_are_those_of_files(fs: AbstractFileSystem, tmp_path: Path) -> None:
    kept = tmp_path / "kept.bin"
    kept.write_bytes(os.urandom(3_000_000))
    with sp.Pool("temp1") as pool:
        pool.add(kept, name="kept.bin", in_place=True)
    kept.unlink()
    with fs.open("temp1/kept.bin") as file, pytest.raises(OSError, match=r"kept\.bin") as caught:
        file.read()
    assert isinstance(caught.value.__cause__, SourceMissing | SourceChanged)
    with pytest.raises(FileNotFoundError) as missing:
        fs.open("temp1/@search/max(/a")
    assert missing.value.filename == "temp1/@search/max(/a"


def test_a_pool_that_cannot_be_opened(fs: AbstractFileSystem, tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "broken") as pool:
        pool.save(sp.Product(datasets={"a": np.zeros(3)}), name="a")
    (tmp_path / "broken" / "catalogue.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match="catalogue") as caught:
        fs.ls(f"{tmp_path}/broken")
    assert isinstance(caught.value.__cause__, SkypoolError)


def test_it_sees_what_others_change(fs: AbstractFileSystem) -> None:
    assert not fs.exists("temp1/later.txt")
    other = SkypoolFileSystem(skip_instance_cache=True)
    other.pipe_file("temp1/later.txt", b"later")
    other.close()
    assert fs.cat("temp1/later.txt") == b"later"
