"""The chunk store: sharing, failures, processes, forks, counters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from skypool.codec.digest import digest
from skypool.errors import Damaged, DiskFull, ReadOnly, StorageError
from skypool.storage.filelayer import LocalFiles
from skypool.storage.pack_layout import read_record_header
from skypool.storage.pack_scan import pack_name, scan_pack
from skypool.storage.pack_verify import verify_pack
from skypool.storage.pieces import StreamCodec
from skypool.storage.store import ChunkStore

from .conftest import POOL, path_of
from .faults import FaultyFiles
from .test_packs import fill, packs, read_by_the_book


def put_all(writer, chunks):
    for raw in chunks:
        writer.put(raw)
    return writer.flush()


def check_whole(folder, placed, wanted):
    """Every pack is whole, and every chunk is what it was."""
    for path in packs(folder):
        assert verify_pack(str(path), full=True, pool=POOL).problems == []
    reader = ChunkStore(folder, POOL)
    for raw in wanted:
        assert reader.read(placed[digest(raw)], digest(raw)) == raw
    reader.close()


# -- writing


def test_counters(folder, make_store):
    store = make_store()
    chunks = [os.urandom(10_000) for _ in range(5)]
    writer = store.writer(known=lambda names: {digest(chunks[0])}.intersection(names))
    placed = put_all(writer, chunks + chunks[:3] + [b"small"] * 3)
    assert writer.duplicates == 5
    assert writer.reused == {digest(chunks[0])}
    assert len(placed) == 5
    writer.close()
    assert writer.bytes_written == sum(path.stat().st_size for path in packs(folder))
    more = store.writer()
    put_all(more, [b"more"])
    more.close()
    total = sum(path.stat().st_size for path in packs(folder))
    assert writer.bytes_written + more.bytes_written == total


def test_bytes_written_counts_sealed_packs(folder, make_store):
    writer = make_store(roll_bytes=30_000).writer()
    put_all(writer, [os.urandom(9_000) for _ in range(30)])
    assert len(packs(folder)) > 4
    assert writer.bytes_written == sum(path.stat().st_size for path in packs(folder))


def test_tiny_commits_start_no_threads(make_store):
    store = make_store()
    before = threading.active_count()
    fill(store, [b"document", os.urandom(1_024), os.urandom(100_000)])
    assert threading.active_count() == before
    fill(store, [os.urandom(200_000) for _ in range(10)])
    assert threading.active_count() > before
    store.close()
    assert threading.active_count() == before


def test_what_is_under_way_is_bounded(make_store, monkeypatch):
    monkeypatch.setattr("skypool.storage.writer._IN_FLIGHT_BYTES", 1 << 20)
    store = make_store()
    writer = store.writer()
    most = 0
    for _ in range(60):
        writer.put(os.urandom(150_000))
        most = max(most, writer._running_bytes + writer._waiting_bytes)
    assert most < 2 << 20
    assert len(writer.flush()) == 60


def test_same_input_gives_the_same_pack(tmp_path):
    rng = np.random.default_rng(3)
    tiles = [rng.normal(size=30_000).cumsum().astype(">f4") for _ in range(12)]
    small = [b"document %d" % n * 9 for n in range(40)]
    contents = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = ChunkStore(folder, POOL, writable=True)
        writer = store.writer()
        stream = writer.stream(4)
        for tile, document in zip(tiles, small, strict=False):
            stream.put(tile)
            writer.put(document)
        writer.flush()
        store.close()
        (path,) = packs(folder)
        contents.append(path.read_bytes()[64:])
    assert contents[0] == contents[1] == contents[2]


def codec_of(folder, place):
    with open(path_of(folder, place.pack), "rb") as file:
        file.seek(place.offset)
        header = read_record_header(file.read(64))
    assert header is not None
    return header.codec


def test_a_blank_corner_does_not_decide_the_codec(folder, make_store):
    rng = np.random.default_rng(1)
    blank = np.full((256, 256), np.nan, ">f4")
    sky = [(1 + rng.normal(0, 1e-3, (256, 256))).astype(">f4") for _ in range(3)]
    steps = rng.random(5)
    runs = [np.repeat(rng.integers(0, 5, 8_192), 8).reshape(256, 256) for _ in range(3)]
    coverage = [steps[run].astype(">f4") for run in runs]
    noise = [rng.bytes(50_000) for _ in range(3)]
    store = make_store()
    writer = store.writer()
    streams = [writer.stream(4), writer.stream(4), writer.stream(1)]
    names = [
        [stream.put(raw) for raw in chunks]
        for stream, chunks in zip(streams, ([blank, *sky], [blank, *coverage], noise), strict=True)
    ]
    placed = writer.flush()
    codecs = [[codec_of(folder, placed[name]) for name in run] for run in names]
    assert codecs[0] == [2, 2, 2, 2]
    assert codecs[1][1:] == [1, 1, 1]
    assert codecs[2] == [0, 0, 0]


def test_a_raw_run_is_looked_at_again():
    codec = StreamCodec(1)
    noise, text = memoryview(os.urandom(50_000)), memoryview(b"%s words " % os.urandom(9) * 3_000)
    assert codec.pick(noise)[0] == 0
    picked = [codec.pick(text)[0] for _ in range(20)]
    assert set(picked[10:]) == {1}


def test_commits_in_two_threads_use_two_packs(folder, make_store):
    store = make_store()
    one, two = store.writer(), store.writer()
    a = put_all(one, [b"a" * 5_000])
    b = put_all(two, [b"b" * 5_000])
    assert len(packs(folder)) == 2
    one.close()
    two.close()
    three = store.writer()
    c = put_all(three, [b"c" * 5_000])
    assert len(packs(folder)) == 2
    check_whole(folder, {**a, **b, **c}, [b"a" * 5_000, b"b" * 5_000, b"c" * 5_000])


def test_full_packs_stay_locked_until_the_commit_ends(folder, make_store):
    files = LocalFiles()
    writer = make_store(roll_bytes=30_000).writer()
    put_all(writer, [os.urandom(9_000) for _ in range(5)])

    def free():
        count = 0
        for path in packs(folder):
            handle = files.open_update(str(path))
            count += files.lock(handle, exclusive=True)
            files.close(handle)
        return count

    assert len(packs(folder)) == 2
    assert free() == 0
    writer.close()
    assert free() == 1  # the sealed one; the other is kept for the next commit


# -- abandoned commits


@pytest.mark.parametrize("reclaim", [False, True])
def test_abandon(folder, make_store, reclaim):
    store = make_store(roll_bytes=100_000)
    first = [os.urandom(30_000)]
    placed = fill(store, first)
    before = {path: path.read_bytes() for path in packs(folder)}
    writer = store.writer()
    told = put_all(writer, [b"told" * 2_000])
    for _ in range(40):
        writer.put(os.urandom(20_000))
    writer._ask_large()
    writer._hand_over()
    writer._drain(0)
    for part in [writer._pack, *writer._full]:
        if part is not None:
            part.write_out()
    grown = sum(path.stat().st_size for path in packs(folder))
    assert grown > 700_000
    writer.abandon(reclaim=reclaim)
    left = sum(path.stat().st_size for path in packs(folder))
    assert left == grown if not reclaim else left < 200_000
    for path, data in before.items():
        assert path.read_bytes().startswith(data)
    after = [os.urandom(50_000) for _ in range(4)]
    placed.update(told)
    placed.update(fill(store, after))
    store.close()
    check_whole(folder, placed, [*first, b"told" * 2_000, *after])
    for path in packs(folder):
        read_by_the_book(path.read_bytes())


def test_an_exception_in_the_block_abandons(make_store):
    store = make_store()
    with pytest.raises(ZeroDivisionError), store.writer() as writer:
        writer.put(b"x")
        raise ZeroDivisionError
    with store.writer() as writer:
        placed = put_all(writer, [b"x"])
    assert store.read(placed[digest(b"x")], digest(b"x")) == b"x"


# -- failures below


def test_full_disk(folder):
    files = FaultyFiles()
    store = ChunkStore(folder, POOL, files, writable=True)
    old = [os.urandom(9_000), b"old"]
    placed = fill(store, old)
    files.fail("write", DiskFull("no room"))
    writer = store.writer()
    for number in range(5):
        writer.put(os.urandom(7_000 + number))
    with pytest.raises(DiskFull):
        writer.flush()
    with pytest.raises(StorageError, match="failed"):
        writer.flush()
    with pytest.raises(StorageError, match="failed"):
        writer.put(b"x")
    writer.abandon()
    check_whole(folder, placed, old)
    new = [os.urandom(9_000), b"new"]
    placed.update(fill(store, new))
    store.close()
    check_whole(folder, placed, old + new)


def test_full_disk_while_chunks_come_in(folder):
    files = FaultyFiles()
    store = ChunkStore(folder, POOL, files, writable=True)
    files.fail("write", DiskFull("no room"), after=2)
    with pytest.raises(DiskFull), store.writer() as writer:
        for _ in range(300):
            writer.put(os.urandom(100_000))
    store.close()
    check_whole(folder, {}, [])


def test_a_failed_sync_is_believed(folder):
    files = FaultyFiles()
    store = ChunkStore(folder, POOL, files, writable=True)
    old = [os.urandom(9_000)]
    placed = fill(store, old)
    (bad,) = packs(folder)
    size = bad.stat().st_size
    files.fail("sync")
    writer = store.writer()
    writer.put(os.urandom(9_000))
    with pytest.raises(StorageError):
        writer.flush()
    syncs = files.calls.count("sync")
    with pytest.raises(StorageError):
        writer.flush()
    assert files.calls.count("sync") == syncs
    writer.abandon()
    # What is not known to be on disk is cut off, and the pack is given up for good.
    assert bad.stat().st_size == size
    new = [os.urandom(9_000)]
    placed.update(fill(store, new))
    assert placed[digest(new[0])].pack != pack_name(str(bad))
    other = ChunkStore(folder, POOL, writable=True)
    third = fill(other, [b"third"])
    assert placed[digest(old[0])].pack not in {place.pack for place in third.values()}
    store.close()
    other.close()
    check_whole(folder, placed, old + new)


def test_a_failed_folder_sync_fails_the_commit(folder):
    files = FaultyFiles()
    store = ChunkStore(folder, POOL, files, writable=True)
    files.fail("sync_folder")
    with pytest.raises(StorageError), store.writer() as writer:
        put_all(writer, [b"x"])
    placed = fill(store, [b"y"])
    store.close()
    check_whole(folder, placed, [b"y"])


def test_a_new_pack_is_durable_with_its_name(folder):
    files = FaultyFiles()
    store = ChunkStore(folder, POOL, files, writable=True)
    fill(store, [b"one"])
    changes = [call for call in files.calls if call != "open_update"]
    assert changes == ["create_exclusive", "write", "sync", "sync_folder"]
    files.calls.clear()
    fill(store, [b"two"])
    assert files.calls == ["write", "sync"]
    files.calls.clear()
    fill(store, [])
    assert files.calls == []
    store.close()


@pytest.mark.parametrize("method", ["create_exclusive", "write", "sync", "sync_folder", "truncate"])
def test_the_nth_failure(folder, method):
    """Whatever call fails, one error comes, and all that was acknowledged stays."""
    placed, wanted = {}, []
    for nth in range(12):
        files = FaultyFiles()
        files.fail(method, after=nth)
        store = ChunkStore(folder, POOL, files, writable=True, roll_bytes=60_000)
        failures = 0
        for number in range(4):
            chunks = [os.urandom(9_000 + number), b"small %d %d" % (nth, number)]
            try:
                with store.writer() as writer:
                    placed.update(put_all(writer, chunks))
                wanted += chunks
            except StorageError:
                failures += 1
        assert failures <= 1
        store.close()
    check_whole(folder, placed, wanted)


def test_a_limit_on_file_sizes(folder):
    code = """if True:
        import os, resource, sys
        from skypool.errors import DiskFull
        from skypool.storage.store import ChunkStore
        store = ChunkStore(sys.argv[1], b"0123456789abcdef", writable=True)
        with store.writer() as writer:
            writer.put(b"good" * 3000)
            writer.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        try:
            with store.writer() as writer:
                for _ in range(50):
                    writer.put(os.urandom(100_000))
                writer.flush()
        except DiskFull:
            sys.exit(42)
    """
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert done.returncode == 42
    store = ChunkStore(folder, POOL, writable=True)
    (path,) = packs(folder)
    placed = dict(scan_pack(str(path)))
    placed.update(fill(store, [b"next"]))
    store.close()
    check_whole(folder, placed, [b"good" * 3000, b"next"])


# -- several processes

WRITER = """if True:
    import os, sys
    from skypool.codec.digest import digest
    from skypool.storage.store import ChunkStore
    folder, seed, commits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    store = ChunkStore(folder, b"0123456789abcdef", writable=True, roll_bytes=400_000)
    for number in range(commits):
        with store.writer() as writer:
            for part in range(6):
                text = b"%d %d %d|" % (seed, number, part)
                writer.put(text if part % 2 else (text * 4_000)[:20_000] + os.urandom(20_000))
            placed = writer.flush()
        for name, place in placed.items():
            print(name.hex(), place.pack.hex(), place.offset, place.stored,
                  -1 if place.member is None else place.member, place.length)
        print("done", flush=True)
    store.close()
"""


def acknowledged(text):
    """Places of all complete commits in a writer's output."""
    from skypool.storage.store import Location

    placed = {}
    complete = text[: text.rfind("done")]
    for line in complete.splitlines():
        if line != "done":
            name, pack, *numbers = line.split()
            offset, stored, member, length = map(int, numbers)
            place = Location(
                bytes.fromhex(pack), offset, stored, None if member < 0 else member, length
            )
            placed[bytes.fromhex(name)] = place
    return placed


def start_writer(folder, seed, commits):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(seed), str(commits)],
        stdout=subprocess.PIPE,
        text=True,
    )


def read_all(folder, placed):
    reader = ChunkStore(folder, POOL)
    for name, place in placed.items():
        assert digest(reader.read(place, name)) == name
    reader.close()


def test_processes_write_at_once(folder):
    others = [start_writer(folder, seed, 15) for seed in range(3)]
    placed = {}
    for other in others:
        out, _ = other.communicate(timeout=120)
        assert other.returncode == 0
        found = acknowledged(out)
        assert len(found) == 90
        placed.update(found)
    read_all(folder, placed)
    scanned = {}
    for path in packs(folder):
        assert verify_pack(str(path), full=True, pool=POOL).problems == []
        scanned.update(scan_pack(str(path)))
    assert scanned == placed


def test_killed_writers_leave_packs_to_go_on_with(folder):
    rng = np.random.default_rng(7)
    placed = {}
    for seed in range(8):
        with start_writer(folder, seed, 10**6) as other:
            assert other.stdout is not None
            text = other.stdout.readline()  # it works
            time.sleep(rng.uniform(0, 0.15))
            other.send_signal(signal.SIGKILL)
            text += other.stdout.read()
        placed.update(acknowledged(text))
    ends = {}
    for place in placed.values():
        ends[place.pack] = max(ends.get(place.pack, 0), place.end)
    for path in packs(folder):
        end = ends.get(pack_name(str(path)), 0)
        assert verify_pack(str(path), full=True, committed_end=end).problems == []
    before = len(packs(folder))
    # A writer may have been killed just when its pack was full: then there is none to go on with.
    left = any(64 <= path.stat().st_size < 400_000 for path in packs(folder))
    store = ChunkStore(folder, POOL, writable=True, roll_bytes=400_000)
    placed.update(fill(store, [b"survivor"]))
    store.close()
    assert len(packs(folder)) == before + (not left)
    read_all(folder, placed)


def test_candidates_save_looking_at_whole_packs(folder, make_store):
    store = make_store()
    placed = fill(store, [os.urandom(9_000)])
    store.close()
    (path,) = packs(folder)
    end = max(place.end for place in placed.values())
    asked = []

    def candidates():
        asked.append(1)
        yield bytes(16), 64  # gone
        yield pack_name(str(path)), end

    store = make_store(candidates=candidates)
    more = fill(store, [b"more"])
    fill(store, [b"and more"])
    assert asked == [1]
    assert {place.pack for place in more.values()} == {pack_name(str(path))}


# -- forks


def in_child(act):
    """Run in a forked child; return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# Python 3.12 and later warn of forks in a process with threads: that is what is tested.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(folder, make_store):
    store = make_store()
    chunks = [os.urandom(100_000) for _ in range(20)]
    placed = fill(store, chunks)
    open_writer = store.writer()
    put_all(open_writer, [b"begun"])

    def child():
        for raw in chunks:
            assert store.read(placed[digest(raw)], digest(raw)) == raw
        wanted = [(placed[digest(raw)], digest(raw)) for raw in chunks]
        assert store.read_many(wanted) == chunks
        with pytest.raises(StorageError, match="another process"):
            open_writer.put(b"x")
        mine = fill(store, [b"from the child", os.urandom(900_000)])
        assert not {p.pack for p in mine.values()} & {p.pack for p in placed.values()}
        store.close()

    assert in_child(child) == 0
    # The parent still holds its packs and goes on.
    placed.update(put_all(open_writer, [b"ended"]))
    open_writer.close()
    other = ChunkStore(folder, POOL, writable=True)
    theirs = fill(other, [b"other"])
    assert not {p.pack for p in theirs.values()} & {p.pack for p in placed.values()}
    other.close()
    check_whole(folder, placed, [*chunks, b"ended"])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_lives_on_holds_no_lock(folder, make_store):
    store = make_store()
    fill(store, [b"x"])
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(ready[1], b"r")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    store.close()
    other = ChunkStore(folder, POOL, writable=True)
    fill(other, [b"y"])
    assert len(packs(folder)) == 1
    other.close()
    os.write(go[1], b"g")
    os.waitpid(pid, 0)
    for end in (*ready, *go):
        os.close(end)


# -- reading


def test_reading_writes_nothing(folder, make_store):
    store = make_store()
    chunks = [b"small", os.urandom(9_000)]
    placed = fill(store, chunks)
    store.close()

    class OnlyReading(LocalFiles):
        def refuse(self, *args: object, **options: object) -> None:
            raise AssertionError("reading changes nothing")

        create_exclusive = open_update = write = truncate = sync = sync_folder = refuse
        make_folder = link = replace = unlink = lock = unlock = refuse

    folder.chmod(0o555)
    before = {path: path.stat().st_mtime_ns for path in [folder, *packs(folder)]}
    reader = ChunkStore(folder, POOL, OnlyReading())
    for raw in chunks:
        assert reader.read(placed[digest(raw)], digest(raw)) == raw
    for path in packs(folder):
        assert dict(scan_pack(str(path), OnlyReading())) == placed
        assert verify_pack(str(path), full=True, files=OnlyReading()).problems == []
    with pytest.raises(ReadOnly):
        reader.writer()
    reader.close()
    assert before == {path: path.stat().st_mtime_ns for path in before}
    folder.chmod(0o755)


def test_cache_and_counters(make_store):
    chunks = [os.urandom(20_000) for _ in range(10)]
    small = [b"s%d" % n for n in range(10)]
    store = make_store(cache_bytes=100_000)
    placed = fill(store, chunks + small)
    for raw in small:
        store.read(placed[digest(raw)], digest(raw))
    assert (store.chunks_read, store.cache_hits) == (1, 9)
    store.read(placed[digest(chunks[0])], digest(chunks[0]))
    store.read(placed[digest(chunks[0])], digest(chunks[0]))
    assert (store.chunks_read, store.cache_hits) == (2, 10)
    place = placed[digest(chunks[0])]
    assert store.bytes_read == place.stored + placed[digest(small[0])].stored
    for raw in chunks:
        store.read(placed[digest(raw)], digest(raw))
    assert store._cache.used <= 100_000
    assert store.chunks_read == 11
    store.read(placed[digest(chunks[0])], digest(chunks[0]))
    assert store.chunks_read == 12  # pushed out
    store.limit_cache(30_000)
    assert store._cache.used <= 30_000
    for _ in range(2):
        store.read(placed[digest(chunks[1])], digest(chunks[1]))
    assert store.chunks_read == 14  # one of them is more than half of that


def test_relocate_is_asked_once(folder, make_store):
    store = make_store()
    raw = os.urandom(9_000)
    old = fill(store, [raw])[digest(raw)]
    store.close()
    other = make_store(candidates=list)
    new = fill(other, [b"first" * 2_000, raw])[digest(raw)]
    assert new.pack != old.pack
    path_of(folder, old.pack).unlink()
    asked = []

    def relocate(name):
        asked.append(name)
        return new

    reader = ChunkStore(folder, POOL, relocate=relocate, cache_bytes=0)
    assert reader.read(old, digest(raw)) == raw
    assert asked == [digest(raw)]
    path_of(folder, new.pack).write_bytes(b"")
    reader.relocate = lambda name: asked.append(name) or old
    with pytest.raises(Damaged, match=digest(raw).hex()):
        ChunkStore(folder, POOL, relocate=reader.relocate).read(new, digest(raw))
    assert len(asked) == 2
    reader.close()


def test_many_packs_few_open_files(folder, make_store, monkeypatch):
    monkeypatch.setattr("skypool.storage.pack_files._MOST_OPEN", 4)
    chunks = [os.urandom(9_000) for _ in range(30)]
    store = make_store(roll_bytes=5_000, cache_bytes=0)
    placed = fill(store, chunks)
    store.close()
    assert len(packs(folder)) == 30
    reader = ChunkStore(folder, POOL, cache_bytes=0)
    before = len(os.listdir("/proc/self/fd"))

    def read():
        for raw in chunks * 3:
            assert reader.read(placed[digest(raw)], digest(raw)) == raw

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(os.listdir("/proc/self/fd")) <= before + 4
    reader.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_damage_names_pack_offset_and_chunk(folder, make_store):
    store = make_store(cache_bytes=0)
    raw = os.urandom(9_000)
    place = fill(store, [raw])[digest(raw)]
    path = path_of(folder, place.pack)
    data = bytearray(path.read_bytes())
    data[place.offset + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged) as caught:
        store.read(place, digest(raw))
    for part in (place.pack.hex(), str(place.offset), digest(raw).hex()):
        assert part in str(caught.value)
    assert store.holds(place, digest(raw))  # the header is as it was
    with open(path, "r+b") as file:
        file.truncate(place.offset + 1_000)
    assert not store.holds(place, digest(raw))


def test_other_files_in_the_folder_are_left_alone(folder, make_store):
    (folder / "notes.txt").write_text("mine")
    (folder / "x.pack").write_text("not a pack")
    (folder / ("0f" * 16 + ".pack")).write_bytes(b"")
    store = make_store()
    fill(store, [b"x"])
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "x.pack").read_text() == "not a pack"


def test_short_chunks_are_asked_for_together(tmp_path: Path) -> None:
    raw = [bytes([n]) * 500 for n in range(40)]
    known = {digest(raw[n]) for n in (3, 17)}
    asked: list[int] = []

    def among(names: Sequence[bytes]) -> set[bytes]:
        asked.append(len(names))
        return known.intersection(names)

    with ChunkStore(str(tmp_path), POOL, writable=True) as store:
        writer = store.writer(among)
        names = [writer.put(chunk) for chunk in raw]
        placed = writer.flush()
        assert writer.reused == known
        assert set(placed) == set(names) - known
        assert asked == [40]
        assert [store.read(placed[n], n) for n in placed] == [
            chunk for chunk, name in zip(raw, names, strict=True) if name not in known
        ]
        # Gone meanwhile: written at the next put.
        writer.forget([names[3]])
        known.clear()
        writer.put(raw[3])
        assert set(writer.flush()) == {names[3]}
        writer.close()
