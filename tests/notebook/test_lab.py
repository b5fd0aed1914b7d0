"""The widget in the real JupyterLab, driven by a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.products import fill

import skypool as sp

pytestmark = pytest.mark.campaign

PATIENCE = 120
TOKEN = "a-token-for-one-notebook"
CELLS = (
    "import skypool as sp\npool = sp.Pool({pool!r})\n"
    "browser = pool.browse(\"kind == 'SimpleImage'\")\nbrowser",
    "print('chosen:', [ref.name for ref in browser.selected], 'of', len(browser.result))",
)


def _lab() -> str:
    """Return the program: of this environment, on the path, or the one that is named."""
    named = os.environ.get("SKYPOOL_JUPYTER_LAB")
    beside = Path(sys.executable).with_name("jupyter-lab")
    found = named or (str(beside) if beside.exists() else shutil.which("jupyter-lab"))
    if not found:
        pytest.skip("JupyterLab is not installed: pip install jupyterlab, or SKYPOOL_JUPYTER_LAB")
    return found


def _notebook(pool: Path) -> str:
    cells = [
        {"cell_type": "code", "id": f"cell{n}", "execution_count": None, "metadata": {},
         "outputs": [], "source": source.format(pool=str(pool))}
        for n, source in enumerate(CELLS)
    ]  # fmt: skip
    kernel = {"name": "skypool-test", "display_name": "skypool", "language": "python"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Run JupyterLab over a folder of its own, with this Python as its kernel."""
    program = _lab()
    kernel = tmp_path / "jupyter" / "kernels" / "skypool-test"
    kernel.mkdir(parents=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": words, "display_name": "skypool", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(about))
    # What widgets need in the page comes with the environment of the kernel.
    shared = os.path.join(sys.prefix, "share", "jupyter")
    places = {
        "JUPYTER_PATH": f"{tmp_path / 'jupyter'}{os.pathsep}{shared}",
        **{f"JUPYTER_{name}_DIR": str(tmp_path / name.lower())
           for name in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    options = [
        "--no-browser", "--ip=127.0.0.1", "--ServerApp.port=0", "--allow-root",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={work}",
    ]  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [program, *options], env=os.environ | places, stdout=log, stderr=log
        )
        try:
            yield _address(process, tmp_path), work
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def _address(process: subprocess.Popen[Any], place: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        for file in (place / "runtime").glob("jpserver-*.json"):
            try:
                return str(json.loads(file.read_text())["url"])
            except (ValueError, KeyError):
                continue  # it is being written
        time.sleep(0.1)
    pytest.fail(f"JupyterLab does not start:\n{(place / 'log').read_text()[-3000:]}")


def test_browse_in_jupyterlab(chromium, lab, tmp_path) -> None:
    from playwright.sync_api import expect

    address, work = lab
    maps = fill(tmp_path / "maps")
    (work / "browse.ipynb").write_text(_notebook(maps))
    with sp.Pool(maps, "r") as pool:
        many = len(pool.find("kind == 'SimpleImage'"))
    context = chromium.new_context(viewport={"width": 1500, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(f"{address}lab/tree/browse.ipynb?token={TOKEN}")
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        expect(cells).to_have_count(2)
        idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        expect(idle.first).to_be_attached()
        cells.nth(0).locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        grid = cells.nth(0).get_by_role("grid", name="Products")
        expect(grid).to_be_visible()
        row = grid.locator("[data-ref]").filter(has_text="maps/0002")
        row.click()
        expect(row).to_have_attribute("aria-selected", "true")
        canvas = cells.nth(0).locator(".skypool canvas")
        expect(canvas.first).to_be_visible()  # the quick look came over the kernel's channel
        # The notebook's own rules for lists would lay their terms over each other.
        float_ = "all => new Set(all.map(one => getComputedStyle(one).float)).size"
        assert cells.nth(0).locator(".skypool dt, .skypool dd").evaluate_all(float_) == 1
        assert cells.nth(0).locator(".skypool dt").first.evaluate(
            "one => getComputedStyle(one).float") == "none"  # fmt: skip
        if folder := os.environ.get("SKYPOOL_SCREENS"):
            page.screenshot(path=os.path.join(folder, "jupyterlab.png"))
        cells.nth(1).locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        said = f"chosen: ['maps/0002'] of {many}"
        expect(cells.nth(1).locator(".jp-OutputArea-output")).to_contain_text(said)
        assert not [error for error in errors if "skypool" in error], errors
    finally:
        context.close()
