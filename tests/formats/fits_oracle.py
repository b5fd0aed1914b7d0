"""What astropy reads in a FITS file, compared with what skypool reads."""

from __future__ import annotations

import io
import warnings

import numpy as np
from astropy.io import fits

from skypool.codec.reading import RecipeReader
from skypool.codec.segments import segment_from_json
from skypool.codec.sinks import MemorySink, MemorySource
from skypool.codec.stored import read_datasets
from skypool.formats.registry import read_file, reader


class Stored:
    """A file in a memory sink, with its datasets by HDU number."""

    def __init__(self, data, filename="file.fits", read=None):
        self.sink = MemorySink()
        self.imported = (read or read_file)(MemorySource(data), self.sink, filename)
        self.document = self.imported.document
        self.recipe = self.document["file"]
        segments = [segment_from_json(obj) for obj in self.recipe["segments"]]
        self.file = RecipeReader(segments, self.sink.fetch)
        self.datasets = read_datasets(self.document, self.sink.fetch, self._open, b"")

    def _open(self, data, dataset):
        found = reader(data["reader"])
        if dataset["is"] == "array":
            return found.open_array(data["item"], dataset, self.file)
        return found.open_table(data["item"], dataset, self.file)

    def rebuilt(self):
        return self.file.pread(0, self.file.size)

    def by_hdu(self):
        """Datasets of the file's units: number of the HDU to (JSON, dataset)."""
        owner = {}
        for number, unit in enumerate(self.recipe.get("hdus", ())):
            owner |= dict.fromkeys(unit["data"], number)
        found = {}
        self._walk(self.document["datasets"], self.datasets, owner, found)
        return found

    def _walk(self, listed, datasets, owner, found):
        for name, obj in listed:
            if obj["is"] == "composite":
                self._walk(obj["datasets"], datasets[name], owner, found)
                continue
            data = obj["data"]
            number = data["item"] if "reader" in data else owner[data["segment"]]
            found[number] = (obj, datasets[name])


def same(ours, theirs):
    """Say whether two arrays have the same values, NaN equal to NaN."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        return False
    if theirs.dtype.kind in "SU":
        return _same_text(ours, theirs)
    if theirs.dtype.kind in "fc":
        return np.array_equal(ours, theirs, equal_nan=True)
    return np.array_equal(ours, theirs)


def _same_text(ours, theirs):
    def clean(cell):
        if isinstance(cell, bytes):
            try:
                cell = cell.decode("utf-8")
            except UnicodeDecodeError:
                cell = cell.decode("latin-1")
        return cell.rstrip(" \0")

    return [clean(c) for c in ours.reshape(-1).tolist()] == [
        clean(c) for c in theirs.reshape(-1).tolist()
    ]


def compare(stored, content):
    """Compare every HDU that astropy can read.

    Returns
    -------
    list of (number, sort, verdict)
        The verdict is "equal", "no data", "astropy fails: …", or what differs.
    """
    found = stored.by_hdu()
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            hdus = fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=False)
            count = len(hdus)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            return [(0, "file", f"astropy fails: {type(error).__name__}")]
        for number in range(count):
            rows.append((number, *_verdict(hdus, number, found)))
    return rows


def _verdict(hdus, number, found):
    hdu = hdus[number]
    sort = type(hdu).__name__
    try:
        data = hdu.data
        if data is None:
            return sort, "no data"
        if sort.endswith("TableHDU"):
            columns = [np.array(data.field(n), copy=True) for n in range(len(hdu.columns))]
        elif sort == "GroupsHDU":
            columns = [np.asarray(data.field(n)) for n in range(len(data.dtype.names))]
    except (OSError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        return sort, f"astropy fails: {type(error).__name__}: {error}"
    if number not in found:
        return sort, "not typed"
    obj, dataset = found[number]
    if obj["is"] == "array":
        if str(hdu.header.get("DATA____", "")).startswith("herschel.ia.numeric.Bool"):
            data = data.astype(bool)
        return sort, _compare_image(dataset, data)
    if len(dataset.colnames) != len(columns):
        return sort, f"{len(dataset.colnames)} columns instead of {len(columns)}"
    for name, theirs in zip(dataset.colnames, columns, strict=True):
        problem = _compare_column(dataset.source, name, theirs)
        if problem:
            return sort, f"column {name}: {problem}"
    return sort, "equal"


def _compare_image(dataset, theirs):
    ours = np.asarray(dataset)
    if ours.dtype != theirs.dtype.newbyteorder("="):
        return f"type {ours.dtype} instead of {theirs.dtype}"
    return "equal" if same(ours, theirs) else "values differ"


def _compare_column(source, name, theirs):
    info = source.info(name)
    ours = source.read(name, 0, source.nrows)
    if info.dtype == object:
        if len(ours) != len(theirs):
            return "rows differ"
        for row, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            b = np.asarray(b)
            if b.dtype.kind in "SU":
                # astropy gives the characters one by one, and strips each
                a, b = np.array(a), np.array("".join(c or " " for c in b.reshape(-1).tolist()))
            if not same(a, b):
                return f"row {row} differs"
        return ""
    if info.dtype.kind != "U" and ours.dtype != theirs.dtype.newbyteorder("="):
        return f"type {ours.dtype} instead of {theirs.dtype}"
    if not ours.size and not theirs.size:
        return ""
    return "" if same(ours, theirs) else "values differ"
