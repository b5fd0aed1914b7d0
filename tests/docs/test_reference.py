"""The reference has all that there is, and nothing that is not."""

from __future__ import annotations

import inspect
import re
import runpy
import tomllib
from dataclasses import fields

import click
import pytest

import skypool
from skypool import errors
from skypool.cli.app import app
from skypool.query.functions import CONSTANTS, FUNCTIONS

from .pages import DOCS, ROOT, page, pages
from .public import BELOW, callables, classes, returned


def read(name: str) -> str:
    return page(name).read_text("utf-8")


def section(text: str, title: str) -> str:
    level = len(re.match(r"#+", title)[0])  # type: ignore[index]
    match = re.search(rf"^{re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", text, re.M | re.S)
    assert match is not None, title
    return match[1]


def first_cells(text: str) -> list[str]:
    """Return the words in backticks of the first cells of the rows of tables."""
    rows = re.findall(r"^\| (.*?) \|", text, re.M)
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("folder", ["tutorials", "howto", "reference", "explain"])
def test_every_page_is_in_the_list_of_its_folder(folder: str) -> None:
    text = (DOCS / folder / "index.md").read_text("utf-8")
    for path in (DOCS / folder).glob("*.md"):
        assert path.name == "index.md" or re.search(rf"\]\({path.name}[)#]", text), path.name


# Python


def test_the_list_of_names_is_that_of_the_package() -> None:
    text = (DOCS / "reference/python/index.md").read_text("utf-8")
    listed = {word.removeprefix("sp.") for word in first_cells(text)}
    assert listed == set(skypool.__all__)


def test_what_methods_return_is_documented() -> None:
    assert returned() - BELOW == set()


@pytest.mark.parametrize(
    ("place", "function"), [pytest.param(*each, id=each[0]) for each in callables()]
)
def test_docstrings_name_all_parameters(place: str, function: object) -> None:
    text = inspect.getdoc(function) or ""
    assert text.strip(), "no docstring"
    if re.search(r"\b(?:see|like) `", text):  # another's docstring tells
        return
    signature = inspect.signature(function)  # type: ignore[arg-type]
    wanted = [
        name for name, parameter in signature.parameters.items()
        if name not in ("self", "cls") and not name.startswith("_")
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]  # fmt: skip
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.M | re.S)
    told = re.findall(r"^([*\w][\w*, ]*?)(?: : .*)?$", match[1], re.M) if match else []
    names = [name.strip(" *") for line in told for name in line.split(",")]
    assert [name for name in wanted if name not in names] == []
    if not any(p.kind == p.VAR_KEYWORD for p in signature.parameters.values()):
        assert set(names) <= {name.strip("*") for name in signature.parameters}


@pytest.mark.parametrize(
    "found",
    [
        found for name in skypool.__all__
        if isinstance(found := getattr(skypool, name), type) and name != "Ref"  # pools make refs
    ],
)  # fmt: skip
def test_docstrings_of_classes_name_what_they_are_made_of(found: type) -> None:
    text = inspect.getdoc(found) or ""
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.M | re.S)
    told = re.findall(r"^([*\w][\w*, ]*?)(?: : .*)?$", match[1], re.M) if match else []
    names = {name.strip(" *") for line in told for name in line.split(",")}
    assert names == {name for name in inspect.signature(found).parameters if name[0] != "_"}


# The command line


def verbs() -> list[tuple[str, click.Command]]:
    context = click.Context(app)
    found = []
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command is not None
        found.append((name, command))
    return found


def options(command: click.Command) -> set[str]:
    """Return all long options of a verb and those below it."""
    own = {
        name for parameter in command.params if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }  # fmt: skip
    if isinstance(command, click.Group):
        own |= {name for part in command.commands.values() for name in options(part)}
    return own | {"-h", "--help"}


def test_verbs_are_those_of_the_program() -> None:
    text = read("command-line.md")
    verbs_part = text[text.index("## Verbs") :]
    assert sorted(re.findall(r"^### (.+)$", verbs_part, re.M)) == sorted(n for n, _ in verbs())


@pytest.mark.parametrize("name", [name for name, _ in verbs()])
def test_options_of_the_page_exist(name: str) -> None:
    command = dict(verbs())[name]
    text = section(read("command-line.md"), f"### {name}")
    known = options(command)
    for row in re.findall(r"^\| (`-.*?) \|", text, re.M):
        for option in re.findall(r"(?<![\w-])--?[A-Za-z0-9][\w-]*", row):
            assert option in known, option
    for option in re.findall(r"`(--[a-z][\w-]*)`", text):
        everywhere = set().union(*(options(each) for _, each in verbs())) | {"--version"}
        assert option in everywhere, option


@pytest.mark.parametrize("name", [name for name, _ in verbs()])
def test_every_option_says_what_it_does(name: str) -> None:
    def check(command: click.Command) -> None:
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, parameter.name
        if isinstance(command, click.Group):
            for part in command.commands.values():
                check(part)

    check(dict(verbs())[name])


def test_exit_codes() -> None:
    classes_of = [v for v in vars(errors).values() if isinstance(v, type)
                  and issubclass(v, errors.SkypoolError)]  # fmt: skip
    known = {0, 3, 130} | {found.exit_code for found in classes_of}
    text = section(read("command-line.md"), "## Exit codes")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)} == known
    assert set(map(int, re.findall(r"exit (\d+)", read("errors.md")))) <= known


# Settings, extras, query, HTTP


def test_environment_variables() -> None:
    code = (ROOT / "src/skypool/config.py").read_text("utf-8")
    known = set(re.findall(r"\"((?:SKYPOOL|XDG|SAMP)\w*)\"", code)) | {"NO_COLOR"}
    text = section(read("settings.md"), "## Environment variables")
    assert set(first_cells(text)) - {"`"} == known
    for path in pages():
        if "design" not in path.parts:
            for name in re.findall(r"\$?\b(SKYPOOL_[A-Z_]+)\b", path.read_text("utf-8")):
                assert name in known, f"{path}: {name}"


def test_settings_of_pools() -> None:
    from skypool.pool.marker import PoolSettings

    text = section(read("settings.md"), "## Of a pool")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    assert rows == {field.name for field in fields(PoolSettings)}


def test_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(first_cells(read("extras.md"))) == set(project["optional-dependencies"])
    for path in [*pages(), ROOT / "README.md"]:
        for names in re.findall(r"skypool\[([\w,]+)\]", path.read_text("utf-8")):
            assert set(names.split(",")) <= set(project["optional-dependencies"]), path


def test_functions_of_the_query_language() -> None:
    text = section(read("query.md"), "## All functions")
    assert set(re.findall(r"`(\w+)`", text)) == {*FUNCTIONS, *CONSTANTS}


def test_routes() -> None:
    pytest.importorskip("starlette", reason="the extra `ui` is not installed")
    from skypool.server.app import endpoints, make_context

    context = make_context([])
    try:
        table = endpoints(context)
    finally:
        context.close()
    text = read("http-api.md")
    pattern = re.compile(r"\{\w+(?::\w+)?\}")
    known = {(each.method, pattern.sub("{}", each.path).strip("/")) for each in table}
    for each in table:
        last = [part for part in each.path.split("/") if part and not part.startswith("{")][-1]
        assert re.search(rf"\b{last}\b", text), each.path
    told = re.findall(r"`(GET|POST|PUT|DELETE) (?:/api/v1/)?(\w[\w{}/.:]+)", text)
    assert len(told) > 20
    for method, path in told:
        assert (method, pattern.sub("{}", path).strip("/")) in known, f"{method} {path}"


# Layers


def test_the_picture_of_the_layers_is_that_of_the_contract() -> None:
    layers = runpy.run_path(str(ROOT / "scripts/layers.py"))
    assert layers["PICTURE"].read_text("utf-8") == layers["draw"](), "python scripts/layers.py"
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    known = [name for row in layers["layers"]() for name in row]
    assert first_cells(section(text, "## Layout"))[: len(known)] == known


# Figures


def test_figures_are_those_of_the_benchmarks() -> None:
    cells = {cell.strip() for cell in re.split(r"[|\n]", read("benchmarks.md"))}
    count = 0
    for path in [*pages(), ROOT / "README.md"]:
        for figure in re.findall(r"\[([^\]]+)\]\([^)]*benchmarks\.md#", path.read_text("utf-8")):
            if figure[0].isdigit():
                count += 1
                assert figure in cells, f"{path.name}: {figure}"
    assert count > 30
    assert classes()
