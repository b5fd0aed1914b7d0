"""The helper process that reads HDF5 and Parquet."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from formats_help import imported, manifest

from skypool.codec.sinks import MemorySink, MemorySource
from skypool.errors import SourceChanged
from skypool.formats import isolated
from skypool.formats.registry import read_file


@pytest.fixture
def hdf5(shared_data: Path) -> bytes:
    return min(manifest(shared_data, "hdf5"), key=lambda p: p.stat().st_size).read_bytes()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    isolated._discard()
    yield
    isolated._discard()


class Striking(MemorySource):
    """Sends a signal to the helper when it asks for bytes."""

    def __init__(self, data: bytes, number: int) -> None:
        super().__init__(data)
        self.number = number

    def pread(self, offset: int, length: int) -> bytes:
        helper = isolated._helper
        if helper is not None:
            os.kill(helper._process.pid, self.number)
        return super().pread(offset, length)


def test_a_crash_makes_the_file_opaque(hdf5: bytes) -> None:
    assert imported(hdf5, "a.h5")[0].reason is None  # the helper is running now
    found = read_file(Striking(hdf5, signal.SIGKILL), MemorySink(), "a.h5")
    assert found.reason is not None
    assert "crashed or hung" in found.reason
    assert imported(hdf5, "a.h5")[0].reason is None  # with a new one


def test_a_helper_that_hangs_is_ended(hdf5: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "TIMEOUT", 2.0)
    found = read_file(Striking(hdf5, signal.SIGSTOP), MemorySink(), "a.h5")
    assert found.reason is not None
    assert "crashed or hung" in found.reason


def test_one_helper_serves_many_files(hdf5: bytes) -> None:
    imported(hdf5, "a.h5")
    helper = isolated._helper
    assert helper is not None
    imported(hdf5 + b"more", "b.h5")
    assert isolated._helper is helper
    os.kill(helper._process.pid, signal.SIGTERM)  # as if it had gone to rest
    helper._process.wait()
    assert imported(hdf5, "a.h5")[0].reason is None


def test_errors_of_reading_are_those_of_the_source(hdf5: bytes) -> None:
    class Changed(MemorySource):
        def pread(self, offset: int, length: int) -> bytes:
            if isolated._helper is not None:
                raise SourceChanged("the file changed")
            return super().pread(offset, length)

    with pytest.raises(SourceChanged):
        read_file(Changed(hdf5), MemorySink(), "a.h5")


def test_interrupting_leaves_no_helper_behind(hdf5: bytes) -> None:
    class Interrupted(MemorySource):
        def pread(self, offset: int, length: int) -> bytes:
            if isolated._helper is not None:
                raise KeyboardInterrupt
            return super().pread(offset, length)

    with pytest.raises(KeyboardInterrupt):
        read_file(Interrupted(hdf5), MemorySink(), "a.h5")
    assert isolated._helper is None
    assert imported(hdf5, "a.h5")[0].reason is None


def test_after_a_fork_each_process_has_its_own(hdf5: bytes) -> None:
    imported(hdf5, "a.h5")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if imported(hdf5, "a.h5")[0].reason is None else 2
        finally:
            os.write(writing, bytes([code]))
            isolated._discard()
            os._exit(0)
    os.waitpid(child, 0)
    answer: Any = os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    assert answer == b"\0"
    assert imported(hdf5, "a.h5")[0].reason is None


def test_it_works_beside_a_thousand_open_files(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("this account may not open so many files")
    with h5py.File(tmp_path / "small.h5", "w") as file:
        file["image"] = [[1.0, 2.0]]
    most = 10_000 if hard == resource.RLIM_INFINITY else min(hard, 10_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    opened = []
    try:
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
        found = isolated.describe_isolated(
            "hdf5", MemorySource((tmp_path / "small.h5").read_bytes()), "h5"
        )
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [name for name, _ in found.datasets] == ["image"]
