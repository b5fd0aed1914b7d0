"""HIPE's fields, columns, entries and actions: each has its place, and a test that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.pages import page

ROOT = Path(__file__).resolve().parents[2]
TITLE = "## Where HIPE's entries are"
# What HIPE's Product Browser, its menu, Product Tree, dialogs and viewer of observations have.
HIPE = """
Data Source|Create new pool|Observations (tab)|Products (tab)|Free Metadata (tab)|Reset fields
obsid|odNumber|instrument|object|proposal|creator|modelName|creationDate|startDate|Product type
Show all versions|Run|# of Results|Running query|No results found|aot|obsMode|tag|version|total size
hash|track|URN|pool|class|Add column before/after|Remove column|Select Layout|Save Layout As
Reset layout|Cells load lazily|Double click|Open (Enter)|Open With|Send to Aladin
Send to SAOImage DS9|Send to topcat|Send to VOSpec|Send to Local pool|Send to FITS file
Send to Text file|Show contents|Show methods|Rename|Delete (Delete)|Create variable|Export FITS...
Remove product from storage/pool|Also remove child products|Copy path|echoed in the console
Product Tree|Datasets|Versions (current version is n), More...|Meta panel|totalsize
Save Products to Pool, with tags, in the background|Use tags|Select Pool|Pools panel
Observation viewer: summary|context tree|Contexts normally contain no data and should not be sent
"""
WANTED = [name for line in HIPE.strip().splitlines() for name in line.split("|")]


def table() -> list[tuple[str, str, str]]:
    text = page("browser.md").read_text("utf-8")
    section = text.split(TITLE, 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return [(hipe, here, test.strip("`")) for hipe, here, test in cells]


@pytest.mark.parametrize("name", WANTED)
def test_hipes_entry_has_its_place(name: str) -> None:
    assert any(name in hipe for hipe, _, _ in table())


def test_each_place_is_shown_by_a_test() -> None:
    for hipe, here, test in table():
        file, _, function = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert here, hipe
        assert re.search(rf"^def {function}\(", text, re.MULTILINE), f"{hipe}: {test}"
