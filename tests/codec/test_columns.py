"""Columns: values equal to astropy's, and back."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skypool.codec.columns import (
    ColumnSpec,
    counted_column,
    decode_column,
    encode_column,
    null_mask,
)
from skypool.errors import Damaged, UsageError


def _raw(table, number, scale=None):
    """Bytes of one column as they stand in the file that astropy writes."""
    if scale:
        table.header.update({f"TSCAL{number + 1}": scale[0], f"TZERO{number + 1}": scale[1]})
    stream = io.BytesIO()
    table.writeto(stream)
    data = stream.getvalue()
    with fits.open(io.BytesIO(data)) as hdus:
        hdu = hdus[1]
        header = hdu.header
        start = hdu._data_offset
        rows, width = header["NAXIS2"], header["NAXIS1"]
        values = hdu.data.field(number)
        values = [np.array(v) for v in values] if values.dtype == object else np.array(values)
    cells = np.frombuffer(data[start : start + rows * width], np.uint8).reshape(rows, width)
    specs = [_spec(header, n + 1) for n in range(header["TFIELDS"])]
    offset = sum(spec.width for spec in specs[:number])
    heap_start = start + header.get("THEAP", rows * width)

    def heap(at, length):
        return data[heap_start + at : heap_start + at + length]

    spec = specs[number]
    return spec, cells[:, offset : offset + spec.width], heap, values


def _spec(header, n):
    return ColumnSpec(
        header.get(f"TTYPE{n}", f"col{n}"),
        header[f"TFORM{n}"],
        dim=header.get(f"TDIM{n}", ""),
        scale=header.get(f"TSCAL{n}", 1),
        zero=header.get(f"TZERO{n}", 0),
        null=header.get(f"TNULL{n}"),
    )


COLUMNS = [
    ("L", np.array([True, False, True]), {}),
    ("3L", np.array([[True, False, True]] * 3), {}),
    ("11X", np.random.default_rng(1).random((3, 11)) > 0.5, {}),
    ("B", np.array([0, 1, 255], "u1"), {}),
    ("4I", np.arange(12, dtype=">i2").reshape(3, 4), {}),
    ("J", np.array([-1, 0, 2**31 - 1], ">i4"), {"null": -1}),
    ("K", np.array([-(2**63), 0, 2**63 - 1], ">i8"), {}),
    ("I", np.array([0, 32768, 65535], "u2"), {"bzero": 2**15}),
    ("J", np.array([0, 2**31, 2**32 - 1], "u4"), {"bzero": 2**31}),
    ("K", np.array([0, 2**63, 2**64 - 1], "u8"), {"bzero": 2**63}),
    ("E", np.array([0, np.nan, np.inf], "f4"), {}),
    ("2D", np.arange(6.0).reshape(3, 2), {}),
    ("C", np.array([1 + 2j, 0, np.nan], "c8"), {}),
    ("M", np.array([1 + 2j, 0, -1j], "c16"), {}),
    ("5A", np.array(["abc", "", "  x y"]), {}),
    ("6J", np.arange(18, dtype="i4").reshape(3, 3, 2), {"dim": "(2,3)"}),
    ("12A", np.array([["abc", "de", "f", ""]] * 3), {"dim": "(3,4)"}),
    ("I", np.array([10, 12, 15], "i2"), {"scale": 2.5, "zero": 10}),
    ("2J", np.arange(6, dtype="i4").reshape(3, 2), {"scale": 1, "zero": 0.5}),
    ("E", np.array([1, 2, np.nan], "f4"), {"scale": 0.5, "zero": 0}),
    ("PJ()", np.array([np.arange(3), np.arange(0), np.arange(5)], dtype=object), {}),
    ("QD()", np.array([np.arange(3.0), np.arange(1.0), np.arange(2.0)], dtype=object), {}),
]


@pytest.mark.parametrize(("form", "array", "more"), COLUMNS, ids=[c[0] for c in COLUMNS])
def test_values_are_those_of_astropy(form, array, more):
    first = fits.Column("pad", "3A", array=np.array(["a", "b", "c"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scale = (more["scale"], more["zero"]) if "scale" in more else None
        column = fits.Column("x", form, array=array, **({} if scale else more))
        hdu = fits.BinTableHDU.from_columns([first, column])
        spec, raw, heap, expected = _raw(hdu, 1, scale)
    values = decode_column(spec, raw, heap)
    if spec.variable:
        assert values.dtype == object
        for ours, theirs in zip(values, expected, strict=True):
            assert ours.dtype == theirs.dtype.newbyteorder("=")
            np.testing.assert_array_equal(ours, theirs)
        return
    assert values.dtype == spec.dtype
    assert values.shape == (3, *spec.shape)
    assert values.dtype.isnative
    assert values.dtype.kind == expected.dtype.kind
    np.testing.assert_array_equal(values, expected)


def test_a_column_of_width_zero_has_values():
    empty = np.zeros((4, 0), np.uint8)
    assert decode_column(ColumnSpec("a", "0A"), empty).tolist() == ["", "", "", ""]
    assert decode_column(ColumnSpec("a", "0J"), empty).shape == (4, 0)
    assert decode_column(ColumnSpec("a", "0X"), empty).shape == (4, 0)
    assert decode_column(ColumnSpec("a", "0PJ"), empty)[3].size == 0


def test_ascii_columns():
    def read(form, texts, **more):
        spec = ColumnSpec("a", form, ascii=True, **more)
        raw = np.array(texts, f"S{spec.width}").view(np.uint8).reshape(len(texts), -1)
        return spec, raw, decode_column(spec, raw)

    spec, raw, values = read(
        "F8.3", [b"   1.500", b" -2.0D+1", b"        ", b"     ***"], null="***"
    )
    np.testing.assert_array_equal(values, [1.5, -20, np.nan, np.nan])
    assert null_mask(spec, raw).tolist() == [False, False, True, True]
    assert read("I3", [b" 12", b" -1", b"   "])[2].tolist() == [12, -1, 0]
    assert read("I3", [b" 12"])[2].dtype == np.int16
    assert read("I11", [b" 12345678901"[:11]])[2].dtype == np.int64
    assert read("A5", [b"ab", b" c "])[2].tolist() == ["ab", " c"]
    with pytest.raises(Damaged, match="column 'a'"):
        read("I5", [b"x"])
    # A blank field is 0 (FITS 4.0, 7.2.5), unless that is what stands for none.
    texts = [b" 12", b"-99", b"   "]
    for null, wanted in (("-99", [12, -(2**15), 0]), ("", [12, -99, -(2**15)])):
        spec, _, values = read("I3", texts, null=null)
        assert values.tolist() == wanted
        assert (values.dtype, spec.null_value) == (np.int16, -(2**15))
    spec, raw, values = read("I3", texts, null="-99", scale=0.5, zero=10)
    np.testing.assert_array_equal(values, [16, np.nan, 10])
    assert counted_column(spec, raw).tolist() == [16, 10, 10]
    assert spec.null_value is None
    assert read("I19", [b"-9223372036854775807"[:19]], null="x")[2][0] == -922337203685477580


def test_text_that_is_not_ascii_is_still_text():
    cells = ["Å".encode(), b"\xe5\x00", b"a \x00"]
    raw = np.array([np.frombuffer(cell.ljust(3, b"\0"), np.uint8) for cell in cells])
    assert decode_column(ColumnSpec("a", "3A"), raw).tolist() == ["Å", "å", "a"]


def test_nulls_are_told_not_applied():
    spec = ColumnSpec("a", "2I", null=-99)
    raw = np.array([[1, -99], [-99, 3]], ">i2").view(np.uint8)
    assert decode_column(spec, raw).tolist() == [[1, -99], [-99, 3]]
    assert null_mask(spec, raw).tolist() == [[False, True], [True, False]]
    assert spec.null_value == -99


def test_the_null_that_the_user_sees():
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0], dtype="u2")
    spec, raw, _ = encode_column("x", masked)
    assert decode_column(spec, raw)[1] == spec.null_value
    assert ColumnSpec("a", "I", null=5, scale=0.5, zero=1).null_value == 3.5
    assert ColumnSpec("a", "5A", null="none").null_value == "none"
    assert ColumnSpec("a", "A3", null="***", ascii=True).null_value == "***"
    assert ColumnSpec("a", "F3", null="***", ascii=True).null_value is None
    assert ColumnSpec("a", "I3", ascii=True).null_value is None


def test_a_heap_that_ends_early_is_damage():
    spec = ColumnSpec("a", "PJ(3)")
    raw = np.array([[3, 0]], ">i4").view(np.uint8)
    with pytest.raises(Damaged, match="end of the heap"):
        decode_column(spec, raw, lambda at, length: bytes(4))
    with pytest.raises(Damaged, match="negative"):
        decode_column(spec, np.array([[-1, 0]], ">i4").view(np.uint8), lambda at, length: b"")


def test_the_document_has_what_differs_from_the_default():
    spec = ColumnSpec("a", "3I", unit="Jy", null=-1, zero=32768)
    obj = spec.to_json()
    assert obj == {"name": "a", "format": "3I", "unit": "Jy", "null": -1, "zero": 32768}
    assert ColumnSpec.from_json(obj) == spec


@pytest.mark.parametrize("form", ["", "3Z", "PZ", "2PJ"])
def test_unknown_formats_are_damage(form):
    with pytest.raises(Damaged, match="format"):
        _ = ColumnSpec("a", form).width


DTYPES = ["?", "i1", "u1", ">i2", "<u2", "i4", "u4", "i8", ">u8", "f4", ">f8", "c8", "c16"]


@settings(max_examples=150)
@given(st.data())
def test_encoding_and_decoding_give_the_values_back(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    dtype = data.draw(st.sampled_from([*DTYPES, "U5", "S4"]))
    if dtype == "S4":
        elements = st.binary(max_size=4).map(lambda b: bytes(c & 127 or 33 for c in b).strip())
    elif dtype == "U5":
        elements = st.text(st.characters(codec="ascii", min_codepoint=33), max_size=5)
    else:
        elements = None
    values = data.draw(hnp.arrays(dtype, shape, elements=elements))
    spec, raw, heap = encode_column("x", values, "Jy", "words")
    assert heap is None
    assert raw.shape == (shape[0], spec.width)
    back = decode_column(ColumnSpec.from_json(spec.to_json()), raw)
    assert back.shape == values.shape or 0 in values.shape
    if dtype == "S4":
        values = np.strings.decode(values, "ascii")
    if 0 not in values.shape:
        np.testing.assert_array_equal(back, values)
        assert back.dtype.kind == values.dtype.kind


@settings(max_examples=60)
@given(
    st.lists(hnp.arrays("f4", st.integers(0, 5), elements=st.floats(-9, 9, width=32)), min_size=1),
    st.sampled_from(["f4", "i2", "u2", "?", "c8"]),
)
def test_arrays_of_various_lengths(cells, dtype):
    values = np.empty(len(cells), object)
    for n, cell in enumerate(cells):
        values[n] = np.abs(cell).astype(dtype)
    spec, raw, heap = encode_column("x", values)
    back = decode_column(spec, raw, lambda at, length: heap[at : at + length])
    for ours, given_ in zip(back, values, strict=True):
        np.testing.assert_array_equal(ours, given_)
        assert ours.dtype.kind == given_.dtype.kind or not any(cell.size for cell in cells)


def test_masked_values_become_what_fits_has_for_them():
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0], dtype="u2")
    spec, raw, _ = encode_column("x", masked)
    assert null_mask(spec, raw).tolist() == [False, True, False]
    assert decode_column(spec, raw).tolist()[::2] == [1, 3]
    spec, raw, _ = encode_column("x", np.ma.array([1.0, 2.0], mask=[1, 0]))
    np.testing.assert_array_equal(decode_column(spec, raw), [np.nan, 2])
    spec, raw, _ = encode_column("x", np.ma.array(["a", "b"], mask=[1, 0]))
    assert decode_column(spec, raw).tolist() == ["", "b"]


def test_objects_that_are_text_or_numbers():
    spec, raw, _ = encode_column("x", np.array(["a", None, "ccc"], object))
    assert decode_column(spec, raw).tolist() == ["a", "", "ccc"]
    spec, raw, _ = encode_column("x", np.array([1, 2.5], object))
    assert decode_column(spec, raw).tolist() == [1, 2.5]
    spec, raw, _ = encode_column("x", np.array(["Å", "b"]))
    assert decode_column(spec, raw).tolist() == ["Å", "b"]


@pytest.mark.parametrize(
    "values", [np.array(["2020-01-01"], "M8[s]"), np.float64(3), np.array([{}, []], object)]
)
def test_what_fits_cannot_hold_is_refused(values):
    with pytest.raises(UsageError, match="column 'x'"):
        encode_column("x", values)
