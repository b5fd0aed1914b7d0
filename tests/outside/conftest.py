"""Files of a user, outside of any pool."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from skypool.pool.pool import Pool


def settle(path: Path) -> Path:
    """Make a file so old that its time tells whether it changed."""
    old = time.time() - 60
    os.utime(path, (old, old))
    return path


def image(path: Path, seed: int = 0, **cards: object) -> Path:
    """Write an image of 300 x 280 pixels round (204.25, -29.87)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).normal(size=(280, 300)).astype("f4")
    data[:20, :20] = np.nan
    header = fits.Header(
        {
            "OBJECT": "M83", "SEED": seed, "BUNIT": "Jy/beam",
            "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 204.25, "CRVAL2": -29.87,
            "CRPIX1": 150.5, "CRPIX2": 140.5, "CDELT1": -1 / 360, "CDELT2": 1 / 360,
            **cards,
        }
    )  # fmt: skip
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
    return settle(path)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(tmp_path / "pool") as pool:
        yield pool


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """A folder with three images, a table in .gz, and a text."""
    top = tmp_path / "disk1" / "survey"
    for seed in range(3):
        image(top / "maps" / f"m{seed}.fits", seed)
    table = fits.BinTableHDU.from_columns(
        [fits.Column("energy", "E", array=np.arange(3000, dtype="f4"))]
    )
    table.writeto(top / "events.fits.gz")
    settle(top / "events.fits.gz")
    (top / "notes.txt").write_text("seen with our own eyes\n" * 100)
    settle(top / "notes.txt")
    return top
