"""What products cover, against the pixels as astropy places them and against spherical polygons.

Every case begins with a place in pixels, whose direction astropy gives: which pixel is there is
thus known without any code of ours.
"""

import warnings

import numpy as np
import pytest
from astropy.wcs import WCS

from skypool.model.arrays import Array
from skypool.sky.coverage import any_part, decode, encode
from skypool.sky.images import coverage_of, covers, footprint_covers
from skypool.sky.vectors import vector

POINTS = 20
LOCAL = ["TAN", "TAN", "SIN", "ARC", "ZEA", "STG", "TAN-SIP", "TPV", "CAR", "SFL", "AIT", "MOL"]
WHOLE = ["CAR", "AIT", "MOL", "SFL", "CEA", "HPX"]
FRAMES = ["ICRS", "FK5", "FK4", "FK5-1975", "GALACTIC"]


def random_wcs(random):
    """Return world coordinates, and whether they are of the whole sky."""
    whole = random.random() < 0.15
    kind = str(random.choice(WHOLE if whole else LOCAL))
    frame = str(random.choice(FRAMES))
    names = ("GLON", "GLAT") if frame == "GALACTIC" else ("RA--", "DEC-")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{names[0]}-{kind}", f"{names[1]}-{kind}"]
    if frame != "GALACTIC":
        wcs.wcs.radesys = frame[:4].rstrip("-") if frame != "FK5-1975" else "FK5"
        if frame == "FK4":
            wcs.wcs.equinox = 1950.0
        elif frame == "FK5-1975":
            wcs.wcs.equinox = 1975.0
        elif frame == "FK5":
            wcs.wcs.equinox = 2000.0
    if whole:
        width = int(random.integers(16, 60)) * 2
        height = width // 2
        across = {"AIT": 4 * np.sqrt(2) / np.pi, "MOL": 4 * np.sqrt(2) / np.pi}.get(kind, 2.0)
        scale = 180.0 * across / width
        wcs.wcs.crval = [float(random.choice([0.0, 180.0, 90.0])), 0.0]
        wcs.wcs.crpix = [(width + 1) / 2, (height + 1) / 2]
        wcs.wcs.cdelt = [-scale, scale]
        if kind == "CEA":
            wcs.wcs.cdelt = [-360.0 / width, 360.0 / np.pi / height]
        return wcs, (height, width), True
    height, width = (int(n) for n in random.integers(1, 50, 2))
    scale = float(10.0 ** random.uniform(-5.5, -1.0))
    dec = float(random.choice([0.0, 90.0, -90.0, 89.999, -89.99, random.uniform(-90, 90)]))
    if kind in ("CAR", "SFL", "AIT", "MOL"):
        dec = 0.0  # cylinders about another latitude are another projection
    wcs.wcs.crval = [float(random.choice([0.0, 359.9999, random.uniform(0, 360)])), dec]
    wcs.wcs.crpix = [float(n) for n in random.uniform(-20, 60, 2)]
    turn, flip = random.uniform(0, 2 * np.pi), random.choice([-1, 1])
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    wcs.wcs.cd = [[flip * c, s], [-flip * s, c]]
    if kind == "TPV":
        wcs.wcs.set_pv([(1, 0, 0.0), (1, 1, 1.0), (1, 4, 0.02), (2, 0, 0.0), (2, 1, 1.0)])
    if kind == "TAN-SIP":
        from astropy.wcs import Sip

        a, b = np.zeros((3, 3)), np.zeros((3, 3))
        a[2, 0], a[1, 1], b[0, 2] = random.normal(size=3) * 1e-5
        wcs.sip = Sip(a, b, None, None, wcs.wcs.crpix)
    return wcs, (height, width), False


def pixels_of(random, shape):
    """Return values, and a map of weights or None."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    kind = random.integers(0, 5)
    data = np.ones(shape, "f4")
    if kind == 1:
        data[abs(x - width / 2) / width + abs(y - height / 2) / height > 0.45] = np.nan
    elif kind == 2:
        data[random.random(shape) < 0.4] = np.nan
    elif kind == 3:
        data[:] = np.nan
    elif kind == 4:
        return data, (random.random(shape) < 0.5).astype("i2")
    return data, None


def places(random, shape, whole):
    """Return places in pixels, many at the very edges of pixels and of the image."""
    height, width = shape
    size = np.array([width, height])
    found = random.uniform(-0.5, size - 0.5, (POINTS, 2))
    edges = random.integers(0, size + 1, (POINTS, 2)) - 0.5
    beside = random.choice([-1, 1], (POINTS, 2)) * 10.0 ** random.uniform(-5, -0.5, (POINTS, 2))
    use = random.random((POINTS, 2)) < 0.4
    found = np.where(use, edges + beside, found)
    if whole:  # beyond the edges of a map of the whole sky there is the map again
        return np.clip(found, -0.49, size - 0.51)
    far = random.random(POINTS) < 0.15
    found[far] += random.normal(size=(far.sum(), 2)) * size
    return found


def check_case(seed):
    """Return how many questions were asked of one image, and the wrong answers."""
    random = np.random.default_rng(seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        wcs, shape, whole = random_wcs(random)
        data, weights = pixels_of(random, shape)
        at = places(random, shape, whole)
        sky = wcs.pixel_to_world(at[:, 0], at[:, 1]).icrs
        back = np.stack(wcs.world_to_pixel(sky), axis=1)
        same = np.hypot(*(back - at).T) < 1e-6
        if whole:
            same |= np.isfinite(sky.ra.deg) & np.isfinite(back).all(axis=1)
        datasets = {"image": Array(data, wcs=wcs)}
        if weights is not None:
            datasets["coverage"] = Array(weights)
        parts = decode(encode(coverage_of(datasets)))
        asked, wrong = 0, []
        for n in np.flatnonzero(same & np.isfinite(sky.dec.deg)):
            x, y = at[n]
            column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
            inside = 0 <= column < shape[1] and 0 <= row < shape[0]
            value = inside and np.isfinite(data[row, column])
            value = bool(value and (weights is None or weights[row, column] > 0))
            direction = vector(float(sky.ra.deg[n]), float(sky.dec.deg[n]))
            answers = (
                covers(datasets, direction),
                footprint_covers(datasets, direction),
                any_part(parts, lambda part, d=direction: part.covers(d)),
                any_part(parts, lambda part, d=direction: part.footprint(d)),
            )
            asked += 1
            if answers[:2] != (value, inside) or any(
                answer not in (None, truth)
                for answer, truth in zip(answers[2:], (value, inside), strict=True)
            ):
                wrong.append((seed, str(wcs.wcs.ctype[0]), wcs.wcs.radesys, x, y, shape, value,
                              inside, answers))  # fmt: skip
    return asked, wrong


def check_many(seeds):
    asked, wrong = 0, []
    for seed in seeds:
        count, found = check_case(seed)
        asked += count
        wrong += found
    assert not wrong, (len(wrong), wrong[:5])
    return asked


def test_pixels_as_astropy_places_them():
    assert check_many(range(40)) > 500


@pytest.mark.campaign
def test_ten_thousand_places():
    assert check_many(range(1000, 1700)) >= 10_000
