"""The engine of core attributes on made documents."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.catalogue.schema import TEXT_LIMIT
from skypool.errors import UsageError
from skypool.model.attributes import times
from skypool.model.attributes.engine import load
from skypool.model.attributes.names import CORE, CORE_NAMES, MAX_TEXT
from skypool.model.attributes.units import convert

ENGINE = load()


def document(meta=(), datasets=(), kind="Product"):
    return {
        "kind": kind,
        "meta": [list(entry) for entry in meta],
        "datasets": [[name, dataset] for name, dataset in datasets],
    }


def image(meta=(), shape=(10, 20)):
    return {"is": "array", "shape": list(shape), "meta": [list(entry) for entry in meta]}


def table(meta=(), columns=("a",)):
    return {
        "is": "table",
        "columns": [{"name": name} for name in columns],
        "meta": [list(entry) for entry in meta],
    }


def attributes(meta=(), datasets=(), kind="Product"):
    return ENGINE.attributes(document(meta, datasets, kind))


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_texts_are_cut_where_the_index_cuts_them():
    assert MAX_TEXT == TEXT_LIMIT
    assert attributes([("OBJECT", "x" * 300)]) == {"object": "x" * 200}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ([("DATE-OBS", "2010-03-02T10:00:00.5")], at(2010, 3, 2, 10, 0, 0, 500000)),
        ([("DATE-OBS", "2010-03-02"), ("TIME-OBS", "10:00:01")], at(2010, 3, 2, 10, 0, 1)),
        ([("DATE-OBS", "02/03/93"), ("TIME-OBS", "1:02:03")], at(1993, 3, 2, 1, 2, 3)),
        ([("DATE-OBS", "2010/03/02"), ("UT", "23:59:59.25")], at(2010, 3, 2, 23, 59, 59, 250000)),
        ([("DATE-OBS", "2010-03-02")], at(2010, 3, 2)),
        ([("DATE-OBS", "2010-03-02"), ("MJD-OBS", 55257.5)], at(2010, 3, 2, 12)),
        ([("MJD-OBS", "55257.5")], at(2010, 3, 2, 12)),
        ([("JD", 2455258.0)], at(2010, 3, 2, 12)),
        (
            [("DATE-OBS", "2010-03-02T10:00:00"), ("TIMESYS", "TT")],
            at(2010, 3, 2, 9, 58, 53, 816000),
        ),
        ([("DATE-OBS", "2010-03-02T10:00:00"), ("TIMESYS", "TAI")], at(2010, 3, 2, 9, 59, 26)),
        ([("DATE-OBS", "2010-03-02T10:00:00Z"), ("TIMESYS", "TDB")], at(2010, 3, 2, 10)),
        ([("DATE-OBS", "2010-03-02T10:00:00"), ("TIMESYS", "LOCAL")], at(2010, 3, 2, 10)),
        (
            [("TSTART", 86400.0), ("MJDREFI", 55256), ("MJDREFF", 0.5), ("TIMEZERO", 60)],
            at(2010, 3, 2, 12, 1),
        ),
        ([("TSTART", 1.5), ("MJDREF", 55256.0), ("TIMEUNIT", "d")], at(2010, 3, 2, 12)),
        ([("TSTART", 1.5)], None),
        ([("DATE-OBS", "no date")], None),
        ([("DATE-OBS", "2010-13-02T10:00:00")], None),
        ([("MJD-OBS", 0.0)], None),
        ([("MJD-OBS", math.inf)], None),
        ([("MJD-OBS", 1e300)], None),
    ],
)
def test_start(meta, expected):
    assert attributes(meta).get("start") == expected


def test_leap_seconds_are_those_of_astropy():
    from astropy import units
    from astropy.time import Time

    for year in range(1973, 2023):
        for month in (1, 7):
            for seconds in (-2.0, 0.5, 90.0):
                # two seconds before midnight are before a leap second that a datetime cannot hold
                moment = Time(f"{year}-{month:02}-01T00:00:00") + seconds * units.s
                found = times.to_utc(times.from_text(moment.tt.isot), "TT")
                expected = moment.to_datetime(timezone=UTC)
                assert abs((found - expected).total_seconds()) < 0.01, moment


@pytest.mark.parametrize(
    ("meta", "name", "expected"),
    [
        ([("EXPTIME", 2.0, "h")], "exposure", 7200.0),
        ([("EXPTIME", "12.5")], "exposure", 12.5),
        ([("EXPTIME", "2 min")], "exposure", 120.0),
        ([("EXPTIME", -1.0)], "exposure", None),
        ([("EXPTIME", math.nan)], "exposure", None),
        ([("EXPTIME", True)], "exposure", None),
        ([("EXPTIME", 10**400)], "exposure", None),
        ([("EXPTIME", 1.0, "Jy"), ("ONTIME", 3)], "exposure", 3.0),
        ([("WAVELNTH", 250.0, "um")], "wavelength", 0.00025),
        ([("WAVELNTH", 85.0, "micrometer")], "wavelength", 8.5e-05),
        ([("WAVELNTH", 171)], "wavelength", None),
        ([("WAVELNTH", 12.398419843, "keV")], "wavelength", pytest.approx(1e-10)),
        ([("WAVELNTH", 299792458.0, "Hz")], "wavelength", 1.0),
        ([("RA", "13:25:27.6"), ("DEC", "-43:01:09")], "ra", pytest.approx(201.365)),
        ([("RA", "13:25:27.6"), ("DEC", "-00:30:00")], "dec", -0.5),
        ([("RA", -10.0), ("DEC", 1)], "ra", 350.0),
        ([("RA", 10.0)], "ra", None),
        ([("RA", 10.0), ("DEC", 91.0)], "dec", None),
        ([("RA", 10.0), ("DEC", 91.0)], "ra", None),
        ([("RA_OBJ", 10.0), ("RA_PNT", 11.0), ("DEC_PNT", 5.0)], "ra", 11.0),
        ([("RA", 10.0), ("DEC", 1), ("EQUINOX", 1950.0)], "ra", None),
        ([("RA", 10.0), ("DEC", 1), ("EQUINOX", "J2000")], "ra", 10.0),
        ([("RA", 10.0), ("DEC", 1), ("RADESYS", "FK4")], "ra", None),
        (
            [("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CRVAL1", 5.0), ("CRVAL2", 6.0)],
            "ra",
            5.0,
        ),
        (
            [("CTYPE1", "GLON-TAN"), ("CTYPE2", "GLAT-TAN"), ("CRVAL1", 5.0), ("CRVAL2", 6.0)],
            "ra",
            None,
        ),
        ([("TELESCOP", 3.6), ("OBSERVAT", "ESO")], "telescope", "ESO"),
        ([("OBS_ID", "MISSING (not known yet)")], "obsid", None),
        ([("OBJECT", " N/A "), ("TARGET", "M 83 ")], "object", "M 83"),
        ([("OBS_ID", 7932.0)], "obsid", "7932"),
        ([("FILTER1", "CLEAR1L"), ("FILTER2", "F606W")], "band", "F606W"),
        ([("FILTER1", "F435W"), ("FILTER2", "POL0V")], "band", "F435W+POL0V"),
    ],
)
def test_values(meta, name, expected):
    assert attributes(meta).get(name) == expected


@pytest.mark.parametrize(
    ("kind", "datasets", "meta", "expected"),
    [
        ("SimpleImage", [("image", image())], [], "image"),
        ("Product", [("SCI", image()), ("ERR", image())], [], "image"),
        ("Product", [("c", image(shape=(5, 6, 7)))], [], "cube"),
        ("Product", [("c", image(shape=(1, 1, 6, 7)))], [], "image"),
        ("Product", [("s", image([("CTYPE1", "WAVE")], (50,)))], [], "spectrum"),
        ("Product", [("t", table())], [], "table"),
        ("Product", [("EVENTS", table()), ("GTI", table())], [], "events"),
        ("Product", [("x", table([("HDUCLAS1", "LIGHTCURVE")]))], [], "timeseries"),
        ("MapContext", [], [], "context"),
        ("SpectralSimpleCube", [("c", image(shape=(5, 6, 7)))], [], "cube"),
        ("File", [], [], None),
    ],
)
def test_product_types(kind, datasets, meta, expected):
    assert attributes(meta, datasets, kind).get("product_type") == expected


def test_spectral_axis():
    cube = image(
        [("CTYPE3", "FREQ"), ("CRVAL3", 100e9), ("CDELT3", 1e9), ("CRPIX3", 1.0), ("CUNIT3", "Hz")],
        (5, 4, 4),
    )
    found = attributes([], [("c", cube)])
    assert found["wavelength_min"] == pytest.approx(299792458.0 / 104.5e9)
    assert found["wavelength_max"] == pytest.approx(299792458.0 / 99.5e9)


def test_own_metadata_come_before_those_of_datasets():
    found = attributes(
        [("OBJECT", "own")], [("a", image([("OBJECT", "a"), ("EXPTIME", 1)])),
                              ("b", image([("EXPTIME", 2)]))]
    )  # fmt: skip
    assert found["object"] == "own"
    assert found["exposure"] == 1.0


keys = st.sampled_from(
    ["TELESCOP", "INSTRUME", "instrument", "telescope", "OBJECT", "DATE-OBS", "TIME-OBS", "MJDREF",
     "EXPTIME", "TSTART", "TIMESYS", "RA", "DEC", "CTYPE1", "CTYPE3", "CRVAL3", "CRPIX3", "CDELT3",
     "wavelength", "level", "FILTER", "type", "EQUINOX", "TIMEUNIT", "PHOTPLAM", "ROOTNAME",
     "RESTFRQ", "CUNIT3", "MJD-OBS", "TIMEZERO", "TAI-BEG", "PLATEID", "E_MIN", "EXPSTART"]
)  # fmt: skip
values = st.one_of(
    st.sampled_from(["HST", "PACS", "SPIRE", "2010-03-02", "9999-12-31T23:59:59", "TT", "FREQ",
                     "d", "VRAD", "9999-12-31", "23:59:60.9", "GPS",
                     "RA---TAN", "", "1e999", "0001-01-01", "J2000", "20", "250", "\ud800"]),
    st.text(max_size=20),
    st.integers(-(10**30), 10**30),
    st.sampled_from([10**400, -(10**400), 5e-324, 1e308, -1e308, 1e-300]),
    st.floats(),
    st.booleans(),
    st.datetimes(timezones=st.just(UTC)),
)  # fmt: skip
entries = st.lists(
    st.tuples(keys, values, st.sampled_from(["", "s", "um", "keV", "x", "THz", "cm-1"])),
    max_size=12,
    unique_by=lambda entry: entry[0],
)


@given(entries, entries)
def test_any_metadata_give_values_of_the_right_type(own, inner):
    found = attributes(own, [("c", image(inner, (3, 4, 5)))])
    assert list(found) == [name for name in CORE_NAMES if name in found]
    for attribute in CORE:
        value = found.get(attribute.name)
        if value is None:
            continue
        if attribute.type == "text":
            assert isinstance(value, str)
            assert 0 < len(value) <= MAX_TEXT
        elif attribute.type == "time":
            assert value.utcoffset().total_seconds() == 0
        else:
            assert type(value) is (int if attribute.type == "integer" else float)
            assert attribute.least <= value <= attribute.most
    assert load().attributes(document(own, [("c", image(inner, (3, 4, 5)))])) == found


@given(st.floats(1e-6, 1e6), st.sampled_from(["m", "um", "Angstrom", "keV", "GHz", "cm-1"]))
def test_conversions_are_those_of_astropy(value, unit):
    from astropy import units

    quantity = units.Quantity(value, unit)
    wanted = quantity.to_value("m", units.spectral())
    assert convert(value, unit, "m") == pytest.approx(wanted, rel=1e-9)


RULES = """
[[recognise]]
TELESCOP = "MyScope"
[attributes]
telescope = [{value = "My Scope"}]
object = ["TGT"]
exposure = [{key = "T", unit = "ms"}, {keys = ["T1", "T2"], sum = true}]
band = [{key = "F", names = {"1" = "B", "2" = "V"}}]
calib_level = [{key = "STEP", match = "L([0-4])"}]
[[bands]]
unit = "nm"
values = {B = 440, V = [550, 500, 600]}
"""


def test_rules_of_a_user(tmp_path):
    (tmp_path / "mine.toml").write_text(RULES, "utf-8")
    (tmp_path / "hst.toml").write_text('[attributes]\nobject = ["NICKNAME"]\n', "utf-8")
    engine = load(tmp_path)
    found = engine.attributes(
        document([("TELESCOP", "MyScope"), ("TGT", "a"), ("T", 1500), ("F", 2), ("STEP", "x-L3")])
    )
    assert found == {
        "telescope": "My Scope", "object": "a", "exposure": 1.5, "band": "V", "wavelength": 5.5e-7,
        "wavelength_min": 5e-7, "wavelength_max": 6e-7, "calib_level": 3,
    }  # fmt: skip
    found = engine.attributes(document([("TELESCOP", "MyScope"), ("T1", 1), ("T2", 2), ("F", 1)]))
    assert (found["exposure"], found["wavelength"]) == (3.0, 4.4e-7)
    hst = engine.attributes(document([("TELESCOP", "HST"), ("NICKNAME", "n"), ("TARGNAME", "t")]))
    assert hst["object"] == "n"
    assert engine.attributes(document([("TELESCOP", "HST"), ("TARGNAME", "t")]))["object"] == "t"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "cannot be read"),
        ("[attribute]", "'attribute' is not known here"),
        ("[attributes]\ncolour = []", "at attributes: 'colour' is not known here"),
        ("[attributes]\nobject = 'X'", "at attributes.object: a list is wanted, not 'X'"),
        ("[attributes]\nobject = [1]", r"at attributes.object\[0\]: a table is wanted, not 1"),
        ("[attributes]\nobject = [{kee = 'A'}]", r"object\[0\]: 'kee' is not known here"),
        ("[attributes]\nobject = [{unit = 's'}]", "one of key, keys, value"),
        ("[attributes]\nobject = [{key = 'A', value = 1}]", "one of key, keys, value"),
        ("[attributes]\nobject = [{key = 'A', match = '('}]", "no regular expression"),
        ("[attributes]\nexposure = [{key = 'A', unit = 'parsnip'}]", "unit 'parsnip' is not known"),
        ("[attributes]\nstart = [{key = 'A', as = 'date'}]", "'date' is not known here"),
        ("[attributes]\nobject = [{attribute = 'title'}]", "'title' is not known before 'object'"),
        ("based_on = 'hts'", "there are no rules 'hts'"),
        ("recognise = [{TELESCOP = 1}]", r"recognise\[0\].TELESCOP: a text is wanted"),
        ("[[bands]]\nvalues = {B = [1, 2]}", r"bands\[0\].values.B: a wavelength, or"),
    ],
)
def test_errors_in_rule_files_say_where(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load(tmp_path)
    assert str(tmp_path / "mine.toml") in str(caught.value)
