"""A reader of pools written from the text of docs/format alone: no skypool, no numpy."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3

try:
    from compression import zstd  # Python 3.14
except ImportError:
    from backports import zstd

JSON = dict[str, Any]


class Damaged(Exception):
    """Bytes are missing, or are not what their name or check sum says."""


# --- check sums, codecs, JSON ---------------------------------------------------------


def _crc_entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


CRC_TABLE = [_crc_entry(i) for i in range(256)]


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def digest(data: bytes | bytearray) -> bytes:
    return blake3(data).digest()


def decode(payload: bytes, codec: int, element: int, length: int) -> bytes:
    try:
        raw = zstd.decompress(payload) if codec else payload
    except zstd.ZstdError as error:
        raise Damaged(str(error)) from error
    if len(raw) != length or codec > 2:
        raise Damaged("a payload has the wrong length, or an unknown codec")
    result, count = bytearray(raw), length // element
    for i in range(element if codec == 2 else 0):  # bytes behind the last element stay
        result[i : count * element : element] = raw[i * count : (i + 1) * count]
    return bytes(result)


def gunzip(data: bytes) -> bytes:
    """All members of a gzip file, one behind the other; other bytes behind them are left out."""
    content = b""
    while data.startswith(b"\x1f\x8b\x08"):
        member = zlib.decompressobj(31)
        content += member.decompress(data)
        data = member.unused_data
    return content


def checked(data: bytes, described: JSON) -> bytes:
    """The bytes, if they have the size and the hash that a recipe or wrapper gives."""
    if len(data) != described["size"] or digest(data).hex() != described["hash"]:
        raise Damaged("a file is not what was put in")
    return data


def _untag(obj: JSON) -> Any:
    ((key, value),) = obj.items() if len(obj) == 1 else (("", None),)
    return {"$int": int, "$float": float, "$time": str}.get(key, lambda _: obj)(value)


def load_json(data: bytes) -> Any:
    return json.loads(data.decode("ascii"), object_hook=_untag)


# --- segments -------------------------------------------------------------------------


def segment_size(segment: JSON) -> int:
    if segment["is"] == "inline":
        return len(base64.b64decode(segment["base64"]))
    if segment["is"] == "array":
        return math.prod(segment["shape"]) * int(segment["dtype"][2:])
    return segment["rows"] * segment["width"] if segment["is"] == "table" else segment["size"]


def join_tiles(segment: JSON, chunks: Iterator[bytes]) -> bytes:
    item = int(segment["dtype"][2:])
    shape, tile = segment["shape"] or [1], segment["tile"] or [1]
    strides = [item * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    starts = [range(0, n, t or 1) for n, t in zip(shape, tile, strict=True)]
    result = bytearray(segment_size(segment))
    for corner in itertools.product(*starts):
        chunk, place = next(chunks, b""), 0
        spans = [range(c, min(c + t, n)) for c, t, n in zip(corner, tile, shape, strict=True)]
        run = item * len(spans[-1])
        for index in itertools.product(*spans[:-1], corner[-1:]):
            target = sum(i * stride for i, stride in zip(index, strides, strict=True))
            result[target : target + run] = chunk[place : place + run]
            place += run
        if place != len(chunk):
            raise Damaged("a tile has the wrong length")
    return bytes(result)


def join_columns(segment: JSON, chunks: Iterator[bytes]) -> bytes:
    columns = [(offset, width) for offset, width, _ in segment["columns"] if width]
    starts = range(0, segment["rows"] if columns else 0, segment["block"])
    places = list(itertools.product(columns, starts))
    if segment.get("packed"):
        places = [(column, start) for start in starts for column in columns]
    row, result, packed = segment["width"], bytearray(segment_size(segment)), b""
    for (offset, width), start in places:
        rows = min(segment["block"], segment["rows"] - start)
        packed = packed or next(chunks, b"")
        data, packed = packed[: rows * width], packed[rows * width :]
        if len(data) != rows * width or (packed and not segment.get("packed")):
            raise Damaged("a piece of a column has the wrong length")
        begin, end = start * row + offset, (start + rows) * row
        for i in range(min(width, rows)):  # byte by byte of the cells, or cell by cell
            if width < rows:
                result[begin + i : end : row] = data[i::width]
            else:
                target = begin + i * row
                result[target : target + width] = data[i * width : (i + 1) * width]
    return bytes(result)


# --- the pool -------------------------------------------------------------------------


class State:
    """Names, versions, tags and visibility as of one commit."""

    def __init__(self) -> None:
        self.versions: dict[int, JSON] = {}  # by number
        self.tracks: dict[int, list[int]] = {}  # numbers of a track's versions, in order
        self.names: dict[int, str] = {}  # by track
        self.hidden: set[int] = set()  # tracks
        self.tags: dict[str, set[int]] = {}  # numbers of versions
        self.sources: dict[str, list[bytes]] = {}  # paths, by document
        self.times: dict[tuple[str, bytes], int] = {}  # of sources, ns since 1970
        self.completed: dict[str, str] = {}  # documents, by those whose place they took
        self.dropped: dict[int, list[JSON]] = {}  # drop entries that hold, by version
        self.purged: set[int] = set()  # numbers of versions

    def apply(self, commit: JSON) -> None:
        for entry in commit.get("versions", []):
            self.versions[entry["urn"]] = entry
            self.tracks.setdefault(entry["track"], []).append(entry["urn"])
        for track, name in commit.get("names", []):
            self.names.pop(track, None)
            if name is not None:
                self.names[track] = name
        for track, is_hidden in commit.get("hidden", []):
            (self.hidden.add if is_hidden else self.hidden.discard)(track)
        for tag, number, is_set in commit.get("tags", []):
            tagged = self.tags.setdefault(tag, set())
            (tagged.add if is_set else tagged.discard)(number)
        for move in commit.get("moved", []):
            self._move(os.fsencode(move["from"]), move)
        for document, path in commit.get("gone", []):
            self.sources[document].remove(os.fsencode(path))
        self.purged.update(commit.get("purged", []))
        for entry in commit.get("dropped", []):
            self.dropped.setdefault(entry["version"], []).append(entry)
        for number, pool in commit.get("fetched", []):
            left = [e for e in self.dropped.get(number, []) if e["pool"] != pool]
            self.dropped[number] = left
        for source in commit.get("sources", []):
            document, path = source["document"], os.fsencode(source["path"])
            if path not in self.sources.setdefault(document, []):
                self.sources[document].append(path)
            self.times[document, path] = source["mtime_ns"]
        for entry in commit.get("completed", []):
            self.completed[entry["of"]] = entry["document"]

    def _move(self, old: bytes, move: JSON) -> None:
        but = [os.fsencode(path) for path in move.get("but", [])]
        for entry in (entry for entries in self.dropped.values() for entry in entries):
            for place, key in itertools.product(entry["from"], ("path", "pool")):
                path = os.fsencode(place.get(key, ""))
                below = path == old or path.startswith(old.rstrip(b"/") + b"/")
                if below and path not in but:
                    place[key] = move["to"] + os.fsdecode(path[len(old) :])
        for document, paths in self.sources.items():
            for path in list(paths):
                below = path == old or path.startswith(old.rstrip(b"/") + b"/")
                if below and path not in but:
                    new = os.fsencode(move["to"]) + path[len(old) :]
                    paths.remove(path)
                    if new not in paths:
                        paths.append(new)
                        self.times[document, new] = self.times[document, path]

    def visible(self) -> dict[str, int]:
        """Track of every name in view."""
        return {name: track for track, name in self.names.items() if track not in self.hidden}


class Pool:
    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        try:
            marker = json.loads((self.folder / "skypool.json").read_bytes())
            known = (marker["format"], marker["version"], marker["features"]) == ("skypool", 1, [])
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged("the marker cannot be read") from error
        if not known:
            raise Damaged("not a pool of version 1 without features")
        # digest -> places: pack, payload's offset and length, codec, element, raw length,
        # the record's digest, slice of the decoded payload
        self.places: dict[bytes, list[tuple[Any, ...]]] = {}
        for path in sorted((self.folder / "packs").glob("*.pack")):
            with path.open("rb") as pack:
                self._scan(path, pack)
        self.commits = list(self._commits())
        state = self.at()
        self.sources, self.times, self.completed = state.sources, state.times, state.completed
        self.purged = state.purged
        self._last_block: tuple[bytes, bytes] = (b"", b"")

    def _scan(self, path: Path, pack: Any) -> None:
        size, offset = path.stat().st_size, 64
        head = pack.read(64)
        whole = crc32c(head[:60]) == int.from_bytes(head[60:], "little")
        if whole and head[:12] != b"SKYPACK\n\1\0\0\0":
            raise Damaged("unknown version of packs")
        while offset + 64 <= size:
            pack.seek(offset)
            head = pack.read(64)
            magic, kind, codec, element, _, raw, stored, name, _, crc = struct.unpack(
                "<4s4B2Q32s2I", head
            )
            end = offset + 64 + stored
            if magic != b"\x8bSKR" or end > size or crc != crc32c(head[:60]):
                offset += 8
                continue
            place = (path, offset + 64, stored, codec, element, raw, name)
            if kind == 1:
                self.places.setdefault(name, []).append((*place, None))
            elif kind == 2:
                self._scan_block(place)
            offset = end + -end % 8

    def _scan_block(self, place: tuple[Any, ...]) -> None:
        try:
            block = self._payload(place)
        except Damaged:
            return
        count = int.from_bytes(block[:4], "little")
        start = 4 + 36 * count
        for name, length in struct.iter_unpack("<32sI", block[4:start]):
            member = slice(start, start + length)
            self.places.setdefault(name, []).append((*place, member))
            start += length

    def _payload(self, place: tuple[Any, ...]) -> bytes:
        path, offset, stored, codec, element, raw, name = place[:7]
        with path.open("rb") as pack:
            pack.seek(offset)
            data = decode(pack.read(stored), codec, element, raw)
        if digest(data) != name:
            raise Damaged(f"{path.name} is damaged at {offset}")
        return data

    def chunk(self, name: bytes | str) -> bytes:
        """The bytes of this name; damaged occurrences are passed over."""
        wanted = bytes.fromhex(name) if isinstance(name, str) else name
        for place in self.places.get(wanted, []):
            try:
                if place[6] != self._last_block[0]:
                    self._last_block = place[6], self._payload(place)
                data = self._last_block[1]
            except Damaged:
                continue
            data = data if place[7] is None else data[place[7]]
            if digest(data) == wanted:
                return data
        raise Damaged(f"no good chunk {wanted.hex()}")

    def _commits(self) -> Iterator[JSON]:
        path = self.folder / "commits.log"
        log = path.read_bytes() if path.exists() else b""
        offset, previous = 0, bytes(32)
        for number in itertools.count(1):
            head = log[offset : offset + 72]
            if len(head) < 72 or crc32c(head[:68]) != int.from_bytes(head[68:], "little"):
                return
            magic, codec, found, raw, stored, before, crc = struct.unpack("<4sB3x3Q32sI", head[:68])
            payload = log[offset + 72 : offset + 72 + stored]
            fits = magic == b"\x8bSKC" and found == number and before == previous
            if not fits or len(payload) != stored or crc32c(payload) != crc:
                return
            yield load_json(decode(payload, codec, 1, raw))
            previous = digest(head + payload)
            offset += 72 + stored

    def at(self, commit: int | None = None) -> State:
        state = State()
        for record in self.commits[:commit]:
            state.apply(record)
        return state

    def product(self, entry: JSON) -> Product:
        if entry["urn"] in self.purged:
            raise Damaged("a version that was given up")
        return Product(self, entry["document"])


class Product:
    """One product document and the bytes that it describes."""

    def __init__(self, pool: Pool, document: str) -> None:
        self.pool = pool
        document = pool.completed.get(document, document)
        self.name = document
        self.document: JSON = load_json(pool.chunk(document))
        self.sources = pool.sources.get(document, [])

    def digests(self, chunks: str | JSON) -> list[bytes]:
        """The names that a `LIST` holds."""
        if isinstance(chunks, str):
            names = bytes.fromhex(chunks)
        elif "deferred" in chunks:
            raise Damaged("content that was not read: it is in a source alone")
        else:
            names = self.pool.chunk(chunks["list"])
            if len(names) != 32 * chunks["count"]:
                raise Damaged("a list of chunks has the wrong length")
        return [names[i : i + 32] for i in range(0, len(names), 32)]

    def segment(self, segment: JSON) -> bytes:
        if segment["is"] == "inline":
            return base64.b64decode(segment["base64"])
        if segment["is"] == "fill":
            return bytes([segment["byte"]]) * segment["size"]
        chunks = map(self.pool.chunk, self.digests(segment["chunks"]))
        if segment["is"] == "array":
            data = join_tiles(segment, chunks)
        elif segment["is"] == "table":
            data = join_columns(segment, chunks)
        else:
            data = b"".join(chunks)
        if len(data) != segment_size(segment) or next(chunks, None) is not None:
            raise Damaged("chunks do not fit the segment")
        return data

    def _source(self, described: JSON) -> bytes:
        """The user's own file, where the product was added in place."""
        for path in self.sources:
            with contextlib.suppress(OSError, Damaged), open(path, "rb") as file:
                if "hash" in described:
                    return checked(file.read(), described)
                status, data = os.fstat(file.fileno()), file.read()
                figures = (described["size"], self.pool.times[self.name, path])
                if (len(data), status.st_mtime_ns) == figures:
                    return data
        raise Damaged("not in the packs, and no source is as it was")

    def content(self, recipe: JSON | None = None) -> bytes:
        """The bytes inside the wrapper, or of the file where there is none."""
        recipe = recipe or self.document["file"]
        try:
            return checked(b"".join(map(self.segment, recipe["segments"])), recipe)
        except Damaged:
            if "wrapper" in recipe:
                return checked(gunzip(self._source(recipe["wrapper"])), recipe)
            return self._source(recipe)

    def file(self, recipe: JSON | None = None) -> bytes | None:
        """The file that was put in; None where only the content of a gzip file was kept."""
        recipe = recipe or self.document["file"]
        wrapper = recipe.get("wrapper")
        if wrapper is None:
            return self.content(recipe)
        try:
            return self._wrapped(recipe, wrapper)
        except Damaged:
            return self._source(wrapper)

    def _wrapped(self, recipe: JSON, wrapper: JSON) -> bytes | None:
        if "stream" in wrapper:
            return checked(b"".join(map(self.segment, wrapper["stream"])), wrapper)
        if "header" not in wrapper:
            return self._source(wrapper) if self.sources else None
        deflate = zlib.compressobj(
            wrapper["level"], zlib.DEFLATED, -15, wrapper["memory"], wrapper["strategy"]
        )
        stream = deflate.compress(self.content(recipe)) + deflate.flush()
        header, trailer = map(base64.b64decode, (wrapper["header"], wrapper["trailer"]))
        return checked(header + stream + trailer, wrapper)

    def tree(self) -> dict[str, bytes | None]:
        """The files of a folder that is one product; folders without files end in a slash."""
        return {
            path: None if recipe is None else self.file(recipe)
            for path, recipe in self.document["tree"]
        }

    def datasets(self, datasets: list[Any] | None = None, prefix: str = "") -> dict[str, JSON]:
        """All datasets by name, those of composites as `outer/inner`."""
        found: dict[str, JSON] = {}
        for name, dataset in self.document["datasets"] if datasets is None else datasets:
            found[prefix + name] = dataset
            if dataset["is"] == "composite":
                found |= self.datasets(dataset["datasets"], f"{prefix}{name}/")
        return found

    def data(self, data: JSON) -> bytes:
        """Raw bytes, in FITS order, of a `data` object."""
        if "segment" not in data:
            return self.segment(data)
        segments, number = self.document["file"]["segments"], data["segment"]
        try:
            return self.segment(segments[number])
        except Damaged:
            start = sum(map(segment_size, segments[:number]))
            return self.content()[start : start + segment_size(segments[number])]

    def column(self, table: JSON, number: int) -> bytes:
        """Raw bytes of one column of a table dataset, row by row."""
        data = table["data"]
        segment = self.document["file"]["segments"][data["segment"]] if "segment" in data else data
        offset, width, _ = segment["columns"][number]
        rows = self.data(data)
        starts = range(offset, len(rows), segment["width"])
        return b"".join(rows[start : start + width] for start in starts)

    def statistics(self, stats: JSON) -> list[tuple[Any, ...]]:
        """Per chunk: counts of finite, NaN, +inf and -inf, minimum, maximum."""
        values = self.pool.chunk(stats["list"]) if "list" in stats else None
        entry = "<4Q" + {"f8": "2d", "i8": "2q", "u8": "2Q"}[stats["type"]]
        return list(struct.iter_unpack(entry, values or base64.b64decode(stats["values"])))
