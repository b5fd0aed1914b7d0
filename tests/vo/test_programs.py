"""Sending to the real programs, started by skypool: it really arrives, and is the same.

Each program is started once. Whether something arrived is asked of the program itself, by
another implementation of SAMP.
"""

from __future__ import annotations

import io
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from pyvo.samp import SAMPIntegratedClient

import skypool as sp
from skypool.cli.app import app
from skypool.errors import NotFound
from skypool.vo import Receiver, Sender, sending

from .conftest import LIMIT, Desktop, need, sources, until

SECONDS = "120"


def sky(*args: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return json.loads(result.stdout)


class Asked:
    """A program that is asked what it has."""

    def __init__(self, client: SAMPIntegratedClient, ident: str) -> None:
        self.client = client
        self.id = ident

    def ask(self, mtype: str, **params: Any) -> dict[str, Any]:
        answer = self.client.ecall_and_wait(self.id, mtype, SECONDS, **params)
        assert answer["samp.status"] == "samp.ok", answer
        result: dict[str, Any] = answer["samp.result"]
        return result

    def ds9(self, what: str) -> str:
        result = self.ask("ds9.get", cmd=what)
        if "url" in result:  # long answers are files
            return Path(urlsplit(result["url"]).path).read_text().strip()
        return str(result.get("value", ""))

    def aladin(self, script: str) -> str:
        return str(self.ask("script.aladin.send", script=script)["script.result"])


@contextmanager
def asked(desktop: Desktop, reply: dict[str, Any]) -> Iterator[Asked]:
    client = desktop.client()
    try:
        yield Asked(client, reply["target"].removeprefix("samp:"))
    finally:
        client.disconnect()


def pixel(product: sp.Ref, x: int, y: int, dataset: str = "image") -> float:
    """Return the pixel that DS9 calls x, y: it counts from 1."""
    return float(np.asarray(product.product[dataset])[y - 1, x - 1])


def test_ds9(desktop: Desktop, pool: sp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    need("ds9")
    sky("-p", pool.path, "send", "m83.fits", "--to", "ds9", "--json", code=4)
    (first,) = sky("-p", pool.path, "send", "m83.fits", "--to", "ds9", "--start", "--json")[
        "replies"
    ]
    assert (first["state"], first["mtype"]) == ("arrived", "image.load.fits")
    with asked(desktop, first) as ds9, Sender(hub=False) as sender:
        assert ds9.ds9("fits size") == "40 30"
        shown = ds9.ds9("data image 7 11 1 1 yes")
        assert float(shown) == pytest.approx(pixel(pool["m83.fits"], 7, 11), rel=1e-5)

        refs = [pool[name] for name in ("cube.fits", "several.fits", "line")]
        cube, several, line = sender.send(refs, "ds9", timeout=LIMIT)
        assert (cube.state, several.state, line.state) == ("arrived", "arrived", "skipped")
        assert "images" in line.detail
        shown = ds9.ds9("data image 3 4 1 1 yes")
        assert float(shown) == pytest.approx(pixel(pool["several.fits"], 3, 4), rel=1e-5)

        # A dataset alone, and by HTTP.
        (one,) = sender.send(
            pool["several.fits"], "ds9", dataset="coverage", via="http", timeout=LIMIT
        )
        assert (one.state, one.dataset, one.url[:17]) == (
            "arrived",
            "COVERAGE",
            "http://127.0.0.1:",
        )
        shown = ds9.ds9("data image 3 4 1 1 yes")
        assert float(shown) == pytest.approx(
            pixel(pool["several.fits"], 3, 4, "COVERAGE"), rel=1e-5
        )

        # Tables by its own command: SAMP's messages it answers, and shows nothing.
        (again,) = sender.send(pool["m83.fits"], "ds9", timeout=LIMIT)
        (table,) = sender.send(pool["sources.fits"], "ds9", timeout=LIMIT)
        assert (again.state, table.state, table.detail) == ("arrived", "arrived", "")
        assert table.mtype == "ds9.set"
        listed = desktop.home / "listed.tsv"
        ds9.ask("ds9.set", cmd=f"catalog export tsv {{{listed}}}")
        shown = Table.read(listed, format="ascii.tab")
        assert shown.colnames == ["RA", "DEC", "flux"]
        assert np.array_equal(shown["flux"], sources()["flux"])
        # Points are drawn where they are: the last one is selected by its place.
        regions = desktop.home / "regions.reg"
        ds9.ask("ds9.set", cmd="catalog regions")
        ds9.ask("ds9.set", cmd="regions system wcs")
        ds9.ask("ds9.set", cmd=f"regions save {{{regions}}}")
        assert regions.read_text().count("(204.2") == len(sources())
        ds9.ask("ds9.set", cmd="frame delete all")
        (alone,) = sender.send(pool["sources.fits"], "ds9", timeout=LIMIT)
        assert (alone.state, alone.detail) == ("arrived", "")

        # It says `samp.ok` to a file that is not there; it is not believed.
        with monkeypatch.context() as patch:
            patch.setattr(sending, "file_of", lambda *_: "/no/such/file.fits")
            (lie,) = sender.send(pool["m83.fits"], "ds9", timeout=3)
        assert lie.state == "refused"
        assert "does not show it" in lie.detail

        assert sender.point_at(204.25, -29.87, "ds9") == ["SAOImageDS9"]

        # What it sends back is the image that it has.
        (again,) = pool["m83.fits"].send("ds9", timeout=LIMIT)
        assert again.state == "arrived"
        with Receiver(pool, hub=False) as receiver:
            ds9.ask("ds9.set", cmd="samp send image skypool")
            came = receiver.wait(LIMIT)
        assert came is not None
        assert came.problem == ""
        assert came.sender == "SAOImageDS9"
        image = next(d for d in came.ref.product.datasets.values() if isinstance(d, sp.Array))
        assert np.array_equal(np.asarray(image), np.asarray(pool["m83.fits"].product["image"]))

        # A hub keeps programs that have died; they are no targets.
        desktop.kill("ds9")
        names = [target.name for target in sender.targets() if target.kind == "samp"]
        assert names == []
        with pytest.raises(NotFound, match="does not run"):
            sender.send(pool["m83.fits"], "ds9", timeout=0.5)


def test_topcat(desktop: Desktop, pool: sp.Pool) -> None:
    need("topcat")
    (first,) = sky(
        "-p", pool.path, "send", "sources.fits", "--to", "topcat", "--start", "--timeout", LIMIT,
        "--json",
    )["replies"]  # fmt: skip
    assert (first["state"], first["mtype"]) == ("accepted", "table.load.fits")
    with asked(desktop, first) as topcat, Sender(hub=False) as sender:

        def current() -> Table | None:
            """Return the table that it shows."""
            answer = topcat.client.ecall_and_wait(
                topcat.id, "table.get.stil", SECONDS, format="fits"
            )
            if answer["samp.status"] != "samp.ok":
                return None  # none yet: it takes tables before it shows them
            # It serves the table itself, on this machine.
            with urllib.request.urlopen(answer["samp.result"]["url"], timeout=LIMIT) as found:
                return Table.read(io.BytesIO(found.read()), format="fits")

        def shows(rows: int, names: list[str]) -> Table:
            def right() -> Table | None:
                table = current()
                there = table is not None and (len(table), table.colnames) == (rows, names)
                return table if there else None

            return until(right, f"TOPCAT shows {rows} rows of {names}")

        table = shows(25, ["RA", "DEC", "flux"])
        assert np.array_equal(table["flux"], sources()["flux"])
        assert str(table["flux"].unit) == "Jy"

        # It refuses ids that it knows: each sending has a new one.
        again, several, line, image = sender.send(
            [pool[name] for name in ("sources.vot", "several.fits", "line", "m83.fits")],
            "topcat",
            timeout=LIMIT,
        )
        assert [again.state, several.state, line.state] == ["accepted"] * 3
        assert (image.state, image.mtype) == ("skipped", "")
        shows(50, ["pixel", "flux"])

        (again,) = sender.send(pool["sources.fits"], "topcat", timeout=LIMIT)
        assert again.state == "accepted"
        shows(25, ["RA", "DEC", "flux"])
        assert sender.highlight_row(pool["sources.fits"], 3, "topcat") == ["topcat"]
        assert sender.select_rows(pool["sources.fits"], [1, 5, 7], "topcat") == ["topcat"]

        # Another program of its author sends a table: to skypool, which takes it.
        with Receiver(pool, hub=False) as receiver:
            path = pool["sources.fits"].path
            words = ["tpipe", f"in={path}", "cmd=head 5", "omode=samp", "format=votable"]
            done = subprocess.run(
                ["topcat", "-stilts", *words, "client=skypool"],
                check=False,
                timeout=LIMIT,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            came = receiver.wait(LIMIT)
        assert came is not None
        assert came.problem == ""
        (found,) = came.ref.product.datasets.values()
        assert len(found) == 5
        assert np.array_equal(np.asarray(found["flux"]), sources()["flux"][:5])
        assert came.ref.origin["sender"] == came.sender


def test_aladin(desktop: Desktop, pool: sp.Pool, tmp_path: Path, monkeypatch: Any) -> None:
    need("aladin")
    (first,) = sky(
        "-p", pool.path, "send", "m83.fits", "--to", "aladin", "--start", "--timeout", LIMIT,
        "--json",
    )["replies"]  # fmt: skip
    assert first["state"] == "arrived"
    with asked(desktop, first) as aladin, Sender(hub=False) as sender:
        assert "Width   40\nHeight  30" in aladin.aladin("status")
        copy = tmp_path / "copy.fits"
        aladin.aladin(f"export {plane(aladin, 'm83')} {copy}")
        until(lambda: copy.is_file() and copy.stat().st_size % 2880 == 0, "it has exported")
        given = np.asarray(pool["m83.fits"].product["image"])
        assert np.array_equal(fits.getdata(copy), given)

        table, cube, line = sender.send(
            [pool["sources.fits"], pool["cube.fits"], pool["line"]], "aladin", timeout=LIMIT
        )
        assert (table.state, cube.state, line.state) == ("arrived", "arrived", "skipped")
        shown = aladin.aladin("status")
        assert "NbObj   25" in shown, shown
        assert "Type    Cube" in shown
        with monkeypatch.context() as patch:
            patch.setattr(sending, "file_of", lambda *_: "/no/such/file.fits")
            (refused,) = sender.send(pool["m83.fits"], "aladin", timeout=LIMIT)
        assert refused.state == "refused"
        assert "Could not load image" in refused.detail


def plane(aladin: Asked, name: str) -> str:
    """Return what Aladin calls what it got."""
    names = [
        line.split(maxsplit=1)[1]
        for line in aladin.aladin("status").splitlines()
        if line.startswith("PlaneID")
    ]
    return next(found for found in names if found.startswith(name))
