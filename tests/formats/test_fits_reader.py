"""FITS files as products: values, metadata, names; every byte comes back."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.io import fits
from fits_oracle import Stored, compare
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skypool.errors import Damaged

END = b"END" + b" " * 77


def written(*hdus, **more):
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits.HDUList(list(hdus)).writeto(stream, output_verify="ignore", **more)
    return stream.getvalue()


def check(data, typed=True):
    """Store a file, compare its bytes and all values; return what was stored."""
    stored = Stored(data)
    assert stored.rebuilt() == data
    assert stored.recipe["size"] == len(data)
    assert (stored.imported.reason is None) == typed, stored.imported.reason
    if typed:
        verdicts = {verdict for _, _, verdict in compare(stored, data)}
        assert verdicts <= {"equal", "no data"}, verdicts
    return stored


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8", "u2", "u4", "u8", "i1"])
def test_images_of_all_types(dtype):
    values = np.arange(-4, 8).astype(dtype).reshape(3, 4)
    stored = check(written(fits.PrimaryHDU(values), fits.ImageHDU(values[::-1].copy(), name="B")))
    image = stored.datasets["image"]
    assert image.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(np.asarray(image), values)
    np.testing.assert_array_equal(image[1:, ::2], values[1:, ::2])
    assert image.max() == values.max()


@pytest.mark.parametrize("bitpix", ["u1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize(
    "cards",
    [
        {"BSCALE": 0.5},
        {"BZERO": 3},
        {"BSCALE": 2.5, "BZERO": -1e3},
        {"BLANK": 3},
        {"BLANK": 3, "BZERO": 0.25},
        {"BLANK": 0},
        {"BLANK": 3.0, "BSCALE": 2},
        {"BZERO": 32768, "BSCALE": 2},
    ],
)
def test_scaled_images(bitpix, cards):
    data = written(fits.PrimaryHDU(np.arange(12).astype(bitpix).reshape(3, 4)))
    for keyword, value in cards.items():
        data = data.replace(END, f"{keyword:<8}= {value}".encode().ljust(80) + END, 1)
    stored = check(data[:2880].rstrip(b" ").ljust(2880) + data[-2880:])
    values = np.asarray(stored.datasets["image"], float)
    assert stored.datasets["image"].min() == np.nanmin(values)


def test_axes_of_any_length():
    hdus = [fits.PrimaryHDU(np.arange(120.0).reshape(2, 3, 4, 5)), fits.ImageHDU(np.arange(7.0))]
    stored = check(written(*hdus))
    assert stored.datasets["image"].shape == (2, 3, 4, 5)
    header = fits.Header([("NAXIS", 2), ("NAXIS1", 0), ("NAXIS2", 5)])
    empty = fits.ImageHDU(header=header)
    stored = check(written(fits.PrimaryHDU(), empty))
    assert list(stored.datasets) == ["HDU_1"]


def test_large_images_have_tiles_and_statistics():
    values = np.random.default_rng(5).normal(size=(700, 530)).astype("f4")
    values[:300, :300] = np.nan
    stored = check(written(fits.PrimaryHDU(values)))
    image = stored.datasets["image"]
    assert image.tile == (256, 256) if hasattr(image, "tile") else True
    assert image.max() == np.nanmax(values)
    assert image.source.statistics.nan == np.isnan(values).sum()
    np.testing.assert_array_equal(image[650:, 500:], values[650:, 500:])


def test_compressed_images():
    rng = np.random.default_rng(7)
    integers = rng.integers(0, 1000, (64, 80)).astype("i4")
    floats = rng.normal(size=(3, 40, 50)).astype("f4")
    hdus = [fits.PrimaryHDU()]
    for name in ("RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"):
        hdus.append(fits.CompImageHDU(integers, compression_type=name))
    hdus.append(fits.CompImageHDU(floats, name="CUBE", quantize_method=2, quantize_level=4))
    hdus.append(fits.CompImageHDU(integers.astype("u2"), name="UNSIGNED"))
    stored = check(written(*hdus))
    cube = stored.datasets["CUBE"]
    assert cube.shape == (3, 40, 50)
    whole = np.asarray(cube)
    np.testing.assert_array_equal(cube[1, 5:20:3, ::7], whole[1, 5:20:3, ::7])
    assert cube[1:1].shape == (0, 40, 50)
    assert stored.recipe["hdus"][1]["type"] == "compressed"


def test_damaged_tiles_say_so():
    values = np.arange(4096, dtype="i4").reshape(64, 64) ** 2
    data = written(fits.PrimaryHDU(), fits.CompImageHDU(values, name="C"))
    start = data.rindex(END)
    heap = start + 2880 - start % 2880 + 64 * 8
    damaged = data[: heap + 50] + bytes(1000) + data[heap + 1050 :]
    stored = Stored(damaged)
    assert stored.rebuilt() == damaged
    with pytest.raises(Damaged, match="HDU 1"):
        np.asarray(stored.datasets["C"])


def test_random_groups(tmp_path):
    array = np.arange(4 * 6, dtype="f4").reshape(4, 1, 2, 3)
    groups = fits.GroupData(
        array, bitpix=-32, parnames=["UU", "DATE", "DATE"],
        pardata=[np.arange(4.0), np.full(4, 2450000.0), np.full(4, 0.5)],
    )  # fmt: skip
    # astropy cannot write groups into memory
    fits.GroupsHDU(groups).writeto(tmp_path / "groups.fits")
    stored = check((tmp_path / "groups.fits").read_bytes())
    table = stored.datasets["groups"]
    assert table.colnames == ["UU", "DATE", "DATE,2", "DATA"]
    assert table["DATA"].shape == (4, 1, 2, 3)


def test_tables_with_all_kinds_of_columns():
    vla = np.empty(3, object)
    vla[:] = [np.arange(3), np.arange(0), np.arange(5)]
    flags = np.empty(3, object)
    flags[:] = [np.array([True, False]), np.array([], bool), np.array([False])]
    rng = np.random.default_rng(3)
    columns = [
        fits.Column("L", "L", array=[True, False, True]),
        fits.Column("X", "11X", array=rng.random((3, 11)) > 0.5),
        fits.Column("B", "B", array=np.array([0, 1, 255], "u1"), unit="Jy"),
        fits.Column("I", "4I", array=np.arange(12).reshape(3, 4)),
        fits.Column("U", "I", bzero=2**15, array=np.array([0, 32768, 65535], "u2")),
        fits.Column("J", "J", array=[-1, 0, 2**31 - 1], null=-1),
        fits.Column("K", "K", bzero=2**63, array=np.array([0, 1, 2**64 - 1], "u8")),
        fits.Column("E", "6E", array=rng.random((3, 2, 3)), dim="(3,2)"),
        fits.Column("C", "C", array=np.array([1j, 0, 2], "c8")),
        fits.Column("M", "2M", array=np.ones((3, 2), "c16")),
        fits.Column("A", "5A", array=["abc", "", "  x y"]),
        fits.Column("T", "12A", array=np.array([["abc", "de", "f", ""]] * 3), dim="(3,4)"),
        fits.Column("P", "PJ()", array=vla),
        fits.Column("Q", "QD()", array=np.array([v * 0.5 for v in vla], object)),
        fits.Column("F", "PL()", array=flags),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    table.header["TTYPE1"] = ("L", "the first")
    stored = check(written(fits.PrimaryHDU(), table))
    obj, dataset = stored.by_hdu()[1]
    assert obj["columns"][0]["description"] == "the first"
    assert obj["columns"][2]["unit"] == "Jy"
    assert len(obj["heap"]) == 1
    assert stored.document["kind"] == "TableProduct"
    assert dataset.source.column_statistics("K").max() == 2**64 - 1
    assert dataset.source.column_statistics("A") is None


def test_a_heap_behind_a_gap():
    table = fits.BinTableHDU.from_columns(
        [fits.Column("v", "PJ()", array=np.array([[1], [2, 3], []], dtype=object))]
    )
    data = written(fits.PrimaryHDU(), table)
    start = data.index(b"XTENSION") + 2880
    rows, heap = data[start : start + 24], data[start + 24 : start + 36]
    moved = (rows + b"GAP!" * 5 + heap).ljust(2880, b"\0")
    head = data[2880:start]
    head = head.replace(b"PCOUNT  =                   12", b"PCOUNT  =                   32")
    head = head.replace(END, b"THEAP   =                   44".ljust(80) + END)[:2880]
    stored = check(data[:2880] + head + moved)
    assert stored.datasets["HDU_1"]["v"][1].tolist() == [2, 3]


def test_ascii_tables():
    columns = [
        fits.Column("i", "I6", array=np.array([1, -2, 3])),
        fits.Column("f", "F10.3", array=np.array([1.5, -2.25, 0])),
        fits.Column("d", "D25.17", array=np.array([1e-200, 2, 3e200])),
        fits.Column("s", "A7", array=np.array(["one", "", "x y"])),
    ]
    stored = check(written(fits.PrimaryHDU(), fits.TableHDU.from_columns(columns, name="CAT")))
    assert stored.document["datasets"][0][1]["ascii"]
    assert stored.datasets["CAT"]["d"].max() == 3e200


def test_numbers_that_are_none_are_given_as_text():
    columns = [fits.Column("i", "I6", array=np.array([1, 22]))]
    data = written(fits.PrimaryHDU(), fits.TableHDU.from_columns(columns)).replace(
        b"    22", b"  oops"
    )
    stored = Stored(data)
    assert stored.rebuilt() == data
    assert stored.datasets["HDU_1"]["i"][:].tolist() == ["     1", "  oops"]
    assert "given as text" in stored.recipe["notes"][0]


def test_a_unit_that_contradicts_itself_stays_bytes():
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(3))], name="T")
    data = written(fits.PrimaryHDU(), table, fits.ImageHDU(np.zeros(3)))
    data = data.replace(b"TFORM1  = 'J ", b"TFORM1  = 'D ")
    stored = Stored(data)
    assert stored.rebuilt() == data
    assert stored.imported.reason is None
    assert stored.document["datasets"][0][1]["description"].startswith("not read: its columns")
    assert stored.document["datasets"][1][1]["is"] == "array"
    assert stored.recipe["hdus"][1]["type"] == "bytes"


def test_metadata_of_plain_files():
    primary = fits.PrimaryHDU(np.zeros((3, 4), "f4"))
    header = primary.header
    header["DATE-OBS"] = "2003-05-01T10:11:12.5"
    header["DATE-END"] = "2003-05-01"
    header["TIME-END"] = "11:00:00"
    header["DATE"] = "2004-01-01"
    header["INSTRUME"] = "ACIS"
    header["OBS_ID"] = ("1575", "Observation")
    header["EXPOSURE"] = (12.5, "[s] time on target")
    header["MODE"] = ("fast", "[not] a unit")
    header["BUNIT"] = "Jy/beam"
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["HIERARCH ESO TEL ALT"] = 45.0
    header["COMMENT"] = "one"
    header["COMMENT"] = "two"
    header["HISTORY"] = "made"
    header.append(("GAIN", 1.0), end=True)
    header.append(("GAIN", 2.0), end=True)
    stored = check(written(primary, fits.ImageHDU(np.zeros((3, 4)), name="ERR")))
    document = stored.document
    meta = {entry[0]: entry[1:] for entry in document["meta"]}
    assert [entry[0] for entry in document["meta"]][:9] == [
        "type", "creator", "creationDate", "description", "instrument", "modelName", "startDate",
        "endDate", "formatVersion",
    ]  # fmt: skip
    assert meta["startDate"] == [datetime(2003, 5, 1, 10, 11, 12, 500000, UTC)]
    assert meta["endDate"] == [datetime(2003, 5, 1, 11, tzinfo=UTC)]
    assert meta["creationDate"] == [datetime(2004, 1, 1, tzinfo=UTC)]
    assert meta["instrument"] == ["ACIS"]
    assert meta["type"] == ["Unknown"]
    assert meta["obsid"] == [1575]
    assert meta["OBS_ID"] == ["1575", "", "Observation"]
    assert meta["EXPOSURE"] == [12.5, "s", "time on target"]
    assert meta["MODE"] == ["fast", "", "[not] a unit"]
    assert meta["ESO TEL ALT"] == [45.0]
    assert meta["COMMENT"] == ["one\ntwo"]
    assert meta["HISTORY"] == ["made"]
    assert (meta["GAIN"], meta["GAIN,2"]) == ([1.0], [2.0])
    assert not {"SIMPLE", "NAXIS1", "BITPIX"} & set(meta)
    image = document["datasets"][0][1]
    assert image["meta"] == "product"
    assert image["wcs"] == {"hdu": 0}
    assert stored.datasets["image"].unit_text == "Jy/beam"
    assert stored.datasets["image"].meta["EXPOSURE"].value == 12.5
    assert "wcs" not in document["datasets"][1][1]
    assert document["kind"] == "SimpleImage"


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"MJD-OBS": 52760.5}, datetime(2003, 5, 1, 12, tzinfo=UTC)),
        ({"MJD-OBS": 52760.5, "TIMESYS": "TT"}, None),
        ({"DATE-OBS": "01/05/93"}, datetime(1993, 5, 1, tzinfo=UTC)),
        (
            {"DATE-OBS": "2003-05-01", "TIME-OBS": "10:00:01.5"},
            datetime(2003, 5, 1, 10, 0, 1, 500000, UTC),
        ),
        ({"DATE-OBS": "yesterday"}, None),
        ({"DATE-OBS": "2016-12-31T23:59:60"}, None),
        (
            {"DATE-OBS": "2003-05-01T10:00:00", "TIMESYS": "utc"},
            datetime(2003, 5, 1, 10, tzinfo=UTC),
        ),
    ],
)  # fmt: skip
def test_start_dates(cards, expected):
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    meta = {entry[0]: entry[1] for entry in Stored(written(primary)).document["meta"]}
    assert meta.get("startDate") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1342182452, 1342182452), ("1575", 1575), ("0112880201", "0112880201"), ("X-7", "X-7")],
)
def test_numbers_of_observations(value, expected):
    primary = fits.PrimaryHDU()
    primary.header["OBS_ID"] = value
    meta = {entry[0]: entry[1] for entry in Stored(written(primary)).document["meta"]}
    assert meta["obsid"] == expected


def test_names_of_datasets():
    def image(name=None, ver=None):
        return fits.ImageHDU(np.zeros(2), name=name, ver=ver)

    hdus = [fits.PrimaryHDU(np.zeros(2)), image("SCI", 1), image("ERR", 1), image("SCI", 2)]
    hdus += [image(), image("image"), image("a/b"), image("SCI", 2), fits.ImageHDU(name="EMPTY")]
    stored = check(written(*hdus))
    names = [name for name, _ in stored.document["datasets"]]
    # astropy writes EXTNAME in upper case
    assert names == [
        "image", "SCI", "ERR", "SCI,2", "HDU_4", "IMAGE", "A_B", "SCI,2,2", "EMPTY",
    ]  # fmt: skip
    assert stored.document["datasets"][-1][1]["is"] == "composite"


def image(*shape):
    return fits.ImageHDU(np.zeros(shape))


def table():
    return fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1])])


@pytest.mark.parametrize(
    ("hdus", "kind"),
    [
        ([fits.PrimaryHDU(np.zeros((2, 3)))], "SimpleImage"),
        ([fits.PrimaryHDU(np.zeros((1, 1, 2, 3)))], "SimpleImage"),
        ([fits.PrimaryHDU(np.zeros((2, 3, 4)))], "SimpleCube"),
        ([fits.PrimaryHDU(np.zeros(5))], "Spectrum1d"),
        ([fits.PrimaryHDU(), image(2, 3), image(2, 3)], "SimpleImage"),
        ([fits.PrimaryHDU()], "Product"),
        ([fits.PrimaryHDU(), table()], "TableProduct"),
        ([fits.PrimaryHDU(np.zeros((2, 3))), table()], "Product"),
    ],
)  # fmt: skip
def test_kinds(hdus, kind):
    assert check(written(*hdus)).document["kind"] == kind


def test_spectral_cubes():
    cube = fits.PrimaryHDU(np.zeros((2, 3, 4)))
    cube.header["CTYPE3"] = "FREQ-LSR"
    assert check(written(cube)).document["kind"] == "SpectralSimpleCube"


def test_stray_bytes_come_back():
    data = written(fits.PrimaryHDU(np.zeros((2, 3)))) + b"junk behind the end"
    stored = check(data)
    assert "belong to no HDU" in stored.recipe["notes"][0]


def test_reading_needs_no_astropy():
    code = (
        "import sys, io, skypool.formats.fits.reader as r\n"
        "from skypool.codec.sinks import MemorySink, MemorySource\n"
        "data = sys.stdin.buffer.read()\n"
        "found = r.FitsFormat().read(MemorySource(data), MemorySink(), 'a.fits')\n"
        "assert found.reason is None and 'astropy' not in sys.modules\n"
    )
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1])])
    data = written(fits.PrimaryHDU(np.zeros((2, 2))), table)
    subprocess.run([sys.executable, "-c", code], input=data, check=True)


IMAGES = hnp.arrays(
    st.sampled_from(["u1", "i2", "i4", "i8", "f4", "f8", "u2", "u4"]),
    hnp.array_shapes(min_dims=1, max_dims=4, max_side=6),
)
CELLS = {
    "L": st.booleans(),
    "B": st.integers(0, 255),
    "I": st.integers(-(2**15), 2**15 - 1),
    "J": st.integers(-(2**31), 2**31 - 1),
    "K": st.integers(-(2**63), 2**63 - 1),
    "E": st.floats(width=32),
    "D": st.floats(),
    "8A": st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8),
}


@st.composite
def tables(draw):
    rows = draw(st.integers(0, 6))
    # astropy cannot write a table whose rows have no bytes
    columns = [fits.Column("first", "J", array=np.arange(rows))]
    for n, form in enumerate(
        draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5))
    ):
        cells = CELLS[form]
        repeat = draw(st.integers(0, 3)) if form != "8A" else 1
        if draw(st.booleans()) and form != "8A" and rows:
            arrays = np.empty(rows, object)
            for row in range(rows):
                arrays[row] = np.array(draw(st.lists(cells, max_size=4)), _dtype(form))
            columns.append(fits.Column(f"c{n}", f"P{form}()", array=arrays))
        elif repeat == 1:
            values = draw(st.lists(cells, min_size=rows, max_size=rows))
            columns.append(fits.Column(f"c{n}", form, array=np.array(values, _dtype(form))))
        else:
            values = draw(st.lists(cells, min_size=rows * repeat, max_size=rows * repeat))
            array = np.array(values, _dtype(form)).reshape(rows, repeat)
            columns.append(fits.Column(f"c{n}", f"{repeat}{form}", array=array))
    return fits.BinTableHDU.from_columns(columns, nrows=rows)


def _dtype(form):
    return {"L": "?", "B": "u1", "I": "i2", "J": "i4", "K": "i8", "E": "f4", "D": "f8", "8A": "U8"}[
        form
    ]


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_astropy_writes_comes_back(data):
    """Files of astropy: all bytes the same, all values equal."""
    primary = fits.PrimaryHDU(data.draw(st.none() | IMAGES))
    hdus = [primary]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(data.draw(st.integers(0, 3))):
            hdus.append(data.draw(st.one_of(IMAGES.map(fits.ImageHDU), tables())))
        for n in range(data.draw(st.integers(0, 3))):
            text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90)
            primary.header[f"HIERARCH key {n}"] = data.draw(text)[:40]
            primary.header[f"KEY{n}"] = data.draw(text)
        content = written(*hdus, checksum=data.draw(st.booleans()))
    check(content)


def _mutants(content, seed):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        mutant = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(0, min(len(mutant), 2880 * 6)))
            if rng.random() < 0.5:
                at = at - at % 80 + int(rng.integers(0, 30))
            mutant[at] = int(rng.choice(np.frombuffer(b"0123456789-'=/ TF&AEX\0\n\xff", np.uint8)))
        if rng.random() < 0.3:
            del mutant[int(rng.integers(1, len(mutant))) :]
        yield bytes(mutant)


@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_never_fail_and_come_back(seed):
    """Whatever is wrong: no error, the same bytes, and what is typed can be described."""
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("a", "3E", array=np.zeros((4, 3)), unit="Jy", dim="(3)"),
            fits.Column("v", "PJ()", array=np.array([[1], [2, 3], [], [4]], dtype=object)),
            fits.Column("s", "12A", array=np.array(["x"] * 4), null=None),
        ]
    )
    text = fits.TableHDU.from_columns([fits.Column("i", "I6", array=np.arange(4))])
    squeezed = fits.CompImageHDU(np.arange(400, dtype="i2").reshape(20, 20))
    image = fits.PrimaryHDU(np.arange(12, dtype="i2").reshape(3, 4))
    image.header["BSCALE"] = 2
    content = written(image, table, text, squeezed)
    for mutant in _mutants(content, seed):
        stored = Stored(mutant)
        assert stored.rebuilt() == mutant
        if stored.imported.reason is None:
            for _, dataset in stored.by_hdu().values():
                _look_at(dataset)


def _look_at(dataset):
    """Read all values; what cannot be read says so."""
    with contextlib.suppress(Damaged):
        if hasattr(dataset, "colnames"):
            for name in dataset.colnames:
                assert len(dataset.source.read(name, 0, len(dataset))) == len(dataset)
        elif dataset.size < 10**7:
            assert np.asarray(dataset).shape == dataset.shape
