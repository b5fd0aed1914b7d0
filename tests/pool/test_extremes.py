"""Data functions answered by the catalogue: the same as by the data, and without reading them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool.model.tables import Table
from skypool.query.evaluate import matches
from skypool.query.grammar import parse

VALUES = st.floats(-3, 3, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])
DTYPES = ["f4", "f8", "i2", "i8", "u1", "bool"]


@st.composite
def products(draw):
    datasets = {}
    for name in draw(
        st.lists(st.sampled_from(["image", "Image", "error"]), max_size=3, unique=True)
    ):
        dtype = draw(st.sampled_from(DTYPES))
        values = draw(st.lists(VALUES, min_size=1, max_size=4))
        if dtype not in ("f4", "f8"):
            values = [0 if not np.isfinite(value) else abs(int(value)) for value in values]
        unit = draw(st.sampled_from(["", "Jy", "mJy"]))
        datasets[name] = sp.Array(np.array(values, dtype), unit=unit or None)
    if draw(st.booleans()):
        columns = {
            "energy": np.array(draw(st.lists(VALUES, min_size=1, max_size=3)), "f4"),
            "name": np.array(["a"]),
        }
        columns["name"] = np.array(["a"] * len(columns["energy"]))
        datasets["events"] = Table(columns)
    if draw(st.booleans()):
        datasets["outer"] = sp.Composite({"image": np.array([draw(VALUES)])})
    return sp.Product(datasets=datasets)


OPERANDS = [
    "max(image)", "min(image)", "count(image)", "max(error)", "max(events['energy'])",
    "count(events)", "count(events['energy'])", "min(outer.image)", "max(IMAGE)",
    "count(image > 1)", "count(events['energy'] <= 0)", "count(0 < image)",
]  # fmt: skip
LITERALS = ["0", "1", "1.5", "-2", "'1 Jy'", "'1000 mJy'", "number('inf')", "3", "'x'"]


@settings(max_examples=8)
@given(st.lists(products(), min_size=1, max_size=4), st.data())
def test_the_catalogue_answers_as_the_data_do(tmp_path_factory, made, data):
    pool = sp.Pool(tmp_path_factory.mktemp("extremes") / "pool")
    with pool.commit() as c:
        for n, product in enumerate(made):
            c.save(product, name=f"p{n}")
    for _ in range(15):
        operand = data.draw(st.sampled_from(OPERANDS))
        operator = data.draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
        query = f"{operand} {operator} {data.draw(st.sampled_from(LITERALS))}"
        if data.draw(st.booleans()):
            query = f"not ({query})"
        tree = parse(query)
        subjects = {ref.name: Subject(ref) for ref in pool.ls()}
        expected = [name for name, subject in subjects.items() if matches(tree, subject, query)]
        assert [ref.name for ref in pool.find(query)] == expected, query


class Subject:
    """A product, with nothing but its datasets."""

    def __init__(self, ref):
        self.datasets = ref.product.datasets
        self.meta = {}


@pytest.fixture
def pool(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    with pool.commit() as c:
        for n in range(6):
            image = np.full((2000, 1500), float(n), "f4")
            image[0, 0] = np.nan
            events = Table({"energy": np.arange(10.0) * n})
            c.save(sp.Product(datasets={"image": image, "events": events}), name=f"p{n}")
    pool.close()
    return sp.Pool(tmp_path / "pool")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("max(image) > 3", [4, 5]),
        ("min(image) == 2", [2]),
        ("count(image) == 2999999 and max(image) < 1", [0]),
        ("max(events['energy']) >= 36", [4, 5]),
        ("count(events) == 10 and not max(image) > 0", [0]),
    ],
)
def test_large_images_are_found_without_reading_anything(pool, query, found):
    store = pool.view.session.store
    before = store.bytes_read
    assert [ref.name for ref in pool.find(query)] == [f"p{n}" for n in found]
    assert store.bytes_read == before


def test_only_candidates_are_read_for_counts(pool):
    before = pool.view.session.store.bytes_read
    assert [ref.name for ref in pool.find("count(events['energy'] > 40) > 0")] == ["p5"]
    assert pool.view.session.store.bytes_read - before < 20_000
    assert not pool.find("any(image > 100)")


def test_the_keys_are_not_shown(pool):
    keys = pool.view.session.catalogue.keys()
    assert "type" in keys
    assert all(key.isprintable() for key in keys)
