"""Zarr stores, versions 2 and 3, as folders that are one product.

Shapes, types and attributes are read from the JSON files alone; values through the
package zarr. Arrays whose codecs could run code while they decode (pickle) are left out.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged, MissingDependency, SkypoolError
from skypool.formats.base import Imported
from skypool.formats.folders import read_folder
from skypool.formats.parsing import CONTENT_ERRORS, NotUnderstood, optional_import
from skypool.formats.sources import FunctionArray
from skypool.formats.typed import ColumnScan, array_dataset, composite, flatten, native, unread
from skypool.formats.verbatim import Description

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.model.sources import ArraySource, TableSource

__all__ = ["ZarrFormat"]

Values = np.ndarray[Any, Any]
# Larger arrays get no statistics: they would have to be decoded to be added.
SCAN_LIMIT = 1024**3
SLAB = 16 * 1024**2
MAX_JSON = 16 * 1024**2
_MARKS = ("zarr.json", ".zgroup", ".zarray")
_UNITS = ("units", "unit")
_ABOUT = ("long_name", "description", "title")
# What decodes bytes to bytes or numbers, and nothing else.
_SAFE_CODECS = frozenset(
    (
        *("adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3"),
        *("blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"),
        *("astype", "bitround", "delta", "fixedscaleoffset", "packbits", "quantize", "shuffle"),
        *("base64", "bytes", "categorize", "endian", "json2", "msgpack2", "transpose"),
        *("sharding_indexed", "vlen-array", "vlen-bytes", "vlen-utf8"),
    )
)


@dataclass(frozen=True, slots=True)
class _Node:
    """An array or group, as its JSON describes it."""

    path: str
    is_array: bool
    attributes: Mapping[str, Any]
    described: Mapping[str, Any]


def _json(source: ByteSource) -> Any:
    if source.size > MAX_JSON:
        raise NotUnderstood("JSON of more than 16 MiB")
    try:
        return json.loads(source.pread(0, source.size))
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"JSON that is not well-formed: {str(error)[:200]}") from None


def _object(files: Mapping[str, ByteSource], path: str) -> Mapping[str, Any]:
    if path not in files:
        return {}
    found = _json(files[path])
    if not isinstance(found, dict):
        raise NotUnderstood(f"{path} holds no JSON object")
    return found


class ZarrFormat:
    """The reader ``zarr``; the item is the path of the array below the folder."""

    name = "zarr"

    def matches(self, folder: Path) -> bool:
        """Look for a JSON file that says that it is Zarr's."""
        for mark in _MARKS:
            path = folder / mark
            try:
                if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_JSON:
                    continue
                found = json.loads(path.read_bytes())
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(found, dict) and found.get("zarr_format") in (2, 3):
                return True
        return False

    def read(
        self, folder: Path, open_source: Callable[[str], ByteSource], sink: ChunkSink
    ) -> Imported:
        """Store all files and describe the arrays."""
        return read_folder(folder, open_source, sink, "Zarr", _describe)

    def open_array(
        self, item: Any, dataset: dict[str, Any], files: Mapping[str, ByteSource]
    ) -> ArraySource:
        """Open an array; a read decodes the chunks that it needs."""
        return FunctionArray(dataset, _Reader(str(item), files).read)

    def open_table(
        self, item: Any, dataset: dict[str, Any], files: Mapping[str, ByteSource]
    ) -> TableSource:
        """Refuse: Zarr has no tables."""
        raise Damaged("a document has a table of the reader 'zarr', which has none")


def _describe(files: Mapping[str, ByteSource]) -> Description:
    nodes = {node.path: node for node in _nodes(files)}
    root = nodes.get("")
    if root is None:
        raise NotUnderstood("a folder without a root array or group")
    meta = flatten(root.attributes)
    if root.is_array:
        return Description([["data", _array(root, files)]], meta)
    return Description(_children("", nodes, files), meta)


def _nodes(files: Mapping[str, ByteSource]) -> Iterator[_Node]:
    """Give all arrays and groups, from their JSON files."""
    for name in files:
        folder, _, last = name.rpartition("/")
        prefix = folder + "/" if folder else ""
        if last == "zarr.json":
            found = _object(files, name)
            kind, attributes = found.get("node_type"), found.get("attributes")
            if found.get("zarr_format") == 3 and kind in ("array", "group"):
                shown = attributes if isinstance(attributes, dict) else {}
                yield _Node(folder, kind == "array", shown, found)
        elif last in (".zarray", ".zgroup"):
            found = _object(files, name)
            yield _Node(folder, last == ".zarray", _object(files, prefix + ".zattrs"), found)


def _children(
    path: str, nodes: Mapping[str, _Node], files: Mapping[str, ByteSource], depth: int = 0
) -> list[list[Any]]:
    if depth > 64:
        return [["…", unread("groups nested more than 64 deep")]]
    start = path + "/" if path else ""
    found: list[list[Any]] = []
    for node in nodes.values():
        name = node.path[len(start) :]
        if not node.path.startswith(start) or not name or "/" in name:
            continue
        if node.is_array:
            found.append([name, _array(node, files)])
        else:
            below = _children(node.path, nodes, files, depth + 1)
            found.append([name, composite(below, flatten(node.attributes))])
    return found


def _array(node: _Node, files: Mapping[str, ByteSource]) -> dict[str, Any]:
    meta = flatten(node.attributes)
    try:
        shape, dtype = _shape(node.described), _dtype(node.described)
        _check_codecs(node.described)
        scan = _scan(node, shape, dtype, files)
    except NotUnderstood as error:
        return unread(error.reason, meta)
    values = {entry[0]: entry[1] for entry in meta}
    unit = next((values[n] for n in _UNITS if isinstance(values.get(n), str)), "")
    about = next((values[n] for n in _ABOUT if isinstance(values.get(n), str)), "")
    data = {"reader": "zarr", "item": node.path}
    return array_dataset(shape, dtype, data, meta, unit, about, scan)


def _shape(described: Mapping[str, Any]) -> tuple[int, ...]:
    shape = described.get("shape")
    if not isinstance(shape, list) or len(shape) > 32:
        raise NotUnderstood("an array without a shape")
    if not all(type(axis) is int and 0 <= axis < 2**62 for axis in shape):
        raise NotUnderstood(f"the shape {str(shape)[:100]}")
    return tuple(shape)


def _dtype(described: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the type of the values as users see them."""
    named = described.get("data_type", described.get("dtype"))
    if isinstance(named, dict) and named.get("name") == "fixed_length_utf32":
        length = (named.get("configuration") or {}).get("length_bytes")
        named = f"U{length // 4}" if isinstance(length, int) and 0 < length < 2**20 else named
    try:
        dtype = np.dtype(named) if isinstance(named, str) else None
    except (TypeError, ValueError):
        dtype = None
    if dtype is None or dtype.kind not in "biufcSUMm" or dtype.itemsize == 0:
        raise NotUnderstood(f"values of the type {str(named)[:100]}")
    if dtype.kind == "S":
        return np.dtype(f"U{dtype.itemsize}")
    return dtype.newbyteorder("=")


def _check_codecs(described: Mapping[str, Any], depth: int = 0) -> None:
    """Refuse codecs that may do more than decode."""
    listed = [described.get("compressor"), *(described.get("filters") or [])]
    codecs = described.get("codecs", [])
    listed += codecs if isinstance(codecs, list) else []
    for codec in listed:
        if codec is None:
            continue
        name = codec.get("id", codec.get("name")) if isinstance(codec, dict) else codec
        if str(name).removeprefix("numcodecs.") not in _SAFE_CODECS or depth > 4:
            raise NotUnderstood(f"values behind the codec {str(name)[:100]!r}")
        inner = codec.get("configuration") if isinstance(codec, dict) else None
        if isinstance(inner, dict):
            _check_codecs({"codecs": inner.get("codecs", [])}, depth + 1)
            _check_codecs({"codecs": inner.get("index_codecs", [])}, depth + 1)


def _scan(
    node: _Node, shape: tuple[int, ...], dtype: np.dtype[Any], files: Mapping[str, ByteSource]
) -> ColumnScan | None:
    size = dtype.itemsize
    for axis in shape:
        size *= axis
    if not 0 < size <= SCAN_LIMIT or dtype.kind not in "biuf":
        return None
    reader, scan = _Reader(node.path, files), ColumnScan()
    try:
        if not shape:
            scan.add(reader.read(()))
            return scan
        step = reader.step(max(1, SLAB * shape[0] // size))
        rest = tuple(slice(0, axis, 1) for axis in shape[1:])
        for start in range(0, shape[0], step):
            scan.add(reader.read((slice(start, min(shape[0], start + step), 1), *rest)))
    except MissingDependency:
        return None  # the metadata need no package
    except Damaged as error:
        raise NotUnderstood(error.message) from error
    return scan


class _Reader:
    """Reads parts of an array; it is opened when a value is first wanted."""

    def __init__(self, path: str, files: Mapping[str, ByteSource]) -> None:
        self._path = path
        self._files = files
        self._array: Any = None
        self._lock = threading.Lock()

    def _open(self) -> Any:
        if self._array is None:

            def load() -> Any:
                import zarr

                return zarr

            zarr = optional_import(load, "zarr")
            from skypool.formats.zarr_store import FilesStore

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                store = FilesStore(self._files)
                self._array = zarr.open_array(store, path=self._path, mode="r")
            _check_codecs(self._array.metadata.to_dict())
        return self._array

    def step(self, rows: int) -> int:
        """Return about *rows*, as a multiple of the chunks."""
        with self._lock, _reading(self._path):
            chunk = int(self._open().chunks[0])
        return -(-rows // chunk) * chunk

    def read(self, index: tuple[slice, ...]) -> Values:
        """Return a part of the values."""
        with self._lock, _reading(self._path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = np.asarray(self._open()[index])
        return native(values)


class _reading:  # noqa: N801 - a context manager, used like a function
    """Turns what the package zarr raises for bad content into `Damaged`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SkypoolError):
            return
        if isinstance(error, NotUnderstood):
            raise Damaged(f"the Zarr array {self._path!r} has {error.reason}") from error
        if isinstance(error, CONTENT_ERRORS):
            line = (str(error).splitlines() or [""])[0][:200]
            raise Damaged(f"the Zarr array {self._path!r} cannot be read: {line}") from error
