"""Products that stay in the user's files."""

from __future__ import annotations

import os
import threading

import pytest

from skypool.codec.sinks import ByteSource
from skypool.errors import SourceChanged, SourceMissing, StorageError
from skypool.storage.inplace import FileSource, FileState, state_of


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "map.fits"
    made.write_bytes(bytes(range(256)) * 40)
    os.utime(made, ns=(10**18, 10**18))
    return made


def test_reads_any_range(path):
    data = path.read_bytes()
    with FileSource(path) as source:
        assert isinstance(source, ByteSource)
        assert source.size == len(data)
        for offset, length in ((0, 10), (100, 5_000), (10_000, 10_000), (10_240, 1), (99_999, 5)):
            assert source.pread(offset, length) == data[offset : offset + length]
        assert source.bytes_read == 10 + 5_000 + 240
        expected = source.state
    assert expected == state_of(path)
    with FileSource(path, expected) as source:
        assert source.pread(0, 20_000) == data


def test_changed_before_opening(path):
    state = state_of(path)
    other = FileState(state.size, state.mtime_ns, state.inode + 1)
    for wrong in (
        FileState(state.size + 1, state.mtime_ns),
        FileState(state.size, state.mtime_ns + 1),
        other,
    ):
        with pytest.raises(SourceChanged, match=r"map\.fits"):
            FileSource(path, wrong)
    FileSource(path, FileState(state.size, state.mtime_ns)).close()  # inode left out


@pytest.mark.parametrize("change", ["grow", "cut", "overwrite"])
def test_changed_while_open(path, change):
    with FileSource(path) as source:
        source.pread(0, 10)
        if change == "grow":
            with open(path, "ab") as file:
                file.write(b"x")
        elif change == "cut":
            os.truncate(path, 100)
        else:
            with open(path, "r+b") as file:
                file.write(b"x")
        for offset in (0, 5_000):
            with pytest.raises(SourceChanged):
                source.pread(offset, 50)


def test_a_file_cut_while_read_kills_no_one(path):
    """A mapped file would end the process with SIGBUS."""
    with FileSource(path) as source:
        os.truncate(path, 0)
        with pytest.raises(SourceChanged):
            source.pread(0, 10_000)


def test_missing_and_odd_files(tmp_path, path):
    with pytest.raises(SourceMissing, match="gone"):
        FileSource(tmp_path / "none")
    with pytest.raises(SourceMissing):
        FileSource(path / "below a file")
    with pytest.raises(SourceMissing):
        state_of(tmp_path / "none")
    with pytest.raises(StorageError, match="regular"):
        FileSource(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="regular"):
        FileSource(tmp_path / "pipe")


def test_replaced_file_while_open_is_still_the_old_one(path, tmp_path):
    data = path.read_bytes()
    with FileSource(path) as source:
        (tmp_path / "new").write_bytes(b"new")
        os.replace(tmp_path / "new", path)
        # The open file is the one that was added; its link count changed, its bytes did not.
        assert source.pread(0, 20_000) == data


def test_threads(path):
    data = path.read_bytes()
    wrong = []
    with FileSource(path) as source:

        def read():
            wrong.extend(n for n in range(0, 9_000, 7) if source.pread(n, 99) != data[n : n + 99])

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    with pytest.raises(StorageError, match="closed"):
        source.pread(0, 1)
