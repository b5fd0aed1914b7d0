"""Every block of every page does what the page says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .pages import NOT_RUN, RUN, blocks, pages
from .run import Runner
from .worlds import REALLY, WORLDS, nothing

PAGES = {path.name if path.parent.name == "docs" else f"{path.parent.name}/{path.name}": path
         for path in pages()}  # fmt: skip
#: Figures that pages draw, and what they are called in docs/screens.
FIGURES = {
    "first-pool.md": ("psw.png", "first-plot"),
    "data-mining.md": ("maps.png", "data-mining"),
}
RUNNING = {name: path for name, path in PAGES.items()
           if any(block.language in RUN for block in blocks(path))}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_block_says_what_it_is(name: str) -> None:
    for block in blocks(PAGES[name]):
        assert block.language in {*NOT_RUN, *RUN}, f"line {block.line}"


@pytest.mark.parametrize("name", sorted(RUNNING))
def test_the_page_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    path = RUNNING[name]
    tools = tmp_path / "tools"
    tools.mkdir()
    # Stands for DS9: shows nothing, and fails where there is no file.
    (tools / "ds9").write_text('#!/bin/sh\ntest -s "$1"\n')
    (tools / "ds9").chmod(0o755)
    home = tmp_path / "home"
    work = home / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    for variable, value in {
        "HOME": str(home), "SKYPOOL_AUTHOR": "Jo Smith", "MPLBACKEND": "agg", "SHELL": "/bin/bash",
        "SKYPOOL": "", "COLUMNS": "100",
        "PATH": f"{tools}:{os.environ['PATH']}",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    world = WORLDS.get(f"{path.parent.name}/{path.name}", WORLDS.get(path.name, nothing))
    with world(work, monkeypatch) as names:
        runner = Runner(path, tmp_path, dict(names), REALLY.get(path.name, ()))
        try:
            for block in blocks(path):
                if block.language in RUN:
                    runner.run(block)
        finally:
            runner.close()
    assert runner.ran + runner.read
    if (folder := os.environ.get("SKYPOOL_SCREENS")) and path.name in FIGURES:
        from PIL import Image

        made, figure = FIGURES[path.name]
        Image.open(work / made).convert("RGB").save(Path(folder) / f"{figure}.webp", quality=80)
