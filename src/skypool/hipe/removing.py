"""Removal of versions, with the references that others have to them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from skypool.model.kinds import is_context
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.hipe.pools import ProductPool

__all__ = ["forget", "purge", "referrers", "remove", "versions_of"]

# What the history says where an older version became the newest again.
_BACK = "go back to "
_log = logging.getLogger(__name__)


def referrers(ref: Ref) -> list[Ref]:
    """Return the versions in view that refer to a version."""
    return [parent for parent in ref.parents if not parent.purged and parent.row.name is not None]


def remove(pool: ProductPool, ref: Ref, *, recursive: bool) -> list[Ref]:
    """Remove a version, and with *recursive* what is below it and nobody else refers to.

    Returns
    -------
    list of Ref
        What was removed: nothing if others refer to it.
    """
    if referrers(ref):
        _log.warning(
            "%s was not removed from the pool, as other contexts refer to it: %s",
            ref.urn,
            ", ".join(parent.urn for parent in referrers(ref)),
        )
        return []
    going = {ref.number: ref}
    if recursive:
        _collect(ref, going)
    forget(pool, list(going.values()))
    return list(going.values())


def _collect(ref: Ref, going: dict[int, Ref]) -> None:
    """Take in all that is below, but what others refer to, and what that refers to."""
    below: dict[int, Ref] = {}
    waiting = [ref]
    while waiting:
        for child in waiting.pop().refs.values():
            if isinstance(child, Ref) and child.number not in below:
                below[child.number] = child
                if is_context(child.kind):
                    waiting.append(child)
    going.update(below)
    spared = True
    while spared:
        spared = False
        for number, child in below.items():
            if number in going and any(p.number not in going for p in referrers(child)):
                del going[number]
                spared = True
                _log.warning(
                    "%s was not removed from the pool, as other contexts refer to it", child.urn
                )


def forget(pool: ProductPool, refs: list[Ref]) -> None:
    """Remove versions: whole products from view, single versions of others for good.

    Of a product that keeps other versions the newest of those becomes the newest again.
    """
    core = pool.pool
    tracks: dict[int, list[Ref]] = {}
    for ref in refs:
        tracks.setdefault(ref.track, []).extend(_same(ref))
    whole, parts = [], []
    for group in tracks.values():
        gone = {ref.number for ref in group}
        left = [old for old in group[0].versions if not old.purged and old.number not in gone]
        if not left:
            whole.append(group[0])
            continue
        parts += group
        if group[0].latest.number in gone:
            # The newest cannot be given up: the one before it takes its place as the newest.
            core.save(left[-1].product.replace(), message=f"{_BACK}{left[-1].urn}")
    with core.commit(f"remove {', '.join(ref.urn for ref in refs)[:200]}") as commit:
        for ref in whole:
            commit.remove(ref, alone=True)
        for ref in [ref for group in tracks.values() for ref in group]:
            if ref.tags:
                commit.untag(ref, *ref.tags)
    _give_up(pool, parts)


def versions_of(ref: Ref) -> list[Ref]:
    """Return the versions of a product that were not given up, oldest first.

    One that took the place of the newest again stands there alone.
    """
    kept = [old for old in ref.versions if not old.purged]
    return [old for old in kept if _same(old)[-1].number == old.number]


def _same(ref: Ref) -> list[Ref]:
    """Return the versions that are a version: itself, and itself as the newest again."""
    found = [ref]
    for other in ref.versions:
        if other.number != ref.number and other.hash == ref.hash and not other.purged:
            newer = max(other, ref, key=lambda version: version.number)
            commit = newer.view.identity.commit(newer.commit)
            if commit is not None and commit.message.startswith(_BACK):
                found.append(other)
    return sorted(found, key=lambda version: version.number)


def _give_up(pool: ProductPool, refs: list[Ref]) -> None:
    if refs:
        with pool.pool.commit(f"purge {', '.join(ref.urn for ref in refs)[:200]}") as commit:
            commit.purge(refs)


def purge(pool: ProductPool, ref: Ref, keep: int) -> list[Ref]:
    """Give up old versions of a product but the newest *keep* ones, tagged or referred to.

    Returns
    -------
    list of Ref
        Those that were given up.
    """
    versions = [old for old in ref.versions if not old.purged]
    old = versions[: max(0, len(versions) - keep)]
    free = [version for version in old if not version.tags and not referrers(version)]
    _give_up(pool, free)
    return [version for version in free if pool.pool.view.number(version.number).purged]
