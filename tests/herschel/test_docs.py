"""The page on Herschel's observations does what it says."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table
from click.testing import CliRunner

import skypool as sp
from skypool.cli.app import app
from skypool.files.herschel import Archive
from skypool.testing.herschel.archive import download, pack
from skypool.testing.herschel.samples import SAMPLES
from skypool.testing.observation import write

from .server import Behaviour, serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "herschel.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The demo's observation and a parallel-mode pair, in files and in an archive."""
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKYPOOL", str(tmp_path / "pool"))
    demo = write(tmp_path / "made", 0.005)
    pack(demo.parent, tmp_path / "1342182452.tar")
    files = {"1342182452 SPIRE ALL": (tmp_path / "1342182452.tar").read_bytes()}
    for name in ("parallel-pacs", "parallel-spire"):
        sample = SAMPLES[name]
        download(tmp_path / name, sample)
        data = pack(tmp_path / name, tmp_path / f"{name}.tar").read_bytes()
        files |= {f"1342218995 {sample.instrument} {level}": data for level in ("ALL", "LEVEL2_5")}
    (fits,) = (demo / "level2" / "PSW").iterdir()
    files["/m83.fits"] = fits.read_bytes()
    with serving(Behaviour(files=files)) as server:
        place = Archive(f"{server.url}/data?", f"{server.url}/tap")
        monkeypatch.setattr(Archive, "configured", classmethod(lambda *_: place))
        yield server


def test_the_commands(archive: Behaviour) -> None:
    archive.table = "instrument_oid\n2\n"
    lines = [
        line[2:] for block in blocks("console") for line in block.splitlines() if line[:2] == "$ "
    ]
    assert len(lines) == 4
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
    assert "PSW" in CliRunner().invoke(app, ["tree", "1342182452"]).stdout


def test_the_python(archive: Behaviour) -> None:
    archive.table = "instrument_oid\n1\n2\n"
    names: dict[str, Any] = {"results": Table({"access_url": [f"{archive.url}/m83.fits"]})}
    with sp.Pool(os.environ["SKYPOOL"]) as pool:
        names["pool"] = pool
        pool.add("1342182452.tar")
        first, second, third = blocks("python")
        for block in (first, second, third):
            exec(compile(block, str(PAGE), "exec"), names)
        assert names["spire"].meta["instrument"].value == "SPIRE"
        assert pool["m83.fits"].kind == "SimpleImage"
