"""Every verb on a real pool: what it prints, its JSON, its exit codes."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from pyarrow import parquet

from skypool.model.product import Product
from skypool.pool.pool import Pool

from .conftest import Run, events, image, write

Sky = Callable[..., Run]

PSW = "obs/level2/PSW.fits"
FIND_KEYS = {"urn", "name", "version", "kind", "type", "tags"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- init, pools


def test_init_makes_a_named_pool_once(sky: Sky) -> None:
    first = sky("init", "temp1", "--json").json
    assert set(first) == {"pool", "path", "id", "created", "max_size", "shared", "journal"}
    assert first["created"] is True
    assert Path(first["path"]) == Path(os.environ["SKYPOOL_HOME"]) / "temp1"
    again = sky("-p", "temp1", "init", "--json").json
    assert again == first | {"created": False}
    assert sky("init", "temp1", "--new", "--json", code=5).json["error"]["code"] == "pool_exists"
    assert "there already" in sky("init", "temp1").out


def test_init_without_a_name_makes_the_default_pool(sky: Sky, tree: Path) -> None:
    assert sky("init", "--json").json["pool"] == "default"
    assert sky("info", "--json").json["products"] == 0


def test_init_takes_paths(sky: Sky, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sky("init", "./a b/pool")
    assert (tree / "a b/pool/skypool.json").is_file()
    (tree / "here").mkdir()
    monkeypatch.chdir(tree / "here")
    sky("init", ".")
    assert (tree / "here/skypool.json").is_file()
    assert Path(sky("info", "--json").json["path"]) == tree / "here"


def test_pools_lists_named_pools(sky: Sky) -> None:
    assert sky("pools", "--json").json == {"pools": []}
    sky("init", "b")
    sky("init", "a")
    pools = sky("pools", "--json").json["pools"]
    assert [pool["name"] for pool in pools] == ["a", "b"]
    assert set(pools[0]) == {"name", "path", "bytes_stored"}
    assert sky("pools").out.startswith("POOL")


# -- add


def test_add_needs_no_configuration(sky: Sky, tree: Path) -> None:
    run = sky("add", "obs")
    assert "default" in run.err
    assert "commit 1: 5 saved, 0 unchanged" in run.out
    assert Path(sky("info", "--json").json["path"]) == Path(os.environ["SKYPOOL_HOME"]) / "default"
    assert "obs/notes.txt\n" in sky("ls", "-q").out


def test_add_reports_as_agreed(sky: Sky, tree: Path) -> None:
    found = sky("-p", "./pool", "add", "obs", "--tag", "using cal v1", "--json").json
    assert list(found) == [
        "commit", "saved", "unchanged", "skipped", "bytes_in", "bytes_added", "files_read"
    ]  # fmt: skip
    assert found["commit"] == 1
    assert {entry["name"] for entry in found["saved"]} == {
        "obs", "obs/level2", PSW, "obs/level2/events.fits", "obs/notes.txt",
    }  # fmt: skip
    assert all(set(e) == {"urn", "name", "version", "kind", "type"} for e in found["saved"])
    assert found["unchanged"] == 0
    assert found["skipped"] == []
    assert found["bytes_in"] == sum(len(data) for data in files_of(tree / "obs").values())
    assert found["bytes_added"] == sum(
        path.stat().st_size for path in (tree / "pool/packs").iterdir()
    )
    again = sky("-p", "./pool", "add", "obs", "--json").json
    assert again["saved"] == []
    assert again["commit"] is None
    assert again["bytes_added"] == 0
    assert again["unchanged"] > 0


def test_add_saves_what_changed(sky: Sky, pool: Path) -> None:
    write(pool.parent / PSW, image(9))
    found = sky("add", "obs", "-m", "reprocessed", "--json").json
    assert {(e["name"], e["version"]) for e in found["saved"]} == {
        ("obs", 1), ("obs/level2", 1), (PSW, 1),
    }  # fmt: skip
    assert sky("add", "obs", "--force-read", "--json").json["saved"] == []
    assert "reprocessed" in sky("history").out


def test_add_names(sky: Sky, tree: Path) -> None:
    sky("init", "./pool")
    os.environ["SKYPOOL"] = "./pool"
    sky("add", PSW)
    sky("add", PSW, "--name", "maps/m83", "-t", "a", "-t", "b c")
    sky("add", PSW, "obs/notes.txt", "--under", "x/y")
    names = sky("ls", "-q").out.splitlines()
    assert PSW in names
    assert "maps/m83" in names
    assert {"x/y/obs/level2/PSW.fits", "x/y/obs/notes.txt"} <= set(names)
    assert sorted(sky("show", "maps/m83", "--json").json["tags"]) == ["a", "b c"]


def test_add_says_what_is_kept_as_plain_bytes(sky: Sky, tree: Path) -> None:
    data = (tree / PSW).read_bytes()
    (tree / "cut.fits").write_bytes(data[:3000])
    run = sky("-p", "./pool", "add", "cut.fits")
    assert "kept as plain bytes: cut.fits: " in run.out
    shown = sky("-p", "./pool", "show", "cut.fits").out
    assert "kept as plain bytes: " in shown
    assert sky("-p", "./pool", "show", "cut.fits", "--json").json["reason"]


def test_add_skips_what_cannot_be_read(sky: Sky, tree: Path) -> None:
    (tree / "obs/dangling").symlink_to("nowhere")
    os.mkfifo(tree / "obs/fifo")
    found = sky("-p", "./pool", "add", "obs", "--json", code=3).json
    assert {Path(entry["path"]).name for entry in found["skipped"]} == {"dangling", "fifo"}
    assert all(entry["reason"] for entry in found["skipped"])
    assert len(found["saved"]) == 5
    (tree / "obs/fifo").unlink()
    assert "skipped: " in sky("-p", "./pool", "add", "obs", code=3).out


def test_add_refuses_another_observation(sky: Sky, tree: Path) -> None:
    write(tree / "map.fits", image(1, OBS_ID="1342182452", INSTRUME="SPIRE"))
    sky("-p", "./pool", "add", "map.fits")
    write(tree / "map.fits", image(2, OBS_ID="1342182453", INSTRUME="PACS"))
    assert sky("-p", "./pool", "add", "map.fits", "--json", code=5).json["error"]["code"]
    assert sky("-p", "./pool", "info", "--json").json["versions"] == 1
    sky("-p", "./pool", "add", "map.fits", "--as-version")
    assert sky("-p", "./pool", "info", "--json").json["versions"] == 2


def test_add_of_a_missing_file_adds_nothing(sky: Sky, tree: Path) -> None:
    error = sky("-p", "./pool", "add", "obs", "nowhere.fits", "--json", code=4).json["error"]
    assert error["code"] == "not_found"
    assert not (tree / "pool").exists()


def test_add_in_place_leaves_the_data(sky: Sky, tree: Path) -> None:
    (tree / "big.dat").write_bytes(np.random.default_rng(1).bytes(2_000_000))
    found = sky("-p", "./pool", "add", "--in-place", "big.dat", "--json").json
    assert found["bytes_added"] < 100_000
    sky("-p", "./pool", "export", "big.dat", "out")
    assert (tree / "out/big.dat").read_bytes() == (tree / "big.dat").read_bytes()


def test_add_warns_of_a_full_disk(sky: Sky, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tree)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    run = sky("-p", "./pool", "add", "obs")
    assert run.err.startswith("warning: the disk may run short: 1.00 kB free in ")
    assert "warning" not in sky("-p", "./pool2", "add", "obs", "--in-place").err


# -- ls, find


def test_ls(sky: Sky, pool: Path) -> None:
    names = sky("ls", "-q").out.splitlines()
    assert names == ["obs", "obs/level2", PSW, "obs/level2/events.fits", "obs/notes.txt"]
    rows = sky("ls", "--json").lines
    assert [row["name"] for row in rows] == names
    assert all(set(row) == FIND_KEYS for row in rows)
    cells = [line.split("\t") for line in sky("ls").out.splitlines()]
    assert cells[2][:3] == [PSW, "0", "SimpleImage"]
    assert cells[2][4] == str((pool.parent / PSW).stat().st_size)
    below = sky("ls", "obs/level2/", "-q").out.splitlines()
    assert PSW in below
    assert "obs/notes.txt" not in below
    assert sky("ls", "-0").out.split("\0")[:-1] == names
    assert sky("ls", "--at", "1", "-q").out.splitlines() == names
    assert sky("ls", "obs/level2/PSW.fits", "-q").out == "obs/level2/PSW.fits\n"
    assert sky("ls", "nothing-there", "--json").out == ""


def test_find(sky: Sky, pool: Path) -> None:
    hits = sky("find", "object == 'M83'", "--json").lines
    assert PSW in {hit["name"] for hit in hits}
    assert all(set(hit) == FIND_KEYS for hit in hits)
    kinds = sky("find", "--kind", "SimpleImage", "--json").lines
    assert {hit["kind"] for hit in kinds} == {"SimpleImage"}
    assert len(sky("find", "--json").lines) == 5
    assert len(sky("find", "--limit", "2", "--json").lines) == 2
    assert sky("find", "object == 'nobody'", "--json").out == ""
    assert sky("find", "object == 'M83'", "-q").out.splitlines()[0].startswith("obs/")
    assert sky("find", "object == 'M83'", "--json", "--at", "1").lines == hits


def test_find_in_an_order_with_columns(sky: Sky, pool: Path) -> None:
    everything = sky("find", "--json").lines
    sizes = sky("find", "--order-by=-size,name", "-c", "size,object,tags", "--json").lines
    listed = [hit["columns"]["size"] for hit in sizes]
    assert listed == sorted(listed, reverse=True) and len(listed) == len(everything)
    assert {hit["columns"]["object"] for hit in sizes} == {"M83", None}
    lines = sky("find", "-c", "object", "-l", "1", "object == 'M83'").out.splitlines()
    assert lines[0].split("\t")[1:] == ["M83"]
    assert sky("find", "--count").out == "5\n"
    assert sky("find", "--count", "--json").json == {"count": 5}
    assert "did you mean" in sky("find", "-c", "objet", code=2).err
    assert "lacks a key" in sky("find", "-s", ",", code=2).err
    assert "together" in sky("find", "--count", "-q", code=2).err


def test_find_counts_values(sky: Sky, pool: Path) -> None:
    facets = sky("find", "--facets", "object,kind", "--json").json["facets"]
    kinds = Counter(hit["kind"] for hit in sky("find", "--json").lines)
    assert {entry["value"]: entry["count"] for entry in facets["kind"]} == kinds
    assert facets["object"][-1]["value"] is None
    rows = [line.split("\t") for line in sky("find", "--facets", "kind").out.splitlines()]
    assert {row[1]: int(row[2]) for row in rows} == kinds


def test_find_writes_tables(sky: Sky, pool: Path) -> None:
    expected = [hit["name"] for hit in sky("find", "--json").lines]
    for name in ("csv", "ecsv", "votable", "parquet"):
        sky("find", "-c", "object", "--format", name, "--output", f"found.{name}")
        if name == "parquet":
            table = parquet.read_table("found.parquet").to_pydict()
        else:
            table = Table.read(
                f"found.{name}", format=name if name == "votable" else f"ascii.{name}"
            )
        assert list(table["name"]) == expected, name
        assert "M83" in list(table["object"])
        assert "already" in sky("find", "--format", name, "-o", f"found.{name}", code=5).err
    assert sky("find", "--format", "csv").out.splitlines()[0].startswith("name,version,")
    assert "name it" in sky("find", "--format", "parquet", code=2).err
    assert "--format" in sky("find", "--output", "x", code=2).err


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("object == M83", "no product has the key 'M83'; a text would stand in quotes"),
        ("covers(Crab)", "no product has the key 'Crab'"),
        ("object == 'm83'", "there is object == 'M83'"),
        ("'m83' == object", "there is object == 'M83'"),
        ("start > 2010", "'start' is a time"),
        ("2010 < start", "'start' is a time"),
        ("end < 'yesterday'", "'end' is a time"),
    ],
)
def test_find_explains_why_nothing_is_found(sky: Sky, pool: Path, query: str, words: str) -> None:
    run = sky("find", query)
    assert run.out == ""
    assert run.err.splitlines()[0] == "nothing found"
    assert words in run.err
    assert sky("find", query, "-q").err == sky("find", query, "--json").err == ""
    assert sky("find", query, "--count").err == ""


def test_find_says_no_more_than_it_knows(sky: Sky, pool: Path) -> None:
    for query in (
        "object == 'M84'", "start > '2310'", "max(image) > 1e30", "missing(name) or has(nothing)",
        "object like '%x%'", "object == 'M_3'", "meta['M83'] == 1",
    ):  # fmt: skip
        assert sky("find", query).err == "nothing found\n", query
    assert "in quotes: '100 um'" in sky("find", "wavelength < 100 um", code=2).err


def test_find_in_several_pools(sky: Sky, pool: Path, tree: Path) -> None:
    write(tree / "new/m83.fits", image(7, OBSERVER="me", EXPTIME=5.0))
    sky("-p", "./mine", "add", "new/m83.fits")
    both = ("-p", "./pool", "-p", "./mine")
    query = "object == 'M83'"
    hits = sky("find", query, *both, "--json").lines
    one = sky("find", query, "-p", "./pool", "--json").lines
    assert [hit for hit in hits if hit["pool"] == "./pool"] == [{"pool": "./pool"} | h for h in one]
    assert [hit["name"] for hit in hits if hit["pool"] == "./mine"] == ["new/m83.fits"]
    assert set(hits[0]) == FIND_KEYS | {"pool"}
    assert sky("-p", "./mine", "find", query, "-p", "./pool", "--count").out == f"{len(hits)}\n"
    named = sky("find", query, *both, "-q").out.splitlines()
    assert named == [f"{hit['pool']}\t{hit['name']}" for hit in hits]
    words = sky("find", query, *both, "-0").out.split("\0")[:-1]
    assert words == [word for hit in hits for word in (hit["pool"], hit["name"])]
    assert sky("find", query, *both).out.splitlines()[0].split("\t")[:2] == named[0].split("\t")
    # a key of one of them only
    columns = sky("find", "has(observer)", *both, "-c", "observer,exposure").out
    assert columns == "./mine\tnew/m83.fits\tme\t5.0\n"
    rows = sky("find", query, *both, "--format", "csv", "-s", "-name").out.splitlines()
    assert rows[0].startswith("pool,name,")
    assert {row.split(",")[0] for row in rows[1:]} == {"./pool", "./mine"}
    facets = sky("find", query, *both, "--facets", "observer", "--json").json["facets"]
    assert facets["observer"] == [{"value": "me", "count": 1}, {"value": None, "count": len(one)}]
    # the same pool twice is one pool
    assert len(sky("find", query, "-p", "./mine", "-p", "mine/", "--json").lines) == 1


def test_other_verbs_take_one_pool(sky: Sky, pool: Path, tree: Path) -> None:
    sky("-p", "./mine", "init")
    both = ("-p", "./pool", "-p", "./mine")
    for words in (["ls"], ["show", "x"], ["add", "obs"], ["init"], ["gc"], ["info"]):
        error = sky(*words, *both, "--json", code=2).json["error"]
        assert error["code"] == "usage"
        assert "one pool" in error["message"]
    for words in (["--save", "x"], ["--saved", "x"]):
        assert "together" in sky("find", "", *both, *words, code=2).err
    assert "nowhere" in sky("find", "-p", "./pool", "-p", "nowhere", code=10).err
    assert "did you mean" in sky("find", "objet == 'M83'", *both, code=2).err


def test_find_keeps_searches(sky: Sky, pool: Path) -> None:
    found = sky("find", "object == 'M83'", "--save", "m83", "-s", "-name", "-q").out.splitlines()
    assert found == sky("find", "--saved", "m83", "-q").out.splitlines()
    assert sky("find", "--saved", "m83", "-l", "1", "-q").out.splitlines() == found[:1]
    assert "m83" in sky("find", "--saved", "m38", code=4).err
    assert "its query" in sky("find", "x", "--saved", "m83", code=2).err


def test_find_old_versions_and_names(sky: Sky, pool: Path) -> None:
    sky("add", "obs/notes.txt", "--name", "copy")
    (pool.parent / "obs/notes.txt").write_text("other notes\n")
    sky("add", "obs/notes.txt", "--name", "copy")
    asked = ("find", "kind == 'File'", "-q")
    assert sky(*asked).out.splitlines() == ["copy", "obs/notes.txt"]
    assert sky(*asked, "--all-versions").out.splitlines() == ["copy", "copy", "obs/notes.txt"]
    sky("add", "obs/notes.txt", "--name", "same")
    assert sky(*asked).out.splitlines() == ["copy", "obs/notes.txt"]
    assert sky(*asked, "--all-names").out.splitlines() == ["copy", "obs/notes.txt", "same"]


def test_a_query_error_points_at_the_place(sky: Sky, pool: Path) -> None:
    run = sky("find", "object == = 3", code=2)
    assert "^ column" in run.err
    error = sky("find", "object == = 3", "--json", code=2).json["error"]
    assert error["code"] == "query"
    assert error["column"] > 1


# -- show, tree, history, diff


def test_show(sky: Sky, pool: Path) -> None:
    found = sky("show", "obs/level2/events.fits", "--json").json
    assert set(found) == FIND_KEYS | {
        "size", "total_size", "versions", "format", "wrapper", "reason", "meta", "datasets",
        "refs", "history", "attributes", "complete", "purged", "in_place", "dropped",
    }  # fmt: skip
    assert found["complete"]
    assert found["attributes"]["object"]["value"] == "M83"
    assert found["versions"] == [0]
    assert found["format"] == "fits"
    assert found["size"] == (pool.parent / "obs/level2/events.fits").stat().st_size
    assert found["meta"]["OBJECT"]["value"] == "M83"
    table = next(item for item in found["datasets"].values() if item["is"] == "table")
    assert table["rows"] == 50
    assert table["columns"]["energy"] | {"description": ""} == {
        "dtype": "float32", "shape": [], "unit": "eV", "description": "",
    }  # fmt: skip
    array = next(item for item in found["datasets"].values() if item["is"] == "array")
    assert array["shape"] == [64, 96]
    text = sky("show", PSW).out
    for part in (f"{PSW}@0", "SimpleImage", "urn:", "64 x 96", "float32", "Jy/beam", "M83", "fits"):
        assert part in text
    assert "level2" in sky("show", "obs").out


def test_show_some_metadata(sky: Sky, pool: Path) -> None:
    found = sky("show", PSW, "--meta", "crval*", "--json").json
    assert {key.rpartition(".")[2] for key in found["meta"]} == {"CRVAL1", "CRVAL2"}
    assert "204.25" in sky("show", PSW, "-m", "crval").out
    nothing = sky("show", PSW, "-m", "zzz")
    assert nothing.out == ""
    assert "no metadata" in nothing.err


def test_refs_that_are_not_there(sky: Sky, pool: Path) -> None:
    for verb in ("show", "tree", "path", "history"):
        error = sky(verb, "obs/level2/PWS.fits", "--json", code=4).json["error"]
        assert error["code"] == "not_found"
    assert sky("show", f"{PSW}@7", code=4).out == ""
    sky("tag", PSW, "both")
    sky("tag", "obs/notes.txt", "both")
    error = sky("show", "both", "--json", code=5).json["error"]
    assert error["code"] == "ambiguous"
    assert len(error["candidates"]) == 2


def test_tree(sky: Sky, pool: Path) -> None:
    lines = sky("tree", "obs").out.splitlines()
    assert lines[0].startswith("obs@0  ")
    assert any(line.endswith("── PSW.fits@0  SimpleImage") for line in lines)
    assert {line.lstrip("│ ")[:4] for line in lines[1:]} == {"├── ", "└── "}
    assert len(lines) == 5
    assert len(sky("tree", "obs", "--depth", "1").out.splitlines()) == 3
    root = sky("tree", "obs", "--json").json
    assert root["name"] == "obs"
    level2 = next(node for node in root["refs"] if node["name"] == "obs/level2")
    assert {node["role"] for node in level2["refs"]} == {"PSW.fits", "events.fits"}
    assert sky("tree", "obs", "-d", "0", "--json").json["refs"] == []


def test_history_and_diff(sky: Sky, pool: Path) -> None:
    hdu = image(1, OBJECT="M 83")
    hdu.data[10:13, 20:25] += 1
    write(pool.parent / PSW, hdu)
    sky("add", "obs", "-m", "patched")
    commits = sky("history", "--json").json["commits"]
    assert [commit["commit"] for commit in commits] == [2, 1]
    assert commits[0]["message"] == "patched"
    assert commits[0]["author"] == "tester"
    assert set(commits[0]) == {"commit", "time", "author", "message", "changes"}
    assert len(sky("history", PSW, "--json").json["commits"]) == 2
    assert len(sky("history", "obs/notes.txt", "--json").json["commits"]) == 1
    assert len(sky("history", "-l", "1", "--json").json["commits"]) == 1
    assert "patched" in sky("history").out
    found = sky("diff", f"{PSW}@0", PSW, "--json").json
    keys = {"a", "b", "same", "same_bytes", "meta", "datasets", "refs"}
    assert set(found) == keys
    assert found["same_bytes"] is False
    assert found["same"] is False
    change = next(change for change in found["meta"] if change["key"] == "OBJECT")
    assert change["kind"] == "changed"
    assert (change["before"]["value"], change["after"]["value"]) == ("M83", "M 83")
    assert found["datasets"][0]["count"] == 15
    assert found["datasets"][0]["box"] == [[10, 13], [20, 25]]
    text = sky("diff", f"{PSW}@0", PSW).out
    assert "~ OBJECT: M83 -> M 83" in text
    assert "~ [image] 15 pixels, in [10:13, 20:25]" in text
    assert "~ level2: obs/level2@0 -> obs/level2@1" in sky("diff", "obs@0", "obs@1").out
    assert sky("diff", PSW, PSW, "--json").json["same"] is True
    assert "no difference" in sky("diff", PSW, PSW).out
    other = str(pool.parent / "other")
    assert re.match(r".*other: \d+ versions, ", sky("copy", "obs", "--to", other).out)
    assert "no difference" in sky("diff", "obs", "obs", "--in", other).out
    assert sky("diff", f"{PSW}@0", PSW, "--in", other, "--json").json["datasets"][0]["count"] == 15


# -- tag, untag, mv, rm, restore


def test_tags(sky: Sky, pool: Path) -> None:
    found = sky("tag", PSW, "using cal v1", "first", "--json").json
    assert sorted(found["tags"]) == ["first", "using cal v1"]
    assert found["name"] == PSW
    assert sky("show", "using cal v1", "--json").json["name"] == PSW
    assert sky("untag", PSW, "first", "--json").json["tags"] == ["using cal v1"]
    assert "no tags" in sky("untag", PSW, "using cal v1", "-m", "off").out
    sky("show", "using cal v1", code=4)
    sky("tag", PSW, "", code=2)


def test_mv(sky: Sky, pool: Path) -> None:
    found = sky("mv", "obs", "m83", "--json").json
    assert (found["was"], found["name"]) == ("obs", "m83")
    assert "m83/level2/PSW.fits" in sky("ls", "-q").out.splitlines()
    sky("mv", "m83/level2", "m83/notes.txt", code=5)
    sky("mv", "m83/level2", "", code=2)


def test_rm_and_restore(sky: Sky, pool: Path) -> None:
    removed = sky("rm", "obs", "--json").json
    assert removed == {
        "removed": ["obs", "obs/level2", PSW, "obs/level2/events.fits", "obs/notes.txt"],
        "spared": [],
    }
    assert sky("ls", "-q").out == ""
    sky("show", "obs", code=4)
    assert sky("ls", "-q", "--at", "1").out.startswith("obs\n")
    assert sky("restore", "obs", "--json").json["restored"][0]["name"] == "obs"
    assert len(sky("ls", "-q").out.splitlines()) == 5
    sky("restore", "nothing", code=4)


def test_undo_and_trash(sky: Sky, pool: Path) -> None:
    before = sky("ls", "-q").out
    sky("rm", "obs")
    trash = sky("trash", "--json").json["trash"]
    assert [entry["name"] for entry in trash][:2] == ["obs", "obs/level2"]
    assert trash[0]["commit"] == 2
    assert "obs/level2" in sky("trash").out
    assert sky("undo", "2", "--json").json == {"undone": 2, "commit": 3, "gone": []}
    assert sky("ls", "-q").out == before
    assert sky("trash", "--json").json == {"trash": []}
    assert "commit 3 undone by commit 4" in sky("undo", "3").out
    assert sky("ls", "-q").out == ""
    assert sky("undo", "2", "--json", code=5).json["error"]["code"] == "edit_conflict"
    sky("undo", "99", code=4)


def test_rm_spares_what_others_refer_to(sky: Sky, pool: Path) -> None:
    with Pool(pool) as opened:
        opened.save(Product(kind="MapContext", refs={"map": opened[PSW]}), name="survey")
    removed = sky("rm", "obs", "--json").json
    assert removed["spared"] == [PSW]
    assert PSW not in removed["removed"]
    assert sky("ls", "-q").out.splitlines() == [PSW, "survey"]
    sky("restore", "obs")
    assert f"kept {PSW}: others refer to it" in sky("rm", "obs").out


# -- export, path, cutout


def test_export_gives_the_same_files(sky: Sky, pool: Path) -> None:
    found = sky("export", "obs", "out dir", "--json").json
    assert found["files"] == 3
    assert found["inexact"] == []
    original = files_of(pool.parent / "obs")
    out = pool.parent / "out dir"
    assert files_of(out) == original
    assert found["bytes"] == sum(len(data) for data in original.values())
    sky("export", "nothing", "out", code=4)


def test_export_an_old_version(sky: Sky, pool: Path) -> None:
    old = (pool.parent / PSW).read_bytes()
    write(pool.parent / PSW, image(5))
    sky("add", "obs")
    sky("export", f"{PSW}@0", "old")
    sky("export", PSW, "at", "--at", "1")
    assert list(files_of(pool.parent / "old").values()) == [old]
    assert list(files_of(pool.parent / "at").values()) == [old]


def test_path_is_a_real_read_only_file(sky: Sky, pool: Path) -> None:
    run = sky("path", PSW)
    assert run.err == ""
    path = Path(run.out.removesuffix("\n"))
    assert path.read_bytes() == (pool.parent / PSW).read_bytes()
    assert not path.stat().st_mode & 0o222
    assert sky("path", PSW, "--json").json == {"path": str(path)}


@pytest.mark.parametrize(
    "words",
    [
        ["204.25", "-29.87", "160arcsec"],
        ["204.25", "-29.87", '160"'],
        ["204.25", "-29.87", str(160 / 3600)],
        ["13h37m00.0s", "-29d52m12s", "16px"],
        ["13:37:00", "-29:52:12", "16x16px"],
        ["47.5", "31.5", "16", "--pixel"],
    ],
)
def test_cutout(sky: Sky, pool: Path, words: list[str]) -> None:
    from astropy.io import fits
    from astropy.wcs import WCS

    found = sky("cutout", PSW, *words, "-o", "cut out.fits", "--json").json
    assert found["shape"] == [16, 16]
    assert found["unit"] in ("Jy/beam", "Jy / beam")
    with fits.open("cut out.fits") as hdus:
        whole = fits.getdata(pool.parent / PSW)
        assert np.array_equal(hdus[0].data, whole[24:40, 40:56])
        assert hdus[0].header["BUNIT"] == "Jy/beam"
        sky_at = WCS(hdus[0].header).wcs_pix2world(7.5, 7.5, 0)
        assert np.allclose(sky_at, (204.25, -29.87), atol=1e-9)
    assert [p.name for p in pool.parent.iterdir() if p.name.startswith(".cut")] == []


def test_cutout_refuses(sky: Sky, pool: Path) -> None:
    where = ["204.25", "-29.87", "1arcmin", "-o", "c.fits"]
    sky("cutout", PSW, *where)
    sky("cutout", PSW, *where, code=5)
    sky("cutout", PSW, *where, "--overwrite")
    sky("cutout", PSW, *where, "--overwrite", "-d", "nothing", code=4)
    sky("cutout", "obs/notes.txt", *where, "--overwrite", code=4)
    sky("cutout", PSW, "0", "0", "1arcmin", "-o", "d.fits", code=4)
    sky("cutout", PSW, "x", "y", "1arcmin", "-o", "d.fits", code=2)
    sky("cutout", PSW, "1", "-2", "1parsec", "-o", "d.fits", code=2)
    sky("cutout", PSW, "1", "-2", "0", "-o", "d.fits", code=2)
    assert not Path("d.fits").exists()


def test_what_cannot_come_back_exactly_exits_3(sky: Sky, tree: Path) -> None:
    data = b"0123456789" * 30_000
    packer = zlib.compressobj(5, zlib.DEFLATED, -15, 7)
    # A flush in the middle, which no plain call of zlib repeats.
    parts = [
        packer.compress(data[:99]),
        packer.flush(zlib.Z_FULL_FLUSH),
        packer.compress(data[99:]),
    ]
    tail = struct.pack("<II", zlib.crc32(data), len(data))
    stream = b"\x1f\x8b\x08" + bytes(6) + b"\x03" + b"".join(parts) + packer.flush() + tail
    (tree / "odd.txt.gz").write_bytes(stream)
    sky("-p", "./exact", "add", "odd.txt.gz")
    assert sky("-p", "./exact", "export", "odd.txt.gz", "exactly", "--json").json["inexact"] == []
    assert (tree / "exactly/odd.txt.gz").read_bytes() == stream
    sky("-p", "./content", "add", "odd.txt.gz", "--gzip", "content")
    found = sky("-p", "./content", "export", "odd.txt.gz", "out", "--json", code=3).json
    assert [set(entry) for entry in found["inexact"]] == [{"path", "reason"}]
    assert gzip.decompress((tree / "out/odd.txt.gz").read_bytes()) == data
    again = sky("-p", "./content", "export", "odd.txt.gz", "out", code=5)
    assert "--overwrite" in again.err
    assert "same content" in (
        sky("-p", "./content", "export", "odd.txt.gz", "out", "--overwrite", code=3).out
    )


@pytest.mark.parametrize(
    ("words", "method"),
    [(["verify"], "verify"), (["export", PSW, "out"], "export"), (["gc"], "gc"),
     (["ls"], "ls"), (["add", "obs"], "add_report")],
)  # fmt: skip
def test_ctrl_c_exits_130(
    sky: Sky, pool: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], method: str
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pool, method, interrupted)
    run = sky(*words, "--json", code=130)
    assert run.json["error"]["code"] == "interrupted"
    assert run.err.startswith("skypool: interrupted")


# -- verify, gc, info, reindex


def test_verify_and_damage(sky: Sky, pool: Path) -> None:
    found = sky("verify", "--json").json
    assert set(found) == {
        "ok", "checked", "problems", "wasted", "overwritten", "unreadable",
    }  # fmt: skip
    assert found["ok"] is True
    assert found["checked"] > 0
    assert sky("verify", "--quick").out.startswith("sound: ")
    pack = next((pool / "packs").iterdir())
    with pack.open("r+b") as file:
        file.seek(pack.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))
    damaged = sky("verify", "--json", code=12).json
    assert damaged["ok"] is False
    assert all(set(item) == {"kind", "where", "what", "hurt"} for item in damaged["problems"])
    assert damaged["problems"]
    assert "damaged: " in sky("verify", "--quick", code=12).out


def test_reading_damage_exits_12(sky: Sky, pool: Path) -> None:
    for pack in (pool / "packs").iterdir():
        data = bytearray(pack.read_bytes())
        for place in range(64 + 64, len(data), 997):
            data[place] ^= 0x55
        pack.write_bytes(data)
    error = sky("export", "obs", "out", "--json", code=12).json["error"]
    assert error["code"] in ("damaged", "recipe_mismatch")


def test_gc(sky: Sky, pool: Path) -> None:
    found = sky("gc", "--dry-run", "--json").json
    assert {"dry_run", "reclaimable", "reclaimed", "chunks", "packs"} <= set(found)
    assert found["dry_run"] is True
    sky("rm", "obs")
    sky("gc", "--grace", "0")
    assert "given back" in sky("gc").out
    assert "could be given back" in sky("gc", "-n").out
    assert sky("verify", "--json").json["ok"] is True


def test_export_all_and_manifest(sky: Sky, pool: Path) -> None:
    found = sky("export", "--all", "out", "--json").json
    assert set(found) == {"files", "bytes", "kept", "inexact", "skipped", "moved"}
    assert files_of(pool.parent / "out" / "obs") == files_of(pool.parent / "obs")
    assert "there already" in sky("export", "--all", "out").out
    listed = sky("manifest").out
    (pool.parent / "list").write_text(listed)
    assert len(listed.splitlines()) == found["files"]
    assert sky("manifest", "--check", "list").out.startswith("complete: ")
    sky("export", "--all", "bag", "--bag")
    assert sky("manifest", "--check", "bag", "--json").json["complete"] is True
    sky("rm", PSW)
    lacking = sky("manifest", "--check", "list", code=1)
    assert f"{PSW}: missing" in lacking.out
    lines = [json.loads(line) for line in sky("manifest", "-a", "md5", "--json").out.splitlines()]
    assert {len(line["digest"]) for line in lines} == {32}
    assert "--under" in sky("manifest", "--check", "list", "--under", "no", code=1).err
    for words in (
        ["export"], ["export", "--all"], ["export", "obs"], ["export", "obs", "x", "--bag"],
        ["export", "obs", "x", "--all"],
        ["export", "--all", "x", "--format", "hcss"], ["manifest", "obs", "--check", "list"],
        ["manifest", "--under", "obs"], ["manifest", "-a", "crc7"],
    ):  # fmt: skip
        sky(*words, code=2)


def test_du_tells_what_parts_need(sky: Sky, pool: Path) -> None:
    found = sky("du", "obs", "--depth", "2", "--json").json
    assert set(found) == {"stored", "parts"}
    parts = {part["part"]: part for part in found["parts"]}
    assert len(parts) == 5
    for part in parts.values():
        assert set(part) == {"part", "versions", "logical", "stored", "unique", "shared"}
        assert part["stored"] == part["unique"] + part["shared"] > 0
    lines = sky("du", "--by", "kind").out.splitlines()
    assert all(len(line.split("\t")) == 6 for line in lines)
    assert sky("du", "--by", "version", "--json").json["parts"][0]["part"] == "newest"
    assert "no product" in sky("du", "nothing", code=4).err


def test_purge_and_forget(sky: Sky, pool: Path) -> None:
    (pool.parent / "obs" / "new.txt").write_text("new")
    sky("add", str(pool.parent / "obs"))
    assert "would be given up" in sky("purge", "obs", "-n").out
    assert sky("forget", "--before", "1", "-n", "--json").json["versions"] == 0
    found = sky("purge", "obs", "--keep", "1", "-m", "make room", "--json").json
    assert set(found) == {
        "dry_run", "versions", "bytes", "tagged", "newest", "needed", "commits",
    }  # fmt: skip
    assert found["versions"] == 1
    assert "make room" in sky("history").out
    assert sky("purge", "obs").out == "nothing to give up\n"
    assert "versions  1, given up: 0\n" in sky("show", "obs").out
    assert sky("show", "obs", "--json").json["purged"] == [0]
    assert sky("show", "obs@0", code=4).err.startswith("skypool: ")
    assert sky("forget", "--before", "2999-01-01").out == "nothing to give up\n"
    sky("purge", "obs", "--keep", "0", code=2)
    sky("purge", code=2)
    sky("forget", code=2)
    sky("forget", "--before", "soon", code=2)
    assert sky("verify", "--json").json["ok"] is True


def test_info(sky: Sky, pool: Path) -> None:
    found = sky("info", "--json").json
    assert found["products"] == 5
    assert found["versions"] == 5
    assert found["commits"] == 1
    assert found["bytes_logical"] == sum(len(d) for d in files_of(pool.parent / "obs").values())
    assert found["bytes_stored"] == sum(p.stat().st_size for p in (pool / "packs").iterdir())
    assert found["packs"] == 1
    assert Path(found["path"]) == pool
    assert "products  5\n" in sky("info").out
    assert sky("info", "--at", "1", "--json").json["versions"] == 5


def test_reindex(sky: Sky, pool: Path) -> None:
    before = sky("ls", "--json").out
    assert sky("reindex", "--json").json == {"commits": 1, "versions": 5}
    for path in pool.glob("catalogue.sqlite*"):
        path.unlink()
    assert "catalogue rebuilt: 1 commit, 5 versions" in sky("reindex").out
    assert sky("ls", "--json").out == before


# -- which pool


def test_the_pool_is_found(sky: Sky, pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKYPOOL")
    sky("init", "named")
    assert sky("ls", "-p", "./pool", "-q").out.startswith("obs\n")
    assert sky("-p", "named", "ls", "-q").out == ""
    sky("ls", code=10)
    assert sky("-p", "pool", "ls", "--json", code=10).json["error"]["candidates"] == ["./pool"]
    monkeypatch.setenv("SKYPOOL", "named")
    assert sky("ls", "-q").out == ""
    assert sky("ls", "-q", "--pool", str(pool)).out.startswith("obs\n")
    monkeypatch.delenv("SKYPOOL")
    monkeypatch.chdir(pool / "packs")
    assert sky("ls", "-q").out.startswith("obs\n")


def test_at_takes_commits_and_times(sky: Sky, pool: Path) -> None:
    sky("rm", "obs")
    time = json.loads(sky("history", "--json").out)["commits"][1]["time"]
    assert sky("ls", "-q", "--at", "1").out.startswith("obs\n")
    assert sky("ls", "-q", "--at", time).out.startswith("obs\n")
    assert sky("ls", "-q", "--at", "2999-01-01").out == ""
    sky("ls", "-q", "--at", "2001-01-01", code=4)
    sky("ls", "-q", "--at", "7", code=4)
    sky("ls", "--at", "yesterday", code=2)
    for words in (["find"], ["show", PSW], ["tree", "obs"], ["history"], ["diff", PSW, PSW],
                  ["export", PSW, "out"], ["path", PSW], ["info"],
                  ["cutout", PSW, "204.25", "-29.87", "16px", "-o", "c.fits"]):  # fmt: skip
        sky(*words, "--at", "1")


def test_events_table_can_be_found(sky: Sky, pool: Path) -> None:
    write(pool.parent / "more.fits", image(3), events(10))
    sky("add", "more.fits", "--name", "'quoted' \"name\".fits")
    assert "'quoted' \"name\".fits" in sky("ls", "-q").out.splitlines()
    assert sky("show", "'quoted' \"name\".fits", "--json").json["version"] == 0


# -- names with line breaks


def test_names_with_a_line_break(sky: Sky, pool: Path) -> None:
    """They are found as they are; whatever lists or tells them takes one line for each."""
    name = "d/a\nb.fits"
    write(pool.parent / name, image(3))
    sky("add", "d")
    for words in (
        ("ls",), ("ls", name), ("show", "d/a\nb"), ("tree", "d"), ("manifest", name),
        ("find", f"name == '{name}'"), ("tag", name, "good"), ("export", name, "out"),
    ):  # fmt: skip
        out = sky(*words).out
        assert "a\\nb" in out
        assert "\nb" not in out
    assert f"\0{name}\0" in sky("ls", "-0").out
    assert sky("ls", name, "--json").json["name"] == name
    for words, code in ((("export", name, "out"), 5), (("show", "a\nb"), 4),
                        (("show", "d/a\\nb.fits"), 4), (("untag", name, "bad"), 4)):  # fmt: skip
        told = sky(*words, code=code).err
        assert "a\\nb" in told
        assert "\nb" not in told
    assert r"\n stands for a line break" in sky("show", "d/a\\nb.fits", code=4).err
