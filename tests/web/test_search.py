"""The search pane, driven as a user would."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.web.conftest import Visitor
from tests.web.looking import code, count_is, expect, facet, filled, names, query
from tests.web.products import MAPS

import skypool as sp

EVERYTHING = MAPS + 3 + 32


def state(page: Any) -> dict[str, str]:
    """Return what the address of the page says."""
    return {k: v[0] for k, v in parse_qs(urlsplit(page.url).fragment).items()}


def found(pools: dict[str, Path], text: str, **more: Any) -> int:
    """Return how many products a query finds, asked of the pools themselves."""
    total = 0
    for folder in pools.values():
        with sp.Pool(folder, "r") as pool:
            total += len(pool.find(text, **more))
    return total


def search_pane(page: Any) -> Any:
    return page.get_by_role("region", name="Search", exact=True)


def opened(page: Any, label: str) -> Any:
    """Open a section of the search pane."""
    title = search_pane(page).get_by_role("button", name=label, exact=True).first
    if title.get_attribute("aria-expanded") == "false":
        title.click()
    return search_pane(page).get_by_role("region", name=label, exact=True)


def test_query_is_address_and_code(page: Any, made_pools: dict[str, Path]) -> None:
    count_is(page, EVERYTHING)
    query(page).fill("instrument == 'SPIRE' and kind == 'SimpleImage'")
    query(page).press("Enter")
    spire = found(made_pools, "instrument == 'SPIRE' and kind == 'SimpleImage'")
    count_is(page, spire)
    assert state(page) == {"query": "instrument == 'SPIRE' and kind == 'SimpleImage'"}
    expect(code(page)).to_contain_text("find(")
    expect(code(page)).to_contain_text("instrument == 'SPIRE'")
    page.get_by_role("button", name="Copy as Command line").click()
    expect(code(page)).to_contain_text("skypool -p")
    page.get_by_role("button", name="Copy as URL").click()
    expect(code(page)).to_contain_text("#query=")
    address = code(page).inner_text()

    page.go_back()
    count_is(page, EVERYTHING)
    expect(query(page)).to_have_value("")
    page.go_forward()
    count_is(page, spire)
    page.goto("about:blank")
    page.goto(address)
    count_is(page, spire)
    expect(query(page)).to_have_value("instrument == 'SPIRE' and kind == 'SimpleImage'")


def test_completion_by_keyboard(page: Any) -> None:
    filled(page)
    page.keyboard.press("/")
    expect(query(page)).to_be_focused()
    query(page).press_sequentially("instrum")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    expect(options.first).to_contain_text("instrument")
    query(page).press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    query(page).press("Enter")
    expect(query(page)).to_have_value("instrument")
    query(page).press_sequentially(" == 'HI")
    expect(options.first).to_contain_text("'HIFI'")
    query(page).press("ArrowDown")
    query(page).press("Tab")
    expect(query(page)).to_have_value("instrument == 'HIFI'")
    query(page).press_sequentially(" and tagged('publ")
    expect(options.first).to_contain_text("published")
    options.first.click()
    expect(query(page)).to_have_value("instrument == 'HIFI' and tagged('published'")
    query(page).press_sequentially(")")
    query(page).press("Enter")
    expect(options).to_have_count(0)
    count_is(page, 1)


def test_completions_of_another_text_are_not_taken(visitor: Visitor, shown: Any) -> None:
    context = visitor.context(shown)
    page = visitor.watch(context.new_page())
    page.goto(shown.base)
    filled(page)
    query(page).press_sequentially("instrum")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    expect(options.first).to_contain_text("instrument")
    query(page).press("ArrowDown")
    context.route("**/api/v1/complete*", lambda route: None)  # the next ones never come
    query(page).fill("obsid == 1342182452")
    query(page).press("Enter")
    expect(query(page)).to_have_value("obsid == 1342182452")
    assert state(page) == {"query": "obsid == 1342182452"}


def test_a_completion_chosen_early_is_taken(visitor: Visitor, shown: Any) -> None:
    context = visitor.context(shown)
    page = visitor.watch(context.new_page())
    page.goto(shown.base)
    filled(page)
    query(page).press_sequentially("instru")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    expect(options.first).to_contain_text("instrument")
    late: list[Any] = []
    context.route("**/api/v1/complete*", lambda route: late.append(route))
    # Enter comes before the answer for the last letter: it took the choice away.
    with page.expect_request("**/api/v1/complete*"):
        query(page).press("m")
    query(page).press("ArrowDown")
    query(page).press("Enter")
    expect(query(page)).to_have_value("instrum")
    for route in late:
        route.continue_()
    expect(query(page)).to_have_value("instrument")


def test_errors_are_marked_and_corrected(page: Any) -> None:
    filled(page)
    query(page).fill("kind == 'SimpleImage' and covrs(10, 10)")
    query(page).press("Enter")
    search = page.get_by_role("search")
    expect(search.get_by_role("alert")).to_contain_text("covrs")
    expect(search.locator("mark")).to_have_text("covrs")
    expect(query(page)).to_have_attribute("aria-invalid", "true")
    search.get_by_role("button", name="covers", exact=True).click()
    expect(query(page)).to_have_value("kind == 'SimpleImage' and covers(10, 10)")
    expect(search.get_by_role("alert")).to_have_count(0)
    count_is(page, 0)
    # What may be taken away is offered.
    page.get_by_role("button", name="the query", exact=True).click()
    count_is(page, EVERYTHING)


def test_facets_join_values_by_or_and_keys_by_and(page: Any) -> None:
    instrument = facet(page, "instrument")
    box = instrument.get_by_role("checkbox")
    expect(box.first).to_be_visible()
    counted = {
        line.split("\n")[0]: int(line.split("\n")[-1])
        for line in instrument.get_by_role("listitem").all_inner_texts()
    }
    instrument.get_by_label("HIFI").check()
    count_is(page, counted["HIFI"])
    # The facet's own choice does not change its counts, and a second value adds.
    instrument.get_by_label("PACS").check()
    count_is(page, counted["HIFI"] + counted["PACS"])
    expect(instrument.get_by_label("SPIRE")).to_be_visible()
    kind = facet(page, "kind")
    kind.get_by_label("SpectralSimpleCube").check()
    expect(page.get_by_role("list", name="Filters").get_by_role("listitem")).to_have_count(3)
    assert json.loads(state(page)["filters"]) == [
        {"key": "instrument", "values": ["HIFI", "PACS"]},
        {"key": "kind", "values": ["SpectralSimpleCube"]},
    ]
    count_is(page, 1)
    assert names(page) == ["cubes/m83"]
    expect(code(page)).to_contain_text("'HIFI', 'PACS'")
    page.go_back()
    count_is(page, counted["HIFI"] + counted["PACS"])
    expect(kind.get_by_label("SpectralSimpleCube")).not_to_be_checked()
    instrument.get_by_role("button", name="Clear the filter on instrument").click()
    count_is(page, EVERYTHING)


def test_any_key_may_be_a_facet(page: Any, made_pools: dict[str, Path]) -> None:
    search_pane(page).get_by_role("button", name="Choose…").click()
    dialog = page.get_by_role("dialog", name="Facets")
    dialog.get_by_label("Find a key").fill("aorLab")
    dialog.get_by_label(re.compile("aorLabel")).check()
    dialog.get_by_role("button", name="Done").click()
    labels = facet(page, "aorLabel").get_by_role("checkbox")
    expect(labels).to_have_count(9)  # eight values, and none
    more = facet(page, "aorLabel").get_by_role("button", name="values more")
    more.click()
    expect(facet(page, "aorLabel").get_by_role("checkbox")).to_have_count(18)
    facet(page, "aorLabel").get_by_label("none").check()
    count_is(page, found(made_pools, "missing('aorLabel')"))
    # What was chosen is remembered.
    page.reload()
    expect(facet(page, "aorLabel")).to_be_visible()


def test_histograms_are_brushed(page: Any, made_pools: dict[str, Path]) -> None:
    start = facet(page, "start")
    picture = start.get_by_role("img", name="Histogram of start")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.6, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, y, steps=3)
    page.mouse.up()
    chip = page.get_by_role("list", name="Filters").get_by_role("listitem")
    expect(chip).to_contain_text("start:")
    brushed = json.loads(state(page)["filters"])[0]
    assert brushed["key"] == "start" and brushed["min"] < brushed["max"]
    wanted = f"start >= '{brushed['min']}' and start <= '{brushed['max']}'"
    count_is(page, found(made_pools, wanted))
    # Ends may be typed, and taken away.
    start.get_by_label("start from").fill("2012-01-01")
    start.get_by_label("start from").press("Enter")
    expect(chip).to_contain_text("2012-01-01")
    start.get_by_role("button", name="Clear the filter on start").click()
    count_is(page, EVERYTHING)


def test_words_time_and_versions(page: Any) -> None:
    search_pane(page).get_by_role("searchbox", name="Words").fill("glitches")
    count_is(page, 18)
    assert state(page) == {"text": "glitches"}
    page.get_by_role("button", name="Remove words: glitches").click()
    count_is(page, EVERYTHING)
    opened(page, "Versions and time").get_by_label("Show all versions").check()
    count_is(page, EVERYTHING + 2 + 9)
    opened(page, "Versions and time").get_by_label("As of").fill("1")
    opened(page, "Versions and time").get_by_label("As of").press("Enter")
    count_is(page, MAPS + 32)
    assert state(page) == {"all_versions": "true", "at": "1"}
    expect(code(page)).to_contain_text(".at(")
    page.get_by_role("button", name="Clear all").click()
    count_is(page, EVERYTHING)


def test_the_four_ways_of_hipe(page: Any, made_pools: dict[str, Path]) -> None:
    form = opened(page, "Form")
    # Observations: the product type is given.
    form.get_by_label("obsid", exact=True).fill("0x50001434")
    expect(form.get_by_label("Product type")).to_be_disabled()
    form.get_by_role("button", name="Run").click()
    count_is(page, 1)
    assert state(page) == {"query": "obsid == 1342182452", "kind": "ObservationContext"}
    form.get_by_role("button", name="Reset fields").click()
    expect(form.get_by_label("obsid", exact=True)).to_have_value("")

    form.get_by_role("tab", name="Products").click()
    form.get_by_label("Product type").focus()
    form.get_by_label("Product type").select_option("SimpleImage")
    form.get_by_label("object", exact=True).fill("M 83")
    group = form.get_by_role("group", name="Condition 1")
    group.get_by_label("Key").fill("exposure")
    group.get_by_label("Operator").select_option(">=")
    group.get_by_label("Value").fill("5 min")
    form.get_by_role("button", name="Add a condition").click()
    second = form.get_by_role("group", name="Condition 2")
    second.get_by_label("Key").fill("aorLabel")
    second.get_by_label("Value").fill("field-1*")
    form.get_by_role("button", name="Run").click()
    expect(query(page)).to_have_value(
        "object == 'M 83' and exposure >= '5 min' and like(aorLabel, 'field-1*')"
    )
    text = "object == 'M 83' and exposure >= '5 min' and like(aorLabel, 'field-1*')"
    count_is(page, found(made_pools, text, kind="SimpleImage"))
    second.get_by_role("button", name="Remove the condition 2").click()
    expect(form.get_by_role("group")).to_have_count(1)

    form.get_by_role("tab", name="Products").press("ArrowRight")
    expect(form.get_by_role("tab", name="Metadata")).to_be_focused()
    form.get_by_label("type", exact=True).fill("HPPPMAPB")
    form.get_by_label("startDate from").fill("2010-01-01")
    form.get_by_label("startDate to").fill("2010-06-30")
    form.get_by_role("button", name="Run").click()
    expect(query(page)).to_have_value(
        "type == 'HPPPMAPB' and startDate >= '2010-01-01' and startDate <= '2010-06-30'"
    )
    filled(page)

    form.get_by_role("tab", name="Free").click()
    form.get_by_label("Key").fill("odNumber")
    form.get_by_label("Operator").select_option("<")
    form.get_by_label("Value").fill("110")
    form.get_by_role("button", name="Run").click()
    expect(query(page)).to_have_value("odNumber < 110")
    count_is(page, found(made_pools, "odNumber < 110", kind="SimpleImage"))


def test_pools_are_chosen_opened_and_closed(visitor: Visitor, own_pools: dict[str, Path]) -> None:
    served = visitor.serve(own_pools["maps"])
    visitor.allowed.append("404 (Not Found)")  # a pool that is not there
    page = visitor.open(served)
    count_is(page, MAPS + 3)
    pane = opened(page, "Pools")
    pane.get_by_label("Pool to open").fill(str(own_pools["observations"]))
    pane.get_by_role("button", name="Open", exact=True).click()
    count_is(page, EVERYTHING)
    pane.get_by_label("maps", exact=True).uncheck()
    count_is(page, 32)
    assert json.loads(state(page)["pools"]) == ["observations"]
    pane.get_by_label("observations", exact=True).click()
    messages = page.get_by_role("log", name="Messages")
    expect(messages).to_contain_text("Please select at least one pool for your query")
    expect(pane.get_by_label("observations", exact=True)).to_be_checked()
    messages.get_by_role("button", name="Close the message").click()
    pane.get_by_label("maps", exact=True).check()
    count_is(page, EVERYTHING)
    pane.get_by_role("button", name="Close the pool observations").click()
    count_is(page, MAPS + 3)
    fresh = own_pools["maps"].parent / "fresh"
    pane.get_by_label("Pool to open").fill(str(fresh))
    pane.get_by_role("button", name="Open", exact=True).click()
    expect(messages).to_contain_text("fresh")
    pane.get_by_role("button", name="Create", exact=True).click()
    expect(pane.get_by_label("fresh", exact=True)).to_be_visible()
    expect(pane.get_by_role("listitem").filter(has_text="fresh")).to_contain_text("0")


def test_searches_are_saved_in_the_pool(visitor: Visitor, own_pools: dict[str, Path]) -> None:
    served = visitor.serve(own_pools["maps"])
    page = visitor.open(
        served,
        "#filters=%5B%7B%22key%22%3A%22instrument%22%2C%22values%22%3A%5B%22HIFI%22%5D%7D%5D",
    )
    filled(page)
    views = opened(page, "Saved searches")
    views.get_by_label("Name of the search").fill("HIFI only")
    views.get_by_role("button", name="Save", exact=True).click()
    mine = views.get_by_role("button", name="HIFI only", exact=True)
    expect(mine).to_be_visible()
    page.get_by_role("button", name="Remove instrument: HIFI").click()
    expect(page.get_by_role("list", name="Filters")).to_have_count(0)
    mine.click()
    expect(page.get_by_role("list", name="Filters")).to_contain_text("instrument: HIFI")
    views.get_by_role("button", name="Delete the saved search HIFI only").click()
    expect(mine).to_have_count(0)


def test_a_saved_search_holds_its_switches_and_pools(
    visitor: Visitor, own_pools: dict[str, Path]
) -> None:
    served = visitor.serve(own_pools["maps"], own_pools["observations"])
    page = visitor.open(served, "#all_versions=true&at=1&pools=" + quote('["maps","observations"]'))
    filled(page)
    views = opened(page, "Saved searches")
    views.get_by_label("Name of the search").fill("all of the first commit")
    views.get_by_role("button", name="Save", exact=True).click()
    mine = views.get_by_role("button", name="all of the first commit", exact=True)
    expect(views).to_contain_text("all versions, as of 1, maps + observations")
    close = page.get_by_role("button", name="Close the pool observations")
    close.click()
    expect(close).to_have_count(0)
    page.goto(served.base)
    filled(page)
    views = opened(page, "Saved searches")
    mine.click()
    told = page.get_by_role("log", name="Messages")
    expect(told).to_contain_text("is not open")
    told.get_by_role("button", name="Open it").click()
    expect(close).to_be_visible()
    options = opened(page, "Versions and time")
    expect(options.get_by_label("Show all versions")).to_be_checked()
    expect(options.get_by_label("As of")).to_have_value("1")
    expect(page).to_have_url(re.compile("maps.*observations"))


def test_a_result_tells_of_what_is_new(visitor: Visitor, own_pools: dict[str, Path]) -> None:
    served = visitor.serve(own_pools["maps"])
    page = visitor.open(served)
    count_is(page, MAPS + 3)
    with sp.Pool(own_pools["maps"]) as pool, pool.commit("by a script") as commit:
        for number in range(5):
            commit.save(sp.Product("TestProduct"), name=f"new/{number}")
    page.get_by_role("button", name="5 new, refresh").click()
    count_is(page, MAPS + 8)
    expect(page.get_by_role("button", name="new, refresh")).to_have_count(0)
    form = opened(page, "Form")
    form.get_by_role("tab", name="Products").click()
    types = form.get_by_label("Product type")
    types.focus()
    expect(types.locator("option", has_text="TestProduct (5)")).to_have_count(1)
