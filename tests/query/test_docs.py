"""The documentation of the language runs, and is complete."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from skypool.cli.app import app
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


def test_questions_of_the_command_line(monkeypatch, tmp_path):
    """The same questions as commands, of the pool that the page makes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKYPOOL", "questions")
    monkeypatch.setenv("SKYPOOL_AUTHOR", "Jo Smith")
    page = PAGE.with_name("questions.md")
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```(python|console)\n(.*?)^```$", text, re.M | re.S)
    code = "\n".join(block for language, block in blocks if language == "python")
    doctest.DocTestRunner(verbose=False).run(
        doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0), out=len
    )
    asked = 0
    for block in (block for language, block in blocks if language == "console"):
        for command in block.removeprefix("$ ").split("\n$ "):
            line, _, expected = command.partition("\n")
            words = shlex.split(line.replace("\\$", "$"))
            assert words.pop(0) == "skypool"
            result = CliRunner().invoke(app, words)
            assert (result.exit_code, result.stderr) == (0, "")
            assert result.stdout.split() == expected.split(), line
            asked += 1
    titles = re.findall(r"^\*\*(.*?)\*\*", text, re.M)
    assert len(titles) >= 16
    assert asked > len(titles)


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *CONSTANTS, *ATTRIBUTES, *FACETS, *STRUCTURE}))
def test_everything_is_documented(name):
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", PAGE.read_text("utf-8"))
