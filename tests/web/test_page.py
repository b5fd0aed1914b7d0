"""The page as a whole: access for all, sizes of screens, no network, one bundle."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Visitor, shot
from tests.web.looking import count_is, expect, filled, grid, names, query, rows
from tests.web.products import MAPS

from skypool.web.pages import STATIC

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "frontend"
AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
NODE = bool(os.environ.get("SKYPOOL_REQUIRE_NODE"))
EVERYTHING = MAPS + 3 + 32
MAPS_ONLY = "#pools=%5B%22maps%22%5D"


def without_node(reason: str) -> None:
    if NODE:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def packages() -> Path:
    """Return where the packages of the front end are; skips where they cannot be."""
    if shutil.which("npm") is None:
        without_node("npm is not installed")
    # One process of the tests at a time: each would write the same folder.
    with (FRONTEND / "package.json").open(encoding="utf-8") as one:
        fcntl.flock(one, fcntl.LOCK_EX)
        if not AXE.is_file():
            done = subprocess.run(["npm", "ci"], cwd=FRONTEND, capture_output=True, text=True)
            if done.returncode != 0:
                without_node(f"npm ci failed: {done.stderr[-500:]}")
    return FRONTEND / "node_modules"


def audit(page: Any) -> list[str]:
    """Return what axe finds that is serious or critical."""
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:200]}\n{node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(
    visitor: Visitor, shown: Any, packages: Path, scheme: str
) -> None:
    page = visitor.open(shown, MAPS_ONLY, color_scheme=scheme, bypass_csp=True)
    filled(page)
    problems = []
    details = page.get_by_role("region", name="Details", exact=True)
    grid(page).locator("#row-4").click()
    expect(details.get_by_role("tab", name="Preview")).to_be_visible()
    grid(page).locator("#row-7").click(modifiers=["Shift"])
    expect(page.get_by_role("status", name="Selected")).to_contain_text("kB")
    expect(details.get_by_role("heading").first).to_contain_text("maps/0006")
    expect(details.locator("canvas").first).to_be_visible()
    shot(page, f"browser-table-{scheme}")
    pane = page.get_by_role("region", name="Search", exact=True)
    for label in ("Form", "Versions and time", "Saved searches"):
        pane.get_by_role("button", name=label, exact=True).click()
    grid(page).locator("#row-1").click()
    grid(page).locator("#row-2").click(modifiers=["Control"])
    expect(page.get_by_role("status", name="Selected")).to_contain_text("kB")
    pane.get_by_label("HIFI").check()
    expect(page.get_by_role("list", name="Filters")).to_be_visible()
    problems += audit(page)
    query(page).fill("instrument == ")
    query(page).press("ArrowDown")
    expect(
        page.get_by_role("listbox", name="Completions").get_by_role("option").first
    ).to_be_visible()
    problems += audit(page)
    query(page).fill("instrumnt == 'PACS'")
    query(page).press("Enter")
    expect(page.get_by_role("search").get_by_role("alert")).to_be_visible()
    shot(page, f"browser-error-{scheme}")
    problems += audit(page)
    query(page).fill("")
    query(page).press("Enter")
    page.get_by_role("button", name="Columns…").click()
    expect(page.get_by_role("dialog", name="Columns")).to_be_visible()
    problems += audit(page)
    page.keyboard.press("Escape")
    grid(page).get_by_role("button", name="Column name").click()
    problems += audit(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Thumbnails").click()
    expect(page.get_by_role("listbox", name="Thumbnails").locator("img").first).to_be_visible()
    drawn = "() => [...document.querySelectorAll('.tile img')].every(i => i.complete)"
    expect(page.get_by_role("listbox", name="Thumbnails").locator("img").nth(8)).to_be_visible()
    page.wait_for_function(drawn)
    shot(page, f"browser-thumbnails-{scheme}")
    problems += audit(page)
    with page.expect_response("**/sky/outlines*"):
        page.get_by_role("button", name="Table + sky").click()
    expect(page.get_by_text("have a place on the sky")).to_be_visible()
    shot(page, f"browser-sky-{scheme}")
    problems += audit(page)
    assert not problems, "\n\n".join(problems)


def fits(page: Any, width: int) -> None:
    """Check that nothing stands out of the window."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    out = page.evaluate(
        """width => [...document.querySelectorAll('button, input, select, h1, h2')]
            .filter(e => e.checkVisibility() && !e.closest('[role=grid], [role=menu]'))
            .filter(e => { const b = e.getBoundingClientRect();
                return b.width > 0 && (b.right > width + 1 || b.left < -1) })
            .map(e => e.outerHTML.slice(0, 120))""",
        width,
    )
    assert out == []


def test_a_phone_shows_one_pane_at_a_time(visitor: Visitor, shown: Any) -> None:
    page = visitor.open(shown, MAPS_ONLY, viewport={"width": 390, "height": 844}, has_touch=True)
    filled(page)
    fits(page, 390)
    shot(page, "browser-phone")
    panes = page.get_by_role("navigation", name="Panes")
    panes.get_by_role("button", name="Search").click()
    expect(page.get_by_role("searchbox", name="Words")).to_be_visible()
    expect(grid(page)).to_be_hidden()
    fits(page, 390)
    page.get_by_role("region", name="Search", exact=True).get_by_label("HIFI").check()
    panes.get_by_role("button", name="Results").click()
    expect(page.get_by_role("list", name="Filters")).to_contain_text("HIFI")
    # The box selects; a tap on the row leads to what is in it, and back leads to the row.
    grid(page).locator("#row-2 [data-check]").tap()
    expect(page.get_by_role("status", name="Selected")).to_contain_text("1 selected")
    expect(grid(page)).to_be_visible()
    grid(page).locator("#row-1").tap()
    expect(page.get_by_role("tab", name="Preview")).to_be_visible()
    expect(grid(page)).to_be_hidden()
    fits(page, 390)
    page.get_by_role("tab", name="Metadata").click()
    use = page.get_by_role("button", name="Use obsMode as filter").bounding_box()
    assert use["x"] + use["width"] <= 390
    page.reload()
    expect(page.get_by_role("tab", name="Metadata")).to_be_visible()
    page.go_back()
    expect(grid(page).locator("#row-1")).to_be_visible()


def test_a_large_screen_is_used(visitor: Visitor, shown: Any) -> None:
    page = visitor.open(shown, MAPS_ONLY, viewport={"width": 3840, "height": 2160})
    filled(page)
    fits(page, 3840)
    assert rows(page).count() > 50
    assert rows(page).first.bounding_box()["height"] >= 30
    # Names are paths: there is the room for them.
    page = visitor.open(shown, viewport={"width": 3840, "height": 2160})
    filled(page)
    assert any(name.startswith("1342182452/auxiliary/orbitEphemeris/") for name in names(page))


def test_panes_are_resized_and_remembered(visitor: Visitor, shown: Any) -> None:
    page = visitor.open(shown)
    filled(page)
    pane = page.get_by_role("region", name="Search", exact=True)
    before = pane.bounding_box()["width"]
    edge = page.get_by_role("separator", name="Width of the search pane")
    box = edge.bounding_box()
    page.mouse.move(box["x"] + 2, 400)
    page.mouse.down()
    page.mouse.move(box["x"] + 82, 400, steps=2)
    page.mouse.up()
    assert abs(pane.bounding_box()["width"] - before - 80) <= 2
    edge.press("ArrowLeft")
    expect(edge).to_have_attribute("aria-valuenow", str(round(before + 64)))
    page.reload()
    filled(page)
    assert abs(pane.bounding_box()["width"] - before - 64) <= 2


def test_colours_are_those_of_the_system_or_chosen(visitor: Visitor, shown: Any) -> None:
    page = visitor.open(shown, color_scheme="dark")
    root = page.locator(".skypool.page")
    expect(root).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Colours: as the system").click()
    page.get_by_role("button", name="Colours: light").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")


def test_the_network_is_never_asked(visitor: Visitor, shown: Any) -> None:
    context = visitor.context(shown)
    asked: list[str] = []
    page = visitor.watch(context.new_page())
    page.on("request", lambda request: asked.append(request.url))
    page.goto(shown.base)
    count_is(page, EVERYTHING)
    grid(page).locator("#row-3").click()
    page.get_by_role("button", name="Thumbnails").click()
    page.get_by_role("button", name="Sky", exact=True).click()
    for tab in ("Metadata", "Header", "Contents", "Versions", "Provenance", "Storage"):
        page.get_by_role("tab", name=tab).click()
    assert asked and all(url.startswith((shown.base, "blob:", "data:")) for url in asked)


def test_a_server_that_is_gone_is_told(visitor: Visitor, own_pools: dict[str, Path]) -> None:
    from tests.web.serving import serve

    visitor.allowed += ["net::ERR_"]
    with serve(own_pools["maps"]) as served:
        page = visitor.open(served)
        count_is(page, MAPS + 3)
    query(page).fill("obsid > 0")
    query(page).press("Enter")
    expect(page.get_by_role("log", name="Messages")).to_contain_text("the server does not answer")


# --- the bundle


def built() -> list[Path]:
    files = sorted(path for path in STATIC.rglob("*") if path.is_file())
    if not files:
        without_node("the page is not built: make frontend")
    return files


def test_the_bundle_names_no_other_place() -> None:
    # Namespaces of XML are names that nobody asks; Svelte's addresses stand in texts of errors.
    harmless = re.compile(r"https?://(www\.w3\.org/|svelte\.dev/e/)")
    found = {
        f"{path.name}: {address}"
        for path in built()
        for address in re.findall(r"https?://[^\s\"'`)]*", path.read_text(encoding="utf-8"))
        if not harmless.match(address)
    }
    assert found == set()
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!\./)[^"]*"', page) == []
    assert "<script>" not in page and " style=" not in page


def test_the_page_is_light() -> None:
    page = [path for path in built() if path.name not in ("widget.js", "widget.css")]
    weight = sum(len(gzip.compress(path.read_bytes(), 9)) for path in page)
    assert weight < 150_000, f"{weight} bytes compressed"


def test_what_is_shipped_is_what_the_sources_make(packages: Path, tmp_path: Path) -> None:
    folder = tmp_path / "static"
    environment = {**os.environ, "SKYPOOL_STATIC": str(folder)}
    done = subprocess.run(
        ["npm", "run", "build"], cwd=FRONTEND, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    made = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    shipped = {path.relative_to(STATIC): path.read_bytes() for path in built()}
    assert sorted(made) == sorted(shipped), "make frontend, and commit src/skypool/web/static"
    assert [name for name in made if made[name] != shipped[name]] == []


def test_types_and_logic_of_the_page(packages: Path) -> None:
    for script in ("check", "test"):
        done = subprocess.run(["npm", "run", script], cwd=FRONTEND, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_the_lock_names_no_registry() -> None:
    text = (FRONTEND / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "omit-lockfile-registry-resolved=true" in (FRONTEND / ".npmrc").read_text("utf-8")
