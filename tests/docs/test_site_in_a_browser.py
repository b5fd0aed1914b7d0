"""The site in a browser: readable for everybody, searched without a network, fit for a phone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .pages import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Request

pytestmark = pytest.mark.campaign

AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
#: One page of each sort: the front page, a lesson, tables, the command line, Python.
SORTS = [
    "index.html",
    "tutorials/first-pool.html",
    "explain/compared.html",
    "reference/command-line.html",
    "reference/python/products.html",
]
BEYOND = """() => [...document.querySelectorAll('.bd-article *')].filter(one =>
    one.getBoundingClientRect().right > innerWidth + 1
    && !one.closest('pre, .pst-scrollable-table-container, .math')).map(one => one.outerHTML)"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site."""
    pytest.importorskip("myst_parser", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, ROOT / "scripts/docs.py", folder], check=True)
    return folder / "html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser that has no network."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: sh scripts/debian.sh chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    arguments = ["--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9"]
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SORTS)
def test_axe_finds_nothing_serious(site: Path, browser: Browser, name: str, scheme: Any) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in frontend")
    with browser.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        page.goto((site / name).as_uri())
        page.add_script_tag(path=AXE)
        found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    serious = [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert serious == []


def test_search_works_offline_from_a_folder(site: Path, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((site / "search.html").as_uri() + "?q=relocate")
        page.locator("#search-results ul.search li a").first.wait_for()
        assert "in-place" in page.locator("#search-results").inner_html()


def test_pages_fit_a_phone_and_load_all_that_they_show(site: Path, browser: Browser) -> None:
    wrong: list[str] = []

    def failed(request: Request) -> None:
        # What the next page comes before (the icon of this one) is given up, not missing.
        if "ERR_ABORTED" not in (request.failure or ""):
            wrong.append(f"failed: {request.url}: {request.failure}")

    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        page.on("requestfailed", failed)
        page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        for path in sorted(site.rglob("*.html")):
            if "_static" in path.parts:
                continue
            page.goto(path.as_uri())
            beyond = page.evaluate(BEYOND)
            wrong += [f"{path.name} is too wide: {one[:120]}" for one in beyond]
            broken = (
                "() => [...document.images].filter(one => !one.naturalWidth).map(one => one.src)"
            )
            wrong += [f"{path.name} lacks {one}" for one in page.evaluate(broken)]
    assert wrong == []
