"""One trial: an operation with one call failing, and all that has to hold afterwards."""

from __future__ import annotations

import contextlib
import gc
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import skypool as sp
from skypool.errors import DiskFull, ReadOnly, SkypoolError, StorageError
from skypool.pool.pool import Pool
from skypool.storage.filelayer import LocalFiles
from skypool.storage.inplace import SOURCE_ERRORS
from skypool.testing.faults import ERRORS, Faults, FaultyCalls, faulty_sqlite, sqlite_is_reachable

from .operations import Listed, Operation, copy_base, files_open, product, state

CLASSES = {"ENOSPC": DiskFull, "EDQUOT": DiskFull, "EACCES": ReadOnly, "EROFS": ReadOnly}
_READING = {"open", "pread", "fstat", "close"}
SQLITE = sqlite_is_reachable()
# Seconds: a trial that takes longer waits for a lock that nobody gives up.
_LONGEST = 900


class Failed(AssertionError):
    """Something does not hold after a fault."""


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Failed("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _check_error(error: SkypoolError, error_name: str, folder: Path) -> None:
    wanted = CLASSES.get(error_name, StorageError)
    if type(error) is not wanted:
        raise Failed(f"a {type(error).__name__} instead of a {wanted.__name__}") from error
    # Making a pool concerns the folder above it as well.
    if str(folder.parent) not in error.message or not error.hint:
        raise Failed(f"the message does not say where, or not what to do: {error}") from error


class Trials:
    """Trials of one operation.

    Parameters
    ----------
    operation
        What is done.
    bases
        Folder of the pools to start from.
    scratch
        Folder to work in.
    """

    def __init__(self, operation: Operation, bases: Path, scratch: Path) -> None:
        self.operation = operation
        self._base = bases / operation.base
        self._folder = scratch / "trial"
        self._before: Any = None
        self._after: Any = None
        self._partly = False
        self.calls = self.run("EIO", 0).calls
        self._after = self._found

    def count(self, error: str, call: str | None = None) -> int:
        """Return how many calls of the operation can fail so."""
        kinds = ERRORS[error] if call is None else {call}
        return sum(made in kinds for made in self.calls)

    def run(
        self, error: str, nth: int, *, call: str | None = None, lasting: bool = False
    ) -> Faults:
        """Do it once with the n-th call failing, and check all that has to hold."""
        copy_base(self._base, self._folder)
        faults = Faults(self._folder / "pool")
        open_before = files_open()
        with _bounded(), faulty_sqlite(faults) if SQLITE else contextlib.nullcontext():
            try:
                self._try(faults, error, nth, call, lasting)
            except Exception as problem:
                what = f"{self.operation.name}, {error} at {nth} ({faults.fired}): {problem}"
                raise Failed(what) from problem
            finally:
                shutil.rmtree(self._folder)
        gc.collect()
        left = files_open() - open_before
        if any(str(self._folder) in name for name in left):
            raise Failed(f"{self.operation.name}, {error} at {nth} ({faults.fired}): open: {left}")
        return faults

    def _try(self, faults: Faults, error: str, nth: int, call: str | None, lasting: bool) -> None:
        calls = FaultyCalls(faults)
        files = LocalFiles(calls)
        path = self._folder / "pool"
        with contextlib.ExitStack() as stack:
            pool = reader = None
            if not self.operation.opens:
                pool = stack.enter_context(sp.Pool(path, files=files))
                reader = stack.enter_context(sp.Pool(path, "r", files=files))
                self._before = state(reader)
            failed = self._partly = False
            try:
                with faults.armed(error, nth, call=call, lasting=lasting):
                    made = self.operation.act(pool, self._folder, files)
                if self.operation.opens:
                    pool = stack.enter_context(made)
            except SkypoolError as caught:
                failed = True
                if not faults.fired:
                    raise
                # SQLite does not tell it from a bad disk, and the one that is tried has room.
                if type(caught) is StorageError and "sqlite.write" in faults.fired:
                    error = error.replace("EDQUOT", "EIO")
                # Files of the user's are none of the pool: it says which, and does the rest.
                self._partly = isinstance(caught, SOURCE_ERRORS)
                if not self._partly:
                    _check_error(caught, error, path)
            except Listed:
                failed = self._partly = True
                if not set(faults.fired) & _READING:
                    raise
            if faults.fired and set(faults.fired) == {"access"} and not failed:
                pool = None  # it was opened for reading only: that is what access is asked for
            if pool is not None:
                self._check(pool, failed)
            if reader is not None:
                self._check_reader(reader)
            with sp.Pool(path, files=files) as fresh:
                self._check(fresh, failed)
                self._found = state(fresh)
                if failed and self.operation.again:
                    # It must not believe what only memory holds. Where that could not be cut off
                    # either, it does (the limit that the design note tells of).
                    if not {"fdatasync", "ftruncate"} <= set(faults.fired):
                        fresh.reindex()
                    self.operation.act(fresh, self._folder, files)
                    if self._partly and state(fresh) != self._after:
                        raise Failed(f"done again, it holds {state(fresh)}")
                self._go_on(fresh, "fresh")
            if pool is not None:
                self._go_on(pool, "same")
                if reader is not None and reader["next/same"].hash != pool["next/same"].hash:
                    raise Failed("the reader does not see the next save")
            with sp.Pool(path, "r") as last:
                acknowledged = state(last)
        # What a failed sync did not bring to the disk is gone now: nobody may miss it.
        calls.lose(str(path))
        with sp.Pool(path) as again:
            if state(again) != acknowledged:
                raise Failed(f"after a crash there is {state(again)}")
            self._verify(again)

    def _check(self, pool: Pool, failed: bool) -> None:
        """Look that all is there that was acknowledged, and what failed whole or not at all."""
        found = state(pool)
        wanted = [self._after]
        if self.operation.name == "create":
            wanted.append({})
        elif failed and not self.operation.opens:
            wanted.append(self._before)
        if self._after is not None and found not in wanted and not self._partly:
            raise Failed(f"the pool holds {found} instead of {wanted}")
        if pool.exists:
            self._verify(pool)

    def _check_reader(self, reader: Pool) -> None:
        found = state(reader)
        wanted = (self._before, self._after)
        if self._after is not None and found not in wanted and not self._partly:
            raise Failed(f"the reader sees {found}")
        for ref in reader.ls("maps"):
            if not ref.product["image"][:].size:
                raise Failed("the reader reads nothing")
        self._verify(reader)

    def _go_on(self, pool: Pool, name: str) -> None:
        saved = pool.save(product(99), name=f"next/{name}")
        if saved.product["image"].shape != (64, 64):
            raise Failed("the next save is not what was saved")
        if self.operation.name == "gc":
            pool.gc(grace=0)
            if pool.gc(grace=0, dry_run=True).reclaimable:
                raise Failed("space cannot be given back any more")
        self._verify(pool)

    def _verify(self, pool: Pool) -> None:
        report = pool.verify()
        if not report.ok:
            raise Failed(f"verify: {[str(problem) for problem in report.problems]}")
