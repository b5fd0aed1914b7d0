"""The parts of the browser that draw nothing: text, questions, forms, completion, plots, deeds."""

from __future__ import annotations

import ast
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import skypool as sp
from skypool.cli.app import app as program
from skypool.errors import EditConflict, UsageError
from skypool.query.grammar import parse
from skypool.tui import deeds, sheets, traces
from skypool.tui.columns import DEFAULTS, HitRows, defaults_for, used
from skypool.tui.completion import Known, complete, problem
from skypool.tui.memory import Memory
from skypool.tui.plots import plot
from skypool.tui.presets import PRESETS, Field, clause, query_of
from skypool.tui.question import Question, condition, literal
from skypool.tui.selection import Selection
from skypool.tui.text import cell, clean, fitted, percent, size_text

# -- text


@given(st.text(max_size=40), st.integers(0, 30), st.booleans(), st.booleans())
def test_fitted_texts_take_exactly_their_cells(text, width, right, middle):
    assert cell_len(fitted(clean(text), width, right, middle)) == width


@given(st.text(max_size=60))
def test_nothing_in_a_text_writes_over_the_screen(text):
    cleaned = clean(text)
    assert "\x1b" not in cleaned and "\n" not in cleaned and "\u202e" not in cleaned
    cleaned.encode("utf-8")


def test_texts_of_values():
    assert [cell(v) for v in (None, 0, 0.0, False, "", 0.1, float("nan"))] == [
        "", "0", "0.0", "false", "", "0.1", "nan",
    ]  # fmt: skip
    assert cell(1 / 3) == "0.333333333"
    assert cell(datetime(2009, 5, 14, 13, 12, tzinfo=UTC)) == "2009-05-14 13:12:00"
    assert cell("a\x1b[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}c"
    assert [size_text(n) for n in (0, 999, 126_000_000)] == ["0 B", "999 B", "126 MB"]
    assert [percent(s) for s in (0, 0.0001, 0.5, 0.9999, 1)] == [
        "0 %", "1 %", "50 %", "99 %", "100 %",
    ]  # fmt: skip
    assert fitted("obs/1342180000/level2/PSW.fits", 16, middle=True) == "obs/134218….fits"


# -- questions


def test_filters_and_text_are_joined():
    question = Question("od == 1 or od == 2").toggled("instrument", "PACS")
    question = question.toggled("instrument", "SPIRE").toggled("tags", "x").toggled("a b", None)
    assert question.query == (
        "(od == 1 or od == 2) and instrument in ['PACS', 'SPIRE'] and tagged('x')"
        " and missing('a b')"
    )
    parse(question.query)
    assert question.toggled("instrument", "PACS").filters["instrument"] == ("SPIRE",)
    assert "instrument" not in question.without("instrument").query
    assert Question("a == 1 or b == 2").narrowed("c == 3").text == "(a == 1 or b == 2) and c == 3"
    assert Question().narrowed("c == 3").text == "c == 3"


@given(
    st.one_of(
        st.integers(), st.floats(), st.booleans(), st.text(st.characters(codec="utf-8")),
        st.datetimes(timezones=st.just(UTC)),
    ),
    st.sampled_from(["key", "odd key", "DATE-OBS", "in"]),
)  # fmt: skip
def test_any_value_makes_a_condition(value, key):
    parse(condition(key, (value, None)))
    parse(condition(key, (value, "other")))
    parse(f"x == {literal(value)}")


def test_the_code_for_copying_finds_the_same(looked):
    question = Question(
        "instrument == 'SPIRE' and object != 'it''s'".replace("''", ""),
        order=(("obsid", True), ("name", False)),
        all_versions=True,
        at="4",
    ).toggled("type", "PXMP")
    wanted = [ref.urn for ref in question.ask([looked])]
    assert len(wanted) == 6
    code = question.python([str(looked.path)])
    assert ast.parse(code)
    names: dict = {}
    exec(code, names)
    assert [ref.urn for ref in names["hits"]] == wanted
    words = shlex.split(question.command([str(looked.path)]))
    result = CliRunner().invoke(program, [*words[1:], "--json"])
    assert [json.loads(line)["urn"] for line in result.stdout.splitlines()] == wanted


def test_the_code_of_several_pools(looked, pool):
    question = Question("kind == 'Spectrum1d'")
    names: dict = {}
    exec(question.python([str(looked.path), str(pool.path)]), names)
    assert len(names["hits"]) == len(question.ask([looked, pool])) == 2
    words = shlex.split(question.command([str(looked.path), str(pool.path)]))
    result = CliRunner().invoke(program, [*words[1:], "-q"])
    assert len(result.stdout.splitlines()) == 2


# -- ways in


@pytest.mark.parametrize(
    ("field", "text", "wanted"),
    [
        (Field("obsid", ""), "1342182452", "obsid == 1342182452"),
        (Field("obsid", ""), "0x50000E34", "obsid == 1342180916"),
        (Field("odNumber", ""), ">= 98", "odNumber >= 98"),
        (Field("object", ""), "M 83", "object == 'M 83'"),
        (Field("object", ""), "like M*83", "object like 'M*83'"),
        (Field("object", ""), "~ M", "object contains 'M'"),
        (Field("object", ""), "!= 'M 83'", "object != 'M 83'"),
        (Field("startDate", "", ">="), "2009-10-01", "startDate >= '2009-10-01'"),
        (Field("DATE-OBS", ""), "x", "meta['DATE-OBS'] == 'x'"),
        (Field("", ""), "wavelength < 100", "wavelength < 100"),
        (Field("", ""), "band = PSW", "band == 'PSW'"),
        (Field("", ""), "a == 1 or b == 2", "(a == 1 or b == 2)"),
        (Field("", ""), "has(obsid)", "has(obsid)"),
        (Field("object", ""), "contains", "object == 'contains'"),
    ],
)
def test_fields_make_conditions(field, text, wanted):
    assert clause(field, text) == wanted
    parse(wanted)


def test_the_four_ways_in_ask_what_hipe_asked(looked):
    assert [preset.title for preset in PRESETS] == ["Observations", "Products", "Metadata", "Free"]
    observations, products, metadata, free = PRESETS
    fields = {preset.title: {f.key for f in preset.fields} for preset in PRESETS}
    assert {"obsid", "odNumber", "instrument"} <= fields["Observations"]
    assert {"object", "proposal", "instrument", "odNumber", "obsid"} <= fields["Products"]
    assert {"creator", "instrument", "type", "modelName", "creationDate", "startDate"} <= fields[
        "Metadata"
    ]
    found = query_of(observations, {"obsid": "1342180000"})
    assert [ref.name for ref in looked.find(found)] == ["obs"]
    found = query_of(products, {"instrument": "SPIRE", "kind": "SimpleImage", "object": "M 81"})
    assert [ref.name for ref in looked.find(found)] == ["obs/map1"]
    found = query_of(metadata, {"observed from": "2009-09-11", "observed to": "2009-09-12"})
    assert [ref.name for ref in looked.find(found)] == ["obs/map10", "obs/map11"]
    found = query_of(free, {"condition 1": "obsid > 1342180009", "condition 3": "object ~ 1"})
    assert [ref.name for ref in looked.find(found)] == ["obs/map11"]
    assert query_of(free, {}) == "" and query_of(observations, {}) == observations.always


# -- completion

KNOWN = Known(
    {"instrument": "core", "wavelength": "core", "object": "core"},
    {"using cal v1": 3, "checked": 1},
    lambda key: {"instrument": [("SPIRE", 3), ("PACS", 2)], "od": [(98, 1)]}.get(key, []),
)


def ways(text: str, caret: int | None = None) -> list[str]:
    return [
        item.text for item in complete(text, len(text) if caret is None else caret, KNOWN).items
    ]


def test_keys_and_functions_are_completed():
    assert ways("instr")[0] == "instrument"
    assert ways("od == 1 and wave")[0] == "wavelength"
    assert "covers(" in ways("cov") and "has_dataset(" in ways("has")
    assert {"instrument", "name", "tagged("} <= set(ways(""))
    assert "object" in ways("not ")


def test_values_and_tags_are_completed():
    assert ways("instrument == ") == ["'SPIRE'", "'PACS'"]
    assert ways("instrument == 'P") == ["'PACS'", "'SPIRE'"]
    assert ways("instrument == 'PA") == ["'PACS'"]
    assert ways("instrument in ['SPIRE', ") == ["'SPIRE'", "'PACS'"]
    assert ways("meta['instrument'] != 'SP") == ["'SPIRE'"]
    assert ways("od == ") == ["98"]
    assert ways("tagged('us") == ["'using cal v1'"]
    assert ways("object == 'M") == []


def test_operators_and_words_are_completed():
    assert ways("instrument ")[:2] == ["==", "!="]
    assert ways("instrument == 'PACS' ") == ["and", "or"]
    assert ways("has(object) a") == ["and"]


def test_the_place_that_is_replaced():
    found = complete("instr == 'PACS'", 3, KNOWN)
    assert (found.start, found.end) == (0, 5)
    found = complete("instrument == 'PA", 17, KNOWN)
    assert (found.start, found.end) == (14, 17)


@given(st.text(max_size=30), st.integers(0, 30))
def test_completion_takes_any_text(text, caret):
    found = complete(text, min(caret, len(text)), KNOWN)
    assert 0 <= found.start <= found.end <= len(text)


def test_problems_have_columns():
    assert problem("") is None and problem("od == 1") is None
    assert problem("od = 1").column == 4
    assert problem("od == 'x").column == 7


# -- columns


def test_columns_by_the_kinds_of_a_result():
    assert defaults_for({"ObservationContext": 5})[:3] == ("name", "obsid", "odNumber")
    assert defaults_for({"SpectralSimpleCube": 5}) == DEFAULTS["SimpleCube"]
    assert defaults_for({"SimpleImage": 5, "TableProduct": 4})[1] == "kind"
    hipe = {"obsid", "odNumber", "start", "aot", "instrument", "obs_mode", "object", "proposal"}
    assert hipe | {"aorLabel", "version", "tags", "total_size"} <= set(
        DEFAULTS["ObservationContext"]
    )


def test_rows_have_units_and_leave_out_what_is_empty(looked):
    hits = looked.find("kind == 'SimpleImage'")
    rows = HitRows(hits, ("name", "wavelength", "proposal", "size", "tags", "nrows"))
    assert [head.title for head in rows.heads][1] == "wavelength [um]"
    assert [head.right for head in rows.heads] == [False, True, False, True, False, False]
    assert used(rows, [head.key for head in rows.heads]) == ("name", "wavelength", "size", "tags")
    assert rows.cells(5, 6) == [("obs/map3", "250.0", "", "9.60 kB", "checked, using cal v1", "")]


def test_memory_outlives_the_browser(tmp_path: Path):
    memory = Memory(tmp_path / "settings")
    memory.put("columns", {"SimpleImage": ["name"]})
    assert Memory(tmp_path / "settings").get("columns", {}) == {"SimpleImage": ["name"]}
    assert Memory(tmp_path / "settings").get("columns", "") == ""
    (tmp_path / "settings" / "tui.json").write_text("{broken")
    assert Memory(tmp_path / "settings").get("columns", {}) == {}
    Memory(None).put("a", 1)
    blocked = tmp_path / "file"
    blocked.write_text("")
    memory = Memory(blocked)
    memory.put("a", 1)
    assert memory.get("a", 0) == 1


# -- selection


def test_selections_hold_all_but_some(looked):
    hits = looked.find("kind == 'SimpleImage'")
    selection = Selection()
    selection.extend(range(2, 5))
    selection.toggle(3)
    assert selection.count(12) == 2 and 3 not in selection
    assert [ref.name for ref in selection.refs(hits)] == [hits[2].name, hits[4].name]
    selection.all()
    selection.toggle(0)
    assert selection.count(12) == 11 and 0 not in selection and 11 in selection
    assert selection.hits(hits) == hits[1:]
    selection.extend([0])
    assert selection.hits(hits) is hits


# -- plots


def test_a_plot_shows_a_rising_line():
    values = np.arange(80.0)
    lines = plot(values, values, (12, 50), x_range=(1, 2), x_label="wave", y_label="flux")
    assert lines[0] == "flux" and lines[-1].split() == ["1", "wave", "2"]
    drawn = [line[10:] for line in lines[1:-2]]
    first = [next(n for n, c in enumerate(line) if c != "⠀") for line in drawn]
    assert first == sorted(first, reverse=True) and first[0] > first[-1]
    assert max(map(len, lines)) <= 50


def test_plots_of_little():
    assert plot([np.nan], [np.nan], (10, 40)) == ["no values"]
    assert len(plot([5.0], [5.0], (10, 40))) == 10
    for low, high in (([1.0, np.nan, 3.0], [1.0, np.nan, 4.0]), ([-1.7e308], [1.7e308])):
        assert len(plot(low, high, (10, 40))) == 10


@given(st.integers(1, 300), st.integers(1, 50), st.integers(0, 100))
def test_traces_are_the_extremes_of_bins(length, bins, seed):
    values = np.random.default_rng(seed).normal(size=length)
    values[:: 1 + seed % 7] = np.nan
    low, high, share = traces.along(lambda a, b: values[a:b], length, bins)
    assert share == 1 and len(low) == min(bins, length)
    assert np.nanmin(low, initial=9) == np.nanmin(values, initial=9)
    assert np.nanmax(high, initial=-9) == np.nanmax(values, initial=-9)
    places = np.arange(length) * len(low) // length
    for bin_ in range(len(low)):
        own = values[places == bin_]
        own = own[np.isfinite(own)]
        assert np.isnan(low[bin_]) if not own.size else low[bin_] == own.min()


def test_long_columns_are_read_in_part():
    read = []

    def reader(start, stop):
        read.append(stop - start)
        return np.arange(start, stop, dtype=float)

    low, high, share = traces.along(reader, 100_000_000, 200)
    assert sum(read) <= 64 * 32_768 and 0 < share < 0.03
    assert low[0] == 0 and np.nanmax(high) > 9.8e7


def test_what_a_spectrum_is_plotted_along(looked):
    table = looked["lines"].product["lines"]
    trace = traces.of_column(table, "flux", 100)
    assert (trace.x_label, trace.x_range) == ("wave", (1, 2))
    assert traces.plottable(table) == ["wave", "flux"]
    wcs = "".join(
        f"{k:<8}= {v!s:>20}".ljust(80)
        for k, v in {
            "CTYPE1": "'WAVE'", "CUNIT1": "'m'", "CRVAL1": 1e-6, "CRPIX1": 1.0, "CDELT1": 1e-9
        }.items()
    )  # fmt: skip
    trace = traces.of_array(sp.Array(np.arange(11.0), wcs=wcs), 100)
    assert trace.x_range == pytest.approx((1e-6, 1.01e-6)) and "[m]" in trace.x_label


# -- sheets


def test_the_dataset_that_shows_a_product_best(looked):
    assert sheets.first_dataset(looked["obs/map1"].product) == "image"
    assert sheets.first_dataset(looked["lines"].product) == "lines"
    assert sheets.first_dataset(looked["obs"].product) == ""


def test_metadata_can_be_asked_for(looked):
    rows = sheets.metadata(looked["obs/map3"])
    assert {row.dataset for row in rows} >= {"", "image"}
    for row in rows:
        found = looked.find(row.query)
        assert "obs/map3" in [ref.name for ref in found], row.query


def test_headers_of_hdus(tmp_path, pool):
    from astropy.io import fits

    first, second = fits.PrimaryHDU(), fits.ImageHDU(np.zeros((3, 4)), name="SCI")
    second.header["OBJECT"] = ("M 83", "target")
    fits.HDUList([first, second]).writeto(tmp_path / "a.fits")
    found = sheets.headers(pool.add(tmp_path / "a.fits"))
    assert [title for title, _ in found] == ["0 Primary", "1 SCI"]
    assert ("OBJECT", "M 83", "target") in found[1][1]
    assert sheets.headers(pool["cube"]) == []


def test_differences_alone(looked):
    versions = sheets.versions(looked["obs/map3"])
    assert [row[0] for _, row in versions] == ["1", "0"]
    lines = sheets.difference(versions[1][0], versions[0][0])
    assert lines == ["@0 → obs/map3@1", "~ object: M 83 → M 83 north"]
    assert sheets.difference(versions[0][0], versions[0][0])[1:] == ["no difference"]


def test_about(looked):
    found = dict(sheets.about(looked["obs/map3"]))
    assert any("urn:" in line for line in found["Product"])
    assert any(str(looked.path) in line for line in found["Stored"])
    assert found["Referenced by (0)"] == ["nothing"]  # the observation refers to the first version
    assert any("better name" in line for line in found["History"])


# -- deeds


def of(pool):
    return lambda ref: pool


def test_tags_and_back(pool):
    refs = list(pool.find("kind == 'SimpleImage'"))
    deed = deeds.tag(refs, "good, -checked", of(pool))
    assert len(pool.tagged("good")) == 12 and not pool.tagged("checked")
    assert deed.code == "for ref in hits: pool.tag(ref, 'good'); pool.untag(ref, 'checked')"
    deed.undo()
    assert not pool.tagged("good") and [ref.name for ref in pool.tagged("checked")] == ["obs/map3"]
    assert deeds.tag(refs[5:6], "checked", of(pool)).undo is None
    with pytest.raises(UsageError, match="no tags"):
        deeds.tag(refs, " , ", of(pool))


def test_one_commit_for_many(pool):
    before = pool.view.at
    deeds.tag(list(pool.find("kind == 'SimpleImage'")), "good", of(pool))
    assert pool.view.at == before + 1


def test_rename_and_back(pool):
    deed = deeds.rename(pool["obs"], "m83 ", pool)
    assert "m83/map1" in pool and "obs" not in pool
    deed.undo()
    assert "obs/map1" in pool


def test_remove_and_back(pool):
    deed = deeds.remove(list(pool.find("name startswith 'obs'", all_names=True)), of(pool))
    assert "obs" not in pool and "obs/map1" not in pool and "cube" in pool
    deed.undo()
    assert "obs/map1" in pool and len(pool.find("kind == 'SimpleImage'")) == 12


def test_undo_refuses_what_others_changed(pool):
    deed = deeds.rename(pool["cube"], "block", pool)
    pool.rename(pool["block"], "brick")
    with pytest.raises(EditConflict):
        deed.undo()
    assert "brick" in pool


def test_export(pool, tmp_path):
    refs = pool.find("name in ['obs/map1', 'cube']")
    steps = []
    deed = deeds.export(
        refs, 2, str(tmp_path / "out"), of(pool), lambda *step: steps.append(step) is None
    )
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.fits"))
    assert found == ["cube.fits", "obs/map1.fits"] and steps == [(0, 2), (1, 2)]
    assert deed.text.startswith("exported 2 products")
    stopped = deeds.export(refs, 2, str(tmp_path / "two"), of(pool), lambda done, total: done < 1)
    assert "stopped before the other 1" in stopped.text
    with pytest.raises(UsageError, match="no folder"):
        deeds.export(refs, 2, " ", of(pool), lambda *step: True)
