"""Environments that pip fills from nothing: a plain installation, and each extra on top of it.

What each extra is for is done twice: with the extra it works, and without it the error names it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.files.mounting import need_fuse
from tests.install.test_distributions import ROOT, build

import skypool as sp

pytestmark = pytest.mark.campaign
SECONDS = 900
CASA = ROOT / "tests" / "formats" / "data" / "casa_images.tar.xz"

READS = """
ref = pool.add("{name}")  # again: what could not be read before is read now
kinds = {{type(each).__name__ for each in ref.product.datasets.values()}}
if not kinds & {{"Array", "Table"}}:
    raise SystemExit(run("show", "{name}"))
[each[:] for each in ref.product.datasets.values() if hasattr(each, "shape")]
"""
SERVES = """
import signal, subprocess, urllib.request
words = [sys.executable, "-m", "skypool", "-p", folder, *{words!r}]
with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
    line = process.stdout.readline()
    if not line:
        raise SystemExit(process.stderr.read())
    try:
        address = next(word for word in line.split() if word.startswith("http"))
        cookies = urllib.request.HTTPCookieProcessor()
        with urllib.request.build_opener(cookies).open(address, timeout=60) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)
    finally:
        process.kill()
"""
MOUNTS = """
import subprocess
from pathlib import Path
there = Path("mounted")
told = run("mount", str(there))
if not there.is_dir() or not os.path.ismount(there):
    raise SystemExit(told)
try:
    assert (there / "image.fits").stat().st_size > 0 or list(there.iterdir())
finally:
    subprocess.run([sys.executable, "-m", "skypool", "unmount", str(there)], check=True)
"""
BROWSES = """
import asyncio, importlib.util
if importlib.util.find_spec("textual") is None:
    raise SystemExit(run("tui"))
from skypool.config import from_environment
from skypool.tui.app import Browser

async def look():
    async with Browser({"p": pool}, from_environment()).run_test() as pilot:
        await pilot.pause()

asyncio.run(look())
"""
# What is done with each extra, in a process that has `pool`, its `folder` and `run(*words)`.
USES = {
    "astroquery": (
        "from skypool.pool.herschel_archive import Archive\n"
        "assert Archive.configured().address(1342182452, 'SPIRE').startswith('http')"
    ),
    "casa": READS.format(name="cube.image"),
    "dask": "assert pool['image'].product['image'].to_dask().sum().compute() == 64",
    "fsspec": (
        "from skypool.files.filesystem import SkypoolFileSystem\n"
        "import fsspec\n"
        "with fsspec.open(f'skypool://{folder}/notes.txt') as file:\n"
        "    assert file.read() == b'note'"
    ),
    "hdf5": READS.format(name="values.h5"),
    "mount": MOUNTS,
    "notebook": "assert pool.browse() is not None",
    "pandas": "assert len(pool['image'].product['t'].to_pandas()) == 3",
    "parquet": READS.format(name="values.parquet"),
    "plot": "assert pool['image'].plot() is not None",
    "spectra": "assert pool['image'].product['cube'].to_spectral_cube().shape == (2, 2, 2)",
    "tui": BROWSES,
    "ui": SERVES.format(words=["ui", "--no-browser"]),
    "vo": (
        "from skypool.config import from_environment\n"
        "from skypool.vo.hub import start_hub\n"
        "assert start_hub(from_environment()).url"
    ),
    "watch": "assert next(iter(pool.watch('seen'))).commit",
    "webdav": SERVES.format(words=["serve", "--webdav", "--no-password"]),
    "xarray": "assert float(pool['image'].product['image'].to_xarray().sum()) == 64",
    "zarr": READS.format(name="values.zarr"),
}

# Without these nothing fails: the archive's own address is used.
NEVER_MISSED = {"astroquery"}
BEGIN = """
import os, subprocess, sys
import skypool as sp

folder = os.path.abspath("pool")

def run(*words):
    words = [sys.executable, "-m", "skypool", "-p", folder, *words]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr

with sp.Pool(folder) as pool:
    use = sys.argv[1]
    exec(use, globals())
print("it works")
"""


def pip(environment: Path, *words: str) -> None:
    """Install with the pip of this test's Python, from where this machine has packages."""
    python = environment / "bin" / "python"
    command = [python, "-m", "pip", "--disable-pip-version-check", "install", "--no-input", "-q"]
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr


def run(environment: Path, folder: Path, *words: str, program: str = "python") -> tuple[int, str]:
    variables = {
        "HOME": str(folder / "home"), "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "MPLBACKEND": "Agg", "SAMP_HUB": f"std-lockurl:file://{folder}/samp",
    }  # fmt: skip
    done = subprocess.run(
        [str(environment / "bin" / program), *words], capture_output=True, text=True, check=False,
        cwd=folder, env=variables, stdin=subprocess.DEVNULL, timeout=SECONDS,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def pythons() -> Iterator[str]:
    """Give the interpreters of this machine, oldest first: on the path, and pyenv's."""
    found: dict[tuple[int, int], str] = {}
    for minor in range(11, 20):
        places = sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python3"))
        for place in [shutil.which(f"python3.{minor}"), *map(str, places)]:
            ask = [
                str(place),
                "-c",
                "import venv, sys; assert sys.version_info[1] == " + str(minor),
            ]
            if place and subprocess.run(ask, capture_output=True, check=False).returncode == 0:
                found.setdefault((3, minor), place)
    yield from found.values()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("built") / "wheel")


@pytest.fixture(scope="module")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with skypool and what it cannot do without."""
    folder = tmp_path_factory.mktemp("plain") / "venv"
    subprocess.run([*made_by(), str(folder)], check=True, timeout=SECONDS)
    pip(folder, str(wheel))
    return folder


def made_by(python: str = "") -> list[str]:
    return [python or next(pythons()), "-m", "venv"]


@pytest.fixture(scope="module")
def work(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pool of what the extras are for."""
    import h5py
    import pyarrow.parquet
    import zarr

    folder = tmp_path_factory.mktemp("work")
    (folder / "home").mkdir()
    (folder / "seen").mkdir()
    (folder / "seen" / "seen.txt").write_text("seen")
    (folder / "notes.txt").write_text("note")
    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2, 3]}), folder / "values.parquet")
    with h5py.File(folder / "values.h5", "w") as file:
        file["a"] = np.arange(12.0)
    zarr.save_array(folder / "values.zarr", np.arange(12.0))
    with tarfile.open(CASA) as archive:
        archive.extractall(folder, filter="data")
    datasets = {
        "image": np.ones((8, 8), "f4"),
        "cube": sp.Array(np.ones((2, 2, 2), "f4"), wcs=CUBE),
        "t": sp.Table({"a": np.arange(3)}),
    }
    with sp.Pool(folder / "pool") as pool:
        pool.save(sp.Product(kind="SimpleImage", datasets=datasets), name="image")
    names = ["notes.txt", "values.parquet", "values.h5", "values.zarr", "cube.image"]
    code, told = run(plain, folder, "-p", "./pool", "add", *names, program="skypool")
    assert code == 0, told
    return folder


CUBE = "".join(
    f"{key:<8}= {value:>20}".ljust(80)
    for key, value in {
        "CTYPE1": "'RA---TAN'", "CTYPE2": "'DEC--TAN'", "CTYPE3": "'FREQ    '",
        "CRPIX1": "1.0", "CRPIX2": "1.0", "CRPIX3": "1.0", "CRVAL1": "10.0", "CRVAL2": "20.0",
        "CRVAL3": "1.0E11", "CDELT1": "-0.01", "CDELT2": "0.01", "CDELT3": "1.0E6",
        "CUNIT1": "'deg'", "CUNIT2": "'deg'", "CUNIT3": "'Hz'",
    }.items()
)  # fmt: skip


def test_uses_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(USES) == set(project["optional-dependencies"]) - {"all", "docs", "dev"}


@pytest.mark.parametrize("extra", sorted(USES))
def test_an_extra(extra: str, plain: Path, wheel: Path, work: Path, tmp_path: Path) -> None:
    if extra == "mount":
        need_fuse()
    use = ("-c", BEGIN, USES[extra])
    code, told = run(plain, work, *use)
    if extra in NEVER_MISSED:
        assert code == 0, told
    else:
        assert code == 1 and f"skypool[{extra}" in told, told
    on_top = tmp_path / "venv"
    subprocess.run([*made_by(), str(on_top)], check=True, timeout=SECONDS)
    inside, below = (
        Path(sysconfig.get_path("purelib", vars={"base": str(each)})) for each in (on_top, plain)
    )
    (inside / "below.pth").write_text(f"{below}\n")
    pip(on_top, f"skypool[{extra}] @ {wheel.as_uri()}")
    code, told = run(on_top, work, *use)
    assert code == 0 and told.endswith("it works\n"), told
    doctor = json.loads(run(on_top, work, "-m", "skypool", "doctor", "--json")[1])
    assert doctor["extras"][extra]["installed"]


@pytest.mark.parametrize("python", list(pythons()))
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_an_empty_environment(python: str, kind: str, tmp_path: Path) -> None:
    """Install with every Python of this machine, and do what a new user does."""
    folder, work = tmp_path / "venv", tmp_path / "work"
    subprocess.run([*made_by(python), str(folder)], check=True, timeout=SECONDS)
    pip(folder, str(build(ROOT, kind, tmp_path / "built")))
    (work / "home").mkdir(parents=True)
    (work / "a.txt").write_text("a")
    for code, said, words in (
        (0, f"skypool {sp.__version__}", ["--version"]),
        (0, "pool", ["-p", "./pool", "init"]),
        (0, "a.txt", ["-p", "./pool", "add", "a.txt"]),
        (0, "a.txt", ["-p", "./pool", "find"]),
        (0, "1 file", ["-p", "./pool", "export", "a.txt", "out/"]),
        (0, "", ["-p", "./pool", "verify"]),
        (1, "skypool[ui]", ["-p", "./pool", "ui", "--no-browser"]),
        (1, "skypool[tui]", ["-p", "./pool", "tui"]),
        (1, "skypool[mount]", ["-p", "./pool", "mount", "there"]),
        (0, "lacks", ["doctor", "./pool"]),
    ):
        found, told = run(folder, work, *words, program="skypool")
        assert found == code and said in told, (words, told)
    assert (work / "out" / "a.txt").read_text() == "a"
    # Nobody closes the pool: nothing is said of what it had open.
    script = "import skypool as sp; print(len(sp.Pool('./pool').find('')))"
    assert run(folder, work, "-X", "dev", "-W", "error", "-c", script) == (0, "1\n")
    assert not (work / "there").exists()
