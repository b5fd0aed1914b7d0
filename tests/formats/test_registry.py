from __future__ import annotations

import gzip
import logging
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from formats_help import imported, rebuilt

from skypool.codec.sinks import MemorySink, MemorySource
from skypool.errors import MissingDependency, StorageError
from skypool.formats import registry
from skypool.formats.base import Imported
from skypool.formats.opaque import read_opaque

ECSV = b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\n1\n2\n"


class Shouting:
    """A format of another package."""

    name = "shouting"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        return head.startswith(b"SHOUT!")

    def read(self, source: Any, sink: Any, filename: str) -> Imported:
        found = read_opaque(source, sink)
        found.document["kind"] = "Shout"
        return found

    def open_array(self, item: Any, dataset: Any, file: Any) -> Any:
        raise AssertionError

    def open_table(self, item: Any, dataset: Any, file: Any) -> Any:
        raise AssertionError


class Broken(Shouting):
    name = "broken"

    def read(self, source: Any, sink: Any, filename: str) -> Imported:
        raise ZeroDivisionError


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(**places: str) -> None:
        points = {n: EntryPoint(n, p, registry.GROUP) for n, p in places.items()}
        monkeypatch.setattr(registry, "_third_parties", lambda: points)
        registry._third_party.cache_clear()

    yield install
    registry._third_party.cache_clear()


def test_content_decides_not_the_name() -> None:
    for name in ("a.ecsv", "a.fits", "a", "a.h5", "é" * 2000):
        found, _ = imported(ECSV, name)
        assert found.document["file"]["format"] == "ecsv"


def test_gzip_is_looked_into() -> None:
    data = gzip.compress(ECSV, mtime=0)
    found, sink = imported(data, "a.ecsv.gz")
    recipe = found.document["file"]
    assert recipe["format"] == "ecsv"
    assert recipe["wrapper"]["is"] == "gzip"
    assert recipe["wrapper"]["size"] == len(data)
    assert rebuilt(recipe, sink) == data


@pytest.mark.parametrize("cut", [3, 9, 11, -9, -1])
def test_gzip_cut_short_is_opaque_with_a_reason(cut: int) -> None:
    data = gzip.compress(ECSV, mtime=0)[:cut]
    found, sink = imported(data, "a.ecsv.gz")
    assert found.document["file"]["format"] == "opaque"
    assert found.reason is not None
    assert "cut short" in found.reason
    assert rebuilt(found.document["file"], sink) == data


def test_another_package_brings_a_format(plugins: Any) -> None:
    plugins(shouting="test_registry:Shouting")
    found, _ = imported(b"SHOUT! hello", "a")
    assert found.document["kind"] == "Shout"
    assert registry.reader("shouting").name == "shouting"
    assert "shouting" in registry.format_names()


@pytest.mark.parametrize(
    "place", ["no_such_module:Thing", "test_registry:missing", "test_registry:ECSV"]
)
def test_a_format_that_cannot_be_loaded_does_no_harm(
    plugins: Any, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    plugins(bad=place)
    with caplog.at_level(logging.WARNING):
        found, _ = imported(b"SHOUT! hello", "a")
    assert found.document["kind"] == "File"


def test_a_format_that_fails_while_it_reads(plugins: Any) -> None:
    plugins(broken="test_registry:Broken")
    found, sink = imported(b"SHOUT! hello", "a")
    assert found.reason == "the format 'broken' failed to read it"
    assert rebuilt(found.document["file"], sink) == b"SHOUT! hello"


def test_a_reader_that_is_not_installed() -> None:
    with pytest.raises(MissingDependency, match="'nosuch'"):
        registry.reader("nosuch")


@pytest.mark.parametrize(
    ("module", "data", "name", "extra"),
    [
        ("pyarrow", b"PAR1 rest", "a.parquet", "skypool[parquet]"),
        ("h5py", b"\x89HDF\r\n\x1a\n rest", "a.h5", "skypool[hdf5]"),
    ],
)
def test_without_the_package_a_file_is_opaque(
    module: str, data: bytes, name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found, sink = imported(data, name)
    assert found.reason is not None
    assert extra in found.reason
    assert rebuilt(found.document["file"], sink) == data


class Failing(MemorySource):
    """A file on a disk that fails behind its first bytes."""

    def pread(self, offset: int, length: int) -> bytes:
        if offset + length > 100_000:
            raise StorageError("the disk failed")
        return super().pread(offset, length)


@pytest.mark.parametrize("start", [b"PAR1", b"\x89HDF\r\n\x1a\n", b"#ASDF 1.0\n", ECSV, b"x"])
def test_an_error_of_the_disk_is_no_error_of_the_content(start: bytes) -> None:
    data = start + b"1\n" * 100_000
    with pytest.raises(StorageError, match="the disk failed"):
        registry.read_file(Failing(data), MemorySink(), "a")


def test_packages_are_imported_only_when_needed() -> None:
    code = (
        "import sys; from skypool.codec.sinks import MemorySink, MemorySource;"
        "from skypool.formats.registry import read_file;"
        "read_file(MemorySource(b'hello'), MemorySink(), 'a.txt');"
        f"read_file(MemorySource({ECSV!r}), MemorySink(), 'a.ecsv');"
        "bad = {'astropy', 'pyarrow', 'h5py', 'zarr', 'asdf', 'dask'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_parser_that_loops_ends_by_itself():
    code = "from skypool.formats import isolated as i; i.TIMEOUT = 0; i._limit_job()\nwhile 1: pass"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGXCPU
