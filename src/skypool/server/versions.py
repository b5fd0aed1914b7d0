"""The versions of a product, what each added, its history and provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import Damaged, Purged
from skypool.pool.history import Commit
from skypool.pool.reaching import reached
from skypool.server.facts import label_of

if TYPE_CHECKING:
    from skypool.catalogue.interface import ChunkPlace
    from skypool.pool.ref import Ref

__all__ = ["chunks_of", "history", "provenance", "shares", "stored_bytes", "versions"]

# Chunks that are looked at to tell what versions added; beyond, nobody is told.
_MOST_CHUNKS: Final = 400_000
_MOST_PRODUCTS: Final = 20_000
_SIZE: Final = 32


def versions(ref: Ref, label: str) -> list[dict[str, Any]]:
    """Return the versions of a product, the newest first.

    `added_bytes` is what a version and all below it take in the packs that the versions before
    it had not; null where that would be too much to look at.
    """
    listed = ref.versions
    added = _added(listed)
    rows = []
    for each in listed:
        commit = each.view.identity.commit(each.commit)
        rows.append(
            {
                "ref": label_of(each, label),
                "version": each.version,
                "saved": each.saved,
                "author": commit.author if commit else "",
                "message": commit.message if commit else "",
                "commit": each.commit,
                "tags": list(each.tags),
                "size": each.size,
                "total_size": each.total_size,
                "hash": each.hash,
                "purged": each.purged,
                "added_bytes": added.get(each.number),
                "current": each.number == ref.number,
            }
        )
    return rows[::-1]


def _added(listed: list[Ref]) -> dict[int, int]:
    """Return the bytes that each version added, as far as the bound allows."""
    found: dict[int, int] = {}
    numbers: set[int] = set()
    chunks: set[bytes] = set()
    for ref in listed:
        below = [number for number, _, _ in ref.view.identity.descendants(ref.number)]
        fresh = [number for number in (ref.number, *below) if number not in numbers]
        numbers.update(fresh)
        if len(numbers) > _MOST_PRODUCTS:
            break
        new: set[bytes] = set()
        for number in fresh:
            new.update(chunks_of(ref.view.number(number)) - chunks)
        chunks |= new
        if len(chunks) > _MOST_CHUNKS:
            break
        found[ref.number] = stored_bytes(ref, new)
    return found


def chunks_of(ref: Ref) -> set[bytes]:
    """Return the digests of what a version is made of, its document among them."""
    found = {ref.row.document}
    try:
        for run in reached(ref.document, ref.view.session.fetch):
            found.update(run[at : at + _SIZE] for at in range(0, len(run), _SIZE))
    except (Damaged, Purged):  # told where it is read; what is there counts
        pass
    return found


def shares(places: Mapping[bytes, list[ChunkPlace]]) -> dict[bytes, float]:
    """Return what each chunk takes in the packs: of those that share a record, by their length."""
    together: Counter[tuple[bytes, int]] = Counter()
    for found in places.values():
        if found[0].member is not None:
            together[found[0].pack, found[0].offset] += found[0].length
    size = {}
    for chunk, (place, *_) in places.items():
        if place.member is None:
            size[chunk] = float(place.stored)
        else:
            # The record may hold chunks of others too: never more than the chunk itself.
            whole = max(together[place.pack, place.offset], place.stored)
            size[chunk] = place.length * min(1.0, place.stored / whole)
    return size


def stored_bytes(ref: Ref, chunks: set[bytes]) -> int:
    """Return what chunks take in the packs."""
    places = ref.view.session.catalogue.chunks.places_of_many(list(chunks))
    return round(sum(shares(places).values()))


def history(ref: Ref) -> list[dict[str, Any]]:
    """Return the commits that concern a product, the newest first."""
    rows = ref.view.identity.commits(ref.view.at, ref.track)
    return [
        {
            "commit": commit.number,
            "time": commit.time,
            "author": commit.author,
            "message": commit.message,
            "changes": dict(commit.changes),
        }
        for commit in map(Commit.of, rows)
    ]


def provenance(ref: Ref) -> dict[str, Any]:
    """Return what was done to make a product: tasks with parameters, script, lines of history."""
    product = ref.product
    found = product.provenance
    lines = list(product.history)
    if found is None:
        return {"tasks": [], "parameters": [], "script": [], "output": "", "lines": lines}
    return {
        "tasks": [
            {"number": task.number, "name": task.name, "time": task.time, "build": task.build}
            for task in found.tasks
        ],
        "parameters": [
            {
                "task": task.number,
                "name": parameter.name,
                "type": parameter.type,
                "value": parameter.value,
                "default": parameter.default,
            }
            for task in found.tasks
            for parameter in task.parameters
        ],
        "script": list(found.script),
        "output": found.output,
        "lines": lines,
    }
