"""Tables made by hypothesis and written by astropy; special files made by hand."""

from __future__ import annotations

import io
import time
import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table
from formats_help import array, content, imported, leaves, meta, rebuilt, same, table
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x24FF), max_size=12)
KINDS = ("bool", "uint8", "int16", "int32", "int64", "float32", "float64", "complex128", "text")
UNITS = (None, u.Jy, u.um, u.km / u.s, u.deg)


@st.composite
def columns(draw: Any, rows: int, kinds: tuple[str, ...]) -> MaskedColumn:
    kind = draw(st.sampled_from(kinds))
    shape = () if kind in ("text", "complex128") else draw(st.sampled_from([(), (), (2,), (2, 3)]))
    count = rows * int(np.prod(shape, dtype=int))
    if kind == "text":
        values = np.array(draw(st.lists(TEXT, min_size=count, max_size=count)), dtype="U12")
    else:
        seed = draw(st.integers(0, 2**32 - 1))
        raw = np.random.default_rng(seed).integers(0, 2**63, size=2 * count)
        if kind == "complex128":
            values = (raw[:count] + 1j * raw[count:]).astype(kind)
        else:
            values = (
                (raw[:count] % 2**40 / 7).astype(kind) if "f" in kind else raw[:count].astype(kind)
            )
    values = values.reshape(rows, *shape)
    mask = np.zeros(values.shape, bool)
    if kind in ("int32", "float64") and not shape and draw(st.booleans()):
        mask[::2] = True
    unit = draw(st.sampled_from(UNITS)) if kind not in ("text", "bool") else None
    about = draw(st.sampled_from(["", "what it is", "<&> ünïcode"]))
    return MaskedColumn(values, mask=mask, unit=unit, description=about)


@st.composite
def tables(draw: Any, kinds: tuple[str, ...] = KINDS) -> Table:
    rows = draw(st.integers(1, 5))
    names = draw(
        st.lists(
            st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True),
            min_size=1,
            max_size=5,
            unique=True,
        )
    )
    made = Table(masked=True)
    for name in names:
        made[name] = draw(columns(rows, kinds))
    return made


def _compare(made: Table, data: bytes, name: str) -> dict[str, Any]:
    found, sink = imported(data, name)
    assert found.reason is None, found.reason
    assert rebuilt(found.document["file"], sink) == data
    ((_, dataset),) = found.document["datasets"]
    assert found.document["kind"] == "TableProduct"
    source = table(dataset, content(found.document["file"], sink))
    assert source.nrows == len(made)
    assert source.colnames == made.colnames
    for column in made.colnames:
        values = source.read(column, 0, source.nrows)
        theirs = np.ma.asanyarray(made[column])
        if name.endswith(".vot"):
            # astropy writes the axes of cells in the order of numpy, and reads them, as the
            # standard wants it, in that of Fortran.
            theirs = theirs.reshape(len(made), *reversed(theirs.shape[1:]))
        assert same(values, theirs), column
        about = source.info(column)
        assert u.Unit(about.unit) == (made[column].unit or u.dimensionless_unscaled)
        assert values.dtype == about.dtype
    return found.document


@given(tables(), st.sampled_from(["tabledata", "binary", "binary2"]))
@settings(max_examples=60)
def test_votable(made: Table, layout: str) -> None:
    made.meta.clear()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if layout != "tabledata":
            for name in made.colnames:  # astropy cannot write masked values of these in binary
                if layout == "binary" and made[name].dtype.kind in "i":
                    made[name].mask = False
        from_table(made).to_xml(buffer, tabledata_format=layout)
    document = _compare(made, buffer.getvalue(), "made.vot")
    described = [c.get("description", "") for c in document["datasets"][0][1]["columns"]]
    assert described == [made[name].description or "" for name in made.colnames]


@given(tables(), st.sampled_from([" ", ","]))
@settings(max_examples=60)
def test_ecsv(made: Table, delimiter: str) -> None:
    made.meta["answer"] = 42
    made.meta["nested"] = {"list": [1, 2.5, "x"], "deep": {"er": True}}
    buffer = io.StringIO()
    made.write(buffer, format="ascii.ecsv", delimiter=delimiter)
    document = _compare(made, buffer.getvalue().encode(), "made.ecsv")
    values = meta(document)
    assert values["answer"] == 42
    assert values["nested.list"] == '[1, 2.5, "x"]'
    assert values["nested.deep.er"] is True


@given(tables(tuple(k for k in KINDS if k != "complex128")))
@settings(max_examples=40)
def test_parquet(made: Table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays, fields = [], []
    for name in made.colnames:
        column = made[name]
        flat = pa.array(column.data.data.ravel(), mask=None)
        if column.ndim == 1:
            flat = pa.array(column.data.data, mask=np.ma.getmaskarray(column.data))
        for size in reversed(column.shape[1:]):
            flat = pa.FixedSizeListArray.from_arrays(flat, size)
        about = {"unit": str(column.unit)} if column.unit else {}
        arrays.append(flat)
        fields.append(pa.field(name, flat.type, metadata=about))
    buffer = io.BytesIO()
    schema = pa.schema(fields, metadata={"observer": "W. Herschel"})
    pq.write_table(pa.table(arrays, schema=schema), buffer, row_group_size=2)
    document = _compare(made, buffer.getvalue(), "made.parquet")
    assert meta(document)["observer"] == "W. Herschel"


def test_ecsv_objects_and_variable_arrays() -> None:
    made = Table()
    made["obj"] = np.array([{"a": 1}, [1, "two"], None], dtype=object)
    variable = np.empty(3, object)
    variable[:] = [np.array([1.5, 2.5]), np.array([]), np.array([3.5])]
    made["var"] = variable
    made["empty"] = MaskedColumn(["", "x", "y y"], mask=[False, False, True])
    buffer = io.StringIO()
    made.write(buffer, format="ascii.ecsv")
    found, sink = imported(buffer.getvalue().encode(), "a.ecsv")
    ((_, dataset),) = found.document["datasets"]
    source = table(dataset, content(found.document["file"], sink))
    assert source.read("obj", 0, 3).tolist() == [{"a": 1}, [1, "two"], None]
    assert [cell.tolist() for cell in source.read("var", 0, 3)] == [[1.5, 2.5], [], [3.5]]
    assert source.info("var").element == np.float64
    assert source.read("empty", 0, 3).tolist() == ["", "x", ""]


def test_fixed_attributes_come_from_the_usual_keys() -> None:
    made = Table(
        {"a": [1]}, meta={"INSTRUME": "SPIRE", "DATE-OBS": "2012-01-02T03:04:05", "author": "me"}
    )
    buffer = io.StringIO()
    made.write(buffer, format="ascii.ecsv")
    values = meta(imported(buffer.getvalue().encode(), "a.ecsv")[0].document)
    assert values["instrument"] == "SPIRE"
    assert values["creator"] == "me"
    assert values["startDate"] == datetime(2012, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert "endDate" not in values


def _votable(body: str, before: str = "") -> bytes:
    return f"<?xml version='1.0'?>{before}<VOTABLE version='1.4'>{body}</VOTABLE>".encode()


ONE = (
    "<RESOURCE><TABLE name='{name}'><FIELD name='x' datatype='int' unit='m'/><DATA><TABLEDATA>"
    "<TR><TD>1</TD></TR><TR><TD/></TR></TABLEDATA></DATA></TABLE></RESOURCE>"
)


def test_votable_metadata_and_several_tables() -> None:
    body = (
        "<DESCRIPTION>All of it</DESCRIPTION><COOSYS ID='c' system='ICRS'/>"
        "<INFO name='QUERY_STATUS' value='OK'>fine</INFO>"
        "<PARAM name='wave' datatype='double' value='250' unit='um'>"
        "<DESCRIPTION>w</DESCRIPTION></PARAM>" + ONE.format(name="t") + ONE.format(name="t")
    )
    document = imported(_votable(body), "a.xml")[0].document
    assert [name for name, _ in document["datasets"]] == ["t", "t,2"]
    assert ["wave", 250.0, "um", "w"] in document["meta"]
    assert ["QUERY_STATUS", "OK", "", "fine"] in document["meta"]
    assert meta(document)["COOSYS.system"] == "ICRS"
    assert meta(document)["description"] == "All of it"
    assert document["datasets"][0][1]["columns"][0]["unit"] == "m"


def test_a_masked_integer_is_masked() -> None:
    found, sink = imported(_votable(ONE.format(name="t")), "a.xml")
    source = table(found.document["datasets"][0][1], content(found.document["file"], sink))
    values = source.read("x", 0, 2)
    assert values.tolist() == [1, None]
    assert source.column_statistics("x").nan == 1
    assert source.column_statistics("x").max() == 1


LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a 'ha'>"
    + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
    )
    + "]>"
)


@pytest.mark.parametrize(
    ("before", "body", "reason"),
    [
        (LAUGHS, "<DESCRIPTION>&k;</DESCRIPTION>", "declares entities"),
        (
            "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>",
            "<INFO name='a' value='b'>&f;</INFO>",
            "declares entities",
        ),
        ("", "<RESOURCE>", "not well-formed"),
        ("", "<RESOURCE>" * 2000 + "</RESOURCE>" * 2000, "nested too deeply"),
        ("", ONE.format(name="t").replace("int", "quark"), "unknown datatype"),
        ("", ONE.format(name="t").replace("<TD>1<", "<TD>99999999999<"), "'x'"),
        ("", ONE.format(name="t").replace("<TD>1</TD>", "<TD>1</TD><TD>2</TD>"), "2 cells"),
        ("", ONE.format(name="t").replace("'int'", "'int' arraysize='99999999999'"), "cells of"),
    ],
)
def test_bad_votables_are_opaque(before: str, body: str, reason: str) -> None:
    started = time.monotonic()
    data = _votable(body, before)
    found, sink = imported(data, "a.xml")
    assert found.document["kind"] == "File"
    assert reason in (found.reason or "")
    assert rebuilt(found.document["file"], sink) == data
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("layout", ["BINARY", "BINARY2", "FITS"])
def test_nothing_outside_a_votable_is_fetched(layout: str) -> None:
    stream = f"<{layout}><STREAM href='file:///etc/hostname' encoding='base64'/></{layout}>"
    body = ONE.format(name="t")
    start, end = body.index("<TABLEDATA>"), body.index("</DATA>")
    found, _ = imported(_votable(body[:start] + stream + body[end:]), "a.xml")
    ((_, dataset),) = found.document["datasets"]
    assert dataset["is"] == "composite"
    assert dataset["description"].startswith("not read: the data are")


def test_a_document_type_is_not_fetched() -> None:
    before = "<!DOCTYPE VOTABLE SYSTEM 'http://us-vo.org/xml/VOTable.dtd'>"
    assert imported(_votable(ONE.format(name="t"), before), "a.xml")[0].reason is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    text = (
        f"<?xml version='1.0' encoding='{encoding}'?><VOTABLE><INFO name='å' value='é'/></VOTABLE>"
    )
    found, _ = imported(text.encode(encoding), "a.xml")
    assert meta(found.document)["å"] == "é"


def test_yaml_bombs_are_harmless() -> None:
    lines = ["# %ECSV 1.0", "# ---", "# datatype:", "# - {name: a, datatype: int64}", "# meta:"]
    lines += ["#   k0: &k0 {}"]
    lines += [
        f"#   k{n}: &k{n} {{{', '.join(f'{c}: *k{n - 1}' for c in 'abcdefghi')}}}"
        for n in range(1, 30)
    ]
    started = time.monotonic()
    found, _ = imported(("\n".join(lines) + "\na\n1\n").encode(), "a.ecsv")
    assert found.reason is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_yaml_does_not_kill_the_process(opening: str) -> None:
    data = b"#ASDF 1.0.0\n%YAML 1.1\n--- " + opening.encode() * 200_000
    found, _ = imported(data, "a.asdf")
    assert found.reason is not None


def test_hdf5_reads_nothing_outside(tmp_path: Any) -> None:
    import h5py

    (tmp_path / "secret").write_bytes(b"12345678")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(6.0).reshape(2, 3)
        file["data"].attrs["units"] = "Jy"
        file["data"].attrs["long_name"] = "flux"
        file["soft"] = h5py.SoftLink("/data")
        file["hard"] = file["data"]
        file["out"] = h5py.ExternalLink("secret.h5", "/")
        file.create_dataset("ext", (8,), "u1", external=[(str(tmp_path / "secret"), 0, 8)])
        file.create_dataset("nothing", data=h5py.Empty("f4"))
        file["text"] = "hello"
        file["list"] = ["a", "bc"]
        group = file.create_group("g")
        group["loop"] = file["/"]
        group["flags"] = np.array([True, False])
        file.attrs["INSTRUME"] = "HIFI"
    found, sink = imported(path.read_bytes(), "a.h5")
    parts = dict(found.document["datasets"])
    assert parts["data"]["unit"] == "Jy"
    assert parts["data"]["description"] == "flux"
    for name in ("soft", "hard", "out", "ext", "nothing"):
        assert parts[name]["description"].startswith("not read: "), name
    files = content(found.document["file"], sink)
    values = {name: array(d, files).tolist() for name, d in leaves(found.document["datasets"])}
    assert values["g/flags"] == [True, False]
    assert values["list"] == ["a", "bc"]
    assert meta(found.document)["text"] == "hello"
    assert meta(found.document)["instrument"] == "HIFI"


def test_astropy_tables_in_hdf5_have_units(tmp_path: Any) -> None:
    made = Table({"flux": [1.0, 2.0] * u.Jy, "name": ["a", "b"]})
    made.meta["origin"] = "test"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.write(tmp_path / "a.h5", path="t", serialize_meta=True)
    found, sink = imported((tmp_path / "a.h5").read_bytes(), "a.h5")
    ((name, dataset),) = found.document["datasets"]
    assert name == "t"
    source = table(dataset, content(found.document["file"], sink))
    assert source.info("flux").unit == "Jy"
    assert source.read("name", 0, 2).tolist() == ["a", "b"]


@pytest.mark.parametrize("compression", [None, "zlib", "bzp2"])
def test_asdf_slices(compression: str | None) -> None:
    import asdf

    cube = np.arange(2 * 30 * 40, dtype=">f4").reshape(2, 30, 40)
    tree = {
        "cube": cube,
        "part": cube[1, ::3, 5:9],
        "rows": np.zeros(3, [("a", "<i2"), ("b", "S3")]),
    }
    buffer = io.BytesIO()
    asdf.AsdfFile(tree).write_to(buffer, all_array_compression=compression)
    found, sink = imported(buffer.getvalue(), "a.asdf")
    files = content(found.document["file"], sink)
    parts = dict(found.document["datasets"])
    assert same(array(parts["part"], files), cube[1, ::3, 5:9])
    from skypool.formats.registry import reader

    item = parts["cube"]["data"]["item"]
    source: Any = reader("asdf").open_array(item, parts["cube"], files)
    index = (slice(0, 2, 1), slice(3, 30, 7), slice(1, 2, 1))
    assert same(source.read(index), cube[index])
    assert table(parts["rows"], files).read("b", 0, 3).tolist() == ["", "", ""]
