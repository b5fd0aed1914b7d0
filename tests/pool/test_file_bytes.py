"""Any bytes of the files that products become are those that export writes."""

from __future__ import annotations

import gzip
import io
import os
import threading
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool.errors import NotFound, StorageError, UsageError
from skypool.formats.fits import laid_out
from skypool.pool.file_bytes import file_bytes, file_size
from skypool.testing.strategies import products

CAMPAIGN = os.environ.get("HYPOTHESIS_PROFILE") == "campaign"


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        yield pool


def exported(pool: sp.Pool, ref: sp.Ref, folder: Path) -> bytes:
    report = pool.export(ref, folder / f"out-{ref.number}", overwrite=True)
    return Path(report.files[0]).read_bytes()


def ranges(size: int, seed: int = 3) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    some = [(int(rng.integers(0, size + 1)), int(rng.integers(0, 9000))) for _ in range(12)]
    return [
        (0, size),
        (0, 1),
        (0, size + 5),
        (max(0, size - 3), 10),
        (size, 4),
        (size + 9, 4),
        *some,
    ]


def check(pool: sp.Pool, ref: sp.Ref, folder: Path) -> bytes:
    data = exported(pool, ref, folder)
    told = file_size(ref)
    assert told in (len(data), None)
    with file_bytes(ref) as found:
        assert found.size_is_known == (told is not None)
        assert found.size == len(data)
        for offset, length in ranges(len(data)):
            assert found.pread(offset, length) == data[offset : offset + length], (offset, length)
    return data


@settings(max_examples=settings().max_examples if CAMPAIGN else 20)
@given(product=products(), small=st.sampled_from((-1, 256 * 1024)))
def test_products_made_in_memory(tmp_path_factory, product, small):
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch, sp.Pool(folder / "pool") as pool:
        patch.setattr(laid_out, "_SMALL", small)
        ref = pool.save(product, name="x")
        if not (ref.is_context and pool.export(ref, folder / "try").files == []):
            check(pool, ref, folder)


def test_arrays_and_tables_are_read_where_they_are_touched(pool, tmp_path):
    rng = np.random.default_rng(1)
    rows = 90_000
    table = Table(
        {
            "flux": rng.normal(size=rows),
            "count": rng.integers(0, 60_000, rows).astype("u2"),
            "spectrum": rng.normal(size=(rows, 3)).astype("f4"),
            "maybe": MaskedColumn(rng.integers(0, 9, rows), mask=rng.random(rows) < 0.1),
            "good": rng.random(rows) < 0.5,
        }
    )
    product = sp.Product(
        kind="SimpleImage",
        type="MAP",
        datasets={
            "image": rng.normal(size=(1500, 1100)).astype("f4"),
            "flags": rng.integers(0, 2**32, (700, 600), dtype="u4"),
            "complex": (rng.normal(size=(300, 300)) + 1j).astype("c8"),
            "mask": rng.random((400, 300)) < 0.5,
            "signed": rng.integers(-128, 127, (300, 257)).astype("i1"),
            "table": table,
            "plain": table["flux", "spectrum"],
        },
        refs={"calibration": pool.save(sp.Product(datasets={"a": np.zeros(3)}), name="cal")},
    )
    ref = pool.save(product, name="m")
    check(pool, ref, tmp_path)
    with sp.Pool(tmp_path / "pool", "r") as again:
        store = again.view.session.store
        with file_bytes(again["m"]) as found:
            before = store.bytes_read
            found.pread(4 * 1100 * 700, 5000)
            # A few tiles of 256 kB at most.
            assert 0 < store.bytes_read - before < 3_000_000


def test_scaled_images_of_files_come_as_their_values(pool, tmp_path):
    path = tmp_path / "scaled.fits"
    image = fits.PrimaryHDU(np.arange(90_000, dtype="i2").reshape(300, 300))
    image.header["BSCALE"], image.header["BZERO"], image.header["BLANK"] = 0.5, 3.0, 7
    image.writeto(path)
    unsigned = fits.PrimaryHDU(np.arange(90_000, dtype="u4").reshape(300, 300))
    unsigned.writeto(tmp_path / "unsigned.fits")
    columns = [
        fits.Column("a", "1I", array=np.arange(90_000, dtype="i2") % 999),
        fits.Column("b", "1L", array=np.arange(90_000) % 2 == 0),
        fits.Column("c", "1E", array=np.arange(90_000, dtype="f4")),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header["TSCAL1"] = 2.0  # the bytes stay
    table.writeto(tmp_path / "table.fits")
    datasets = {}
    for name in ("scaled", "unsigned", "table"):
        ref = pool.add(tmp_path / f"{name}.fits")
        check(pool, ref, tmp_path)
        datasets |= {f"{name}{n}": data for n, data in enumerate(ref.product.datasets.values())}
    check(pool, pool.save(sp.Product(datasets=datasets), name="reused"), tmp_path)


def test_files_that_were_added(pool, tmp_path):
    rng = np.random.default_rng(4)
    buffer = io.BytesIO()
    fits.HDUList(
        [
            fits.PrimaryHDU(rng.normal(size=(600, 500)).astype("f4")),
            fits.BinTableHDU(Table({"n": np.arange(40_000), "t": ["some text"] * 40_000})),
        ]
    ).writeto(buffer)
    data = buffer.getvalue()
    odd = zlib.compressobj(6, zlib.DEFLATED, 31, 8, zlib.Z_FILTERED)
    made = {
        "image.fits": data,
        "opaque.bin": rng.bytes(3_000_000),
        "empty": b"",
        "again.fits.gz": gzip.compress(data, 6, mtime=1),
        "stream.fits.gz": odd.compress(data) + odd.flush(),
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
        ref = pool.add(tmp_path / name, name=name)
        assert file_size(ref) == len(content)
        assert check(pool, ref, tmp_path) == content
    assert pool.add(tmp_path / "image.fits", name="here.fits", in_place=True).size == len(data)
    check(pool, pool["here.fits"], tmp_path)


def test_sizes_that_only_the_file_tells(pool, tmp_path):
    (tmp_path / "c.fits.gz").write_bytes(gzip.compress(b"text " * 9000, 1))
    ref = pool.add(tmp_path / "c.fits.gz", name="c.gz", gzip="content")
    assert file_size(ref) is None
    assert gzip.decompress(check(pool, ref, tmp_path)) == b"text " * 9000

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laid_out, "_LARGEST", 1000)
        texts = Table({"name": [f"source {n}" for n in range(40_000)]})
        ref = pool.save(sp.Product(datasets={"t": texts}), name="texts")
        assert file_size(ref) is None
        check(pool, ref, tmp_path)
    assert file_size(ref) == len(exported(pool, ref, tmp_path))


def test_files_of_a_folder_product(pool, tmp_path):
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    zarr.save_array(str(tmp_path / "cube.zarr"), np.arange(9000).reshape(90, 100))
    ref = pool.add(tmp_path / "cube.zarr", name="cube.zarr")
    files = [path for path, file in ref.document["tree"] if file is not None]
    assert files
    for path in files:
        data = (tmp_path / "cube.zarr" / path).read_bytes()
        assert file_size(ref, path) == len(data)
        with file_bytes(ref, path) as found:
            assert found.pread(0, 10**6) == data
            assert found.pread(3, 4) == data[3:7]
    with pytest.raises(NotFound, match="no file 'nothing'"):
        file_bytes(ref, "nothing")


def test_folders_have_no_bytes(pool, tmp_path):
    (tmp_path / "obs").mkdir()
    (tmp_path / "obs" / "a.txt").write_text("a")
    with pytest.raises(UsageError, match="is a folder"):
        file_bytes(pool.add(tmp_path / "obs", name="obs"))


def test_twins_with_other_references_have_files_of_their_own(pool, tmp_path):
    """The file says what the product refers to, which its document does not."""
    made = [pool.save(sp.Product(datasets={"a": np.full(3, n)}), name=f"c{n}") for n in range(2)]
    when = datetime(2020, 1, 1, tzinfo=UTC)
    for target in made:
        product = sp.Product(
            datasets={"b": np.ones(3)}, refs={"calibration": target}, creationDate=when
        )
        ref = pool.save(product, name="p")
        assert Path(ref.path).read_bytes() == exported(pool, ref, tmp_path)
    assert len({ref.hash for ref in ref.versions}) == 1


def test_folders_in_the_cache_are_those_of_their_version(pool, tmp_path):
    (tmp_path / "obs").mkdir()
    for text in ("old", "new"):
        (tmp_path / "obs" / "a.txt").write_text(text)
        ref = pool.add(tmp_path / "obs", name="obs", force_read=True)
        assert Path(ref.path, "a.txt").read_text() == text


def test_a_file_that_leaves_the_cache_is_made_again(pool, tmp_path, monkeypatch):
    data = gzip.compress(os.urandom(10_000), 6, mtime=1)
    (tmp_path / "a.gz").write_bytes(data)
    ref = pool.add(tmp_path / "a.gz", name="a.gz")
    assert "stream" not in ref.document["file"]["wrapper"]
    os.unlink(ref.path)
    with file_bytes(ref) as found:
        assert found.pread(0, 10) == data[:10]
        os.unlink(ref.path)  # the open one stays
        assert found.pread(10, 10**6) == data[10:]
    monkeypatch.setattr("skypool.pool.file_bytes.cached_path", lambda _: str(tmp_path / "gone"))
    with file_bytes(ref) as found, pytest.raises(StorageError, match="taken from the cache"):
        found.pread(0, 1)


def test_threads_share_one(pool, tmp_path):
    rng = np.random.default_rng(6)
    data = rng.normal(size=(700, 700)).astype("f4")
    ref = pool.save(sp.Product(datasets={"image": data}), name="m")
    whole = exported(pool, ref, tmp_path)
    wrong = []
    with file_bytes(ref) as found:

        def read(seed: int) -> None:
            wrong.extend(
                (offset, length)
                for offset, length in ranges(len(whole), seed)
                if found.pread(offset, length) != whole[offset : offset + length]
            )

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
