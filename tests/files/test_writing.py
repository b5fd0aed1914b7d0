"""Writing into a pool as a file system does, without one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.files.operations import Operations
from skypool.files.staged import is_temporary
from skypool.files.writing import WriteOperations


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        yield pool


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def ops(pool: sp.Pool, tmp_path: Path, told: list[str]) -> Iterator[WriteOperations]:
    (tmp_path / "staging").mkdir()
    operations = WriteOperations(pool, str(tmp_path / "staging"), tell=told.append)
    yield operations
    operations.close()
    assert os.listdir(tmp_path / "staging") == []


def write(ops: WriteOperations, path: str, data: bytes) -> None:
    """Write a file as `cp` does."""
    try:
        number = ops.open(path, os.O_WRONLY | os.O_TRUNC)
    except FileNotFoundError:
        number = ops.create(path)
    for start in range(0, len(data), 1000):
        ops.write(number, data[start : start + 1000], start)
    ops.flush(number)
    ops.release(number)


def read(ops: Operations, path: str) -> bytes:
    number = ops.open(path)
    try:
        return ops.read(number, 0, 1 << 30)
    finally:
        ops.release(number)


def names(ops: Operations, path: str = "") -> list[str]:
    return sorted(name for name, _ in ops.listing(path) if not name.startswith("@"))


def error_of(function: object, *args: object, **options: object) -> int:
    with pytest.raises(OSError) as found:
        function(*args, **options)  # type: ignore[operator]
    assert found.value.errno is not None
    return found.value.errno


def test_a_file_becomes_a_product_and_the_next_time_a_version(
    ops: WriteOperations, pool: sp.Pool
) -> None:
    write(ops, "maps/m83.txt", b"first")
    assert pool["maps/m83.txt"].version == 0
    assert len(pool.history()) == 1
    write(ops, "maps/m83.txt", b"second")
    ref = pool["maps/m83.txt"]
    assert ref.version == 1
    assert len(pool.history()) == 2
    assert read(ops, "maps/m83.txt") == b"second"
    assert ops.attributes("maps/m83.txt")[1] == 6
    assert Path(ref.path).read_bytes() == b"second"
    write(ops, "maps/m83.txt", b"second")
    assert pool["maps/m83.txt"].version == 1


def test_a_time_alone_is_shown_and_makes_no_version(ops: WriteOperations, pool: sp.Pool) -> None:
    write(ops, "a.txt", b"x")
    number = ops.open("a.txt", os.O_WRONLY)  # as `touch -d` does
    ops.utimens("a.txt", 981_158_400_000_000_000)
    ops.flush(number)
    ops.release(number)
    assert ops.attributes("a.txt")[1:] == (1, 981_158_400_000_000_000)
    # The same content, written again: as on a disk it is of now, or `make` would make it for ever.
    write(ops, "a.txt", b"x")
    assert ops.attributes("a.txt")[2] > 1_600_000_000_000_000_000
    assert len(pool.history()) == 1
    write(ops, "a.txt", b"y")
    assert pool["a.txt"].version == 1


def test_what_was_dropped_is_there_and_has_no_data(pool: sp.Pool, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(np.random.default_rng(1).bytes(5000))
    pool.add(tmp_path / "a.bin")
    pool.drop("a.bin")
    pool.gc(grace=0)
    with sp.Pool(pool.path) as other:
        ops = Operations(other)
        assert ops.attributes("a.bin")[1] == 5000
        number = ops.open("a.bin")
        assert error_of(ops.read, number, 0, 10) == errno.ENODATA
        ops.close()


def test_it_is_saved_when_it_is_closed(ops: WriteOperations, pool: sp.Pool) -> None:
    number = ops.create("a.txt")
    ops.write(number, b"half", 0)
    assert names(ops) == ["a.txt"]
    assert ops.attributes("a.txt")[:2] == (stat.S_IFREG | 0o644, 4)
    assert not pool.exists
    ops.write(number, b" and half", 4)
    ops.flush(number)
    assert pool["a.txt"].size == 13
    ops.release(number)
    assert len(pool.history()) == 1
    empty = ops.create("empty")
    ops.release(empty)
    assert pool["empty"].size == 0


def test_a_file_that_another_process_has_open_waits(
    pool: sp.Pool, tmp_path: Path, told: list[str]
) -> None:
    """`{ cat a; cat b; } > file` is closed three times, and is one version."""
    where = tmp_path / "mounted"
    where.mkdir()
    (tmp_path / "s").mkdir()
    ops = WriteOperations(pool, str(tmp_path / "s"), where=str(where), tell=told.append)
    number = ops.create("both", process=os.getpid())
    with open(where / "both", "wb"):  # as if this process had it open there
        ops.write(number, b"a", 0)
        ops.flush(number, process=0)
        assert not pool.exists
        ops.write(number, b"b", 1)
    ops.flush(number, process=os.getpid())
    assert pool["both"].size == 2
    ops.release(number)
    ops.close()
    assert len(pool.history()) == 1
    assert told == []


def test_bytes_in_the_middle_are_changed(ops: WriteOperations, pool: sp.Pool) -> None:
    data = np.random.default_rng(3).bytes(100_000)
    write(ops, "data.bin", data)
    number = ops.open("data.bin", os.O_RDWR)
    assert ops.read(number, 5, 10) == data[5:15]
    ops.write(number, b"changed", 50_000)
    assert ops.read(number, 49_998, 11) == data[49_998:50_000] + b"changed" + data[50_007:50_009]
    ops.release(number)
    assert read(ops, "data.bin") == data[:50_000] + b"changed" + data[50_007:]
    ops.truncate("data.bin", 10)
    assert read(ops, "data.bin") == data[:10]
    number = ops.open("data.bin", os.O_RDWR)
    ops.truncate("data.bin", 20, number)
    ops.release(number)
    assert read(ops, "data.bin") == data[:10] + bytes(10)
    assert [ref.size for ref in pool["data.bin"].versions] == [100_000, 100_000, 10, 20]
    number = ops.open("data.bin", os.O_RDWR)  # nothing is written
    ops.flush(number)
    ops.release(number)
    assert pool["data.bin"].version == 3


@pytest.mark.parametrize("hidden", [".m83.txt.X3hRb1", "m83.txt~", "sedX3hRb1", "m83.txt.tmp"])
def test_writing_beside_and_renaming_over_is_one_version(
    ops: WriteOperations, pool: sp.Pool, hidden: str
) -> None:
    """So do rsync, sed, and most editors."""
    write(ops, "m83.txt", b"old")
    write(ops, hidden, b"new one")
    assert len(pool.history()) == 1
    assert names(ops) == sorted(["m83.txt", hidden])
    ops.utimens(hidden, 1_600_000_000_123_456_789)
    ops.rename(hidden, "m83.txt")
    assert names(ops) == ["m83.txt"]
    assert pool["m83.txt"].version == 1
    assert len(pool.history()) == 2
    assert read(ops, "m83.txt") == b"new one"
    assert ops.attributes("m83.txt")[2] == 1_600_000_000_123_456_789


def test_renaming_to_a_backup_and_writing_anew_is_one_version(
    ops: WriteOperations, pool: sp.Pool
) -> None:
    """So does vim."""
    write(ops, "a.txt", b"old")
    write(ops, "4913", b"")
    ops.unlink("4913")
    ops.rename("a.txt", "a.txt~")
    assert names(ops) == ["a.txt~"]
    assert read(ops, "a.txt~") == b"old"
    assert error_of(ops.attributes, "a.txt") == errno.ENOENT
    write(ops, "a.txt", b"new")
    assert read(ops, "a.txt~") == b"old"
    ops.unlink("a.txt~")
    assert names(ops) == ["a.txt"]
    assert [ref.version for ref in pool["a.txt"].versions] == [0, 1]
    assert len(pool.history()) == 2
    ops.rename("a.txt", ".a.txt")  # and back
    ops.rename(".a.txt", "a.txt")
    assert read(ops, "a.txt") == b"new"
    ops.rename("a.txt", ".a.txt")
    ops.rename(".a.txt", "b.txt")
    assert [ref.version for ref in pool["b.txt"].versions] == [0, 1]
    ops.rename("b.txt", ".b.txt")
    ops.unlink(".b.txt")
    assert len(pool) == 0


def test_removing_the_old_one_and_renaming_the_new_one_goes_on_with_it(
    ops: WriteOperations, pool: sp.Pool
) -> None:
    """So does astropy's update of a file that grows."""
    write(ops, "a.txt", b"old")
    write(ops, "new-a", b"new")
    ops.unlink("a.txt")
    ops.rename("new-a", "a.txt")
    assert pool["a.txt"].version == 1
    assert names(ops) == ["a.txt"]


def test_renaming_and_removing(ops: WriteOperations, pool: sp.Pool) -> None:
    for name in ("d/a", "d/b", "d/e/c"):
        write(ops, name, name.encode())
    before = pool["d/a"]
    ops.rename("d/a", "d/z")
    assert pool["d/z"].number == before.number
    assert error_of(ops.rename, "d/z", "d/b", replace=False) == errno.EEXIST
    ops.rename("d/z", "d/b")
    assert read(ops, "d/b") == b"d/a"
    assert pool["d/b"].version == 1
    ops.rename("d", "other")
    assert names(ops, "other") == ["b", "e"]
    assert error_of(ops.attributes, "d") == errno.ENOENT
    assert error_of(ops.rmdir, "other") == errno.ENOTEMPTY
    ops.unlink("other/e/c")
    assert names(ops, "other/e") == []  # who removes a tree removes the folder next
    ops.rmdir("other/e")
    ops.unlink("other/b")
    ops.rmdir("other")
    assert names(ops) == []
    assert {each.name for each in pool.trash()} >= {"other/b", "other/e/c"}
    assert error_of(ops.unlink, "other/b") == errno.ENOENT


def test_an_open_file_goes_on_after_renaming_and_removing(
    ops: WriteOperations, pool: sp.Pool
) -> None:
    number = ops.create("a")
    ops.write(number, b"one", 0)
    ops.rename("a", "b")
    ops.write(number, b" two", 3)
    ops.release(number)
    assert read(ops, "b") == b"one two"
    assert names(ops) == ["b"]
    reader, writer = ops.open("b"), ops.open("b", os.O_RDWR)
    ops.write(writer, b"ONE", 0)
    ops.rename("b", "c")
    ops.release(writer)
    assert read(ops, "c") == b"ONE two"
    ops.unlink("c")
    assert ops.read(reader, 0, 100) == b"one two"
    ops.release(reader)
    gone = ops.create("gone")
    ops.write(gone, b"x", 0)
    ops.unlink("gone")
    ops.flush(gone)
    ops.release(gone)
    assert len(pool) == 0


def test_folders(ops: WriteOperations, pool: sp.Pool, tmp_path: Path) -> None:
    ops.mkdir("new")
    ops.mkdir("new/below")
    assert error_of(ops.mkdir, "new") == errno.EEXIST
    assert names(ops) == ["new"]
    assert names(ops, "new") == ["below"]
    assert stat.S_ISDIR(ops.attributes("new/below")[0])
    ops.rename("new", "newer")
    write(ops, "newer/file", b"1")
    ops.mkdir(".hidden")
    write(ops, ".hidden/x.txt", b"2")
    ops.rename(".hidden", "shown")
    assert read(ops, "shown/x.txt") == b"2"
    assert pool["shown/x.txt"].version == 0
    ops.mkdir("empty")
    ops.rmdir("newer/below")
    ops.mkdir("full")
    ops.rename("newer", "full")
    ops.close()
    assert pool["empty"].is_context
    assert {ref.name for ref in pool} == {"full/file", "shown/x.txt", "empty"}


def test_what_is_not_written_to(ops: WriteOperations, pool: sp.Pool) -> None:
    write(ops, "a.txt", b"x")
    pool.tag("a.txt", "t")
    for path in ("@versions/a.txt", "@tags/t/a.txt", "@at/1/new", "d/@versions/x"):
        assert error_of(ops.create, path) == errno.EROFS
        assert error_of(ops.mkdir, f"{path}.d") == errno.EROFS
        assert error_of(ops.rename, "a.txt", path) == errno.EROFS
    assert error_of(ops.open, "@tags/t/a.txt", os.O_RDWR) == errno.EROFS
    assert error_of(ops.unlink, "@tags/t/a.txt") == errno.EROFS
    assert ops.attributes("@tags/t/a.txt")[0] == stat.S_IFREG | 0o444
    assert ops.attributes("a.txt")[0] == stat.S_IFREG | 0o644
    assert error_of(ops.open, "@tags/t", os.O_RDWR) == errno.EISDIR
    assert error_of(ops.create, "a\0b") == errno.EINVAL


def test_a_pool_for_reading(ops: WriteOperations, pool: sp.Pool) -> None:
    write(ops, "a.txt", b"x")
    pool.tag("a.txt", "first", "second")
    reading = Operations(pool)
    assert error_of(reading.open, "a.txt", os.O_RDWR) == errno.EROFS
    assert error_of(reading.create, "b.txt") == errno.EROFS
    assert error_of(reading.unlink, "a.txt") == errno.EROFS
    assert error_of(reading.open, "none") == errno.ENOENT
    assert error_of(reading.open, "@tags") == errno.EISDIR
    found = reading.extended("a.txt")
    assert found["user.skypool.urn"] == pool["a.txt"].urn
    assert found["user.skypool.version"] == "0"
    assert found["user.skypool.tags"] == "first\nsecond"
    assert found["user.skypool.kind"] == "File"
    assert reading.space().f_blocks > 0
    reading.close()


def test_a_full_disk_is_told_to_who_closes(
    ops: WriteOperations, pool: sp.Pool, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    from skypool.errors import DiskFull

    write(ops, "a.txt", b"before")
    number = ops.open("a.txt", os.O_WRONLY | os.O_TRUNC)
    ops.write(number, b"after", 0)

    def full(*_: object, **__: object) -> None:
        raise DiskFull("no room left")

    with monkeypatch.context() as patch:
        patch.setattr(pool, "add_report", full)
        assert error_of(ops.flush, number) == errno.ENOSPC
        assert error_of(ops.release, number) == errno.ENOSPC
    assert told
    assert pool["a.txt"].version == 0
    assert read(ops, "a.txt") == b"after"  # nothing is lost: it is saved in the end
    ops.close()
    assert Path(pool["a.txt"].path).read_bytes() == b"after"


def test_what_could_not_be_written_whole_is_not_saved(
    ops: WriteOperations, pool: sp.Pool, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    write(ops, "a.txt", b"before")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no room left")

    for name in ("a.txt", "b.txt", "c.txt"):
        new = name != "a.txt"
        number = ops.create(name) if new else ops.open(name, os.O_WRONLY | os.O_TRUNC)
        ops.write(number, b"part", 0)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            assert error_of(ops.write, number, b"more", 4) == errno.ENOSPC
        assert error_of(ops.flush, number) == errno.ENOSPC
        assert error_of(ops.release, number) == errno.ENOSPC
    assert pool["a.txt"].version == 0
    assert "b.txt" not in pool
    # Written again from its start it is whole; what is removed is gone.
    write(ops, "a.txt", b"after")
    assert pool["a.txt"].version == 1
    ops.unlink("b.txt")
    # So is what is written to the end after all.
    number = ops.create("d.txt")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert error_of(ops.write, number, b"whole", 0) == errno.ENOSPC
    ops.write(number, b"who", 0)
    assert error_of(ops.flush, number) == errno.ENOSPC
    ops.write(number, b"le", 3)
    ops.flush(number)
    ops.release(number)
    assert Path(pool["d.txt"].path).read_bytes() == b"whole"
    ops.close()
    assert [line for line in told if "c.txt is not saved" in line]
    assert "b.txt" not in pool and "c.txt" not in pool


def test_what_is_not_saved_is_told(ops: WriteOperations, pool: sp.Pool, told: list[str]) -> None:
    write(ops, ".hidden", b"x")
    write(ops, "seen", b"y")
    ops.close()
    assert [ref.name for ref in pool] == ["seen"]
    assert ".hidden" in told[-1]


def test_products_made_in_memory(ops: WriteOperations, pool: sp.Pool) -> None:
    pool.save(sp.Product(datasets={"image": np.ones((4, 5), "f4")}), "maps/m83")
    assert names(ops, "maps") == ["m83.fits"]
    data = read(ops, "maps/m83.fits")
    assert len(data) == ops.attributes("maps/m83.fits")[1]
    ops.rename("maps/m83.fits", "maps/m31.fits")
    assert read(ops, "maps/m31.fits") == data
    write(ops, "maps/m31.fits", data.replace(b"m83", b"m31"))
    assert names(ops, "maps") == ["m31.fits"]
    assert [ref.version for ref in pool["maps/m31.fits"].versions] == [0, 1]


def test_archives_stay_files(ops: WriteOperations, pool: sp.Pool, tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "x.txt").write_text("x")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(tmp_path / "x.txt", "x.txt")
    write(ops, "x.tar", (tmp_path / "x.tar").read_bytes())
    assert [ref.name for ref in pool] == ["x.tar"]
    assert read(ops, "x.tar") == (tmp_path / "x.tar").read_bytes()


def test_names_for_a_while() -> None:
    for name in (".a", "a~", "#a#", "a.fits.tmp", "d/.b/c", "x.part", "4913", "sedAbCd12"):
        assert is_temporary(name), name
    for name in ("a", "a.fits", "d/e.txt", "template", "sed", "a.tmp.fits", "49130", "sediment"):
        assert not is_temporary(name), name
