"""Blocks of pixels that are known to have values, or none, against the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import skypool as sp
from skypool.sky.coverage import State, decode, encode
from skypool.sky.images import coverage_of, covers
from skypool.sky.masks import MaskedPart, grid_of
from skypool.sky.vectors import vector


def plain(_, array):
    return np.asarray(array)


def field(ra, dec, turn, width, height, scale=0.01):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [(width + 1) / 2, (height + 1) / 2]
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    wcs.wcs.cd = [[-c, s], [s, c]]
    return wcs


def blotches(random, height, width):
    """Pixels with blank borders, holes, and single ones that are blank or not."""
    y, x = np.mgrid[:height, :width]
    turn = random.uniform(0, 3)
    u = (x - width / 2) * np.cos(turn) + (y - height / 2) * np.sin(turn)
    data = np.where(abs(u) > 0.4 * width, np.nan, 1.0)
    data[(x - width / 3) ** 2 + (y - height / 2) ** 2 < (width / 8) ** 2] = np.inf
    data[random.integers(height), random.integers(width)] = np.nan
    data[random.integers(height), random.integers(width)] = 2.0
    return data.astype(random.choice(["f4", "f8"]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (33, 31), (32, 32), (64, 200), (101, 98)])
def test_blocks_are_what_their_pixels_are(shape):
    random = np.random.default_rng(sum(shape))
    for _ in range(5):
        valued = np.isfinite(blotches(random, *shape))
        grid = grid_of(valued)
        assert len(grid.states) <= 32 * 32
        rows = len(grid.states) // grid.columns
        for row in range(rows):
            for column in range(grid.columns):
                area = valued[row * grid.step :, column * grid.step :][: grid.step, : grid.step]
                expected = State.FULL if area.all() else State.MIXED if area.any() else State.EMPTY
                assert grid.states[row * grid.columns + column] == expected
                middle = (np.array([column, row]) + 0.37) * grid.step - 0.5
                if (middle < np.array([shape[1], shape[0]]) - 0.5).all():
                    assert grid.state(*middle.tolist()) is expected
        assert grid.state(grid.step - 0.5 - 1e-9, 0.2) is State.MIXED


def test_masks_agree_with_the_pixels_and_decide_most_places():
    random = np.random.default_rng(9)
    decided = asked = 0
    for number in range(40):
        height, width = (int(n) for n in random.integers(20, 300, 2))
        ra, dec = random.uniform(0, 360), [0.0, 89.95, -60.0, 45.0][number % 4]
        wcs = field(ra, dec, number, width, height)
        datasets = {"image": sp.Array(blotches(random, height, width), wcs=wcs)}
        if number % 3 == 0:
            seen = random.uniform(-1, 1, 3)[[0, 1, 2]].repeat(height)[:height]
            weights = np.where(np.isfinite(seen), seen, 0)[:, None] * np.ones((height, width))
            weights[: height // 5] = np.nan
            datasets["coverage"] = sp.Array(weights, wcs=wcs)
        product = sp.Product(datasets=datasets)
        (part,) = decode(encode(coverage_of(product.datasets, plain)))
        if not isinstance(part, MaskedPart):
            continue
        for x, y in random.uniform((-2, -2), (width + 1, height + 1), (40, 2)).tolist():
            lon, lat = (float(v) for v in wcs.wcs_pix2world(x, y, 0))
            truth = covers(product.datasets, vector(lon, lat))
            found = part.covers(vector(lon, lat))
            assert found in (truth, None), (number, x, y)
            decided += found is not None
            asked += 1
    assert asked > 1000
    assert decided > 0.8 * asked


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("how", ["save", "add"])
def test_places_are_decided_without_a_pixel(tmp_path, how, in_place):
    y, x = np.mgrid[:400, :400]
    data = np.where(abs(x - 200) + abs(y - 200) > 200, np.nan, 1.0).astype("f4")
    wcs = field(150.0, 2.0, 0.4, 400, 400, 0.001)
    pool = sp.Pool(tmp_path / "pool")
    if how == "save":
        pool.save(sp.Product(datasets={"image": sp.Array(data, wcs=wcs)}), name="map")
    else:
        fits.writeto(tmp_path / "map", data, wcs.to_header())
        pool.add(tmp_path / "map", in_place=in_place)
        if in_place:
            (tmp_path / "map").rename(tmp_path / "away")
    for again in range(2):
        with sp.Pool(tmp_path / "pool", mode="r") as opened:
            for pixel, truth in (((200, 200), True), ((150, 260), True), ((20, 30), False)):
                lon, lat = (float(v) for v in wcs.wcs_pix2world(*pixel, 0))
                before = opened.view.session.store.bytes_read
                assert bool(opened.find(f"covers({lon!r}, {lat!r})")) is truth
                assert opened.view.session.store.bytes_read == before
        if in_place and how == "add":
            break  # while the file is away, nobody can look into it again
        assert again or pool.reindex() is None


def test_images_that_a_format_computes_go_without(tmp_path):
    data = np.ones((300, 300), "f4")
    data[:, :100] = np.nan
    wcs = field(10.0, 20.0, 0.1, 300, 300)
    hdu = fits.CompImageHDU(data, wcs.to_header(), compression_type="GZIP_1", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "c.fits")
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tmp_path / "c.fits")
    for pixel, truth in (((200, 200), True), ((20, 30), False)):
        lon, lat = (float(v) for v in wcs.wcs_pix2world(*pixel, 0))
        assert bool(pool.find(f"covers({lon!r}, {lat!r})")) is truth
