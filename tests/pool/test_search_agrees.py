"""Searches of a pool against the evaluator: metadata, sky and pixels in one query, in all ways."""

from itertools import pairwise

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool.catalogue.search import Limits, Scope, find_numbers
from skypool.pool.subject import ProductSubject
from skypool.query.evaluate import matches
from skypool.query.grammar import parse
from skypool.sky.images import direction_of
from skypool.sky.vectors import separation, vector

# By tables, by columns, by arrays of all, one by one.
WAYS = [
    Limits(driven=1000, few=0, rows=10**6),
    Limits(driven=0),
    Limits(driven=1000, few=0, rows=0),
    Limits(driven=1000, few=10**6, rows=10**6),
]
CENTRES = [(0.02, 10.0), (83.6, 22.0), (201.4, -43.0), (150.0, 89.98)]
PRODUCTS = 36
MIXED = [
    5,
    "5",
    5.5,
    float("nan"),
    "nan",
    True,
    "\u00e9",
    "e\u0301",
    "\U0001f30c",
    "x" * 250,
    2**80,
]


def image(draw, ra, dec):
    """Return a map that is turned, and blank at its borders now and then."""
    size = draw.integers(4, 12)
    wcs = WCS(naxis=2)
    projection = draw.choice(["TAN", "SIN", "ARC", "CAR"])
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [(size + 1) / 2] * 2
    turn, scale = draw.uniform(0, 6), 0.05
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    wcs.wcs.cd = [[-c, s], [s, c]]
    data = draw.normal(0, 1, (size, size)).astype("f4")
    if draw.random() < 0.5:
        data[:, : size // 3] = np.nan
    return sp.Array(data, unit="Jy" if draw.random() < 0.5 else "mJy", wcs=wcs)


def product(draw):
    meta = {"od": int(draw.integers(1, 5)), "band": str(draw.choice(["PSW", "PMW", "5"]))}
    if draw.random() < 0.7:
        meta["mixed"] = MIXED[draw.integers(len(MIXED))]
    if draw.random() < 0.3:
        meta["telescope"] = str(draw.choice(["Herschel Space Observatory", "HST", "Unknown"]))
    if draw.random() < 0.5:
        meta["exposure"] = float(draw.choice([10.0, 20.0, np.nan]))
    ra, dec = CENTRES[draw.integers(len(CENTRES))]
    ra, dec = float(ra + draw.normal(0, 0.2)) % 360, min(float(dec + draw.normal(0, 0.2)), 90.0)
    datasets = {}
    what = draw.random()
    if what < 0.6:
        datasets["image"] = image(draw, ra, dec)
    elif what < 0.8:
        meta |= {"ra": ra, "dec": dec}
    elif what < 0.9:
        energy = draw.uniform(0, 5, 20)
        rows = {"ra": ra + draw.normal(0, 0.1, 20), "dec": np.full(20, min(dec, 89.9))}
        datasets["events"] = sp.Table({"energy": energy, **rows})
    if draw.random() < 0.3:
        datasets["error"] = sp.Array(
            draw.normal(0, 1, (3, 3)), meta={"CHIP": int(draw.integers(3))}
        )
    return sp.Product(kind="SimpleImage" if what < 0.6 else "Product", meta=meta, datasets=datasets)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    draw = np.random.default_rng(11)
    pool = sp.Pool(tmp_path_factory.mktemp("agree") / "pool")
    for batch in range(3):
        with pool.commit(str(batch)) as commit:
            for number in range(PRODUCTS // 3):
                name = f"maps/{number % 10}" if draw.random() < 0.3 else f"{batch}/{number}"
                tags = ["good"] if draw.random() < 0.3 else []
                commit.save(product(draw), name=name, tags=tags)
    pool.save(sp.Product(kind="MapContext", refs={"a": pool.ls()[0], "b": pool.ls()[3]}), name="o")
    refs = pool.ls()
    return pool, {ref.number: ProductSubject(pool.view, ref) for ref in refs}


numbers = st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0])
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


@st.composite
def places(draw):
    ra, dec = draw(st.sampled_from(CENTRES))
    ra = (ra + draw(st.integers(-6, 6)) * 0.07) % 360
    return f"{ra:.3f}, {min(dec + draw(st.integers(-6, 6)) * 0.07, 90.0):.3f}"


@st.composite
def leaves(draw, depth):
    form = draw(st.integers(0, 11))
    if form <= 1:
        return f"{draw(st.sampled_from(['covers', 'footprint_covers']))}({draw(places())})"
    if form == 2:
        radius = draw(st.sampled_from(["0", "0.1", "'20 arcmin'", "5", "180"]))
        return f"{draw(st.sampled_from(['within', 'overlaps']))}({draw(places())}, {radius})"
    if form == 3 and depth:
        return f"overlaps({draw(queries(depth - 1))})"
    if form == 4:
        function = draw(st.sampled_from(["max", "min", "count", "mean"]))
        return f"{function}(image) {draw(operators)} {draw(numbers)}"
    if form == 5:
        return f"any(image {draw(st.sampled_from(['<', '>', '>=']))} {draw(numbers)})"
    if form == 6:
        return f"value(image, {draw(places())}) {draw(operators)} {draw(numbers)}"
    if form == 7:
        return f"count(events['energy'] > {draw(numbers)}) > {draw(st.integers(0, 19))}"
    if form == 8:
        return draw(
            st.sampled_from(
                ["has(exposure)", "missing(ra)", "tagged('good')", "has_dataset('error')",
                 "parent()", "name startswith 'maps/'", "kind == 'SimpleImage'", "version == 0",
                 "CHIP == 1", "shape[0] > 5", "max(image) > '0.5 Jy'", "type == ''", "True",
                 "mixed == 5", "mixed > 5", "mixed != '5'", "mixed in ['nan', 1]", "mixed > 'e'",
                 "mixed == '\u00e9'", "mixed startswith '\U0001f30c'", f"mixed == '{'x' * 250}'",
                 "telescope == 'Herschel'", "telescope != 'Herschel Space Observatory'",
                 "telescope == 'Herschel Space Observatory'", "telescope in ['Herschel', 'HST']"]
            )
        )  # fmt: skip
    if form == 9:
        return f"exposure {draw(operators)} {draw(st.sampled_from(['10', '20.0', 'od']))}"
    if form == 10:
        return f"band {draw(operators)} {draw(st.sampled_from([repr('PSW'), '5', repr('P')]))}"
    return f"od {draw(operators)} {draw(st.integers(0, 5))}"


@st.composite
def queries(draw, depth=2):
    form = draw(st.integers(0, 7)) if depth else 0
    if form <= 2:
        return draw(leaves(depth))
    if form == 3:
        return f"not ({draw(queries(depth - 1))})"
    word = "and" if form < 7 else "or"
    return f"({draw(queries(depth - 1))}) {word} ({draw(queries(depth - 1))})"


def agree(world, query):
    pool, subjects = world
    tree = parse(query)
    view = pool.view
    wanted = {number for number, subject in subjects.items() if matches(tree, subject)}
    for limits in WAYS:
        found = find_numbers(view.session.catalogue.database, tree, view.at, Scope(), limits)
        may = set(found.numbers)
        assert len(may) == len(found.numbers)
        assert wanted <= may <= set(subjects), (query, limits)
        assert may - found.undecided <= wanted, (query, limits)
    hits = pool.find(query, all_names=True)
    assert set(hits.numbers) == wanted
    assert [ref.name for ref in hits] == sorted(ref.name for ref in hits)


@settings(max_examples=60)
@given(queries())
def test_search_and_evaluator_agree(world, query):
    agree(world, query)


# Rows of many places at once, and the nearest ones

degrees = st.tuples(places(), st.just(0)).map(lambda item: tuple(map(float, item[0].split(","))))
many = st.lists(st.one_of(degrees, st.just((float("nan"), 10.0))), max_size=5)
radii = st.sampled_from([None, 0.11, 0.3, 5.0, 180.0])


def agree_near(world, query, asked, radius):
    """Hold `near=` to one question for each place."""
    pool, subjects = world
    rest, wanted = parse(query), {}
    text = "covers($ra, $dec)" if radius is None else f"within($ra, $dec, {radius})"
    questions = [
        (row, parse(text, {"ra": ra, "dec": dec}))
        for row, (ra, dec) in enumerate(asked)
        if ra == ra
    ]
    for number, subject in subjects.items():
        if matches(rest, subject):
            rows = tuple(row for row, question in questions if matches(question, subject))
            if rows:
                wanted[number] = rows
    hits = pool.find(query, near=asked, radius=radius, all_names=True)
    assert dict(zip(hits.numbers, hits.near, strict=True)) == wanted


def agree_nearest(world, query, place, count):
    """Hold `nearest` to the distances of all that the rest finds."""
    pool, subjects = world
    rest, here = parse(query), vector(*place)
    away = {}
    for number, subject in subjects.items():
        at = direction_of(subject.meta, subject.datasets) if matches(rest, subject) else None
        if at is not None:
            away[number] = separation(at, here)
    ra, dec = place
    hits = pool.find(f"({query}) and nearest({ra}, {dec}, {count})", all_names=True)
    found = [away[ref.number] for ref in hits]
    assert len({ref.number for ref in hits}) == len(hits)
    assert found == pytest.approx(sorted(away.values())[:count], abs=1e-9)
    names = [(near, ref.name) for near, ref in zip(found, hits, strict=True)]
    assert all(one < two for one, two in pairwise(names) if one[0] == two[0])


@settings(max_examples=30)
@given(queries(1), many, radii)
def test_near_and_evaluator_agree(world, query, asked, radius):
    agree_near(world, query, asked, radius)


@settings(max_examples=30)
@given(queries(1), degrees, st.integers(1, 40))
def test_nearest_and_evaluator_agree(world, query, place, count):
    agree_nearest(world, query, place, count)


@pytest.mark.campaign
@settings(max_examples=2_500)
@given(queries(2), many, radii, degrees, st.integers(1, 40))
def test_near_and_evaluator_agree_on_ten_thousand_places(world, query, asked, radius, place, count):
    agree_near(world, query, asked, radius)
    agree_nearest(world, query, place, count)


@pytest.mark.campaign
@settings(max_examples=10_000)
@given(queries(3))
def test_search_and_evaluator_agree_on_ten_thousand_queries(world, query):
    agree(world, query)
