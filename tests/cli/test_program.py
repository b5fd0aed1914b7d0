"""The program as a whole: help, start-up, errors in the words, completion, documentation."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from tests.docs.pages import page

import skypool
from skypool.cli.app import VERBS, app
from skypool.cli.state import State, nearest_pool
from skypool.cli.verb import Verb

NAMES = [name for _, verbs in VERBS for name, _, _ in verbs]
ROOT = Path(__file__).resolve().parents[2]


def command(name: str) -> Verb:
    found = app.get_command(click.Context(app), name)
    assert isinstance(found, Verb)
    return found


def test_the_verbs_are_those_of_the_contract() -> None:
    contract = (
        "init add ls find show tree history diff tag untag mv rm restore export path cutout"
        " verify gc info reindex pools"
    )
    later = "clone pull push hipe herschel undo trash du purge forget manifest"
    later += " status complete relocate absorb"
    later += " send receive serve tui ui mount unmount config copy collect watch drop get doctor"
    assert {*contract.split(), *later.split(), "completion", "help"} == set(NAMES)


def test_version(sky: Callable[..., Any]) -> None:
    assert sky("--version").out == f"skypool {skypool.__version__}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_of_all(sky: Callable[..., Any], words: list[str]) -> None:
    text = sky(*words).out
    assert text.startswith("Examples:\n  skypool add ")
    for name in NAMES:
        assert re.search(rf"^  {name} +\w", text, re.MULTILINE), name
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_verb_starts_with_aligned_examples(sky: Callable[..., Any], name: str) -> None:
    text = sky("help", name).out
    assert sky(name, "--help").out == sky(name, "-h").out == text
    lines = text.splitlines()
    assert lines[0] == "Examples:"
    examples = lines[1 : lines.index("")]
    assert examples
    assert all(line.startswith("  skypool ") for line in examples)
    pairs = command(name).examples
    width = max(len(words) for words, _ in pairs)
    assert examples == [f"  skypool {words:<{width}}  {what}".rstrip() for words, what in pairs]
    assert max(len(line) for line in lines) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_commands_that_parse(name: str) -> None:
    for words, _ in command(name).examples:
        args = shlex.split(re.split(r" [|>]", words)[0])
        args = args[2:] if args[0] == "-p" else args
        with command(args[0]).make_context(args[0], args[1:], obj=State()):
            pass


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_and_option_is_documented(name: str) -> None:
    text = page("command-line.md").read_text("utf-8")
    section = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert f"skypool {name}" in section[1]
    common = text.split("## Options of every verb")[1].split("\n## ")[0]
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            longest = max((o for o in parameter.opts if o.startswith("--")), key=len)
            assert longest in section[1] or longest in common, longest


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("search", "find"), ("finds", "find"), ("hstory", "history"), ("list", "ls"),
     ("remove", "rm"), ("log", "history"), ("verfy", "verify")],
)  # fmt: skip
def test_a_wrong_verb_names_the_right_one(sky: Callable[..., Any], typed: str, meant: str) -> None:
    wrong = sky(typed, code=2)
    assert "did you mean" in wrong.err
    assert meant in wrong.err
    assert wrong.out == ""
    error = sky(typed, "--json", code=2).json["error"]
    assert error["code"] == "usage"
    assert meant in error["candidates"]


@pytest.mark.parametrize(
    "words",
    [["ls", "--jsno"], ["show"], ["add"], ["gc", "--grace", "soon"], ["nonsense"],
     ["find", "a", "b"], ["add", ".", ".", "--name", "x"], ["completion", "tcsh"],
     ["ls", "-p", ""], ["ls", "-p", "s3://x/y"]],
)  # fmt: skip
def test_usage_errors_are_json_too(sky: Callable[..., Any], words: list[str]) -> None:
    plain = sky(*words, code=2)
    assert plain.out == ""
    assert plain.err.startswith("skypool: ")
    for place in (0, len(words)):
        both = sky(*words[:place], "--json", *words[place:], code=2)
        assert set(both.json["error"]) == {"code", "message", "hint", "candidates"}
        assert both.json["error"]["code"] == "usage"
        assert both.json["error"]["message"]


def modules_after(*args: str) -> tuple[set[str], float]:
    """Run a command, and give the modules that it imported and the time it took."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "skypool", *args],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = {line.rsplit("|", 1)[1].strip() for line in run.stderr.splitlines() if "|" in line}
    times = [int(line.split("|")[1]) for line in run.stderr.splitlines()[1:] if "|" in line]
    return found, max(times) / 1e6


HEAVY = {"numpy", "astropy", "rich", "pyarrow", "pandas"}


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["completion", "zsh"]])
def test_little_is_imported_to_start(words: list[str]) -> None:
    modules, _ = modules_after(*words)
    assert not modules & (HEAVY | {"skypool.pool.pool", "sqlite3"})


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(sky: Callable[..., Any], shell: str) -> None:
    script = sky("completion", shell).out
    assert "_SKYPOOL_COMPLETE" in script
    assert sky("completion", shell, "--json").json["script"] == script.removesuffix("\n")


def completions(words: str, position: int) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", "from skypool.cli.main import main; main()"],
        env=os.environ | {
            "_SKYPOOL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stderr == ""
    return [line.partition(",")[2] for line in run.stdout.splitlines() if line]


def test_verbs_and_options_are_completed() -> None:
    assert completions("skypool re", 1) == ["restore", "receive", "relocate", "reindex"]
    assert "--in-place" in completions("skypool add --in", 2)
    assert completions("skypool show x", 2) == []  # no pool: nothing, and no error


def test_the_nearest_pool_is_found_upwards(tmp_path: Path) -> None:
    deep = tmp_path / "a/b/c"
    deep.mkdir(parents=True)
    assert nearest_pool(str(deep)) is None
    (tmp_path / "a" / "skypool.json").write_text("{}")
    assert nearest_pool(str(deep)) == str(tmp_path / "a")
    assert nearest_pool(str(tmp_path / "a")) == str(tmp_path / "a")


def test_without_any_pool_reading_fails_with_10(
    sky: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ["ls"], ["find"], ["show", "x"], ["tree", "x"], ["history"], ["diff", "x", "y"],
        ["tag", "x", "y"], ["untag", "x", "y"], ["mv", "x", "y"], ["rm", "x"], ["restore", "x"],
        ["undo", "1"], ["trash"],
        ["export", "x", "out"], ["path", "x"], ["cutout", "x", "1", "2", "3", "-o", "f"],
        ["verify"], ["gc"], ["info"], ["reindex"],
    ):  # fmt: skip
        for where in ([], ["-p", "./missing"], ["-p", "missing"]):
            error = sky(*where, *words, "--json", code=10).json["error"]
            assert error["code"] == "pool_not_found"
    assert list(tmp_path.iterdir()) == []
    assert not Path(os.environ["SKYPOOL_HOME"]).exists()


def test_an_unexpected_error_is_one_line_and_a_file() -> None:
    code = (
        "import sys, skypool.cli.verbs.init as v\n"
        "def broken(*a, **k): raise ZeroDivisionError('no\\nway')\n"
        "v.pools_verb.callback = broken\n"
        "from skypool.cli.main import main\n"
        "sys.argv = ['skypool', *sys.argv[1:]]\n"
        "sys.exit(main())"
    )

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, "pools", *args],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    plain = run()
    assert plain.returncode == 1
    assert plain.stdout == ""
    assert plain.stderr.count("\n") == 1
    assert "ZeroDivisionError: no" in plain.stderr
    kept = Path(re.search(r"with (\S+):", plain.stderr)[1])  # type: ignore[index]
    assert "Traceback" in kept.read_text()
    kept.unlink()
    found = run("--json", "--debug")
    assert json.loads(found.stdout)["error"]["code"] == "unexpected"
    assert "Traceback" in found.stderr
