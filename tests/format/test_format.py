"""Pools of skypool, read with a reader that was written from docs/format alone."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from blake3 import blake3

import skypool as sp
from skypool.errors import SkypoolError
from skypool.pool.add_report import AddReport

from . import reader
from .pools import Made, Values, read, seen, stored_files


def test_files_at_every_commit(pool: Made) -> None:
    found = pool.read()
    assert len(list((pool.path / "packs").iterdir())) > 3
    for number, expected in pool.files.items():
        stored = dict(stored_files(found, found.at(number)))
        assert stored == expected
        assert len(stored) > 30


def test_names_versions_and_tags_at_every_commit(pool: Made) -> None:
    found = pool.read()
    with sp.Pool(pool.path, mode="r") as opened:
        history = opened.history()
        assert len(found.commits) == len(history) > 10
        for commit in history:
            past, state = opened.at(commit.number), found.at(commit.number)
            assert read(state) == seen(past)
            assert past.tags == {tag: len(on) for tag, on in sorted(state.tags.items()) if on}
            record = found.commits[commit.number - 1]
            assert record["parent"] == commit.number - 1
            assert (record["author"], record["message"]) == (commit.author, commit.message)
            assert record["time"] == commit.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        times = [record["time"] for record in found.commits]
        assert times == sorted(set(times))


@pytest.mark.parametrize("seed", range(5))
def test_random_work(seed: int, tmp_path: Path) -> None:
    """The log tells the same story as the catalogue, after any changes."""
    choose = random.Random(seed).choice
    names, gone = ["a", "a/b", "a/c", "d", "d/e", "f"], ["a"]
    with sp.Pool(tmp_path / "pool") as pool:
        for step in range(25):
            live = list(pool)
            ref = choose(choose(live).versions) if live else None
            refs = {"part": ref} if ref is not None and step % 2 else {}
            product = sp.Product(type="TEST", meta={"n": choose((1, 2, 3))}, refs=refs)
            with contextlib.suppress(SkypoolError):
                match choose(("save", "save", "tag", "untag", "rename", "remove", "restore")):
                    case "tag" if ref is not None:
                        pool.tag(ref, choose("xyz"))
                    case "untag" if ref is not None:
                        pool.untag(ref, choose("xyz"))
                    case "rename" if ref is not None:
                        pool.rename(ref, choose([*names, "g", "h/i"]))
                    case "remove" if ref is not None:
                        gone.append(ref.name)
                        pool.remove(ref)
                    case "restore":
                        pool.restore(choose(gone))
                    case "save":
                        pool.save(product, name=choose(names), tags=[choose("xyz")])
        found = reader.Pool(pool.path)
        assert len(found.commits) > 10
        for number in range(1, len(found.commits) + 1):
            assert read(found.at(number)) == seen(pool.at(number))


def test_references_and_metadata(pool: Made) -> None:
    found = pool.read()
    state = found.at()
    with sp.Pool(pool.path, mode="r") as opened:
        for ref in opened:
            entry = state.versions[ref.number]
            targets = {role: target.number for role, target in ref.refs.items()}
            assert dict(entry["refs"]) == targets
            document = found.product(entry).document
            assert [name for name, *_ in document["meta"]] == list(ref.meta)
            for name, value, *_ in document["meta"]:
                held = ref.meta[name].value
                if not hasattr(held, "tzinfo"):
                    assert repr(value) == repr(held)
    number = next(n for n, e in state.versions.items() if state.names[e["track"]] == "meta")
    meta = {name: rest for name, *rest in found.product(state.versions[number]).document["meta"]}
    assert meta["large"] == [2**63]
    assert math.isnan(meta["nan"][0])
    assert math.copysign(1, meta["zero"][0]) == -1
    assert meta["ä\U0001f52d"] == ["é\u2028", "Jy", "Größe"]


def physical(raw: bytes, dataset: dict[str, Any], dtype: str, shape: Any) -> Values:
    """Values of a dataset whose offset does no more than change the sign."""
    values = np.frombuffer(raw, dtype).reshape(shape)
    if "zero" in dataset:
        values = (values.astype(object) + dataset["zero"]).astype(dataset["dtype"])
    return values.astype(dataset["dtype"])


def expected_entry(values: Values) -> tuple[Any, ...]:
    if values.dtype.kind != "f":
        return values.size, 0, 0, 0, int(values.min()), int(values.max())
    counts = np.isfinite(values), np.isnan(values), values == np.inf, values == -np.inf
    some = values[~np.isnan(values)].astype("f8")
    limits = (some.min(), some.max()) if some.size else (0.0, 0.0)
    return *(int(np.count_nonzero(mask)) for mask in counts), *limits


def check_array(product: reader.Product, dataset: dict[str, Any], values: Values) -> None:
    """Compare the raw bytes, and the statistics tile by tile."""
    data = dataset["data"]
    segment = product.document["file"]["segments"][data["segment"]] if "segment" in data else data
    raw = product.data(data)
    if "scale" not in dataset and "blank" not in dataset:
        stored = physical(raw, dataset, segment["dtype"], segment["shape"])
        np.testing.assert_array_equal(stored, values)
        if "zero" not in dataset and values.dtype.kind != "b":
            assert raw == values.astype(segment["dtype"]).tobytes()
    if values.dtype.kind == "c" or not values.size:
        assert "stats" not in dataset
        return
    tile, shape = segment["tile"], segment["shape"]
    grid = [-(-n // t) for n, t in zip(shape, tile, strict=True)]
    entries = []
    for place in np.ndindex(*grid):
        box = tuple(slice(p * t, (p + 1) * t) for p, t in zip(place, tile, strict=True))
        entries.append(expected_entry(values[box]))
    assert product.statistics(dataset["stats"]) == entries
    assert len(entries) == len(product.digests(segment["chunks"]))


def check_column(
    product: reader.Product, table: dict[str, Any], number: int, values: Values
) -> None:
    """Compare the raw bytes of numbers, and the statistics block by block."""
    column = table["columns"][number]
    data = table["data"]
    segment = product.document["file"]["segments"][data["segment"]] if "segment" in data else data
    raw = product.column(table, number)
    assert len(raw) == table["rows"] * segment["columns"][number][1]
    code = column["format"].lstrip("0123456789")[:1]
    plain = "zero" not in column and "scale" not in column
    if plain and code in "BIJKEDC" and not table.get("ascii"):
        assert raw == values.astype(values.dtype.newbyteorder(">")).tobytes()
    if code == "L":
        truth = np.frombuffer(raw, "S1") == b"T"
        np.testing.assert_array_equal(truth, values.reshape(-1))
    if code in "AXCMPQ" or not values.size:
        assert "stats" not in column
        return
    blocks = range(0, len(values), segment["block"])
    entries = [expected_entry(values[start : start + segment["block"]]) for start in blocks]
    assert product.statistics(column["stats"]) == entries


def test_products_made_in_memory(pool: Made) -> None:
    found = pool.read()
    state = found.at(2)
    for name, product in pool.products.items():
        entry = state.versions[state.tracks[state.visible()[name]][-1]]
        stored = found.product(entry)
        described = stored.datasets()
        assert stored.document.get("history", []) == list(product.history)
        arrays = {key: made_one for key, made_one in described.items() if made_one["is"] == "array"}
        for key, dataset in arrays.items():
            made_one: Any = product[key]
            values = np.asarray(made_one[...])
            assert (dataset["dtype"], dataset["shape"]) == (values.dtype.name, list(values.shape))
            check_array(stored, dataset, values)
    table = described_table(found, state, "tables", "large")
    for number, column in enumerate(table[1]["columns"]):
        values = np.asarray(pool.products["tables"]["large"][column["name"]][:])
        check_column(*table, number, values)
    stored, small = described_table(found, state, "tables", "inner/small")
    pointers = np.frombuffer(stored.column(small, 1), ">i4").reshape(-1, 2)
    heap = b"".join(map(stored.data, small["heap"]))
    for row, (count, start) in enumerate(pointers):
        values = np.frombuffer(heap, ">f8", count, start)
        np.testing.assert_array_equal(values, np.arange(row, dtype="f8"))


def described_table(
    found: reader.Pool, state: reader.State, name: str, dataset: str
) -> tuple[reader.Product, dict[str, Any]]:
    product = found.product(state.versions[state.tracks[state.visible()[name]][-1]])
    return product, product.datasets()[dataset]


FITS = ["images", "map", "mosaic", "cube", "four", "scaled", "small table", "table", "ascii"]


@pytest.mark.parametrize("name", FITS)
def test_datasets_of_files(pool: Made, name: str, tmp_path: Path) -> None:
    """Arrays and columns, and their statistics, are those that astropy reads."""
    found = pool.read()
    state = found.at(1)
    product = found.product(state.versions[state.tracks[state.visible()[f"obs/{name}.fits"]][-1]])
    (tmp_path / "file.fits").write_bytes(pool.files[1][f"obs/{name}.fits"])
    described = [d for d in product.datasets().values() if d["is"] != "composite"]
    with fits.open(tmp_path / "file.fits") as hdus:
        assert len(described) == len(hdus) - 1
        for dataset, hdu in zip(described, hdus[1:], strict=True):
            if dataset["is"] == "array":
                check_array(product, dataset, hdu.data)
                continue
            for number, column in enumerate(hdu.columns):
                assert dataset["columns"][number]["name"] == column.name
                check_column(product, dataset, number, hdu.data.field(column.name))
            if any(column.format.startswith("P") for column in hdu.columns):
                heap = b"".join(map(product.data, dataset["heap"]))
                raw = product.column(dataset, hdu.columns.names.index("lists"))
                pointers = np.frombuffer(raw, ">i4").reshape(-1, 2)
                for (count, start), values in zip(pointers, hdu.data["lists"], strict=True):
                    assert heap[start : start + 4 * count] == values.astype(">i4").tobytes()


def test_content_only_of_gzip(pool: Made) -> None:
    found = pool.read()
    state = found.at()
    entry = state.versions[state.tracks[state.visible()["content only.fits.gz"]][-1]]
    product = found.product(entry)
    last = pool.files[max(pool.files)]["obs/cube.fits.gz"]
    assert product.file() is None
    assert product.content() == reader.gunzip(last)
    assert product.document["file"]["wrapper"]["hash"] == reader.digest(last).hex()
    assert entry["size"] == len(last)


def test_catalogue_rebuilt(pool: Made, tmp_path: Path) -> None:
    """Without its catalogue the pool is what the reader says."""
    copy = tmp_path / "copy"
    shutil.copytree(pool.path, copy, ignore=shutil.ignore_patterns("catalogue*"))
    found = reader.Pool(copy)
    with sp.Pool(copy) as opened:
        for number in range(1, len(found.commits) + 1):
            assert seen(opened.at(number)) == read(found.at(number))


def test_in_place(pool: Made, tmp_path: Path) -> None:
    folder, files = tmp_path / "obs", dict(pool.files[1])
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with sp.Pool(tmp_path / "pool") as opened:
        opened.add(folder, in_place=True)
        opened.add(folder / "map.fits", name="in the pool.fits")
    files["in the pool.fits"] = files["obs/map.fits"]
    found = reader.Pool(tmp_path / "pool")
    state = found.at()
    assert dict(stored_files(found, state)) == files
    for source in found.commits[0]["sources"]:
        status = os.stat(os.fsencode(os.fsdecode(os.fsencode(source["path"]))))
        assert (source["size"], source["mtime_ns"]) == (status.st_size, status.st_mtime_ns)
        assert source["inode"] == status.st_ino
    product, dataset = described_table(found, state, "obs/four.fits", "HDU_1")
    assert product.data(dataset["data"]) == numbers_of(folder / "four.fits", 1)
    product, dataset = described_table(found, state, "obs/cube.fits.gz", "HDU_1")
    assert product.data(dataset["data"]) == numbers_of(folder / "cube.fits", 1)
    # A changed or missing file is an error; what the packs hold is there all the same.
    (folder / "cube.fits").write_bytes(files["obs/cube.fits"][:-1] + b"\1")
    (folder / "map.fits").unlink()
    for name in ("obs/cube.fits", "obs/map.fits", "in the pool.fits"):
        track = state.visible()[name]
        product = found.product(state.versions[state.tracks[track][-1]])
        if name == "obs/cube.fits":
            with pytest.raises(reader.Damaged):
                product.file()
        else:
            assert product.file() == files[name]


def test_headers_first(pool: Made, tmp_path: Path) -> None:
    """What was not read, read later, moved, and taken into the pool."""
    folder, files = tmp_path / "obs", dict(pool.files[1])
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, (1.5e9, 1.5e9))
    with sp.Pool(tmp_path / "pool") as opened:
        opened.add(folder, in_place=True, headers_only=True)
        found = reader.Pool(tmp_path / "pool")
        assert dict(stored_files(found, found.at())) == files
        product = last(found, "obs/map.fits")
        assert "hash" not in product.document["file"]
        dataset = first_array(product)
        assert "stats" not in dataset
        segment = product.document["file"]["segments"][dataset["data"]["segment"]]
        time_ns = {"$int": "15" + 17 * "0"}
        mark = [str(folder / "map.fits"), len(files["obs/map.fits"]), time_ns]
        text = json.dumps(mark, separators=(",", ":")).encode()
        assert segment["chunks"]["deferred"] == blake3(text).hexdigest()[:32] + 16 * "0"
        (tmp_path / "obs").rename(tmp_path / "new")
        (tmp_path / "new/four.fits").rename(tmp_path / "four.fits")
        opened.relocate(folder, tmp_path / "new")
        opened.relocate(folder / "four.fits", tmp_path / "four.fits")
        opened.complete()
        opened.absorb(["obs/map.fits", "obs/cube.fits.gz"])
        opened.gc(grace=0)
        opened.gc(grace=0)
    for name in ("map.fits", "cube.fits.gz"):
        (tmp_path / "new" / name).unlink()
    found = reader.Pool(tmp_path / "pool")
    common = {"commit", "parent", "time", "author", "message"}
    keys = [set(commit) - common for commit in found.commits]
    assert keys[1:] == [{"moved"}, {"moved"}, {"sources", "completed"}, {"gone"}]
    assert dict(stored_files(found, found.at())) == files
    assert "hash" in last(found, "obs/map.fits").document["file"]
    product = last(found, "obs/map.fits")
    assert product.statistics(first_array(product)["stats"])


def first_array(product: reader.Product) -> Any:
    return next(each for each in product.datasets().values() if each["is"] == "array")


def last(pool: reader.Pool, name: str) -> reader.Product:
    state = pool.at()
    return pool.product(state.versions[state.tracks[state.visible()[name]][-1]])


def numbers_of(path: Path, hdu: int) -> bytes:
    values = fits.getdata(path, hdu)
    return values.astype(values.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AddReport]:
    """Add all real files in one go; return the pool's folder and the report."""
    folder = tmp_path_factory.mktemp("real") / "pool"
    with sp.Pool(folder) as pool:
        return folder, pool.add_report(shared_data / "files")


@pytest.mark.slow
def test_all_real_files(real: tuple[Path, AddReport], shared_data: Path) -> None:
    found = reader.Pool(real[0])
    seen_names = set()
    for name, data in stored_files(found, found.at()):
        assert data == (shared_data / name).read_bytes(), name
        seen_names.add(name)
    files = (path for path in (shared_data / "files").rglob("*") if path.is_file())
    assert seen_names == {os.fspath(path.relative_to(shared_data)) for path in files}


@pytest.mark.slow
def test_all_real_files_in_one_commit(
    real: tuple[Path, AddReport], shared_data: Path, tmp_path: Path
) -> None:
    files, (folder, report) = shared_data / "files", real
    assert report.skipped == []
    assert report.bytes_added < 0.45 * report.bytes_in
    with sp.Pool(folder) as pool:
        assert len(pool.history()) == 1
        pool.export(report.refs[0].name, tmp_path / "out")
        assert content(tmp_path / "out") == content(files)
        assert pool.add_report(files, force_read=True).saved == []


def content(folder: Path) -> dict[Path, bytes | None]:
    """Give the bytes of all files below a folder, and its folders."""
    return {
        path.relative_to(folder): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }
