"""Values that the command line binds to the `$names` of a query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import skypool as sp


@pytest.fixture
def pool(tmp_path: Path) -> str:
    with sp.Pool(tmp_path / "pool").commit("made") as commit:
        for number in range(5):
            meta = {"run": f"{number:03d}", "n": number, "ra": 10.0 * number, "dec": 0.0}
            commit.save(sp.Product(meta={**meta, "good": number % 2 == 0}), name=f"p{number}")
    return str(tmp_path / "pool")


def test_values_are_numbers_truths_texts_and_lists(sky, pool) -> None:
    def names(query: str, *options: str) -> list[str]:
        return sky("-p", pool, "find", "-q", query, *options).out.split()

    assert names("n == $n", "--set", "n=3") == ["p3"]
    assert names("n > $n", "--set", "$n=2.5") == ["p3", "p4"]
    assert names("good == $good and n < 3", "--set", "good=true") == ["p0", "p2"]
    assert names("n in $n", "--set", "n=1", "--set", "n=4", "--set", "other=x") == ["p1", "p4"]
    assert names("run startswith $a", "--set", "a='00'") == names("n >= 0")
    assert names("run == $a and n == $b", "--set", "a='002'", "--set", "b=2") == ["p2"]
    assert names("run == $a", "--set", "a=it's = 'odd'") == []


def test_tables_are_positions_or_values(sky, pool, tmp_path) -> None:
    Table({"RA": [10.0, np.nan, 30.1], "Dec": [0.0, 0.0, 0.0]}).write(tmp_path / "places.ecsv")
    Table({"number": [0, 4]}).write(tmp_path / "numbers.csv")
    (tmp_path / "odd.txt").write_text("run\n001\n003\n")
    words = ["-p", pool, "find", "-q"]
    places, numbers = f"x={tmp_path / 'places.ecsv'}", f"n={tmp_path / 'numbers.csv'}"
    found = sky(*words, "within($x, '0.2 deg')", "--table", places)
    assert found.out.split() == ["p1", "p3"]
    found = sky(*words, "n in $n", "--table", numbers)
    assert found.out.split() == ["p0", "p4"]
    found = sky(*words, "run in $r", "--table", f"r={tmp_path / 'odd.txt'}")
    assert found.out.split() == ["p1", "p3"]
    near = ["--near", tmp_path / "places.ecsv"]
    assert sky(*words, *near, "--radius", "0.2").out.split() == ["p1", "p3"]
    assert sky(*words, "n > 1", *near, "--radius", "12 arcmin").out.split() == ["p3"]
    assert sky(*words, *near).out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["n == $n", "--set", "n"],
        ["n == $n", "--set", "1n=2"],
        ["n == $n"],
        ["n == $n", "--set", "n=1", "--table", "n=PLACES"],
        ["covers($n)", "--table", "n=missing.fits"],
        ["covers($n)", "--table", "n=FLUXES"],
        ["--near", "FLUXES"],
        ["--radius", "1"],
        ["--near", "PLACES", "--radius", "wide"],
        ["--near", "PLACES", "--save", "mine"],
    ],
)
def test_what_cannot_be_bound_says_so(sky, pool, tmp_path, words) -> None:
    Table({"ra": [10.0], "dec": [0.0]}).write(tmp_path / "places.ecsv")
    Table({"flux": [10.0], "mag": [0.0]}).write(tmp_path / "fluxes.ecsv")
    words = [
        word.replace("PLACES", str(tmp_path / "places.ecsv"))
        .replace("FLUXES", str(tmp_path / "fluxes.ecsv"))
        .replace("missing", str(tmp_path / "missing"))
        for word in words
    ]
    wrong = sky("-p", pool, "find", *words, code=2)
    assert wrong.out == ""
    assert wrong.err.startswith("skypool: ")


def test_a_saved_search_keeps_what_was_bound(sky, pool) -> None:
    sky("-p", pool, "find", "n > $n", "--set", "n=2", "--save", "large")
    assert sky("-p", pool, "find", "-q", "--saved", "large").out.split() == ["p3", "p4"]
