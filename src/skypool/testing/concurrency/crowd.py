"""Many processes and threads at one pool for a while, with gc and verify beside them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import skypool as sp
from skypool.testing.concurrency.journal import Journal, Operation, read_journals
from skypool.testing.concurrency.judge import Verdict, judge
from skypool.testing.concurrency.work import (
    GUARD,
    MIXED,
    READ,
    WRITE,
    Weights,
    Worker,
    open_pool,
    until,
)

__all__ = ["Crowd", "CrowdReport", "Durations", "everybody"]

_SAVES = ("save", "edit", "tree", "many", "file", "folder_again")


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the saves of one worker took, in seconds."""

    worker: str
    count: int
    median: float
    most: float

    @classmethod
    def of(cls, worker: str, operations: list[Operation]) -> Durations:
        """Measure what a worker was told to be saved."""
        taken = sorted(op.ended - op.begun for op in operations if op.outcome == "done")
        if not taken:
            return cls(worker, 0, 0.0, 0.0)
        return cls(worker, len(taken), taken[len(taken) // 2], taken[-1])


@dataclass(slots=True)
class CrowdReport:
    """What a crowd did and what was found.

    Attributes
    ----------
    verdict : Verdict
    operations : dict
        Number of each sort of work.
    durations : list of Durations
        Of the saves of each writer.
    problems : list of str
    seconds : float
    """

    verdict: Verdict = field(default_factory=Verdict)
    operations: dict[str, int] = field(default_factory=dict)
    durations: list[Durations] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return self.verdict.ok and not self.problems


def _work(pool: str, folder: str, name: str, seed: int, weights: Weights, seconds: float) -> None:
    """Work in a process of its own."""
    journal = Journal(Path(folder) / "journals", name)
    worker = Worker(open_pool(pool, name), journal, Path(folder) / "files", seed, weights)
    worker.run(until(seconds))


class Crowd:
    """Lets workers at a pool and judges what they leave.

    Parameters
    ----------
    folder
        Empty; for pool, journals and files.
    seed
        Of the workers' choices.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.pool = folder / "pool"
        self._journals = folder / "journals"
        self._journals.mkdir(parents=True)
        self._seed = seed
        self._problems: list[str] = []

    # -- who works

    def processes(self, roles: dict[str, Weights], seconds: float) -> None:
        """Work in fresh processes, one for each role."""
        spawn = multiprocessing.get_context("spawn")
        workers = [
            spawn.Process(
                target=_work,
                args=(str(self.pool), str(self.folder), name, self._next(), weights, seconds),
            )
            for name, weights in roles.items()
        ]
        for worker in workers:
            worker.start()
        for name, worker in zip(roles, workers, strict=True):
            worker.join()
            if worker.exitcode:
                self._problems.append(f"{name} ended with {worker.exitcode}")

    def threads(self, roles: dict[str, Weights], seconds: float, pool: sp.Pool | None) -> None:
        """Work in threads of this process, at one `Pool` or at one for each."""
        go_on = until(seconds)
        threads = [
            threading.Thread(target=self._thread, args=(name, weights, go_on, pool))
            for name, weights in roles.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _thread(
        self, name: str, weights: Weights, go_on: Callable[[int], bool], pool: sp.Pool | None
    ) -> None:
        journal = Journal(self._journals, name)
        try:
            opened = pool or open_pool(self.pool, name)
            Worker(opened, journal, self.folder / "files", self._next(), weights).run(go_on)
        except BaseException:  # noqa: BLE001 - the judge is told, whatever it is
            self._problems.append(traceback.format_exc())

    def forked(self, roles: dict[str, Weights], seconds: float, pool: sp.Pool) -> None:
        """Work in forked children with the open pool of their parent, and in the parent."""
        pids = {}
        names = list(roles)
        for name in names[1:]:
            seed = self._next()
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    journal = Journal(self._journals, name)
                    worker = Worker(pool, journal, self.folder / "files", seed, roles[name])
                    code = 0 if worker.run(until(seconds)) else 1
                finally:
                    os._exit(code)
            pids[pid] = name
        self._thread(names[0], roles[names[0]], until(seconds), pool)
        for pid, name in pids.items():
            if os.waitpid(pid, 0)[1]:
                self._problems.append(f"the forked {name} failed")

    def _next(self) -> int:
        self._seed += 1
        return self._seed

    # -- what is found

    def report(self, began: float) -> CrowdReport:
        """Judge the pool and count the work."""
        operations = read_journals(self._journals)
        found = CrowdReport(judge(str(self.pool), operations), problems=list(self._problems))
        by_worker: dict[str, list[Operation]] = {}
        for operation in operations:
            what = operation.what
            found.operations[what] = found.operations.get(what, 0) + 1
            if what in _SAVES:
                by_worker.setdefault(operation.worker, []).append(operation)
        found.durations = [Durations.of(name, ops) for name, ops in sorted(by_worker.items())]
        with sp.Pool(self.pool) as pool:
            problems = pool.verify().problems
        found.problems += [f"verify: {problem}" for problem in problems]
        found.seconds = time.monotonic() - began
        return found


def everybody(writers: int, readers: int) -> dict[str, Weights]:
    """Return roles: writers, readers, one that does all, and one for gc and verify."""
    roles: dict[str, Weights] = {f"writer{n}": WRITE for n in range(writers)}
    roles |= {f"reader{n}": READ for n in range(readers)}
    return roles | {"guard": GUARD, "all": MIXED}
