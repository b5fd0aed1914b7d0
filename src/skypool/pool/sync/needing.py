"""How much a transfer takes, found out before anything is copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.chunks import chunk_key
from skypool.codec.documents import loads
from skypool.errors import Damaged
from skypool.pool.reaching import reached
from skypool.storage.pack_layout import aligned

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["needed_bytes"]

_AT_ONCE = 4096
# What a chunk in a block takes beside its bytes.
_MEMBER = 36


def needed_bytes(source: Session, target: Session, versions: Iterable[Mapping[str, Any]]) -> int:
    """Return what the target lacks of what version entries need, as it is stored in the source.

    Parameters
    ----------
    source, target
        The pools.
    versions
        Version entries of the log.
    """
    total = 0
    batch: list[bytes] = []
    for digest in _missing(source, versions):
        batch.append(digest)
        if len(batch) >= _AT_ONCE:
            total += _stored(source, target, batch)
            batch = []
    return total + _stored(source, target, batch)


def _missing(source: Session, versions: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    seen: set[int] = set()
    given_up = source.catalogue.given_up()
    for version in versions:
        name = bytes.fromhex(version["document"])
        if name in given_up or chunk_key(name) in seen:
            continue
        try:
            document = loads(source.fetch(name))
            parts = [name, *reached(document, source.fetch)]
        except Damaged:
            continue  # the transfer tells of it
        for part in parts:
            for at in range(0, len(part), 32):
                digest = part[at : at + 32]
                key = chunk_key(digest)
                if key not in seen:
                    seen.add(key)
                    yield digest


def _stored(source: Session, target: Session, digests: list[bytes]) -> int:
    known = set(target.catalogue.known(digests))
    lacking = [digest for digest in digests if digest not in known]
    total = 0
    for places in source.catalogue.chunks.places_of_many(lacking).values():
        place = places[0]
        alone = place.member is None
        total += aligned(place.stored) if alone else place.length + _MEMBER
    return total
