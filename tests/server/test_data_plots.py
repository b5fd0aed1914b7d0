"""Spectra and columns to plot: exact where few, with their extremes where many."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import skypool as sp
from skypool.errors import MissingName, NotFound, UsageError
from skypool.server import data_plots
from skypool.server.data_plots import binned, histogram, plot, spectrum
from skypool.server.data_sources import Shown

from .seen import Spy, saved, shown_of
from .test_data_world import CUBE, header_of

VALUES = st.floats(width=32) | st.just(np.nan)


@given(arrays(np.float32, st.integers(1, 300), elements=VALUES), st.integers(1, 50))
def test_bins_keep_all_extremes(values: np.ndarray, count: int) -> None:
    edges, mean, low, high = binned(values, count)
    assert len(edges) - 1 <= count
    assert (edges[0], edges[-1]) == (0, values.size)
    assert (np.diff(edges) > 0).all()
    for number, (start, stop) in enumerate(pairwise(edges)):
        part = values[start:stop].astype(float)
        known, finite = part[~np.isnan(part)], part[np.isfinite(part)]
        assert [low[number], high[number]] == (
            [known.min(), known.max()] if known.size else pytest.approx([np.nan] * 2, nan_ok=True)
        )
        if finite.size:
            np.testing.assert_allclose(mean[number], finite.mean(), rtol=1e-6, atol=1e-30)
        else:
            assert np.isnan(mean[number])


def test_the_spectrum_at_a_pixel_reads_only_its_line(tmp_path: Path) -> None:
    data = np.random.default_rng(1).normal(size=(200, 150, 150)).astype(np.float32)
    shown = shown_of(tmp_path, data, unit="K", wcs=header_of(**CUBE))
    spy = Spy(shown.array)
    found = spectrum(shown, x=70, y=20)
    assert len(spy.chunks) == -(-200 // shown.array.tile[0])
    np.testing.assert_array_equal(np.float32(found["y"]["values"]), data[:, 20, 70])
    assert (found["x"]["name"], found["x"]["unit"], found["y"]["unit"]) == ("frequency", "GHz", "K")
    np.testing.assert_allclose(found["x"]["values"], 345 + 0.25 * np.arange(200))
    with pytest.raises(NotFound, match="150 × 150"):
        spectrum(shown, x=150, y=0)


def test_the_longest_axis_of_a_hypercube_is_the_spectrum(tmp_path: Path) -> None:
    data = np.arange(2 * 7 * 4 * 3, dtype=np.int32).reshape(2, 7, 4, 3)
    found = spectrum(shown_of(tmp_path, data), x=2, y=1, plane=9)
    assert found["y"]["values"] == data[1, :, 1, 2].tolist()
    assert found["x"]["name"] == "index"


def test_an_image_has_no_spectrum(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no spectrum"):
        spectrum(shown_of(tmp_path, np.zeros((4, 4))))


def test_a_spectrum_of_its_own(tmp_path: Path) -> None:
    header = header_of(CTYPE1="WAVE", CRVAL1=2.0, CRPIX1=1.0, CDELT1=0.5, CUNIT1="um")
    data = np.arange(50, dtype=np.float32) / 10
    data[7] = np.nan
    found = spectrum(shown_of(tmp_path, data, unit="Jy", wcs=header), start=5, stop=9)
    assert found["x"]["unit"] == "um"
    np.testing.assert_allclose(found["x"]["values"], [4.5, 5.0, 5.5, 6.0])
    assert found["y"]["values"] == pytest.approx([0.5, 0.6, np.nan, 0.8], nan_ok=True)
    assert (found["total"], found["start"], found["stop"]) == (50, 5, 9)
    whole = spectrum(shown_of(tmp_path / "b", data), count=10)
    assert whole["y"]["high"][0] == np.float32(0.4)
    assert len(whole["y"]["values"]) == 10


def test_a_long_spectrum_comes_from_its_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.random.default_rng(2).normal(size=500_000)
    data[123_456], data[400_000] = 1e3, -1e3
    shown = shown_of(tmp_path, data)
    monkeypatch.setattr(data_plots, "_MOST_READ", 100_000)
    spy = Spy(shown.array)
    found = spectrum(shown, count=100)
    assert spy.chunks == []
    edge = shown.array.tile[0]
    assert found["y"]["high"] == [part.max() for part in np.split(data, range(edge, 500_000, edge))]
    assert found["y"]["high"][123_456 // edge] == 1e3
    assert found["y"]["low"][400_000 // edge] == -1e3
    part = spectrum(shown, count=100, start=123_000, stop=124_000)
    assert max(part["y"]["high"]) == 1e3


def test_columns_are_lines_where_the_first_one_grows() -> None:
    wave = np.linspace(1, 2, 20_000)
    flux = np.random.default_rng(3).normal(size=20_000)
    flux[77] = 99
    table = sp.Table({"wave": wave * u.um, "flux": flux * u.Jy, "name": ["x"] * 20_000})
    found = plot(table, "WAVE", "flux", 500)
    assert (found["mode"], found["total"]) == ("line", 20_000)
    assert (found["x"]["unit"], found["y"]["unit"]) == ("um", "Jy")
    assert max(found["y"]["high"]) == 99
    assert min(found["y"]["low"]) == flux.min()
    assert len(found["x"]["values"]) == 500
    few = plot(table[:50], "", "flux", 500)
    assert few["x"] == {"name": "row", "unit": "", "values": list(range(50))}
    assert few["y"]["values"] == flux[:50].tolist()
    with pytest.raises(UsageError, match="no numbers"):
        plot(table, "wave", "name", 10)
    with pytest.raises(MissingName):
        plot(table, "wave", "flx", 10)


@given(st.integers(0, 100))
def test_points_are_thinned_with_the_outermost_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=5000), rng.standard_cauchy(5000)
    x[rng.random(5000) < 0.01] = np.nan
    found = plot(sp.Table({"x": x, "y": y}), "x", "y", 300)
    assert found["mode"] == "points"
    rows = found["y"]["rows"]
    assert len(rows) <= 300
    known = np.isfinite(x)
    shown = np.array(found["y"]["values"])
    np.testing.assert_array_equal(shown, y[rows])
    assert {shown.min(), shown.max()} == {y[known].min(), y[known].max()}


def test_two_columns_read_no_third(tmp_path: Path) -> None:
    columns = {f"c{n}": np.random.default_rng(n).normal(size=70_000) for n in range(20)}
    pool, ref = saved(tmp_path, t=sp.Table(columns))
    with pool:
        table = ref.product["t"]
        spy = Spy(table)
        spy.reset()
        plot(table, "c3", "c5", 1000)
        assert len(spy.chunks) == 2 * 3
        spy.reset()
        found = histogram(table, "c7", 20)
        assert len(spy.chunks) == 3
    counts, edges = np.histogram(columns["c7"], 20)
    assert (found["counts"], found["edges"]) == (counts.tolist(), edges.tolist())


def test_histograms_of_odd_columns() -> None:
    table = sp.Table({
        "same": np.full(5, 3.0), "none": np.full(5, np.nan), "wide": [-1.7e308] * 4 + [1.7e308]
    })  # fmt: skip
    assert sum(histogram(table, "same", 4)["counts"]) == 5
    assert histogram(table, "none", 4) == {"edges": [], "counts": [], "missing": 5, "unit": ""}
    assert histogram(table, "wide", 2)["counts"] == [4, 1]


def test_arrays_in_memory_are_shown_too() -> None:
    found = spectrum(Shown(sp.Array(np.arange(3))))
    assert found["y"]["values"] == [0, 1, 2]
