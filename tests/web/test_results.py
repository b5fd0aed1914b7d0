"""The table and the contact sheet, driven as a user would."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.web.conftest import Visitor
from tests.web.looking import code, column, count_is, expect, filled, grid, names, query, rows
from tests.web.products import MAPS

import skypool as sp

MAPS_ONLY = "#pools=%5B%22maps%22%5D"


def state(page: Any) -> dict[str, str]:
    """Return what the address of the page says."""
    return {k: v[0] for k, v in parse_qs(urlsplit(page.url).fragment).items()}


def headers(page: Any) -> list[str]:
    """Return the labels of the columns, without signs of order."""
    texts = grid(page).get_by_role("columnheader").locator("button.label").all_inner_texts()
    return [re.sub(r"\s*[▲▼]\d?$", "", text.strip()) for text in texts]


def header(page: Any, label: str) -> Any:
    return grid(page).get_by_role("columnheader").filter(has_text=label).first


def selected(page: Any) -> Any:
    return page.get_by_role("status", name="Selected")


def is_current(page: Any, name: str) -> None:
    """Wait until keys act on the row of a product."""
    row = grid(page).get_attribute("aria-activedescendant")
    place = column(page, "name")
    expect(page.locator(f'#{row} [aria-colindex="{place}"]')).to_have_text(name)


@pytest.fixture
def maps(visitor: Visitor, shown: Any) -> Any:
    """Return the page with the products of one pool."""
    page = visitor.open(shown, MAPS_ONLY)
    count_is(page, MAPS + 3)
    filled(page)
    return page


def test_keys_walk_and_select(maps: Any) -> None:
    page = maps
    grid(page).focus()
    names_now = names(page)
    for key in ("ArrowDown", "j", "j", "k"):
        page.keyboard.press(key)
    expect(grid(page).locator("#row-1")).to_have_attribute("aria-selected", "true")
    is_current(page, names_now[1])
    expect(selected(page)).to_have_text("1 selected")
    details = page.get_by_role("region", name="Details", exact=True)
    expect(details.get_by_role("heading").first).to_contain_text(names_now[1])
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(selected(page)).to_contain_text("3 selected")
    page.keyboard.press("Control+ArrowDown")
    page.keyboard.press("Control+ArrowDown")
    page.keyboard.press("Control+ ")
    expect(selected(page)).to_contain_text("4 selected")
    expect(grid(page).locator("#row-4")).to_have_attribute("aria-selected", "false")
    page.keyboard.press("End")
    expect(grid(page).locator(f"#row-{MAPS + 2}")).to_be_visible()
    is_current(page, "tables/sources")
    page.keyboard.press("PageUp")
    expect(grid(page).locator(f"#row-{MAPS + 2}")).to_have_attribute("aria-selected", "false")
    page.keyboard.press("Home")
    expect(grid(page).locator("#row-0")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Control+a")
    expect(selected(page)).to_contain_text(f"{MAPS + 3} selected")
    page.keyboard.press("Escape")
    expect(selected(page)).to_have_text("nothing selected")
    # A row stands in the address, and the page comes back to it.
    page.keyboard.press("End")
    expect(selected(page)).to_have_text("1 selected")
    expect(details.get_by_role("heading").first).to_contain_text("tables/sources")
    page.reload()
    expect(grid(page).locator(f"#row-{MAPS + 2}")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("/")
    expect(query(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(query(page)).not_to_be_focused()


def test_quick_look_and_menus_open_by_keys(maps: Any) -> None:
    page = maps
    grid(page).locator("#row-2").click()
    grid(page).locator("#row-2").click(button="right")
    expect(page.get_by_role("menu").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Metadata").click()
    expect(page.get_by_role("tab", name="Metadata")).to_have_attribute("aria-selected", "true")
    grid(page).focus()
    page.keyboard.press(" ")
    expect(page.get_by_role("tab", name="Preview")).to_have_attribute("aria-selected", "true")
    assert state(page)["tab"] == "Preview"
    # The menu, the palette, help and tags open by their keys, and Escape leads back.
    for key, role, name in (
        ("Shift+F10", "menu", None),
        ("Control+k", "dialog", None),
        ("?", "dialog", None),
        ("t", "dialog", None),
    ):
        grid(page).focus()
        page.keyboard.press(key)
        opened = page.get_by_role(role, name=name)
        expect(opened.first).to_be_visible()
        page.keyboard.press("Escape")
        expect(opened).to_have_count(0)


def test_a_product_is_asked_for_once(maps: Any) -> None:
    page = maps
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    grid(page).locator("#row-4").click()
    details = page.get_by_role("region", name="Details", exact=True)
    expect(details.get_by_role("heading").first).to_contain_text(names(page)[4])
    page.wait_for_load_state("networkidle")
    assert sum("/products/" in path for path in asked) == 1
    assert sum(path.endswith("/image") for path in asked) <= 2


def test_mouse_selects_up_to_all_but_some(maps: Any) -> None:
    page = maps
    grid(page).locator("#row-1").click()
    grid(page).locator("#row-4").click(modifiers=["Shift"])
    expect(selected(page)).to_contain_text("4 selected")
    grid(page).locator("#row-2").click(modifiers=["Control"])
    expect(selected(page)).to_contain_text("3 selected")
    grid(page).locator("#row-7 [data-check]").click()
    expect(selected(page)).to_contain_text("4 selected")
    # Sizes are added up by the server.
    expect(selected(page)).to_contain_text("kB")
    page.get_by_role("button", name=f"Select all {MAPS + 3}").click()
    expect(selected(page)).to_contain_text(f"{MAPS + 3} selected")
    grid(page).locator("#row-3 [data-check]").click()
    expect(selected(page)).to_contain_text(f"{MAPS + 2} selected")
    every = grid(page).get_by_role("checkbox", name="Select all")
    expect(every).to_have_js_property("indeterminate", True)
    bar = page.get_by_role("toolbar", name="Selection")
    expect(bar.locator(".tag").first).to_be_visible()
    every.check()
    expect(selected(page)).to_contain_text(f"{MAPS + 3} selected")
    bar.get_by_role("button", name="Clear").click()
    expect(selected(page)).to_have_text("nothing selected")


def test_headers_sort(maps: Any, made_pools: dict[str, Path]) -> None:
    page = maps
    order = "exposure"
    page.goto(page.url + "&columns=%5B%22name%22%2C%22exposure%22%2C%22object%22%5D")
    expect(header(page, "exposure")).to_contain_text("[s]")
    header(page, "exposure").get_by_role("button").first.click()
    expect(header(page, "exposure")).to_have_attribute("aria-sort", "ascending")
    with sp.Pool(made_pools["maps"], "r") as pool:
        wanted = [ref.name for ref in pool.find("", order_by=order)][:10]
        last = [ref.name for ref in pool.find("", order_by="-exposure,object")][:10]
    expect(rows(page).first).to_contain_text(wanted[0])
    assert names(page)[:10] == wanted
    # What is 0 is shown as 0.
    place = column(page, "exposure")
    assert "0" in rows(page).locator(f'[aria-colindex="{place}"]').all_inner_texts()
    header(page, "exposure").get_by_role("button").first.click()
    expect(header(page, "exposure")).to_have_attribute("aria-sort", "descending")
    header(page, "object").get_by_role("button").first.click(modifiers=["Shift"])
    expect(header(page, "object")).to_have_attribute("aria-sort", "ascending")
    assert state(page)["order"] == "-exposure,object"
    expect(rows(page).first).to_contain_text(last[0])
    assert names(page)[:10] == last
    expect(code(page)).to_contain_text("order_by='-exposure,object'")


def test_columns_are_chosen_and_remembered(maps: Any) -> None:
    page = maps
    address = page.url
    page.get_by_role("button", name="Columns…").click()
    dialog = page.get_by_role("dialog", name="Columns")
    dialog.get_by_role("button", name="HIPE: default").click()
    dialog.get_by_label("Find a key").fill("waveleng")
    dialog.get_by_label(re.compile(r"wavelength \[")).check()
    dialog.get_by_label("Find a key").fill("no such key yet")
    dialog.get_by_role("button", name="Add").click()
    dialog.get_by_role("button", name="Remove no such key yet").click()
    dialog.get_by_label("Find a key").fill("urn")
    dialog.get_by_label("Full URN").check()
    dialog.get_by_role("button", name="Move urn to the left").click()
    dialog.get_by_label("Name of the layout").fill("mine")
    dialog.get_by_role("button", name="Save Layout As").click()
    expect(dialog.get_by_role("button", name="mine", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Close").first.click()
    layout = ["obsid", "odNumber", "startDate", "aot", "instrument", "obsMode", "object"]
    layout += ["proposal", "aorLabel", "urn", "wavelength"]
    expect(header(page, "wavelength")).to_be_visible()
    expect(header(page, "wavelength")).to_contain_text("[um]")
    assert json.loads(state(page)["columns"]) == layout
    assert [text.split(" [")[0] for text in headers(page)] == layout
    # Remembered, where the address does not say otherwise.
    page.goto("about:blank")
    page.goto(address)
    expect(header(page, "wavelength")).to_be_visible()
    # The menu of a column.
    header(page, "wavelength").get_by_role("button", name="Column wavelength").click()
    menu = page.get_by_role("menu", name="Column wavelength")
    expect(menu.get_by_role("menuitem", name="Sort ascending")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(header(page, "wavelength")).to_have_attribute("aria-sort", "descending")
    header(page, "odNumber").click(button="right")
    page.get_by_role("menuitem", name="Remove column").click()
    expect(header(page, "odNumber")).to_have_count(0)
    header(page, "obsid").click(button="right")
    page.get_by_role("menuitem", name="Add column after…").click()
    dialog.get_by_label("Find a key").fill("version")
    dialog.get_by_label("Version", exact=True).check()
    page.keyboard.press("Escape")
    expect(grid(page).get_by_role("columnheader").nth(2)).to_contain_text("version")
    header(page, "obsid").click(button="right")
    page.get_by_role("menuitem", name="Select Layout").click()
    page.get_by_role("menuitem", name="mine").click()
    expect(header(page, "odNumber")).to_be_visible()
    header(page, "obsid").click(button="right")
    page.get_by_role("menuitem", name="Reset layout").click()
    expect(header(page, "name")).to_be_visible()
    assert "columns" not in state(page)


def test_what_is_the_same_for_all_is_told_once(maps: Any) -> None:
    page = maps
    assert {"obsMode", "kind", "type"} <= set(headers(page))
    query(page).fill("kind == 'SimpleImage' and instrument == 'PACS' and band == 'blue'")
    query(page).press("Enter")
    same = page.get_by_role("list", name="The same for all")
    expect(same).to_contain_text("obsMode: Scan map")
    expect(same).to_contain_text("instrument: PACS")
    expect(header(page, "obsMode")).to_have_count(0)
    page.get_by_role("button", name="show columns that are the same for all").click()
    expect(header(page, "obsMode")).to_be_visible()


def test_a_number_of_observations_that_no_product_has_takes_no_room(
    visitor: Any, tmp_path: Path
) -> None:
    with sp.Pool(tmp_path / "pool") as pool, pool.commit() as commit:
        for number in range(4):
            commit.save(sp.Product(meta={"object": f"field {number}"}), name=f"{number}")
    page = visitor.open(visitor.serve(tmp_path / "pool"))
    expect(grid(page).locator("#row-3")).to_be_visible()
    expect(header(page, "object")).to_be_visible()
    expect(header(page, "obsid")).to_have_count(0)


def test_widths_of_columns_are_dragged(maps: Any) -> None:
    page = maps
    before = header(page, "name").bounding_box()
    page.mouse.move(before["x"] + before["width"] - 2, before["y"] + 8)
    page.mouse.down()
    page.mouse.move(before["x"] + before["width"] + 58, before["y"] + 8)
    page.mouse.up()
    assert abs(header(page, "name").bounding_box()["width"] - before["width"] - 60) < 3
    page.reload()
    filled(page)
    assert abs(header(page, "name").bounding_box()["width"] - before["width"] - 60) < 3


def test_contact_sheet_shares_filter_and_selection(maps: Any) -> None:
    page = maps
    grid(page).locator("#row-1").click()
    grid(page).locator("#row-2").click(modifiers=["Control"])
    page.get_by_role("button", name="Thumbnails").click()
    assert state(page)["view"] == "sheet"
    sheet = page.get_by_role("listbox", name="Thumbnails")
    tiles = sheet.get_by_role("option")
    expect(tiles.nth(1)).to_have_attribute("aria-selected", "true")
    expect(tiles.nth(2)).to_have_attribute("aria-selected", "true")
    picture = tiles.nth(1).locator("img")
    expect(picture).to_be_visible()
    page.wait_for_function("i => i.complete && i.naturalWidth > 8", arg=picture.element_handle())
    sheet.focus()
    page.keyboard.press("ArrowRight")
    expect(selected(page)).to_have_text("1 selected")
    page.keyboard.press("Shift+ArrowDown")
    expect(selected(page)).not_to_have_text("1 selected")
    page.keyboard.press("End")
    expect(sheet.locator(f"#tile-{MAPS + 2}")).to_be_visible()
    query(page).fill("object == 'M 51'")
    query(page).press("Enter")
    count_is(page, 27)
    expect(tiles.first).to_have_attribute("aria-setsize", "27")


def test_nothing_found_teaches(visitor: Visitor, shown: Any, tmp_path: Path) -> None:
    page = visitor.open(shown, MAPS_ONLY + "&query=object%20%3D%3D%20%27M%2099%27&text=glitches")
    count_is(page, 0)
    page.get_by_role("button", name="the words “glitches”").click()
    count_is(page, 0)
    page.get_by_role("button", name="the query", exact=True).click()
    count_is(page, MAPS + 3)

    with sp.Pool(tmp_path / "empty") as pool:
        ref = pool.save(sp.Product(type="X"), name="x")
        pool.remove(ref)
    page = visitor.open(visitor.serve(tmp_path / "empty"))
    expect(page.get_by_role("heading", name="The pool empty is empty")).to_be_visible()
    expect(page.get_by_text("add *.fits")).to_be_visible()


def test_a_pool_that_was_made_only_is_empty(visitor: Visitor, tmp_path: Path) -> None:
    sp.Pool(tmp_path / "made", "x").close()
    page = visitor.open(visitor.serve(tmp_path / "made"))
    expect(page.get_by_role("heading", name="The pool made is empty")).to_be_visible()
    expect(page.get_by_text("loading", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Add files or a folder").click()
    expect(page.get_by_role("dialog", name="Add files")).to_be_visible()
    page.keyboard.press("Escape")
    with sp.Pool(tmp_path / "made") as pool:
        pool.save(sp.Product("SimpleImage"), name="first")
    page.get_by_role("button", name="1 new, refresh").click()
    count_is(page, 1)
    # Keys walk through the rows from the beginning on, without a click into the table.
    page.get_by_role("button", name="Search", exact=True).focus()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    expect(page.get_by_role("region", name="Details", exact=True)).to_contain_text("first@0")


def test_loading_is_not_nothing(visitor: Visitor, shown: Any) -> None:
    context = visitor.context(shown)
    page = visitor.watch(context.new_page())
    held: list[Any] = []
    context.route("**/api/v1/results", lambda route: held.append(route))
    page.goto(shown.base)
    status = page.get_by_role("status", name="Result")
    expect(status).to_have_text("loading")
    page.wait_for_function("() => true")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(status).to_contain_text("products")


MANY = 1_000_000


def many_rows(route: Any) -> None:
    """Answer as a server with a million products would."""
    parts = urlsplit(route.request.url)
    route.fulfill(json=many_answer(parts.path, parts.query))


def many_answer(path: str, query: str) -> dict[str, Any]:
    """Return what a server with a million products answers."""
    asked = {k: v[0] for k, v in parse_qs(query).items()}
    columns = [{"key": "name", "unit": None, "type": "text", "label": "name"}]
    rows_of = lambda start, count: [  # noqa: E731
        [f"p/{i}", f"product {i}"] for i in range(start, min(MANY, start + count))
    ]
    if path.endswith("/rows"):
        start, count = int(asked["start"]), int(asked["count"])
        answer = {"start": start, "columns": columns, "rows": rows_of(start, count)}
    elif path.endswith("/results"):
        code = {"python": "find()", "command": "find", "url": "#"}
        answer = {
            "cursor": "c", "total": MANY, "query": "", "pools": {"p": 1}, "columns": columns,
            "order": "", "rows": rows_of(0, 100), "code": code, "took_ms": 1,
        }  # fmt: skip
    elif path.endswith("/selection"):
        answer = {"count": MANY, "bytes": 0, "tags": {}}
    elif path.endswith("/facets"):
        answer = {"facets": {}}
    else:
        answer = {"edges": [], "counts": [], "missing": 0, "unit": None, "time": False}
    return answer


def test_a_million_rows_scroll(visitor: Visitor, shown: Any) -> None:
    context = visitor.context(shown)
    asked: list[str] = []
    context.route(re.compile(r"/api/v1/results"), many_rows)
    context.route(re.compile(r"/api/v1/products/"), lambda route: route.abort())
    visitor.allowed += ["net::ERR_FAILED"]
    page = visitor.watch(context.new_page())
    page.on("request", lambda request: asked.append(request.url))
    page.goto(shown.base)
    count_is(page, MANY)
    height = grid(page).evaluate("e => e.scrollHeight")
    assert height < 6_100_000
    # The wheel moves by true pixels: 10 rows of 26.
    grid(page).hover()
    page.mouse.wheel(0, 260)
    expect(grid(page).get_by_role("row", name="product 10", exact=True)).to_be_visible()
    first = "g => [...g.querySelectorAll('[data-index]')].map(r => +r.dataset.index)"
    assert min(grid(page).evaluate(first)) == 8  # two more are drawn above
    # The scroll bar reaches the middle and the end.
    grid(page).evaluate("e => { e.scrollTop = (e.scrollHeight - e.clientHeight) / 2 }")
    expect(grid(page).get_by_text(re.compile(r"product (499|500)\d\d\d$")).first).to_be_visible()
    grid(page).evaluate("e => { e.scrollTop = e.scrollHeight }")
    expect(grid(page).get_by_text("product 999999")).to_be_visible()
    # Rushing through asks for little: what is scrolled past is given up.
    before = len(asked)
    grid(page).evaluate(
        """async e => { for (let i = 0; i < 60; i++) {
            e.scrollTop = i * 100000; await new Promise(requestAnimationFrame); } }"""
    )
    expect(grid(page).get_by_text(re.compile(r"product 98\d{4}$")).first).to_be_visible()
    assert len(asked) - before < 150
    grid(page).focus()
    page.keyboard.press("End")
    expect(grid(page).locator("#row-999999")).to_have_attribute("aria-selected", "true")
    assert grid(page).get_attribute("aria-rowcount") == str(MANY + 1)
    page.keyboard.press("Control+a")
    expect(selected(page)).to_contain_text("1,000,000 selected")
    page.keyboard.press("Control+ ")
    expect(selected(page)).to_contain_text("999,999 selected")
