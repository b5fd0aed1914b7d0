"""The routes of products, held against the pool itself and against astropy."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.server.conftest import client_of, made

import skypool as sp
from skypool.server.downloads import byte_range
from skypool.server.headers import cards_of
from skypool.testing import observation

PSW = "hspirepsw1342182452_20pxmp_1469548187623.fits.gz"
BLUE = "hpacs1342182452_20hpppmapb_00_1469548187623.fits"


def table(values: list[float], **more: list) -> Table:
    return Table({"id": np.arange(len(values)), "flux": values, **more})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pool with an observation that was reprocessed, tables and images in versions."""
    place = tmp_path_factory.mktemp("products")
    root = observation.write(place / "in", 0.02)
    with sp.Pool(place / "pool") as pool:
        pool.add(root, tags=["first"])
        observation.reprocess(root, 0.02)
        pool.add(root, tags=["using cal v2"], message="reprocessed")
        first = made(3).replace(
            datasets={"rows": table([1.0, 2.0, 3.0]), "inner": {"flat": np.ones((4, 4))}}
        )
        pool.save(first, "lone/map")
        image = np.array(first["image"][:])
        image[2, 3] += 7.5
        image[4, 5] = np.nan
        second = first.replace(
            meta={"object": "M 83", "fresh": sp.Parameter(1.5, "Jy")},
            datasets={
                "image": sp.Array(image, unit="Jy/beam", wcs=first["image"].wcs_header),
                "rows": table([1.0, 2.5, 3.0, 4.0], quality=[1, 2, 3, 4]),
                "inner": None,
            },
        )
        pool.save(second, "lone/map", message="corrected")
        pool.save(made(3), "copy/of it")
        notes = place / "notes.txt"
        notes.write_text("0123456789" * 5)
        pool.add(notes)
    return place / "pool"


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with client_of(folder) as opened:
        yield opened


@pytest.fixture
def pool(folder: Path) -> Iterator[sp.Pool]:
    with sp.Pool(folder, "r") as opened:
        yield opened


def address(ref: sp.Ref, part: str = "") -> str:
    return f"/api/v1/products/pool/{ref.number}{part}"


def get(client: TestClient, ref: sp.Ref, part: str = "", **query: object):
    answer = client.get(address(ref, part), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_a_product_is(client, pool):
    ref = pool["1342182452/level2/PSW"]
    found = get(client, ref)
    assert found["ref"] == f"pool/{ref.number}"
    assert (found["urn"], found["hash"], found["name"]) == (ref.urn, ref.hash, ref.name)
    assert (found["version"], found["versions"], found["latest"]) == (1, 2, True)
    assert found["kind"] == "SimpleImage"
    assert found["context"] is False
    datasets = {each["path"]: each for each in found["datasets"]}
    assert datasets["image"]["class"] == "array"
    assert datasets["image"]["shape"] == list(ref["image"].shape)
    assert (datasets["image"]["unit"], datasets["image"]["quick"]) == ("MJy/sr", "image")
    assert datasets["History"]["class"] == "composite"
    tasks = datasets["History/HistoryTasks"]
    assert [column["name"] for column in tasks["columns"]][:2] == ["ID", "Name"]
    assert tasks["rows"] > 0
    assert found["hdus"][0]["index"] == 0
    assert found["file"]["format"] == "fits"
    assert found["file"]["wrapper"] == "gzip"
    assert found["names"] == [ref.name]
    assert "skypool.Pool(" in found["code"]["python"]
    assert found["code"]["url"] == f"#ref=pool%2F{ref.number}"


def test_summary_is_that_of_hipes_viewer(client, pool):
    rows = {row["label"]: row for row in get(client, pool["1342182452"])["summary"]}
    wanted = {"Obs. ID", "Obs. date", "Object", "AOT", "Obs. mode", "Operational day", "RA nominal"}
    assert wanted | {"Dec nominal", "AOR label", "SPG version"} <= set(rows)
    assert rows["Obs. ID"]["value"] == 1342182452
    assert rows["SPG version"]["value"].startswith("SPG v")
    assert rows["RA nominal"]["unit"] == "deg"


def test_the_python_line_gives_the_product(client, folder, monkeypatch):
    found = get(client, sp.Pool(folder)["lone/map@0"])
    names: dict = {"skypool": sp}
    exec(found["code"]["python"], names)
    assert names["product"].meta["object"].value == "NGC 3"


def test_datasets_that_are_equal_have_one_hash(client, pool):
    old, new = (
        {each["path"]: each["hash"] for each in get(client, pool[f"lone/map@{n}"])["datasets"]}
        for n in (0, 1)
    )
    same = {each["path"]: each["hash"] for each in get(client, pool["copy/of it"])["datasets"]}
    assert old["image"] == same["image"]
    assert old["image"] != new["image"]


def test_metadata_of_product_and_dataset(client, pool):
    ref = pool["lone/map"]
    entries = {each["name"]: each for each in get(client, ref, "/meta")["entries"]}
    assert list(entries) == list(ref.meta)
    assert entries["fresh"] == {
        "name": "fresh", "value": 1.5, "unit": "Jy", "description": None, "type": "number"
    }  # fmt: skip
    assert entries["startDate"]["type"] == "time"
    assert entries["startDate"]["value"].endswith("Z")
    assert entries["quality"]["type"] == "boolean"
    psw = pool["1342182452/level2/PSW"]
    of_image = get(client, psw, "/meta", dataset="image")["entries"]
    assert {each["name"] for each in of_image} == set(psw["image"].meta)
    wrong = client.get(address(ref, "/meta"), params={"dataset": "imag"})
    assert wrong.status_code == 404
    assert "image" in wrong.json()["error"]["suggestions"]


@pytest.mark.parametrize(
    "name", [f"1342182452/level2/PSW/{PSW}", f"1342182452/level2/HPPPMAPB/{BLUE}"]
)
def test_cards_are_those_of_the_file(client, pool, name):
    ref = pool[name]
    units = get(client, ref, "/header")["hdus"]
    with fits.open(ref.path) as opened:
        assert len(units) == len(opened)
        for unit, hdu in zip(units, opened, strict=True):
            text = "".join(line for card in unit["cards"] for line in card[3].split("\n"))
            whole = hdu.header.tostring(padding=False).removesuffix("END".ljust(80))
            assert text == whole
            assert unit["name"] == (hdu.header.get("EXTNAME") or "Primary")
            values = {card[0]: card for card in reversed(unit["cards"])}
            for key in ("BITPIX", "NAXIS"):
                assert int(values[key][1]) == hdu.header[key]
                assert values[key][2] == hdu.header.comments[key]


def test_cards_of_odd_headers():
    lines = [
        "SIMPLE  =                    T / it is",
        "NUMBER  =             1.50D+03 / [Jy] as written",
        "LONG    = 'a string that goes&'",
        "CONTINUE  ' on and on'  / at length",
        "HIERARCH ESO DET NAME = 'the chip' / of ESO",
        "HIERARCH  key.OBS_ID='obsid'",
        "COMMENT what it means",
        "EMPTY   =",
        "QUOTE   = 'it''s'",
        "BAD      caf\xe9",
        "END",
    ]
    cards = cards_of("".join(line.ljust(80) for line in lines).encode("latin-1"))
    assert [card[:3] for card in cards] == [
        ["SIMPLE", "T", "it is"],
        ["NUMBER", "1.50D+03", "[Jy] as written"],
        ["LONG", "a string that goes on and on", "at length"],
        ["ESO DET NAME", "the chip", "of ESO"],
        ["key.OBS_ID", "obsid", ""],
        ["COMMENT", "what it means", ""],
        ["EMPTY", "", ""],
        ["QUOTE", "it's", ""],
        ["BAD", "caf\xe9", ""],
    ]
    assert [len(card[3]) for card in cards] == [80, 80, 161, *[80] * 6]


@given(st.binary(max_size=400))
def test_any_bytes_have_cards(raw):
    shown = "".join(line for card in cards_of(raw) for line in card[3].split("\n"))
    end = raw.decode("latin-1")
    assert "\n" in end or end.startswith(shown)


def test_header_of_what_is_no_fits_file(client, pool):
    assert get(client, pool["notes.txt"], "/header") == {"hdus": []}


def test_children_and_parents(client, pool):
    root = pool["1342182452"]
    found = get(client, root, "/children")
    assert [each["role"] for each in found["children"]] == list(root.refs)
    level2 = next(each for each in found["children"] if each["role"] == "level2")
    assert level2["context"] is True
    assert level2["children"] == len(root["level2"].refs)
    page = get(client, root, "/children", start=1, count=2)
    assert [each["role"] for each in page["children"]] == list(root.refs)[1:3]
    assert page["total"] == len(root.refs)
    parents = get(client, root["level2"], "/parents")["parents"]
    assert [(each["ref"], each["role"]) for each in parents] == [(f"pool/{root.number}", "level2")]
    # Calibration was not reprocessed: both versions of the observation refer to it.
    both = get(client, root["calibration"], "/parents")["parents"]
    assert [each["version"] for each in both] == [1, 0]


def test_tree_ends_at_its_depth(client, pool):
    root = pool["1342182452"]
    shallow = get(client, root, "/tree", depth=1)
    assert [each["role"] for each in shallow["refs"]] == list(root.refs)
    assert not any("refs" in each for each in shallow["refs"])
    deep = get(client, root, "/tree", depth=3)
    level2 = next(each for each in deep["refs"] if each["role"] == "level2")
    assert [each["role"] for each in level2["refs"]] == list(root["level2"].refs)


def test_references_to_what_is_not_there(client, tmp_path):
    with sp.Pool(tmp_path / "pool") as opened:
        lost = sp.ExternalRef("urn:other:SimpleImage:3")
        ref = opened.save(sp.Product(kind="MapContext", refs={"lost": lost}), "all")
    with client_of(tmp_path / "pool") as client:
        (child,) = get(client, ref, "/children")["children"]
        assert (child["ref"], child["external"]) == (None, "urn:other:SimpleImage:3")


def test_versions_tell_what_each_added(client, pool, folder):
    root = pool["1342182452"]
    new, old = get(client, root, "/versions")["versions"]
    assert (new["version"], old["version"]) == (1, 0)
    assert (new["tags"], old["tags"]) == (["using cal v2"], ["first"])
    assert new["message"] == "reprocessed"
    assert 0 < new["added_bytes"] < old["added_bytes"]
    packs = sum(file.stat().st_size for file in (folder / "packs").iterdir())
    assert old["added_bytes"] + new["added_bytes"] < packs
    later, first = get(client, pool["lone/map"], "/versions")["versions"]
    assert (later["current"], first["current"]) == (True, False)


def test_history_and_provenance(client, pool):
    commits = get(client, pool["lone/map"], "/history")["commits"]
    assert [each["message"] for each in commits] == ["corrected", ""]
    found = get(client, pool["1342182452/level2/PSW"], "/provenance")
    told = pool["1342182452/level2/PSW"].product.provenance
    assert [task["name"] for task in found["tasks"]] == [task.name for task in told.tasks]
    assert found["script"] == list(told.script)
    assert {p["task"] for p in found["parameters"]} <= {task.number for task in told.tasks}
    none = get(client, pool["lone/map"], "/provenance")
    assert none["tasks"] == []


def test_differences(client, pool):
    old, new = pool["lone/map@0"], pool["lone/map@1"]
    found = get(client, old, "/diff", **{"with": f"pool/{new.number}"})
    meta = {each["name"]: each for each in found["meta"]}
    assert set(meta) == {"object", "fresh"}
    assert (meta["object"]["a"], meta["object"]["b"]) == ("NGC 3", "M 83")
    assert (meta["fresh"]["state"], meta["fresh"]["unit_b"]) == ("added", "Jy")
    assert found["same_meta"] == len(found["same"]) >= len(old.meta) - 1
    datasets = {each["path"]: each for each in found["datasets"]}
    assert datasets["image"]["changed"] == 2
    assert datasets["image"]["max_difference"] == 7.5
    assert datasets["image"]["box"] == [[2, 5], [3, 6]]
    assert datasets["inner"]["state"] == datasets["inner/flat"]["state"] == "removed"
    assert "column flux" in datasets["rows"]["what"]
    assert "lone/map@0" in found["code"]["command"]
    same = get(client, old, "/diff", **{"with": f"pool/{old.number}"})
    assert same["equal"] is True
    assert all(each["state"] == "same" for each in same["datasets"])


def test_differences_of_references(client, pool):
    old, new = pool["1342182452@0"], pool["1342182452@1"]
    refs = get(client, old, "/diff", **{"with": f"pool/{new.number}"})["refs"]
    assert [(each["role"], each["state"]) for each in refs] == [("level2", "changed")]
    assert (refs[0]["a"]["version"], refs[0]["b"]["version"]) == (0, 1)


def test_differences_between_pools(folder, tmp_path):
    with sp.Pool(folder, "r") as pool:
        pool.copy(["1342182452", "lone/map@0"], tmp_path / "other", versions="latest")
    with sp.Pool(folder, "r") as pool, sp.Pool(tmp_path / "other", "r") as other:
        with client_of(folder, tmp_path / "other") as client:
            copied, mine = other["1342182452"], pool["1342182452@1"]
            query = {"with": f"other/{copied.number}"}
            # The copies of all that is below it are the same.
            assert get(client, mine, "/diff", **query)["equal"]
            before = get(client, pool["1342182452@0"], "/diff", **query)
            assert [each["role"] for each in before["refs"]] == ["level2"]
            assert before["refs"][0]["b"]["ref"].startswith("other/")
            table = {"with": f"other/{other['lone/map'].number}", "dataset": "rows"}
            assert get(client, pool["lone/map@1"], "/diff/rows", **table)["total"] == 2
        found = pool.diff("1342182452@0", copied)
        assert [(change.role, change.after) for change in found.refs] == [
            ("level2", copied.refs["level2"])
        ]


def test_rows_that_differ(client, pool):
    old, new = pool["lone/map@0"], pool["lone/map@1"]
    query = {"with": f"pool/{new.number}", "dataset": "rows"}
    found = get(client, old, "/diff/rows", **query)
    assert [column["name"] for column in found["columns"]] == ["id", "flux", "quality"]
    assert [column["state"] for column in found["columns"]] == ["same", "changed", "added"]
    assert found["total"] == 2
    assert found["rows"][0] == {
        "row": 1, "a": [1, 2.0, None], "b": [1, 2.5, 2], "changed": ["flux"]
    }  # fmt: skip
    assert found["rows"][1]["a"] is None
    assert get(client, old, "/diff/rows", **query, start=1)["rows"][0]["row"] == 3
    wrong = client.get(address(old, "/diff/rows"), params=query | {"dataset": "image"})
    assert wrong.status_code == 400


def test_storage_tells_what_is_shared(client, pool):
    old, new = pool["1342182452/level2/PSW@0"], pool["1342182452/level2/PSW@1"]
    found = get(client, new, "/storage")
    assert found["path"] == pool.path
    shared = {each["ref"]: each["bytes"] for each in found["shared"]}
    assert shared[f"pool/{old.number}"] > 0
    assert 0 < found["unique"] < found["bytes_stored"]
    assert found["complete"] is True
    assert found["looked_at"] == len([v for ref in pool for v in ref.versions]) - 1
    assert sum(found["codecs"].values()) > 0
    for pack in found["packs"]:
        assert Path(pack["path"]).is_file()
    lone, copy = pool["lone/map@0"], pool["copy/of it"]
    twin = {each["ref"]: each for each in get(client, lone, "/storage")["shared"]}
    assert twin[f"pool/{copy.number}"]["chunks"] >= 1


def test_storage_of_files_in_place(tmp_path):
    file = tmp_path / "map.fits"
    fits.writeto(file, np.zeros((5, 5), "f4"))
    with sp.Pool(tmp_path / "pool") as opened:
        ref = opened.add(file, in_place=True)
    with client_of(tmp_path / "pool") as client:
        (place,) = get(client, ref, "/storage")["in_place"]
        assert place == {"path": str(file), "size": file.stat().st_size, "there": True}
        file.unlink()
        (place,) = get(client, ref, "/storage")["in_place"]
        assert place["there"] is False


def test_methods_are_those_of_python(client, pool):
    groups = get(client, pool["lone/map"], "/methods")["groups"]
    listed = [member for group in groups for member in group["members"]]
    members = {m["name"]: m for m in listed if m["call"].startswith("product.")}
    assert members["replace"]["text"] == "Return a changed copy."
    assert members["to_ccddata"]["call"] == "product.to_ccddata(name='image')"
    assert any(group["expression"] == "product['image']" for group in groups)
    assert not any(member["name"].startswith("_") for member in listed)


# -- files


def test_files_come_byte_for_byte(client, pool):
    for name in (PSW, BLUE):
        ref = next(each for each in pool.ls() if each.name.endswith(name))
        answer = client.get(address(ref, "/file"))
        with open(ref.path, "rb") as file:
            assert answer.content == file.read()
        assert name in answer.headers["content-disposition"]
        assert answer.headers["content-security-policy"].startswith("sandbox")


def test_products_made_in_memory_come_as_fits(client, pool):
    answer = client.get(address(pool["lone/map"], "/file"))
    assert answer.headers["content-type"] == "application/fits"
    with fits.open(io.BytesIO(answer.content)) as opened:
        assert "image" in [hdu.name.lower() for hdu in opened]


def test_contexts_come_as_zip_files(client, pool):
    root = pool["1342182452"]
    answer = client.get(address(root["level2"], "/file"))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert f"level2/PSW/{PSW}" in names
        original = Path(root["level2"]["PSW"].path).read_bytes()
        assert opened.read(f"level2/PSW/{PSW}") == original


@pytest.mark.parametrize("name", ["notes.txt", "lone/map"])
@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=3-7", 3, 8), ("bytes=40-", 40, None), ("bytes=-4", -4, None), ("bytes=0-0", 0, 1)],
)
def test_ranges(client, pool, name, wanted, start, stop):
    ref = pool[name]
    whole = client.get(address(ref, "/file")).content
    answer = client.get(address(ref, "/file"), headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == whole[start:stop]
    first = range(len(whole))[start:stop]
    assert answer.headers["content-range"] == f"bytes {first[0]}-{first[-1]}/{len(whole)}"
    etag = answer.headers["etag"]
    again = client.get(address(ref, "/file"), headers={"If-None-Match": etag})
    assert again.status_code == 304
    other = client.get(address(ref, "/file"), headers={"Range": wanted, "If-Range": '"x"'})
    assert (other.status_code, other.content) == (200, whole)


def test_a_range_behind_the_end(client, pool):
    answer = client.get(address(pool["notes.txt"], "/file"), headers={"Range": "bytes=50-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */50"


@given(st.text("bytes=-0123456789, x", max_size=16), st.integers(0, 1000))
def test_any_range_lies_within_the_file(text, size):
    found = byte_range(text, size)
    if found is not None:
        start, stop = found
        assert 0 <= start <= stop <= size


def test_what_is_not_there(client, pool):
    assert client.get("/api/v1/products/pool/99999").status_code == 404
    assert client.get("/api/v1/products/other/1").status_code == 404
    assert client.get("/api/v1/products/pool/x").status_code == 400
    ref = pool["notes.txt"]
    for other in ("nothing", "other/1", "pool/x"):
        answer = client.get(address(ref, "/diff"), params={"with": other})
        assert answer.status_code in (400, 404)


def test_a_version_whose_content_was_given_up(tmp_path):
    with sp.Pool(tmp_path / "pool") as opened:
        ref = opened.save(made(1), "gone")
        opened.remove("gone")
        opened.gc(grace=0, removed_after=0)
    with client_of(tmp_path / "pool") as client:
        for part in ("", "/meta", "/header", "/file", "/storage"):
            answer = client.get(address(ref, part))
            assert answer.status_code in (200, 410), part
        assert client.get(address(ref)).status_code == 410
        (row,) = get(client, ref, "/versions")["versions"]
        assert row["purged"] is True


def test_nothing_is_written(folder, client, pool):
    before = {
        file: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*.pack")
    }
    get(client, pool["1342182452"], "/storage")
    client.get(address(pool["1342182452"], "/file"))
    assert before == {
        file: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*.pack")
    }
