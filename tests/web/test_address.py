"""Every state is an address: what is seen can be sent to others, and gone back to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.looking import count_is, expect, filled
from tests.web.looks import place, ready
from tests.web.test_details import PSW
from tests.web.test_sky import canvas as sky_map
from tests.web.test_sky import sky  # noqa: F401

import skypool as sp

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., Any]
HELD = """wanted => {
    const held = new URLSearchParams(location.hash.slice(1));
    return Object.entries(wanted).every(([name, text]) =>
        text === '' ? !held.has(name) : held.has(name) && held.get(name).startsWith(text));
}"""


def holds(page: Page, **wanted: str) -> None:
    """Wait until the address has names with texts that begin so; '' is a name that it lacks."""
    page.wait_for_function(HELD, arg=wanted)


def visited_by_another(page: Page) -> None:
    """Open the address as somebody does whose browser remembers nothing, or something else."""
    page.evaluate(
        "localStorage.clear(); localStorage.setItem('skypool.image.style',"
        ' \'{"stretch": "sqrt", "colours": "heat", "limits": "90", "inverted": true}\')'
    )
    page.reload()


def value(page: Page, label: str, wanted: str) -> None:
    expect(page.get_by_label(label, exact=True)).to_have_value(wanted)


def test_how_an_image_is_shown(look: Open) -> None:
    page = look("ramp")
    image = ready(page)
    for label, choice in [("Stretch", "log"), ("Colour map", "viridis"), ("Limits", "zscale")]:
        page.get_by_label(label, exact=True).select_option(choice)
    page.get_by_role("button", name="Invert").click()
    holds(page, stretch="log", colours="viridis", cuts="zscale", invert="true", zoom="", pixel="")
    steps = page.evaluate("history.length")
    image.press("1")
    image.press("Shift+ArrowRight")
    image.press("Shift+ArrowRight")
    holds(page, zoom="1,", pixel="202,151")
    page.get_by_label("Limits", exact=True).select_option("manual")
    for label, text in [("Low limit", "-2.5"), ("High limit", "300")]:
        page.get_by_label(label, exact=True).fill(text)
        page.get_by_label(label, exact=True).press("Enter")
    holds(page, cuts="-2.5..300")
    assert page.evaluate("history.length") == steps  # Nobody goes back over these one by one.
    visited_by_another(page)
    image = ready(page)
    value(page, "Stretch", "log")
    value(page, "Colour map", "viridis")
    value(page, "Low limit", "-2.5")
    expect(page.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "true")
    expect(image).to_have_attribute("data-scale", "1.00000")
    expect(page.get_by_text("x 202, y 151", exact=True)).to_be_visible()
    expect(page.get_by_test_id("pixel-value")).to_contain_text("201.15")
    # What says nothing is how it usually is, not as this browser had it last.
    page.goto(re.sub("&(stretch|colours|invert|cuts|zoom|pixel)=[^&]*", "", page.url))
    value(page, "Stretch", "asinh")
    value(page, "Limits", "99.5")
    expect(page.get_by_text("Point at a pixel")).to_be_visible()
    page.go_back()
    value(page, "Stretch", "log")
    expect(page.get_by_text("x 202, y 151", exact=True)).to_be_visible()


def test_the_plane_and_pixel_of_a_cube(look: Open) -> None:
    page = look("cube")
    image = ready(page)
    holds(page, plane="16")
    page.get_by_label("Number of the plane").fill("4")
    page.get_by_label("Number of the plane").press("Enter")
    image.click(position=place(image, 12, 10, (20, 24)))
    holds(page, plane="4", pixel="13,11")
    visited_by_another(page)
    ready(page)
    expect(page.get_by_role("slider", name="Plane")).to_have_attribute(
        "aria-valuetext", "4, frequency 503 GHz"
    )
    expect(page.get_by_role("application", name=re.compile("^Pixel 13, 11: "))).to_be_visible()
    # Another tab and back: it stands as it was left.
    page.get_by_role("tab", name="Metadata").click()
    holds(page, tab="Metadata", plane="")
    page.get_by_role("tab", name="Preview").click()
    holds(page, tab="Preview", plane="4", pixel="13,11")
    ready(page)


def test_rows_order_and_plot_of_a_table(look: Open) -> None:
    page = look("list")
    status = page.get_by_role("tabpanel").get_by_role("status")
    page.get_by_role("button", name="flux", exact=True).click()
    box = page.get_by_role("searchbox", name="Condition on the rows")
    box.fill("id >= 100")
    box.press("Enter")
    page.get_by_role("button", name="Next page").click()
    holds(page, sort="flux", row="100", rows="id >= 100", **{"as": ""})
    visited_by_another(page)
    expect(status).to_have_text("100–199 of 900 rows of 1,000")
    value(page, "Condition on the rows", "id >= 100")
    header = page.get_by_role("columnheader").filter(has_text="flux")
    expect(header).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Plot").click()
    page.get_by_label("Column across").select_option("big")
    page.get_by_label("Column up").select_option("flux")
    holds(page, x="big", **{"as": "plot"})
    visited_by_another(page)
    value(page, "Column across", "big")
    expect(page.get_by_role("application", name=re.compile("^flux over big"))).to_be_visible()
    expect(status).to_contain_text(["", "900 rows of 1,000"])


@pytest.mark.campaign
def test_the_part_of_a_spectrum(look: Open) -> None:
    page = look("spectrum")
    plot = page.get_by_role("application", name=re.compile("over wave"))
    plot.press("+")
    holds(page, range="2")
    visited_by_another(page)
    expect(page.get_by_role("button", name="All", exact=True)).to_be_visible()
    page.get_by_role("button", name="All", exact=True).click()
    holds(page, range="")


@pytest.mark.campaign
def test_what_is_looked_for_in_metadata_and_headers(look: Open) -> None:
    page = look("ramp", tab="Metadata")
    page.get_by_label("Search the metadata").fill("other")
    page.get_by_label("Metadata of").select_option("image")
    holds(page, find="other", of="image")
    visited_by_another(page)
    value(page, "Search the metadata", "other")
    value(page, "Metadata of", "image")
    # The next product is searched for the same.
    page.get_by_role("gridcell", name="other", exact=True).first.click()
    value(page, "Search the metadata", "other")
    value(page, "Metadata of", "")
    holds(page, find="other", of="")


@pytest.mark.campaign
def test_the_cards_of_a_header(visitor: Any, shown: Any, made_pools: dict[str, Path]) -> None:
    with sp.Pool(made_pools["observations"], "r") as pool:
        number = pool[PSW].number
    page = visitor.open(shown, f"#ref=observations/{number}&tab=Header")
    page.get_by_label("HDU", exact=True).select_option("1")
    page.get_by_label("Search the header").fill("NAXIS")
    page.get_by_label("as stored").check()
    holds(page, find="NAXIS", hdu="1", **{"as": "stored"})
    visited_by_another(page)
    value(page, "HDU", "1")
    value(page, "Search the header", "NAXIS")
    expect(page.get_by_label("as stored")).to_be_checked()


def test_the_part_of_the_sky_and_its_region(visitor: Any, sky: Any) -> None:  # noqa: F811
    page = visitor.open(sky, "#view=sky")
    expect(sky_map(page)).to_have_attribute("data-placed", "12")
    page.get_by_label("Frame").select_option("galactic")
    sky_map(page).focus()
    for _ in range(5):
        page.keyboard.press("+")
    fov = sky_map(page).get_attribute("data-fov")
    holds(page, frame="galactic", sky="276.3")
    form = page.get_by_role("form", name="Search round a place")
    form.get_by_label("RA", exact=True).fill("150")
    form.get_by_label("Dec").fill("-20")
    form.get_by_label("Radius").fill("6")
    form.get_by_label("Radius").press("Enter")
    count_is(page, 2)
    holds(page, region='{"circle":[150,-20,6]}', frame="galactic")
    visited_by_another(page)
    count_is(page, 2)
    expect(page.get_by_label("Frame")).to_have_value("galactic")
    assert float(sky_map(page).get_attribute("data-fov") or 0) == pytest.approx(float(fov), 1e-3)
    page.go_back()
    count_is(page, 13)
    expect(page.get_by_label("Frame")).to_have_value("galactic")


def test_a_comparison_and_how_it_is_seen(look: Open, looks_pool: Path) -> None:
    with sp.Pool(looks_pool, "r") as pool:
        first, second = (version.number for version in pool["ramp"].versions)
    page = look("ramp", tab="Versions")
    page.get_by_role("button", name="Diff", exact=True).click()
    page.get_by_role("checkbox", name="only differences").uncheck()
    page.get_by_role("button", name="Compare image").click()
    image = ready(page)
    page.get_by_role("button", name="Swipe").click()
    page.get_by_role("slider", name="Border between both").fill("30")
    image.press("1")
    holds(
        page, ref=f"looks/{second}", against=f"looks/{first}", diff="image", by="swipe",
        border="30", zoom="1,", all="true",
    )  # fmt: skip
    visited_by_another(page)
    image = ready(page)
    expect(page.get_by_role("slider", name="Border between both")).to_have_value("30")
    expect(page.get_by_role("checkbox", name="only differences")).not_to_be_checked()
    expect(image).to_have_attribute("data-scale", "1.00000")
    # Back to the timeline, and forward again.
    page.go_back()
    expect(page.get_by_role("list", name="Versions")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("slider", name="Border between both")).to_have_value("30")


def test_links_to_other_products_are_gone_back_over(look: Open) -> None:
    page = look("ramp", tab="Versions")
    page.get_by_role("button", name="version 0").click()
    title = page.get_by_role("region", name="Details", exact=True).get_by_role("heading", level=2)
    expect(title).to_have_text("ramp@0")
    page.go_back()
    expect(title).to_have_text("ramp@1")
    page.go_forward()
    expect(title).to_have_text("ramp@0")
    # Going through the rows of the table is no step.
    steps = page.evaluate("history.length")
    page.get_by_role("gridcell", name="other", exact=True).first.click()
    expect(title).to_have_text("other@0")
    assert page.evaluate("history.length") == steps


@pytest.mark.campaign
def test_table_and_contact_sheet(look: Open) -> None:
    page = look("ramp")
    filled(page)
    page.keyboard.press("2")
    expect(page.get_by_role("listbox", name="Thumbnails")).to_be_visible()
    holds(page, view="sheet")
    visited_by_another(page)
    expect(page.get_by_role("listbox", name="Thumbnails")).to_be_visible()
    page.go_back()
    filled(page)
    page.go_forward()
    expect(page.get_by_role("listbox", name="Thumbnails")).to_be_visible()
