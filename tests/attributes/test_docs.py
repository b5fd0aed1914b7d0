"""The page on core attributes runs, and is complete."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from skypool.model.attributes.engine import load
from skypool.model.attributes.names import CORE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attributes.md"


def test_examples(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    text = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S))
    case = doctest.DocTestParser().get_doctest(text, {}, "attributes.md", str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    result = runner.run(case)
    assert result.attempted > 7
    assert not result.failed, capsys.readouterr().out


def test_the_rule_file_of_the_page_is_right(tmp_path):
    text = re.search(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    (tmp_path / "myscope.toml").write_text(text[1], "utf-8")
    engine = load(tmp_path)
    meta = [["TELESCOP", "MyScope 1"], ["T1", 1], ["T2", 2], ["FILTNO", 2], ["FILE", "a_l3"]]
    found = engine.attributes({"kind": "Product", "meta": meta, "datasets": []})
    assert (found["exposure"], found["band"], found["wavelength"]) == (3.0, "V", 5.5e-7)
    assert found["calib_level"] == 3


@pytest.mark.parametrize("attribute", CORE, ids=lambda attribute: attribute.name)
def test_each_attribute_stands_in_the_table(attribute):
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    (row,) = [row for row in rows if f"`{attribute.name}`" in row.split("|")[1]]
    assert attribute.unit in row.split("|")[3]
    assert attribute.obscore in row.split("|")[4]
