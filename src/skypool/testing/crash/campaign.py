"""Checking many states: those of one recording, and of recoveries from them."""

from __future__ import annotations

import logging
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import skypool as sp
from skypool.testing.crash.checking import CrashFailure, Site, check
from skypool.testing.crash.operations import (
    OPERATIONS,
    Operation,
    Wrap,
    record,
    record_recovery,
)
from skypool.testing.crash.recording import scratch_folder
from skypool.testing.crash.states import Kind, Recipe, State, recipes, states
from skypool.testing.crash.trace import Trace

__all__ = ["Tally", "check_operation", "check_recoveries", "run", "sample", "table"]

# Some states are equal to others: so many more are drawn than are wanted.
_SPARE = 2
_TURNS = 8  # of short recordings, in which less is drawn at a time
# Besides the next save, every so many states have something else done to them first.
_EXTRAS: Sequence[Callable[[sp.Pool], object] | None] = (
    None,
    lambda pool: pool.gc(grace=0),
    None,
    lambda pool: pool.reindex(),
    None,
)
_READ_ONLY = 3


@dataclass(slots=True)
class Tally:
    """What was checked.

    Attributes
    ----------
    kinds : Counter
        Distinct states by kind.
    failures : list of str
        What went wrong, with what was lost.
    """

    kinds: Counter[Kind] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)

    @property
    def total(self) -> int:
        """Distinct states."""
        return self.kinds.total()

    def raise_failures(self) -> None:
        """Raise if something went wrong.

        Raises
        ------
        CrashFailure
            With the first of what went wrong.
        """
        if self.failures:
            more = f"\n{len(self.failures)} failures in all" if len(self.failures) > 1 else ""
            raise CrashFailure(self.failures[0] + more)


def sample(
    trace: Trace, seed: int, count: int, only: Collection[Kind] = tuple(Kind)
) -> list[State]:
    """Draw distinct states of a recording, spread over kinds, and over what is hurt.

    Where many are wanted, every prefix is among them, with and without what is not synced.

    Parameters
    ----------
    trace
        The recording.
    seed
        Of all that is drawn.
    count
        How many; fewer only if there are not so many.
    only
        Kinds to draw from.
    """
    found: set[Recipe] = set()
    heaps: dict[tuple[Kind, str], list[Recipe]] = defaultdict(list)
    for turn in range(_TURNS):
        for recipe in recipes(trace, seed + turn):
            if recipe.kind in only and recipe not in found:
                found.add(recipe)
                heaps[recipe.kind, _hurt(recipe, trace)].append(recipe)
        if len(found) >= _SPARE**2 * count:
            break
    rng = random.Random(seed)
    for heap in heaps.values():
        rng.shuffle(heap)
    chosen: list[Recipe] = []
    for kind in (Kind.PREFIX, Kind.NONE):
        listed = [recipe for key, heap in heaps.items() if key[0] is kind for recipe in heap]
        if len(listed) < count // 3:
            chosen += listed
            heaps = {key: heap for key, heap in heaps.items() if key[0] is not kind}
    wanted = count * _SPARE + len(heaps)
    while len(chosen) < wanted and any(heaps.values()):
        chosen += [heap.pop() for heap in heaps.values() if heap]
    rank = {recipe: number for number, recipe in enumerate(chosen)}
    return sorted(states(trace, chosen), key=lambda state: rank[state.recipe])[:count]


def _hurt(recipe: Recipe, trace: Trace) -> str:
    """Return what sort of file is hurt; most steps are those of SQLite's `-wal` file."""
    hurt = [number for number, _ in recipe.parts] or sorted(recipe.lost)
    number = hurt[0] if len(hurt) == 1 else recipe.step - 1
    return os.path.splitext(trace.steps[number].name)[1] if number >= 0 else ""


def check_operation(
    operation: Operation,
    folder: str,
    count: int,
    *,
    seed: int = 1,
    only: Collection[Kind] = tuple(Kind),
    wrap: Wrap | None = None,
    most_failures: int = 5,
) -> Tally:
    """Record an operation and check states of it.

    Parameters
    ----------
    operation
        What is recorded.
    folder
        An empty folder.
    count
        States to check.
    seed
        Of what is drawn.
    only
        Kinds of states to check.
    wrap
        See `record`.
    most_failures
        After so many the rest is not looked at.
    """
    tally = Tally()
    with _quiet():
        trace = record(operation, folder, wrap)
        site = Site(os.path.join(folder, "site"), trace.pins)
        drawn = sample(trace, seed, count, only)
        _check_all(tally, trace, site, drawn, operation, folder, most_failures)
    return tally


def check_recoveries(
    operation: Operation,
    folder: str,
    crashes: int,
    count: int,
    *,
    seed: int = 1,
    most_failures: int = 5,
) -> Tally:
    """Let an operation crash, record the recovery, and check states of crashes in that.

    Parameters
    ----------
    operation
        What crashes.
    folder
        An empty folder.
    crashes
        How many crashes of it are recovered from.
    count
        States to check, of all recoveries together.
    seed
        Of what is drawn.
    most_failures
        After so many the rest is not looked at.
    """
    tally = Tally()
    with _quiet():
        trace = record(operation, folder)
        for number, state in enumerate(sample(trace, seed, crashes)):
            own = os.path.join(folder, f"recovery{number}")
            os.mkdir(own)  # noqa: PTH102
            recovery = record_recovery(trace, state, own)
            site = Site(os.path.join(own, "site"), recovery.pins)
            left = (count - tally.total) // (crashes - number)
            drawn = sample(recovery, seed + number, 2 * left)
            fresh = (other for other in drawn if other.digest not in tally.seen)
            some = list(islice(fresh, left))
            # What is added again stays where the operation made it.
            _check_all(tally, recovery, site, some, operation, folder, most_failures)
    return tally


def _check_all(
    tally: Tally,
    trace: Trace,
    site: Site,
    drawn: Sequence[State],
    operation: Operation,
    folder: str,
    most_failures: int,
) -> None:
    resume = operation.resume and partial(operation.resume, folder)
    for number, state in enumerate(drawn):
        if len(tally.failures) >= most_failures:
            return
        tally.kinds[state.recipe.kind] += 1
        tally.seen.add(state.digest)
        try:
            site.build(state)
            check(
                os.path.join(site.root, "pool"),
                state.allowed,
                read_only=operation.readable and number % _READ_ONLY == 0,
                then=_EXTRAS[number % len(_EXTRAS)],
                resume=resume,
            )
        except CrashFailure as error:
            tally.failures.append(f"{error}\n{state.recipe.describe(trace.steps)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what is told of each recovery."""
    logger = logging.getLogger("skypool")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def table(tallies: Mapping[str, Tally]) -> str:
    """Return the distinct states by operation and kind, as a table in Markdown."""
    head = ["operation", *(kind.value for kind in Kind), "all"]
    rows = [
        [name, *(str(tally.kinds[kind]) for kind in Kind), str(tally.total)]
        for name, tally in tallies.items()
    ]
    sums = [sum(int(row[n]) for row in rows) for n in range(1, len(head))]
    rows.append(["all", *map(str, sums)])
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def run(count: int, crashes: int) -> Iterator[tuple[str, Tally]]:
    """Check states of each operation, and of recoveries from it.

    Parameters
    ----------
    count
        States of each operation.
    crashes
        Crashes of each that are recovered from; a quarter of *count* is checked of these.
    """
    for name, operation in OPERATIONS.items():
        with scratch_folder() as folder:
            yield name, check_operation(operation, folder, count)
        if crashes:
            with scratch_folder() as folder:
                found = check_recoveries(operation, folder, crashes, count // 4)
                yield f"recovery from: {name}", found
