"""The page on core attributes is complete."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import page

from skypool.model.attributes.engine import load
from skypool.model.attributes.names import CORE

PAGE = page("attributes.md")


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
