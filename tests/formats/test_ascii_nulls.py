"""TNULL of whole numbers in ASCII tables: missing wherever values are read, counted or found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp

ROWS = [(1, 5, 7), (None, 3, None), (4, None, None)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table with the columns n (-99 stands for none), m (***; in halves), z (blank is none)."""
    names = {"n": "-99", "m": "***", "z": ""}
    data = "".join(
        "".join(
            f"{null if value is None else value:>5}"
            for value, null in zip(row, names.values(), strict=True)
        )
        for row in ROWS
    )
    header = fits.Header({"XTENSION": "TABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 15})
    header.update({"NAXIS2": 3, "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": 3, "EXTNAME": "CAT"})
    for n, (name, null) in enumerate(names.items(), 1):
        header.update({f"TTYPE{n}": name, f"TFORM{n}": "I5", f"TBCOL{n}": 5 * n - 4})
        header[f"TNULL{n}"] = null
    header.update({"TSCAL2": 0.5, "TZERO2": 10.0})
    first = fits.PrimaryHDU().header.tostring().encode()
    path = tmp_path / "cat.fits"
    path.write_bytes(first + header.tostring().encode() + data.encode().ljust(2880))
    return path


@pytest.fixture(params=[False, True])
def pool(tmp_path: Path, path: Path, request: pytest.FixtureRequest) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(path, in_place=request.param)
        yield pool


def test_values(pool: sp.Pool) -> None:
    table = pool["cat.fits"].product["CAT"]
    assert table["n"][:].tolist() == [1, None, 4]
    assert table["z"][:].tolist() == [7, None, None]
    np.testing.assert_array_equal(np.ma.filled(table["m"][:], np.nan), [12.5, 11.5, np.nan])
    np.testing.assert_array_equal(np.asarray(table["n"]), [1, np.nan, 4])
    assert table.to_astropy()["n"].tolist() == [1, None, 4]
    assert table[[2, 0, 1]]["n"][:].tolist() == [4, 1, None]
    assert table.to_pandas()["n"].isna().tolist() == [False, True, False]


def test_statistics(pool: sp.Pool) -> None:
    table = pool["cat.fits"].product["CAT"]
    for name, low, high, mean in (("n", 1, 4, 2.5), ("m", 11.5, 12.5, 12), ("z", 7, 7, 7)):
        column = table[name]
        assert (column.min(), column.max(), column.mean()) == (low, high, mean)
    assert len(table.where("n < 4")) == 1
    assert len(table.where("m < 11")) == 0
    assert len(table.where("z == 0")) == 0


def test_searches(pool: sp.Pool) -> None:
    for query, found in {
        "min(CAT['n']) == 1": 1,
        "min(CAT['n']) < 1": 0,
        "any(CAT['n'] <= 0)": 0,
        "count(CAT['n']) == 2": 1,
        "count(CAT['n'] > 0) == 2": 1,
        "min(CAT['m']) == 11.5": 1,
        "max(CAT['m']) == 12.5": 1,
        "min(CAT['z']) == 7": 1,
        "mean(CAT['z']) == 7": 1,
    }.items():
        assert len(pool.find(query)) == found, query


def test_tables_made_of_it(pool: sp.Pool, tmp_path: Path) -> None:
    """They keep what is missing, in the pool and in files; the file itself is as it was."""
    product = pool["cat.fits"].product
    pool.save(sp.Product(datasets={"CAT": product["CAT"]}), name="made")
    assert pool["made"].product["CAT"]["n"][:].tolist() == [1, None, 4]
    pool.export("made", tmp_path / "out")
    with fits.open(tmp_path / "out/made.fits") as hdus:
        null = hdus["CAT"].header["TNULL1"]
        assert hdus["CAT"].data["n"].tolist() == [1, null, 4]
    assert pool.diff(pool["cat.fits"], pool["made"]).datasets == []
