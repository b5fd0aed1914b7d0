"""The file layer: complete writes, clear errors, locks."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import subprocess
import sys
import time

import pytest

from skypool.errors import DiskFull, Locked, ReadOnly, StorageError
from skypool.storage import filelayer
from skypool.storage.filelayer import LocalFiles, locked
from skypool.storage.system import SystemCalls
from skypool.storage.whole_files import publish, replace_file

FILES = LocalFiles()


@pytest.fixture
def system() -> SystemCalls:
    """Calls of the system that a test may replace."""
    return SystemCalls()


@pytest.fixture
def files(system) -> LocalFiles:
    return LocalFiles(system)


def failing(code: int):
    def call(*_args: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


def test_short_writes_are_completed(tmp_path, files, system):
    real = os.pwritev
    calls = []

    def three_bytes(fd, views, offset):
        calls.append(offset)
        first = next(view for view in views if len(view))
        return real(fd, [first[:3]], offset)

    system.pwritev = three_bytes
    handle = files.create_exclusive(str(tmp_path / "f"))
    files.write(handle, 2, [b"abcdefgh", b"", bytearray(b"ij"), memoryview(b"klmno")])
    files.close(handle)
    assert (tmp_path / "f").read_bytes() == b"\0\0abcdefghijklmno"
    assert len(calls) == 6


def test_more_buffers_than_one_call_takes(tmp_path):
    handle = FILES.create_exclusive(str(tmp_path / "f"))
    parts = [b"%05d" % number for number in range(3_000)]
    FILES.write(handle, 0, parts)
    assert FILES.size(handle) == 15_000
    assert FILES.pread(handle, 0, 20_000) == b"".join(parts)
    FILES.close(handle)


def test_short_reads_are_completed(tmp_path, files, system):
    (tmp_path / "f").write_bytes(bytes(range(100)))
    system.pread = lambda fd, n, at: os.pread(fd, min(n, 7), at)
    handle = files.open_read(str(tmp_path / "f"))
    assert files.pread(handle, 10, 50) == bytes(range(10, 60))
    assert files.pread(handle, 90, 50) == bytes(range(90, 100))
    assert files.pread(handle, 200, 5) == b""
    files.close(handle)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EFBIG, DiskFull),
        (errno.EACCES, ReadOnly),
        (errno.EROFS, ReadOnly),
        (errno.EIO, StorageError),
        (errno.EMFILE, StorageError),
    ],
)
def test_errors_name_the_path_and_help(tmp_path, files, system, monkeypatch, code, kind):
    handle = files.create_exclusive(str(tmp_path / "the file"))
    for name, act in (
        ("pwritev", lambda: files.write(handle, 0, [b"x"])),
        ("fdatasync", lambda: files.sync(handle)),
        ("ftruncate", lambda: files.truncate(handle, 0)),
        ("replace", lambda: files.replace("a", str(tmp_path / "the file"))),
        ("unlink", lambda: files.unlink(str(tmp_path / "the file"))),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(system, name, failing(code))
            with pytest.raises(kind, match="the file") as caught:
                act()
            assert type(caught.value) is kind
            assert caught.value.hint
    files.close(handle)


def test_real_limit_on_file_sizes_is_a_full_disk(tmp_path):
    code = """if True:
        import resource, sys
        from skypool.errors import DiskFull
        from skypool.storage.filelayer import LocalFiles
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        files = LocalFiles()
        handle = files.create_exclusive(sys.argv[1])
        try:
            files.write(handle, 0, [bytes(9_000), bytes(9_000)])
        except DiskFull:
            sys.exit(42)
    """
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "f")], check=False)
    assert done.returncode == 42


def test_missing_and_existing_files_stay_plain_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        FILES.open_read(str(tmp_path / "f"))
    with pytest.raises(FileNotFoundError):
        FILES.open_update(str(tmp_path / "f"))
    FILES.close(FILES.create_exclusive(str(tmp_path / "f")))
    with pytest.raises(FileExistsError):
        FILES.create_exclusive(str(tmp_path / "f"))
    (tmp_path / "g").write_bytes(b"")
    with pytest.raises(FileExistsError):
        FILES.link(str(tmp_path / "g"), str(tmp_path / "f"))
    FILES.unlink(str(tmp_path / "f"))
    FILES.unlink(str(tmp_path / "f"))
    assert FILES.make_folder(str(tmp_path / "d"))
    assert not FILES.make_folder(str(tmp_path / "d"))
    with pytest.raises(FileExistsError):
        FILES.make_folder(str(tmp_path / "g"))


def test_publish_and_replace(tmp_path):
    path = str(tmp_path / "marker")
    assert publish(FILES, path, b"first")
    assert not publish(FILES, path, b"second")
    assert (tmp_path / "marker").read_bytes() == b"first"
    replace_file(FILES, path, b"third")
    assert (tmp_path / "marker").read_bytes() == b"third"
    assert os.listdir(tmp_path) == ["marker"]


def test_publish_leaves_nothing_when_the_disk_is_full(tmp_path, files, system):
    system.pwritev = failing(errno.ENOSPC)
    with pytest.raises(DiskFull):
        publish(files, str(tmp_path / "marker"), b"first")
    assert os.listdir(tmp_path) == []


def test_locks_exclude_and_share(tmp_path):
    path = str(tmp_path / "lock")
    FILES.close(FILES.create_exclusive(path))
    with locked(FILES, path, exclusive=False), locked(FILES, path, exclusive=False):
        with pytest.raises(Locked, match="lock"), locked(FILES, path, exclusive=True, wait=0):
            pass
        start = time.monotonic()
        with pytest.raises(Locked), locked(FILES, path, exclusive=True, wait=0.1):
            pass
        assert 0.09 < time.monotonic() - start < 2
    with locked(FILES, path, exclusive=True, wait=0):
        pass


def test_lock_waits_for_another_process(tmp_path):
    path = str(tmp_path / "lock")
    FILES.close(FILES.create_exclusive(path))
    code = """if True:
        import sys, time
        from skypool.storage.filelayer import LocalFiles, locked
        with locked(LocalFiles(), sys.argv[1], exclusive=True):
            print("held", flush=True)
            time.sleep(0.3)
    """
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Locked), locked(FILES, path, exclusive=True, wait=0):
            pass
        with locked(FILES, path, exclusive=True, wait=20):
            pass
        with locked(FILES, path, exclusive=True, wait=None):
            pass


def test_lock_ends_whatever_fails_at_its_end(tmp_path, files, system):
    path = str(tmp_path / "lock")
    FILES.close(FILES.create_exclusive(path))
    system.flock = lambda fd, how: failing(errno.EIO)() if how == fcntl.LOCK_UN else None

    def close(fd):
        os.close(fd)
        raise OSError(errno.EIO, "close")

    system.close = close
    with locked(files, path, exclusive=True) as handle:
        fcntl.flock(handle.fd, fcntl.LOCK_EX)
    with locked(FILES, path, exclusive=True, wait=0):
        pass


def test_lock_on_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    path = str(tmp_path / "lock")
    FILES.close(FILES.create_exclusive(path))

    class NoWriting(LocalFiles):
        def open_update(self, path: str) -> filelayer.Handle:
            raise ReadOnly(path)

    with locked(NoWriting(), path, exclusive=False), locked(FILES, path, exclusive=False):
        pass
