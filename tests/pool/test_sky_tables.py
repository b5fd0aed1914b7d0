"""Coverage of tables: rows with positions, events, HEALPix maps and MOC files."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy_healpix import HEALPix, core

import skypool as sp
from skypool.sky.images import covers, footprint_covers, meets, overlaps
from skypool.sky.vectors import vector

random = np.random.default_rng(3)
SKY = [
    (float(ra), float(np.degrees(np.arcsin(z))))
    for ra, z in zip(random.uniform(0, 360, 200), random.uniform(-1, 1, 200), strict=True)
] + [(0.1, 89.999), (10.0, -89.999), (359.9999, 0.001), (0.001, 0.002)]


def names(pool, query, **values):
    return [ref.name for ref in pool.find(query, **values)]


def add(tmp_path, hdu, name="t.fits", in_place=False):
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / name)
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tmp_path / name, in_place=in_place)
    return pool


@pytest.mark.parametrize("in_place", [False, True])
def test_rows_with_positions(tmp_path, in_place):
    ra, dec = random.uniform(9.5, 10.5, 500), random.uniform(-0.5, 0.5, 500)
    ra[0] = np.nan
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("RA", "D", array=ra, unit="deg"), fits.Column("Dec", "D", array=dec)]
    )
    pool = add(tmp_path, hdu, in_place=in_place)
    grid = HEALPix(1 << 10, order="nested")
    cells = set(grid.lonlat_to_healpix(ra[1:] * u.deg, dec[1:] * u.deg).tolist())
    found = 0
    for x, y in zip(random.uniform(9, 11, 60), random.uniform(-1, 1, 60), strict=True):
        truth = int(grid.lonlat_to_healpix(x * u.deg, y * u.deg)) in cells
        assert bool(names(pool, f"covers({x}, {y})")) is truth
        assert bool(names(pool, f"footprint_covers({x}, {y})")) is truth
        found += truth
    assert 5 < found < 40
    assert names(pool, "within(10, 0, 0.1)") == ["t.fits"]
    assert names(pool, "overlaps(9, 0, 0.3)") == []
    assert names(pool, "overlaps(9, 0, 0.6)") == ["t.fits"]
    image = sp.Array(np.ones((10, 10)), wcs=plain_wcs(10.0, 0.0))
    far = sp.Array(np.ones((10, 10)), wcs=plain_wcs(14.0, 0.0))
    pool.save(sp.Product(datasets={"image": image}), name="image")
    pool.save(sp.Product(datasets={"image": far}), name="far")
    assert names(pool, "overlaps(name == 't.fits')") == ["image"]
    assert names(pool, "overlaps(name == 'image')") == ["t.fits"]
    assert [(a.name, b.name) for a, b in sp.match(pool.find(), pool.find("name == 'image'"))] == [
        ("t.fits", "image")
    ]


def plain_wcs(ra, dec, scale=0.01):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [ra, dec], [5.5, 5.5], [-scale, scale]
    return wcs


def test_events_in_pixels(tmp_path):
    x, y = random.uniform(4000, 4200, (2, 300))
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("energy", "E", array=x), fits.Column("X", "E", array=x),
         fits.Column("Y", "E", array=y)]
    )  # fmt: skip
    for n, kind, value, step in ((2, "RA---TAN", 149.1, -1e-3), (3, "DEC--TAN", 69.7, 1e-3)):
        hdu.header[f"TCTYP{n}"], hdu.header[f"TCRVL{n}"] = kind, value
        hdu.header[f"TCRPX{n}"], hdu.header[f"TCDLT{n}"] = 4096.5, step
    hdu.header["RADESYS"] = "FK5"
    pool = add(tmp_path, hdu)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [149.1, 69.7]
    wcs.wcs.crpix, wcs.wcs.cdelt, wcs.wcs.radesys = [4096.5, 4096.5], [-1e-3, 1e-3], "FK5"
    places = wcs.pixel_to_world(x.astype("f4")[:20] - 1.0, y.astype("f4")[:20] - 1.0)
    for place in places:
        assert names(pool, "covers($p)", p=place) == ["t.fits"]
    for place in wcs.pixel_to_world([3500, 4600, 4100], [4100, 4100, 4700]):
        assert names(pool, "covers($p)", p=place) == []


@pytest.mark.parametrize("ordering", ["RING", "NESTED"])
@pytest.mark.parametrize(("system", "frame"), [("G", "galactic"), ("C", "icrs")])
def test_healpix_maps_that_count_their_pixels(tmp_path, ordering, system, frame):
    values = random.normal(size=12 * 16**2).astype("f4")
    values[::3], values[1::7] = np.nan, -1.6375e30
    hdu = fits.BinTableHDU.from_columns([fits.Column("T", "32E", array=values.reshape(-1, 32))])
    hdu.header.update(PIXTYPE="HEALPIX", ORDERING=ordering, NSIDE=16, COORDSYS=system,
                      INDXSCHM="IMPLICIT")  # fmt: skip
    pool = add(tmp_path, hdu)
    grid = HEALPix(16, order=ordering.lower())
    sky = SkyCoord(SKY, unit="deg")
    native = sky.transform_to(frame).spherical
    pixels = grid.lonlat_to_healpix(native.lon, native.lat)
    valued = np.isfinite(values[pixels]) & (values[pixels] > -1e30)
    hits = pool.find(near=sky)
    assert hits.near == (tuple(np.flatnonzero(valued).tolist()),)
    assert names(pool, "footprint_covers(5, 5) and overlaps(9, 9, 1)") == ["t.fits"]


@pytest.mark.parametrize("ordering", ["RING", "NESTED"])
def test_healpix_maps_that_list_their_pixels(tmp_path, ordering):
    pixels = random.choice(12 * 64**2, 9000, replace=False)
    values = random.normal(size=9000)
    values[::4] = np.nan
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("PIXEL", "J", array=pixels), fits.Column("SIGNAL", "D", array=values)]
    )
    hdu.header.update(PIXTYPE="HEALPIX", ORDERING=ordering, NSIDE=64, COORDSYS="GALACTIC",
                      INDXSCHM="EXPLICIT", OBJECT="PARTIAL")  # fmt: skip
    pool = add(tmp_path, hdu)
    known = dict(zip(pixels.tolist(), values.tolist(), strict=True))
    sky = SkyCoord(SKY, unit="deg")
    at = HEALPix(64, order=ordering.lower()).lonlat_to_healpix(sky.galactic.l, sky.galactic.b)
    there = tuple(n for n, pixel in enumerate(at.tolist()) if np.isfinite(known.get(pixel, np.nan)))
    assert pool.find(near=sky).near == (there,)
    for number in (0, 1, 2, 3, 4):
        listed = int(at[number]) in known
        assert bool(pool.find("footprint_covers($p)", p=sky[number])) is listed


def moc_hdu(cells):
    """Write cells, given as order and number, as a MOC does."""
    uniq = sorted(4 * 4**order + cell for order, cell in cells)
    hdu = fits.BinTableHDU.from_columns([fits.Column("UNIQ", "K", array=uniq)])
    hdu.header.update(MOCVERS="2.0", MOCDIM="SPACE", ORDERING="NUNIQ", COORDSYS="C", MOCORDER=9,
                      MOCORD_S=9)  # fmt: skip
    return hdu


def test_moc_files(tmp_path):
    cells = {(3, n) for n in range(0, 700, 9)} | {(9, n) for n in range(10**6, 10**6 + 9000, 2)}
    pool = add(tmp_path, moc_hdu(cells))
    inside = 0
    special = [(float(a), float(b)) for a, b in zip(
        *(angle.to_value("deg") for angle in core.healpix_to_lonlat(
            np.arange(10**6, 10**6 + 40), 512, order="nested")), strict=True)]  # fmt: skip
    datasets = pool["t.fits"].product.datasets
    for ra, dec in SKY[:60] + special:
        truth = any(
            (order, int(HEALPix(1 << order, order="nested").lonlat_to_healpix(
                ra * u.deg, dec * u.deg))) in cells for order in (3, 9)
        )  # fmt: skip
        assert bool(names(pool, f"covers({ra!r}, {dec!r})")) is truth
        assert covers(datasets, vector(ra, dec)) is truth
        assert footprint_covers(datasets, vector(ra, dec)) is truth
        inside += truth
    assert 20 < inside < 80
    other = add_second(tmp_path, pool)
    assert overlaps(datasets, other)
    assert names(pool, "overlaps(name == 'u.fits')") == ["t.fits"]
    assert not meets(other, vector(*special[3]), 1e-3)


def add_second(tmp_path, pool):
    fits.HDUList([fits.PrimaryHDU(), moc_hdu({(5, 9 * 16 + 3)})]).writeto(tmp_path / "u.fits")
    pool.add(tmp_path / "u.fits")
    return pool["u.fits"].product.datasets
