"""Tables as astropy's with columns read when used, pandas', Arrow's and polars'."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, vstack
from astropy.table import Table as AstropyTable
from hypothesis import given, settings
from tests.arrays.conftest import ROWS

import skypool as sp
from skypool.errors import MissingDependency
from skypool.model import optional
from skypool.testing.strategies import tables


def test_columns_of_astropy_are_read_when_they_are_used(pool, monkeypatch):
    events = pool["events"].product["events"]
    read = []
    inner = type(events.source).read
    monkeypatch.setattr(
        type(events.source),
        "read",
        lambda s, name, a, b: read.append(name) or inner(s, name, a, b),
    )
    made = events.to_astropy(lazy=True)
    assert isinstance(made, AstropyTable)
    assert (len(made), made.colnames) == (ROWS, events.colnames)
    assert made.meta["OBJECT"] == "M 83"
    assert "energy" in made.columns
    assert not read
    energy = made["energy"]
    assert type(energy) is Column
    assert (energy.unit, energy.name, energy.parent_table) == (u.eV, "energy", made)
    assert set(read) == {"energy"}
    assert made["energy"] is energy
    assert made[5]["n"] == 5
    assert type(made["n"]) is MaskedColumn
    assert set(read) == {"energy", "n"}
    assert made[["energy", "n"]].colnames == ["energy", "n"]
    assert set(read) == {"energy", "n"}
    assert made.unread() == ["time", "good", "name", "xyz"]


def test_lazy_tables_are_tables(pool):
    events = pool["events"].product["events"][:50]
    made, plain = events.to_astropy(lazy=True), events.to_astropy()
    assert str(made) == str(plain)
    assert made.unread() == []
    for change in (
        lambda t: t[t["energy"] > 5000],
        lambda t: vstack([t, t]),
        lambda t: t.group_by("good"),
        lambda t: t.copy(),
        lambda t: QTable(t),
    ):
        one, other = change(events.to_astropy(lazy=True)), change(plain)
        assert one.colnames == other.colnames
        for name in other.colnames:
            assert np.array_equal(np.ma.getmaskarray(one[name]), np.ma.getmaskarray(other[name]))
            assert np.ma.allequal(one[name], other[name])
    lazy = events.to_astropy(lazy=True)
    lazy["twice"] = lazy["time"] * 2
    lazy.remove_column("name")
    lazy.rename_column("time", "t")
    assert lazy.colnames == ["t", "energy", "n", "good", "xyz", "twice"]
    lazy["energy"][0] = 1
    assert lazy["energy"][0] == 1
    assert len(sp.Table({}).to_astropy(lazy=True)) == 0


def test_pandas(pool):
    pandas = pytest.importorskip("pandas")
    events = pool["events"].product["events"]
    frame = events.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.shape == (ROWS, 6)
    assert np.array_equal(frame["energy"], events["energy"][:])
    assert frame["energy"].dtype == np.float32
    assert str(frame["n"].dtype) == "Int64"
    assert frame["n"].isna().sum() == -(-ROWS // 7)
    assert frame["good"].dtype == bool
    assert frame["name"][101] == "s1"
    assert frame["xyz"][4].tolist() == [12, 13, 14]
    assert frame.attrs["units"] == {"time": "s", "energy": "eV"}
    assert frame.attrs["meta"]["OBJECT"] == "M 83"
    assert frame.groupby("good")["time"].mean()[True] == 0.5 * (ROWS - 2) / 2
    back = sp.Table(frame[["time", "n", "name"]])
    assert np.ma.allequal(back["n"][:], events["n"][:])
    assert events[:0].to_pandas().shape == (0, 6)
    one = events.where("energy > 8990 and good").to_pandas()
    assert (one["energy"] > 8990).all()


def test_arrow(pool):
    arrow = pytest.importorskip("pyarrow")
    events = pool["events"].product["events"]
    made = events.to_arrow()
    made.validate(full=True)
    assert made.num_rows == ROWS
    assert made.schema.field("energy").metadata == {b"unit": b"eV"}
    assert np.array_equal(made["energy"].to_numpy(), events["energy"][:])
    assert made["n"].null_count == -(-ROWS // 7)
    assert made["n"][6].as_py() == 6
    assert made["name"][101].as_py() == "s1"
    assert made["xyz"][4].as_py() == [12, 13, 14]
    assert made["good"].to_pylist()[:3] == [True, False, True]
    assert arrow.table(events).equals(made)
    assert arrow.RecordBatchReader.from_stream(events).read_all().num_rows == ROWS
    assert events[:0].to_arrow().num_rows == 0


def test_cells_of_two_axes_go_to_arrow(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    rows = "<TR><TD>1 2 3 4</TD></TR><TR><TD>5 6</TD></TR><TR><TD/></TR>"
    (tmp_path / "a.xml").write_text(
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
        '<FIELD name="a" datatype="int" arraysize="2x*"/><DATA><TABLEDATA>'
        f"{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    with sp.Pool(tmp_path / "pool") as pool:
        (table,) = pool.add(tmp_path / "a.xml").product.datasets.values()
        made = table.to_arrow()
        assert made["a"].to_pylist() == [[[1, 2], [3, 4]], [[5, 6]], []]
        assert made.schema.field("a").type == arrow.list_(arrow.list_(arrow.int32()))
        assert arrow.table(table).equals(made)


def test_texts_of_any_length_of_fits_go_to_arrow(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    texts = ["", "a", "two words"]
    column = fits.Column("text", "PA()", array=np.array(texts, dtype=object))
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "a.fits")
    with sp.Pool(tmp_path / "pool") as pool:
        (table,) = pool.add(tmp_path / "a.fits").product.datasets.values()
        made = table.to_arrow()
        assert made["text"].to_pylist() == texts
        assert made.schema.field("text").type == arrow.large_string()
        assert table[:0].to_arrow().num_rows == 0


def test_numbers_go_to_arrow_without_copying():
    pytest.importorskip("pyarrow")
    values = np.arange(1000.0)
    values.flags.writeable = False
    table = sp.Table({"x": values})
    there = table["x"][:]
    chunk = table.to_arrow()["x"].chunk(0)
    assert chunk.buffers()[1].address == there.__array_interface__["data"][0]


@settings(max_examples=25)
@given(tables())
def test_any_table_goes_to_arrow_and_pandas(table):
    check_table(table)


@pytest.mark.campaign
@given(tables())
def test_any_table_at_length(table):
    check_table(table)


def check_table(table):
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    made = table.to_arrow()
    made.validate(full=True)
    frame = table.to_pandas()
    assert made.num_rows == len(frame) == len(table)
    assert made.column_names == list(frame.columns) == table.colnames
    for name in table.colnames:
        values = table[name][:]
        if values.dtype.kind not in "iubf" or values.ndim > 1 or table[name].info.element:
            continue
        missing = np.ma.getmaskarray(values)
        assert np.array_equal(made[name].is_null().to_numpy(), missing)
        listed = np.asarray(made[name].drop_null().to_numpy())
        assert np.array_equal(listed, values[~missing], equal_nan=values.dtype.kind == "f")
        if not missing.any():
            assert np.array_equal(frame[name], values, equal_nan=values.dtype.kind == "f")


def test_polars(pool):
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = polars.DataFrame(pool["events"].product["events"])
    assert frame.shape == (ROWS, 6)
    found = frame.filter(polars.col("energy") > 8990)
    expected = pool["events"].product["events"].where("energy > 8990")
    assert found["time"].to_list() == expected["time"][:].tolist()


def test_complex_numbers_and_arrays_of_different_lengths():
    arrow = pytest.importorskip("pyarrow")
    cells = np.empty(2, object)
    cells[:] = [np.array([1.0, 2.0]), np.array([3.0])]
    table = sp.Table({"z": np.array([1 + 2j, 3]), "v": cells})
    made = table.to_arrow()
    assert made["z"].to_pylist() == [[1.0, 2.0], [3.0, 0.0]]
    assert made["v"].to_pylist() == [[1.0, 2.0], [3.0]]
    assert made.schema.field("v").type == arrow.list_(arrow.float64())
    assert "v" not in table.to_astropy().colnames or len(table.to_pandas()["v"][1]) == 1


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("dask", "dask", lambda: sp.Array([1.0]).to_dask()),
        ("xarray", "xarray", lambda: sp.Array([1.0]).to_xarray()),
        ("pandas", "pandas", lambda: sp.Table({"a": [1]}).to_pandas()),
        ("pyarrow", "parquet", lambda: sp.Table({"a": [1]}).to_arrow()),
        ("specutils", "spectra", lambda: sp.Table({"wave": [1], "flux": [1]}).to_spectrum()),
        ("spectral_cube", "spectra", lambda: sp.Array([[[1.0]]]).to_spectral_cube()),
    ],
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, package, extra, call):
    import importlib

    real = importlib.import_module

    def without(name, *rest):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingDependency, match=package) as caught:
        call()
    assert f"skypool[{extra}]" in str(caught.value.hint)
    assert optional.GROUP == "skypool.parts"
