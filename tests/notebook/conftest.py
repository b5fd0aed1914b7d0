"""Notebooks: what the widget needs, and a browser for its page."""

from __future__ import annotations

import pytest
from tests.web.conftest import browser, without

from skypool.web import widget

__all__ = ["browser", "chromium", "page_files"]


@pytest.fixture
def page_files(monkeypatch, tmp_path):
    """A page that does nothing: for what is about the Python side alone."""
    (tmp_path / "widget.js").write_text("export default { render() {} };")
    (tmp_path / "widget.css").write_text(".skypool {}")
    monkeypatch.setattr(widget, "STATIC", tmp_path)
    widget._static.cache_clear()
    yield
    widget._static.cache_clear()


@pytest.fixture
def chromium(browser):
    """Return the browser; skips, or fails where one must be there, without it or the page."""
    if not (widget.STATIC / "widget.js").is_file():
        without("the widget is not built: make frontend")
    return browser
