"""The map of the sky in a browser: density, outlines, drawing a region, clicking, one selection."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.web.looking import count_is, expect
from tests.web.serving import serve
from tests.web.test_page import AXE, audit, shot, without_node

import skypool as sp

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PLACES = [(150.0 + 4 * n, -20.0 + 3 * n) for n in range(12)]


def card(key: str, value: object) -> str:
    text = f"'{value:<8}'" if isinstance(value, str) else f"{value!r:>20}"
    return f"{key:<8}= {text}"[:80].ljust(80)


def image(ra: float, dec: float) -> sp.Array:
    cards = {
        "NAXIS": 2, "NAXIS1": 8, "NAXIS2": 8, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
        "CRPIX1": 4.5, "CRPIX2": 4.5, "CRVAL1": ra, "CRVAL2": dec,
        "CDELT1": -0.125, "CDELT2": 0.125, "CUNIT1": "deg", "CUNIT2": "deg",
    }  # fmt: skip
    return sp.Array(np.ones((8, 8), "f4"), wcs="".join(map(card, cards.keys(), cards.values())))


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("sky") / "sky"
    with sp.Pool(folder) as pool, pool.commit() as commit:
        for number, (ra, dec) in enumerate(PLACES):
            product = sp.Product(kind="SimpleImage", datasets={"image": image(ra, dec)})
            commit.save(product, name=f"map/{number:02d}")
        commit.save(sp.Product(meta={"object": "none"}), name="nowhere")
    with serve(folder) as served:
        yield served


def canvas(page: Page) -> Locator:
    return page.get_by_role("application", name="Map of the sky")


def region(page: Page) -> Locator:
    return page.get_by_role("region", name="Sky")


def opened(visitor: Any, served: Any, **options: Any) -> Page:
    page = visitor.open(served, "#view=sky", **options)
    expect(canvas(page)).to_have_attribute("data-placed", "12")
    expect(canvas(page)).to_have_attribute("data-outlines", "12")
    return page


def hammer(page: Page, ra: float, dec: float) -> tuple[float, float]:
    """Return where a place is drawn on the map of the whole sky, whose middle is at 180 degrees."""
    box = canvas(page).bounding_box()
    assert box is not None
    root = math.sqrt(2)
    scale = min(box["width"] / (4 * root), box["height"] / (2 * root)) * 0.96
    away, lat = math.radians(ra - 180), math.radians(dec)
    z = math.sqrt(1 + math.cos(lat) * math.cos(away / 2))
    x = 2 * root * math.cos(lat) * math.sin(away / 2) / z
    y = root * math.sin(lat) / z
    return box["width"] / 2 - x * scale, box["height"] / 2 - y * scale


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = canvas(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + (start[0] + end[0]) / 2, box["y"] + (start[1] + end[1]) / 2)
    page.mouse.move(box["x"] + end[0], box["y"] + end[1])
    page.mouse.up()


def test_what_has_a_place_is_counted(visitor: Any, sky: Any) -> None:
    page = opened(visitor, sky)
    expect(region(page).get_by_role("status")).to_contain_text("12 of 13 products")


def test_a_circle_that_is_drawn_searches(visitor: Any, sky: Any) -> None:
    page = opened(visitor, sky)
    region(page).get_by_role("button", name="Circle").click()
    middle = hammer(page, *PLACES[5])
    edge = hammer(page, PLACES[5][0], PLACES[5][1] + 7)
    drag(page, middle, edge)
    count_is(page, 3)
    assert "region=" in page.url
    assert "circle" in page.url
    expect(canvas(page)).to_have_attribute("data-placed", "3")
    region(page).get_by_role("button", name="Clear region").click()
    count_is(page, 13)


def test_a_box_that_is_drawn_searches(visitor: Any, sky: Any) -> None:
    page = opened(visitor, sky)
    region(page).get_by_role("button", name="Box").click()
    # From the upper left: east and north come first.
    drag(page, hammer(page, 177.0, 1.0), hammer(page, 160.0, -10.0))
    count_is(page, 3)
    page.go_back()
    count_is(page, 13)


def test_a_region_by_numbers_and_keys_alone(visitor: Any, sky: Any) -> None:
    page = opened(visitor, sky)
    form = region(page).get_by_role("form", name="Search round a place")
    expect(form.get_by_role("button", name="Search here")).to_be_disabled()
    form.get_by_label("RA", exact=True).fill("150")
    form.get_by_label("Dec").fill("-20")
    form.get_by_label("Radius").fill("6")
    form.get_by_label("Radius").press("Enter")
    count_is(page, 2)
    canvas(page).focus()
    for _ in range(8):
        page.keyboard.press("+")
    fov = float(canvas(page).get_attribute("data-fov") or 0)
    assert fov < 150
    page.keyboard.press("0")
    expect(canvas(page)).to_have_attribute("data-fov", "360")


def test_a_click_selects_for_all_panes(visitor: Any, sky: Any) -> None:
    page = opened(visitor, sky)
    x, y = hammer(page, *PLACES[7])
    canvas(page).click(position={"x": x, "y": y})
    expect(page.get_by_role("region", name="Details")).to_contain_text("map/07")
    x, y = hammer(page, *PLACES[2])
    canvas(page).click(position={"x": x, "y": y}, modifiers=["Shift"])
    expect(page.get_by_text("2 selected")).to_be_visible()


def test_zooming_asks_for_what_is_in_sight(visitor: Any, sky: Any) -> None:
    page = opened(visitor, sky)
    box = canvas(page).bounding_box()
    assert box is not None
    x, y = hammer(page, *PLACES[0])
    page.mouse.move(box["x"] + x, box["y"] + y)
    for _ in range(6):
        page.mouse.wheel(0, -600)
    expect(canvas(page)).not_to_have_attribute("data-outlines", "12")
    region(page).get_by_label("Frame").select_option("galactic")
    region(page).get_by_role("button", name="Whole sky").click()
    expect(canvas(page)).to_have_attribute("data-outlines", "12")
    expect(canvas(page)).to_have_attribute("data-fov", "360")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(visitor: Any, sky: Any, scheme: str) -> None:
    if not AXE.is_file():
        without_node("axe-core is not installed: npm ci in frontend")
    page = opened(visitor, sky, color_scheme=scheme, bypass_csp=True)
    assert audit(page) == []
    shot(page, f"sky-{scheme}")


def test_beside_the_table_on_a_phone_nothing_is_covered(visitor: Any, sky: Any) -> None:
    page = visitor.open(sky, "#view=both", viewport={"width": 390, "height": 844})
    told = page.get_by_text("of 13 products have a place on the sky")
    expect(told).to_be_visible()
    below = page.get_by_text("nothing selected").bounding_box()
    mine, drawn = told.bounding_box(), canvas(page).bounding_box()
    assert mine["y"] + mine["height"] <= below["y"]
    assert drawn["y"] + drawn["height"] <= mine["y"] + 1
