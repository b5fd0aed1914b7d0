"""The distributions: what is in them, and that they work where they are installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import skypool

ROOT = Path(__file__).resolve().parents[2]
BUILD = """
import sys
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
root, kind, folder = sys.argv[1:]
builder = {"sdist": SdistBuilder, "wheel": WheelBuilder}[kind](root)
list(builder.build(directory=folder, versions=["standard"]))
"""


def build(root: Path, kind: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-c", BUILD, str(root), kind, str(folder)]
    # The same time in all archives: nothing of this machine in them.
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("built") / "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("built") / "sdist")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, and the packages of this one but for skypool."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(inside)
    # Only what it depends on: the sources of the project are not to be found.
    here = sysconfig.get_path("purelib")
    packages = tmp_path_factory.mktemp("packages")
    for path in Path(here).iterdir():
        if "skypool" not in path.name.lower() and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    (inside / "packages.pth").write_text(f"{packages}\n")
    return folder


def run(environment: Path, *words: str, code: int = 0, **variables: str) -> str:
    python = environment / "bin" / "python"
    done = subprocess.run(
        [str(python), *words], capture_output=True, text=True, check=False, cwd=environment,
        env={**os.environ, "PYTHONPATH": "", **variables},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_what_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
        (meta,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        text = archive.read(meta).decode()
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "skypool").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("skypool/")} == wanted
    assert "skypool/web/static/index.html" in names and any("/assets/" in name for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert f"Version: {skypool.__version__}" in text and "License-Expression: BSD-3-Clause" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {
        line.split(": ")[1] for line in text.splitlines() if line.startswith("Provides-Extra")
    }
    assert extras == set(project["optional-dependencies"])
    assert project["version"] == skypool.__version__


def test_the_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (root,) = (tmp_path / "source").iterdir()
    again = build(root, "wheel", tmp_path / "wheel")
    assert again.name == wheel.name
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())
        for name in one.namelist():
            assert one.read(name) == other.read(name), name


def test_entry_points_and_versions(installed: Path) -> None:
    script = (
        "from importlib.metadata import distribution, entry_points\n"
        "found = distribution('skypool')\n"
        "import skypool\n"
        "assert '/venv/' in skypool.__file__, skypool.__file__\n"
        "assert found.version == skypool.__version__\n"
        "for point in found.entry_points:\n"
        "    if point.group in ('console_scripts', 'skypool.parts'):\n"
        "        point.load()\n"
        "    assert found.locate_file(point.module.replace('.', '/') + '.py').is_file(), point\n"
        "    print(point.group, point.name)\n"
    )
    points = run(installed, "-c", script)
    assert "console_scripts skypool" in points and "skypool.parts watch" in points
    assert run(installed, "-m", "skypool", "--version") == f"skypool {skypool.__version__}\n"
    assert run(installed, "-c", "from skypool.cli.main import main; main()").startswith("Examples:")


def test_what_is_installed_works(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    pool = str(tmp_path / "pool")
    settings = {"SKYPOOL_HOME": str(tmp_path / "home"), "SKYPOOL_CACHE": str(tmp_path / "cache")}
    run(installed, "-m", "skypool", "-p", pool, "add", str(folder), **settings)
    assert "files/a.txt" in run(installed, "-m", "skypool", "-p", pool, "ls", **settings)
    run(
        installed, "-m", "skypool", "-p", pool, "export", "files", str(tmp_path / "out"), **settings
    )
    assert (tmp_path / "out" / "a.txt").read_text() == "a"
    assert "optional parts:" in run(installed, "-m", "skypool", "doctor", pool, **settings)
    page = (
        "from importlib.resources import files\n"
        "text = files('skypool.web').joinpath('static/index.html').read_text()\n"
        "assert '<script' in text\n"
    )
    run(installed, "-c", page)


# -- what is missing

# Packages that are not to be found, as if they were not installed.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

GONE = set(sys.argv.pop(1).split(","))


class Finder:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in GONE:
            return None
        return PathFinder.find_spec(name, path, target)

    find_distributions = PathFinder.find_distributions


sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""
MISSING = """
import sys
import numpy as np
import skypool as sp
from skypool.errors import MissingDependency
from astropy.table import Table

pool = sp.Pool(sys.argv[1])
data = np.ones((8, 8), "f4")
product = sp.Product(kind="SimpleImage", datasets={"image": data, "t": Table({"a": np.arange(3)}),
                               "cube": np.ones((2, 2, 2), "f4")})
ref = pool.save(product, name="image")


for call in sys.argv[2:]:
    try:
        exec(call, globals())
    except MissingDependency as error:
        print(str(error).replace("\\n", " "))
    else:
        raise SystemExit(f"nothing was missing for {call}")
"""
CALLS = {
    "watch": ("watchdog", "next(iter(pool.watch('.')))"),
    "plot": ("matplotlib", "ref.plot()"),
    "notebook": ("anywidget", "pool.browse()"),
    "dask": ("dask", "ref.product['image'].to_dask()"),
    "xarray": ("xarray", "ref.product['image'].to_xarray()"),
    "spectra": ("specutils,spectral_cube", "ref.product['cube'].to_spectral_cube()"),
    "parquet": ("pyarrow", "ref.product['t'].to_arrow()"),
    "pandas": ("pandas", "ref.product['t'].to_pandas()"),
    "vo": ("pyvo", "from skypool.vo import hub; hub._need_pyvo()"),
}
VERBS = {
    "ui": ("starlette,uvicorn", ["ui", "--no-browser"]),
    "tui": ("textual", ["tui"]),
    "webdav": ("wsgidav,cheroot", ["serve", "--webdav"]),
    "mount": ("mfusepy", ["mount", "here"]),
}


def test_missing_packages_name_their_extras(tmp_path: Path) -> None:
    packages = ",".join(names for names, _ in CALLS.values())
    calls = [call for _, call in CALLS.values()]
    words = [sys.executable, "-c", WITHOUT + MISSING, packages, str(tmp_path / "pool"), *calls]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    for extra, line in zip(CALLS, told, strict=True):
        assert f"skypool[{extra}" in line, line


PROGRAM = """
import sys
from skypool.cli.main import main

sys.exit(main())
"""


@pytest.mark.parametrize("extra", sorted(VERBS))
def test_a_verb_whose_package_is_missing_names_its_extra(extra: str, tmp_path: Path) -> None:
    packages, verb = VERBS[extra]
    skypool.Pool(tmp_path / "pool", mode="x").close()
    (tmp_path / "here").mkdir()
    words = [sys.executable, "-c", WITHOUT + PROGRAM, packages, "-p", str(tmp_path / "pool"), *verb]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"skypool[{extra}" in done.stderr, done.stderr


def test_every_extra_that_is_named_exists_and_each_one_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    named: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text("utf-8")
        for found in re.findall(r"skypool\[([a-z,]+)\]|extra=\"([a-z]+)\"", text):
            named.update(part for part in ",".join(found).split(",") if part)
        # Readers of files say their extra as the second word.
        named.update(
            re.findall(r"(?:require|optional_import)\([^()]*(?:\(\))?[^()]*\"([a-z0-9]+)\"\)", text)
        )
    assert named - {"docs"} <= extras, named - extras
    # The address of an archive is known without astroquery too.
    assert extras - named == {"all", "astroquery", "dev", "docs"}
