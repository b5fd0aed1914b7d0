"""Coverage of tables of other formats than FITS, of those kept in place, and of other frames."""

import astropy.units as u
import h5py
import numpy as np
import pytest
from astropy.coordinates import BarycentricMeanEcliptic, SkyCoord, Supergalactic
from astropy.io import fits
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from astropy.wcs import WCS
from astropy_healpix import HEALPix

import skypool as sp
from skypool.sky.frames import ROTATIONS
from skypool.sky.images import covers
from skypool.sky.vectors import vector

WRITERS = {
    "ecsv": lambda table, path: table.write(path, format="ascii.ecsv"),
    "vot": lambda table, path: table.write(path, format="votable"),
    "parquet": lambda table, path: table.write(path, format="parquet"),
    # Masks become columns of their own.
    "h5": lambda table, path: table.write(path, path="t", serialize_meta=True),
    "fits": lambda table, path: table.write(path),
}


def names(pool, query, **values):
    return [ref.name for ref in pool.find(query, **values)]


def catalogue_of_sources(size=300):
    random = np.random.default_rng(11)
    ra, dec = random.uniform(9.5, 10.5, size), random.uniform(-0.5, 0.5, size)
    missing = np.zeros(size, bool)
    missing[::10] = True
    return AstropyTable(
        {
            "number": np.arange(size),
            "ra": MaskedColumn(ra, mask=missing, unit="deg"),
            "dec": MaskedColumn(np.where(missing, 80.0, dec), mask=missing, unit="deg"),
        }
    ), {(x, y) for x, y, no in zip(ra.tolist(), dec.tolist(), missing, strict=True) if not no}


def cells_of(places):
    ra, dec = np.array(sorted(places)).T * u.deg
    grid = HEALPix(1 << 10, order="nested")
    return grid, set(grid.lonlat_to_healpix(ra, dec).tolist())


def check(pool, name, places):
    """Compare what the index and the definition say with the cells of the places."""
    grid, cells = cells_of(places)
    datasets = pool[name].product.datasets
    found = 0
    for x, y in np.random.default_rng(1).uniform((9.3, -0.7), (10.7, 0.7), (60, 2)):
        truth = int(grid.lonlat_to_healpix(x * u.deg, y * u.deg)) in cells
        assert bool(names(pool, f"covers({x}, {y})")) is truth
        assert covers(datasets, vector(float(x), float(y))) is truth
        found += truth
    assert 5 < found < 50
    assert names(pool, "overlaps(10, 0, 0.2) and within(10, 0, 0.2)") == [name]
    assert names(pool, "covers(9.7, 80)") == []  # what stands behind a mask


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_tables_of_all_formats(tmp_path, suffix, in_place):
    table, places = catalogue_of_sources()
    path = tmp_path / f"sources.{suffix}"
    WRITERS[suffix](table, path)
    pool = sp.Pool(tmp_path / "pool")
    pool.add(path, in_place=in_place)
    check(pool, path.name, places)
    pool.reindex()
    check(pool, path.name, places)
    assert pool.verify().ok


def test_tables_in_place_are_found_while_their_disk_is_away(tmp_path):
    table, places = catalogue_of_sources()
    folder = tmp_path / "disk"
    folder.mkdir()
    WRITERS["fits"](table, folder / "a.fits")
    WRITERS["vot"](table[:5], folder / "b.xml")
    pool = sp.Pool(tmp_path / "pool")
    pool.add(folder, in_place=True)
    folder.rename(tmp_path / "away")
    ra, dec = sorted(places)[0]
    expected = names(pool, f"covers({ra}, {dec})")
    assert "disk/a.fits" in expected
    clone = sp.clone(tmp_path / "pool", tmp_path / "copy")
    pool.reindex()
    for other in (pool, sp.Pool(tmp_path / "pool", mode="r"), clone):
        assert names(other, f"covers({ra}, {dec})") == expected
    clone.reindex()
    assert names(clone, f"covers({ra}, {dec})") == expected


def test_columns_known_by_their_descriptors(tmp_path):
    table, places = catalogue_of_sources()
    table.rename_columns(["ra", "dec"], ["alpha", "delta"])
    table["alpha"].meta["ucd"], table["delta"].meta["ucd"] = (
        "pos.eq.ra;meta.main",
        "POS.EQ.DEC;meta.main",
    )
    pool = sp.Pool(tmp_path / "pool")
    WRITERS["vot"](table, tmp_path / "v.xml")
    pool.add(tmp_path / "v.xml")
    hdu = fits.BinTableHDU(table)
    hdu.header["TUCD2"], hdu.header["TUCD3"] = "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"
    hdu.writeto(tmp_path / "f.fits")
    pool.add(tmp_path / "f.fits")
    ra, dec = sorted(places)[3]
    assert names(pool, f"covers({ra}, {dec})") == ["f.fits", "v.xml"]
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["t"] = np.array([(1.0, "x")], dtype=[("ra", "f8"), ("dec", "S3")])
    pool.add(tmp_path / "odd.h5")
    assert len(pool) == 3
    assert len(names(pool, "covers(1, 0)")) == 0


def test_frames_are_those_of_astropy():
    directions = np.random.default_rng(3).normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for name, frame in (
        ("ecliptic", BarycentricMeanEcliptic()),
        ("supergalactic", Supergalactic()),
    ):
        lon = np.degrees(np.arctan2(directions[:, 1], directions[:, 0]))
        lat = np.degrees(np.arcsin(directions[:, 2]))
        there = SkyCoord(lon, lat, unit="deg", frame=frame).icrs.cartesian.xyz.value.T
        assert np.abs(directions @ np.array(ROTATIONS[name]).T - there).max() < 1e-14
    assert list(ROTATIONS)[:3] == ["icrs", "fk5", "galactic"]


@pytest.mark.parametrize("explicit", [False, True])
def test_ecliptic_healpix_maps(tmp_path, explicit):
    random = np.random.default_rng(4)
    values = random.normal(size=12 * 16**2)
    values[::3] = np.nan
    columns = [fits.Column("T", "D", array=values)]
    if explicit:
        columns.insert(0, fits.Column("PIXEL", "J", array=np.arange(len(values))))
        columns = [fits.Column(c.name, c.format, array=c.array[:2000]) for c in columns]
        values[2000:] = np.nan
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update(PIXTYPE="HEALPIX", ORDERING="RING", NSIDE=16, COORDSYS="E",
                      INDXSCHM="EXPLICIT" if explicit else "IMPLICIT")  # fmt: skip
    hdu.writeto(tmp_path / "e.fits")
    hdu.header["COORDSYS"] = "MARS"
    hdu.writeto(tmp_path / "mars.fits")
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tmp_path / "e.fits")
    pool.add(tmp_path / "mars.fits")
    sky = SkyCoord(random.uniform(0, 360, 300), random.uniform(-90, 90, 300), unit="deg")
    native = sky.transform_to(BarycentricMeanEcliptic()).spherical
    pixels = HEALPix(16, order="ring").lonlat_to_healpix(native.lon, native.lat)
    hits = pool.find(near=sky)
    assert [ref.name for ref in hits] == ["e.fits"]
    assert hits.near == (tuple(np.flatnonzero(np.isfinite(values[pixels])).tolist()),)


@pytest.mark.parametrize("system", ["ELON/ELAT", "SLON/SLAT"])
@pytest.mark.parametrize("projection", ["TAN", "SIN"])
def test_images_in_ecliptic_and_supergalactic_coordinates(tmp_path, system, projection):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{axis}-{projection}" for axis in system.split("/")]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [40.0, 30.0], [10.5, 10.5], [-0.1, 0.1]
    data = np.ones((20, 20), "f4")
    data[:, :4] = np.nan
    fits.writeto(tmp_path / "x.fits", data, wcs.to_header())
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tmp_path / "x.fits")
    frame = BarycentricMeanEcliptic() if system[0] == "E" else Supergalactic()
    hits = 0
    for x, y in np.random.default_rng(5).uniform(-2, 22, (60, 2)):
        lon, lat = wcs.wcs_pix2world(x, y, 0)
        place = SkyCoord(lon, lat, unit="deg", frame=frame).icrs
        inside = -0.5 <= x < 19.5 and -0.5 <= y < 19.5
        seen = inside and x >= 3.5
        assert bool(names(pool, "covers($p)", p=place)) is bool(seen)
        assert bool(names(pool, "footprint_covers($p)", p=place)) is bool(inside)
        hits += seen
    assert 10 < hits < 55
