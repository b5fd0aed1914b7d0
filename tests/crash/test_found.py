"""What the enumeration of crash states found, each as a test of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue.database import CatalogueVersion
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.errors import PoolNotFound
from skypool.storage.filelayer import LocalFiles
from skypool.storage.pack_layout import TRAILER_SIZE
from skypool.storage.pack_scan import scan_pack
from skypool.storage.pack_verify import verify_pack
from skypool.storage.pack_writer import PackWriter, create_pack
from skypool.storage.store import ChunkStore
from skypool.testing.crash.checking import product
from skypool.testing.crash.model import Model
from skypool.testing.crash.recording import Recorder
from skypool.testing.crash.replay import Disk
from skypool.testing.crash.sqlite import can_trace
from skypool.testing.crash.trace import Do


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as made:
        made.save(product(np.arange(5000.0)), name="a")
        yield made


def the_pack(pool: sp.Pool) -> Path:
    (path,) = Path(pool.path, "packs").iterdir()
    return path


@pytest.mark.skipif(not can_trace(), reason="this Python hides the functions of its SQLite")
def test_an_index_waits_for_its_records(tmp_path: Path) -> None:
    """A trailer without the records that its index names: a rebuild would believe it."""
    for name in ("disk", "pins"):
        (tmp_path / name).mkdir()
    with Recorder(str(tmp_path / "disk"), str(tmp_path / "pins"), Model()) as recorder:
        store = ChunkStore(
            tmp_path / "disk", b"p" * 16, recorder.files, writable=True, roll_bytes=20_000
        )
        with store, store.writer() as writer:
            for seed in range(3):
                writer.put(np.random.default_rng(seed).bytes(9_000))
            writer.flush()
    trace, disk = recorder.trace, Disk(recorder.trace)
    trailers = 0
    for number, step in enumerate(trace.steps):
        disk.play(number)
        if step.do is Do.WRITE and step.data.startswith(b"SKYPKEND"):
            assert len(step.data) == TRAILER_SIZE
            pending = {trace.steps[n].path for n in disk.pending_contents()}
            assert step.path not in pending
            trailers += 1
    assert trailers == 1


def test_a_trailer_on_two_sectors(tmp_path: Path) -> None:
    """Only the second of them arrived: the seal was not finished, nothing is damaged."""
    rng = np.random.default_rng(3)
    tried = 0
    for size in range(5_000, 5_600, 8):
        pack = create_pack(LocalFiles(), str(tmp_path), b"p" * 16)
        _append(pack, rng.bytes(size))
        end = pack.end
        pack.seal()
        pack.sync()
        pack.release()
        data = Path(pack.path).read_bytes()
        trailer = len(data) - TRAILER_SIZE
        sector = -(-trailer // 512) * 512
        if trailer < sector < len(data):
            tried += 1
            torn = data[:trailer] + bytes(sector - trailer) + data[sector:]
            Path(pack.path).write_bytes(torn)
            report = verify_pack(pack.path, full=True, committed_end=end)
            assert (report.problems, report.sealed) == ([], False)
            # Any other byte of it that is not as it was is damage.
            Path(pack.path).write_bytes(torn[:-1] + bytes([torn[-1] ^ 1]))
            assert verify_pack(pack.path, full=True, committed_end=end).problems
    assert tried


def _append(pack: PackWriter, payload: bytes) -> None:
    from skypool.codec.digest import digest
    from skypool.storage.pack_layout import CHUNK, make_record_header

    name = digest(payload)
    header = make_record_header(CHUNK, 0, 1, len(payload), payload, name)
    pack.append(header, payload, [(name, None, len(payload))])


def _crashed(pool: sp.Pool, *lost: slice, chunks: int = 2) -> list[bytes]:
    """Write chunks of a commit that never happens, then take bytes of them away."""
    path = the_pack(pool)
    before = path.stat().st_size
    store = pool.view.session.store
    writer = store.writer()
    data = [np.random.default_rng(100 + n).bytes(10_000) for n in range(chunks)]
    for piece in data:
        writer.put(piece)
    writer.flush()
    writer.close()
    pool.close()
    content = bytearray(path.read_bytes())
    for part in lost:
        start, stop = before + part.start, before + part.stop
        content[start:stop] = bytes(stop - start)
    path.write_bytes(content)
    return data


def test_records_behind_a_hole_get_no_place(pool: sp.Pool) -> None:
    """Else a later commit reuses them, and the hole is damage for ever."""
    data = _crashed(pool, slice(0, 512))
    with sp.Pool(pool.path) as again:
        again.reindex()
        assert again.verify().ok
        known = again.view.session.catalogue.known
        from skypool.codec.digest import digest

        assert not set(known([digest(piece) for piece in data]))
        for number, piece in enumerate(data):
            again.save(product(np.frombuffer(piece, np.uint8)), name=f"b/{number}")
        assert again.verify().ok
    with sp.Pool(pool.path) as again:
        for number, piece in enumerate(data):
            found = np.asarray(again[f"b/{number}"].product["x"])
            np.testing.assert_array_equal(found, np.frombuffer(piece, np.uint8))


def test_needed_records_behind_damage_stay(pool: sp.Pool) -> None:
    """A hole in the midst of what was committed is damage; what is behind it is not lost."""
    pool.save(product(np.arange(9000.0)), name="b")
    path = the_pack(pool)
    pool.close()
    content = bytearray(path.read_bytes())
    content[64:128] = bytes(64)
    path.write_bytes(content)
    with sp.Pool(path.parent.parent) as again:
        again.reindex()
        np.testing.assert_array_equal(np.asarray(again["b"].product["x"]), np.arange(9000.0))
        assert not again.verify().ok


def test_no_torn_record_gets_into_an_index(tmp_path: Path) -> None:
    """Of a pack that is taken over: a rebuild would offer it to later commits."""
    store = ChunkStore(tmp_path, b"p" * 16, writable=True)
    with store, store.writer() as writer:
        for seed in range(2):
            writer.put(np.random.default_rng(seed).bytes(9_000))
        places = writer.flush()
    torn, good = sorted(places.items(), key=lambda item: item[1].offset)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[torn[1].offset + 1000 : torn[1].offset + 2000] = bytes(1000)
    path.write_bytes(content)
    # The catalogue knows the second one alone, after it was rebuilt.
    ends = [(bytes.fromhex(path.stem), good[1].offset + good[1].stored)]
    from skypool.storage.interface import PackEnd

    store = ChunkStore(
        tmp_path,
        b"p" * 16,
        writable=True,
        roll_bytes=20_000,
        candidates=lambda: [PackEnd(name, -(-end // 8) * 8) for name, end in ends],
    )
    with store, store.writer() as writer:
        writer.put(np.random.default_rng(5).bytes(9_000))
        writer.flush()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    listed = [digest for digest, _ in scan_pack(str(path))]
    assert good[0] in listed
    assert torn[0] not in listed


def test_a_pool_without_any_commit_is_none_to_read(tmp_path: Path) -> None:
    """Its maker died, or is at it: there were tables of "another version of skypool" before."""
    path = tmp_path / "pool"
    with sp.Pool(path, mode="x"):
        pass
    for name in os.listdir(path):
        if name.startswith("catalogue"):
            (path / name).unlink()
    with pytest.raises(PoolNotFound, match="nothing was saved"):
        sp.Pool(path, mode="r")
    (path / "catalogue.sqlite").touch()
    with pytest.raises(PoolNotFound, match="nothing was saved"):
        sp.Pool(path, mode="r")


def test_a_catalogue_that_does_not_open_is_closed(tmp_path: Path) -> None:
    """Its file stayed open, and SQLite's locks with it."""
    path = tmp_path / "catalogue.sqlite"
    path.touch()
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with pytest.raises(CatalogueVersion) as caught:
        SqliteCatalogue(str(path), writable=False)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == len(before)
    del caught
