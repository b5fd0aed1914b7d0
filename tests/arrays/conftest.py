"""A pool with an image, a cube, spectra and tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.wcs import WCS

import skypool as sp
from skypool.pool.reopening import close_pools


def celestial() -> WCS:
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [201.365, -43.019]
    made.wcs.crpix = [400, 300]
    made.wcs.cdelt = [-1 / 3600, 1 / 3600]
    made.wcs.pc = [[0.8, -0.6], [0.6, 0.8]]
    made.wcs.radesys = "ICRS"
    return made


def spectral() -> WCS:
    made = WCS(naxis=3)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN", "FREQ"]
    made.wcs.cunit = ["deg", "deg", "Hz"]
    made.wcs.crval = [10, 20, 1e11]
    made.wcs.cdelt = [-0.001, 0.001, 1e6]
    made.wcs.crpix = [4, 4, 1]
    made.wcs.restfrq = 1.1e11
    return made


IMAGE = np.random.default_rng(1).normal(5, 1, (600, 800)).astype("f4")
IMAGE[:100, :300] = np.nan
CUBE = np.random.default_rng(2).normal(size=(70, 60, 80)).astype("f4")
CUBE[:, 0, 0] = np.nan
ROWS = 70000


def table() -> sp.Table:
    numbers = np.arange(ROWS)
    return sp.Table(
        {
            "time": numbers * 0.5 * u.s,
            "energy": np.random.default_rng(3).uniform(100, 9000, ROWS).astype("f4") * u.eV,
            "n": np.ma.MaskedArray(numbers, mask=numbers % 7 == 0),
            "good": numbers % 2 == 0,
            "name": np.array([f"s{n % 100}" for n in numbers]),
            "xyz": np.arange(3.0 * ROWS).reshape(-1, 3),
        },
        meta={"OBJECT": "M 83"},
    )


def spectrum() -> sp.Table:
    flux = np.sin(np.arange(200) / 20) + 2
    return sp.Table(
        {
            "WAVE": np.linspace(60, 70, 200) * u.um,
            "FLUX": flux * u.Jy,
            "ERROR": 0.1 * flux * u.Jy,
            "mask": np.arange(200) % 50 == 0,
        }
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pool."""
    where = tmp_path_factory.mktemp("arrays") / "pool"
    products: dict[str, dict[str, Any]] = {
        "image": {
            "image": sp.Array(IMAGE, "Jy/beam", celestial(), {"FILTER": "R"}, "a map"),
            "mask": np.isnan(IMAGE),
            "error": sp.Array(np.full_like(IMAGE, 0.5), "Jy/beam", celestial()),
        },
        "cube": {
            "image": sp.Array(CUBE, "K", spectral()),
            "mask": CUBE > 2,
            "spectrum": sp.Array(CUBE[:, 5, 5], "K", spectral().sub([3])),
        },
        "events": {"events": table(), "empty": table()[:0]},
        "spectrum": {"spectrum": spectrum()},
        "nested": {"inner": {"image": IMAGE[:300, :300], "events": table()[:10]}},
    }
    with sp.Pool(where) as made, made.commit() as commit:
        for name, datasets in products.items():
            commit.save(sp.Product(datasets=datasets, meta={"obsid": 5}), name=name)
    return where


@pytest.fixture
def pool(folder: Path) -> Iterator[sp.Pool]:
    with sp.Pool(folder, "r") as opened:
        yield opened
    close_pools()
