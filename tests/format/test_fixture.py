"""Pools that earlier releases wrote (tests/data/pools) are read by this one, and by the reader.

Every fixture is opened, verified, read at every commit, rebuilt, exported, and written to.
What is not forbidden may be added: keys that a fixture does not know are not looked at.
"""

from __future__ import annotations

import dataclasses
import json
import lzma
import os
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.errors import ReadOnly, SourceChanged, SourceMissing
from skypool.pool.pool import Pool

from . import made, make_fixture, reader

# Python asks for a filter since 3.11.4.
TRUSTED: dict[str, str] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}

POOLS = sorted((Path(__file__).resolve().parents[1] / "data" / "pools").iterdir())


class Unpacked(NamedTuple):
    """A fixture: the pool's folder, that of what was beside it, and what its maker knew."""

    path: Path
    beside: Path
    told: dict[str, Any]


@pytest.fixture(params=POOLS, ids=[folder.name for folder in POOLS])
def fixture(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Unpacked:
    (packed,) = request.param.glob("pool.tar*")
    (expected,) = request.param.glob("expected.json*")
    data = expected.read_bytes()
    told = json.loads(lzma.decompress(data) if expected.suffix == ".xz" else data)
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, **TRUSTED)
    # Files kept in place are where their maker had them, and as old as they were.
    before = SqliteCatalogue.sources

    def sources(self: SqliteCatalogue, document: bytes) -> Any:
        base = told.get("base", "")
        return [
            dataclasses.replace(row, path=str(tmp_path) + row.path.removeprefix(base))
            for row in before(self, document)
        ]

    monkeypatch.setattr(SqliteCatalogue, "sources", sources)
    for name, mtime_ns in told.get("placed", {}).items():
        os.utime(tmp_path / "more/placed" / name, ns=(mtime_ns, mtime_ns))
    return Unpacked(tmp_path / "pool", tmp_path, told)


def test_fixtures_are_small() -> None:
    for folder in POOLS:
        assert sum(path.stat().st_size for path in folder.iterdir()) < make_fixture.MOST_BYTES


# -- the independent reader


def opened(fixture: Unpacked) -> reader.Pool:
    pool = reader.Pool(fixture.path)
    base, here = os.fsencode(fixture.told.get("base", "")), os.fsencode(fixture.beside)
    for paths in pool.sources.values():
        paths[:] = [here + path.removeprefix(base) for path in paths]
    pool.times = {(d, here + path.removeprefix(base)): t for (d, path), t in pool.times.items()}
    return pool


def test_the_reader_reads_it(fixture: Unpacked) -> None:
    expected = fixture.told
    pool = opened(fixture)
    assert len(pool.commits) == len(expected["commits"])
    for number, commit in enumerate(expected["commits"], 1):
        assert pool.commits[number - 1]["message"] == commit["message"]
        state = pool.at(number)
        assert set(state.visible()) == set(commit["products"])
        for name, told in commit["products"].items():
            entry = state.versions[state.tracks[state.visible()[name]][-1]]
            entry = {**entry, "document": pool.completed.get(entry["document"], entry["document"])}
            assert {key: entry[key] for key in told if key in entry} == {
                key: told[key] for key in told if key in entry
            }
            tags = sorted(tag for tag, on in state.tags.items() if entry["urn"] in on)
            assert tags == told["tags"]
            if entry["urn"] in pool.purged:
                continue
            product = pool.product(entry)
            if told["file"]:
                assert reader.digest(product.content()).hex() == told["file"]
    assert _digests(pool) == expected["first"]


def test_the_reader_reads_what_is_elsewhere(fixture: Unpacked) -> None:
    """Dropped, given up, copied, outside: records of each kind, and what they mean."""
    pool = opened(fixture)
    keys = {key for commit in pool.commits for key in commit}
    if "copied" not in keys:
        pytest.skip("this fixture is older")
    assert {"dropped", "fetched", "purged", "moved", "gone", "sources", "completed"} <= keys
    marker = json.loads((fixture.path / "skypool.json").read_bytes())
    assert (marker["shared"], marker["max_size"]) == ("group", 10**9)
    state, placed = pool.at(), fixture.beside / "more/placed"

    def product(name: str, version: int = -1) -> reader.Product:
        return pool.product(state.versions[state.tracks[state.visible()[name]][version]])

    for name in ("unread.fits", "later.fits", "disk.bin"):
        assert product(name).content() == (placed / name).read_bytes()
        assert ("hash" in product(name).document["file"]) == (name != "unread.fits")
    assert not product("absorbed.bin").sources
    assert product("absorbed.bin").content() == b"absorbed\n" * 300
    ((rows,), (image,)) = (
        state.dropped[product_number(state, name)] for name in ("dropped/rows", "dropped/map")
    )
    assert [region[0] for region in rows["sky"]] == ["icrs"]
    assert [(place, len(blocks)) for place, _, _, blocks in image["masks"]] == [(0, 25 * 25)]
    for name, entry in (("dropped/rows", rows), ("dropped/map", image)):
        document = product(name)
        assert entry["document"] == document.name
        (dataset,) = document.datasets().values()
        with pytest.raises(reader.Damaged):
            document.data(dataset["data"])
    assert product("dropped/map").statistics(dataset["stats"])
    assert product("back").data(product("back").datasets()["a"]["data"])
    with pytest.raises(reader.Damaged):
        product("purged", 0)
    assert ["n", 2] in [entry[:2] for entry in product("purged").document["meta"]]
    origin = state.versions[product_number(state, "piece/a")]["origin"]
    assert origin["made"]["pool"] == "third"
    assert len(product("piece/a").data(product("piece/a").datasets()["a"]["data"])) == 40 * 40 * 8


def product_number(state: reader.State, name: str) -> int:
    return state.tracks[state.visible()[name]][-1]


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


# -- skypool


def check(pool: Pool, told: dict[str, Any], out: Path) -> None:
    """Look that all that the maker knew is there."""
    assert make_fixture.expected(pool)[: len(told["commits"])] == told["commits"]
    pool.at(1).export("obs", out / "obs")
    files = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    found = {name: reader.digest(path.read_bytes()).hex() for name, path in files.items()}
    assert found == told["first"]
    if "datasets" in told:
        values = make_fixture.datasets(pool)
        assert {name: values.get(name) for name in told["datasets"]} == told["datasets"]
    report = pool.verify()
    assert report.ok, [str(problem) for problem in report.problems]


def test_skypool_reads_it(fixture: Unpacked, tmp_path: Path) -> None:
    path, told = fixture.path, fixture.told
    with sp.Pool(path) as pool:
        check(pool, told, tmp_path / "out")
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
    assert len(reader.Pool(path).commits) == len(told["commits"]) + 1


def test_it_is_rebuilt_and_collected(fixture: Unpacked, tmp_path: Path) -> None:
    with sp.Pool(fixture.path) as pool:
        pool.reindex()
        check(pool, fixture.told, tmp_path / "rebuilt")
        pool.gc(grace=0)
        check(pool, fixture.told, tmp_path / "collected")
    with sp.Pool(fixture.path, "r") as pool:
        check(pool, fixture.told, tmp_path / "again")


def test_it_is_not_read_without_a_catalogue_where_none_can_be_made(fixture: Unpacked) -> None:
    with pytest.raises(ReadOnly, match="catalogue") as caught:
        sp.Pool(fixture.path, "r")
    assert "reindex" in caught.value.hint


def test_files_in_place(fixture: Unpacked) -> None:
    """Without them the metadata is still there, and every other product."""
    if "placed" not in fixture.told:
        pytest.skip("this fixture keeps no files in place")
    notes, image = (fixture.beside / "more/placed" / name for name in ("notes.txt", "map.fits"))
    out = fixture.beside / "out"
    with sp.Pool(fixture.path) as pool:
        assert Path(pool["placed/notes.txt"].path).read_bytes() == notes.read_bytes()
    notes.write_bytes(b"changed!!" * 400)
    image.unlink()
    with sp.Pool(fixture.path) as pool:
        with pytest.raises(SourceChanged, match=r"notes\.txt"):
            pool.export("placed/notes.txt", out)
        notes.unlink()
        with pytest.raises(SourceMissing, match=r"notes\.txt"):
            pool.export("placed/notes.txt", out)
        assert len(pool.find("name startswith 'placed/'")) == 3
        # The pool has the content of this one from another file too.
        (array,) = pool["placed/map.fits"].product.datasets.values()
        assert array[:].shape == (40, 30)
        problems = pool.verify().problems
        assert {problem.where for problem in problems} == {str(notes), str(image)}
        assert {problem.kind for problem in problems} == {"source"}


def test_newest_fixture_has_all_that_a_pool_can_hold() -> None:
    """Whoever adds something to the format adds it to the maker, for the next fixture."""
    folder = POOLS[0].with_name("0.1.0")
    told = json.loads(lzma.decompress((folder / "expected.json.xz").read_bytes()))
    with tarfile.open(folder / "pool.tar.xz") as archive:
        names = archive.getnames()
        packs = [archive.extractfile(name).read() for name in names if name.endswith(".pack")]  # type: ignore[union-attr]
        log = archive.extractfile("pool/commits.log").read()  # type: ignore[union-attr]
    assert len(packs) >= 3
    sealed = [b"SKYPKEND" in pack[-32:] for pack in packs]
    assert any(sealed)
    assert not all(sealed)
    assert log.count(b"\x8bSKC") == len(told["commits"])
    keys = set()
    for number in range(len(told["commits"])):
        keys |= set(told["commits"][number]["products"])
    assert {"obs/members.gz", "obs/events.fits.gz", "content only.fits.gz", "copied"} <= keys
    assert {"obs/grid.zarr", "placed/map.fits.gz", "table.ecsv", "more/image"} <= keys
    assert "parts/inner/deep" in told["datasets"]["more/image"]
    assert "more/child" not in told["commits"][-1]["products"]
