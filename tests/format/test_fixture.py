"""Pools that earlier releases wrote (tests/data/pools) are read by this one, and by the reader."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skypool as sp

from . import made, make_fixture, reader

POOLS = sorted((Path(__file__).resolve().parents[1] / "data" / "pools").iterdir())


@pytest.fixture(params=POOLS, ids=[folder.name for folder in POOLS])
def unpacked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The pool's folder, and what its maker knew of it."""
    with tarfile.open(request.param / "pool.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "pool", json.loads((request.param / "expected.json").read_text("ascii"))


def test_the_reader_reads_it(unpacked: tuple[Path, dict[str, Any]]) -> None:
    path, expected = unpacked
    pool = reader.Pool(path)
    assert len(pool.commits) == len(expected["commits"])
    for number, commit in enumerate(expected["commits"], 1):
        assert pool.commits[number - 1]["message"] == commit["message"]
        state = pool.at(number)
        assert set(state.visible()) == set(commit["products"])
        for name, told in commit["products"].items():
            entry = state.versions[state.tracks[state.visible()[name]][-1]]
            assert {key: entry[key] for key in told if key in entry} == {
                key: told[key] for key in told if key in entry
            }
            tags = sorted(tag for tag, on in state.tags.items() if entry["urn"] in on)
            assert tags == told["tags"]
            product = pool.product(entry)
            if told["file"]:
                assert reader.digest(product.content()).hex() == told["file"]
    assert _digests(pool) == expected["first"]


def _digests(pool: reader.Pool) -> dict[str, str]:
    """Digests of all files of the first commit."""
    state, found = pool.at(1), {}
    for name, track in state.visible().items():
        product = pool.product(state.versions[state.tracks[track][0]])
        files = {"": product.file()} if "file" in product.document else {}
        if "tree" in product.document:
            files = {f"/{path}": data for path, data in product.tree().items()}
        found |= {name + path: data for path, data in files.items() if not path.endswith("/")}
    return {name: reader.digest(data).hex() for name, data in found.items() if data is not None}


def test_skypool_reads_it(unpacked: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, expected = unpacked
    with sp.Pool(path) as pool:
        assert make_fixture.expected(pool) == expected["commits"]
        pool.at(1).export("obs", tmp_path / "out" / "obs")
        out = tmp_path / "out"
        files = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
        found = {name: reader.digest(path.read_bytes()).hex() for name, path in files.items()}
        assert found == expected["first"]
        product = pool["kept/memory"].product
        for dtype in made.DTYPES:
            np.testing.assert_array_equal(product[dtype][:], made.numbers((4, 5), dtype))
        assert product.meta["large"].value == 2**63
        assert product.refs["map"].name == "obs/level2/map.fits"
        assert product["large"]["n"].max() == 69999
        # It can be written to, by this release too.
        ref = pool.save(product.replace(meta={"new": True}))
        assert (ref.name, ref.version) == ("kept/memory", 1)
        assert pool.verify().ok
    assert len(reader.Pool(path).commits) == len(expected["commits"]) + 1
