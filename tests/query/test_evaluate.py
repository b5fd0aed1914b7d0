from __future__ import annotations

import contextlib
import itertools
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.strategies import queries, trees
from query.subjects import Array, Table, subject
from skypool.errors import QueryError
from skypool.model.composite import Composite
from skypool.model.metadata import Parameter
from skypool.query.check import check
from skypool.query.compare import all_of, any_of, canonical_time, compare, like, negated
from skypool.query.evaluate import matches, truth
from skypool.query.grammar import parse
from skypool.query.members import Members
from skypool.query.values import Amount, parse_position, parse_time

WHEN = datetime(2010, 3, 2, 12, 30, 0, 250000, tzinfo=UTC)


def image(meta=None, **fields):
    data = np.arange(12, dtype=np.float32).reshape(3, 4)
    data[0, 0] = np.nan
    return Array(data, meta=meta or {}, **fields)


def events():
    return Table(
        {
            "energy": np.array([1000.0, 2500.0, np.nan, 3000.0]),
            "pi": np.array([1, 2, 3, 4]),
            "name": np.array(["a", "b", "c", "d"]),
            "vec": np.arange(8).reshape(4, 2),
        }
    )


PRODUCT = subject(
    {
        "obsid": 1342182452,
        "OBJECT": "M 83",
        "wavelength": Parameter(0.25, "mm"),
        "temp": Parameter(3.0, "K"),
        "startDate": WHEN,
        "DATE-OBS": "2010-03-02T12:30:00",
        "endDate": datetime(2010, 3, 2, 14, 30, tzinfo=UTC),
        "flag": True,
        "nan": float("nan"),
        "number": "42",
        "big": 2**80,
        "zero": 0,
    },
    datasets={
        "image": image({"PHOTFLAM": 2e-19, "CHIP": 1, "GAIN": 2.0}, unit="Jy/beam"),
        "SCI,2": image({"PHOTFLAM": 1e-20, "CHIP": 2, "GAIN": 1.0, "obsid": 7}),
        "events": events(),
        "tree": Composite({"inner": image({"DEEP": "yes"})}),
    },
    tags=("using cal v1", "best"),
    kind="SimpleImage",
    path=None,
)

TRUE = """
obsid == 1342182452
OBSID == 1342182452
obsid == '1342182452'
obsid in [1, 1342182452]
obsid > 1e9
1 < obsid < 2000000000
object == 'M 83'
object != 'M 84'
object like 'm%83'
object like '?_83'
not object like 'm83'
object contains '8'
object.startswith('M')
lower(object) == 'm 83'
'8' in object
object in ['M 83']
object not in ['M 84']
wavelength == '250 um'
wavelength == '0.25 mm'
wavelength == 0.25
wavelength < '251 um'
wavelength >= '250 um'
not wavelength < '250 um'
wavelength != '251 um'
wavelength != '250 s'
2 * wavelength == '500 um'
wavelength + '0' == 3 or wavelength / 2 < '0.2 mm'
meta['wavelength'].unit == 'mm'
startDate == '2010-03-02'
startDate == '2010-03'
startDate == '2010'
startDate == '2010-03-02T12:30:00.25'
startDate == '2010-03-02T13:30:00.250000+01:00'
startDate > '2010-03-02T12:30:00'
startDate > '2010-03-01'
not startDate > '2010-03-02'
startDate >= '2010-03-02'
startDate <= '2010-03-02'
startDate < '2010-03-03'
startDate != '2010-03-01'
startDate == date('2010-03-02')
meta['DATE-OBS'] == '2010-03-02'
meta['DATE-OBS'] < startDate
meta['DATE-OBS'] < '2010-04-01'
endDate - startDate < '2 h'
endDate - startDate > '119 min'
startDate + '2 h' >= endDate
startDate.startswith('2010-03-02')
flag
flag == True
flag == 1
not zero
number == 42
number > 41.5
number == '42'
big > 1e24
has('obsid') and has(OBJECT) and has(PHOTFLAM) and has(deep) and has(nan) and has(kind)
missing('nothing') and missing(path)
not has('nothing')
isnan(nan)
PHOTFLAM > 1e-19
CHIP == 1 and CHIP == 2
not CHIP == 3
CHIP != 3
GAIN * 2 == 4 and GAIN < 2
CHIP == GAIN * 0.5
image.meta['CHIP'] == 1
datasets['SCI,2'].meta['CHIP'] == 2
meta['DEEP'] == 'yes'
tree.inner.meta['DEEP'] == 'yes'
nrows == 4
events.nrows == 4
shape == [3, 4]
shape[0] == 3 and shape[-1] == 4
image.shape == (3, 4)
image.unit == 'Jy/beam'
'energy' in events.colnames
kind == 'SimpleImage' and kind == 'Product' and kind != 'Context'
kind in ['Context', 'Product']
kind like 'simple%'
type == 'HPPPMAPBS'
name == 'maps/m83' and name.startswith('maps/')
version == 0 and author == 'scott' and size < 2000 and message == ''
saved >= '2026-11-01' and saved == '2026-11-02'
tagged('best') and tagged('using cal v1') and not tagged('bes')
'best' in tags and tags contains 'best'
hash startswith 'ab'
urn == 'urn:pool:Product:0'
hypot(3, 4) == 5 and abs(-2) == 2 and sqrt(4) == 2 and round(2.4) == 2
7 // 2 == 3 and 7 % 2 == 1 and 2 ** 10 == 1024 and -2 ** 2 == -4
has_dataset('image') and has_dataset('tree/inner') and not has_dataset(coverage)
max(image) == 11 and min(image) == 1 and count(image) == 11
max(image) > '10 Jy/beam'
any(image > 10.5) and not all(image > 10.5) and all(image >= 1)
count(image > 5) == 6
mean(image) == 6 and median(image) == 6 and sum(image) == 66
max(events['energy']) == 3000 and count(events) == 4 and count(events['energy']) == 3
count(events['energy'] > 2000) == 2
count(events['energy'] > 2000 and events['pi'] > 2) == 1
max(events['pi'], events['energy'] > 2000) == 4
mean(events['energy'] / 1000, where=events['pi'] < 3) == 1.75
any(events['name'] == 'b') and count(events['name'] in ['a', 'b']) == 2
max(events['vec'][1]) == 7
events['energy'][0] == 1000 and image[2, 3] == 11
any(image > zero) and count(image > max(image) - 1) == 1
max(image * 2 + 1) == 23
True
not False
(1 == 1) == True
lower(object) == lower('m 83')
"""

UNKNOWN = """
nothing == 1
nothing != 1
not nothing == 1
nothing in [1]
nothing not in [1]
nothing == nothing
nan == 1
nan != 1
nan < 1
not nan < 1
object < 3
not object < 3
startDate < 'soon'
obsid > 'abc'
nothing like '%'
path == 'x'
image.meta['nothing'] == 1
other.meta['CHIP'] == 1
max(nothing) > 1
max(image['x']) > 1
max(events) > 1
mean(events['name']) > 1
max(events['nothing']) > 1
image[99, 0] > 1
image[0, 0] > 1
events['energy'][99] > 1
value(image, 10, 20) > 1
obsid / 0 > 1
log(0) > 1
object + 1 > 1
nothing
object
10 ** 400 > 1
max(image, image > 100) > 1
tree.shape == [3]
wavelength < '3 s'
"""

FALSE = """
obsid == 1
obsid != 1342182452
object == 'm 83'
object == 3
not object != 3
wavelength == '250 s'
startDate == 'soon'
zero
CHIP != 2
not CHIP == 2
CHIP not in [2, 5]
kind == 'Context'
shape == [3]
False
1 in []
object in [1, 2]
"""


@pytest.mark.parametrize("text", [t for t in TRUE.strip().splitlines() if t])
def test_true(text):
    assert truth(parse(text), PRODUCT) is True
    assert truth(parse(f"not ({text})"), PRODUCT) is False


@pytest.mark.parametrize("text", UNKNOWN.strip().splitlines())
def test_unknown_matches_neither_way(text):
    assert truth(parse(text), PRODUCT) is None
    assert not matches(parse(text), PRODUCT)
    assert not matches(parse(f"not ({text})"), PRODUCT)
    assert matches(parse(f"True or {text}"), PRODUCT)
    assert truth(parse(f"False and ({text})"), PRODUCT) is False


@pytest.mark.parametrize("text", FALSE.strip().splitlines())
def test_false(text):
    assert truth(parse(text), PRODUCT) is False
    assert matches(parse(f"not ({text})"), PRODUCT)


def test_the_product_comes_before_its_datasets():
    # obsid 7 is in an extension only, behind the product's own
    assert truth(parse("obsid == 7"), PRODUCT) is False


def test_case_that_is_ambiguous_is_no_match():
    both = subject({"Key": 1, "KEY": 2})
    assert truth(parse("key == 1"), both) is None
    assert truth(parse("Key == 1 and KEY == 2 and has(key)"), both) is True


def test_the_tree():
    cal = subject({"v": 4}, name="cal/flat", urn="urn:pool:CalProduct:9", version=4, tags=("good",))
    level2 = subject({"obsMode": "Large map"}, name="obs/level2", kind="MapContext", urn="urn:a")
    leaf = subject({"x": 1}, name="obs/level2/PSW.fits", urn="urn:b")
    root = subject({"od": 98}, name="obs", kind="ObservationContext", urn="urn:c")
    root.refer("level2", level2).refer("calibration", cal)
    level2.refer("PSW.fits", leaf)
    root.below.append(("gone", "urn:elsewhere:X:1"))
    for text, product in [
        ("parent(obsMode == 'Large map')", leaf),
        ("ancestor(od == 98) and ancestor(kind == 'Context')", leaf),
        ("not parent(od == 98) and parent() and ancestor()", leaf),
        ("not parent() and not ancestor(True)", root),
        ("child('level2', kind == 'Context')", root),
        ("child(v == 4) and child('LEVEL2') and child(x == 1) == False", root),
        ("descendant(x == 1) and has_ref('gone') and not has_ref('level3')", root),
        ("child('PSW') and child('PSW', x == 1) and has_ref('PSW')", level2),
        ("refers_to('cal/flat@4') and refers_to('cal/flat') and refers_to('cal/flat@good')", root),
        ("refers_to('urn:pool:CalProduct:9') and refers_to('urn:elsewhere:X:1')", root),
        ("not refers_to('cal/flat@3')", root),
        ("not child(nothing == 1)", root),
    ]:
        assert truth(parse(text), product) is True, text
    tree = parse("refers_to($ref)", {"ref": cal})
    assert matches(tree, root)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("within(1, 2)", 1),
        ("within(1, 2, 3, 4)", 1),
        ("within('1 2')", 1),
        ("within('1 2', -1)", 15),
        ("within('1 2', '5 kg')", 15),
        ("within('nowhere', 1)", 8),
        ("within(1, radius=2)", 1),
        ("overlaps('1 2')", 1),
        ("overlaps(1, 2, number('nan'))", 16),
        ("nearest(1, 2, 0)", 1),
        ("nearest(1, 2, 1.5)", 1),
        ("nearest(od, 2, 1)", 1),
        ("not nearest(1, 2)", 5),
        ("od == 1 or nearest(1, 2)", 12),
        ("parent(nearest(1, 2))", 8),
        ("nearest(1, 2) and nearest(3, 4)", 19),
    ],
)
def test_regions_of_the_sky_that_mean_nothing(text, column):
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.column == column
    assert caught.value.hint


def test_positions_of_metadata():
    for meta, query in [
        ({"ra": 201.365, "dec": -43.019}, "within('13:25:27.6 -43:01:08.4', '1 arcsec')"),
        ({"RA": 1.0, "DEC": 2.0, "RA_TARG": 5.0, "DEC_TARG": 6.0}, "within(1, 2, 0)"),
        ({"OBJCTRA": "13 25 27.6", "OBJCTDEC": "-43 01 08.4"}, "within(201.365, -43.019, 1e-9)"),
        ({"ra": Parameter(12.0, "h"), "dec": 0}, "within(180, 0, 1e-12)"),
        ({"GLON": 0.0, "GLAT": 90.0}, "within(192.85948, 27.12825, '1 arcsec')"),
        (
            {"RA": 200.0, "DEC": 10.0, "EQUINOX": 1950.0},
            "within(200.62386452, 9.73893089, '0.1 arcsec') and not within(200, 10, '10 arcmin')",
        ),
    ]:
        assert truth(parse(query), subject(meta)) is True, query
    for meta in ({}, {"ra": 1.0}, {"ra": 1.0, "dec": 91.0}, {"ra": "x", "dec": 3}):
        assert truth(parse("not within(1, 2, 180)"), subject(meta)) is True, meta
    own = subject({"ra": 10.0, "dec": 20.0, "r": 1.0, "tra": 10.5, "tdec": 20.0})
    assert truth(parse("within(tra, tdec, r) and not within(tra, tdec, '1 arcmin')"), own) is True


def test_names_without_value_and_mismatched_data():
    with pytest.raises(QueryError, match="no value"):
        truth(parse("obsid == $x"), PRODUCT)
    for text in ("max(events['pi'] + image) > 1", "max(image + datasets['tree/inner'] * cube) > 1"):
        odd = subject({}, datasets={**PRODUCT.datasets, "cube": Array(np.zeros((2, 2)))})
        with pytest.raises(QueryError):
            truth(parse(text), odd)


def test_value_at_a_position():
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [201.365, -43.019]
    wcs.wcs.crpix = [2, 2]
    wcs.wcs.cdelt = [-0.01, 0.01]
    product = subject({}, datasets={"image": image(wcs=wcs, unit="Jy/beam")})
    for text in (
        "value(image, 201.365, -43.019) == 5",
        "value(image, '13:25:27.6 -43:01:08.4') == '5 Jy/beam'",
        "value(image, position(201.365, -43.009)) == 9",
    ):
        assert truth(parse(text), product) is True, text
    assert truth(parse("value(image, 10, 10) > 0"), product) is None
    assert truth(parse("value(image, 201.365, 43) > 0"), product) is None


def test_patterns():
    assert like("Sgr A*", "sgr a*")
    assert like("a_b", r"a\_b")
    assert not like("axb", r"a\_b")
    assert like("", "%")
    assert like("abcabc", "%abc")
    assert not like("abc", "ab")
    assert like("100%", r"100\%")
    assert not like("a" * 2000, "%a" * 500 + "b")


def test_positions_and_times_are_read():
    place = parse_position("13:25:27.6 -43:01:08.4")
    assert (place.ra, place.dec) == pytest.approx((201.365, -43.019))
    assert parse_position("13h25m27.6s -43d01m08.4s") == place
    assert parse_position("13 25 27.6 -43 01 08.4") == place
    assert parse_position("201.365, -43.019").ra == pytest.approx(201.365)
    assert parse_position("201d21m54s -43d01m08.4s").ra == pytest.approx(201.365)
    for text in ("", "M83", "1", "10 95", "400 0", "1:2 3:4", "99:99:99 0:0:0", "1 2 3"):
        assert parse_position(text) is None
    assert parse_time("2026-13-01") is None
    assert parse_time("2026-02-30") is None
    assert parse_time("202") is None
    assert parse_time("9999").end.year == 9999


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["", "a", "B", "1", "1.0", "2026-11-01", "2026-11-01T10:00:00", "250 um"]),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["2026", "2026-11-01"]).map(parse_time),
    st.sampled_from([Amount(1, "um"), Amount(0.25, "mm"), Amount(250, "um"), Amount(2.0, "s")]),
)


@given(values, values)
def test_comparisons_are_consistent(left, right):
    lower, same, higher = (compare(op, left, right) for op in ("<", "==", ">"))
    assert negated(same) is compare("!=", left, right)
    assert same is compare("==", right, left)
    assert lower is compare(">", right, left)
    if same is None:
        assert lower is None
        assert higher is None
    elif lower is not None:
        assert [lower, same, higher].count(True) == 1
        assert compare("<=", left, right) is (lower or same)
        assert compare(">=", left, right) is (higher or same)


@given(st.datetimes(timezones=st.just(UTC)), values)
def test_a_time_is_its_canonical_text(moment, other):
    for operator in ("==", "<", ">="):
        assert compare(operator, moment, other) is compare(operator, canonical_time(moment), other)


def test_the_logic_of_three_values():
    for one, other in itertools.product([True, False, None], repeat=2):
        assert negated(all_of([one, other])) is any_of([negated(one), negated(other)])


@given(trees)
def test_evaluating_raises_nothing_but_query_errors(tree):
    try:
        check(tree)
        truth(tree, PRODUCT)
    except QueryError as error:
        str(error)


@given(queries)
def test_evaluating_any_text_raises_nothing_but_query_errors(text):
    with contextlib.suppress(QueryError):
        truth(parse(text, {"v": 3}), PRODUCT, text)


@given(st.lists(values.filter(lambda value: value is not None), max_size=12), values)
def test_long_lists_answer_as_comparing_with_each(items, value):
    wanted = None if value is None else any_of(compare("==", value, item) for item in items)
    assert Members(items).holds(value) is wanted


@given(st.text("abß%*_?\\", max_size=8), st.text("abßSs", max_size=8))
def test_patterns_are_those_of_a_regular_expression(pattern, text):
    expression, escaped = "", False
    for letter in pattern:
        if not escaped and letter == "\\":
            escaped = True
            continue
        if not escaped and letter in "%*":
            expression += ".*"
        elif not escaped and letter in "_?":
            expression += "."
        else:
            expression += re.escape(letter.casefold())
        escaped = False
    expression += "\\\\" if escaped else ""
    assert like(text, pattern) is bool(re.fullmatch(expression, text.casefold(), re.DOTALL))


def test_nan_is_unknown_whatever_it_is_compared_with():
    for other in (1, 1.5, "text", "", "2010-01-01", float("nan"), True):
        for operator in ("==", "!=", "<", ">"):
            assert compare(operator, float("nan"), other) is None
            assert compare(operator, other, float("nan")) is None
