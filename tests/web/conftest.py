"""A browser that looks at the real page, served by the real application over made pools."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.products import fill, observation_pool

from skypool.web.pages import STATIC

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = bool(os.environ.get("SKYPOOL_REQUIRE_BROWSER"))
WAIT = 60_000
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
# A browser tells every answer of 4xx as an error of the page, those too that the page expects.
EXPECTED = re.compile(r"Failed to load resource: .* status of (409|410|422) ")


def without(reason: str) -> None:
    """Skip, or fail where the browser must be there."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def shot(page: Page, name: str) -> None:
    """Keep a picture of the page for the documentation: SKYPOOL_SCREENS names its folder."""
    folder = os.environ.get("SKYPOOL_SCREENS")
    if folder:
        from PIL import Image
        from playwright.sync_api import expect

        page.evaluate("new Promise(requestAnimationFrame)")
        expect(page.locator('[aria-busy="true"]')).to_have_count(0)
        made = Image.open(io.BytesIO(page.screenshot()))
        made.convert("RGB").save(Path(folder) / f"{name}.webp", quality=72, method=6)


# While playwright runs, its loop is that of the thread, and nobody else can run one: so it ends
# with the tests of a module.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the browser of the tests of a module."""
    if not (STATIC / "index.html").is_file():
        without("the page is not built: make frontend")
    if CHROMIUM is None:
        without("chromium is not installed: sh scripts/debian.sh chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        without("playwright is not installed: pip install playwright")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def made_pools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders of pools of all sorts; who changes one takes a copy (`own_pools`)."""
    folder = tmp_path_factory.mktemp("web")
    return {
        "maps": fill(folder / "maps"),
        "observations": observation_pool(folder / "observations", folder / "in"),
    }


@pytest.fixture
def own_pools(made_pools: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """Return pools like `made_pools` that a test may change."""
    return {
        label: Path(shutil.copytree(folder, tmp_path / label))
        for label, folder in made_pools.items()
    }


@pytest.fixture(scope="session")
def shown(made_pools: dict[str, Path]) -> Iterator[Any]:
    """Serve the made pools to all tests that only look."""
    from tests.web.serving import serve

    with serve(*made_pools.values()) as served:
        yield served


@pytest.fixture(scope="session")
def looks_pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a pool with something of each sort to look at."""
    from tests.web.looks import fill_looks

    return fill_looks(tmp_path_factory.mktemp("looks") / "looks")


@pytest.fixture(scope="session")
def looks_server(looks_pool: Path) -> Iterator[Any]:
    """Serve `looks_pool` to all tests that only look."""
    from tests.web.serving import serve

    with serve(looks_pool) as served:
        yield served


@pytest.fixture
def look(visitor: Visitor, looks_server: Any, looks_pool: Path) -> Callable[..., Any]:
    """Return what opens the preview of a product of `looks_pool` by its name."""
    from tests.web.looks import open_look

    return partial(open_look, visitor, looks_server, looks_pool)


class Visitor:
    """Opens pages, and tells in the end what went wrong in them.

    Parameters
    ----------
    browser
        The browser; each page has a context of its own.

    Attributes
    ----------
    problems : list of str
        Errors and warnings of all pages so far.
    allowed : list of str
        Parts of messages that a test expects.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._stack = ExitStack()
        self.problems: list[str] = []
        self.allowed: list[str] = []

    def serve(self, *folders: Path, **options: Any) -> Any:
        """Serve pools as long as the pages of this test are open."""
        from tests.web.serving import serve

        return self._stack.enter_context(serve(*folders, **options))

    def context(self, served: Any, **options: Any) -> BrowserContext:
        """Return a new visit: no cookies, nothing remembered; the token is shown by a header."""
        options.setdefault("viewport", {"width": 1440, "height": 900})
        options.setdefault("color_scheme", "light")
        headers = {"Authorization": f"Bearer {served.token}"}
        context = self._browser.new_context(extra_http_headers=headers, **options)
        context.set_default_timeout(WAIT)
        context.set_default_navigation_timeout(WAIT)
        self._stack.callback(context.close)
        return context

    def open(self, served: Any, address: str = "", **options: Any) -> Page:
        """Open the page at an address such as ``#query=obsid%3D%3D1``, and wait for its result."""
        page = self.watch(self.context(served, **options).new_page())
        page.goto(served.base + address)
        return page

    def watch(self, page: Page) -> Page:
        """Note the errors of a page."""
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}\n{error.stack}"))
        page.on("console", self._heard)
        return page

    def _heard(self, message: Any) -> None:
        if message.type not in ("error", "warning") or EXPECTED.search(message.text):
            return
        if not any(part in message.text for part in self.allowed):
            self.problems.append(f"console: {message.text} ({message.location.get('url')})")

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Open pages of one test; errors in them fail it."""
    from playwright.sync_api import expect

    expect.set_options(timeout=WAIT)
    opened = Visitor(browser)
    yield opened
    opened.close()
    assert not opened.problems, "\n".join(opened.problems)


@pytest.fixture
def page(visitor: Visitor, shown: Any) -> Page:
    """Return the page over the pools that tests only look at."""
    return visitor.open(shown)
