"""What the tests of the command line share: files to add, and ways to run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from skypool.cli.app import app


@dataclass
class Run:
    """What one command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def sky() -> Callable[..., Run]:
    """Run a command in this process."""

    def run(*args: object, code: int = 0) -> Run:
        result = CliRunner().invoke(app, [str(arg) for arg in args])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
        return Run(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def program() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run a command in a process of its own, without a terminal."""

    def run(
        *args: object, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        words = [arg if isinstance(arg, bytes) else str(arg) for arg in args]
        return subprocess.run(
            [sys.executable, "-m", "skypool", *words],
            capture_output=True,
            timeout=120,
            check=False,
            env=os.environ | (env or {}),
            **options,
        )

    return run


def image(seed: int = 1, shape: tuple[int, int] = (64, 96), **cards: Any) -> Any:
    """Make an image with a WCS round (204.25, -29.87), ten arcseconds a pixel."""
    from astropy.io import fits

    rng = np.random.default_rng(seed)
    hdu = fits.PrimaryHDU(rng.normal(size=shape).astype(">f4"))
    header = {
        "OBJECT": "M83", "INSTRUME": "SPIRE", "BUNIT": "Jy/beam",
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 204.25, "CRVAL2": -29.87,
        "CRPIX1": 48.5, "CRPIX2": 32.5, "CDELT1": -1 / 360, "CDELT2": 1 / 360,
        "CUNIT1": "deg", "CUNIT2": "deg",
    }  # fmt: skip
    hdu.header.update(header | cards)
    return hdu


def events(rows: int = 50) -> Any:
    """Make a table of events."""
    from astropy.io import fits

    energy = np.linspace(100, 9000, rows).astype("f4")
    columns = [
        fits.Column("energy", "E", unit="eV", array=energy),
        fits.Column("channel", "J", array=np.arange(rows)),
    ]
    return fits.BinTableHDU.from_columns(columns, name="events")


def write(path: Path, *hdus: Any) -> Path:
    """Write HDUs to a file."""
    from astropy.io import fits

    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(list(hdus)).writeto(path, overwrite=True)
    return path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the current folder one with a folder `obs` of three files."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "obs/level2/PSW.fits", image(1))
    write(tmp_path / "obs/level2/events.fits", image(2), events())
    (tmp_path / "obs/notes.txt").write_text("some notes\n")
    return tmp_path


@pytest.fixture
def pool(tree: Path, sky: Callable[..., Run]) -> Path:
    """Make the pool `./pool` with `obs` in it, and let commands use it."""
    sky("-p", "./pool", "add", "obs")
    os.environ["SKYPOOL"] = "./pool"  # own_folders puts it back
    return tree / "pool"
