"""Make the pictures of docs/howto/terminal-browser.md again: `python scripts/tui_screens.py`.

A made observation of Herschel is added twice, the second time reprocessed; the browser is driven
by keys, and what is on its screen is written to docs/screens. Chromium turns it into pictures.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import skypool as sp
from skypool.config import from_environment
from skypool.testing import observation
from skypool.tui.app import Browser

SCREENS = Path(__file__).resolve().parents[1] / "docs" / "screens"
SIZE = (132, 38)
SHOTS: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("tui-search", "", ("slash", *"instrument", "space", "equals_sign", "equals_sign", "space")),
    ("tui-look", "kind == 'SimpleImage'", ("space", "m", "m", "j", "j", "x", "x", "k")),
    ("tui-versions", "kind == 'SimpleImage'", ("G", "enter", "5")),
)


def made_pool(folder: Path) -> sp.Pool:
    """Return a pool with an observation in two versions."""
    root = observation.write(folder, 0.5)
    pool = sp.Pool(folder / "herschel")
    pool.add(root, tags=["using cal v1"], message="first reduction")
    observation.reprocess(root, 0.5)
    pool.add(root, tags=["using cal v2"], message="reprocessed", as_version=True)
    for ref in pool.find("kind == 'SimpleImage' and instrument == 'SPIRE'"):
        pool.tag(ref, "checked")
    return pool


async def shot(pool: sp.Pool, name: str, query: str, keys: Sequence[str]) -> Path:
    """Drive the browser, and write its screen as SVG."""
    app = Browser({"herschel": pool}, from_environment(), query=query)
    async with app.run_test(size=SIZE) as pilot:
        for key in ("", *keys):
            if key:
                await pilot.press(key)
            for _ in range(4):
                await pilot.pause()
                await app.workers.wait_for_complete()
        return Path(app.save_screenshot(f"{name}.svg", str(pool.path)))


def picture(svg: Path) -> None:
    """Turn an SVG into a small PNG."""
    from PIL import Image

    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg.read_text("utf-8"))
    assert found is not None
    width, height = (int(float(edge)) + 1 for edge in found.groups())
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is needed to turn SVG into PNG")
    raw = svg.with_suffix(".png")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--window-size={width},{height}", f"--screenshot={raw}", f"file://{svg}"]
    subprocess.run(command, check=True, capture_output=True)
    small = Image.open(raw).convert("RGB").resize((1100, 1100 * height // width))
    SCREENS.mkdir(exist_ok=True)
    small.quantize(32).save(SCREENS / raw.name, optimize=True)


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        pool = made_pool(Path(folder))
        for name, query, keys in SHOTS:
            picture(asyncio.run(shot(pool, name, query, keys)))
            print(SCREENS / f"{name}.png")
        pool.close()


if __name__ == "__main__":
    main()
