"""The documentation builds as a site, offline, without a link that leads nowhere."""

from __future__ import annotations

import html.parser
import re
import subprocess
import sys
import zlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

import skypool

from .pages import DOCS, ROOT, pages
from .public import classes, members

# Options that all verbs have are told once.
COMMON = {"pool_option", "json_option", "debug_option"}


def test_the_site(tmp_path: Path) -> None:
    """One test, so that the site is built once, whatever worker takes it."""
    pytest.importorskip("myst_parser", reason="the extra `docs` is not installed")
    pytest.importorskip("pydata_sphinx_theme", reason="the extra `docs` is not installed")
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/docs.py", tmp_path], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    site = tmp_path / "html"
    every_page_is_there(site)
    links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(site)
    styles_and_scripts_load_nothing_from_elsewhere(site)
    every_public_name_is_there(site)
    every_verb_and_route_is_there(site)


class Links(html.parser.HTMLParser):
    """Addresses that a page loads or leads to, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and "href" in values:
            self.leads.append(values["href"])
        elif tag == "link" and values.get("rel") != "canonical":
            self.loads.append(values["href"])
        elif tag in ("script", "img", "source", "iframe") and values.get("src"):
            self.loads.append(values["src"])


def every_page_is_there(site: Path) -> None:
    for page in pages():
        assert (site / page.relative_to(DOCS).with_suffix(".html")).is_file()


def links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    read = {
        path: Links(path.read_text("utf-8"))
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }
    assert len(read) > len(pages())
    wrong = []
    for path, found in read.items():
        wrong += [f"{path.name} loads {url}" for url in found.loads if urlsplit(url).netloc]
        for url in [*found.leads, *found.loads]:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                wrong.append(f"{path.name} leads to {url}")
            elif parts.fragment and target in read and parts.fragment not in read[target].anchors:
                wrong.append(f"{path.name} leads to {url}: no such anchor")
    assert wrong == []


def styles_and_scripts_load_nothing_from_elsewhere(site: Path) -> None:
    for path in [*site.rglob("*.css"), DOCS / "_site/static/site.js"]:
        text = path.read_text("utf-8")
        assert not re.search(r"""(?:url\(|@import|fetch\()\s*['"]?(?:https?:)?//""", text), path


def documented(site: Path) -> set[str]:
    """Return the names of Python that the site has."""
    _, _, _, _, packed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split(" ", 1)[0] for line in lines if " py:" in line}


def every_public_name_is_there(site: Path) -> None:
    names = documented(site)
    for name in set(skypool.__all__) - {"__version__", "errors"}:
        assert f"skypool.{name}" in names
    missing = []
    for place, found in classes().items():
        for member in members(found):
            told = re.search(
                rf"^ *(?:\w+, )*{member}\b(?:, \w+)*(?: : |$)", found.__doc__ or "", re.M
            )
            if f"{place}.{member}" not in names and not told:
                missing.append(f"{place}.{member}")
    assert missing == []


def every_verb_and_route_is_there(site: Path) -> None:
    from skypool.cli.app import app

    verbs = (site / "reference/verbs.html").read_text("utf-8")
    for name in app.list_commands(None):  # type: ignore[arg-type]
        found = re.search(rf'<section id="{name}">.*?(?=<section|</main>)', verbs, re.S)
        assert found is not None, name
        command = app.get_command(None, name)  # type: ignore[arg-type]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.name in COMMON or any(
                    f'<span class="pre">{option}' in found[0] for option in parameter.opts
                ), f"{name} {parameter.opts}"
    routes = (site / "reference/http-api.html").read_text("utf-8")
    assert routes.count('class="pre">GET<') > 30
