"""Notebooks: what the widget needs, and a browser for its page."""

from __future__ import annotations

import os
import shutil

import pytest

from skypool.web import widget


@pytest.fixture
def page_files(monkeypatch, tmp_path):
    """A page that does nothing: for what is about the Python side alone."""
    (tmp_path / "widget.js").write_text("export default { render() {} };")
    (tmp_path / "widget.css").write_text(".skypool {}")
    monkeypatch.setattr(widget, "STATIC", tmp_path)
    widget._static.cache_clear()
    yield
    widget._static.cache_clear()


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium; skips without it unless SKYPOOL_REQUIRE_BROWSER is set."""
    found = shutil.which("chromium")
    if found is None and not os.environ.get("SKYPOOL_REQUIRE_BROWSER"):
        pytest.skip("chromium is not installed")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()
