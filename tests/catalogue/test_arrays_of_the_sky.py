"""Places asked of arrays: the same as the evaluator says, at edges and across 0 h too."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.pool.subject import ProductSubject
from skypool.query.evaluate import matches
from skypool.query.grammar import parse
from skypool.query.sky_boxes import SkyBox
from skypool.sky.vectors import vector


@pytest.fixture(autouse=True, params=[7, 100_000], ids=["in parts", "at once"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skypool.catalogue.places.AT_ONCE", request.param)
    monkeypatch.setattr("skypool.catalogue.search_sky_arrays.AT_ONCE", request.param)


def card(key: str, value: object) -> str:
    text = f"'{value:<8}'" if isinstance(value, str) else f"{value!r:>20}"
    return f"{key:<8}= {text}"[:80].ljust(80)


def image(ra: float, dec: float, size: float) -> sp.Array:
    cards = {
        "NAXIS": 2, "NAXIS1": 4, "NAXIS2": 4, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
        "CRPIX1": 2.5, "CRPIX2": 2.5, "CRVAL1": ra, "CRVAL2": dec,
        "CDELT1": -size / 4, "CDELT2": size / 4, "CUNIT1": "deg", "CUNIT2": "deg",
    }  # fmt: skip
    return sp.Array(np.ones((4, 4), "f4"), wcs="".join(map(card, cards.keys(), cards.values())))


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sky") / "pool"
    rng = np.random.default_rng(5)
    places = [(0.0, 0.0), (360.0, 10.0), (359.9, 0.1), (0.1, -0.1), (10.0, 90.0), (0.0, -90.0)]
    places += [(20.0, 20.0), (40.0, 20.0), (20.0, 40.0), (40.0, 40.0), (30.0, 30.0)]
    places += list(
        zip(rng.uniform(0, 360, 120), np.degrees(np.arcsin(rng.uniform(-1, 1, 120))), strict=True)
    )
    with sp.Pool(folder) as made, made.commit() as commit:
        for number, (ra, dec) in enumerate(places):
            meta = {"RA_TARG": float(ra), "DEC_TARG": float(dec), "number": number}
            datasets = {}
            if number % 2:
                datasets = {"image": image(float(ra), float(dec), float(rng.uniform(0.5, 8)))}
            commit.save(sp.Product(meta=meta, datasets=datasets), name=f"p{number:03d}")
        commit.save(sp.Product(meta={"number": -1}), name="nowhere")
    return folder


QUERIES = [
    "in_box(20, 20, 40, 40)", "in_box(350, -10, 10, 10)", "in_box(0, -90, 360, 90)",
    "in_box(0, 80, 360, 90)", "in_box(10, -5, 10, 5)", "in_box(0, 0, 0, 0)",
    "in_box(200, -90, 100, 0)",
    "within(0, 0, 15)", "within(30, 30, 180)", "within(0, 90, 40)", "within(0, 0, 0)",
    "overlaps(30, 30, 12)", "overlaps(0, 0, 90)", "overlaps(0, -90, 30)", "overlaps(123, 4, 0.1)",
    "overlaps(30, 30, 40) or within(30, 30, 40)", "covers(30, 30)", "footprint_covers(0.5, 0.2)",
    "covers(30, 30) or in_box(0, 0, 90, 90)",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_arrays_and_tables_agree_with_the_evaluator(pool, query):
    for text in (query, f"not ({query})"):
        tree = parse(text, {})
        with sp.Pool(pool, "r") as opened:
            wanted = [
                ref.name
                for ref in opened.ls()
                if matches(tree, ProductSubject(opened.view, ref), text)
            ]
            assert [ref.name for ref in opened.find(text)] == wanted
            opened.find("").facets("number")
            assert [ref.name for ref in opened.find(text)] == wanted


def test_the_vectors_round_a_box_hold_all_of_it():
    rng = np.random.default_rng(3)
    for _ in range(300):
        west, east = (
            float(x) for x in rng.choice([0, 90, 180, 270, 360, *rng.uniform(0, 360, 4)], 2)
        )
        south, north = sorted(
            float(x) for x in rng.choice([-90, 0, 90, *rng.uniform(-90, 90, 4)], 2)
        )
        box = SkyBox(west, south, east, north)
        limits = box.vectors()
        width = (east - west) % 360 if east - west != 360 else 360
        for ra in west + np.linspace(0, width, 9):
            for dec in np.linspace(south, north, 5):
                direction = vector(float(ra), float(dec))
                for axis, value in enumerate(direction):
                    assert limits[2 * axis] <= value <= limits[2 * axis + 1], (box, ra, dec)


@pytest.mark.parametrize(
    "query",
    ["in_box(1, 2, 3)", "in_box(-1, 0, 5, 5)", "in_box(0, 10, 5, 5)", "in_box('a', 0, 5, 5)",
     "in_box(0, -91, 5, 5)", "in_box(0, 0, 361, 5)"],
)  # fmt: skip
def test_boxes_that_are_none(pool, query):
    with sp.Pool(pool, "r") as opened, pytest.raises(sp.errors.QueryError):
        opened.find(query)


def test_a_box_may_be_bound(pool):
    with sp.Pool(pool, "r") as opened:
        found = opened.find("in_box($w, 20, $e, 40)", w=20, e=math.floor(40.5))
        assert found == opened.find("in_box(20, 20, 40, 40)")
