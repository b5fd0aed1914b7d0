"""Where a version is stored, in how many chunks, and with which others it shares them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.commit_changes import names_of, newest_number
from skypool.codec.compression import RAW, SHUFFLE, ZSTD
from skypool.server.facts import label_of
from skypool.server.versions import chunks_of, shares
from skypool.storage.pack_files import PackFiles
from skypool.storage.pack_layout import HEADER_SIZE, read_record_header

if TYPE_CHECKING:
    from skypool.catalogue.interface import ChunkPlace
    from skypool.pool.ref import Ref
    from skypool.pool.view import View

__all__ = ["storage"]

# Others that are looked at for chunks in common, and their chunks, at most.
_MOST_PRODUCTS: Final = 1500
_MOST_CHUNKS: Final = 500_000
# Records whose headers are read to tell how they are compressed.
_MOST_RECORDS: Final = 500
_SHOWN: Final = 100
_CODECS: Final = {RAW: "as it is", ZSTD: "zstd", SHUFFLE: "shuffled, zstd"}


def storage(ref: Ref, label: str) -> dict[str, Any]:
    """Return where a version is: pool, packs, chunks, files in place, and what it shares.

    `shared` are others that have chunks of it: of its own track, beside it under the same
    parents, of names like its own, then the nearest in the order of saving; `looked_at` says how
    many versions that were, `complete` whether it were all.
    """
    view = ref.view
    session = view.session
    mine = chunks_of(ref)
    places = session.catalogue.chunks.places_of_many(list(mine))
    size = shares(places)
    packs = Counter(found[0].pack for found in places.values())
    sources = session.catalogue.sources(ref.row.document)
    shared, looked_at, complete = _shared(ref, mine, size)
    common: set[bytes] = set().union(*(chunks for _, chunks in shared)) if shared else set()
    listed = sorted(shared, key=lambda each: -_total(each[1], size))[:_SHOWN]
    return {
        "pool": session.folder.name,
        "path": session.folder.path,
        "names": names_of(session.catalogue.database, ref.track),
        "hash": ref.hash,
        "file_hash": ref.file_hash,
        "chunks": len(mine),
        "bytes_logical": ref.size,
        "bytes_stored": _total(mine, size),
        "unique": _total(mine - common, size),
        "shared": [
            {
                "ref": label_of(other, label),
                "name": other.name,
                "version": other.version,
                "bytes": _total(chunks, size),
                "chunks": len(chunks),
            }
            for other, chunks in listed
        ],
        "shared_count": len(shared),
        "looked_at": looked_at,
        "complete": complete,
        "packs": [
            {
                "name": f"{pack.hex()}.pack",
                "path": os.path.join(session.folder.packs, f"{pack.hex()}.pack"),
                "chunks": count,
            }
            for pack, count in packs.most_common(_SHOWN)
        ],
        "in_place": [
            {"path": source.path, "size": source.size, "there": os.path.exists(source.path)}
            for source in sources
        ],
        "codecs": _codecs(view, places),
    }


def _total(chunks: Iterable[bytes], size: Mapping[bytes, float]) -> int:
    return round(sum(size.get(chunk, 0.0) for chunk in chunks))


def _shared(
    ref: Ref, mine: set[bytes], size: Mapping[bytes, float]
) -> tuple[list[tuple[Ref, set[bytes]]], int, bool]:
    found: list[tuple[Ref, set[bytes]]] = []
    seen = looked_at = 0
    for other in _others(ref):
        if looked_at >= _MOST_PRODUCTS or seen > _MOST_CHUNKS:
            return found, looked_at, False
        looked_at += 1
        if other.purged:
            continue
        theirs = chunks_of(other)
        seen += len(theirs)
        common = {chunk for chunk in theirs & mine if chunk in size}
        if common:
            found.append((other, common))
    return found, looked_at, True


def _others(ref: Ref) -> Iterator[Ref]:
    """Return other versions of the pool, those that are likely to share first."""
    view = ref.view
    done = {ref.number}
    for number in _likely(ref):
        if number not in done:
            done.add(number)
            yield view.number(number)
    newest = newest_number(view.session.catalogue.database)
    for step in range(1, max(ref.number, newest - ref.number) + 1):
        near = [n for n in (ref.number + step, ref.number - step) if 0 < n <= newest]
        rows = view.identity.numbered_all([n for n in near if n not in done], view.at)
        yield from (view.ref(rows[number]) for number in near if number in rows)


def _likely(ref: Ref) -> Iterator[int]:
    view = ref.view
    yield from (version.number for version in reversed(ref.versions))
    for parent in reversed(ref.parents):
        yield parent.number
        for child in view.identity.refs(parent.number):
            if child.child is not None:
                yield child.child
    hashed = ref.row.document
    yield from (row.urn for row in view.identity.hashed(hashed, hashed, view.at))
    if ref.file_hash is not None:
        same = bytes.fromhex(ref.file_hash)
        yield from (row.urn for row in view.identity.hashed(same, same, view.at))


def _codecs(view: View, places: Mapping[bytes, list[ChunkPlace]]) -> dict[str, int]:
    """Return how many records are compressed how, as their headers say."""
    records = sorted({(found[0].pack, found[0].offset) for found in places.values()})
    folder = view.session.folder
    packs = PackFiles(folder.files, folder.packs)
    counted: Counter[str] = Counter()
    try:
        for pack, offset in records[:_MOST_RECORDS]:
            try:
                header = read_record_header(packs.pread(pack, offset, HEADER_SIZE))
            except FileNotFoundError:
                header = None
            known = "missing" if header is None else _CODECS.get(header.codec, "unknown")
            counted[known] += 1
    finally:
        packs.clear()
    return dict(counted)
