"""Only what is asked for is read: counted in bytes, and in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import skypool as sp


@pytest.fixture
def pool(tmp_path):
    path = tmp_path / "pool"
    rng = np.random.default_rng(5)
    with sp.Pool(path) as pool:
        pool.save(
            sp.Product(
                datasets={
                    "image": rng.normal(size=(1024, 1024)).astype("f4"),
                    "cube": rng.normal(size=(128, 128, 128)).astype("f4"),
                    "events": Table(
                        {
                            "time": np.arange(100_000.0),
                            "energy": rng.normal(size=100_000).astype("f4"),
                            "name": ["n"] * 100_000,
                        }
                    ),
                }
            ),
            name="p",
        )
    with sp.Pool(path, "r") as pool:
        yield pool


def read(pool, work) -> int:
    """Return the bytes that some work reads from the packs."""
    store = pool.view.session.store
    before = store.bytes_read
    work()
    return store.bytes_read - before


def test_metadata_read_no_data(pool):
    ref = pool["p"]
    assert read(pool, lambda: ref.meta["type"]) < 5_000
    product = ref.product
    assert read(pool, lambda: (product["image"].shape, product["image"].dtype, repr(product))) == 0


def test_a_cutout_reads_its_tiles(pool):
    image = pool["p"].product["image"]
    tile = 256 * 256 * 4
    assert read(pool, lambda: image[300:332, 300:332]) <= tile + 100
    assert read(pool, lambda: image[300:332, 300:332]) == 0  # from memory
    assert read(pool, lambda: image[240:260, 700:720]) <= 2 * (tile + 100)


def test_a_spectrum_reads_its_blocks(pool):
    cube = pool["p"].product["cube"]
    assert read(pool, lambda: cube[:, 50, 50]) <= 2 * (1024**2 + 100)


def test_statistics_answer_without_pixels(pool):
    product = pool["p"].product
    image, events = product["image"], product["events"]
    assert read(pool, lambda: (image.max(), image.min(), image.count())) == 0
    assert image.max() == np.asarray(image).max()
    assert read(pool, lambda: events["energy"].max()) == 0


def test_a_column_reads_its_chunks(pool):
    events = pool["p"].product["events"]
    assert read(pool, lambda: events["energy"][10:20]) <= 32768 * 4 + 100
    assert read(pool, lambda: np.asarray(events["time"])) <= 100_000 * 8 + 500


def test_where_reads_the_blocks_that_statistics_leave_open(pool):
    events = pool["p"].product["events"]
    found = []
    assert read(pool, lambda: found.append(events.where("time > 99990"))) < 32768 * 8 + 500
    assert len(found[0]) == 9
    assert list(found[0]["time"][:2]) == [99991.0, 99992.0]
    assert read(pool, lambda: found.append(events.where("time < -1"))) == 0
    assert len(found[1]) == 0


def test_decoded_chunks_stay_within_their_budget(pool, tmp_path, monkeypatch):
    monkeypatch.setenv("SKYPOOL_MEMORY_BYTES", str(1024**2))
    with sp.Pool(pool.path, "r") as small:
        image = small["p"].product["image"]
        np.asarray(image)
        assert small.view.session.store._cache.used <= 1024**2


SPARSE = """
import sys
import skypool as sp
pool = sp.Pool(sys.argv[1], "r")
hits = pool.find("OBJECT == 'M83'")
assert len(hits) == 1, hits
part = eval("hits[0].product['image'][" + sys.argv[2] + "]")
# ru_maxrss would hold the size of the parent too, from before the exec.
status = open("/proc/self/status").read()
print(part.shape, float(part.max()), int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def sparse_fits(path: Path, shape: tuple[int, ...], obj: str, at: int) -> None:
    """Write a FITS image of zeros with a hole for data; one value is 7."""
    cards = ["SIMPLE  =                    T", "BITPIX  =                  -32"]
    cards.append(f"NAXIS   = {len(shape):20d}")
    cards += [f"NAXIS{n + 1}  = {size:20d}" for n, size in enumerate(reversed(shape))]
    cards += [f"OBJECT  = '{obj:8}'", "END"]
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    size = int(np.prod(shape)) * 4
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2880 + -(-size // 2880) * 2880)
        file.seek(2880 + 4 * at)
        file.write(np.array([7], ">f4").tobytes())


@pytest.mark.parametrize(
    ("shape", "at", "part"),
    [
        ((12_000, 12_000), 6000 * 12_000 + 7000, "5990:6022, 6990:7022"),
        ((400, 700, 700), 200 * 490_000 + 350 * 700 + 350, ":, 350, 350"),
    ],
)
def test_memory_of_a_small_part_of_something_large(tmp_path, shape, at, part):
    """Half a gigabyte here; the campaign has 10 and 20."""
    sparse_fits(tmp_path / "large.fits", shape, "M83", at)
    sparse_fits(tmp_path / "other.fits", (100, 100), "M31", 0)
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add([tmp_path / "large.fits", tmp_path / "other.fits"])
    done = subprocess.run(
        [sys.executable, "-c", SPARSE, str(tmp_path / "pool"), part],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    shown, value, megabytes = done.stdout.rsplit(" ", 2)
    assert value == "7.0", shown
    assert int(megabytes) < 120


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("shape", "at", "part"),
    [
        ((50_000, 50_000), 25_000 * 50_000 + 30_000, "24990:25022, 29990:30022"),
        ((5000, 1000, 1000), 2500 * 10**6 + 500_500, ":, 500, 500"),
    ],
)
def test_memory_of_a_small_part_of_10_and_20_gigabytes(tmp_path, shape, at, part):
    test_memory_of_a_small_part_of_something_large(tmp_path, shape, at, part)
