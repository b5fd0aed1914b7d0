"""The widget's page in a real browser, over messages to the real widget."""

from __future__ import annotations

import base64
import json
import queue
import re
import time
from zipfile import ZipFile

import numpy as np
import pytest

import skypool as sp
from skypool.web import widget
from skypool.web.widget import ProductBrowser

PATIENCE = 60

# As anywidget calls a module, with a model whose other end is Python.
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>notebook</title>
<link rel="stylesheet" href="widget.css">
<textarea id="cell" aria-label="cell"></textarea>
<div style="transform: translate(40px, 20px); contain: layout"><div id="out"></div></div>
<script type="module">
import widget from "./widget.js";
const listeners = {};
const pack = (buffer) => {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) {
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  }
  return btoa(text);
};
window.fromKernel = (content, buffers) => {
  const views = buffers.map((text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new DataView(bytes.buffer);
  });
  for (const listener of [...(listeners["msg:custom"] ?? [])]) listener(content, views);
};
const model = {
  get: (name) => window.state[name],
  send: (content, _, buffers = []) => window.toKernel(JSON.stringify(content), buffers.map(pack)),
  on: (event, listener) => (listeners[event] ??= new Set()).add(listener),
  off: (event, listener) => listeners[event]?.delete(listener),
};
window.end = widget.render({ model, el: document.getElementById("out") });
window.keys = [];
document.addEventListener("keydown", ({ key, defaultPrevented }) => {
  window.keys.push([key, defaultPrevented]);
});
</script></html>"""


class Notebook:
    """A page with the widget in it, and the widget; `until` lets messages pass."""

    def __init__(
        self, chromium, browser: ProductBrowser, *, answers: bool = True, **context
    ) -> None:
        self.browser = browser
        self.answers = answers
        self.problems: list[str] = []
        self.waiting: queue.Queue = queue.Queue()
        browser.send = lambda content, buffers=None: self.waiting.put((content, buffers or []))
        self.context = chromium.new_context(viewport={"width": 1400, "height": 900}, **context)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._said)
        self.page.expose_binding("toKernel", self._sent)
        state = {name: browser.get_state()[name] for name in ("height", "address", "summary")}
        self.page.add_init_script(f"window.state = {json.dumps(state)}")
        self.page.route("**/*", self._serve)
        self.page.goto("http://notebook.invalid/")

    def _said(self, message) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _serve(self, route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name == "":
            route.fulfill(body=PAGE, content_type="text/html")
        elif name in ("widget.js", "widget.css"):
            kind = "text/javascript" if name.endswith("js") else "text/css"
            route.fulfill(body=(widget.STATIC / name).read_text("utf-8"), content_type=kind)
        else:
            self.problems.append(f"the page asked for {route.request.url}")
            route.abort()

    def _sent(self, _, content: str, buffers: list[str]) -> None:
        if self.answers:
            raw = [memoryview(base64.b64decode(text)) for text in buffers]
            self.browser._heard(self.browser, json.loads(content), raw)

    def until(self, reached):
        """Let messages pass until a function says so; return what it says."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            while not self.waiting.empty():
                content, buffers = self.waiting.get()
                texts = [base64.b64encode(part).decode() for part in buffers]
                self.page.evaluate(
                    "([content, buffers]) => window.fromKernel(content, buffers)", [content, texts]
                )
            found = reached()
            if found:
                return found
            self.page.wait_for_timeout(20)
        pytest.fail(f"nothing came; the page said {self.problems}\n{self.page.inner_text('body')}")

    def seen(self, text: str):
        return self.until(lambda: self.page.get_by_text(text).first.is_visible())

    def close(self) -> None:
        self.context.close()
        assert self.problems == []


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "maps") as pool:
        with pool.commit() as commit:
            for number in range(8):
                image = np.random.default_rng(number).normal(size=(64, 64)).astype("f4")
                product = sp.Product(
                    kind="SimpleImage",
                    type="PXMP",
                    meta={"object": "M 83" if number % 2 else "M 51", "n": number},
                    datasets={"image": sp.Array(image, unit="Jy/beam")},
                )
                commit.save(product, name=f"map-{number}")
        yield pool


@pytest.fixture
def opened(pool, chromium):
    made: list[tuple[Notebook, ProductBrowser]] = []

    def open_page(query="", *, names=None, **more):
        browser = ProductBrowser([pool], query, namespace=lambda: names or {})
        made.append((Notebook(chromium, browser, **more), browser))
        return made[-1][0]

    yield open_page
    for notebook, browser in made:
        notebook.close()
        browser.close()


def test_the_page_searches_and_tells_python(opened, pool):
    notebook = opened("object == 'M 83'")
    notebook.seen("map-1")
    browser = notebook.browser
    notebook.until(lambda: browser.result is not None)
    assert [ref.name for ref in browser.result] == ["map-1", "map-3", "map-5", "map-7"]
    assert not notebook.page.get_by_text("map-2").count()
    notebook.page.get_by_text("map-3").first.click()
    notebook.until(lambda: len(browser.selected) == 1)
    assert browser.selected == [pool["map-3"]]
    notebook.seen("Jy/beam")
    notebook.until(lambda: notebook.page.locator("#out canvas").first.is_visible())
    browser.show(pool["map-5"])
    notebook.until(lambda: list(browser.selected) == [pool["map-5"]])
    box = notebook.page.get_by_role("searchbox").or_(notebook.page.get_by_label("Query")).first
    box.fill("n == 2")
    box.press("Enter")
    notebook.until(lambda: [ref.name for ref in browser.result] == ["map-2"])


def test_keys_outside_are_not_taken(opened):
    notebook = opened()
    notebook.seen("map-1")
    out = notebook.page.locator("#out")
    assert out.get_attribute("data-lm-suppress-shortcuts") == "true"
    notebook.page.evaluate("document.activeElement.blur(); window.keys.length = 0")
    for key in ("/", "t", "?", "Escape"):
        notebook.page.keyboard.press(key)
    assert notebook.page.evaluate("window.keys") == [[k, False] for k in ("/", "t", "?", "Escape")]
    assert notebook.page.evaluate(
        "!document.getElementById('out').contains(document.activeElement)"
    )


def test_products_of_the_notebook_are_saved(opened, pool):
    names = {"m83": sp.Product(type="NEW", meta={"object": "M 83"}), "pool": pool}
    notebook = opened(names=names)
    notebook.seen("map-1")
    page = notebook.page
    button = page.get_by_role("button", name="Save products of this notebook")
    notebook.until(button.is_enabled)
    button.click()
    dialog = page.get_by_role("dialog")
    notebook.until(lambda: dialog.get_by_text("not saved yet").is_visible())
    assert dialog.get_by_role("checkbox").is_checked()
    dialog.get_by_label("Name").fill("maps/m83")
    dialog.get_by_label("Tags").fill("using cal v1, mine")
    dialog.get_by_role("button", name="Save 1").click()
    notebook.until(lambda: "maps/m83" in pool)
    assert pool["maps/m83"].tags == ("mine", "using cal v1")
    notebook.seen("pool.save(m83, name='maps/m83', tags=['using cal v1', 'mine'])")
    notebook.until(lambda: not dialog.is_visible())
    # What is wrong is said where it was typed.
    button.click()
    notebook.until(lambda: dialog.is_visible())
    dialog.get_by_label("Name").fill("a//b")
    dialog.get_by_role("button", name="Save 1").click()
    notebook.until(lambda: dialog.get_by_role("alert").is_visible())
    dialog.get_by_role("button", name="Cancel").click()


def test_what_another_saves_is_told(opened, pool):
    notebook = opened()
    notebook.seen("map-1")

    def told():
        pool.save(sp.Product(meta={"at": time.time()}), name="later")
        notebook.page.wait_for_timeout(500)
        return notebook.page.get_by_text(re.compile(r"^\d+ new, refresh$")).first.is_visible()

    notebook.until(told)


def test_the_theme_of_the_notebook(opened):
    notebook = opened(color_scheme="light")
    notebook.seen("map-1")
    root = notebook.page.locator("#out .skypool").first
    assert root.get_attribute("data-theme") == "light"
    notebook.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    notebook.until(lambda: root.get_attribute("data-theme") == "dark")
    notebook.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    notebook.until(lambda: root.get_attribute("data-theme") == "light")


def test_the_menu_opens_where_it_is_asked_for(opened):
    """Notebooks move their cells by transformations, which move what is fixed, too."""
    notebook = opened()
    notebook.seen("map-1")
    row = notebook.page.get_by_text("map-1").first
    box = row.bounding_box()
    row.click(button="right", position={"x": 10, "y": 5})
    menu = notebook.page.get_by_role("menu").first
    notebook.until(lambda: menu.bounding_box() is not None)
    place = menu.bounding_box()
    assert abs(place["x"] - box["x"] - 10) < 8 and abs(place["y"] - box["y"] - 5) < 8
    notebook.page.keyboard.press("Escape")
    notebook.until(lambda: not menu.is_visible())


def test_a_zip_file_comes_over_the_channel(opened, tmp_path):
    notebook = opened("n == 3")
    notebook.seen("map-3")
    notebook.page.get_by_text("map-3").first.click()
    notebook.until(lambda: notebook.browser.selected)
    files = []
    notebook.page.on("download", lambda one: files.append(one))
    notebook.page.keyboard.press("e")
    dialog = notebook.page.get_by_role("dialog")
    notebook.until(lambda: dialog.is_visible())
    dialog.get_by_role("button", name="Download").click()
    notebook.until(lambda: files)
    files[0].save_as(tmp_path / "products.zip")
    assert [name for name in ZipFile(tmp_path / "products.zip").namelist() if "map-3" in name]


def test_pictures_come_over_the_channel(opened):
    notebook = opened()
    notebook.seen("map-1")
    notebook.page.get_by_role("button", name="Thumbnails").click()
    pictures = notebook.page.locator("#out img")
    shown = "all => all.length > 3 && all.every((one) => one.naturalWidth > 0)"
    notebook.until(lambda: pictures.evaluate_all(shown))
    sources = pictures.evaluate_all("all => all.map((one) => one.src)")
    assert all(source.startswith("blob:") for source in sources)


def test_without_a_kernel_the_table_stays(opened):
    notebook = opened(answers=False)
    out = notebook.page.locator("#out")
    notebook.until(lambda: out.get_by_text("Pool maps").is_visible())
    notebook.page.wait_for_timeout(300)
    assert out.locator(".skypool-view").count() == 1
    assert out.locator(".skypool").count() == 0
    assert notebook.page.evaluate("document.getElementById('out').querySelector('script')") is None


def test_ending_leaves_nothing(opened):
    notebook = opened()
    notebook.seen("map-1")
    notebook.page.evaluate("window.end()")
    notebook.until(lambda: notebook.page.locator("#out .skypool").count() == 0)


def test_one_file_without_anything_from_elsewhere(chromium):
    text = (widget.STATIC / "widget.js").read_text("utf-8")
    assert re.search(r"export\s*\{[^}]*default[^}]*\}|export default", text)
    assert not re.search(r"^import[\s{*]|[^.\w]import\(", text, re.M)
