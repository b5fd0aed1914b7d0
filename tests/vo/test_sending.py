"""Sending to stand-in programs: every mtype, every sort of product, answers that lie or lack."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table

import skypool as sp
from skypool.errors import Ambiguous, NotFound, Unreachable, UsageError
from skypool.pool.progress import Progress
from skypool.vo import Sender
from skypool.vo.catalogs import show_catalogue
from skypool.vo.payload import Part

from .conftest import LIMIT, Program, image_hdu, sources

Make = Callable[..., Program]

IMAGE, TABLE, VOTABLE = "image.load.fits", "table.load.fits", "table.load.votable"
SPECTRUM = "spectrum.load.ssa-generic"


def path_of(url: str) -> Path:
    parts = urlsplit(url)
    assert parts.scheme == "file"
    return Path(unquote(parts.path))


def test_an_image_goes_as_the_file_that_it_is(
    pool: sp.Pool, sender: Sender, program: Make, files: Path
) -> None:
    viewer = program("Viewer", IMAGE)
    (reply,) = sender.send(pool["m83.fits"], "viewer", timeout=LIMIT)
    assert (reply.state, reply.mtype, reply.name) == ("accepted", IMAGE, "Viewer")
    params = viewer.last(IMAGE)
    assert path_of(params["url"]).read_bytes() == (files / "m83.fits").read_bytes()
    assert params["name"] == "m83.fits"
    assert params["image-id"]


def test_one_dataset_of_several_goes_alone(pool: sp.Pool, sender: Sender, program: Make) -> None:
    viewer = program("Viewer", IMAGE)
    (reply,) = sender.send(pool["several.fits"], "Viewer", dataset="coverage", timeout=LIMIT)
    assert (reply.state, reply.dataset) == ("accepted", "COVERAGE")
    with fits.open(path_of(viewer.last(IMAGE)["url"])) as hdus:
        assert len(hdus) == 1
        assert np.array_equal(hdus[0].data, image_hdu(3).data)
        assert hdus[0].header["CRVAL1"] == pytest.approx(204.25)
        assert hdus[0].header["BUNIT"] == "Jy/beam"


def test_tables_go_as_fits_or_votable(pool: sp.Pool, sender: Sender, program: Make) -> None:
    both, old = program("Both", TABLE, VOTABLE), program("Old", VOTABLE)
    for name in ("sources.fits", "sources.vot", "several.fits"):
        rows = 7 if name == "several.fits" else 25
        states = [r.state for r in sender.send(pool[name], "all", timeout=LIMIT)]
        assert states == ["accepted", "accepted"]
        new = Table.read(path_of(both.last(TABLE)["url"]))
        assert len(new) == rows
        assert np.array_equal(new["flux"], sources(rows)["flux"])
        assert str(new["RA"].unit) == "deg"
        votable = parse_single_table(path_of(old.last(VOTABLE)["url"])).to_table()
        assert np.array_equal(votable["flux"], sources(rows)["flux"])


def test_ids_are_new_each_time(pool: sp.Pool, sender: Sender, program: Make) -> None:
    tables = program("Tables", TABLE)
    for _ in range(3):
        sender.send(pool["sources.fits"], "Tables", timeout=LIMIT)
    assert len({params["table-id"] for _, params in tables.got}) == 3


def test_vospec_gets_spectra(pool: sp.Pool, sender: Sender, program: Make) -> None:
    vospec = program("VOSpec", SPECTRUM)
    line, image = sender.send([pool["line"], pool["m83.fits"]], "vospec", timeout=LIMIT)
    assert (line.state, line.mtype, image.state) == ("accepted", SPECTRUM, "skipped")
    params = vospec.last(SPECTRUM)
    table = Table.read(path_of(params["url"]), hdu=1)
    assert np.array_equal(table["flux"], np.linspace(1, 2, 50))
    assert str(table["flux"].unit) == "Jy"
    assert params["spectrum-id"]
    assert params["meta"]["Access.Format"] == "application/fits"
    assert params["meta"]["Access.Reference"] == params["url"]


def test_spectra_go_as_tables_to_who_knows_no_spectra(
    pool: sp.Pool, sender: Sender, program: Make
) -> None:
    tables = program("topcat", TABLE)
    (reply,) = sender.send(pool["line"], "topcat", timeout=LIMIT)
    assert (reply.state, reply.mtype) == ("accepted", TABLE)
    assert len(Table.read(path_of(tables.last(TABLE)["url"]), hdu=1)) == 50


def test_the_axis_of_a_spectrum_comes_along(pool: sp.Pool, sender: Sender, program: Make) -> None:
    vospec = program("VOSpec", SPECTRUM)
    header = {
        "NAXIS": 1, "CTYPE1": "WAVE", "CUNIT1": "um", "CRVAL1": 100.0, "CRPIX1": 1.0, "CDELT1": 0.5,
    }  # fmt: skip
    array = sp.Array(np.arange(10.0), unit="Jy", wcs=fits.Header(header))
    ref = pool.save(sp.Product("Spectrum1d", datasets={"flux": array}), "wave")
    sender.send(ref, "vospec", timeout=LIMIT)
    table = Table.read(path_of(vospec.last(SPECTRUM)["url"]), hdu=1)
    axis = table["spectral_axis"].quantity.to_value("um")
    assert axis == pytest.approx(100 + 0.5 * np.arange(10))


def test_http_addresses_serve_that_file_alone(
    pool: sp.Pool, sender: Sender, program: Make, files: Path
) -> None:
    viewer = program("Viewer", IMAGE)
    (reply,) = sender.send(pool["m83.fits"], "Viewer", via="http", timeout=LIMIT)
    # It says that it has it, and has never asked for it.
    assert reply.state == "unanswered"
    assert "not fetched" in reply.detail
    url = viewer.last(IMAGE)["url"]
    with urllib.request.urlopen(url, timeout=LIMIT) as found:
        assert found.read() == (files / "m83.fits").read_bytes()
        assert found.headers["Content-Type"] == "application/fits"
    for other in (f"{url}/properties", url.rsplit("/", 1)[0], url.replace("m83", "m84")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(other, timeout=LIMIT)
        assert refused.value.code == 404
        refused.value.close()


def test_answers_are_told_apart(pool: sp.Pool, sender: Sender, program: Make) -> None:
    viewer = program("Viewer", IMAGE)
    viewer.answers[IMAGE] = "no room  for\nimages"
    (reply,) = sender.send(pool["m83.fits"], "Viewer", timeout=LIMIT)
    assert (reply.state, reply.detail) == ("refused", "no room for images")
    viewer.answers[IMAGE] = "silent"
    (reply,) = sender.send(pool["m83.fits"], "Viewer", timeout=0.2)
    assert reply.state == "unanswered"


def test_a_context_is_not_sent_and_its_products_are_offered(
    pool: sp.Pool, sender: Sender, program: Make
) -> None:
    viewer = program("Viewer", IMAGE, TABLE)
    (reply,) = sender.send(pool["obs"], "Viewer", timeout=LIMIT)
    assert reply.state == "skipped"
    assert "normally contains no data" in reply.detail
    offered = {pool[urn].name for urn in reply.offers}
    names = {"cube.fits", "m83.fits", "several.fits", "sources.fits", "sources.vot"}
    assert offered == {f"obs/{name}" for name in names}
    (reply,) = sender.send(pool["obs"], "Viewer", force=True, timeout=LIMIT)
    assert (reply.state, reply.detail) == ("skipped", "obs has no image, table or spectrum")
    assert viewer.got == []


def test_what_cannot_be_shown_is_skipped_with_a_reason(
    pool: sp.Pool, sender: Sender, program: Make
) -> None:
    program("Viewer", IMAGE)
    notes, table, lost = sender.send(
        [pool[name] for name in ("notes.txt", "sources.fits", "m83.fits")], "Viewer", dataset=None
    )
    assert notes.detail == "notes.txt has no image, table or spectrum"
    assert table.detail == "Viewer takes images and cubes, and this is table"
    assert lost.state == "accepted"
    (reply,) = sender.send(pool["m83.fits"], "Viewer", dataset="nothing")
    assert (reply.state, reply.detail) == (
        "skipped",
        "there is no dataset 'nothing' that can be sent",
    )


def test_all_are_those_that_take_it(pool: sp.Pool, sender: Sender, program: Make) -> None:
    viewer, tables = program("Viewer", "image.*"), program("Tables", "table.load.*")
    told: list[Progress] = []
    replies = sender.send(
        [pool["m83.fits"], pool["sources.fits"]], "all", told.append, timeout=LIMIT
    )
    assert [(reply.ref, reply.name) for reply in replies] == [
        ("m83.fits@0", "Viewer"),
        ("sources.fits@0", "Tables"),
    ]
    assert [(step.items, step.total_items) for step in told] == [(1, 2), (2, 2)]
    assert [mtype for mtype, _ in viewer.got + tables.got] == [IMAGE, TABLE]


def test_ds9_gets_tables_by_its_own_command_only(
    pool: sp.Pool, sender: Sender, program: Make
) -> None:
    ds9 = program("SAOImageDS9", IMAGE, TABLE, VOTABLE)
    (target,) = [target for target in sender.targets() if target.kind == "samp"]
    assert (target.accepts, target.id) == (("image", "cube"), f"samp:{ds9.id}")
    image, table = sender.send([pool["several.fits"], pool["sources.fits"]], "ds9", timeout=LIMIT)
    assert (image.state, table.state) == ("accepted", "skipped")


class Catalogues:
    """DS9 as far as its catalogues go."""

    def __init__(self, keeps: int) -> None:
        self.keeps = keeps
        self.commands: list[str] = []
        self.lines: list[str] = []

    def call(self, ident: str, mtype: str, params: dict[str, str]) -> Catalogues:
        self.commands.append(params["cmd"])
        verb, _, path = params["cmd"].partition(" tsv ")
        if verb == "catalog import":
            self.lines = Path(path.strip("{}")).read_text("utf-8").splitlines()
        if verb == "catalog export":
            kept = self.lines[: self.keeps + 1]
            Path(path.strip("{}")).write_text("".join(f"{line}\n" for line in kept), "utf-8")
        return self

    def wait(self, seconds: float) -> dict[str, Any]:
        return {"samp.status": "samp.ok", "samp.result": {"value": ""}}


def test_a_catalogue_for_ds9_is_written_and_counted(tmp_path: Path) -> None:
    table = sp.Table(
        {
            "raj2000": np.array([10.5, 20.25, 30.125]), "dej2000": np.array([-1.0, 0.0, 1.0]),
            "a {name}": ["x\ty", "", "ü"], "sed": np.arange(6, dtype="f4").reshape(3, 2) / 10,
            "long": np.zeros((3, 40)),
        }
    )  # fmt: skip
    part = Part("sources", "table", table)
    peer: Any = SimpleNamespace(id="c1")
    ds9: Any = Catalogues(keeps=3)
    assert show_catalogue(ds9, peer, part, "my list/1", 9) == ("arrived", "")
    assert ds9.lines == [
        "raj2000\tdej2000\ta_name_\tsed_1\tsed_2", "10.5\t-1.0\tx y\t0.0\t0.1",
        "20.25\t0.0\t\t0.2\t0.3", "30.125\t1.0\tü\t0.4\t0.5",
    ]  # fmt: skip
    assert ds9.commands[0] == "frame"
    assert ds9.commands[1] == "frame new"  # as there is none
    assert ds9.commands[3:-1] == ["catalog psky fk5"]  # it knows these columns
    other = sp.Table({"s_ra": np.arange(3.0), "s_dec": np.arange(3.0)})
    assert show_catalogue(ds9, peer, Part("other", "table", other), "other", 9)[0] == "arrived"
    assert ds9.commands[-4:-1] == ["catalog psky icrs", "catalog ra {s_ra}", "catalog dec {s_dec}"]
    lost: Any = Catalogues(keeps=1)
    state, why = show_catalogue(lost, peer, part, "my list", 9)
    assert (state, "1 of 3 rows" in why) == ("refused", True)
    plain = Part("lines", "table", sp.Table({"wave": np.arange(3.0)}))
    state, why = show_catalogue(lost, peer, plain, "lines", 9)
    assert (state, "positions" in why) == ("skipped", True)


def test_targets_name_what_does_not_run_and_what_is_here(
    pool: sp.Pool, sender: Sender, program: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/bin/x" if name == "ds9" else None)
    with sp.Pool("temp1") as other:
        other.save(sp.Product("Product"), "x")
    program("topcat", TABLE)
    program("idle")
    found = {target.id: target for target in sender.targets()}
    kinds = [target.kind for target in found.values()]
    assert kinds == ["samp", "program", "program", "program", "pool", "file", "text"]
    assert found["program:ds9"].start == "ds9"
    assert not found["program:ds9"].alive
    assert found["program:aladin"].start == ""
    assert found["program:aladin"].accepts == ("image", "cube", "table")
    assert found["program:vospec"].accepts == ("spectrum",)
    assert "apt-get" in found["program:aladin"].get
    assert "context" in found["pool:temp1"].accepts


def test_names_of_programs(pool: sp.Pool, sender: Sender, program: Make) -> None:
    one, two = program("Twin", IMAGE), program("Twin", IMAGE)
    with pytest.raises(Ambiguous) as caught:
        sender.send(pool["m83.fits"], "twin")
    assert set(caught.value.candidates) == {f"samp:{one.id}", f"samp:{two.id}"}
    (reply,) = sender.send(pool["m83.fits"], f"samp:{two.id}", timeout=LIMIT)
    assert reply.target == f"samp:{two.id}"
    assert len(two.got) == 1
    with pytest.raises(NotFound, match="no program 'nobody'") as missing:
        sender.send(pool["m83.fits"], "nobody")
    assert any("Twin" in name for name in missing.value.candidates)
    with pytest.raises(NotFound, match="SAOImage DS9 does not run"):
        sender.send(pool["m83.fits"], "ds9")
    with pytest.raises(UsageError, match="file or http"):
        sender.send(pool["m83.fits"], "twin", via="pigeon")


def test_without_a_hub(pool: sp.Pool, lockfile: Path) -> None:
    with Sender(hub=False) as sender:
        assert all(target.kind != "samp" for target in sender.targets())
        with pytest.raises(NotFound, match="does not run"):
            sender.send(pool["m83.fits"], "ds9")
        with pytest.raises(Unreachable, match="no SAMP hub"):
            sender.send(pool["m83.fits"], "all")
    lockfile.write_text("samp.secret=x\nsamp.hub.xmlrpc.url=http\\://127.0.0.1:9/\n")
    with Sender(hub=False) as sender, pytest.raises(Unreachable, match="no SAMP hub"):
        sender.send(pool["m83.fits"], "all")


def test_a_table_without_unique_rows_is_no_target_of_rows(
    pool: sp.Pool, sender: Sender, program: Make
) -> None:
    program("Tables", TABLE, "table.highlight.row")
    with pytest.raises(NotFound, match="was sent to any program"):
        sender.highlight_row(pool["sources.fits"], 1)


def test_rows_and_places(pool: sp.Pool, sender: Sender, program: Make) -> None:
    mtypes = (TABLE, "table.highlight.row", "table.select.rowList", "coord.pointAt.sky")
    one, two = program("One", *mtypes), program("Two", *mtypes)
    ref = pool["sources.fits"]
    sender.send(ref, "One", timeout=LIMIT)
    assert sender.highlight_row(ref, 3) == ["One"]
    ident = one.last(TABLE)["table-id"]
    assert one.last("table.highlight.row") == {"table-id": ident, "row": "3"}
    sender.send(ref, "all", timeout=LIMIT)
    assert sender.select_rows(ref, np.array([1, 5])) == ["One", "Two"]
    for program_ in (one, two):
        params = program_.last("table.select.rowList")
        assert params == {"table-id": program_.last(TABLE)["table-id"], "row-list": ["1", "5"]}
    assert sender.point_at(204.25, -29.875, "Two") == ["Two"]
    assert two.last("coord.pointAt.sky") == {"ra": "204.25", "dec": "-29.875"}


def test_a_hub_that_was_started_anew_is_found(
    pool: sp.Pool, sender: Sender, program: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("Viewer", IMAGE)
    sender.send(pool["m83.fits"], "Viewer", timeout=LIMIT)
    assert sender._client is not None
    before = sender._client.id
    sender._client.hub("unregister")  # as another hub would not know it
    (reply,) = sender.send(pool["m83.fits"], "Viewer", timeout=LIMIT)
    assert reply.state == "accepted"
    assert sender._client.id != before


def test_threads_send_at_once(pool: sp.Pool, sender: Sender, program: Make) -> None:
    tables = program("Tables", TABLE)
    replies: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: replies.extend(
                sender.send(pool["sources.fits"], "Tables", timeout=LIMIT)
            )
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.state for reply in replies] == ["accepted"] * 8
    assert len({params["table-id"] for _, params in tables.got}) == 8


def test_the_methods_of_pools_and_refs(pool: sp.Pool, program: Make) -> None:
    viewer = program("Viewer", IMAGE)
    assert [r.state for r in pool["m83.fits"].send("Viewer", timeout=LIMIT)] == ["accepted"]
    replies = pool.send(["m83.fits", pool["cube.fits"]], to="Viewer", timeout=LIMIT)
    assert [r.ref for r in replies] == ["m83.fits@0", "cube.fits@0"]
    assert [r.ref for r in pool.send("cube", to="Viewer", timeout=LIMIT)] == ["cube.fits@0"]
    assert len(viewer.got) == 4
