"""What browsers do differently, in a real Firefox: tall elements, styles, roles."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.web.marionette import END, FIREFOX, Firefox
from tests.web.serving import serve
from tests.web.test_page import AXE
from tests.web.test_results import MANY, many_answer

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed: firefox-esr"),
]

GRID = "document.querySelector('[role=grid][aria-label=Products]')"
ROWS = f"[...{GRID}.querySelectorAll('[data-ref]')]"


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    """Return a Firefox of the test's own."""
    opened = Firefox(tmp_path / "profile")
    yield opened
    opened.close()


def _million(application: Callable[..., Any]) -> Callable[..., Any]:
    """Answer for results as a server of a million products would; for the rest as it is."""

    async def around(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/api/v1/results"):
            await application(scope, receive, send)
            return
        body = json.dumps(many_answer(path, scope["query_string"].decode())).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return around


def test_a_million_rows_scroll_in_firefox(firefox: Firefox, made_pools: dict[str, Path]) -> None:
    with serve(made_pools["maps"], around=_million) as served:
        firefox.go(f"{served.base}?token={served.token}")
        firefox.until(f"return {GRID} && {ROWS}.length > 10")
        height = firefox.run(f"return {GRID}.scrollHeight")
        assert MANY < height < 6_100_000  # Firefox draws nothing above 17.8 million
        box = firefox.run(f"const b = {GRID}.getBoundingClientRect(); return [b.x + 90, b.y + 200]")
        firefox.wheel(int(box[0]), int(box[1]), 260)
        firefox.until(f"return {GRID}.querySelector('#row-10') && !{GRID}.querySelector('#row-3')")
        for share, expected in ((0.5, MANY // 2), (0.25, MANY // 4), (1, MANY - 1)):
            firefox.run(
                f"const g = {GRID}; g.scrollTop = (g.scrollHeight - g.clientHeight) * arguments[0]",
                share,
            )
            near = firefox.until(
                f"const seen = {ROWS}.map(r => +r.dataset.index);"
                "return seen.some(i => Math.abs(i - arguments[0]) < 400) ? seen : null",
                expected,
            )
            # What is drawn lies in sight, row under row, and nothing is a gap.
            tops = firefox.run(
                f"return {ROWS}.map(r => [+r.dataset.index, r.getBoundingClientRect().top])"
                ".sort((a, b) => a[0] - b[0]).map(r => r[1])"
            )
            steps = [after - before for before, after in pairwise(tops)]
            assert near and max(steps) - min(steps) < 1.01
        firefox.run(f"{GRID}.scrollTop = 0; {GRID}.focus()")
        firefox.press(END)
        last = f"return {GRID}.querySelector('#row-{MANY - 1}')?.getAttribute('aria-selected')"
        firefox.until(f"{last} === 'true'")


@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
def test_nothing_keeps_people_out_of_firefox(
    firefox: Firefox, made_pools: dict[str, Path], dark: int
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: cd frontend && npm ci")
    with serve(made_pools["maps"]) as served:
        firefox.go(f"{served.base}?token={served.token}")
        firefox.until(f"return {GRID} && {ROWS}.length > 10")
        if dark:
            firefox.run("document.querySelector('.skypool').dataset.theme = 'dark'")
        firefox.run(f"{ROWS}.find(r => r.textContent.includes('maps/0002')).click()")
        firefox.until(  # the source in the middle is painted
            "const c = document.querySelector('[role=tabpanel] canvas'); if (!c) return false;"
            "const d = c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data;"
            "return d[0] > 250 && d[1] > 250"
        )
        if folder := os.environ.get("SKYPOOL_SCREENS"):
            name = f"firefox-{'dark' if dark else 'light'}.png"
            Path(folder, name).write_bytes(base64.b64decode(firefox.picture()))
        found = firefox.run(
            AXE.read_text("utf-8")
            + ";return (window.axe ?? axe).run(document, {resultTypes: ['violations']}).then(r =>"
            " r.violations.filter(v => ['serious', 'critical'].includes(v.impact))"
            ".map(v => v.id + ' ' + v.nodes.map(n => n.html.slice(0, 200)).join(' | ')))"
        )
        assert found == []
