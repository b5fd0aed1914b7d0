"""HDF5, through h5py: groups are composites, datasets arrays, compound datasets tables.

Nothing outside the file is read: external links, external storage and virtual
datasets are named, and left out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged
from skypool.formats.astropy_header import table_header
from skypool.formats.isolated import describe_isolated
from skypool.formats.parsing import (
    NotUnderstood,
    SourceFile,
    WatchedSource,
    optional_import,
    require,
    understanding,
)
from skypool.formats.sources import FunctionArray, FunctionTable
from skypool.formats.typed import (
    BLOCK_ROWS,
    ColumnScan,
    array_dataset,
    block_group,
    column_document,
    composite,
    flatten,
    parameter,
    table_dataset,
    unread,
)
from skypool.formats.verbatim import Description, VerbatimFormat

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource
    from skypool.model.sources import ArraySource, TableSource

__all__ = ["Hdf5Format"]

Values = np.ndarray[Any, Any]
SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Larger datasets get no statistics: they would have to be read to add the file.
SCAN_LIMIT = 1024**3
SLAB = 16 * 1024**2
MAX_OBJECTS = 10_000
MAX_DEPTH = 64
MAX_ATTRIBUTE = 65536
_UNITS = ("unit", "units", "UNIT", "UNITS")
_ABOUT = ("description", "long_name", "title", "DESCRIPTION", "TITLE")
_ASTROPY = "__table_column_meta__"


def _h5py() -> Any:
    def load() -> Any:
        import h5py

        return h5py

    return optional_import(load, "hdf5")


class Hdf5Format(VerbatimFormat):
    """The reader ``hdf5``; the item is the path of the dataset in the file."""

    name = "hdf5"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Look for the signature at the start, or behind a user block of 512, 1024 … bytes."""
        if head[257:262] == b"ustar":
            return False  # an archive whose first member is an HDF5 file
        place = 0
        while place + len(SIGNATURE) <= len(head):
            if head[place : place + len(SIGNATURE)] == SIGNATURE:
                return True
            place = max(512, place * 2)
        return False

    def describe(self, source: WatchedSource, filename: str) -> Description:
        """Walk through the groups, and read the datasets for their statistics."""
        require("h5py", "hdf5")
        return describe_isolated("hdf5", source, filename)

    def describe_here(self, source: WatchedSource, filename: str) -> Description:
        """Do so in this process, which damaged files may end."""
        h5py = _h5py()
        with understanding(source, "HDF5"), h5py.File(SourceFile(source), "r") as file:
            walk = _Walk(source, h5py.h5o.get_info(file.id).addr)
            datasets = walk.group(file, 0)
            return Description(datasets, [*_attributes(file), *walk.scalars])

    def open_array(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> ArraySource:
        """Open an array; a read touches the chunks that it needs."""
        reader = _Reader(item, file)
        return FunctionArray(dataset, lambda index: reader.read(index, None))

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Open a table; a read decodes the rows that it needs."""
        reader = _Reader(item, file)
        names = [column.get("field", column["name"]) for column in dataset["columns"]]
        return FunctionTable(dataset, lambda n, a, b: reader.read((slice(a, b),), names[n]))


class _Walk:
    """Goes through a file."""

    def __init__(self, source: WatchedSource, root: Any) -> None:
        self._source = source
        self._seen: dict[Any, str] = {root: "/"}
        self._left = MAX_OBJECTS
        self.scalars: list[list[Any]] = []

    def group(self, group: Any, depth: int) -> list[list[Any]]:
        """Return the datasets of a group."""
        h5py = _h5py()
        found = []
        for name in group:
            self._left -= 1
            if self._left < 0:
                found.append([f"{name} …", unread(f"more than {MAX_OBJECTS} objects in the file")])
                break
            if name.endswith("." + _ASTROPY) or name == _ASTROPY:
                continue  # belongs to the table beside it
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.HardLink):
                made = self._object(group, name, depth)
            elif isinstance(link, h5py.SoftLink):
                made = unread(f"a link to {link.path[:1000]}")
            else:
                made = unread("a link to another file")
            if made is not None:
                found.append([name, made])
        return found

    def _object(self, group: Any, name: str, depth: int) -> dict[str, Any] | None:
        h5py = _h5py()
        try:
            with understanding(self._source, "HDF5"):
                thing = group[name]
                place = h5py.h5o.get_info(thing.id).addr
                if place in self._seen:
                    return unread(f"the same as {self._seen[place]}")
                self._seen[place] = str(thing.name)
                if isinstance(thing, h5py.Group):
                    if depth >= MAX_DEPTH:
                        return unread(f"groups nested more than {MAX_DEPTH} deep")
                    return composite(self.group(thing, depth + 1), _attributes(thing))
                if not isinstance(thing, h5py.Dataset):
                    return unread("a named type")
                return self._dataset(thing)
        except NotUnderstood as error:
            return unread(error.reason)

    def _dataset(self, dataset: Any) -> dict[str, Any] | None:
        if dataset.external is not None or dataset.is_virtual:
            return unread("the values are in other files")
        if dataset.shape is None:
            return unread("it has no values", _attributes(dataset))
        if dataset.dtype.names:
            return _table(self._source, dataset)
        if dataset.shape == () and dataset.dtype.kind in "OSU":
            text = parameter(dataset.name.strip("/").replace("/", "."), dataset[()])
            if text is not None:
                self.scalars.append(text)
                return None
        return _array(self._source, dataset)


def _attributes(thing: Any) -> list[list[Any]]:
    """Return the attributes of a group or dataset as parameters."""
    found: list[list[Any]] = []
    for name in thing.attrs:
        try:
            if thing.attrs.get_id(name).get_storage_size() > MAX_ATTRIBUTE:
                continue
            value = thing.attrs[name]
        except (OSError, TypeError, ValueError, KeyError, RuntimeError):
            continue  # of a type that h5py does not read: references, opaque ones
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biufSUO":
                continue
            value = value.tolist()
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
        found += flatten({name: _decoded(value)})
    return found


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _first(attributes: list[list[Any]], names: tuple[str, ...]) -> str:
    values = {entry[0]: entry[1] for entry in attributes}
    return next((values[n] for n in names if isinstance(values.get(n), str)), "")


def _kind(dtype: np.dtype[Any]) -> tuple[str, int]:
    """Return the type of values as users see them, and the width of text.

    Raises
    ------
    NotUnderstood
        If such values are not read.
    """
    h5py = _h5py()
    if dtype.kind == "S":
        return "str", max(1, dtype.itemsize)
    if dtype.kind in "biufc" and dtype.itemsize <= (16 if dtype.kind == "c" else 8):
        return dtype.newbyteorder("=").name, 0
    if dtype.kind == "O" and h5py.check_string_dtype(dtype) is not None:
        return "object", 0
    if dtype.kind == "O" and h5py.check_vlen_dtype(dtype) is not None:
        return "object", 0
    if dtype.kind == "f":
        return "float64", 0  # extended precision differs between machines
    raise NotUnderstood(f"values of the type {str(dtype)[:200]}")


def _shown(values: Any) -> Values:
    """Return values as users see them: native byte order, text instead of bytes."""
    values = np.asarray(values)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "O":
        flat = values.reshape(-1)
        shown = np.empty(len(flat), object)
        for number, item in enumerate(flat):
            shown[number] = _decoded(item)
        return shown.reshape(values.shape)
    native: Values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return native


def _slabs(dataset: Any) -> Iterator[slice]:
    """Give the parts of the first axis to read one behind the other."""
    length = dataset.shape[0]
    row = max(1, dataset.nbytes // max(1, length))
    step = max(1, SLAB // row)
    if dataset.chunks:
        step = -(-step // dataset.chunks[0]) * dataset.chunks[0]
    for start in range(0, length, step):
        yield slice(start, min(length, start + step))


def _array(source: WatchedSource, dataset: Any) -> dict[str, Any]:
    kind, width = _kind(dataset.dtype)
    attributes = _attributes(dataset)
    scan = ColumnScan()
    if 0 < dataset.nbytes <= SCAN_LIMIT:
        if dataset.shape == ():
            scan.add(_shown(dataset[()]))
        else:
            for part in _slabs(dataset):
                scan.add(_shown(dataset[part]))
    dtype = np.dtype(f"U{width}" if kind == "str" else kind)
    data = {"reader": "hdf5", "item": dataset.name}
    unit, about = _first(attributes, _UNITS), _first(attributes, _ABOUT)
    return array_dataset(dataset.shape, dtype, data, attributes, unit, about, scan)


def _table(source: WatchedSource, dataset: Any) -> dict[str, Any]:
    if len(dataset.shape) != 1:
        raise NotUnderstood("compound values with several axes")
    rows = dataset.shape[0]
    fields = [(name, dataset.dtype.fields[name][0]) for name in dataset.dtype.names]
    kinds = [_kind(dtype.base) for _, dtype in fields]
    scans = [ColumnScan() for _ in fields]
    if dataset.nbytes <= SCAN_LIMIT:
        for start in range(0, rows, BLOCK_ROWS):
            block = dataset[start : start + BLOCK_ROWS]
            for (name, _), scan in zip(fields, scans, strict=True):
                scan.add(_shown(block[name]))
    extra, meta = _astropy(dataset)
    columns = []
    for (name, dtype), (kind, width), scan in zip(fields, kinds, scans, strict=True):
        scan.width = width or scan.width
        about = extra.get(name, {})
        columns.append(
            column_document(
                name,
                kind,
                dtype.shape,
                about.get("unit", ""),
                about.get("description", ""),
                scan,
                block_group(rows),
            )
        )
    data = {"reader": "hdf5", "item": dataset.name}
    attributes = _attributes(dataset)
    return table_dataset(rows, columns, data, attributes + meta, _first(attributes, _ABOUT))


def _astropy(dataset: Any) -> tuple[dict[str, dict[str, str]], list[list[Any]]]:
    """Read the header that astropy writes beside a table: that of ECSV."""
    name = f"{dataset.name}.{_ASTROPY}"
    beside = dataset.file.get(name)
    if beside is None or beside.nbytes > MAX_OBJECTS * 1000:
        return {}, []
    return table_header(b"\n".join(bytes(line) for line in beside[()]))


class _Reader:
    """Reads parts of a dataset; the file is opened when a value is first wanted."""

    def __init__(self, path: str, source: ByteSource) -> None:
        self._path = path
        self._source = WatchedSource(source)
        self._dataset: Any = None
        self._lock = threading.Lock()

    def read(self, index: tuple[slice, ...], name: str | None) -> Values:
        h5py = _h5py()
        try:
            with self._lock, understanding(self._source, "HDF5"):
                if self._dataset is None:
                    self._dataset = h5py.File(SourceFile(self._source), "r")[self._path]
                if name is None:
                    return _shown(self._dataset[index])
                return _shown(self._dataset.fields(name)[index])
        except NotUnderstood as error:
            raise Damaged(f"an HDF5 file cannot be read any more: {error.reason}") from error
