"""Where the space of a pool goes: what its parts need alone, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from skypool.catalogue.usage import Usage, VersionPlace
from skypool.codec.documents import loads
from skypool.errors import UsageError
from skypool.pool.progress import OnProgress, Progress

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.view import View

__all__ = ["By", "PartUsage", "PoolUsage", "usage"]

By = Literal["name", "kind", "type", "version"]


@dataclass(frozen=True, slots=True)
class PartUsage:
    """What one part of a pool takes.

    Attributes
    ----------
    part : str
        What it is called.
    versions : int
        Versions in it.
    logical : int
        Size of their products, as if each were a file.
    stored : int
        Stored bytes that it needs.
    unique : int
        Those of them that no other part needs: what `gc` would give back without it.
    """

    part: str
    versions: int
    logical: int
    stored: int
    unique: int

    @property
    def shared(self) -> int:
        """Stored bytes that it needs and other parts need too."""
        return self.stored - self.unique


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """What the parts of a pool take, the one that needs most first.

    Attributes
    ----------
    parts : tuple of PartUsage
    stored : int
        Stored bytes that they need together; what they share counts once.
    """

    parts: tuple[PartUsage, ...]
    stored: int


def usage(
    view: View,
    by: By = "name",
    below: Ref | str | None = None,
    depth: int = 1,
    on_progress: OnProgress | None = None,
) -> PoolUsage:
    """Tell what parts of a pool take.

    Parameters
    ----------
    view
        The pool.
    by
        What makes the parts: the first *depth* parts of the names, kinds, types, or versions:
        without a product what is newest, older or removed; with one each of its versions, with
        all that it refers to.
    below
        Only a product and what is named below it. What it shares with products elsewhere does not
        count as its own.
    depth
        How many parts of a name below that.
    on_progress
        Told how far the work is.

    Raises
    ------
    UsageError
        If these do not go together.
    """
    if depth < 1:
        raise UsageError(f"a depth is at least 1, and not {depth}")
    if by not in ("name", "kind", "type", "version"):
        raise UsageError(f"usage goes by name, kind, type or version, not {by!r}")
    called = below if isinstance(below, str) or below is None else below.name
    with Usage(view.session.catalogue.database) as tables:
        if by == "version" and below is not None and not isinstance(below, str):
            parts = _of_versions(tables, view, below)
        else:
            parts = _of_pool(tables, view, _partition(by, called or "", depth))
        _reach(tables, view, on_progress)
        stored, sizes = tables.bytes()
        needed = [
            PartUsage(name, count, size, *sizes.get(number, (0, 0)))
            for number, (name, count, size) in parts.items()
            if number
        ]
        if 0 in parts:  # what lies elsewhere counts for what is shared, and not for the sum
            stored -= sizes[0].unique if 0 in sizes else 0
    needed.sort(key=lambda part: (-part.stored, part.part))
    if by == "version" and below is not None:
        needed.sort(key=lambda part: int(part.part.rpartition("@")[2]), reverse=True)
    return PoolUsage(tuple(needed), stored)


# Number of a part: what it is called, its versions, and their size; 0 is all that is elsewhere.
_Parts = dict[int, tuple[str, int, int]]


def _partition(by: By, below: str, depth: int) -> Callable[[VersionPlace], str | None]:
    """Return what says in which part a version is; None is elsewhere."""
    above = f"{below}/" if below else ""

    def part(place: VersionPlace) -> str | None:
        inside = not below or place.name == below or place.name.startswith(above)
        if not inside:
            return None
        if by == "kind":
            return place.kind
        if by == "type":
            return place.type
        if by == "version":
            return "removed" if place.removed else "newest" if place.newest else "older"
        rest = place.name[len(above) :].split("/")[:depth] if place.name != below else []
        return above + "/".join(rest) if rest else below

    return part


def _of_pool(tables: Usage, view: View, partition: Callable[[VersionPlace], str | None]) -> _Parts:
    numbers: dict[str | None, int] = {None: 0}
    parts: _Parts = {}

    def pairs() -> Iterator[tuple[int, int]]:
        for place in tables.versions(view.at):
            called = partition(place)
            number = numbers.setdefault(called, len(numbers))
            name, count, size = parts.get(number, (called or "", 0, 0))
            parts[number] = (name, count + 1, size + place.size)
            yield place.document, number

    tables.share(pairs())
    return parts


def _of_versions(tables: Usage, view: View, ref: Ref) -> _Parts:
    """Make each version of a product, with all that it refers to, a part."""
    parts: _Parts = {}
    mine: set[int] = set()
    for row in view.identity.track_versions(ref.track, view.at):
        if row.purged:
            continue
        tree = tables.tree(row.urn)
        mine.update(urn for urn, _ in tree)
        number = len(parts) + 1
        parts[number] = (f"{row.name or ref.name}@{row.version}", 1, row.total)
        tables.share((document, number) for _, document in tree)
    # Everything else is elsewhere: what it shares with them is not theirs alone.
    others = (place for place in tables.versions(view.at) if place.urn not in mine)
    tables.share((place.document, 0) for place in others)
    parts[0] = ("", 0, 0)
    return parts


def _reach(tables: Usage, view: View, on_progress: OnProgress | None) -> None:
    fetch = view.session.fetch
    total = tables.count_documents()
    dropped = view.session.dropped_here()
    for done, (digest, parts) in enumerate(tables.documents()):
        if on_progress is not None and done % 256 == 0:
            on_progress(Progress("looking", done, total, 0, 0, ""))
        tables.add(digest, parts)
        for digests in view.session.needs(digest, loads(fetch(digest)), dropped):
            tables.add(digests, parts)
