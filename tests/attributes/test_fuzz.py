"""No metadata, however odd, keep a product from being indexed."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime

import pytest

from skypool.model.attributes.engine import load
from skypool.model.attributes.names import CORE

ENGINE = load()
KEYS = sorted(
    {key for family in ENGINE.families for listed in family.sources.values() for source in listed
     for key in (*source.keys, *(condition.key for condition in source.when))}
    | {condition.key for family in ENGINE.families for each in family.recognise
       for condition in each}
    | {"timesys", "mjdref", "mjdrefi", "mjdreff", "timezero", "timeunit", "restfrq", "ctype3",
       "crval3", "crpix3", "cdelt3", "cunit3", "equinox", "radesys", "bjdrefi"}
)  # fmt: skip
TELESCOPES = [
    "HST", "JWST", "CHANDRA", "XMM", "SWIFT", "TESS", "Kepler", "ALMA", "LOFAR", "SDSS", "GALEX",
    "WISE", "ROSAT", "GLAST", "ESO-VLT", "Spitzer", "NuSTAR", "VLA", "XTE", "Subaru", "Gaia", "SDO",
    "Herschel", "", "Unknown",
]  # fmt: skip
TEXTS = [
    "PACS", "SPIRE", "TT", "TDB", "GPS", "TAI", "FREQ", "VRAD", "VOPT", "WAVE", "RA---TAN",
    "DEC--TAN", "Hz", "m/s", "km/s", "d", "s", "", "9999-12-31T23:59:59.999999", "0001-01-01",
    "0001-01-01T00:00:00", "23:59:60.9", "12:00:00", "J2000", "1e999", "-1e400", "1d5", "12:34:56",
    "-89 59 59.99", "FK4", "ICRS", "20", "F606W", "blue1", "nan", "\ud800", "x" * 5000, "9" * 500,
    "31/12/99", "00/00/00", "2010/13/45", "2010-03-02T10:00:00+05:00", "  ", "1", "2.5",
]  # fmt: skip
NUMBERS = [
    10**400, -(10**400), 0, 1, -1, 2, 5e-324, 1e308, -1e308, 1e-300, math.inf, -math.inf, math.nan,
    True, False, 55000.5, 1e10, 2**63, 0.0, -0.0, 3.5, 2455000.5,
]  # fmt: skip
MOMENTS = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
UNITS = ["", "", "s", "um", "keV", "THz", "cm-1", "deg", "h", "x", "\x00"]
SHAPES = [[3, 4, 5], [], [0], [2, 2], [7]]


def value(rng, key):
    if key == "telescop" and rng.random() < 0.9:
        return rng.choice(TELESCOPES)
    form = rng.random()
    if form < 0.45:
        return rng.choice(TEXTS)
    if form < 0.9:
        return rng.choice(NUMBERS)
    return rng.uniform(-1e6, 1e6) if form < 0.95 else rng.choice(MOMENTS)


def meta(rng, most):
    keys = rng.sample(KEYS, rng.randint(0, most))
    if rng.random() < 0.5 and "telescop" not in keys:
        keys.append("telescop")
    return [[rng.choice([key, key.upper()]), value(rng, key), rng.choice(UNITS)] for key in keys]


def document(rng):
    datasets = [
        ["c", {"is": "array", "shape": rng.choice(SHAPES),
               "meta": rng.choice([meta(rng, 15), "product"])}],
        ["EVENTS", {"is": "table", "columns": [{"name": "a"}], "meta": meta(rng, 10)}],
        ["more", {"is": "composite", "datasets": [], "meta": meta(rng, 5)}],
    ]  # fmt: skip
    rng.shuffle(datasets)
    return {
        "kind": rng.choice(["Product", "SimpleImage", "MapContext", "Odd"]),
        "meta": meta(rng, 40),
        "datasets": datasets[: rng.randint(0, 3)],
    }


def check(seed):
    made = document(random.Random(seed))
    found = ENGINE.attributes(made)
    for attribute in CORE:
        if attribute.name in found and attribute.type in ("number", "integer"):
            number = found[attribute.name]
            assert math.isfinite(number), seed
            assert attribute.least <= number <= attribute.most, seed
    return found


def test_odd_metadata():
    found = [check(seed) for seed in range(500)]
    assert {name for attributes in found for name in attributes} == {each.name for each in CORE}


@pytest.mark.campaign
def test_odd_metadata_often():
    for seed in range(30_000):
        check(seed)
