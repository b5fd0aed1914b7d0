"""Pages of tables, in any order, filtered."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.errors import MissingName, QueryError, UsageError
from skypool.server.data_tables import Arranged, page

from .seen import Spy, saved


def made() -> sp.Table:
    table = AstropyTable({
        "name": ["c", "a", "b", "a"],
        "flux": [0.0, np.nan, 2.5, -1.0] * u.Jy,
        "n": MaskedColumn([3, 1, 2, 0], mask=[False, False, True, False]),
        "big": np.array([2**62, 1, 2, 3]),
        "f32": np.array([0.1, 1, 2, 3], np.float32),
        "vector": np.arange(40).reshape(4, 10),
        "pair": np.arange(8).reshape(4, 2),
        "c": np.array([1 + 2j, 0, 0, 0]),
        "yes": [True, False, True, False],
    })  # fmt: skip
    table["flux"].description = "how bright"
    return sp.Table(table)


def rows(table: sp.Table, order: str = "", where: str = "", *columns: str) -> list[list[object]]:
    shown = Arranged().get("t", table, where, order)
    found: list[list[object]] = page(table, shown, 0, 1000, columns)["rows"]
    return found


def test_cells() -> None:
    table = made()
    found = page(table, table, 0, 2, [])
    assert found["rows"][0] == [
        "c", 0.0, 3, 2**62, 0.1, "[0, 1, 2, 3, 4, 5, 6, 7, …] (10)", "[0, 1]", "1.0+2.0i", True
    ]  # fmt: skip
    assert np.isnan(found["rows"][1][1])
    assert (found["total"], found["all"]) == (4, 4)
    assert found["columns"][1] == {
        "name": "flux", "unit": "Jy", "dtype": "float64", "shape": [], "description": "how bright",
        "plots": True,
    }  # fmt: skip
    assert [each["plots"] for each in found["columns"][5:8]] == [False] * 3
    assert page(table, table, 2, 1, ["n"])["rows"] == [[None]]
    assert page(table, table, 9, 5, ["n"])["rows"] == []
    with pytest.raises(MissingName):
        page(table, table, 0, 1, ["nn"])


def test_orders() -> None:
    table = made()
    names = [row[0] for row in rows(table, "name", "", "name")]
    assert names == ["a", "a", "b", "c"]
    assert rows(table, "name,-f32", "", "f32") == [[3.0], [1.0], [2.0], [0.1]]
    assert rows(table, "-flux", "", "name", "flux")[:3] == [["b", 2.5], ["c", 0.0], ["a", -1.0]]
    assert rows(table, "n", "", "n") == [[0], [1], [3], [None]]
    assert rows(table, "-n", "", "n") == [[3], [1], [0], [None]]
    with pytest.raises(UsageError, match="no single values"):
        rows(table, "vector")


def test_conditions() -> None:
    table = made()
    assert rows(table, "", "flux >= 0", "name") == [["c"], ["b"]]
    assert rows(table, "-flux", "flux > '500 mJy' or flux < 0", "flux") == [[2.5], [-1.0]]
    with pytest.raises(QueryError) as error:
        rows(table, "", "flx > 2")
    assert error.value.column == 1
    assert error.value.candidates == ("flux",)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 1.0, np.nan, -2.0])), min_size=1),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_orders_are_stable(values: list[tuple[int, float]], down: bool, up: bool) -> None:
    table = sp.Table({
        "a": [a for a, _ in values], "b": [b for _, b in values], "row": np.arange(len(values))
    })  # fmt: skip
    found = rows(table, f"{'-' * down}a,{'-' * up}b", "", "row")

    def key(row: int) -> tuple[float, bool, float, int]:
        a, b = values[row]
        missing = bool(np.isnan(b))
        return (-a if down else a, missing, 0 if missing else -b if up else b, row)

    assert [row for (row,) in found] == sorted(range(len(values)), key=key)


def test_a_page_reads_the_blocks_that_it_shows(tmp_path: Path) -> None:
    columns = {f"c{n}": np.random.default_rng(n).normal(size=200_000) for n in range(10)}
    pool, ref = saved(tmp_path, t=sp.Table(columns))
    with pool:
        table = ref.product["t"]
        spy = Spy(table)
        spy.reset()
        found = page(table, table, 100_000, 50, ["c2", "c4"])
        assert len(spy.chunks) == 2
        assert found["rows"][0] == [columns["c2"][100_000], columns["c4"][100_000]]
        spy.reset()
        arranged = Arranged()
        shown = arranged.get("t", table, "c1 > 4", "-c0")
        # The statistics say in which blocks a value can be above 4.
        blocks = -(-200_000 // table.source.block_rows)
        assert len(spy.chunks) <= 2 * blocks
        keep = np.flatnonzero(columns["c1"] > 4)
        keep = keep[np.argsort(-columns["c0"][keep])]
        found = page(table, shown, 0, 1000, ["c0", "c1"])
        assert found["rows"] == [[columns["c0"][row], columns["c1"][row]] for row in keep]
        spy.reset()
        assert arranged.get("t", table, "c1 > 4", "-c0") is shown
        assert spy.chunks == []


def test_arrangements_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from skypool.server import data_tables

    monkeypatch.setattr(data_tables, "_MOST_ROWS", 10)
    table, arranged = made(), Arranged()
    for order in ("name", "flux", "n", "big", "yes"):
        arranged.get("t", table, "", order)
    assert len(arranged._tables) == 2


def test_a_table_without_rows() -> None:
    table = sp.Table({"a": np.zeros(0), "b": np.zeros(0, "S3")})
    assert rows(table, "-b") == []
    assert rows(table, "", "a > 2") == []
