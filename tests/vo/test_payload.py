"""Files for other programs, of any product that there can be."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from hypothesis import Phase, given, settings

import skypool as sp
from skypool.config import Settings
from skypool.errors import UsageError
from skypool.testing.strategies import products
from skypool.vo.local import as_text
from skypool.vo.payload import Part, as_table, parts, write_part


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sp.Pool]:
    home = tmp_path_factory.mktemp("payload")
    given_ = Settings(home=home, cache=home / "cache", author="tester")
    with sp.Pool(home / "pool", settings=given_) as made:
        yield made


def check(ref: sp.Ref, part: Part, path: str) -> None:
    """Check what other programs find in the files of a dataset."""
    write_part(ref, part, path)
    with fits.open(path) as hdus:
        hdus.verify("exception")
        if part.what in ("image", "cube"):
            values = np.asarray(part.dataset)
            assert np.array_equal(hdus[0].data, values, equal_nan=values.dtype.kind == "f")
            return
        assert len(hdus[1].data) == len(as_table(part))
    try:
        write_part(ref, part, path, "votable")
    except UsageError:
        return
    assert parse(path).get_first_table().nrows == len(as_table(part))


# Products are large: shrinking one takes minutes.
@settings(
    max_examples=max(25, settings.default.max_examples // 10),
    phases=[Phase.explicit, Phase.generate],
)
@given(product=products())
def test_any_dataset_becomes_a_file_that_others_read(scratch: sp.Pool, product: sp.Product) -> None:
    ref = scratch.save(product, "any")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in parts(ref):
            check(ref, part, str(scratch.path) + "-file")
        assert as_text(ref, None).startswith("# any@")


@pytest.mark.parametrize("dtype", ["i1", "u1", "u2", "u4", "u8", "i2", "f4"])
def test_votable_has_no_type_of_some_columns(scratch: sp.Pool, dtype: str) -> None:
    values = np.array([0, 1, 100], dtype)
    product = sp.Product("TableProduct", datasets={"t": _table(values)})
    ref = scratch.save(product, f"typed-{dtype}")
    (part,) = parts(ref)
    path = f"{scratch.path}-{dtype}.vot"
    write_part(ref, part, path, "votable")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = parse(path).get_first_table().to_table()
    assert table["x"].tolist() == [0, 1, 100]


def test_texts_that_fits_has_not(scratch: sp.Pool) -> None:
    product = sp.Product(
        "TableProduct", datasets={"märz": _table(np.array(["Köln", "π"]))}, meta={"object": "α\n1"}
    )
    ref = scratch.save(product, "odd")
    (part,) = parts(ref)
    check(ref, part, f"{scratch.path}-odd")


def test_missing_texts_stay_missing(scratch: sp.Pool) -> None:
    from astropy.table import MaskedColumn, Table

    names = MaskedColumn(["a\x01", "b", "c"], mask=[False, True, False])
    ref = scratch.save(sp.Product("TableProduct", datasets={"t": Table({"x": names})}), "missing")
    (part,) = parts(ref)
    path = f"{scratch.path}-missing.vot"
    write_part(ref, part, path, "votable")
    table = parse(path).get_first_table().to_table()
    assert [None if x is np.ma.masked else x for x in table["x"]][::2] == ["a?", "c"]
    assert table["x"][1] in ("", np.ma.masked)


def _table(values: np.ndarray) -> object:
    from astropy.table import Table

    return Table({"x": values})
