"""The quick look: images, cubes, spectra and tables, as they are seen and as they are used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs.utils import pixel_to_skycoord
from tests.web.looks import CATALOGUE, IMAGE, canvas, colour, place, ready
from tests.web.products import rotated_wcs

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., Any]
HATCHING = ([125, 131, 139], [154, 161, 170])


def expect(found: Any) -> Any:
    from playwright.sync_api import expect as check

    return check(found)


def shot(page: Page, name: str) -> None:
    """Keep a picture for the documentation, where SKYPOOL_SCREENS names a folder."""
    folder = os.environ.get("SKYPOOL_SCREENS")
    if folder:
        details = page.get_by_role("region", name="Details", exact=True)
        details.screenshot(path=Path(folder) / f"{name}.png")


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).select_option(option)


def linear(page: Page) -> Any:
    """Show an image in grey from its minimum to its maximum; return it when it is painted."""
    choose(page, "Stretch", "linear")
    choose(page, "Limits", "minmax")
    return ready(page)


def grey(image: Any, x: int, y: int) -> int:
    red, green, blue = colour(image, place(image, x, y))
    assert red == green == blue
    return int(red)


def test_an_image_is_painted_as_its_values_are(look: Open) -> None:
    page = look("ramp")
    image = linear(page)
    low, high = np.nanmin(IMAGE), np.nanmax(IMAGE)
    for x, y in [(100, 60), (200, 250), (390, 10), (300, 150)]:
        expected = 255 * (IMAGE[y, x] - low) / (high - low)
        assert abs(grey(image, x, y) - expected) <= 3
    # NaN is hatched, in no colour of the map; what is around the image is neither.
    assert colour(image, place(image, 30, 20)) != colour(image, place(image, 30, 80))
    near = [colour(image, place(image, 40 + i, 25)) for i in range(8)]
    assert all(min(np.abs(np.subtract(h, c)).max() for h in HATCHING) < 30 for c in near)
    page.get_by_role("button", name="Invert").click()
    assert abs(grey(ready(page), 390, 10) - 255 * (1 - (IMAGE[10, 390] - low) / (high - low))) <= 3
    choose(page, "Colour map", "heat")
    red, _, blue = colour(ready(page), place(image, 300, 150))
    assert red > blue + 60
    bar = page.get_by_role("img", name=re.compile(r"^Colours: from 0\.05 to 399"))
    expect(bar).to_be_visible()
    for stretch in ("asinh", "log", "sqrt", "histogram"):
        choose(page, "Stretch", stretch)
        ready(page)
    # How images are shown is remembered.
    page.goto(re.sub("&(stretch|colours|invert|cuts)=[^&]*", "", page.url))
    page.get_by_role("gridcell", name="other", exact=True).first.click()
    expect(canvas(page)).to_have_accessible_name(re.compile("other, image"))
    ready(page)
    expect(page.get_by_label("Stretch", exact=True)).to_have_value("histogram")
    expect(page.get_by_label("Colour map", exact=True)).to_have_value("heat")


def test_the_pixel_under_the_pointer(look: Open) -> None:
    page = look("ramp")
    image = ready(page)
    image.click(position=place(image, 250, 120))
    value = page.get_by_test_id("pixel-value")
    expect(value).to_contain_text("Jy/beam")
    place_of = page.get_by_text(re.compile(r"^x \d+, y \d+$"))
    x, y = map(int, re.findall(r"\d+", place_of.inner_text()))
    x, y = x - 1, y - 1  # They count from 1, as in FITS.
    assert abs(x - 250) <= 1
    assert abs(y - 120) <= 1
    # Keys move the cross by single pixels.
    image.press("Shift+ArrowRight")
    expect(place_of).to_have_text(f"x {x + 2}, y {y + 1}")
    image.press("Shift+ArrowUp")
    expect(place_of).to_have_text(f"x {x + 2}, y {y + 2}")
    expect(value).to_contain_text(str(IMAGE[y + 1, x + 1]))
    known = pixel_to_skycoord(x + 1, y + 1, rotated_wcs(201.365, -43.019, IMAGE.shape, 30), 0)
    shown = page.get_by_role("group", name="Pixel").locator(".sky").inner_text()
    assert SkyCoord(shown, unit=("hourangle", "deg")).separation(known).arcsec < 0.02
    page.get_by_role("button", name="Copy position").click()
    expect(page.get_by_text(f"Copied {shown}")).to_be_visible()
    page.get_by_role("button", name="What covers it?").click()
    expect(page.get_by_role("combobox", name="Query")).to_have_value(
        f"covers({known.ra.deg:.7f}, {known.dec.deg:.7f})"
    )
    expect(page.get_by_role("status", name="Result")).to_have_text("2 products")
    image.press("Escape")
    expect(page.get_by_text("Point at a pixel")).to_be_visible()


def scale_of(page: Page) -> float:
    return float(ready(page).get_attribute("data-scale") or 0)


def test_zoom_and_pan_by_buttons_keys_and_wheel(look: Open) -> None:
    page = look("ramp")
    image = linear(page)
    whole = scale_of(page)
    page.get_by_role("button", name="Zoom in").click()
    assert scale_of(page) == pytest.approx(1.5 * whole, rel=1e-4)
    image.press("-")
    assert scale_of(page) == pytest.approx(whole, rel=1e-4)
    image.press("1")
    assert scale_of(page) == 1
    before = grey_in_the_middle(image)
    image.press("ArrowRight")
    ready(page)
    assert grey_in_the_middle(image) > before + 5
    box = image.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 100, middle[1], steps=4)
    page.mouse.up()
    ready(page)
    assert grey_in_the_middle(image) < before + 5
    page.mouse.wheel(0, -400)
    expect(image).not_to_have_attribute("data-scale", re.compile("^1.00000"))
    assert scale_of(page) > 2
    page.get_by_role("button", name="Fit").click()
    assert scale_of(page) == pytest.approx(whole, rel=1e-4)
    page.set_viewport_size({"width": 1700, "height": 900})
    expect(image).not_to_have_attribute("data-scale", f"{whole:.6g}")


def grey_in_the_middle(image: Any) -> int:
    box = image.bounding_box()
    return int(colour(image, {"x": box["width"] / 2, "y": box["height"] / 2})[0])


def test_limits_by_hand(look: Open) -> None:
    page = look("ramp")
    image = linear(page)
    choose(page, "Limits", "manual")
    page.get_by_label("Low limit", exact=True).fill("100")
    page.get_by_label("Low limit", exact=True).press("Enter")
    page.get_by_label("High limit", exact=True).fill("200")
    page.get_by_label("High limit", exact=True).press("Enter")
    ready(page)
    assert grey(image, 90, 100) == 0
    assert grey(image, 210, 100) == 255
    assert abs(grey(image, 150, 100) - 128) <= 3
    page.get_by_label("High limit, by rank").fill("1000")
    expect(page.get_by_label("High limit", exact=True)).not_to_have_value("200")


def test_the_dataset_is_chosen_and_remembered(look: Open) -> None:
    page = look("ramp")
    ready(page)
    choose(page, "Dataset", "coverage")
    expect(canvas(page)).to_have_accessible_name(re.compile("ramp, coverage"))
    assert "dataset=coverage" in page.url
    page.evaluate("localStorage.clear()")  # The address alone leads others to it.
    page.reload()
    expect(canvas(page)).to_have_accessible_name(re.compile("ramp, coverage"))
    choose(page, "Dataset", "image")
    choose(page, "Dataset", "coverage")
    image = ready(page)
    image.click(position=place(image, 200, 200))
    expect(page.get_by_test_id("pixel-value")).to_have_text("7")
    page.get_by_role("gridcell", name="other", exact=True).first.click()
    expect(canvas(page)).to_have_accessible_name(re.compile("other, coverage"))


def test_axes_that_are_called_alike(look: Open) -> None:
    page = look("plate")
    image = ready(page)
    for x, y in [(1, 1), (3, 2)]:
        image.hover(position=place(image, x, y, (4, 5)))
        expect(page.get_by_test_id("pixel-value")).to_have_text(f"{5.0 * y + x}")
        places = page.get_by_text(re.compile("^LINEAR "))
        expect(places).to_have_text([f"LINEAR {x / 2:g}", f"LINEAR {2 * y:g}"])


def test_one_value_everywhere(look: Open) -> None:
    page = look("flat")
    image = ready(page)
    image.click(position=place(image, 1, 1, (5, 4)))
    expect(page.get_by_test_id("pixel-value")).to_have_text("3")


def test_a_cube_by_plane_with_its_spectrum(look: Open) -> None:
    page = look("cube")
    image = ready(page)
    slider = page.get_by_role("slider", name="Plane")
    expect(slider).to_have_attribute("aria-valuetext", "16, frequency 515 GHz")
    page.get_by_role("button", name="Next plane").click()
    expect(slider).to_have_attribute("aria-valuetext", "17, frequency 516 GHz")
    image.press("PageDown")
    image.press("PageDown")
    expect(slider).to_have_attribute("aria-valuetext", "15, frequency 514 GHz")
    image.click(position=place(image, 12, 10, (20, 24)))
    plot = page.get_by_role("application", name=re.compile("^Pixel 13, 11: "))
    expect(plot).to_have_accessible_name(
        re.compile(r"value \(K\) over frequency \(GHz\), 30 values")
    )
    plot.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "16, frequency 515 GHz")
    page.get_by_role("button", name="Play").click()
    expect(slider).not_to_have_attribute("aria-valuetext", "16, frequency 515 GHz")
    page.get_by_role("button", name="Stop").click()
    image.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "1, frequency 500 GHz")


def test_spectra_are_plotted(look: Open) -> None:
    page = look("line")
    plot = page.get_by_role("application", name=re.compile("over index, 50 values"))
    drawn = plot.locator("canvas")
    expect(drawn).to_be_visible()
    pixels = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    assert drawn.evaluate(pixels)
    plot.press("+")
    page.get_by_role("button", name="All", exact=True).click()
    plot.hover()
    expect(page.get_by_role("tabpanel").get_by_role("status")).to_have_text(re.compile(r"\d"))
    page = look("spectrum")
    name = re.compile(r"flux \(Jy\) over wave \(um\), 1,500 values")
    expect(page.get_by_role("application", name=name)).to_be_visible()


def cells(page: Page, row: int) -> list[str]:
    return page.locator(f'tr[aria-rowindex="{row + 1}"] td').all_inner_texts()


def test_a_table_in_pages_orders_and_conditions(look: Open) -> None:
    page = look("list")
    status = page.get_by_role("tabpanel").get_by_role("status")
    expect(status).to_have_text("0–99 of 1,000 rows")
    assert cells(page, 0) == ["0", "0", "source 000", "0", "0", str(2**60)]
    page.get_by_role("button", name="Last page").click()
    expect(status).to_have_text("900–999 of 1,000 rows")
    page.get_by_role("button", name="flux", exact=True).click()
    header = page.get_by_role("columnheader").filter(has_text="flux")
    expect(header).to_have_attribute("aria-sort", "ascending")
    order = np.argsort(CATALOGUE["flux"])
    expect(page.locator('tr[aria-rowindex="1"]')).to_contain_text(f"source {order[0]:03d}")
    page.get_by_role("button", name=re.compile("^flux")).click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(page.locator('tr[aria-rowindex="1"]')).to_contain_text(f"source {order[-2]:03d}")
    box = page.get_by_role("searchbox", name="Condition on the rows")
    box.fill("flux > 9.9 and id < 500")
    box.press("Enter")
    many = int(np.count_nonzero((CATALOGUE["flux"] > 9.9) & (CATALOGUE["id"] < 500)))
    expect(status).to_have_text(f"0–{many - 1} of {many} rows of 1,000")
    box.fill("flx > 2")
    box.press("Enter")
    expect(page.get_by_role("tabpanel").get_by_role("alert")).to_contain_text("flux")
    page.get_by_role("button", name="All rows").click()
    expect(status).to_have_text("0–99 of 1,000 rows")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name=re.compile("^zero")).uncheck()
    expect(page.get_by_role("columnheader").filter(has_text="zero")).to_have_count(0)


def test_columns_are_plotted_and_counted(look: Open) -> None:
    page = look("list")
    page.get_by_role("button", name="Plot", exact=True).click()
    page.get_by_label("Column across").select_option("id")
    page.get_by_label("Column up").select_option("flux")
    plot = page.get_by_role("application", name="flux over id: flux over id, 1,000 values")
    expect(plot).to_be_visible()
    page.get_by_role("button", name="Histogram").click()
    page.get_by_label("Column counted").select_option("flux")
    known = np.isfinite(CATALOGUE["flux"])
    expect(
        page.get_by_role("img", name=re.compile("^Histogram of flux: 999 values"))
    ).to_be_visible()
    expect(page.get_by_text("1 without a value")).to_be_visible()
    assert known.sum() == 999


def test_nothing_to_show(look: Open) -> None:
    page = look("nothing")
    expect(page.get_by_text("Nothing to show: nothing has no image")).to_be_visible()


def compared(look: Open, **options: Any) -> Any:
    page = look("ramp", tab="Versions", **options)
    page.get_by_role("button", name="Diff", exact=True).click()
    page.get_by_role("button", name="Compare image").click()
    ready(page)
    expect(page.get_by_text("200 changed pixels, by at most 50 Jy/beam")).to_be_visible()
    return page


def test_two_versions_are_blinked_swiped_and_subtracted(look: Open) -> None:
    page = compared(look)
    image = linear(page)
    told = page.get_by_text("200 changed pixels")
    expect(told).to_contain_text("1 of 4 stored tiles read")
    changed, same = (210, 105), (100, 105)
    before = [grey(image, *at) for at in (changed, same)]
    # Around what changed is a box.
    assert colour(image, place(image, 198, 105))[2] < 200
    page.get_by_role("checkbox", name="Changed pixels").uncheck()
    image.press("b")
    ready(page)
    after = [grey(image, *at) for at in (changed, same)]
    assert after[0] - before[0] == pytest.approx(255 * 50 / 399.25, abs=3)
    assert after[1] == before[1]
    expect(image).to_have_accessible_name(re.compile("version 0 and version 1: version 1"))
    page.get_by_role("button", name="Swipe").click()
    border = page.get_by_role("slider", name="Border between both")
    border.fill("100")
    assert grey(ready(page), *changed) == before[0]
    border.fill("0")
    assert grey(ready(page), *changed) == after[0]
    page.get_by_role("button", name="Difference").click()
    red, _, blue = colour(ready(page), place(image, *changed))
    assert red > blue + 100  # later minus earlier: more is red
    quiet = colour(image, place(image, *same))
    assert max(quiet) - min(quiet) < 15
    page.get_by_role("button", name="Zoom to them").click()
    expect(image).not_to_have_attribute("data-scale", re.compile(r"^1\."))
    page.get_by_role("button", name="Blink").click()
    page.get_by_role("button", name="Go on").click()
    expect(image).to_have_accessible_name(re.compile("version 1: version 0$"))
    expect(image).to_have_accessible_name(re.compile("version 1: version 1$"))


AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(look: Open, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in frontend")
    for name in ("ramp", "cube", "list", "spectrum", "compared"):
        if name == "compared":
            page = compared(look, color_scheme=scheme)
        else:
            page = look(name, color_scheme=scheme)
        if name in ("ramp", "cube"):
            image = ready(page)
            image.press("Shift+ArrowRight")
            image.press("Enter")
            expect(page.get_by_test_id("pixel-value")).to_contain_text(re.compile("Jy|K"))
            page.get_by_label("Limits", exact=True).select_option("manual")
        elif name != "compared":
            expect(page.get_by_role("tabpanel").get_by_text(re.compile("rows$"))).to_be_visible()
        shot(page, f"quick-look-{name}-{scheme}")
        page.evaluate(AXE.read_text())  # as the page allows no scripts of others
        found = page.evaluate(
            "axe.run(document.querySelector('[role=tabpanel]'), {resultTypes: ['violations']})"
        )
        serious = [
            (each["id"], [node["html"][:200] for node in each["nodes"]])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []
        page.context.close()
