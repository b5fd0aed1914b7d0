"""Pools of skypool, read with a reader that was written from docs/format alone."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import re
import shutil
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.errors import SkypoolError
from skypool.storage.store import ChunkStore

from . import made, reader

Values = np.ndarray[Any, Any]


@dataclass
class Made:
    """A pool, the reader's view of it, and what went in."""

    path: Path
    files: dict[int, dict[str, bytes]] = field(default_factory=dict)  # by commit and name
    products: dict[str, sp.Product] = field(default_factory=dict)

    def read(self) -> reader.Pool:
        return reader.Pool(self.path)


def files_of(folder: Path, name: str = "") -> dict[str, bytes]:
    name = name or folder.name
    found = (path for path in folder.rglob("*") if path.is_file())
    return {f"{name}/{path.relative_to(folder)}": path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A pool of several packs with many kinds of files, versions, names and tags."""
    base = tmp_path_factory.mktemp("format")
    made_pool = Made(base / "pool")
    options: dict[str, Any] = ChunkStore.__init__.__kwdefaults__
    before = options["roll_bytes"]
    options["roll_bytes"] = 6_000_000
    try:
        _fill(made_pool, base / "obs")
    finally:
        options["roll_bytes"] = before
    yield made_pool
    shutil.rmtree(base)


def _fill(target: Made, folder: Path) -> None:
    made.write_files(folder)
    with sp.Pool(target.path) as pool:
        root = pool.add(folder, tags=["first", "große Karte"], message="first")
        target.files[len(pool.history())] = files_of(folder)
        products = made.memory_products()
        with pool.commit("many at once") as commit:
            for name, product in products.items():
                commit.save(product, name=name, tags=["made"])
        target.products = products
        made.reprocess(folder)
        pool.add(folder, message="again")
        target.files[len(pool.history())] = files_of(folder)
        pool.untag(root, "first")
        pool.tag(pool["obs/map.fits@0"], "first", "the old map")
        pool.rename(pool["arrays"] if "arrays" in pool else pool["arrays/f4"], "kept/f4")
        pool.remove(pool["meta"])
        pool.remove(pool["obs"])
        pool.save(products["arrays/f8"].replace(meta={"changed": True}), name="arrays/f8")
        pool.restore("obs")
        pool.save(products["arrays/f4"], name="arrays/f4")  # a new track: the old one is renamed
        other = folder.with_name("content only.fits.gz")
        other.write_bytes((folder / "cube.fits.gz").read_bytes())
        pool.add(other, name="content only.fits.gz", gzip="content")
        pool.save(
            sp.Product(type="OBS", kind="MapContext", refs={"a": pool["kept/f4"], "b": root}),
            name="context",
        )


def stored_files(pool: reader.Pool, state: reader.State) -> Iterator[tuple[str, bytes | None]]:
    """Bytes of all files in view, those of folders that are one product too."""
    for name, track in state.visible().items():
        product = pool.product(state.versions[state.tracks[track][-1]])
        if "file" in product.document:
            yield name, product.file()
        for path, data in product.tree().items() if "tree" in product.document else ():
            if not path.endswith("/"):
                yield f"{name}/{path}", data


def test_files_at_every_commit(pool: Made) -> None:
    found = pool.read()
    assert len(list((pool.path / "packs").iterdir())) > 3
    for number, expected in pool.files.items():
        stored = dict(stored_files(found, found.at(number)))
        assert stored == expected
        assert len(stored) > 30


def test_all_forms_occur(pool: Made) -> None:
    """What the other tests see covers the format."""
    found = pool.read()
    forms: set[Any] = set()
    for entry in found.at().versions.values():
        product = found.product(entry)
        recipes = [product.document.get("file"), *(r for _, r in product.document.get("tree", []))]
        for recipe in filter(None, recipes):
            forms |= {("wrapper", key) for key in recipe.get("wrapper", ())}
            for segment in recipe["segments"]:
                forms.add((segment["is"], type(segment.get("chunks")).__name__))
                forms.add((segment["is"], "packed", segment.get("packed", False)))
                columns = segment.get("columns", ())
                forms |= {("empty column",) for _, width, _ in columns if not width}
        for dataset in product.datasets().values():
            forms |= {("stats", *sorted(dataset.get("stats", ())))}
            forms |= {("stats", *sorted(c.get("stats", ()))) for c in dataset.get("columns", ())}
            forms |= {("heap",)} if "heap" in dataset else set()
    assert forms >= {
        ("inline", "NoneType"),
        ("fill", "NoneType"),
        ("bytes", "str"),
        ("array", "str"),
        ("array", "dict"),
        ("table", "dict"),
        ("table", "packed", True),
        ("table", "packed", False),
        ("empty column",),
        ("wrapper", "stream"),
        ("wrapper", "level"),
        ("stats", "type", "values"),
        ("stats", "list", "type"),
        ("heap",),
    }
    codecs = {place[3] for places in found.places.values() for place in places}
    blocks = {place[7] is None for places in found.places.values() for place in places}
    assert codecs == {0, 1, 2}
    assert blocks == {True, False}


KEYS = ("number", "version", "kind", "type", "size", "total_size", "hash")
LOG_KEYS = ("urn", "version", "kind", "type", "size", "total", "document")


def seen(pool: sp.Pool) -> dict[str, Any]:
    """What skypool says of names, versions and tags."""
    return {
        ref.name: [([getattr(one, key) for key in KEYS], list(one.tags)) for one in ref.versions]
        for ref in pool
    }


def read(state: reader.State) -> dict[str, Any]:
    """What the log says of the same."""
    found = {}
    for name, track in state.visible().items():
        found[name] = [
            (
                [state.versions[number][key] for key in LOG_KEYS],
                sorted(tag for tag, tagged in state.tags.items() if number in tagged),
            )
            for number in state.tracks[track]
        ]
    return found


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


def numbers_of(path: Path, hdu: int) -> bytes:
    values = fits.getdata(path, hdu)
    return values.astype(values.dtype.newbyteorder(">")).tobytes()


def test_damage_never_gives_wrong_bytes(tmp_path: Path) -> None:
    """Every file is either what went in or an error, whichever byte changes."""
    folder = tmp_path / "obs"
    folder.mkdir()
    for number, size in enumerate((0, 10, 3000, 3001, 70000, 150000)):
        (folder / f"{number}.bin").write_bytes(made.numbers((size,), "u1", number).tobytes())
    fits.PrimaryHDU(np.arange(90000, dtype="f4").reshape(300, 300)).writeto(folder / "a.fits")
    fits.BinTableHDU.from_columns(made.table_columns(40)).writeto(folder / "b.fits")
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(folder)
        pool.add(folder / "a.fits", name="b")
    files = files_of(folder)
    files["b"] = files["obs/a.fits"]
    (pack,) = (tmp_path / "pool" / "packs").iterdir()
    random.seed(5)
    outcomes = set()
    for path in (pack, tmp_path / "pool" / "commits.log", tmp_path / "pool" / "skypool.json"):
        good = path.read_bytes()
        places = set(range(0, len(good), len(good) // 60 + 1)) | set(
            range(0, min(200, len(good)), 3)
        )
        for place in places:
            bad = bytearray(good)
            bad[place] ^= 1 << random.randrange(8)
            path.write_bytes(bad)
            outcomes |= set(_outcomes(tmp_path / "pool", files))
        path.write_bytes(good)
        path.write_bytes(good[: len(good) * 2 // 3])
        outcomes |= set(_outcomes(tmp_path / "pool", files))
        path.write_bytes(good)
    assert outcomes == {"whole", "damaged"}
    assert set(_outcomes(tmp_path / "pool", files)) == {"whole"}


def _outcomes(path: Path, files: dict[str, bytes]) -> Iterator[str]:
    try:
        found = reader.Pool(path)
    except reader.Damaged:
        yield "damaged"
        return
    state = found.at()
    for name, track in state.visible().items():
        assert name in files or name == "obs"
        try:
            product = found.product(state.versions[state.tracks[track][-1]])
            data = product.file() if "file" in product.document else None
        except reader.Damaged:
            yield "damaged"
            continue
        assert data == files.get(name)
        yield "whole"


@pytest.mark.slow
def test_all_real_files(shared_data: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's, on odd real files
        with sp.Pool(tmp_path / "pool") as pool:
            pool.add(shared_data / "files")
    found = reader.Pool(tmp_path / "pool")
    seen_names = set()
    for name, data in stored_files(found, found.at()):
        assert data == (shared_data / name).read_bytes(), name
        seen_names.add(name)
    files = (path for path in (shared_data / "files").rglob("*") if path.is_file())
    assert seen_names == {os.fspath(path.relative_to(shared_data)) for path in files}


def test_torn_tails(pool: Made, tmp_path: Path) -> None:
    """What writers that died leave behind is passed over, then cut off by the next writer."""
    path = tmp_path / "copy"
    shutil.copytree(pool.path, path)
    whole = pool.read()
    before = [read(whole.at(number + 1)) for number in range(len(whole.commits))]
    (unsealed,) = (p for p in _packs(path) if p.read_bytes()[-32:-24] != b"SKYPKEND")
    log = path / "commits.log"
    for torn, tail in ((unsealed, unsealed.read_bytes()[64:1000]), (log, log.read_bytes()[:300])):
        with torn.open("ab") as file:
            file.write(tail[:-5])
    found = reader.Pool(path)
    assert [read(found.at(number + 1)) for number in range(len(found.commits))] == before
    with sp.Pool(path) as opened:
        opened.save(sp.Product(type="TEST", datasets={"a": np.ones((300, 300))}), name="behind")
        opened.gc(grace=0)
        assert opened.verify().ok
    found = reader.Pool(path)
    assert len(found.commits) == len(before) + 1
    assert [read(found.at(number + 1)) for number in range(len(before))] == before
    assert {"behind", *before[-1]} == set(found.at().visible())
    last = max(pool.files)
    expected = pool.files[last]
    assert dict(stored_files(found, found.at(last))) == expected


def test_every_byte_of_packs_and_log(pool: Made) -> None:
    """Headers, check sums, padding, limits and indexes are as the text says."""
    marker = json.loads((pool.path / "skypool.json").read_bytes())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", marker["created"])
    assert marker["journal"] in {"wal", "delete"}
    kinds = [_check_pack(path, bytes.fromhex(marker["id"])) for path in _packs(pool.path)]
    assert any(sealed for sealed in kinds)
    assert not all(kinds)
    log, offset = (pool.path / "commits.log").read_bytes(), 0
    while offset < len(log):
        assert log[offset + 5 : offset + 8] == bytes(3)
        raw, stored = struct.unpack_from("<2Q", log, offset + 16)
        payload = log[offset + 72 : offset + 72 + stored]
        _check_canonical(reader.decode(payload, log[offset + 4], 1, raw))
        offset += 72 + stored
    found = pool.read()
    for entry in found.at().versions.values():
        _check_canonical(found.chunk(entry["document"]))


def _packs(path: Path) -> list[Path]:
    return sorted((path / "packs").glob("*.pack"))


def _check_canonical(text: bytes) -> None:
    obj = json.loads(text)
    assert json.dumps(obj, sort_keys=True, separators=(",", ":")).encode() == text


def _check_pack(path: Path, pool_id: bytes) -> bool:
    """Check one pack from its first to its last byte; whether it is sealed."""
    data, offset, index = path.read_bytes(), 64, []
    last, kind, raw = 0, 0, b""
    assert data[:12] == b"SKYPACK\n\1\0\0\0"
    assert data[12:44] == pool_id + bytes.fromhex(path.stem)
    assert data[52:60] == bytes(8)
    assert reader.crc32c(data[:60]) == int.from_bytes(data[60:64], "little")
    while offset < len(data):
        assert offset % 8 == 0
        if data.startswith(b"SKYPKEND", offset):
            start, count, zero, crc = struct.unpack_from("<QQII", data, offset + 8)
            assert (start, count, zero, offset + 32) == (last, len(index), 0, len(data))
            assert reader.crc32c(data[offset : offset + 28]) == crc
            assert (kind, raw) == (3, b"".join(index))
            return True
        magic, kind, codec, element, zero, length, stored = struct.unpack_from(
            "<4s4B2Q", data, offset
        )
        payload = data[offset + 64 : offset + 64 + stored]
        if stored < 20000:  # the own table is slow
            crc = int.from_bytes(data[offset + 56 : offset + 60], "little")
            assert crc == reader.crc32c(payload)
        assert (magic, zero) == (b"\x8bSKR", 0)
        assert element == 1 or (codec == 2 and element > 1)
        raw = reader.decode(payload, codec, element, length)
        assert reader.digest(raw) == data[offset + 24 : offset + 56]
        place = struct.pack("<QI", offset, stored + 64)
        if kind == 1:
            assert 4096 <= length <= 64 << 20
            index.append(reader.digest(raw) + place + struct.pack("<II", 2**32 - 1, length))
        elif kind == 2:
            assert length <= 1 << 20
            begin = 4 + 36 * int.from_bytes(raw[:4], "little")
            for name, size in struct.iter_unpack("<32sI", raw[4:begin]):
                assert size < 4096
                assert reader.digest(raw[begin : begin + size]) == name
                index.append(name + place + struct.pack("<II", begin, size))
                begin += size
            assert begin == length
        else:
            assert kind == 3
        last, offset = offset, offset + 64 + stored
        assert not any(data[offset : offset + -offset % 8])
        offset += -offset % 8
    return False
