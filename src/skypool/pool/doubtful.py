"""Good records behind bad bytes of a pack, as a rebuild of the catalogue finds them.

A power cut may take any part of what was not synced. What is left of a commit that never
happened can be a hole with good records behind it; no writer goes on there. Were these records
given places, later commits could reuse them, and the hole would be damage for ever. So they
keep places only if a version needs them: then the bytes before them were good once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from skypool.catalogue.interface import ChunkPlace
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.codec.documents import loads
from skypool.errors import Damaged
from skypool.pool.reaching import reached
from skypool.storage.filelayer import FileLayer
from skypool.storage.pack_scan import scan_pack
from skypool.storage.store import ChunkStore, Location

__all__ = ["Placed", "drop_unneeded", "scanned"]

Placed = tuple[bytes, ChunkPlace]


def scanned(path: str, files: FileLayer) -> Iterator[tuple[bytes, ChunkPlace, bool]]:
    """Yield the good records of a pack.

    Parameters
    ----------
    path
        The pack.
    files
        The file layer.

    Yields
    ------
    digest : bytes
    place : ChunkPlace
    doubtful : bool
        Whether bytes before it are bad.
    """
    bad: list[int] = []
    for digest, at in scan_pack(path, files, damaged=lambda start, _: bad.append(start)):
        place = ChunkPlace(at.pack, at.offset, at.stored, at.member, at.length)
        yield digest, place, bool(bad)


def drop_unneeded(catalogue: SqliteCatalogue, store: ChunkStore, found: Sequence[Placed]) -> None:
    """Forget places that no version needs.

    Parameters
    ----------
    catalogue
        With all places, and all commits of the log.
    store
        The packs.
    found
        Digest and place of the doubtful records.
    """
    unneeded = {digest for digest, _ in found}

    def fetch(digest: bytes) -> bytes:
        for place in catalogue.places(digest):
            with contextlib.suppress(Damaged):
                return store.read(Location(*place), digest)
        raise Damaged(f"the chunk {digest.hex()} is not in any pack")

    for name in catalogue.live_documents() if found else ():
        unneeded.discard(name)
        try:
            for digests in reached(loads(fetch(name)), fetch):
                unneeded.difference_update(
                    digests[at : at + 32] for at in range(0, len(digests), 32)
                )
        except Damaged:
            return  # what it needs is not known: nothing is forgotten
    places = [(digest, place) for digest, place in found if digest in unneeded]
    if places:
        catalogue.unstage(places)
