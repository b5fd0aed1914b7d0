"""What covers a place: the index against the pixels themselves."""

import os

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table as AstropyTable
from astropy.wcs import WCS

import skypool as sp
from skypool.catalogue.coverages import on_sky
from skypool.errors import QueryError, UsageError
from skypool.sky.images import covers, direction_of, footprint_covers, meets
from skypool.sky.vectors import separation, vector

PROJECTIONS = ["TAN", "SIN", "ARC", "ZEA", "STG"]


def wcs_at(ra, dec, turn, projection="TAN", scale=0.01, size=40):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [(size + 1) / 2, (size + 1) / 2]
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    wcs.wcs.cd = [[-c, s], [s, c]]
    return wcs


def diamond(size=40):
    """Pixels whose corners are blank, as those of a rotated map are."""
    y, x = np.mgrid[:size, :size]
    half = size / 2
    return np.where(abs(x - half) + abs(y - half) > half, np.nan, 1.0).astype("f4")


PLACES = [(0.0, 0.0), (359.99, 10.0), (83.6, 22.0), (10.0, 89.95), (200.0, -89.9), (201.4, -43.0)]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = sp.Pool(tmp_path_factory.mktemp("sky") / "pool")
    with pool.commit("maps") as c:
        for n, (ra, dec) in enumerate(PLACES * 2):
            wcs = wcs_at(ra, dec, n, PROJECTIONS[n % 5])
            data = diamond() if n % 2 else np.ones((40, 40), "f4")
            c.save(sp.Product(datasets={"image": sp.Array(data, wcs=wcs)}), name=f"map{n:02}")
        flat = sp.Array(np.ones((40, 40)), wcs=wcs_at(83.6, 22.0, 0.3))
        seen = sp.Array((diamond() == 1).astype("i4"), wcs=wcs_at(83.6, 22.0, 0.3))
        c.save(sp.Product(datasets={"image": flat, "coverage": seen}), name="covered")
        blank = sp.Array(np.full((40, 40), np.nan), wcs=wcs_at(83.6, 22.0, 0.3))
        c.save(sp.Product(datasets={"image": blank, "error": flat}), name="blank")
        c.save(sp.Product(meta={"ra": 83.6, "dec": 22.0}), name="nowhere")
    return pool


def test_the_index_answers_as_the_pixels_do(pool):
    random = np.random.default_rng(5)
    products = {ref.name: ref.product.datasets for ref in pool.ls()}
    hits = 0
    for n in range(60):
        ra, dec = PLACES[n % len(PLACES)]
        ra = float((ra + random.normal() * 0.15 / max(0.01, np.cos(np.radians(dec)))) % 360)
        dec = float(np.clip(dec + random.normal() * 0.15, -90, 90))
        at = vector(ra, dec)
        for query, truth in (("covers", covers), ("footprint_covers", footprint_covers)):
            expected = [name for name, datasets in products.items() if truth(datasets, at)]
            assert [ref.name for ref in pool.find(f"{query}({ra!r}, {dec!r})")] == expected
            hits += len(expected)
    assert hits > 50


def test_coverage_maps_blank_images_and_products_without_images(pool):
    def found(query):
        return [
            ref.name for ref in pool.find(f"name in ['covered', 'blank', 'nowhere'] and {query}")
        ]

    assert found("covers(83.6, 22.0)") == ["covered"]
    assert found("footprint_covers(83.6, 22.0)") == ["blank", "covered"]
    corner = WCS(wcs_at(83.6, 22.0, 0.3).to_header()).pixel_to_world(1, 1)
    assert found(f"covers({corner.ra.deg}, {corner.dec.deg})") == []
    assert found(f"not covers({corner.ra.deg}, {corner.dec.deg})") == [
        "blank",
        "covered",
        "nowhere",
    ]


def test_places_as_text_and_as_coordinates(pool):
    here = SkyCoord(201.4, -43.0, unit="deg")
    names = [ref.name for ref in pool.find("covers(201.4, -43.0)")]
    assert names
    assert [ref.name for ref in pool.find("covers('13:25:36 -43:00:00')")] == names
    assert [ref.name for ref in pool.find("covers($here)", here=here.galactic)] == names
    several = SkyCoord([201.4, 83.6], [-43.0, 22.0], unit="deg")
    both = [ref.name for ref in pool.find("covers($several)", several=several)]
    assert set(names) < set(both)
    assert "covered" in both
    with pytest.raises(QueryError):
        pool.find("covers('somewhere')")


def test_old_versions_answer_for_themselves(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    for ra in (10.0, 20.0):
        array = sp.Array(np.ones((40, 40)), wcs=wcs_at(ra, 5.0, 0.0))
        pool.save(sp.Product(datasets={"image": array}), name="map")
    assert not pool.find("covers(10, 5)")
    assert [ref.version for ref in pool.find("covers(10, 5)", all_versions=True)] == [0]
    assert [ref.version for ref in pool.at(1).find("covers(10, 5)")] == [0]
    assert [ref.version for ref in pool.find("covers(20, 5)")] == [1]


def write_image(path, ra):
    header = wcs_at(ra, 5.0, 0.2).to_header()
    fits.PrimaryHDU(np.ones((40, 40), "f4"), header).writeto(path)


@pytest.mark.parametrize("in_place", [False, True])
def test_files_and_a_rebuilt_catalogue(tmp_path, in_place):
    write_image(tmp_path / "a.fits", 10.0)
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tmp_path / "a.fits", in_place=in_place)
    assert [ref.name for ref in pool.find("covers(10, 5)")] == ["a.fits"]
    if in_place:  # what is known of the sky does not go away with the disk
        os.unlink(tmp_path / "a.fits")
    pool.reindex()
    assert [ref.name for ref in pool.find("covers(10, 5)")] == ["a.fits"]
    assert not pool.find("footprint_covers(11, 5)")


def test_tile_compressed_images(tmp_path):
    data = diamond()
    hdu = fits.CompImageHDU(data, wcs_at(10.0, 5.0, 0.0).to_header(), compression_type="GZIP_2")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits")
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tmp_path / "a.fits")
    assert len(pool.find("covers(10, 5)")) == 1
    corner = wcs_at(10.0, 5.0, 0.0).pixel_to_world(1, 1)
    assert len(pool.find("footprint_covers($corner)", corner=corner)) == 1
    assert len(pool.find("covers($corner)", corner=corner)) == 0


def test_arrays_that_are_no_numbers_are_left_out():
    image = {"is": "array", "dtype": "float32", "shape": [2, 2]}
    odd = {"is": "array", "dtype": "object", "shape": [2]}
    text = {"is": "array", "dtype": "U7", "shape": [2]}
    inner = {"is": "composite", "datasets": [["image", image], ["odd", odd]]}
    (found,) = on_sky([["inner", inner], ["odd", odd], ["text", text]])
    assert found[0] == "inner"
    assert [name for name, _ in found[1]["datasets"]] == ["image"]


def regions(pool):
    """Positions and images of all products, by name."""
    found = {}
    for ref in pool.ls():
        datasets = ref.product.datasets
        found[ref.name] = (direction_of(ref.meta, datasets), datasets)
    return found


def test_circles_are_answered_as_the_definition_says(pool):
    random = np.random.default_rng(6)
    products = regions(pool)
    hits = 0
    for n in range(60):
        ra, dec = PLACES[n % len(PLACES)]
        ra = float((ra + random.normal() * 0.4 / max(0.01, np.cos(np.radians(dec)))) % 360)
        dec = float(np.clip(dec + random.normal() * 0.4, -90, 90))
        radius = float(random.choice([0.01, 0.1, 0.3, 1.0]))
        at, angle = vector(ra, dec), np.radians(radius)
        expected = [
            name
            for name, (here, _) in products.items()
            if here is not None and separation(here, at) <= angle
        ]
        query = f"({ra!r}, {dec!r}, {radius!r})"
        assert [ref.name for ref in pool.find(f"within{query}")] == expected
        rest = [name for name in products if name not in expected]
        assert [ref.name for ref in pool.find(f"not within{query}")] == rest
        touched = [name for name, (_, images) in products.items() if meets(images, at, angle)]
        assert [ref.name for ref in pool.find(f"overlaps{query}")] == touched
        hits += len(expected) + len(touched)
    assert hits > 100


def test_footprints_that_overlap_those_of_others(pool):
    found = [ref.name for ref in pool.find("overlaps(name == 'covered')")]
    assert found == ["blank", "map02", "map08"]
    assert [ref.name for ref in pool.find("name == 'map02' and overlaps(name == 'map02')")] == []
    both = "name < 'm' and overlaps(name like 'map%')"
    assert [ref.name for ref in pool.find(both)] == ["blank", "covered"]
    assert [r.name for r in pool.find("name < 'm' and not overlaps(name == 'covered')")] == [
        "covered"
    ]
    assert not pool.find("overlaps(name == 'nowhere')")


def test_the_nearest_ones(pool):
    names = [ref.name for ref in pool.find("nearest(83.7, 22.1, 4)")]
    assert len(names) == 4
    assert set(names) < {"blank", "covered", "map02", "map08", "nowhere"}
    assert names[:3] == sorted(names[:3])
    one = [ref.name for ref in pool.find("name like 'map%' and nearest($here)", here=SkyCoord(
        201.0, -42.0, unit="deg").galactic)]  # fmt: skip
    assert one == ["map05"]
    everything = [ref.name for ref in pool.find("nearest(0, 89, 100) and name like 'map%'")]
    assert len(everything) == 12
    assert set(everything[:2]) == {"map03", "map09"}
    assert set(everything[-2:]) == {"map04", "map10"}
    assert not pool.find("name == 'x' and nearest(1, 2)")
    several = SkyCoord([0.0, 200.0], [-0.1, -89.0], unit="deg")
    two = [ref.name for ref in pool.find("nearest($at, 4)", at=several)]
    assert set(two) == {"map00", "map06", "map04", "map10"}


def test_radii_and_places_in_many_forms(pool):
    here = SkyCoord(83.6, 22.0, unit="deg")
    names = [ref.name for ref in pool.find("within(83.6, 22, 0.1)")]
    assert len(names) == 5
    for query in (
        "within('83.6 22', '6 arcmin')",
        "within($here, $angle)",
        "within($here, radius='0.1 deg')",
        "within(83.6, 22.0, radius=quantity(360, 'arcsec'))",
        "within($many, '6 arcmin')",
    ):
        found = pool.find(query, here=here.fk5, angle=360 * u.arcsec, many=here.reshape(1))
        assert [ref.name for ref in found] == names


def test_positions_go_with_versions_that_are_given_up(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    pool.save(sp.Product(meta={"ra": 10.0, "dec": 5.0}), name="a")
    pool.save(sp.Product(meta={"ra": 20.0, "dec": 5.0}), name="a")
    assert not pool.find("within(10, 5, 1)")
    assert len(pool.find("within(10, 5, 1)", all_versions=True)) == 1
    assert [ref.version for ref in pool.at(1).find("nearest(20, 5)")] == [0]
    pool.reindex()
    assert [ref.version for ref in pool.find("within(20, 5, 1)")] == [1]


def test_many_places_at_once(pool):
    random = np.random.default_rng(7)
    ra = np.concatenate([[p[0] for p in PLACES], random.uniform(83.3, 83.9, 40), [np.nan, 10.0]])
    dec = np.concatenate([[p[1] for p in PLACES], random.uniform(21.8, 22.2, 40), [1.0, np.nan]])
    table = AstropyTable({"name": np.arange(len(ra)), "RA": ra, "Dec": dec})
    hits = pool.find("name != 'map00'", near=table)
    expected = {
        ref.name: tuple(
            n
            for n in range(46)
            if covers(ref.product.datasets, vector(float(ra[n]), float(dec[n])))
        )
        for ref in pool.ls()
        if ref.name != "map00"
    }
    assert {ref.name: at for ref, at in zip(hits, hits.near, strict=True)} == {
        name: at for name, at in expected.items() if at
    }
    assert len(hits.near[0]) > 1
    assert hits[1:3].near == hits.near[1:3]
    assert pool.find().near is None
    places = SkyCoord(ra[:46], dec[:46], unit="deg")
    assert pool.find("name != 'map00'", near=places.galactic) == hits
    assert pool.find(near=[(0.0, 0.0)]).near == ((0,), (0,))
    assert not pool.find(near=[])
    named = pool.find(lambda product: "coverage" in product, near=places)
    assert [ref.name for ref in named] == ["covered"]


def test_positions_within_a_radius_of_many_places(pool):
    table = AstropyTable({"raj2000": [5.56, 0.0] * u.hourangle, "dej2000": ["+22:00:00", "0:0:0"]})
    hits = pool.find(near=table, radius=1 * u.deg, kind="Product")
    assert [ref.name for ref in hits] == ["blank", "covered"] + [
        f"map{n:02}" for n in (0, 2, 6, 8)
    ] + ["nowhere"]
    assert hits.near == ((0,), (0,), (1,), (0,), (1,), (0,), (0,))
    close = pool.find(near=table, radius="1 arcmin")
    assert [ref.name for ref in close] == ["map00", "map06"]
    for wrong in ({"near": 5}, {"near": "x"}, {"near": [(0, 0)], "radius": "1 kg"}, {"radius": 1}):
        with pytest.raises(UsageError):
            pool.find(**wrong)


def test_pairs_of_two_results(pool):
    maps, others = pool.find("name like 'map%'"), pool.find("not name like 'map%'")
    pairs = [(a.name, b.name) for a, b in sp.match(maps, others)]
    assert pairs == [
        ("map02", "blank"), ("map02", "covered"), ("map08", "blank"), ("map08", "covered"),
    ]  # fmt: skip
    assert len(sp.match(maps, maps)) == 12
    assert sp.match(maps, []) == []


def test_the_value_at_a_place_looks_only_at_images_there(pool):
    for place, expected in (("83.6, 22.0", ["covered", "map02", "map08"]), ("150, 0", [])):
        found = [ref.name for ref in pool.find(f"value(image, {place}) > 0.5")]
        assert found == expected
    assert [ref.name for ref in pool.find("value(error, 83.6, 22.0) > 0.5")] == ["blank"]
    assert not pool.find("value(image, 83.6, 22.0) > 1.5")
    assert "covered" in [ref.name for ref in pool.find("not value(image, 83.6, 22.0) > 1.5")]
    before = pool.view.session.store.bytes_read
    assert not pool.find("value(image, 150, 0) > 0.5")
    assert pool.view.session.store.bytes_read == before


def test_what_is_no_position_is_shown_where_it_stands(pool):
    with pytest.raises(QueryError, match="column 12") as caught:
        pool.find("not covers(1)")
    assert caught.value.text == "not covers(1)"
