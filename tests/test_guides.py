"""The guide to data mining runs as it stands."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_data_mining(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the guide ends with a figure")
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "data-mining.md").read_text("utf-8")
    text = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S))
    case = doctest.DocTestParser().get_doctest(text, {}, "data-mining.md", None, 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(case)
    assert result.attempted > 30
    assert not result.failed, capsys.readouterr().out
