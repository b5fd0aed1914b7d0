"""Text for people and JSON for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.cli.text import (
    Table,
    count_text,
    plain,
    shorten,
    shown,
    size_text,
    time_text,
    to_json,
    value_text,
    width_of,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1.00 kB"), (12_345, "12.3 kB"),
        (123_456, "123 kB"), (999_499, "999 kB"), (999_500, "1.00 MB"),
        (126_000_000, "126 MB"), (5 * 10**12, "5.00 TB"), (7 * 10**19, "70000 PB"),
    ],
)  # fmt: skip
def test_sizes_have_three_digits(count: int, text: str) -> None:
    assert size_text(count) == text


def test_counts_and_times_and_values() -> None:
    assert count_text(1, "file") == "1 file"
    assert count_text(1200, "file") == "1,200 files"
    assert count_text(2, "entry", "entries") == "2 entries"
    noon = datetime(2026, 11, 22, 12, 0, 0, 5, UTC)
    assert time_text(noon) == "2026-11-22 12:00:00"
    assert value_text(noon) == "2026-11-22T12:00:00.000005Z"
    assert value_text(True) == "true"
    assert value_text(70.0) == "70.0"
    assert value_text("a\nb") == "a\\nb"


def test_names_cannot_write_to_the_terminal() -> None:
    assert shown("a\x1b[31mb\nc\td\u202ee") == "a\\x1b[31mb\\nc\\td\\u202ee"
    assert shown("caf\udce9") == "caf\\xe9"
    assert plain("caf\udce9\n") == "caf\udce9\\n"
    assert shown("café 長い 'x y'") == "café 長い 'x y'"


@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_a_shortened_text_is_as_wide_as_it_may_be(text: str, width: int, middle: bool) -> None:
    text = shown(text)
    short = shorten(text, width, middle=middle)
    assert width_of(short) <= width
    assert short == text or "…" in short


def test_shortening_keeps_the_end_of_names() -> None:
    assert shorten("1342182452/level2/PSW.fits", 12, middle=True) == "1342…SW.fits"
    assert shorten("abcdefgh", 4) == "abc…"


@given(
    st.lists(st.tuples(st.text(max_size=80), st.integers(0, 10**6), st.text(max_size=40))),
    st.integers(20, 120),
)
def test_a_table_fits_its_terminal(rows: list[tuple[str, int, str]], width: int) -> None:
    table = Table(["NAME", ">N", "TAGS"], middle=True, terminal=True, width=width)
    cells = [[name, str(number), tags] for name, number, tags in rows]
    lines = list(table.lines(cells))
    assert len(lines) == (len(rows) + 1 if rows else 0)
    assert all(width_of(line) <= width and "\n" not in line for line in lines)
    for (_, number, _), line in zip(rows, lines[1:], strict=True):
        assert str(number) in line  # numbers stay whole


def test_without_a_terminal_nothing_is_cut() -> None:
    rows = [["a" * 300, "1"], ["tab\there", "2"]]
    table = Table(["NAME", ">N"], terminal=False, tabs=True)
    assert list(table.lines(rows)) == ["a" * 300 + "\t1", "tab\\there\t2"]
    lines = list(Table(["NAME", ">N"], terminal=False).lines(rows))
    assert lines[0] == "NAME" + " " * 297 + " N"
    assert lines[1] == "a" * 300 + "  1"


def test_a_long_table_keeps_the_widths_of_its_start() -> None:
    rows = ([f"name{number}", str(number)] for number in range(2000))
    lines = list(Table(["NAME", ">N"], terminal=True, width=40).lines(rows))
    assert len(lines) == 2001
    assert max(len(line) for line in lines) <= 40


def test_json_is_ascii_and_strict() -> None:
    text = to_json(
        {
            "nan": float("nan"),
            "list": [float("inf"), 1.5, np.float32(2)],
            "bytes": "caf\udce9",
            "text": "é",
            "time": datetime(2026, 11, 22, tzinfo=UTC),
            "big": 2**63,
        }
    )
    assert text.isascii()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert found["nan"] == "nan"
    assert found["list"] == ["inf", 1.5, 2.0]
    assert found["bytes"] == "caf\udce9"
    assert found["time"] == "2026-11-22T00:00:00Z"
    assert found["big"] == 2**63


def test_names_stay_readable_in_narrow_terminals() -> None:
    rows = [["1342182452/level2/PSW.fits", "0", "SimpleImage", "HSPSMAP", "23.0 kB", "using cal"]]
    heads = ["NAME", ">VER", "KIND", "TYPE", ">SIZE", "TAGS"]
    for width in range(36, 120):
        table = Table(heads, middle=True, terminal=True, width=width)
        head, line = table.lines(rows)
        assert width_of(line) <= width and width_of(head) <= width
        assert width_of(line.split("  ")[0]) >= 16 and "23.0 kB" in line
    assert line.split() == [rows[0][0], "0", "SimpleImage", "HSPSMAP", "23.0", "kB", "using", "cal"]
