"""What the tests of SAMP share: a hub of their own, stand-in programs, a pool, a desktop."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest
from astropy.io import fits
from astropy.table import Table
from pyvo.samp import SAMPIntegratedClient, conf

import skypool as sp
from skypool.config import Settings
from skypool.vo import Sender, sending
from skypool.vo.lockfile import hub_variable, read_lockfile

T = TypeVar("T")
LIMIT = 180.0

conf.use_internet = False  # else every client of pyvo asks google.com first


def until(condition: Callable[[], T], what: str, limit: float = LIMIT) -> T:
    """Wait until a condition holds, and return it."""
    end = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit:g} s: {what}")
        time.sleep(0.05)
    return found


@pytest.fixture(autouse=True)
def own_sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a sender of the process of its own."""
    made: list[Sender] = []
    monkeypatch.setattr(sending, "_default", made)
    yield
    for sender in made:
        sender.close()


@pytest.fixture
def lockfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a test a lock file of its own, in a folder whose name has to be quoted."""
    home = tmp_path / "home of %20 this test"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SAMP_HUB", hub_variable(str(home / ".samp")))
    return home / ".samp"


@pytest.fixture(scope="module")
def running_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a hub in a process of its own, as skypool does."""
    path = tmp_path_factory.mktemp("hub") / "samp"
    words = [sys.executable, "-m", "skypool.vo.hub", "--stay", "--lonely", "100000"]
    environment = os.environ | {"SAMP_HUB": hub_variable(str(path))}
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            until(
                lambda: read_lockfile(str(path)) or process.poll() is not None,
                "the hub writes its lock file",
            )
            yield path
        finally:
            process.terminate()
            try:
                process.wait(LIMIT)
            finally:
                process.kill()


@pytest.fixture
def hub(running_hub: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a test use the hub."""
    monkeypatch.setenv("SAMP_HUB", hub_variable(str(running_hub)))
    return running_hub


class Program:
    """A program that takes messages, by pyvo's implementation of SAMP, and answers as it is told.

    Attributes
    ----------
    answers : dict
        By mtype: `ok`, `silent`, or the text of an error.
    got : list of (mtype, params)
    """

    def __init__(self, name: str, mtypes: list[str]) -> None:
        self.client = SAMPIntegratedClient(name=name, addr="127.0.0.1")
        self.client.connect()
        self.answers: dict[str, str] = {}
        self.got: list[tuple[str, dict[str, Any]]] = []
        for mtype in mtypes:
            self.client.bind_receive_call(mtype, self._call)
            self.client.bind_receive_notification(mtype, self._notification)

    @property
    def id(self) -> str:
        return str(self.client.get_public_id())

    def _call(
        self, key: str, sender: str, message_id: str, mtype: str, params: Any, extra: Any
    ) -> None:
        self.got.append((mtype, params))
        answer = self.answers.get(mtype, "ok")
        if answer == "ok":
            self.client.ereply(message_id, "samp.ok", result={})
        elif answer != "silent":
            self.client.ereply(message_id, "samp.error", error={"samp.errortxt": answer})

    def _notification(self, key: str, sender: str, mtype: str, params: Any, extra: Any) -> None:
        self.got.append((mtype, params))

    def last(self, mtype: str) -> dict[str, Any]:
        """Return the parameters of the last message of a type, when it has come."""
        return until(lambda: [p for m, p in self.got if m == mtype], f"{mtype} comes")[-1]


@pytest.fixture
def program(hub: Path) -> Iterator[Callable[..., Program]]:
    """Make programs that are connected to the hub of the test."""
    with contextlib.ExitStack() as stack:

        def make(name: str, *mtypes: str) -> Program:
            made = Program(name, list(mtypes))
            stack.callback(made.client.disconnect)
            return made

        yield make


@pytest.fixture
def sender(hub: Path) -> Iterator[Sender]:
    with Sender(hub=False) as made:
        yield made


def image_hdu(seed: int = 1, shape: tuple[int, ...] = (30, 40)) -> Any:
    """Make an image with coordinates round (204.25, -29.87)."""
    hdu = fits.PrimaryHDU(np.random.default_rng(seed).normal(size=shape).astype("f4"))
    cards = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 204.25, "CRVAL2": -29.87,
        "CRPIX1": 20.0, "CRPIX2": 15.0, "CDELT1": -1 / 3600, "CDELT2": 1 / 3600,
        "CUNIT1": "deg", "CUNIT2": "deg", "OBJECT": "M83", "BUNIT": "Jy/beam",
    }  # fmt: skip
    hdu.header.update(cards)
    return hdu


def sources(rows: int = 25) -> Table:
    """Make a table of positions."""
    at = np.arange(rows) * 0.001
    table = Table({"RA": 204.25 + at, "DEC": -29.87 + at, "flux": np.arange(rows) * 1.5})
    table["RA"].unit = table["DEC"].unit = "deg"
    table["flux"].unit = "Jy"
    return table


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file of each sort that programs show, and one that they do not."""
    folder = tmp_path_factory.mktemp("files")
    image_hdu().writeto(folder / "m83.fits")
    coverage = image_hdu(3)
    several = [
        fits.PrimaryHDU(),
        fits.ImageHDU(image_hdu(2).data, image_hdu(2).header, name="IMAGE"),
        fits.ImageHDU(coverage.data, coverage.header, name="COVERAGE"),
        fits.BinTableHDU(sources(7), name="SOURCES"),
    ]
    fits.HDUList(several).writeto(folder / "several.fits")
    fits.PrimaryHDU(np.arange(60.0).reshape(3, 4, 5)).writeto(folder / "cube.fits")
    sources().write(folder / "sources.fits")
    sources().write(folder / "sources.vot", format="votable")
    (folder / "notes.txt").write_text("some notes\n")
    return folder


@pytest.fixture(scope="module")
def shared_pool(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sp.Pool]:
    home = tmp_path_factory.mktemp("shared")
    settings = Settings(home=home / "pools", cache=home / "cache", author="tester")
    with sp.Pool(home / "pool", settings=settings) as made:
        for path in sorted(files.iterdir()):
            made.add(path, name=path.name)
        made.add(files, name="obs")
        flux = sp.Array(np.linspace(1, 2, 50), unit="Jy")
        made.save(sp.Product("Spectrum1d", datasets={"flux": flux}), "line")
        yield made


@pytest.fixture
def pool(shared_pool: sp.Pool) -> sp.Pool:
    """Give a pool with these files, each alone and all in a context, and a spectrum."""
    return shared_pool


# -- real programs


class Desktop:
    """A screen that nobody sees, and a home folder of its own, where all programs find the hub."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def processes(self) -> list[psutil.Process]:
        """Return the processes that were started with this home folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("HOME") == str(self.home):
                    found.append(process)
        return found

    def kill(self, name: str) -> None:
        """Kill a program, as a crash would."""
        found = [p for p in self.processes() if any(name in word for word in p.cmdline())]
        assert found
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=LIMIT)

    def client(self) -> SAMPIntegratedClient:
        """Return a client by which tests ask the programs, independent of skypool's."""
        made = SAMPIntegratedClient(name="test", addr="127.0.0.1")
        made.connect()
        return made


def need(program: str) -> None:
    """Skip a test whose program is not installed, unless it has to be."""
    if shutil.which(program) is None:
        if os.environ.get("SKYPOOL_REQUIRE_PROGRAMS"):
            pytest.fail(f"{program} is not installed, and SKYPOOL_REQUIRE_PROGRAMS is set")
        pytest.skip(f"{program} is not installed")


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    """Run a screen; in the end, all that was started on it is ended."""
    need("Xvfb")
    home = tmp_path / "desktop"
    home.mkdir()
    readable, writable = os.pipe()
    words = ["Xvfb", "-displayfd", str(writable), "-screen", "0", "1400x900x24"]
    with subprocess.Popen(
        [*words, "-nolisten", "tcp"], pass_fds=[writable], stderr=subprocess.DEVNULL
    ) as screen:
        os.close(writable)
        with os.fdopen(readable) as told:
            number = told.readline().strip()  # it ends with the process at the latest
        assert number, "Xvfb does not start"
        monkeypatch.setenv("DISPLAY", f":{number}")
        monkeypatch.setenv("HOME", str(home))
        # Aladin looks nowhere else, and Java does not look at HOME.
        monkeypatch.setenv("SAMP_HUB", f"std-lockurl:file://{home}/.samp")
        monkeypatch.setenv("_JAVA_OPTIONS", f"-Duser.home={home}")
        made = Desktop(home)
        try:
            yield made
        finally:
            left = made.processes()
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=60)
            screen.kill()
