"""The states in which a crash can leave a folder."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from skypool.testing.crash.model import Model
from skypool.testing.crash.replay import SECTOR, Disk, Grown, Part, Sectors, TornAt
from skypool.testing.crash.trace import Do, Step, Trace, Tree

__all__ = ["Kind", "Recipe", "State", "recipes", "states"]

# Of very many pending steps each gets its turn by chance, at one crash point or the other.
_MOST_SINGLE = 24
_SUBSETS = 6
_TEARS = 3
_MOST_KEPT = 100  # contents in memory


class Kind(StrEnum):
    """What happened to the steps that were not synced."""

    PREFIX = "all arrived"
    NONE = "none arrived"
    ONE_MISSING = "one missing"
    SUBSET = "some missing"
    REORDERED = "only later ones"
    SECTORS = "torn by sectors"
    BYTES = "torn by bytes"
    GROWN = "length without data"
    ENTRY = "entry lost"
    SHARED = "stale -shm"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a state comes from a recording.

    Attributes
    ----------
    step : int
        Steps that were done at the crash.
    kind : Kind
    lost : frozenset of int
        Pending steps that did not arrive.
    parts : tuple of (int, part)
        Pending writes of which only a part arrived.
    shared : int or None
        Which of the recorded `-shm` contents is there.
    """

    step: int
    kind: Kind
    lost: frozenset[int] = frozenset()
    parts: tuple[tuple[int, Part], ...] = ()
    shared: int | None = None

    def describe(self, steps: Sequence[Step]) -> str:
        """Return it as text for people."""
        lines = [f"{self.kind.value}, after step {self.step} ({_shown(steps, self.step - 1)})"]
        lines += [f"  lost {n}: {steps[n]}" for n in sorted(self.lost)[:12]]
        if len(self.lost) > 12:
            lines.append(f"  and {len(self.lost) - 12} more")
        lines += [f"  {part} of {n}: {steps[n]}" for n, part in self.parts]
        return "\n".join(lines)


@dataclass(slots=True)
class State:
    """A state, and what a pool in it may hold.

    Attributes
    ----------
    digest : bytes
        Of all names and contents: equal states have the same.
    tree : Tree
    extra : dict
        `-shm` files by name.
    recipe : Recipe
    allowed : tuple of Model
    """

    digest: bytes
    tree: Tree
    recipe: Recipe
    allowed: tuple[Model, ...]
    extra: dict[str, bytes] = field(default_factory=dict)


def _shown(steps: Sequence[Step], number: int) -> str:
    return str(steps[number]) if 0 <= number < len(steps) else "none"


# -- which states there are


def recipes(trace: Trace, seed: int) -> Iterator[Recipe]:
    """Return the states of all crash points, in the order of these.

    All that is systematic is there; random subsets and tears are drawn with the seed.
    """
    rng = random.Random(seed)
    disk = Disk(trace)
    for step in range(len(trace.steps) + 1):
        disk.play(step)
        yield Recipe(step, Kind.PREFIX)
        contents, entries = disk.pending_contents(), disk.pending_entries()
        yield from _missing(step, contents, rng)
        yield from _torn(step, contents, entries, trace, disk, rng)
        yield from _entries_lost(step, contents, entries, rng)
        yield from _shared(step, trace, contents, rng)


def _missing(step: int, pending: list[int], rng: random.Random) -> Iterator[Recipe]:
    if not pending:
        return
    yield Recipe(step, Kind.NONE, frozenset(pending))
    singles = pending if len(pending) <= _MOST_SINGLE else rng.sample(pending, _MOST_SINGLE)
    if len(pending) > 1:
        for number in singles:
            yield Recipe(step, Kind.ONE_MISSING, frozenset({number}))
    if len(pending) > 2:
        for _ in range(_SUBSETS):
            share = rng.choice((0.1, 0.5, 0.9))
            lost = frozenset(n for n in pending if rng.random() < share)
            if 1 < len(lost) < len(pending):
                yield Recipe(step, Kind.SUBSET, lost)
        for start in {rng.randrange(1, len(pending)) for _ in range(_SUBSETS)}:
            yield Recipe(step, Kind.REORDERED, frozenset(pending[:start]))


def _torn(
    step: int,
    pending: list[int],
    entries: list[int],
    trace: Trace,
    disk: Disk,
    rng: random.Random,
) -> Iterator[Recipe]:
    writes = [n for n in pending if trace.steps[n].do is Do.WRITE]
    if not writes:
        return
    # The write that the crash interrupts, and one that was on its way.
    for number in {writes[-1], rng.choice(writes)}:
        others = frozenset(n for n in pending if n != number and rng.random() < 0.5)
        for lost in {frozenset[int](), others}:
            for part in _parts(trace.steps[number], disk, rng):
                kind = {Sectors: Kind.SECTORS, TornAt: Kind.BYTES}.get(type(part), Kind.GROWN)
                yield Recipe(step, kind, lost, ((number, part),))
    if len(writes) > 1:
        yield Recipe(step, Kind.GROWN, frozenset(), tuple((n, Grown()) for n in writes))


def _parts(step: Step, disk: Disk, rng: random.Random) -> Iterator[Part]:
    first, last = step.offset // SECTOR, (step.offset + len(step.data) - 1) // SECTOR
    sectors = range(first, last + 1)
    if len(sectors) > 1:
        for _ in range(_TEARS):
            yield Sectors(frozenset(range(first, rng.randrange(first + 1, last + 1))))
            kept = frozenset(s for s in sectors if rng.random() < 0.5)
            if 0 < len(kept) < len(sectors):
                yield Sectors(kept)
    if len(step.data) > 1:
        cuts = {1, len(step.data) - 1, *(rng.randrange(1, len(step.data)) for _ in range(_TEARS))}
        yield from (TornAt(cut) for cut in sorted(cuts))
    if step.offset + len(step.data) > disk.length(step.file):
        yield Grown()


def _entries_lost(
    step: int, contents: list[int], entries: list[int], rng: random.Random
) -> Iterator[Recipe]:
    if not entries:
        return
    yield Recipe(step, Kind.ENTRY, frozenset(entries))
    yield Recipe(step, Kind.ENTRY, frozenset([*entries, *contents]))
    if len(entries) > 1:
        for number in entries[:_MOST_SINGLE]:
            yield Recipe(step, Kind.ENTRY, frozenset({number}))
        both = [*entries, *contents]
        for _ in range(_SUBSETS):
            lost = frozenset(n for n in both if rng.random() < 0.5)
            if lost & set(entries):
                yield Recipe(step, Kind.ENTRY, lost)


def _shared(step: int, trace: Trace, contents: list[int], rng: random.Random) -> Iterator[Recipe]:
    known = [n for n, (at, _, _) in enumerate(trace.shared) if at <= step]
    if known:
        lost = frozenset(n for n in contents if rng.random() < 0.5)
        for number in {known[-1], rng.choice(known)}:
            yield Recipe(step, Kind.SHARED, rng.choice((frozenset(), lost)), (), number)


# -- how they look


def states(trace: Trace, chosen: Iterable[Recipe]) -> Iterator[State]:
    """Build states; of equal ones only the first, with what all of them allow.

    Parameters
    ----------
    trace
        The recording.
    chosen
        Recipes of it.
    """
    by_digest: dict[bytes, Recipe] = {}
    allowed: dict[bytes, tuple[Model, ...]] = {}
    builder = _Builder(trace)
    for recipe in sorted(chosen, key=lambda r: r.step):
        state = builder.build(recipe)
        if state.digest in by_digest:
            # The same bytes must do for all moments at which a crash leaves them.
            both = allowed[state.digest]
            allowed[state.digest] = tuple(m for m in both if m in state.allowed)
        else:
            by_digest[state.digest] = recipe
            allowed[state.digest] = state.allowed
    builder = _Builder(trace)
    for digest, recipe in by_digest.items():
        state = builder.build(recipe)
        state.allowed = allowed[digest]
        yield state


class _Builder:
    """Builds states in the order of their crash points, what they share only once."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._disk = Disk(trace)
        self._cache: dict[object, tuple[bytes, bytes]] = {}

    def build(self, recipe: Recipe) -> State:
        """Return the state of a recipe."""
        disk = self._disk
        disk.play(recipe.step)
        folders, names = disk.names(n for n in disk.pending_entries() if n not in recipe.lost)
        kept = [n for n in disk.pending_contents() if n not in recipe.lost]
        parts = dict(recipe.parts)
        tree = Tree(folders, names)
        digest = hashlib.blake2b(repr(sorted(folders)).encode(), digest_size=16)
        for name, file in sorted(names.items()):
            data, own = self._content(file, kept, parts)
            tree.contents[file] = data
            digest.update(os.fsencode(name) + b"\0" + own)
        extra = {}
        if recipe.shared is not None:
            _, path, data = self._trace.shared[recipe.shared]
            if os.path.dirname(path) in folders:
                extra[path] = data
                digest.update(hashlib.blake2b(data).digest())
        allowed = [mark.allowed for mark in self._trace.marks if mark.step <= recipe.step][-1]
        return State(digest.digest(), tree, recipe, allowed, extra)

    def _content(
        self, file: int, kept: list[int], parts: Mapping[int, Part]
    ) -> tuple[bytes, bytes]:
        own = tuple((n, parts.get(n)) for n in kept if self._trace.steps[n].file == file)
        key = (self._disk.version(file), own)
        if key not in self._cache:
            data = self._disk.content(file, [n for n, _ in own], parts)
            self._cache[key] = data, hashlib.blake2b(data, digest_size=16).digest()
            if len(self._cache) > _MOST_KEPT:
                del self._cache[next(iter(self._cache))]
        return self._cache[key]
