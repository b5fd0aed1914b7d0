"""What holds for the project as a whole."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.docs.pages import page

import skypool
from skypool import errors

ROOT = Path(__file__).resolve().parents[1]


def tracked() -> list[Path]:
    """List the files that belong to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a checkout of git")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def error_classes() -> list[type[errors.SkypoolError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return sorted(found, key=lambda found: found.__name__)


@pytest.mark.parametrize("package", ["numpy", "astropy", "sqlite3", "rich", "click"])
def test_importing_skypool_loads_nothing_heavy(package: str) -> None:
    code = f"import sys, skypool; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_names_are_real_and_sorted() -> None:
    assert skypool.__all__ == sorted(skypool.__all__)
    for name in skypool.__all__:
        assert getattr(skypool, name) is not None
    assert set(skypool.__all__) <= set(dir(skypool))


def test_nothing_public_is_missing_from_all() -> None:
    code = (
        "import skypool, types\n"
        "[getattr(skypool, name) for name in skypool.__all__]\n"
        "extra = {n for n, v in vars(skypool).items() if n[0] != '_' and n not in skypool.__all__\n"
        "         and not isinstance(v, types.ModuleType)}\n"
        "print(*sorted(extra - {'annotations', 'TYPE_CHECKING'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pol'"):
        skypool.Pol  # noqa: B018  # the access is the test


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == skypool.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[(Unreleased|{re.escape(skypool.__version__)})\]", changelog, re.M)


def test_every_error_is_exported_and_has_a_code_of_its_own() -> None:
    defined = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.SkypoolError)
    }
    assert set(error_classes()) == defined
    codes = [found.code for found in error_classes()]
    assert len(set(codes)) == len(codes)


def test_every_error_is_documented() -> None:
    text = page("errors.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (\d+) \|", text, re.M)
    assert sorted(rows) == [
        (found.__name__, found.code, str(found.exit_code)) for found in error_classes()
    ]


# Absolute places of one machine; a program's own conventions such as /etc or /dev/shm are meant.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|home|root|Users|mnt|opt)/[\w.]")


def test_no_paths_of_one_machine() -> None:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8").splitlines(), start=1):
            if MACHINE_PATHS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def lines_without_docstrings(path: Path) -> int:
    source = path.read_text(encoding="utf-8")
    lines = source.count("\n")
    for node in ast.walk(ast.parse(source)):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            text = node.body[0]
            lines -= (text.end_lineno or text.lineno) - text.lineno + 1
    return lines


def test_modules_stay_short() -> None:
    lengths = {path: lines_without_docstrings(path) for path in (ROOT / "src").rglob("*.py")}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > 450} == {}
