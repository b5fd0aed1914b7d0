"""Bytes of packs and log, whole, torn and damaged."""

from __future__ import annotations

import json
import random
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import skypool as sp

from . import made, reader
from .pools import Made, files_of, read, stored_files


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
        ("stats", "list", "total", "type"),
        ("heap",),
    }
    codecs = {place[3] for places in found.places.values() for place in places}
    blocks = {place[7] is None for places in found.places.values() for place in places}
    assert codecs == {0, 1, 2}
    assert blocks == {True, False}


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
