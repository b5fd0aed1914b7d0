"""The details of a product, driven as a user would."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from astropy.table import Table
from playwright.sync_api import Page
from tests.web.conftest import Visitor
from tests.web.looking import code, count_is, expect, grid, rows
from tests.web.test_page import AXE, audit, shot, without_node

import skypool as sp

MAP = "maps/0001"
PSW = "1342182452/level2/PSW/hspirepsw1342182452_20pxmp_1469548187623.fits.gz"
TABS = ("Preview", "Metadata", "Header", "Contents", "Versions", "Provenance", "Storage")

Show = Callable[..., Page]


@pytest.fixture
def show(visitor: Visitor, shown: Any) -> Show:
    """Open the page at a product."""

    def opened(pool: str, name: str, tab: str = "", **options: Any) -> Page:
        ref = shown.application.context.pools[pool][name]
        where = f"#ref={quote(f'{pool}/{ref.number}', safe='')}" + (f"&tab={tab}" if tab else "")
        page = visitor.open(shown, where, **options)
        expect(details(page).get_by_role("heading", level=2).first).to_contain_text(ref.name)
        return page

    return opened


def details(page: Page) -> Any:
    return page.get_by_role("region", name="Details", exact=True)


def panel(page: Page) -> Any:
    return details(page).get_by_role("tabpanel")


def tab(page: Page, name: str) -> Any:
    details(page).get_by_role("tab", name=name, exact=True).click()
    return panel(page)


def summary(page: Page) -> str:
    return details(page).locator("dl[aria-label=Summary]").inner_text()


def test_summary_is_that_of_hipes_viewer(show: Show) -> None:
    page = show("observations", "1342182452")
    text = summary(page)
    for label in ("Obs. ID", "Obs. date", "Object", "AOT", "Obs. mode", "Operational day",
                  "RA nominal", "Dec nominal", "AOR label", "SPG version"):  # fmt: skip
        assert label in text
    assert "1342182452" in text
    assert "SPG v14" in text
    expect(
        details(page).get_by_label("Tags").get_by_role("button", name="using cal v2")
    ).to_be_visible()


def test_tabs_by_keys_and_address(show: Show) -> None:
    page = show("maps", MAP)
    tabs = details(page).get_by_role("tab")
    expect(tabs).to_have_text(list(TABS))
    tab(page, "Metadata")
    page.keyboard.press("ArrowRight")
    expect(details(page).get_by_role("tab", name="Header")).to_be_focused()
    page.keyboard.press("End")
    expect(details(page).get_by_role("tab", name="Storage")).to_have_attribute(
        "aria-selected", "true"
    )
    assert "tab=Storage" in page.url
    page.keyboard.press("Alt+2")
    expect(details(page).get_by_role("table", name="Metadata")).to_be_visible()


def test_a_tag_leads_to_all_that_have_it(show: Show) -> None:
    page = show("maps", "cubes/m83")
    details(page).get_by_role("button", name="published", exact=True).click()
    count_is(page, 3)


def test_metadata_search_filter_column_copy(show: Show, made_pools: dict[str, Path]) -> None:
    page = show("maps", MAP, "Metadata")
    inside = panel(page)
    table = inside.get_by_role("table", name="Metadata")
    with sp.Pool(made_pools["maps"], "r") as pool:
        meta = pool[MAP].meta
        same = len(pool.find(f"odNumber == {meta['odNumber'].value}"))
    expect(table.get_by_role("rowheader")).to_have_count(len(meta))
    inside.get_by_role("searchbox", name="Search the metadata").fill("wavelength um")
    expect(table.get_by_role("rowheader")).to_have_text(["wavelength"])
    inside.get_by_role("searchbox").fill("odNumber")
    table.get_by_role("button", name="Use odNumber as column").click()
    expect(grid(page).get_by_role("columnheader").filter(has_text="odNumber")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    table.get_by_role("button", name="Copy odNumber").click()
    expect(table).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == str(meta["odNumber"].value)
    table.get_by_role("button", name="Use odNumber as filter").click()
    count_is(page, same)


def test_metadata_of_a_dataset(show: Show, made_pools: dict[str, Path]) -> None:
    page = show("observations", PSW, "Metadata")
    with sp.Pool(made_pools["observations"], "r") as pool:
        meta = pool[PSW]["image"].meta
    panel(page).get_by_label("Metadata of").select_option("image")
    expect(panel(page).get_by_role("rowheader")).to_have_count(len(meta))


BROKEN = """table => {
    const broken = [], range = document.createRange();
    const walk = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const tops = [...range.getClientRects()].map(box => Math.round(box.top));
            if (new Set(tops).size > 1) broken.push(word[0]);
        }
    }
    return broken;
}"""


def test_no_word_is_broken(show: Show) -> None:
    page = show("observations", PSW, "Metadata")
    for tab in ("Metadata", "Header"):
        page.get_by_role("tab", name=tab).click()
        table = panel(page).get_by_role("table", name=re.compile(f"^{tab}")).first
        expect(table.get_by_role("rowheader").first).to_be_visible()
        assert table.evaluate(BROKEN) == []


def test_header_cards_as_they_are_stored(show: Show, made_pools: dict[str, Path]) -> None:
    page = show("observations", PSW, "Header")
    inside = panel(page)
    inside.get_by_role("searchbox", name="Search the header").fill("OBS_ID")
    first = inside.get_by_role("table", name="Header of HDU 0")
    expect(first).to_contain_text("1342182452")
    first.get_by_role("button", name="Use obsid as filter").first.click()
    with sp.Pool(made_pools["observations"], "r") as pool:
        count_is(page, len(pool.find("obsid == 1342182452")))
    inside.get_by_label("HDU", exact=True).select_option("1")
    inside.get_by_role("searchbox").fill("NAXIS")
    expect(inside.get_by_role("table")).to_have_count(1)
    inside.get_by_label("as stored").check()
    expect(inside.get_by_label("Cards of HDU 1")).to_contain_text("NAXIS   =")


def long_header(path: Path, cards: int) -> Path:
    """Write a FITS file whose header has so many parameters."""
    lines = ["SIMPLE  =                    T", "BITPIX  =                    8",
             "NAXIS   =                    0"]  # fmt: skip
    lines += [f"P{i:<7}= {i:>20} / parameter {i}" for i in range(cards)]
    text = "".join(line.ljust(80) for line in [*lines, "END"])
    path.write_bytes(text.ljust(-(-len(text) // 2880) * 2880).encode())
    return path


def test_thousands_of_cards_are_all_there(visitor: Visitor, tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "long") as pool:
        ref = pool.add(long_header(tmp_path / "long.fits", 4000))
    page = visitor.open(visitor.serve(tmp_path / "long"), f"#ref=long%2F{ref.number}&tab=Header")
    inside = panel(page)
    expect(inside.get_by_role("heading", level=3)).to_contain_text("4,003 cards")
    drawn = inside.locator("th[scope=row]")
    expect(drawn.first).to_have_text("SIMPLE")
    assert drawn.count() < 1000
    inside.evaluate("panel => {panel.scrollTop = panel.scrollHeight}")
    last = inside.get_by_role("row").filter(has_text="parameter 3999")
    inside.locator("table").evaluate("table => table.scrollIntoView({block: 'end'})")
    expect(last).to_be_in_viewport()
    expect(drawn.filter(has_text="SIMPLE")).to_have_count(0)
    search = inside.get_by_role("searchbox", name="Search the header")
    search.fill("parameter 27")
    found = sum("27" in str(number) for number in range(4000))
    expect(inside.get_by_role("status")).to_have_text(f"{found} cards found")
    expect(drawn.first).to_have_text("P27")
    search.fill("no such card")
    expect(inside.get_by_role("status")).to_have_text("No card has all these words.")
    tab(page, "Metadata")
    inside.get_by_role("searchbox", name="Search the metadata").fill("P3999")
    expect(inside.get_by_role("rowheader")).to_have_text(["P3999"])


def test_header_of_what_has_none(show: Show) -> None:
    page = show("maps", MAP, "Header")
    expect(panel(page)).to_contain_text("no FITS file")


def item(page: Page, name: str) -> Any:
    return panel(page).get_by_role("treeitem").filter(has_text=name).first


def test_tree_of_references(show: Show) -> None:
    page = show("observations", "1342182452")  # a context opens at its contents
    expect(item(page, "level2")).to_be_visible()
    for role in ("level0", "level0_5", "level1", "calibration", "auxiliary", "quality"):
        expect(item(page, role)).to_be_visible()
    item(page, "level2").locator(".toggle").click()
    expect(item(page, "PSW")).to_have_attribute("aria-level", "3")
    item(page, "PSW").locator(".toggle").click()
    expect(item(page, "Datasets")).to_be_visible()
    item(page, "Datasets").click()
    expect(item(page, "coverage")).to_contain_text("float")
    expect(item(page, "Versions (current version is 1)")).to_be_visible()
    shot(page, "details-contents")
    item(page, "PSW").dblclick()
    expect(details(page).get_by_role("heading", level=2).first).to_contain_text("psw")


def test_tree_by_keys_with_versions_and_referrers(show: Show) -> None:
    page = show("observations", PSW, "Contents")
    expect(item(page, "Referenced by")).to_be_visible()
    item(page, PSW).focus()
    page.keyboard.press("End")
    expect(item(page, "Referenced by")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(item(page, "1342182452/level2@1")).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(item(page, "Versions (current")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(item(page, "version 0")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(item(page, "version 0")).to_be_focused()
    page.keyboard.press("Enter")
    expect(details(page).get_by_role("heading", level=2).first).to_contain_text("@0")


def test_many_versions_are_behind_more(visitor: Visitor, tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "many") as pool:
        for number in range(9):
            ref = pool.save(sp.Product(meta={"n": number}), "product")
    served = visitor.serve(tmp_path / "many")
    page = visitor.open(served, f"#ref=many%2F{ref.number}&tab=Contents")
    item(page, "Versions (current version is 8)").click()
    expect(item(page, "version 4")).to_be_visible()
    expect(item(page, "version 3")).to_have_count(0)
    item(page, "More…").click()
    expect(item(page, "version 0")).to_be_visible()
    expect(item(page, "More…")).to_have_count(0)


def test_a_dataset_of_the_tree_is_looked_at(show: Show) -> None:
    page = show("observations", PSW, "Contents")
    item(page, "Datasets").click()
    item(page, "coverage").dblclick()
    expect(panel(page).get_by_role("combobox", name="Dataset")).to_have_value("coverage")


def test_versions_and_what_differs(show: Show) -> None:
    page = show("maps", MAP, "Versions")
    inside = panel(page)
    listed = inside.get_by_role("list", name="Versions").get_by_role("listitem")
    expect(listed).to_have_count(3)
    expect(listed.nth(0)).to_contain_text("published")
    expect(listed.nth(1)).to_contain_text("newer calibration")
    expect(listed.nth(2)).to_contain_text("added")
    inside.get_by_label("Compare from version 0").check()
    shot(page, "details-versions")
    inside.get_by_role("button", name="Diff", exact=True).click()
    table = inside.get_by_role("table", name="Differences of metadata")
    expect(table).to_contain_text("calVersion")
    expect(table).not_to_contain_text("aorLabel")
    inside.get_by_label("only differences").uncheck()
    expect(table).to_contain_text("aorLabel")
    inside.get_by_role("searchbox", name="Search the differences").fill("aorLabel")
    expect(table.get_by_role("rowheader")).to_have_count(1)
    datasets = inside.get_by_role("table", name="Differences of datasets")
    expect(datasets).to_contain_text(re.compile(r"\d+ pixels changed, by up to 3Compare"))
    expect(code(page)).to_contain_text(".diff(")
    inside.get_by_role("button", name="Compare image").click()
    expect(inside.get_by_role("button", name="Blink", exact=True).first).to_be_visible()
    shot(page, "details-compare")
    inside.get_by_role("button", name="Timeline").click()
    listed.nth(1).get_by_role("button", name="version 1").click()
    expect(details(page).get_by_role("heading", level=2).first).to_contain_text("@1")
    expect(details(page)).to_contain_text("there is a newer one")


def test_products_of_two_pools_are_compared(visitor: Visitor, tmp_path: Path) -> None:
    values = np.arange(600, dtype=np.float32).reshape(20, 30)
    rows = Table({"id": [1, 2], "flux": [1.0, 2.0]})
    made = sp.Product(
        meta={"object": "M 51", "obsid": 7}, datasets={"image": sp.Array(values), "rows": rows}
    )
    later = sp.Product(
        meta={"object": "M 51", "obsid": 7, "calVersion": 2},
        datasets={
            "image": sp.Array(np.where(values == 7, 9, values).astype(np.float32)),
            "rows": Table({"id": [1, 2], "flux": [1.0, 2.5]}),
        },
    )
    with sp.Pool(tmp_path / "here") as here, sp.Pool(tmp_path / "there") as there:
        mine = here.save(made, "maps/one")
        here.save(made.replace(meta={"band": "PSW"}), "maps/other")
        there.save(later, "maps/one")
    served = visitor.serve(tmp_path / "here", tmp_path / "there")
    page = visitor.open(served, f"#ref=here%2F{mine.number}&tab=Versions")
    panel(page).get_by_role("button", name="Compare with another product…").click()
    dialog = page.get_by_role("dialog", name="Compare maps/one with")
    found = dialog.get_by_role("list", name="Products").get_by_role("listitem")
    expect(found).to_have_count(2)  # the same name there, the same observation here
    shot(page, "details-compare-with")
    found.filter(has_text="there").get_by_role("button").click()
    expect(panel(page)).to_contain_text("there: maps/one@0 → here: maps/one@0")
    table = panel(page).get_by_role("table", name="Differences of metadata")
    expect(table).to_contain_text("calVersion")
    expect(code(page)).to_contain_text("diff('maps/one', skypool.Pool('here')['maps/one'])")
    panel(page).get_by_role("button", name="Rows rows").click()
    changed = panel(page).get_by_role("table", name="Changed rows")
    expect(changed.locator("td.changed")).to_have_text(["2.5", "2"])
    panel(page).get_by_role("button", name="Compare image").click()
    expect(panel(page)).to_contain_text("1 changed pixel, by at most 2")
    address = page.url
    page.keyboard.press("Escape")
    rows_of(page, "maps/one", "maps/other")
    grid(page).focus()
    page.keyboard.press("c")
    expect(panel(page)).to_contain_text("3 parameters, 2 datasets, 0 references differ")
    page.goto(address)  # a comparison is an address
    expect(panel(page)).to_contain_text("there: maps/one@0 → here: maps/one@0")
    panel(page).get_by_role("button", name="Timeline").click()
    expect(panel(page).get_by_role("list", name="Versions")).to_be_visible()


def rows_of(page: Page, *names: str) -> None:
    """Select the first row with each name."""
    for number, name in enumerate(names):
        row = rows(page).filter(has_text=name).last
        row.click(modifiers=["ControlOrMeta"] if number else [])


def test_rows_and_references_that_differ(visitor: Visitor, tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "rows") as pool:
        pool.save(
            sp.Product(datasets={"rows": Table({"id": [1, 2, 3], "flux": [1.0, 2.0, 3.0]})}), "t"
        )
        ref = pool.save(
            sp.Product(
                datasets={"rows": Table({"id": [1, 2, 3, 4], "flux": [1.0, 2.5, 3.0, 4.0]})}
            ),
            "t",
        )
    served = visitor.serve(tmp_path / "rows")
    page = visitor.open(served, f"#ref=rows%2F{ref.number}&tab=Versions")
    panel(page).get_by_role("button", name="Diff", exact=True).click()
    panel(page).get_by_role("button", name="Rows rows").click()
    table = panel(page).get_by_role("table", name="Changed rows")
    expect(table.locator("td.changed")).to_have_text(["2", "2.5"])
    expect(table).to_contain_text("not there")


def test_references_that_differ(show: Show) -> None:
    page = show("observations", "1342182452", "Versions")
    panel(page).get_by_role("button", name="Diff", exact=True).click()
    table = panel(page).get_by_role("table", name="Differences of references")
    expect(table).to_contain_text("level2")
    table.get_by_role("button", name="1342182452/level2@0").click()
    expect(details(page).get_by_role("heading", level=2).first).to_contain_text("level2@0")


def test_provenance(show: Show) -> None:
    page = show("observations", PSW, "Provenance")
    tasks = panel(page).get_by_role("table", name="Tasks")
    expect(tasks.get_by_role("rowheader").first).to_be_visible()
    expect(panel(page).get_by_label("Script")).to_contain_text("(")
    expect(panel(page).get_by_role("table", name="Commits")).to_contain_text("reprocessed")


def test_storage(show: Show) -> None:
    page = show("maps", MAP, "Storage")
    expect(panel(page)).to_contain_text(".pack")
    shares = panel(page).get_by_role("table", name="Shares with")
    expect(shares).to_contain_text("maps/0001@0")
    shares.get_by_role("button", name="maps/0001@0").click()
    expect(details(page).get_by_role("heading", level=2).first).to_contain_text("@0")


def test_what_is_changed_elsewhere_is_shown(visitor: Visitor, own_pools: dict[str, Path]) -> None:
    served = visitor.serve(own_pools["maps"])
    page = visitor.open(served, "#ref=maps%2F3&tab=Metadata")
    expect(panel(page).get_by_role("table", name="Metadata")).to_be_visible()
    with sp.Pool(own_pools["maps"]) as other:
        other.tag(other.view.number(3), "from a script")
    expect(details(page).get_by_role("button", name="from a script")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(show: Show, scheme: str) -> None:
    if not AXE.is_file():
        without_node("axe-core is not installed: npm ci in frontend")
    page = show("observations", PSW, color_scheme=scheme, bypass_csp=True)
    problems = []
    for name in TABS[1:]:
        tab(page, name)
        ready = {"Contents": "treeitem", "Versions": "listitem", "Storage": "meter"}.get(
            name, "table"
        )
        expect(panel(page).get_by_role(ready).first).to_be_visible()
        problems += audit(page)
        shot(page, f"details-{name.lower()}-{scheme}")
    tab(page, "Versions").get_by_role("button", name="Diff", exact=True).click()
    expect(panel(page).get_by_role("table").first).to_be_visible()
    problems += audit(page)
    assert not problems, "\n\n".join(problems)


def test_rows_lead_to_details(visitor: Visitor, shown: Any) -> None:
    page = visitor.open(shown, "#pools=%5B%22maps%22%5D")
    rows(page).nth(2).click()
    name = rows(page).nth(2).locator("[aria-colindex]").all_inner_texts()
    heading = details(page).get_by_role("heading", level=2).first
    expect(heading).to_be_visible()
    assert heading.inner_text().split("@")[0] in name
