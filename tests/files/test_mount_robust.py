"""Mounts in trouble: odd names, other processes, other users, killed ones, no room."""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import skypool as sp
from skypool.errors import UsageError
from skypool.files import doctor
from skypool.files.mount_place import dead_mounts

from .mounting import SECONDS, Mounted, mounted, need, need_fuse, run

SKY = [sys.executable, "-m", "skypool"]
OTHER = 54321  # a user that is not there


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool", mode="x") as pool:
        yield pool


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "mnt"
    folder.mkdir()
    return folder


@pytest.fixture
def writing(pool: sp.Pool, place: Path) -> Iterator[Mounted]:
    with mounted(Path(pool.path), place, "--write") as found:
        yield found


def number_of(work: object, *words: object) -> int | None:
    """Return the error number of a call."""
    with pytest.raises(OSError) as caught:
        work(*words)  # type: ignore[operator]
    return caught.value.errno


def number_in_the_end(folder: Path) -> int | None:
    """Return the error number of looking into a folder, as soon as there is one that stays."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            os.listdir(folder)
        except OSError as error:
            if error.errno != errno.EIO:  # what was on its way when the process ended
                return error.errno
    return None


NAMES = [
    "Name.txt", "name.txt", "with space.txt", "ünïcödé ☄.txt", "new\nline.txt", "me@home.txt",
    "v@1.fits.txt", "100%2F.txt", "@unlike", "-rf", "'quote\"", "back\\slash", "\udcff\udcfe.bin",
    "x" * 255, *("/".join(["deep"] * n) + "/file" for n in (1, 40)),
]  # fmt: skip


def test_names_of_every_sort(writing: Mounted, pool: sp.Pool) -> None:
    top = writing.folder
    for name in NAMES:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(os.fsencode(name))
    assert sorted(os.listdir(top)) == sorted(
        {name.split("/")[0] for name in NAMES} | {"@at", "@search", "@tags", "@versions"}
    )
    for name in NAMES:
        assert (top / name).read_bytes() == os.fsencode(name)
        assert Path(pool[name].path).read_bytes() == os.fsencode(name)
        assert os.getxattr(top / name, "user.skypool.version") == b"0"
    for work, path in ((Path.touch, top / ("y" * 256)), (Path.mkdir, top / ("y" * 256))):
        assert number_of(work, path) == errno.ENAMETOOLONG
    assert number_of(os.rename, top / "-rf", top / ("é" * 128)) == errno.ENAMETOOLONG
    # Searches: what finds nothing is an empty folder, what is no query is not there.
    found = top / "@search"
    pool.tag("name.txt", "a/b c")
    assert os.listdir(found / "tagged('a%2Fb c')") == ["name.txt"]
    assert os.listdir(found / "kind == 'ü'") == []
    for query in ("(((", 'kind="', "x\ny", "%", "a" * 250):
        if (found / query).exists():
            os.listdir(found / query)
    assert not (found / "(((").exists()
    assert not (top / "@at" / "no time").exists()
    (top / "-rf").rename(top / "@unlike2")
    assert pool["@unlike2"].versions[0].version == 0


def test_programs_change_files(writing: Mounted, pool: sp.Pool, tmp_path: Path) -> None:
    need("rsync")
    top = writing.folder
    path = top / "a.txt"
    path.write_text("one\n")
    with open(path, "a") as file:
        file.write("two\n")
    os.truncate(path, 6)
    assert path.read_text() == "one\ntw"
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:3] = b"ONE"
        memory.flush()
    assert path.read_text() == "ONE\ntw"
    assert [ref.version for ref in pool["a.txt"].versions] == [0, 1, 2, 3]
    # Two who write at once: each closes a whole file, and the last one stays.
    with open(path, "w") as first, open(path, "a") as second:
        first.write("first\n")
        first.flush()
        second.write("second\n")
    assert path.read_text() == "first\nsecond\n"
    large = tmp_path / "large"
    large.write_bytes(os.urandom(300_000))
    run("rsync", "--inplace", large, top / "large")
    with open(large, "r+b") as file:
        file.seek(1000)
        file.write(b"changed")
    run("rsync", "--inplace", "--no-whole-file", "--ignore-times", large, top / "large")
    run("cmp", large, top / "large")
    assert pool["large"].version == 1
    for folder in ("x", "y"):
        (top / folder).mkdir()
    run("mv", path, top / "x/b.txt")
    run("mv", top / "x/b.txt", top / "y/c.txt")
    assert pool["y/c.txt"].version == pool["y/c.txt"].versions[-1].version > 3
    run("mv", top / "y", top / "x/y")
    assert (top / "x/y/c.txt").read_text() == "first\nsecond\n"
    with open(top / "sparse", "wb") as file:
        file.seek(3_000_000)
        file.write(b"x")
    assert (top / "sparse").read_bytes() == bytes(3_000_000) + b"x"
    for work, words in ((os.symlink, ("a", top / "link")), (os.link, (large, top / "link"))):
        assert number_of(work, *words) in (errno.ENOSYS, errno.EPERM, errno.EXDEV)
    writing.end()
    assert pool.verify().ok


def test_what_is_open_stays_as_it_was(pool: sp.Pool, place: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    contents = [os.urandom(size) for size in (3_000_000, 3_000_000, 1_000_000, 4_000_000)]
    path = place / "a.bin"

    def save(content: bytes) -> None:
        source.write_bytes(content)
        os.utime(source, ns=(1_600_000_000_000_000_000,) * 2)  # the time tells nothing
        pool.add(source)

    save(contents[0])
    with mounted(Path(pool.path), place):
        opened = []
        for number, content in enumerate(contents):
            if number:
                save(content)
            if number == 2:
                pool.gc(grace=0)
            opened.append(open(path, "rb", buffering=0))  # noqa: SIM115 (closed below)
            assert opened[-1].read(10_000) == content[:10_000]
            for before, file in zip(contents, opened, strict=False):
                file.seek(0)
                assert file.read(50_000) == before[:50_000]
        # Those that are not read now end where the file ends that is there by now.
        for before, file in zip(contents, opened, strict=True):
            file.seek(0)
            assert b"".join(iter(lambda file=file: file.read(1 << 20), b"")) == before
            file.close()
        for _ in range(3):
            assert path.read_bytes() == contents[-1]
        save(contents[1])
        assert path.read_bytes() == contents[1]
        space, disk = os.statvfs(place), os.statvfs(pool.path)
        assert (space.f_blocks, space.f_frsize) == (disk.f_blocks, disk.f_frsize)


@pytest.mark.parametrize(
    ("before", "after"), [(100, 200), (100, 200_000), (300_000, 300_100), (200, 100), (300_000, 1)]
)
def test_each_version_has_its_own_size(
    pool: sp.Pool, place: Path, tmp_path: Path, before: int, after: int
) -> None:
    """Who has a version open gets its bytes and no others, and so does who opens the next one."""
    source, path = tmp_path / "a.bin", place / "a.bin"
    source.write_bytes(b"a" * before)
    pool.add(source)
    with mounted(Path(pool.path), place), open(path, "rb", buffering=0) as older:
        assert older.read(before + 1) == b"a" * before
        source.write_bytes(b"b" * after)
        pool.add(source)
        for _ in range(2):
            with open(path, "rb", buffering=0) as newer:
                assert os.fstat(newer.fileno()).st_size == newer.seek(0, os.SEEK_END) == after
                newer.seek(0)
                assert b"".join(iter(lambda file=newer: file.read(50_000), b"")) == b"b" * after
                assert os.fstat(older.fileno()).st_ino != os.fstat(newer.fileno()).st_ino
                with mmap.mmap(newer.fileno(), 0, access=mmap.ACCESS_READ) as memory:
                    assert memory[:] == b"b" * after
            older.seek(0)
            assert b"".join(iter(lambda: older.read(50_000), b"")) == b"a" * before
            assert os.fstat(older.fileno()).st_size == older.seek(0, os.SEEK_END) == before
        assert os.stat(path).st_size == after


def test_who_reads_keeps_the_version_while_it_is_written_over(
    writing: Mounted, pool: sp.Pool
) -> None:
    path = writing.folder / "a.bin"
    path.write_bytes(b"a" * 300_000)
    with open(path, "rb", buffering=0) as older:
        assert older.read(10) == b"a" * 10
        with open(path, "r+b") as file:  # in place: the first half, and more at the end
            file.write(b"b" * 150_000)
            file.seek(0, os.SEEK_END)
            file.write(b"c" * 100)
        os.truncate(path, 300_050)
        assert path.read_bytes() == b"b" * 150_000 + b"a" * 150_000 + b"c" * 50
        older.seek(0)
        assert b"".join(iter(lambda: older.read(50_000), b"")) == b"a" * 300_000
    number = path.stat().st_ino
    path.write_bytes(b"new")
    assert path.stat().st_ino == number  # nobody reads it: it is the same file
    assert path.read_bytes() == b"new"
    writing.end()
    assert pool["a.bin"].size == 3


def read_while_it_changes(pool: sp.Pool, place: Path, source: Path, versions: int) -> None:
    """Save versions of a file while many read it: each gets one version, whole."""
    path = place / source.name
    sizes = [100_000 + (number * 7919) % 5 * 400_000 for number in range(versions)]
    wrong: list[tuple[int, list[int]]] = []
    done = threading.Event()

    def save(number: int) -> None:
        source.write_bytes(bytes([number % 250 + 1]) * sizes[number])
        os.utime(source, ns=(1_600_000_000_000_000_000,) * 2)
        pool.add(source)

    def read(piece: int) -> None:
        while not done.is_set():
            with open(path, "rb", buffering=0) as file:
                data = b"".join(iter(lambda: file.read(piece), b""))
            values = sorted(set(data))
            if len(values) != 1 or len(data) not in sizes[values[0] - 1 :: 250]:
                wrong.append((len(data), values))

    save(0)
    with mounted(Path(pool.path), place):
        threads = [threading.Thread(target=read, args=(10_000 * 4**n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, versions):
                save(number)
        finally:
            done.set()
            for thread in threads:
                thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in threads)
        assert path.read_bytes() == source.read_bytes()
    assert wrong == []


def test_readers_get_whole_versions(pool: sp.Pool, place: Path, tmp_path: Path) -> None:
    read_while_it_changes(pool, place, tmp_path / "a.bin", 12)


@pytest.mark.campaign
def test_readers_get_whole_versions_for_long(pool: sp.Pool, place: Path, tmp_path: Path) -> None:
    read_while_it_changes(pool, place, tmp_path / "a.bin", 240)


def test_what_was_killed_is_mended(pool: sp.Pool, tmp_path: Path) -> None:
    need_fuse()
    pool.add(__file__)
    place = tmp_path / "a new\tone"
    try:
        for _ in range(2):  # the second time what is dead is there, and is taken away
            said = json.loads(run(*SKY, "mount", "--json", pool.path, place))
            assert said["made"] is True
            assert (place / Path(__file__).name).exists()
            os.kill(said["pid"], signal.SIGKILL)
            assert number_in_the_end(place) in (errno.ENOTCONN, errno.ECONNABORTED)
            assert str(place) in dead_mounts()
        said = "\n".join(each.text for each in doctor._of_fuse({}, dict(doctor.programs())))
        assert f"skypool unmount {place}" in said
        run(*SKY, "unmount", place)
        assert not place.exists()
        assert str(place) not in dead_mounts()
    finally:
        run("sh", "-c", f"fusermount3 -uz '{place}' 2>/dev/null || true")


def test_places_that_are_none(pool: sp.Pool, tmp_path: Path) -> None:
    from skypool.files.mount_place import check_place, make_place

    inside = Path(pool.path) / "sky"
    for place in (inside, Path(pool.path)):
        with pytest.raises(UsageError, match="in the pool itself"):
            check_place(str(place), pool.path)
    link = tmp_path / "link"
    link.symlink_to(pool.path)
    with pytest.raises(UsageError, match="in the pool itself"):
        make_place(str(link / "sky"), pool.path)
    assert not inside.exists()
    file = tmp_path / "file"
    file.touch()
    for place in (file, file / "below"):
        with pytest.raises(UsageError, match=r"is a file|in a file"):
            make_place(str(place), pool.path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    with pytest.raises(UsageError, match="there are files in"):
        make_place(str(tmp_path / "full"), pool.path)
    found, made = make_place(str(tmp_path / "a/b/c"), pool.path)
    assert made == [str(tmp_path / each) for each in ("a/b/c", "a/b", "a")]
    assert make_place(str(tmp_path / "a/b/c"), pool.path) == (found, [])


def test_a_pool_that_is_full_says_so(pool: sp.Pool, place: Path, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(3_000_000))
    (tmp_path / "small").write_bytes(b"small")
    pool.configure(max_size=2_000_000)
    with mounted(Path(pool.path), place, "--write") as mount:
        space = os.statvfs(place)
        assert space.f_blocks * space.f_frsize <= 2_000_000
        assert 0 < space.f_bavail < space.f_blocks
        assert number_of(shutil.copyfile, tmp_path / "large", place / "large") == errno.EDQUOT
        run("cp", tmp_path / "small", place / "small")
        assert (place / "small").read_bytes() == b"small"
        run("rm", place / "large")
        assert not (place / "large").exists()
        mount.end()
    assert [ref.name for ref in pool.find()] == ["small"]
    assert pool.verify().ok


# As a process of its own, since the one of the tests has to stay root.
LOOK = "import os, sys; os.setuid(int(sys.argv[1])); print(open(sys.argv[2]).read(), end='')"


def look(path: Path, code: int) -> str:
    return run(sys.executable, "-S", "-c", LOOK, OTHER, path, code=code)


def test_other_users_see_it_only_if_told(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        top = Path(name)
        top.chmod(0o755)
        with sp.Pool(top / "pool", mode="x") as pool:
            (tmp_path / "a.txt").write_text("seen")
            pool.add(tmp_path / "a.txt")
        (top / "mnt").mkdir()
        with mounted(top / "pool", top / "mnt") as mount:
            assert "PermissionError" in look(top / "mnt/a.txt", 1)
            mount.end()
        with mounted(top / "pool", top / "mnt", "-o", "allow_other") as mount:
            assert look(top / "mnt/a.txt", 0) == "seen"
            mount.end()


@pytest.mark.campaign
def test_a_tree_of_a_thousand_files(writing: Mounted, pool: sp.Pool, tmp_path: Path) -> None:
    for number in range(1000):
        path = tmp_path / f"tree/s{number % 20}/f{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    run("cp", "-r", tmp_path / "tree", writing.folder)
    run("diff", "-r", tmp_path / "tree", writing.folder / "tree")
    # Some read while others write, each his own file.
    wrong: list[int] = []

    def work(number: int) -> None:
        path = writing.folder / f"many/{number}.bin"
        for size in (10, 100_000, 3_000_000, 5):
            data = bytes([number]) * size
            path.write_bytes(data)
            if path.read_bytes() != data:
                wrong.append(number)

    (writing.folder / "many").mkdir()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert wrong == []
    assert all(pool[f"many/{number}.bin"].version == 3 for number in range(8))
    writing.end()
    assert pool.verify().ok


def test_a_device_that_is_not_ours_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    need_fuse()
    from skypool.errors import MissingDependency
    from skypool.files.fuse import load_library

    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(MissingDependency, match="may not use /dev/fuse") as error:
        load_library()
    assert "--webdav" in error.value.hint


def test_chunks_may_move_while_a_file_is_read(pool: sp.Pool, tmp_path: Path) -> None:
    """Where chunks are is looked up ahead; gc of another process moves them meanwhile."""
    from skypool.pool.file_bytes import file_bytes

    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(os.urandom(3_000_000))
    pool.add([tmp_path / "b.bin", tmp_path / "a.bin"])
    (tmp_path / "b.bin").write_bytes(b"short")
    pool.add(tmp_path / "b.bin")
    with sp.Pool(pool.path, "r") as reading, file_bytes(reading["a.bin"]) as file:
        packs = set(os.listdir(Path(pool.path) / "packs"))
        (segment,) = reading["a.bin"].document["file"]["segments"]
        digests = bytes.fromhex(segment["chunks"])
        names = [digests[at : at + 32] for at in range(0, len(digests), 32)]
        chunks = reading.view.session.catalogue.chunks
        chunks.expect(names)
        assert pool.purge("b.bin").versions == 1
        pool.gc(grace=0)
        assert set(os.listdir(Path(pool.path) / "packs")) != packs
        assert all(chunks._expected.get(each) for each in names)
        assert file.pread(0, file.size) == (tmp_path / "a.bin").read_bytes()
        assert not any(chunks._expected.get(each) for each in names)
    assert pool.verify().ok
