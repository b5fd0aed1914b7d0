"""Every real file that is not FITS: the same bytes back, the values that its library reads."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats_help import (
    array,
    content,
    imported,
    leaves,
    manifest,
    rebuilt,
    same,
    table,
)

NAMES = ("votable", "ecsv", "parquet", "asdf", "hdf5", "gz-votable", "bz2-fits", "Z-fits")
KNOWN = {"votable", "ecsv", "parquet", "asdf", "hdf5"}


def test_every_file_comes_back_and_is_typed(shared_data: Path) -> None:
    counted = 0
    for path in manifest(shared_data, *NAMES):
        data = path.read_bytes()
        found, sink = imported(data, path.name)
        recipe = found.document["file"]
        assert rebuilt(recipe, sink) == data, path
        if path.name.endswith(("bz2", ".Z")):
            assert "compress" in (found.reason or ""), path
        elif path.name.endswith(".vot.gz"):  # holds a tar archive
            assert recipe["wrapper"]["size"] == len(data)
        else:
            assert found.reason is None, (path, found.reason)
            assert recipe["format"] in KNOWN, path
            counted += 1
    assert counted == 105


def test_statistics_are_those_of_the_values(shared_data: Path) -> None:
    for path in manifest(shared_data, *KNOWN):
        found, sink = imported(path.read_bytes(), path.name)
        files = content(found.document["file"], sink)
        for name, dataset in leaves(found.document["datasets"]):
            if dataset["is"] == "array":
                _check(array(dataset, files), dataset.get("stats"), (path, name))
                continue
            source = table(dataset, files)
            for column in dataset["columns"]:
                values = source.read(column["name"], 0, source.nrows)
                _check(values, column.get("stats"), (path, column["name"]))


def _check(values: Any, stats: Any, place: Any) -> None:
    from skypool.codec.statistics import Statistics

    values = np.ma.asanyarray(values)
    if values.dtype.kind not in "biuf" or not values.size:
        assert stats is None, place
        return
    found = Statistics.from_json(stats, lambda name: b"")
    assert found.total == values.size, place
    good = values.compressed()
    good = good[~np.isnan(good)]
    assert found.nan == values.size - good.size, place
    if good.size:
        assert (found.min(), found.max()) == (good.min(), good.max()), place


def test_votables_equal_astropy(shared_data: Path) -> None:
    from astropy.io.votable import parse

    compared = 0
    for path in manifest(shared_data, "votable"):
        found, sink = imported(path.read_bytes(), path.name)
        files = content(found.document["file"], sink)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tables = list(parse(path, verify="ignore").iter_tables())
        except (KeyError, ValueError, Warning):
            continue  # arrays of texts, text that is not ASCII, FITS inside: not read by astropy
        assert len(tables) == len(found.document["datasets"])
        for theirs, (_, dataset) in zip(tables, found.document["datasets"], strict=True):
            source = table(dataset, files)
            for field, name in zip(theirs.fields, source.colnames, strict=True):
                assert bool(source.info(name).unit) == bool(field.unit), (path, name)
                _same_cells(source.read(name, 0, source.nrows), theirs.array[field.ID], path)
                compared += 1
    assert compared > 240


def _same_cells(ours: Any, theirs: Any, path: Path) -> None:
    assert len(ours) == len(theirs)
    if ours.dtype.kind not in "UO":
        # Empty integers of tables before version 1.3: astropy gives 0, here they are masked.
        masked = np.ma.getmaskarray(ours)
        assert (masked | ~np.ma.getmaskarray(theirs)).all() or ours.dtype.kind in "fc", path
        theirs = np.ma.MaskedArray(theirs, np.ma.getmaskarray(theirs) | masked)
        assert same(ours, theirs), path
        return
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(a, str):  # longer than its field says: astropy cuts it off
            assert a.startswith(str(b)), path
        else:
            assert same(a, b), path


def test_files_that_astropy_does_not_read(shared_data: Path) -> None:
    """Arrays of texts, checked by hand against the files."""
    folder = shared_data / "files/astropy+astropy"
    name = "astropy__io__votable__tests__data__binary2_fix_length_array_char_with_nulls.xml"
    found, sink = imported((folder / name).read_bytes(), name)
    ((_, dataset),) = found.document["datasets"]
    source = table(dataset, content(found.document["file"], sink))
    (row,) = source.read("access_format", 0, 1)
    assert row.tolist() == ["12345", "abcde", "09876", "jihgf"]


def test_ecsv_equals_astropy(shared_data: Path) -> None:
    from astropy.table import Table
    from astropy.table.serialize import represent_mixins_as_columns

    for path in manifest(shared_data, "ecsv"):
        found, sink = imported(path.read_bytes(), path.name)
        ((_, dataset),) = found.document["datasets"]
        source = table(dataset, content(found.document["file"], sink))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = represent_mixins_as_columns(Table.read(path, format="ascii.ecsv"))
        common = [name for name in theirs.colnames if name in source.colnames]
        # Times become two columns in astropy; here they stay the text of the file.
        assert len(common) >= len(source.colnames) - 4
        for name in common:
            assert same(source.read(name, 0, source.nrows), theirs[name]), (path, name)
            assert same(source.read(name, 1, 3), theirs[name][1:3]), (path, name)


def test_parquet_equals_pyarrow(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    for path in manifest(shared_data, "parquet"):
        found, sink = imported(path.read_bytes(), path.name)
        ((_, dataset),) = found.document["datasets"]
        source = table(dataset, content(found.document["file"], sink))
        theirs = pq.read_table(io.BytesIO(path.read_bytes()))
        assert source.colnames == theirs.column_names
        for name in source.colnames:
            values = np.array(theirs.column(name).to_pylist())
            assert same(source.read(name, 0, source.nrows), values), (path, name)
            assert same(source.read(name, 1, 4), values[1:4]), (path, name)


def test_hdf5_equals_h5py(shared_data: Path) -> None:
    import h5py

    for path in manifest(shared_data, "hdf5"):
        found, sink = imported(path.read_bytes(), path.name)
        files = content(found.document["file"], sink)
        with h5py.File(path) as theirs:
            for name, dataset in leaves(found.document["datasets"]):
                expected = theirs[name][()]
                if dataset["is"] == "array":
                    assert same(array(dataset, files), expected), (path, name)
                    continue
                source = table(dataset, files)
                for column in source.colnames:
                    values = expected[column]
                    values = values.astype(str) if values.dtype.kind == "S" else values
                    assert same(source.read(column, 0, source.nrows), values), (path, column)


def test_asdf_equals_asdf(shared_data: Path) -> None:
    import asdf

    compared = 0
    for path in manifest(shared_data, "asdf"):
        found, sink = imported(path.read_bytes(), path.name)
        files = content(found.document["file"], sink)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = asdf.open(path, lazy_load=False, memmap=False, ignore_unrecognized_tag=True)
        with theirs:
            for name, dataset in leaves(found.document["datasets"]):
                expected = _walk(theirs.tree, name.split("."))
                if dataset["is"] == "array" and expected is not None:
                    assert same(array(dataset, files), np.asarray(expected)), (path, name)
                    compared += 1
    assert compared >= 15


def _walk(tree: Any, path: list[str]) -> Any:
    """What is at a path of a tree; None where the library made something else of the tree."""
    for part in path:
        if isinstance(tree, Mapping):
            tree = tree[part]
        elif isinstance(tree, Sequence):
            tree = tree[int(part)]
        else:
            return None
    if isinstance(tree, Mapping):
        tree = tree.get("value")
    return getattr(tree, "value", tree)


def test_half_of_a_table_reads_half(shared_data: Path) -> None:
    """A column of Parquet does not read the others."""

    class Counting:
        def __init__(self, source: Any) -> None:
            self.source, self.size, self.read = source, source.size, 0

        def pread(self, offset: int, length: int) -> bytes:
            data: bytes = self.source.pread(offset, length)
            self.read += len(data)
            return data

    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    rng = np.random.default_rng(1)
    wide = {f"c{n}": rng.normal(size=20_000) for n in range(50)}
    pq.write_table(pa.table(wide), buffer, compression=None, use_dictionary=False)
    found, sink = imported(buffer.getvalue(), "wide.parquet")
    counting = Counting(content(found.document["file"], sink))
    ((_, dataset),) = found.document["datasets"]
    assert same(table(dataset, counting).read("c7", 0, 20_000), wide["c7"])
    assert counting.read < counting.size / 10


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_items_are_opened_by_their_document_alone(name: str, shared_data: Path) -> None:
    """Readers keep no state of the import."""
    from skypool.formats import registry

    path = max(manifest(shared_data, name), key=lambda p: (p.stat().st_size < 60_000, p.name))
    found, sink = imported(path.read_bytes(), path.name)
    registry._made.cache_clear()
    files = content(found.document["file"], sink)
    for _, dataset in leaves(found.document["datasets"]):
        if dataset["is"] == "table":
            source = table(dataset, files)
            for column in source.colnames:
                assert len(source.read(column, 0, 2)) == min(2, source.nrows)
        else:
            assert list(array(dataset, files).shape) == dataset["shape"]
