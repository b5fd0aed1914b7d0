"""UTC, TAI and the FineTime of HCSS, against astropy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from astropy.time import Time

from skypool.model.times import fine_time, time_of_fine_time


@pytest.mark.parametrize(
    "year", [1973, 1980.5, 1999, 2005.9, 2008.99, 2009.01, 2012.49, 2012.51, 2016.99, 2017.01, 2026]
)
def test_fine_times_are_those_of_astropy(year):
    utc = Time(year, format="decimalyear", scale="utc").to_datetime().replace(tzinfo=UTC)
    since = Time(utc.replace(tzinfo=None), scale="utc").tai - Time("1958-01-01", scale="tai")
    assert fine_time(utc) == round(since.sec * 1e6)
    assert time_of_fine_time(fine_time(utc)) == utc


def test_around_a_leap_second():
    before = datetime(2016, 12, 31, 23, 59, 59, 999999, UTC)
    after = datetime(2017, 1, 1, tzinfo=UTC)
    assert fine_time(after) - fine_time(before) == 1_000_001
    assert time_of_fine_time(fine_time(after)) == after
    assert time_of_fine_time(fine_time(before) + 1) == after  # 23:59:60, which has no datetime
