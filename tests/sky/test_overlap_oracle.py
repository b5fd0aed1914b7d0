"""Which footprints overlap, against spherical polygons and against edges that astropy places."""

import importlib.util
import warnings

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from skypool.model.arrays import Array
from skypool.sky.coverage import decode, encode
from skypool.sky.images import coverage_of, meets, overlaps
from skypool.sky.overlap import coverages_meet
from skypool.sky.vectors import vector

HAS_POLYGONS = importlib.util.find_spec("spherical_geometry") is not None
KINDS = ["TAN", "TAN", "SIN", "ARC", "ZEA", "STG"]


def random_image(random, ra, dec, scale):
    wcs = WCS(naxis=2)
    kind = str(random.choice(KINDS))
    wcs.wcs.ctype = [f"RA---{kind}", f"DEC--{kind}"]
    wcs.wcs.crval = [ra % 360.0, float(np.clip(dec, -90, 90))]
    height, width = (int(n) for n in random.integers(4, 40, 2))
    wcs.wcs.crpix = [(width + 1) / 2 + random.normal(), (height + 1) / 2 + random.normal()]
    turn = random.uniform(0, 2 * np.pi)
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    wcs.wcs.cd = [[-c, s], [s, c]]
    return wcs, (height, width)


def edges(wcs, shape, count):
    """Return directions along the outer edges of the outer pixels."""
    height, width = shape
    part = np.linspace(0, 1, count, endpoint=False)
    x = np.r_[part, np.ones(count), 1 - part, np.zeros(count)] * width - 0.5
    y = np.r_[np.zeros(count), part, np.ones(count), 1 - part] * height - 0.5
    return wcs.pixel_to_world(x, y).icrs


def centre_of(random):
    dec = float(random.choice([0.0, 90.0, -90.0, 89.99, random.uniform(-90, 90)]))
    return float(random.choice([0.0, 359.999, random.uniform(0, 360)])), dec


def neighbour(random, ra, dec, size):
    """Return a place not far from another, over a pole where it must be."""
    return SkyCoord(ra, dec, unit="deg").directional_offset_by(
        random.uniform(0, 360) * _DEGREE, abs(random.normal()) * size * _DEGREE
    )


_DEGREE = SkyCoord(0, 0, unit="deg").ra.unit


def polygon(sky):
    from spherical_geometry.polygon import SphericalPolygon

    return SphericalPolygon.from_radec(
        np.r_[sky.ra.deg, sky.ra.deg[:1]], np.r_[sky.dec.deg, sky.dec.deg[:1]], degrees=True
    )


def near_miss(one, other, limit):
    """Tell whether two outlines are so near that samples of them cannot decide."""
    apart = one[:, None].separation(other[None, :]).deg
    return apart.min() < limit


def check_pair(seed):
    """Return whether two images overlap; None where samples of the edges cannot tell."""
    random = np.random.default_rng(seed)
    ra, dec = centre_of(random)
    scale = float(10.0 ** random.uniform(-5.0, -1.2))
    first, shape = random_image(random, ra, dec, scale)
    other = neighbour(random, ra, dec, scale * 25)
    second, second_shape = random_image(
        random, other.ra.deg, other.dec.deg, scale * float(10.0 ** random.uniform(-1, 0.5))
    )
    images = [
        {"image": Array(np.ones(s, "i2"), wcs=w)}
        for w, s in ((first, shape), (second, second_shape))
    ]
    found = overlaps(*images)
    assert overlaps(*reversed(images)) is found, seed
    stored = [decode(encode(coverage_of(image))) for image in images]
    assert coverages_meet(*stored) in (None, found), seed
    outlines = [edges(first, shape, 12), edges(second, second_shape, 12)]
    truth = polygon(outlines[0]).intersects_poly(polygon(outlines[1]))
    if truth != found:
        dense = [edges(first, shape, 150), edges(second, second_shape, 150)]
        assert near_miss(*dense, scale * 0.5), (seed, found, truth)
        return None
    return bool(truth)


def check_circle(seed):
    """Return whether a circle meets an image; None where samples of the edge cannot tell."""
    random = np.random.default_rng(seed)
    ra, dec = centre_of(random)
    scale = float(10.0 ** random.uniform(-5.0, -1.2))
    wcs, shape = random_image(random, ra, dec, scale)
    middle = neighbour(random, ra, dec, scale * 30)
    radius = abs(float(random.normal())) * scale * 10
    x, y = wcs.world_to_pixel(middle)
    inside = -0.5 < x < shape[1] - 0.5 and -0.5 < y < shape[0] - 0.5
    least = edges(wcs, shape, 400).separation(middle).deg.min()
    if not inside and abs(least - radius) < scale * 0.05:
        return None
    truth = bool(inside or least <= radius)
    direction = vector(float(middle.ra.deg), float(middle.dec.deg))
    datasets = {"image": Array(np.ones(shape, "i2"), wcs=wcs)}
    assert meets(datasets, direction, float(np.radians(radius))) is truth, seed
    return truth


def check_many(check, seeds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = [check(seed) for seed in seeds]
    return answers.count(True), answers.count(False), answers.count(None)


@pytest.mark.skipif(not HAS_POLYGONS, reason="needs spherical_geometry")
def test_pairs_as_spherical_polygons_say():
    yes, no, _ = check_many(check_pair, range(30))
    assert yes > 5
    assert no > 5


def test_circles_as_edges_say():
    yes, no, _ = check_many(check_circle, range(150))
    assert yes > 30
    assert no > 30


@pytest.mark.campaign
@pytest.mark.skipif(not HAS_POLYGONS, reason="needs spherical_geometry")
def test_many_pairs():
    yes, no, unknown = check_many(check_pair, range(1000, 1500))
    assert min(yes, no) > 100
    assert unknown < 25


@pytest.mark.campaign
def test_many_circles():
    yes, no, unknown = check_many(check_circle, range(1000, 4000))
    assert min(yes, no) > 500
    assert unknown < 150
