"""Packs: layout, scanning, torn tails, takeover, sealing, and finding every flipped byte."""

from __future__ import annotations

import os
import struct

import google_crc32c
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skypool.codec.compression import decode
from skypool.codec.digest import digest
from skypool.errors import Damaged, StorageError
from skypool.storage.filelayer import LocalFiles
from skypool.storage.pack_layout import block_members, crc32c, make_block
from skypool.storage.pack_scan import PackReader, pack_name, scan_pack, walk
from skypool.storage.pack_verify import verify_pack
from skypool.storage.pack_writer import create_pack, remove_pack, take_over_pack
from skypool.storage.store import ChunkStore

from .conftest import POOL, path_of

FILES = LocalFiles()
SMOOTH = np.arange(3_000, dtype=">f4").tobytes()


def fill(store, chunks, itemsize=4):
    """Store chunks in one commit; return their places."""
    writer = store.writer()
    stream = writer.stream(itemsize)
    for raw in chunks:
        stream.put(raw)
    placed = writer.flush()
    writer.close()
    return placed


class Ranges(list):
    """Collects the damaged ranges of a scan."""

    def __call__(self, start, end):
        self.append((start, end))

    @property
    def bytes(self):
        return sum(end - start for start, end in self)


def packs(folder):
    return sorted(folder.glob("*.pack"))


def read_by_the_book(data: bytes) -> dict[bytes, bytes]:
    """Read a pack with nothing but the text of docs/format/packs.md."""
    assert data[:8] == bytes.fromhex("53 4B 59 50 41 43 4B 0A")
    assert struct.unpack_from("<I", data, 8) == (1,)
    assert data[12:28] == POOL
    assert data[52:60] == bytes(8)
    assert struct.unpack_from("<I", data, 60)[0] == google_crc32c.value(data[:60])
    found, index, offset = {}, [], 64
    while offset < len(data) and data[offset : offset + 8] != b"SKYPKEND":
        magic, kind, codec, itemsize, zero, raw, stored, name, crc, check = struct.unpack_from(
            "<4sBBBBQQ32sII", data, offset
        )
        assert magic == bytes.fromhex("8B 53 4B 52")
        assert zero == 0
        assert check == google_crc32c.value(data[offset : offset + 60])
        payload = data[offset + 64 : offset + 64 + stored]
        assert crc == google_crc32c.value(payload)
        assert codec == 2 or itemsize == 1
        content = decode(payload, codec, itemsize, raw)
        assert digest(content) == name
        if kind == 1:
            found[name] = content
            index.append((name, offset, stored + 64, 4294967295, raw))
        elif kind == 2:
            (count,) = struct.unpack_from("<I", content)
            start = 4 + 36 * count
            for number in range(count):
                member, length = struct.unpack_from("<32sI", content, 4 + 36 * number)
                found[member] = content[start : start + length]
                index.append((member, offset, stored + 64, start, length))
                start += length
        else:
            entries = list(struct.iter_unpack("<32sQIII", content))
            assert entries == index
            trailer = data[-32:]
            assert trailer[:8] == b"SKYPKEND"
            assert struct.unpack_from("<QQ", trailer, 8) == (offset, len(index))
            assert trailer[24:28] == bytes(4)
            assert struct.unpack_from("<I", trailer, 28)[0] == google_crc32c.value(trailer[:28])
        end = offset + 64 + stored
        offset = -(-end // 8) * 8
        assert data[end:offset] == bytes(offset - end)
    return found


chunk = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda b, n: b * n, st.binary(min_size=1, max_size=20), st.integers(1, 700)),
    st.builds(lambda seed, n: np.random.default_rng(seed).bytes(n), st.integers(0, 9),
              st.integers(4_090, 9_000)),
)  # fmt: skip


@given(
    commits=st.lists(st.lists(chunk, max_size=12), max_size=5),
    itemsize=st.sampled_from([1, 2, 4, 8]),
    roll=st.sampled_from([4_000, 20_000, 1 << 20]),
    reopen=st.booleans(),
)
@settings(max_examples=60)
def test_what_is_written_is_scanned(tmp_path_factory, commits, itemsize, roll, reopen):
    folder = tmp_path_factory.mktemp("packs")
    store = ChunkStore(folder, POOL, writable=True, roll_bytes=roll)
    placed = {}
    for commit in commits:
        if reopen:
            store.close()
            store = ChunkStore(folder, POOL, writable=True, roll_bytes=roll)
        placed.update(fill(store, commit, itemsize))
    wanted = {digest(raw): raw for commit in commits for raw in commit}
    assert placed.keys() == wanted.keys()
    by_book, scanned = {}, {}
    for path in packs(folder):
        by_book.update(read_by_the_book(path.read_bytes()))
        for use_index in (True, False):
            scanned.update(scan_pack(str(path), use_index=use_index))
        for full in (False, True):
            report = verify_pack(str(path), full, pool=POOL)
            assert report.problems == []
            assert report.reclaimable == 0
    assert by_book == wanted
    assert scanned.keys() == wanted.keys()
    reader = ChunkStore(folder, POOL)
    for name, raw in wanted.items():
        assert store.read(placed[name], name) == raw
        assert reader.read(scanned[name], name) == raw
    store.close()
    reader.close()


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_blocks_round_trip(members):
    raw, starts = make_block([(digest(data), data) for data in members])
    found = block_members(raw)
    assert [start for _, start, _ in found] == starts
    assert [raw[s : s + n] for _, s, n in found] == members
    with pytest.raises(Damaged):
        block_members(raw + b"x")
    with pytest.raises(Damaged):
        block_members(raw[:-1])


def test_crc_is_that_of_the_rfc():
    # RFC 3720, B.4: 32 bytes of zeros, and of ones.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(memoryview(b"\xff" * 32)) == 0x62A8AB43
    big = os.urandom(5_000)
    assert crc32c(memoryview(big)[1:]) == crc32c(big[1:])


def test_names_of_packs(folder):
    assert pack_name("/x/" + "0f" * 16 + ".pack") == b"\x0f" * 16
    for bad in ("x.pack", "0F" * 16 + ".pack", "0f" * 16, "0f" * 15 + ".pack"):
        with pytest.raises(StorageError):
            pack_name(bad)


def test_torn_tail_at_every_byte(folder, make_store, tmp_path):
    store = make_store()
    placed = fill(store, [os.urandom(5_000), SMOOTH])
    end = max(place.end for place in placed.values())
    last = fill(store, [b"tail %d" % n for n in range(3)])
    store.close()
    (path,) = packs(folder)
    data = path.read_bytes()
    assert max(place.end for place in last.values()) == len(data)
    stored = max(place.offset + place.stored for place in last.values())
    for cut in range(end, len(data)):
        path.write_bytes(data[:cut])
        good = placed if cut < stored else {**placed, **last}
        torn = Ranges()
        assert dict(scan_pack(str(path), damaged=torn)) == good
        report = verify_pack(str(path), full=True)
        assert report.problems == []
        if cut < stored:
            assert report.reclaimable == cut - end == torn.bytes
        else:
            assert torn.bytes == 0
        for known in (None, end):
            path.write_bytes(data[:cut])
            writer = take_over_pack(FILES, str(path), POOL, known)
            assert writer is not None
            assert writer.end == (end if cut < stored else len(data))
            writer.release()
            assert path.stat().st_size == (end if cut < stored else min(cut, len(data)))


def test_takeover_goes_on_and_what_was_there_stays(folder, make_store):
    store = make_store()
    placed = fill(store, [SMOOTH, b"small"])
    store.close()
    (path,) = packs(folder)
    with open(path, "ab") as file:
        file.write(os.urandom(777))
    store = make_store()
    more = fill(store, [b"new" * 5_000, b"another"])
    store.close()
    assert packs(folder) == [path]
    assert read_by_the_book(path.read_bytes()).keys() == {*placed, *more}


def test_takeover_leaves_doubtful_packs_alone(folder, make_store):
    store = make_store()
    placed = fill(store, [os.urandom(5_000) for _ in range(3)])
    store.close()
    (path,) = packs(folder)
    data = path.read_bytes()
    end = max(place.end for place in placed.values())
    second = sorted(place.offset for place in placed.values())[1]

    def take(known=None, pool=POOL):
        writer = take_over_pack(FILES, str(path), pool, known)
        if writer is not None:
            writer.release()
        return writer

    assert take(pool=b"another pool's i") is None
    assert take(end + 8) is None  # shorter than what commits refer to
    assert take(end - 3) is None  # nonsense
    for offset in (0, 8, 30, 63):  # the header of the pack
        path.write_bytes(flipped(data, offset))
        assert take() is None
    path.write_bytes(flipped(data, second + 70))  # damage before good records
    assert take() is None
    assert path.read_bytes() == flipped(data, second + 70)
    path.write_bytes(data[:50])
    assert take() is None
    path.unlink()
    assert take() is None


def test_a_locked_pack_is_left_alone(folder, make_store):
    one, two = make_store(), make_store()
    fill(one, [b"one"])
    fill(two, [b"two"])
    assert len(packs(folder)) == 2
    one.close()
    fill(two, [b"more"])
    fill(make_store(), [b"three"])
    assert len(packs(folder)) == 2


def test_roll_and_seal(folder, make_store):
    store = make_store(roll_bytes=50_000)
    chunks = [os.urandom(9_000) for _ in range(20)] + [b"%d" % n for n in range(50)]
    placed = fill(store, chunks)
    assert len(packs(folder)) == 4
    for path in packs(folder):
        data = path.read_bytes()
        assert (data[-32:-24] == b"SKYPKEND") == (len(data) > 50_000)
        assert len(data) < 50_000 + 9_000 + 200 + 52 * 60 + 500
        assert verify_pack(str(path), full=True).sealed == (len(data) > 50_000)
        read_by_the_book(data)
    assert {digest(raw) for raw in chunks} == placed.keys()
    # A sealed pack is never gone on with.
    store.close()
    sealed = {path: path.read_bytes() for path in packs(folder) if path.stat().st_size > 50_000}
    store = make_store(roll_bytes=10**6)
    fill(store, [b"x" * 9_999])
    assert all(path.read_bytes() == data for path, data in sealed.items())


def test_sealing_a_pack_of_several_writers(folder, make_store):
    total = {}
    for number in range(12):
        store = make_store(roll_bytes=50_000)
        total.update(fill(store, [os.urandom(6_000), b"small %d" % number]))
        store.close()
    assert len(packs(folder)) == 2
    found = {}
    for path in packs(folder):
        assert verify_pack(str(path), full=True).problems == []
        read_by_the_book(path.read_bytes())
        found.update(scan_pack(str(path)))
    assert found == total


def test_unfinished_seal_is_taken_over(folder, make_store):
    store = make_store(roll_bytes=20_000)
    placed = fill(store, [os.urandom(9_000) for _ in range(3)])
    store.close()
    path = max(packs(folder), key=lambda p: p.stat().st_size)
    data = path.read_bytes()
    index = struct.unpack_from("<Q", data, len(data) - 24)[0]
    for cut in range(index + 1, len(data)):
        for padding in (0, len(data) - cut):
            torn = data[:cut] + bytes(padding)
            if torn == data:
                continue
            path.write_bytes(torn)
            report = verify_pack(str(path), full=True)
            assert report.problems == [], (cut, padding)
            writer = take_over_pack(FILES, str(path), POOL)
            assert writer is not None
            assert writer.end == index
            writer.release()
    assert dict(scan_pack(str(path))).items() <= placed.items()


def test_unsealed_full_pack_is_sealed_by_the_next(folder, make_store):
    store = make_store(roll_bytes=10**6)
    placed = fill(store, [os.urandom(9_000) for _ in range(5)])
    store.close()
    (path,) = packs(folder)
    end = max(place.end for place in placed.values())
    store = make_store(roll_bytes=20_000, candidates=lambda: [(pack_name(str(path)), end)])
    fill(store, [b"next"])
    store.close()
    assert verify_pack(str(path), full=True).sealed
    assert dict(scan_pack(str(path))) == placed
    assert len(packs(folder)) == 2


def flipped(data: bytes, offset: int, mask: int = 0xFF) -> bytes:
    copy = bytearray(data)
    copy[offset] ^= mask
    return bytes(copy)


@pytest.mark.parametrize("sealed", [False, True])
def test_every_flipped_byte_is_found(folder, make_store, sealed):
    roll = 5_000 if sealed else 10**9
    store = make_store(roll_bytes=roll)
    chunks = [b"abc", b"de" * 400, SMOOTH[:4_100], os.urandom(4_099)]
    placed = fill(store, chunks)
    store.close()
    path = max(packs(folder), key=lambda p: p.stat().st_size)
    pack = pack_name(str(path))
    data = path.read_bytes()
    assert verify_pack(str(path), full=True).sealed == sealed
    inside = {name: place for name, place in placed.items() if place.pack == pack}
    end = max(place.end for place in inside.values())
    wanted = {digest(raw): raw for raw in chunks}
    for offset in range(len(data)):
        path.write_bytes(flipped(data, offset, 1 << offset % 8))
        report = verify_pack(str(path), pool=POOL, committed_end=end)
        assert report.problems, offset
        assert any(p.offset <= offset < max(p.end, p.offset + 64) for p in report.problems)
        reader = ChunkStore(folder, POOL)
        for name, place in inside.items():
            hit = place.offset <= offset < place.offset + place.stored
            try:
                assert reader.read(place, name) == wanted[name]
            except Damaged:
                assert hit
        for use_index in (True, False):
            for name, place in scan_pack(str(path), use_index=use_index):
                try:
                    assert reader.read(place, name) == wanted[name]
                except Damaged:
                    assert place.offset <= offset < place.offset + place.stored
        reader.close()
    path.write_bytes(data)


def test_files_cut_emptied_swapped(folder, make_store, tmp_path):
    for _ in range(2):
        with make_store():
            pass
    one, two = make_store(), make_store()
    first = fill(one, [b"1" * 5_000, SMOOTH])
    second = fill(two, [b"2" * 5_000])
    one.close()
    two.close()
    end = max(place.end for place in first.values())
    path = path_of(folder, next(iter(first.values())).pack)
    other = path_of(folder, next(iter(second.values())).pack)
    data = path.read_bytes()
    for cut in range(0, len(data), 11):
        path.write_bytes(data[:cut])
        # Only padding may be missing.
        assert verify_pack(str(path), committed_end=end).problems or cut > end - 8
    path.write_bytes(other.read_bytes())
    assert "this is the pack" in verify_pack(str(path)).problems[0].what
    path.write_bytes(data)
    wrong = verify_pack(str(path), pool=b"another pool's i").problems
    assert "pool" in wrong[0].what
    path.write_bytes(b"")
    report = verify_pack(str(path))
    assert (report.problems, report.reclaimable) == ([], 0)
    path.unlink()
    reader = ChunkStore(folder, POOL)
    for name, place in first.items():
        with pytest.raises(Damaged, match=place.pack.hex()):
            reader.read(place, name)
    reader.close()


def test_scan_goes_on_behind_damage(folder, make_store):
    store = make_store()
    chunks = [os.urandom(5_000 + n) for n in range(6)]
    placed = fill(store, chunks)
    store.close()
    (path,) = packs(folder)
    places = sorted(placed.items(), key=lambda item: item[1].offset)
    data = bytearray(path.read_bytes())
    for number, at in ((1, 0), (3, 100)):  # a header, and a payload
        offset = places[number][1].offset + at
        data[offset] ^= 1
    path.write_bytes(data)
    ranges = Ranges()
    found = dict(scan_pack(str(path), damaged=ranges))
    assert set(found) == {name for n, (name, _) in enumerate(places) if n not in (1, 3)}
    assert ranges == [(places[n][1].offset, places[n][1].end) for n in (1, 3)]


def test_a_pack_inside_a_pack(folder, make_store):
    """Records that are the content of a chunk are not taken for records of the pack."""
    store = make_store()
    fill(store, [os.urandom(5_000), b"small"])
    (path,) = packs(folder)
    inner = path.read_bytes() + b"\0" * 8 + os.urandom(40_000)
    placed = fill(store, [inner], itemsize=1)
    place = placed[digest(inner)]
    assert place.stored == 64 + len(inner)  # kept raw: the worst case
    names = [name for name, _ in scan_pack(str(path))]
    assert names[-1] == digest(inner)
    assert len(names) == 3
    report = verify_pack(str(path), full=True)
    assert (report.records, report.problems) == (3, [])


def test_resync_finds_records_across_windows(folder, monkeypatch):
    monkeypatch.setattr("skypool.storage.pack_scan._WINDOW", 64)
    writer = create_pack(FILES, str(folder), POOL)
    writer.write_out()
    path = writer.path
    writer.release()
    with open(path, "ab") as file:
        file.write(b"\x8bSKR" * 100)
    store = ChunkStore(folder, POOL, writable=True)
    placed = fill(store, [os.urandom(5_000)])
    store.close()
    with open(path, "rb") as file:
        head = file.read()
    # One pack was cut back and gone on with; put garbage between header and record.
    with open(path, "wb") as file:
        file.write(head[:64] + b"\x8bSKR" * 100 + head[64:])
    (name,) = placed
    with PackReader(FILES, path, 16) as reader:
        found = [type(item).__name__ for item in walk(reader)]
    assert found == ["Gap", "Record"]
    assert [n for n, _ in scan_pack(path)] == [name]


def test_verify_tells_its_progress_and_can_be_stopped(folder, make_store):
    store = make_store()
    fill(store, [os.urandom(50_000) for _ in range(20)])
    (path,) = packs(folder)
    for full in (False, True):
        steps: list[int] = []
        verify_pack(str(path), full, progress=steps.append)
        assert sum(steps) == path.stat().st_size
        assert len(steps) > 10

        def stop(_: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            verify_pack(str(path), full, progress=stop)


def test_full_check_finds_what_crcs_cannot(folder, make_store):
    """A record with good CRCs and another content, as a faulty writer would leave."""
    from skypool.storage.pack_layout import CHUNK, make_record_header

    writer = create_pack(FILES, str(folder), POOL)
    payload = b"p" * 5_000
    writer.append(make_record_header(CHUNK, 0, 1, 5_000, payload, bytes(32)), payload, ())
    writer.append(make_record_header(CHUNK, 1, 1, 5_000, payload, digest(payload)), payload, ())
    writer.sync()
    writer.release()
    assert verify_pack(writer.path).problems == []
    assert len(verify_pack(writer.path, full=True).problems) == 2


def test_only_packs_without_a_writer_are_removed(folder, make_store):
    store = make_store()
    placed = fill(store, [SMOOTH])
    (path,) = packs(folder)
    assert not remove_pack(FILES, str(path))
    store.close()
    reader = ChunkStore(folder, POOL, cache_bytes=0)
    for name, place in placed.items():
        reader.read(place, name)
    assert remove_pack(FILES, str(path))
    assert not remove_pack(FILES, str(path))
    for name, place in placed.items():
        assert reader.read(place, name) == SMOOTH
    reader.close()


def test_a_pack_removed_between_opening_and_locking_is_not_taken_over(folder, make_store):
    store = make_store()
    fill(store, [SMOOTH])
    store.close()
    (path,) = packs(folder)

    class Slow(LocalFiles):
        def lock(self, handle, *, exclusive, wait=0.0):
            path.unlink()
            return super().lock(handle, exclusive=exclusive, wait=wait)

    assert take_over_pack(Slow(), str(path), POOL) is None
