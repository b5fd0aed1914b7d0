"""Targets that are no programs: pools, FITS files, text files; and the command line."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import ascii as text_tables
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result

import skypool as sp
from skypool.cli.app import app
from skypool.errors import MissingDependency, NotFound
from skypool.model import optional
from skypool.vo import Sender

from .conftest import LIMIT, Program, image_hdu, sources, until

TABLE, IMAGE = "table.load.fits", "image.load.fits"


@pytest.fixture
def to(lockfile: Path) -> Callable[..., list[Any]]:
    """Send without any hub."""

    def send(refs: Any, target: str, **how: Any) -> list[Any]:
        with Sender(hub=False) as sender:
            return sender.send(refs, target, **how)

    return send


def test_a_pool_gets_the_same_bytes_and_the_tree(pool: sp.Pool, to: Any, files: Path) -> None:
    replies = to([pool["m83.fits"], pool["obs"], pool["line"]], "pool:temp1")
    assert [reply.state for reply in replies] == ["arrived"] * 3
    with sp.Pool("temp1", mode="r") as other:
        assert Path(other["m83.fits"].path).read_bytes() == (files / "m83.fits").read_bytes()
        assert set(other["obs"].refs) == set(pool["obs"].refs)
        assert np.array_equal(np.asarray(other["line"].product["flux"]), np.linspace(1, 2, 50))
    # Again: nothing new.
    (again,) = to(pool["m83.fits"], "pool:temp1")
    with sp.Pool("temp1", mode="r") as other:
        assert len(other["m83.fits"].versions) == 1
        assert again.detail == f"it is {other['m83.fits'].urn}"


def test_fits_files(pool: sp.Pool, to: Any, files: Path, tmp_path: Path) -> None:
    (reply,) = to(pool["m83.fits"], f"file:{tmp_path / 'a.fits'}")
    assert reply.state == "arrived"
    assert (tmp_path / "a.fits").read_bytes() == (files / "m83.fits").read_bytes()
    (reply,) = to(pool["line"], f"file:{tmp_path / 'line.fits'}")
    with fits.open(tmp_path / "line.fits") as hdus:
        assert np.array_equal(hdus["flux"].data, np.linspace(1, 2, 50))
    (reply,) = to(pool["several.fits"], f"file:{tmp_path / 'c.fits'}", dataset="coverage")
    assert np.array_equal(fits.getdata(tmp_path / "c.fits"), image_hdu(3).data)
    (reply,) = to(pool["sources.vot"], f"file:{tmp_path / 't.fits'}")
    assert len(Table.read(tmp_path / "t.fits", hdu=1)) == 25


def test_files_are_not_replaced_unless_forced(pool: sp.Pool, to: Any, tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_text("mine")
    (reply,) = to(pool["m83.fits"], f"file:{tmp_path / 'a.fits'}")
    assert (reply.state, reply.ok) == ("refused", False)
    assert (tmp_path / "a.fits").read_text() == "mine"
    (reply,) = to(pool["m83.fits"], f"file:{tmp_path / 'a.fits'}", force=True)
    assert reply.ok
    (reply,) = to(pool["notes.txt"], f"file:{tmp_path / 'n.fits'}")
    assert "does not read" in reply.detail
    assert not (tmp_path / "n.fits").exists()


def test_several_products_go_into_a_folder(pool: sp.Pool, to: Any, tmp_path: Path) -> None:
    refs = [pool[name] for name in ("m83.fits", "line", "sources.vot")]
    assert [r.state for r in to(refs, f"file:{tmp_path / 'out'}")] == ["arrived"] * 3
    assert sorted(os.listdir(tmp_path / "out")) == ["line.fits", "m83.fits", "sources.vot.fits"]
    to(refs, f"text:{tmp_path / 'out'}")
    assert len(os.listdir(tmp_path / "out")) == 6


def test_text_has_metadata_and_the_table(pool: sp.Pool, to: Any, tmp_path: Path) -> None:
    to(pool["sources.fits"], f"text:{tmp_path / 't.txt'}")
    text = (tmp_path / "t.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines[0] == "RA\tDEC\tflux"
    rows = [[float(cell) for cell in line.split("\t")] for line in lines[1:]]
    expected = sources()
    assert rows == [list(row) for row in zip(*expected.itercols(), strict=True)]
    assert "# units: deg\tdeg\tJy" in text
    to(pool["m83.fits"], f"text:{tmp_path / 'i.txt'}")
    text = (tmp_path / "i.txt").read_text()
    assert "# OBJECT = M83" in text or "# object = M83" in text
    assert "# dataset image: image" in text


@pytest.mark.parametrize("end", ["csv", "ecsv"])
def test_text_tables_of_astropy(pool: sp.Pool, to: Any, tmp_path: Path, end: str) -> None:
    to(pool["sources.fits"], f"text:{tmp_path / f't.{end}'}")
    table = text_tables.read(tmp_path / f"t.{end}", format=end)
    assert np.array_equal(table["flux"], sources()["flux"])
    (reply,) = to(pool["m83.fits"], f"text:{tmp_path / f'i.{end}'}")
    assert reply.detail == "there is no table in m83.fits"


def test_a_place_is_needed(pool: sp.Pool, to: Any) -> None:
    for target in ("file:", "pool:", "text:"):
        with pytest.raises(ValueError, match="where to"):
            to(pool["m83.fits"], target)


def test_a_missing_part_names_the_extra(pool: sp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "_points", dict)
    with pytest.raises(MissingDependency, match=r"pip install 'skypool\[vo\]'"):
        pool["m83.fits"].send("ds9")
    with pytest.raises(MissingDependency, match=r"pip install 'skypool\[vo\]'"):
        pool.send("m83.fits", to="ds9")


# -- the command line


def run(pool: sp.Pool, *args: object) -> Result:
    result = CliRunner().invoke(app, ["-p", pool.path, *(str(arg) for arg in args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def test_exit_codes(pool: sp.Pool, program: Callable[..., Program], tmp_path: Path) -> None:
    viewer = program("Viewer", IMAGE)
    wait = ("--timeout", LIMIT)
    assert run(pool, "send", "m83.fits", "--to", "Viewer", *wait).exit_code == 0
    assert run(pool, "send", "m83.fits", "line", "--to", "Viewer", *wait).exit_code == 3
    done = run(pool, "send", "line", "--to", "Viewer", *wait)
    assert (done.exit_code, done.stdout) == (
        1, "line@0 -> Viewer  skipped: Viewer takes images and cubes, and this is spectrum\n",
    )  # fmt: skip
    viewer.answers[IMAGE] = "silent"
    done = run(pool, "send", "m83.fits", "--to", "Viewer", "--timeout", 0.2, "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["replies"][0]["state"] == "unanswered"
    assert run(pool, "send", "m83.fits", "--to", "nobody").exit_code == 4
    assert run(pool, "send", "nothing", "--to", "Viewer").exit_code == 4
    assert run(pool, "send", "m83.fits").exit_code == 2
    assert run(pool, "send", "line", "--to", "all").exit_code == 1
    done = run(pool, "send", "m83.fits", "--to", f"file:{tmp_path / 'x.fits'}")
    assert (done.exit_code, done.stdout.split()[-1]) == (0, "arrived")


def test_contexts_and_their_children(pool: sp.Pool, program: Callable[..., Program]) -> None:
    viewer = program("Viewer", IMAGE)
    done = run(pool, "send", "obs", "--to", "Viewer", "--timeout", LIMIT)
    assert done.exit_code == 1
    assert "normally contains no data" in done.stdout
    assert done.stderr.count("can be sent: urn:") == 5
    done = run(pool, "send", "obs", "--children", "--to", "all", "--timeout", LIMIT, "--json")
    replies = json.loads(done.stdout)["replies"]
    assert sorted(reply["ref"] for reply in replies if reply["state"] == "accepted") == [
        "obs/cube.fits@0", "obs/m83.fits@0", "obs/several.fits@0",
    ]  # fmt: skip
    assert len(viewer.got) == 3


def test_the_list(pool: sp.Pool, program: Callable[..., Program]) -> None:
    program("Viewer", IMAGE)
    done = run(pool, "send", "--list")
    assert done.exit_code == 0
    (line,) = [line for line in done.stdout.splitlines() if "Viewer" in line]
    assert re.split(r"\s{2,}|\t", line.strip())[1:] == ["Viewer", "image cube", "running"]
    targets = json.loads(run(pool, "send", "--list", "--json").stdout)["targets"]
    assert {"samp", "program", "file", "text"} <= {target["kind"] for target in targets}


def test_receive(pool: sp.Pool, hub: Path, tmp_path: Path, program: Callable[..., Program]) -> None:
    mine = tmp_path / "mine"
    results: list[Result] = []
    words = ["-p", str(mine), "receive", "--count", "2", "--timeout", str(LIMIT), "--json"]
    thread = threading.Thread(target=lambda: results.append(CliRunner().invoke(app, words)))
    thread.start()
    with Sender(hub=False) as sender:

        def there() -> bool:
            return any(target.name == "skypool" for target in sender.targets())

        until(there, "it is connected")
        states = [
            sender.send(pool[name], "skypool", timeout=LIMIT)[0].state
            for name in ("m83.fits", "sources.fits")
        ]
    thread.join()
    assert states == ["accepted", "accepted"]
    (result,) = results
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["product"]["name"] for line in lines] == [
        "received/m83.fits", "received/sources.fits",
    ]  # fmt: skip
    assert lines[0]["sender"] == "skypool-send"
    with sp.Pool(mine, mode="r") as other:
        assert len(other) == 2


def test_programs_that_are_not_there_say_how_to_get_them(
    pool: sp.Pool, lockfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    done = run(pool, "send", "m83.fits", "--to", "ds9")
    assert done.exit_code == 4
    assert "apt-get install saods9" in done.output
    with Sender(hub=False) as sender, pytest.raises(NotFound):
        sender.send(pool["m83.fits"], "vospec", start=True)
