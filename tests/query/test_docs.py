"""The documentation of the language runs, and is complete."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from skypool.query.functions import CONSTANTS, FUNCTIONS
from skypool.query.tree import ATTRIBUTES, FACETS, STRUCTURE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "query.md"


@pytest.mark.parametrize("name", ["query.md", "questions.md"])
def test_examples(monkeypatch, tmp_path, capsys, name):
    monkeypatch.chdir(tmp_path)
    page = PAGE.with_name(name)
    text = "\n".join(re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S))
    # the detail of an error is compared line by line, its class too
    case = doctest.DocTestParser().get_doctest(text, {}, name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    result = runner.run(case)
    assert result.attempted > 40
    assert not result.failed, capsys.readouterr().out


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *CONSTANTS, *ATTRIBUTES, *FACETS, *STRUCTURE}))
def test_everything_is_documented(name):
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", PAGE.read_text("utf-8"))
