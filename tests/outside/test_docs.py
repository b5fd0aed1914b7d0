"""The page on files that stay where they are runs as it stands."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest


def test_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (page,) = (Path(__file__).resolve().parents[2] / "docs").rglob("in-place.md")
    text = "\n".join(re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S))
    case = doctest.DocTestParser().get_doctest(text, {}, page.name, None, 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(case, clear_globs=False)
    if "pool" in case.globs:
        case.globs["pool"].close()
    assert result.attempted > 10
    assert not result.failed, capsys.readouterr().out
