"""Copying chunks between pools: nothing twice, nothing damaged, little memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import skypool as sp
from skypool.pool.copying import PoolChunks, RawRecord, copy_chunks
from skypool.pool.pool import Pool
from skypool.storage.interface import Writer

from .pools import noise, packs_of


@pytest.fixture
def pools(tmp_path: Path) -> Iterator[tuple[Pool, Pool]]:
    with sp.Pool(tmp_path / "a", mode="x") as a, sp.Pool(tmp_path / "b", mode="x") as b:
        yield a, b


def stored(pool: Pool, *chunks: bytes) -> list[bytes]:
    """Store chunks without a product, as an interrupted commit does."""
    session = pool.view.session
    writer = session.writer()
    names = [writer.put(chunk) for chunk in chunks]
    session.stage(writer, ())
    writer.close()
    return names


def copied(a: Pool, b: Pool, names: list[bytes]) -> tuple[list[bytes], int, int]:
    session = b.view.session
    writer = session.writer()
    source = PoolChunks(a.view.session)
    report = copy_chunks(source, writer, session.store.threads(), names)
    session.stage(writer, ())
    writer.close()
    return report.missing, report.chunks, report.size


def test_chunks_arrive_as_they_were_stored(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    chunks = [noise(n, 100_000) + bytes(100_000) for n in range(40)]
    chunks += [noise(n, 40 + n) for n in range(300)]
    names = stored(a, *chunks)
    missing, count, size = copied(a, b, names)
    assert (missing, count) == ([], len(chunks))
    assert [b.view.session.fetch(name) for name in names] == chunks
    assert b.verify().ok
    (pack_a,), (pack_b,) = packs_of(a.path), packs_of(b.path)
    assert abs(pack_a.stat().st_size - pack_b.stat().st_size) < 100
    assert size < pack_a.stat().st_size


def test_what_is_there_does_not_come_again(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    chunks = [noise(n, 50_000) for n in range(20)] + [noise(n, 100) for n in range(50)]
    names = stored(a, *chunks)
    copied(a, b, names[:10] + names[20:30])
    _, count, size = copied(a, b, names)
    assert count == 50
    assert size < 10 * 51_000 + 50 * 140 + 200
    assert copied(a, b, names) == ([], 0, 0)
    assert [b.view.session.fetch(name) for name in names] == chunks


def test_part_of_a_block_brings_only_that_part(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    names = stored(a, *[noise(n, 3000) for n in range(15)])
    copied(a, b, names[3:5])
    assert b.view.session.fetch(names[3]) == noise(3, 3000)
    (pack,) = packs_of(b.path)
    assert pack.stat().st_size < 7000


def test_damage_is_seen_on_arrival(pools: tuple[Pool, Pool]) -> None:
    """And the other place of a chunk, if there is one, serves."""
    a, b = pools
    names = stored(a, *[noise(n, 50_000) for n in range(6)])
    places = [a.view.session.catalogue.places(name)[0] for name in names]
    (pack,) = packs_of(a.path)
    session = a.view.session
    again = session.writer()
    again._known = None  # type: ignore[attr-defined]
    again.put(noise(4, 50_000))
    session.stage(again, ())
    again.close()
    with pack.open("r+b") as file:
        for number, shift in ((2, 10), (4, 5000)):
            file.seek(places[number].offset + shift + 20)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 1]))
    missing, count, _ = copied(a, b, names)
    assert missing == [names[2]]
    assert count == 5
    assert b.view.session.fetch(names[4]) == noise(4, 50_000)


class Spoiling(PoolChunks):
    """A connection that flips one byte of every record."""

    def records(self, digests: list[bytes]) -> Iterator[RawRecord]:  # type: ignore[override]
        for number, record in enumerate(super().records(digests)):
            payload = bytearray(record.payload)
            payload[number % len(payload)] ^= 0x10
            yield record._replace(payload=bytes(payload))


def test_damage_on_the_way_is_healed_by_asking_again(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    chunks = [noise(n, 30_000) for n in range(5)] + [noise(n, 99) for n in range(9)]
    names = stored(a, *chunks)
    session = b.view.session
    writer = session.writer()
    source = Spoiling(a.view.session)
    assert not copy_chunks(source, writer, session.store.threads(), names).missing
    session.stage(writer, ())
    writer.close()
    assert [session.fetch(name) for name in names] == chunks
    assert b.verify().ok


def test_a_pack_moved_away_during_the_copy_is_found_again(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    names = stored(a, *[noise(n, 30_000) for n in range(5)])
    writer: Writer = b.view.session.writer()

    class Moving(PoolChunks):
        def records(self, digests: list[bytes]) -> Iterator[RawRecord]:  # type: ignore[override]
            yield from itertools.islice(super().records(digests), 2)

    report = copy_chunks(Moving(a.view.session), writer, b.view.session.store.threads(), names)
    b.view.session.stage(writer, ())
    writer.close()
    assert (report.missing, report.chunks) == ([], 5)
