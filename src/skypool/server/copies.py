"""Copying products into another pool: files byte for byte, trees whole, tags with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.pool.ref import Ref
from skypool.pool.view import View

if TYPE_CHECKING:
    from skypool.codec.sinks import Fetch
    from skypool.pool.pool import Pool
    from skypool.server.jobs import Job
    from skypool.server.selections import Selected

__all__ = ["Copied", "copy_products"]


@dataclass
class Copied:
    """What was copied.

    Attributes
    ----------
    commit : int or None
        The commit of the other pool; None where it had all already.
    refs : list of Ref
        The versions there.
    unchanged : int
        Products that it had, as they are.
    """

    commit: int | None = None
    refs: list[Ref] = field(default_factory=list)
    unchanged: int = 0


class _Watched(View):
    """A pool whose reading tells how far it is, and ends where the job is cancelled."""

    def __init__(self, view: View, job: Job, total: int) -> None:
        super().__init__(view.session, view.at)
        self._job, self._total = job, total
        self._done = 0
        self.name = ""

    def fetch_for(self, ref: Ref) -> Fetch:
        fetch = super().fetch_for(ref)

        def told(digest: bytes) -> bytes:
            chunk = fetch(digest)
            self._done += len(chunk)
            self._job.tell(min(self._done, self._total), self._total, "bytes", ref.name)
            return chunk

        return told


def copy_products(
    job: Job, parts: Sequence[Selected], target: Pool, tags: Sequence[str], message: str
) -> Copied:
    """Copy versions into another pool in one commit, under their names, with their tags and more.

    A name that the pool has continues there as a new version; what it has as it is gets the tags
    only.
    """
    copied = Copied()
    with target.commit(message) as commit:
        saved: list[Any] = []
        for part in parts:
            total = sum(ref.total_size for ref in part.refs())
            view = _Watched(part.pool.view, job, total)
            for ref in part.refs():
                job.check()
                labels = [*ref.tags, *tags]
                there = _same(target, ref)
                if there is not None:
                    copied.unchanged += 1
                    copied.refs.append(there)
                    if labels:
                        commit.tag(there, *labels)
                    continue
                product = Ref(view, ref.row).product
                saved.append(commit.save(product, ref.name, labels))
    copied.refs += [pending.ref for pending in saved]
    if commit.published is not None:
        copied.commit = commit.published.commit
    return copied


def _same(target: Pool, ref: Ref) -> Ref | None:
    """Return the newest version of that name in a pool, if it is this version."""
    if not target.exists:
        return None
    view = target.view
    track = view.identity.named(ref.name, view.at)
    row = None if track is None else view.identity.latest(track, view.at)
    if row is None or row.document != ref.row.document:
        return None
    found = view.ref(row)
    return found if _tree(found) == _tree(ref) else None


def _tree(ref: Ref) -> list[Any]:
    """Return what tells trees apart: roles and documents of all below."""
    return [(role, _shape(child)) for role, child in ref.refs.items()]


def _shape(child: Any) -> Any:
    if not isinstance(child, Ref):
        return child.text
    below: Iterable[Any] = _tree(child)
    return child.row.document, tuple(below)
