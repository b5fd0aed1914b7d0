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
Reload available product classes|Please select at least one pool for your query|aorLabel
External Tools|Export Herschel data from HIPE|ProductRefs|Remove pool (from the storage)
browse image|covering (ra, dec)|Receives images, tables and spectra
"""
WANTED = [name for line in HIPE.strip().splitlines() for name in line.split("|")]


# What has no place, and is told why.
NONE = """
Remove pool and data|Clear cache|First pool is the only writable one|by drag & drop|MyHSA|On-line
Herschel Science Archive (view)|Local Store|Please select the product class for your Query
Column Site|[Error: …]|del(QUERY_RESULT)|Dragging from the tree|Full query
Edits of tables and metadata
"""
UNPLACED = [name for line in NONE.strip().splitlines() for name in line.split("|")]


def tables() -> list[list[list[str]]]:
    """Return the cells of the table of places, and of that of what has none."""
    text = page("browser.md").read_text("utf-8")
    section = text.split(TITLE, 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [[row for row in cells[1:] if len(row) == many and row[0] != "HIPE"] for many in (3, 2)]


def table() -> list[tuple[str, str, str]]:
    return [(hipe, here, test.strip("`")) for hipe, here, test in tables()[0]]


@pytest.mark.parametrize("name", WANTED)
def test_hipes_entry_has_its_place(name: str) -> None:
    assert any(name in hipe for hipe, _, _ in table())


@pytest.mark.parametrize("name", UNPLACED)
def test_what_has_no_place_is_told_why(name: str) -> None:
    assert any(name in hipe and len(why) > 30 for hipe, why in tables()[1])


def test_each_place_is_shown_by_a_test() -> None:
    for hipe, here, test in table():
        file, _, function = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert here, hipe
        assert re.search(rf"^def {function}\(", text, re.MULTILINE), f"{hipe}: {test}"
