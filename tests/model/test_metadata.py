"""Parameters and metadata: values, conversion, lookup, immutability."""

import copy
import math
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time
from hypothesis import given

from skypool.errors import InvalidProduct, MissingName
from skypool.model.metadata import MetaData, Parameter
from skypool.testing.strategies import metadata, parameters


def test_metadata_needs_neither_numpy_nor_astropy():
    code = (
        "import sys; from skypool.model.metadata import MetaData, Parameter;"
        "MetaData({'a': 1, 'b': Parameter(2.5, 'um', 'x')});"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'astropy'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (True, True),
        (5, 5),
        (2**100, 2**100),
        (2.5, 2.5),
        ("text", "text"),
        (np.bool_(True), True),
        (np.int16(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float32(0.5), 0.5),
        (np.longdouble(0.25), 0.25),
        (np.str_("x"), "x"),
        (np.array(7), 7),
        (datetime(2013, 2, 17, 1), datetime(2013, 2, 17, 1, tzinfo=UTC)),
        (
            datetime(2013, 2, 17, 1, tzinfo=timezone(timedelta(hours=2))),
            datetime(2013, 2, 16, 23, tzinfo=UTC),
        ),
        (date(2013, 2, 17), datetime(2013, 2, 17, tzinfo=UTC)),
        (np.datetime64("2013-02-17T01:10:35.261674"),
         datetime(2013, 2, 17, 1, 10, 35, 261674, tzinfo=UTC)),
        (Time("2013-02-17T01:11:42.184", scale="tt"),
         datetime(2013, 2, 17, 1, 10, 35, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_values_become_plain(given_value, kept):
    found = Parameter(given_value).value
    assert found == kept
    assert type(found) is type(kept)
    if isinstance(kept, datetime):
        assert found.utcoffset() == timedelta(0)


def test_quantities_bring_their_unit():
    assert Parameter(70 * u.um) == Parameter(70.0, "um")
    assert Parameter(70 * u.um, "mm").value == pytest.approx(0.07)
    assert Parameter(3.0, u.Jy / u.beam).unit == "Jy beam-1"
    assert Parameter(3.0, u.dimensionless_unscaled).unit == ""
    assert Parameter(250, "um").quantity.to_value("mm") == pytest.approx(0.25)
    assert Parameter(2).quantity == 2 * u.dimensionless_unscaled


@pytest.mark.parametrize(
    "refused",
    [None, b"bytes", 1j, [1, 2], {"a": 1}, object(), np.arange(3), np.datetime64("NaT", "s"),
     np.complex64(1), 1 << 5000, [1, 2] * u.m],
)  # fmt: skip
def test_other_values_are_refused_with_advice(refused):
    with pytest.raises(InvalidProduct):
        Parameter(refused)


def test_text_and_times_are_no_quantities():
    with pytest.raises(TypeError, match="no number"):
        _ = Parameter("x").quantity
    with pytest.raises(TypeError, match="furlongs"):
        _ = Parameter(1, "furlongs per fortnight").quantity


def test_equality_is_exact():
    assert Parameter(math.nan) == Parameter(math.nan)
    assert hash(Parameter(math.nan)) == hash(Parameter(math.nan))
    assert Parameter(1) != Parameter(1.0)
    assert Parameter(1) != Parameter(True)
    assert Parameter(0.0) != Parameter(-0.0)
    assert Parameter(1, "m") != Parameter(1)
    assert Parameter(1) != 1


def test_all_problems_at_once():
    with pytest.raises(InvalidProduct) as caught:
        MetaData({"a": None, "": 1, "b": [1], "c": 3, 5: 6})
    assert len(caught.value.problems) == 4
    assert [problem.location for problem in caught.value.problems] == [("a",), (), ("b",), ()]


def test_lookup_takes_the_exact_name_then_another_case():
    meta = MetaData({"obsid": 1, "OBSID": 2, "Wavelength": 3})
    assert meta["obsid"].value == 1
    assert meta["OBSID"].value == 2
    assert meta["WAVELENGTH"].value == 3
    assert "wavelength" in meta
    with pytest.raises(KeyError, match="could be any of"):
        meta["ObsId"]
    with pytest.raises(MissingName) as caught:
        meta["wavelenght"]
    assert caught.value.candidates == ("Wavelength",)
    assert meta.get("nothing") is None
    assert 5 not in meta


def test_nothing_can_be_set():
    meta = MetaData({"a": 1})
    with pytest.raises(TypeError, match="replace"):
        meta["a"] = 2
    with pytest.raises(TypeError, match="replace"):
        del meta["a"]
    with pytest.raises(AttributeError, match="replace"):
        meta["a"].value = 2
    with pytest.raises(AttributeError, match="replace"):
        del meta["a"].unit
    assert meta["a"].value == 1


def test_replace_merges_and_removes():
    meta = MetaData({"a": Parameter(1, "m", "length"), "b": 2, "c": 3})
    new = meta.replace({"a": 5, "b": None, "d": 4}, c=Parameter(7))
    assert list(new) == ["a", "c", "d"]
    assert new["a"] == Parameter(5, "m", "length")
    assert meta["a"].value == 1
    assert meta.replace(a=5 * u.km)["a"] == Parameter(5.0, "km", "length")
    assert meta.replace(a=Parameter(5))["a"] == Parameter(5)
    with pytest.raises(MissingName):
        meta.replace({"nothing": None})
    with pytest.raises(TypeError):
        meta["a"].replace(valeu=3)
    assert meta["a"].replace(unit="km") == Parameter(1, "km", "length")


@given(metadata())
def test_copies_are_equal(meta):
    assert pickle.loads(pickle.dumps(meta)) == meta
    assert copy.deepcopy(meta) == meta
    assert list(MetaData(list(meta.items()))) == list(meta)
    assert isinstance(repr(meta) + str(meta), str)


@given(parameters())
def test_parameters_are_short(parameter):
    assert len(repr(parameter).split("\n")[0]) < 1000
    assert parameter == Parameter(parameter.value, parameter.unit, parameter.description)
