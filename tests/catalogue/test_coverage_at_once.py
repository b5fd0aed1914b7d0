"""Coverage that is worked out before a product is in a pack is that of its stored document."""

from __future__ import annotations

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue.coverages import coverage_of_document
from skypool.catalogue.coverages_at_hand import coverage_at_once
from skypool.codec.documents import dumps_document
from skypool.codec.products import encode_product
from skypool.sky.coverage import State, decode


class Chunks(dict):
    """A sink in memory."""

    def put(self, raw, itemsize=1):
        name = len(self).to_bytes(32, "big")
        self[name] = bytes(memoryview(raw).cast("B") if not isinstance(raw, bytes) else raw)
        return name

    def stream(self, itemsize=1):
        return self


def header(kind="TAN", ra=10.0, dec=20.0, step=0.01, **more):
    cards = {
        "CTYPE1": f"'RA---{kind}'", "CTYPE2": f"'DEC--{kind}'", "CRVAL1": ra, "CRVAL2": dec,
        "CRPIX1": 8.5, "CRPIX2": 8.5, "CDELT1": -step, "CDELT2": step, **more,
    }  # fmt: skip
    return "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in cards.items())


def values(*holes):
    data = np.ones((16, 12), np.float32)
    for place in holes:
        data[place] = np.nan
    return data


def image(data, **options):
    return sp.Array(data, wcs=header(**options))


PRODUCTS = {
    "whole": {"image": image(values())},
    "with holes": {"image": image(values((0, 0), 5))},
    "blank": {"image": image(values(slice(None)))},
    "infinite": {"image": image(np.full((16, 12), np.inf))},
    "integers": {"image": image(np.arange(192).reshape(16, 12))},
    "complex": {"image": image(np.ones((16, 12), complex))},
    "near the pole": {"image": image(values(), dec=89.9)},
    "at the pole": {"image": image(values(), dec=90.0)},
    "half the sky": {"image": image(values(), step=30.0)},
    "sine": {"image": image(values(), kind="SIN")},
    "turned": {"image": image(values(), PC1_1=0.5, PC1_2=-0.8, PC2_1=0.8, PC2_2=0.5)},
    "with a step that is text": {"image": image(values(), CDELT1="'none'")},
    "a weight map alone": {"coverage": image(values() * 0)},
    "an error map alone": {"error": image(values())},
    "with a weight map": {"image": image(values()), "coverage": image(values() * 0)},
    "two": {"image": image(values()), "other": image(values(), ra=200.0)},
    "a cube": {"image": image(np.ones((3, 16, 12), np.float32))},
    "in a composite": {"all": {"image": image(values())}},
    "large": {"image": image(np.ones((2000, 1800), np.uint8))},
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_it_is_that_of_the_document(name):
    chunks = Chunks()
    product = sp.Product(datasets=PRODUCTS[name])
    document, _ = encode_product(product, chunks, b"")
    place = chunks.put(dumps_document(document))
    stored = coverage_of_document(place, chunks.__getitem__, lambda *_: None)
    assert coverage_at_once(document, product.datasets) == stored
    # Without the pixels, where some have no value: which have one is looked at later.
    assert coverage_at_once(document) == (None if name in ("with holes", "complex") else stored)
    assert stored


def test_what_needs_chunks_is_left_for_later():
    table = sp.Product(datasets={"rows": sp.Table({"ra": [1.0], "dec": [2.0]})})
    document, _ = encode_product(table, Chunks(), b"")
    assert coverage_at_once(document) is None
    assert coverage_at_once({**document, "datasets": [], "file": {}}) is None


def test_a_pool_has_it(tmp_path):
    pool = sp.Pool(f"{tmp_path}/pool")
    for name, datasets in PRODUCTS.items():
        pool.save(sp.Product(datasets=datasets), name=name)
    covered = {ref.name for ref in pool.find("covers(10.0, 20.0)")}
    assert {"whole", "turned", "two", "large", "sine"} <= covered
    assert not {"blank", "near the pole", "infinite"} & covered


def test_the_state_of_the_pixels():
    states = {
        name: decode(coverage_at_once(encode_product(
            sp.Product(datasets=PRODUCTS[name]), Chunks(), b"")[0],
            sp.Product(datasets=PRODUCTS[name]).datasets))[0].state
        for name in ("whole", "with holes", "blank", "infinite", "complex")
    }  # fmt: skip
    assert states == {
        "whole": State.FULL,
        "with holes": State.MIXED,
        "blank": State.EMPTY,
        "infinite": State.EMPTY,
        "complex": State.MIXED,
    }
