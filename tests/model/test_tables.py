"""Tables: what goes in comes out, lazily; rows, columns, conditions, missing values."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable
from astropy.table import Table as AstropyTable
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool.codec.statistics import Statistics
from skypool.errors import InvalidProduct, MissingName, UsageError
from skypool.model.compare import differences, same_values
from skypool.model.memory_table import MemoryTable
from skypool.model.sources import ColumnInfo
from skypool.testing.strategies import tables


class Blocks(MemoryTable):
    """A table in blocks of 10 rows that counts the blocks read."""

    block_rows = 10

    def __init__(self, **columns):
        made = {
            name: (ColumnInfo(name, values.dtype, values.shape[1:]), values)
            for name, values in columns.items()
        }
        super().__init__(made, len(next(iter(columns.values()))))
        self.reads = []

    def read(self, name, start, stop):
        self.reads.append((name, start, stop))
        return super().read(name, start, stop)

    def column_statistics(self, name):
        values = super().read(name, 0, self.nrows)
        return Statistics.of([values[at : at + 10] for at in range(0, self.nrows, 10)])


@pytest.fixture
def events():
    return Blocks(energy=np.arange(100.0), grade=np.arange(100) % 4)


def test_astropy_tables_come_back():
    given_table = AstropyTable(
        {
            "flux": MaskedColumn([1, 2, 3], mask=[0, 1, 0], unit="Jy", description="a flux"),
            "name": ["a", "bb", "ccc"],
            "good": [True, False, True],
            "image": np.arange(12.0).reshape(3, 2, 2),
            "bytes": np.array([b"x", b"y", b"z"]),
        },
        meta={"OBJECT": "M 83", "comments": ["one", "two"]},
    )
    table = sp.Table(given_table)
    assert table.colnames == given_table.colnames
    assert len(table) == table.nrows == 3
    assert table.meta["comments"].value == "one\ntwo"
    back = table.to_astropy()
    assert isinstance(back, AstropyTable)
    assert back.colnames == given_table.colnames
    assert back["flux"].unit == u.Jy
    assert back["flux"].description == "a flux"
    assert list(back["flux"].mask) == [False, True, False]
    assert back["good"].dtype == bool
    assert list(back["name"]) == ["a", "bb", "ccc"]
    assert list(back["bytes"]) == ["x", "y", "z"]
    assert back.meta["OBJECT"] == "M 83"
    back["image"][0, 0, 0] = 5
    assert table["image"][0, 0, 0] == 0


def test_quantities_times_and_arrays_of_different_lengths():
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.arange(3, dtype="i2"), np.arange(0, dtype="i2")]
    table = sp.Table(
        QTable(
            {
                "wave": [1.0, 2.0] * u.um,
                "when": Time(["2013-02-17T01:10:35.261674", "2016-12-31T23:59:60.5"]),
                "ragged": ragged,
            }
        )
    )
    assert table["wave"].unit == u.um
    assert list(table["when"]) == ["2013-02-17T01:10:35.261674000", "2016-12-31T23:59:60.500000000"]
    assert Time(list(table["when"]))[1].isot == "2016-12-31T23:59:60.500"
    assert table["ragged"].info.element == np.dtype("i2")
    assert list(table["ragged"][0]) == [0, 1, 2]
    assert table["ragged"].max() == 2
    assert table.to_astropy()["ragged"][1].shape == (0,)


@pytest.mark.parametrize(
    "data",
    [
        {"a": [1, 2], "b": ["x", "y"]},
        np.array([(1, "x"), (2, "y")], dtype=[("a", "i8"), ("b", "U1")]),
        {"a": np.array([1, 2], ">i8"), "b": np.array(["x", "y"], object)},
        {"a": np.array([1, 2], object), "b": np.array([b"x", "y"], object)},
    ],
)
def test_other_tables(data):
    table = sp.Table(data)
    assert table["a"].dtype == np.dtype("i8")
    assert list(table["a"]) == [1, 2]
    assert list(table["b"]) == ["x", "y"]
    assert sp.Table(table)["a"].shape == (2,)


def test_data_frames():
    import pandas as pd

    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", None]})
    table = sp.Table(frame)
    assert list(table["a"]) == [1.5, 2.5]
    assert list(table.to_astropy()["b"].mask) == [False, True]


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        ({"a": [1, 2], "b": [1]}, "differ in length"),
        ({"a": [object()]}, "objects of type object"),
        ({"a": np.zeros(2, "f2")}, "float32"),
        ({"": [1]}, "name of a column"),
        ({"a": 5}, "one value for each row"),
        ({"a": np.array([b"\xff"])}, "UTF-8"),
        ({"a": ["\ud800"]}, "surrogates"),
        ({"a": np.ma.array([True, False], mask=[True, False])}, "missing"),
        ({"a": SkyCoord([1, 2], [3, 4], unit="deg")}, "two columns"),
        (5, "is no table"),
        ({"a": np.ma.array(np.arange(256, dtype="u1").repeat(2), mask=[1] + [0] * 511)}, "occur"),
    ],
)
def test_what_cannot_be_kept_is_told(data, advice):
    with pytest.raises(InvalidProduct, match=advice):
        sp.Table(data)


def test_blanks_at_the_end_of_text_are_fill():
    assert list(sp.Table({"a": ["x  ", "  y", ""]})["a"]) == ["x", "  y", ""]


def test_nothing_can_be_set():
    table = sp.Table({"a": [1, 2]})
    with pytest.raises(TypeError, match="to_astropy"):
        table["a"] = 3
    with pytest.raises(TypeError, match="copy"):
        table["a"][0] = 3
    for view in (table["a"][:], np.asarray(table["a"])):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 3
    given_values = np.array([1, 2])
    table = sp.Table({"a": given_values})
    given_values[0] = 9
    assert table["a"][0] == 1


def test_rows_and_columns(events):
    table = sp.Table(events)
    assert table[5] == {"energy": 5.0, "grade": 1}
    assert table[-1]["energy"] == 99
    assert list(table[90:][["GRADE"]]["grade"]) == [2, 3, 0, 1, 2, 3, 0, 1, 2, 3]
    assert list(table[::-40]["energy"]) == [99, 59, 19]
    assert list(table[::-40][1:]["energy"]) == [59, 19]
    assert list(table[10:30][::7][::-1]["energy"]) == [24, 17, 10]
    assert list(table[[3, -1, 55]]["energy"]) == [3, 99, 55]
    assert list(table[np.arange(100) > 97]["energy"]) == [98, 99]
    assert list(table[[3, -1, 55]][1:]["energy"]) == [99, 55]
    assert len(table[:0]) == 0
    assert "energy" in table
    assert "nothing" not in table
    assert bool(table[:0])
    assert [row["energy"] for row in table[3:5]] == [3, 4]
    assert table["Energy"].name == "energy"
    with pytest.raises(MissingName, match="energy"):
        table["enegry"]
    with pytest.raises(IndexError):
        table[100]
    with pytest.raises(IndexError):
        table[[100]]
    with pytest.raises(IndexError):
        table[[True, False]]
    assert table["energy"][::-1][0] == 99
    assert list(table["energy"][[1, 2]]) == [1, 2]


def test_only_the_rows_asked_for_are_read(events):
    table = sp.Table(events)
    _ = table["energy"][42:44]
    assert events.reads == [("energy", 42, 44)]
    events.reads.clear()
    _ = table[[3, 95]]["energy"][:]
    assert events.reads == [("energy", 3, 4), ("energy", 95, 96)]
    events.reads.clear()
    assert table["energy"].max() == 99
    assert table["energy"].count() == 100
    assert events.reads == []


def test_where_skips_blocks_by_their_statistics(events):
    table = sp.Table(events)
    found = table.where("energy >= 95 and grade == 3")
    assert {read[1:] for read in events.reads} == {(90, 100)}
    assert list(found["energy"]) == [95, 99]
    assert found.colnames == ["energy", "grade"]
    assert len(table.where("energy > 1000")) == 0
    assert list(table.where("energy > $low", {"low": 97})["energy"]) == [98, 99]
    assert list(found.where("energy > 96")["energy"]) == [99]
    assert list(table.where(lambda part: np.asarray(part["energy"]) > 97)["energy"]) == [98, 99]
    with pytest.raises(UsageError, match="shape"):
        table.where(lambda part: True)


def test_where_knows_units_and_missing_values():
    table = sp.Table(
        QTable({"energy": [500.0, 2500.0] * u.eV, "n": MaskedColumn([1, 2], mask=[0, 1])})
    )
    assert list(table.where("energy > '1 keV'")["energy"]) == [2500]
    assert len(table.where("n > 0")) == 1
    assert len(table.where("n < 0")) == 0


@pytest.mark.parametrize("dtype", ["i2", "u2", "u8", "i1", "f4", "c8", "U3"])
def test_missing_values(dtype):
    data = np.ma.array(np.arange(4).astype(dtype), mask=[False, True, False, False])
    table = sp.Table({"a": data})
    assert same_values(table["a"][:], data)
    assert same_values(table.to_astropy()["a"], data)
    assert table["a"][1] is np.ma.masked
    assert table[1]["a"] is np.ma.masked
    assert same_values(table[1:]["a"][:], data[1:])
    assert same_values(table[[3, 1]]["a"][:], data[[3, 1]])
    if dtype not in ("c8", "U3"):
        assert table["a"].min() == 0
        assert table["a"].max() == 3
        assert table["a"].count() == 3
        assert table["a"].sum() == 5


@settings(max_examples=60)
@given(tables(), st.slices(6))
def test_tables_survive_astropy(table, part):
    back = sp.Table(table.to_astropy(), description=table.description)
    one = sp.Product(datasets={"t": table})
    other = one.replace(datasets={"t": back})
    for problem in differences(one, other):
        # Metadata of astropy's tables has neither units nor descriptions.
        assert problem.location[2:3] == ("meta",), problem
    rows = table[part]
    assert len(rows) == len(range(*part.indices(len(table))))
    for name in table.colnames:
        assert same_values(rows[name][:], table[name][:][part])


def test_repr():
    assert repr(sp.Table({"a": [1], "b": [2]})) == "Table(1 rows: a, b)"
    assert (
        repr(sp.Table({"a": [1.0] * u.Jy})["a"])
        == "Column('a', shape=(1,), dtype=float64, unit='Jy')"
    )


def test_ragged_complex_cells_that_are_all_empty():
    cells = np.empty(1, dtype=object)
    cells[0] = np.zeros(0, "c8")
    assert len(sp.Table({"a": cells})["a"][0]) == 0


def test_columns_in_magnitudes_keep_their_unit(tmp_path):
    """Such units can be called: u.mag(u.AB)."""
    given = QTable({"m": [1, 2] * u.mag, "ab": [1, 2] * u.ABmag, "dex": [1, 2] * u.dex(u.m)})
    with sp.Pool(tmp_path / "pool") as pool:
        for data in (given, AstropyTable(given), {name: given[name] for name in given.colnames}):
            table = pool.save(sp.Product(datasets={"t": sp.Table(data)}), name="t").product["t"]
            assert [table[name].unit for name in ("m", "ab", "dex")] == [
                u.mag, u.ABmag, u.dex(u.m)]  # fmt: skip
            assert table["m"].unit_text == "mag"
    magnitudes = sp.Array([20.0, 21.0] * u.ABmag)
    assert isinstance(magnitudes.to_quantity(), u.Magnitude)
    assert (magnitudes.to_quantity() - 1 * u.mag)[0] == 19 * u.ABmag
    assert np.all(magnitudes.to_quantity().to(u.uJy) > 0 * u.uJy)


def test_what_stands_in_for_missing_numbers_is_no_value(tmp_path):
    """Stored statistics count it as one (docs/format/documents.md)."""
    columns = {
        "n": np.ma.MaskedArray([5, 6, 7], [0, 1, 0]),
        "u": np.ma.MaskedArray(np.array([5, 6, 7], "u2"), [0, 1, 0]),
        "whole": np.array([5, 6, 7]),
    }
    scaled = fits.BinTableHDU.from_columns([fits.Column("s", "I", array=[5, -99, 7])])
    scaled.header.update({"TSCAL1": 0.5, "TZERO1": 10.0, "TNULL1": -99})
    scaled.writeto(tmp_path / "a.fits")
    with sp.Pool(tmp_path / "pool") as pool:
        table = pool.save(sp.Product(datasets={"t": sp.Table(columns)}), name="a").product["t"]
        assert table["n"].source.column_statistics("n").minima[0] < 0
        for name in ("n", "u"):
            column = table[name]
            assert (column.min(), column.max(), column.count(), column.mean()) == (5, 7, 2, 6)
            assert (np.min(column), column.median(), column.any(), column.all()) == (
                5,
                6,
                True,
                True,
            )
        assert table["whole"].count() == 3
        (read,) = pool.add(tmp_path / "a.fits", name="b").product.datasets.values()
        assert read["s"][:].tolist() == [12.5, None, 13.5]
        assert (read["s"].min(), read["s"].count()) == (12.5, 2)
        assert read.where("s < 12")["s"].size == 0
        assert [ref.name for ref in pool.find("min(t['n']) == 5 and count(t['n']) == 2")] == ["a"]
        assert not pool.find("min(t['n']) < 0")
