"""What was dropped is found on the sky as before, whatever happens to the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import skypool as sp
from skypool.sky.coverage import decode

QUERIES = (
    "covers({x}, {y})",
    "footprint_covers({x}, {y})",
    "overlaps({x}, {y}, 0.4)",
    "within({x}, {y}, 0.4)",
)
PLACES = [(10, 0), (10.3, 0.2), (11.2, 0), (14, 0), (14.3, 0.3), (30, 9)]


def tan(ra: float, dec: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [ra, dec]
    wcs.wcs.crpix, wcs.wcs.cdelt = [50.5, 50.5], [-0.01, 0.01]
    return wcs


def files(folder: Path) -> list[Path]:
    """Positions, a HEALPix map of all the sky, a map with a hole, a map with distortions."""
    rng = np.random.default_rng(4)
    rows = fits.BinTableHDU.from_columns(
        [
            fits.Column("RA", "D", array=rng.uniform(9.5, 10.5, 900), unit="deg"),
            fits.Column("Dec", "D", array=rng.uniform(-0.5, 0.5, 900), unit="deg"),
        ]
    )
    values = np.ones(12 * 16**2, "f4")
    values[::2] = -1.6375e30
    sky = fits.BinTableHDU.from_columns([fits.Column("SIGNAL", "E", array=values)])
    sky.header.update(PIXTYPE="HEALPIX", NSIDE=16, ORDERING="NESTED", COORDSYS="C")
    data = rng.normal(size=(100, 100)).astype("f4")
    data[60:, :70] = np.nan
    hole = fits.ImageHDU(data, tan(14.0, 0.0).to_header(), name="image")
    made = {"rows": [rows], "sky": [sky], "hole": [hole], "bent": bent(rng)}
    for name, hdus in made.items():
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(folder / f"{name}.fits")
    return [folder / f"{name}.fits" for name in made]


def bent(rng: np.random.Generator) -> list[fits.ImageHDU]:
    data = rng.normal(size=(100, 100)).astype("f4")
    image = fits.ImageHDU(data, tan(30.0, 9.0).to_header(), name="SCI")
    found = [image]
    for n in (1, 2):
        image.header[f"CPDIS{n}"] = "LOOKUP"
        for value in (f"EXTVER: {n}.0", "NAXES: 2.0", "AXIS.1: 1.0", "AXIS.2: 2.0"):
            image.header.append((f"DP{n}", value))
        table = fits.ImageHDU(rng.normal(size=(30, 30)).astype("f4"), name="WCSDVARR", ver=n)
        for axis in (1, 2):
            table.header[f"CRPIX{axis}"] = table.header[f"CRVAL{axis}"] = 1
            table.header[f"CDELT{axis}"] = 3.5
        found.append(table)
    return found


def answers(pool: sp.Pool) -> dict[str, list[str]]:
    asked = [query.format(x=x, y=y) for query in QUERIES for x, y in PLACES]
    asked += ["overlaps(name == 'hole.fits')", "overlaps(name == 'rows.fits')"]
    return {query: [ref.name or "" for ref in pool.find(query)] for query in asked}


def coverages(pool: sp.Pool) -> dict[str, list[object]]:
    rows = pool.view.session.catalogue.database.query(
        "SELECT d.digest, c.parts FROM coverages c JOIN documents d ON d.id = c.document"
    )
    return {digest.hex(): list(decode(bytes(parts))) for digest, parts in rows}


@pytest.fixture
def dropped(tmp_path: Path) -> Iterator[tuple[sp.Pool, dict[str, list[str]]]]:
    """A pool without content, and what it said before."""
    with sp.Pool(tmp_path / "pool") as pool:
        for path in files(tmp_path):
            pool.add(path)
        wanted = answers(pool)
        assert wanted["covers(14.3, 0.3)"] != wanted["footprint_covers(14.3, 0.3)"]
        assert {name for found in wanted.values() for name in found} == {
            "rows.fits", "sky.fits", "hole.fits", "bent.fits"
        }  # fmt: skip
        before = coverages(pool)
        with pool.clone(tmp_path / "clone") as clone:
            assert pool.drop(pool.ls(), from_=clone).versions == 4
        pool.gc(grace=0)
        assert coverages(pool) == before
        yield pool, wanted


def check(pool: sp.Pool, wanted: dict[str, list[str]]) -> None:
    """Look that all is found that was, and more only where single pixels would decide."""
    for query, found in answers(pool).items():
        assert set(wanted[query]) <= set(found), query
        more = set(found) - set(wanted[query])
        assert more <= ({"sky.fits", "hole.fits"} if query.startswith("covers") else set()), query


def test_it_is_found_as_before(dropped: tuple[sp.Pool, dict[str, list[str]]]) -> None:
    pool, wanted = dropped
    before = coverages(pool)
    check(pool, wanted)
    pool.reindex()
    assert coverages(pool) == before
    check(pool, wanted)
    pool.bring_back(pool.ls())
    assert answers(pool) == wanted


@pytest.mark.parametrize("how", [pytest.param("clone", marks=pytest.mark.campaign), "copy"])
def test_pools_that_come_from_it_find_it_too(
    dropped: tuple[sp.Pool, dict[str, list[str]]], tmp_path: Path, how: str
) -> None:
    pool, wanted = dropped
    if how == "clone":
        other = pool.clone(tmp_path / "other")
    else:
        other = sp.Pool(tmp_path / "other")
        pool.copy(pool.ls(), other)
    with other:
        for _ in range(2):
            assert coverages(other) == coverages(pool)
            check(other, wanted)
            other.reindex()
