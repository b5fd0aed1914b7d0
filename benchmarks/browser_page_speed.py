"""Time the page of the Product Browser in a real browser, over a pool of very many products.

    python benchmarks/browser_page_speed.py FOLDER

FOLDER is a pool that `benchmarks/big_pool.py` has made. The server is started as a user starts it,
in a process of its own; Chromium opens the page, and all times are those of the page's own clock,
until what was asked for is drawn. The first visit meets a server that has nothing in memory, and is
told apart from the median of the later ones; each visit is another one, with empty caches. Rows are
timed from the beginning of the visit, and from the event that tells that the page is loaded. On a
busy machine the time of the page's own thread says more: it stands at the end.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from browser_speed import Line, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
VISITS = 6
# Until rows are drawn, counted from the beginning of the visit.
FIRST_ROWS = """async () => {
    while (!document.querySelector('[role=grid] [data-ref]')) {
        await new Promise(requestAnimationFrame);
    }
    await new Promise(requestAnimationFrame);
    return performance.now();
}"""
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
# Until all rows in sight are there, counted from the move of the scroll bar.
JUMP = """async fraction => {
    const grid = document.querySelector('[role=grid]');
    const total = Number(grid.getAttribute('aria-rowcount')) - 1;
    const began = performance.now();
    grid.scrollTop = fraction * (grid.scrollHeight - grid.clientHeight);
    for (;;) {
        await new Promise(requestAnimationFrame);
        const rows = [...grid.querySelectorAll('[data-index]')];
        const there = Math.abs(Number(rows[0]?.dataset.index) / total - fraction) < 0.01;
        if (there && rows.every(row => row.dataset.ref)) return performance.now() - began;
    }
}"""
# Until the count and the rows of the new result are there, counted from the click.
FACET = """async place => {
    const facet = document.querySelector('section[aria-label=instrument]');
    const shown = document.querySelector('[aria-label=Result]');
    const before = shown.textContent;
    const began = performance.now();
    facet.querySelectorAll('input')[place].click();
    for (;;) {
        await new Promise(requestAnimationFrame);
        const now = shown.textContent;
        if (now !== before && !now.includes('loading')) return performance.now() - began;
    }
}"""
WHEEL = """async () => {
    const grid = document.querySelector('[role=grid]');
    let longest = 0;
    let last = performance.now();
    for (let step = 0; step < 100; step++) {
        grid.dispatchEvent(new WheelEvent('wheel', {deltaY: 400, cancelable: true}));
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
    }
    return longest;
}"""


def visit(browser: Browser, base: str, token: str) -> tuple[Page, CDPSession]:
    """Open the page in a context of its own; the session tells how busy its thread was."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        extra_http_headers={"Authorization": f"Bearer {token}"},
    )
    context.set_default_timeout(600_000)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    session.send("Performance.enable")
    page.goto(base, wait_until="commit")
    return page, session


def busy_page(session: CDPSession) -> float:
    """Return the milliseconds that the thread of a page was busy."""
    found = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(each["value"] for each in found if each["name"] == "TaskDuration")


def measure(browser: Browser, base: str, token: str) -> Iterator[Line]:
    """Yield name, budget, the first time and the median of the later ones, in seconds."""
    rng = random.Random(5)
    visits, loads, spent = [], [], []
    for number in range(VISITS):
        page, session = visit(browser, base, token)
        visits.append(page.evaluate(FIRST_ROWS))
        loads.append(visits[-1] - page.evaluate(LOADED))
        spent.append(busy_page(session))
        if number < VISITS - 1:
            page.context.close()
    yield "rows after the beginning of a visit", None, *split(visits)
    yield "rows after the page is loaded", 0.3, *split(loads)
    yield "the page's thread until rows are drawn", None, *split(spent)
    page.locator("section[aria-label=instrument] input").nth(2).wait_for()
    jumps = [page.evaluate(JUMP, rng.random()) for _ in range(30)]
    yield "jump anywhere", 0.06, *split(jumps)
    yield "longest frame of 100 turns of the wheel", None, *split([page.evaluate(WHEEL)] * 2)
    clicks = []
    for number in range(13):
        clicks.append(page.evaluate(FACET, (number // 2) % 3))
        page.wait_for_timeout(700)  # the counts of the facets come behind the rows
    yield "facet click", 0.3, *split(clicks)
    heap: Any = page.evaluate("performance.memory.usedJSHeapSize")
    print(f"{'memory of the page':44}{'':>9}{heap / 1e6:7.0f} MB")


def split(times: list[float]) -> tuple[float, float]:
    """Return the first of some times in milliseconds, and the median of the others, in seconds."""
    return times[0] / 1000, statistics.median(times[1:]) / 1000


def main() -> None:
    """Measure, and print each figure beside its budget."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures to a file too")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("chromium is not installed: sh scripts/debian.sh chromium")
    lines = []
    with served(options.folder) as (ask, _, _), sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        print(f"{'':44}{'budget':>9}{'first':>9}{'then':>9}", flush=True)
        for name, budget, first, later in measure(browser, ask.base, ask.token):
            lines.append({"name": name, "budget_s": budget, "first_s": first, "then_s": later})
            limit = "" if budget is None else f"{budget:.2f} s"
            mark = "  over" if budget is not None and later > budget else ""
            print(f"{name:44}{limit:>9}{first:8.3f}s{later:8.3f}s{mark}", flush=True)
        browser.close()
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
