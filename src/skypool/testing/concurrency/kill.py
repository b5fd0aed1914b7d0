"""kill -9 at random moments, over mixed work of several processes at one pool.

The campaign itself never opens the pool while there are workers: it forks them, kills them,
and forks others who look. Nothing is repaired by hand.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import random
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import skypool as sp
from skypool.testing.concurrency.content import check_ref, new_product
from skypool.testing.concurrency.journal import Journal, read_journals
from skypool.testing.concurrency.judge import Verdict, catalogue_content, judge
from skypool.testing.concurrency.ledger import read_ledger
from skypool.testing.concurrency.work import MIXED, Worker, open_pool

__all__ = ["Campaign", "KillReport", "pack_bytes"]

_WORKERS = 3
_STUCK_SECONDS = 120  # nobody waits so long but for a lock that nobody will give up
_LOOKED_AT = 8
_LIFETIME = 250  # kills that a pool lives through


@dataclass(slots=True)
class KillReport:
    """What a campaign did and found.

    Attributes
    ----------
    kills : int
    pools : int
        Pools that lived on over kills, one after the other.
    by_operation : Counter
        What the victims were doing.
    created : int
        Kills while a pool was being created.
    verdict : Verdict
        On those pools.
    problems : list of str
        What went wrong right after a kill, or at the end.
    slowest_probe : float
        Seconds that another process took at most to open the pool and to save, right after.
    bytes_before, bytes_after, bytes_clean : int
        Packs before and after the last gc, and those of a pool with the same products which
        nobody was killed at.
    seconds : float
    """

    kills: int = 0
    pools: int = 0
    by_operation: Counter[str] = field(default_factory=Counter)
    created: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    problems: list[str] = field(default_factory=list)
    slowest_probe: float = 0.0
    bytes_before: int = 0
    bytes_after: int = 0
    bytes_clean: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return self.verdict.ok and not self.problems


class Campaign:
    """Kills the workers of a pool.

    Parameters
    ----------
    folder
        Empty; for pools, journals and files.
    seed
        Of all choices; the moments still depend on the machine.
    tell
        Told how far it is.
    pause
        Seconds between two kills at most; any time up to it is as likely.
    """

    def __init__(
        self,
        folder: Path,
        seed: int = 0,
        tell: Callable[[KillReport], None] | None = None,
        pause: float = 0.25,
    ) -> None:
        self._pause = pause
        self._folder = folder
        self._seed = seed
        self._random = random.Random(seed)
        self._tell = tell
        self._home = self._pool = self._journals = folder
        self._started = 0
        self._workers: dict[int, str] = {}
        self.report = KillReport()

    def run(self, kills: int) -> KillReport:
        """Kill, look, and judge; a new pool is begun when one has lived long enough."""
        begin = time.monotonic()
        gc.freeze()  # what is there is not touched, so that forks share its memory
        while self.report.kills < kills and self.report.ok:
            self._live(min(kills, self.report.kills + _LIFETIME))
        self.report.seconds = time.monotonic() - begin
        return self.report

    def _live(self, kills: int) -> None:
        self.report.pools += 1
        self._home = self._folder / f"life{self.report.pools}"
        self._pool, self._journals = self._home / "pool", self._home / "journals"
        self._journals.mkdir(parents=True)
        while self.report.kills < kills and not self.report.problems:
            if self._random.random() < 0.03:
                self._kill_creators()
            else:
                self._kill_at_work(kills - self.report.kills)
            if self._tell is not None:
                self._tell(self.report)
        self._kill(list(self._workers))
        self._finish()
        if self.report.ok:
            shutil.rmtree(self._home)

    # -- killing

    def _start(self, pool: Path, journals: Path) -> str:
        self._started += 1
        name = f"w{self._started}"
        seed = self._seed * 1_000_003 + self._started
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.nice(5)  # on a busy machine, those who kill and look come first
                journal = Journal(journals, name)
                files = pool.parent / "files"
                worker = Worker(open_pool(pool, name), journal, files, seed, MIXED)
                code = 0 if worker.run(lambda count: True) else 1
            except BaseException:  # noqa: BLE001 - nothing of the parent may run in the child
                traceback.print_exc()
            os._exit(code)
        self._workers[pid] = name
        return name

    def _wait_for(self, name: str) -> None:
        """Wait until a worker has begun; on a busy machine most would be killed before."""
        path = self._journals / f"{name}.journal"
        end = time.monotonic() + _STUCK_SECONDS
        while not (path.exists() and path.stat().st_size) and time.monotonic() < end:
            time.sleep(0.002)

    def _kill(self, pids: list[int], journals: Path | None = None) -> list[str]:
        """Kill processes, and note what they were doing."""
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        names = []
        for pid in pids:
            _, status = os.waitpid(pid, 0)
            name = self._workers.pop(pid)
            names.append(name)
            if not os.WIFSIGNALED(status):
                self.report.problems.append(f"{name} ended by itself ({status})")
            done = read_journals(journals or self._journals, name)
            doing = "starting" if not done else "between two"
            if done and not done[-1].outcome:
                doing = done[-1].what
            self.report.by_operation[doing] += 1
        self.report.kills += len(pids)
        return names

    def _kill_at_work(self, left: int) -> None:
        while len(self._workers) < _WORKERS:
            name = self._start(self._pool, self._journals)
            if self._random.random() < 0.9:  # else it may be killed before it does anything
                self._wait_for(name)
        time.sleep(self._random.uniform(0.0, self._pause))
        everyone = left >= _WORKERS and self._random.random() < 0.06
        pids = list(self._workers)
        victims = self._kill(pids if everyone else [self._random.choice(pids)])
        self._look(self._pool, self._journals, victims, alone=everyone)

    def _kill_creators(self) -> None:
        """Kill processes that make a pool together, and look whether it is one."""
        spared, self._workers = self._workers, {}
        place = self._home / f"fresh{self.report.kills}"
        journals = place / "journals"
        journals.mkdir(parents=True)
        for _ in range(3):
            self._start(place / "pool", journals)
        time.sleep(self._random.uniform(0.0, 0.06))
        victims = self._kill(list(self._workers), journals)
        self.report.created += 3
        self._workers = spared
        self._look(place / "pool", journals, victims, alone=True)
        self._in_child(lambda: _judged(place / "pool", journals))
        shutil.rmtree(place)

    # -- looking, in a process of its own

    def _look(self, pool: Path, journals: Path, victims: list[str], *, alone: bool) -> None:
        name = f"p{self.report.kills}"
        chosen = random.Random(self._random.random())
        found = self._in_child(lambda: _probed(pool, journals, name, victims, alone, chosen))
        self.report.slowest_probe = max(self.report.slowest_probe, found.get("seconds", 0.0))

    def _in_child(self, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            signal.alarm(_STUCK_SECONDS)
            try:
                found = look()
            except BaseException:  # noqa: BLE001 - the parent is told, whatever it is
                found = {"problem": traceback.format_exc()}
            with os.fdopen(writer, "w") as pipe:
                json.dump(found, pipe)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            text = pipe.read()
        _, status = os.waitpid(pid, 0)
        found = json.loads(text) if text else {"problem": f"stuck, or died: {status}"}
        if "problem" in found:
            self.report.problems.append(f"kill {self.report.kills}: {found['problem']}")
        return dict(found)

    # -- the end

    def _finish(self) -> None:
        """Judge a pool behind all its kills, and what gc and reindex make of it."""
        report, path = self.report, str(self._pool)
        verdict = judge(path, read_journals(self._journals))
        report.verdict.take_in(verdict)
        with sp.Pool(path) as pool:
            _note(report, pool.verify().problems)
            report.bytes_before += pack_bytes(self._pool)
            for _ in range(2):
                pool.gc(grace=0)
            report.bytes_after += pack_bytes(self._pool)
            before = catalogue_content(path)
            pool.reindex()
            if catalogue_content(path) != before:
                report.problems.append("reindex made another catalogue")
            _note(report, pool.verify().problems)
            report.bytes_clean += _saved_without_kills(pool, self._home / "clean")
        again = judge(path, read_journals(self._journals))
        if not again.ok or again.versions != verdict.versions:
            report.problems.append(f"after gc and reindex: {again}")


def _note(report: KillReport, problems: list[Any]) -> None:
    report.problems += [f"verify: {problem}" for problem in problems]


def pack_bytes(pool: Path) -> int:
    """Return the bytes of all packs of a pool."""
    return sum(path.stat().st_size for path in (pool / "packs").iterdir())


def _probed(
    pool: Path,
    journals: Path,
    name: str,
    victims: list[str],
    alone: bool,
    chosen: random.Random,
) -> dict[str, Any]:
    """Use a pool right after a kill: no lock of the dead is left, and a save works at once."""
    if alone:
        _check_locks(pool)
    begin = time.monotonic()
    journal = Journal(journals, name)
    with open_pool(pool, name)() as opened:
        token = journal.begin("save", name=f"probe/{name}", count=1)
        with opened.commit(token) as commit:
            saved = commit.save(new_product(token), name=f"probe/{name}")
        ref = saved.ref
        journal.end(
            token,
            "done",
            commit=commit.published.commit if commit.published else None,
            saved=[[ref.number, ref.name, ref.version]],
        )
        seconds = time.monotonic() - begin
        for victim in victims:
            told = [op for op in read_journals(journals, victim) if op.result.get("saved")]
            earlier = chosen.sample(told, min(2, len(told)))
            for operation in [*told[-_LOOKED_AT:], *earlier]:
                for urn, *_ in operation.result["saved"]:
                    check_ref(opened.view.number(urn))
    return {"seconds": seconds}


def _check_locks(pool: Path) -> None:
    """Check that all locks of a pool that nobody uses can be had at once."""
    if not (pool / "skypool.json").exists():
        return
    for path in [pool / "lock", pool / "commits.log", *(pool / "packs").iterdir()]:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _judged(pool: Path, journals: Path) -> dict[str, Any]:
    with sp.Pool(pool) as opened:
        opened.gc(grace=0)
        report = opened.verify()
    if not report.ok:
        return {"problem": str(report.problems)}
    verdict = judge(str(pool), read_journals(journals))
    return {} if verdict.ok else {"problem": str(verdict)}


def _saved_without_kills(pool: sp.Pool, place: Path) -> int:
    """Save all versions of a pool into a fresh one, commit by commit; return its packs' bytes."""
    with sp.Pool(place) as clean:
        for record in read_ledger(pool.path).records:
            if record.get("versions"):
                with clean.commit() as commit:
                    for entry in record["versions"]:
                        ref = pool.view.number(entry["urn"])
                        commit.save(ref.product, name=f"v/{entry['urn']}")
        clean.gc(grace=0)
    return pack_bytes(place)
