"""Very many small files are read by other processes, ahead of the one that has the pool open.

Reading one costs a millisecond of Python: parsing headers, statistics, coverage, JSON. None of
that asks the pool. So files are given, some dozens at a time, to processes that read them and give
back their chunks and what is indexed; the process of the pool puts these into it in the order of
the files, so that a pool is the same, byte for byte, however many processes there were
(docs/design/033-watch-and-bulk.md).

A process that dies is started again; the files that it had are read where the pool is. So are all
of them where processes cannot be started.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from skypool.pool.reading_files import How, Record
    from skypool.pool.reading_process import Answer
    from skypool.pool.trees import FileNode

__all__ = ["WINDOW", "ReadingAhead", "processes_for"]

# So many files are looked at ahead.
WINDOW: Final = 1024
# Processes are started when so many files wait: starting one takes a third of a second.
_FEWEST: Final = 400
_FILES_OF_EACH: Final = 500
_MOST_PROCESSES: Final = 8
# Larger files are read where the pool is: they are hashed and compressed in threads anyway.
_LARGEST: Final = 1 << 20
_JOB_FILES: Final = 32
_JOB_BYTES: Final = 512 << 10
_JOBS_OF_EACH: Final = 3
# After so many processes have died, all is read where the pool is.
_MOST_DEATHS: Final = 3
_log = logging.getLogger(__name__)


def processes_for(files: int, wanted: int = 0) -> int:
    """Return how many processes read so many files; 0 for none beside this one.

    Parameters
    ----------
    files
        How many there are.
    wanted
        How many processes may run at most; 0 for as many as there are processors.
    """
    count = wanted or min(_processors(), _MOST_PROCESSES)
    return min(count, files // _FILES_OF_EACH) if count > 1 and sys.executable else 0


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Job:
    """Some files that are read together."""

    __slots__ = ("bytes", "files", "future", "records")

    def __init__(self) -> None:
        self.files: list[tuple[str, str, str]] = []
        self.bytes = 0
        self.future: Future[bytes | None] | None = None
        self.records: list[Record | None] | None = None


class ReadingAhead:
    """Gives files to processes, and what they found back in order.

    Parameters
    ----------
    how
        How files are read.
    processes
        How many there may be.
    """

    def __init__(self, how: How, processes: int) -> None:
        self._how = how
        self._processes = processes
        self._places: dict[int, tuple[_Job, int]] = {}
        self._filling = _Job()
        self._jobs: deque[_Job] = deque()
        self._running = 0
        self._deaths = 0
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._all: list[_Process] = []
        self._closed = False

    def expect(self, node: FileNode) -> None:
        """Take notice of a file that will be asked for, behind all others."""
        if node.status.st_size > _LARGEST:
            return
        job = self._filling
        self._places[id(node)] = (job, len(job.files))
        job.files.append((node.path, node.name, node.member))
        job.bytes += node.status.st_size
        if len(job.files) >= _JOB_FILES or job.bytes >= _JOB_BYTES:
            self._jobs.append(job)
            self._filling = _Job()

    def take(self, node: FileNode) -> Record | None:
        """Return a file that was read; None where it has to be read here."""
        job, place = self._places.pop(id(node), (None, 0))
        if job is None:
            return None
        if job.records is None:
            job.records = self._records(job)
        record, job.records[place] = job.records[place], None
        return record

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._closed = True
            processes, self._all, self._idle = self._all, [], []
        for process in processes:
            process.kill()
        if self._executor is not None:  # its threads see that they ended
            self._executor.shutdown(cancel_futures=True)
        for process in processes:
            process.end()

    # -- jobs

    def _records(self, job: _Job) -> list[Record | None]:
        """Return what is in the files of a job; None for those that are to be read here."""
        if job is self._filling:
            self._jobs.append(job)
            self._filling = _Job()
        if job.future is None and self._has_started():
            self._give_out()
        if job.future is None:  # it is the next one
            self._jobs.remove(job)
            return [None] * len(job.files)
        answer, job.future = job.future.result(), None
        self._running -= 1
        self._give_out()
        if answer is None:
            return [None] * len(job.files)
        found: Answer = pickle.loads(answer)  # noqa: S301 - of a process of our own
        for name, level, text in found[1]:
            logging.getLogger(name).log(level, "%s", text)
        return found[0]

    def _has_started(self) -> bool:
        if self._executor is None and len(self._places) >= _FEWEST:
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(self._processes, "skypool-reading")
        return self._executor is not None

    def _give_out(self) -> None:
        """Give out jobs, so many that no process waits for the next."""
        assert self._executor is not None
        while self._jobs and self._running < _JOBS_OF_EACH * self._processes:
            job = self._jobs[0]
            data = pickle.dumps((self._how, job.files), protocol=5)
            try:
                job.future = self._executor.submit(self._run, data)
            except RuntimeError:  # the system has no more threads
                return
            self._jobs.popleft()
            self._running += 1

    # -- in threads

    def _run(self, data: bytes) -> bytes | None:
        """Have a job done by a process; None where that failed."""
        with contextlib.suppress(EOFError, OSError), self._process() as process:
            return process.ask(data)
        return None

    @contextlib.contextmanager
    def _process(self) -> Iterator[_Process]:
        with self._lock:
            if self._closed or self._deaths >= _MOST_DEATHS:
                raise EOFError
            process = self._idle.pop() if self._idle else None
        if process is None:
            process = _Process()
            with self._lock:
                late = self._closed
                if not late:
                    self._all.append(process)
            if late:
                process.end()
                raise EOFError
        try:
            yield process
        except (EOFError, OSError):
            self._lost(process)
            raise
        with self._lock:
            self._idle.append(process)

    def _lost(self, process: _Process) -> None:
        with self._lock:
            if self._closed:
                return
            self._deaths += 1
            self._all.remove(process)
        code = process.end()
        _log.warning("a process that read files ended (%s); they are read again", code)


class _Process:
    """A process that reads, seen from the one that has the pool."""

    def __init__(self) -> None:
        from multiprocessing import Pipe

        here, there = Pipe()
        try:
            # -P: the current folder, which may hold anything, is no place to import from.
            self._process = subprocess.Popen(  # noqa: S603 (Python itself)
                [sys.executable, "-P", "-m", "skypool.pool.reading_process", str(there.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(there.fileno(),),
                start_new_session=True,  # Ctrl-C is for the user's process, which ends this one
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
        self._connection: Any = here

    def ask(self, data: bytes) -> bytes:
        """Have a job done."""
        self._connection.send_bytes(data)
        found: bytes = self._connection.recv_bytes()
        return found

    def kill(self) -> None:
        """Have the process end."""
        self._process.kill()

    def end(self) -> int:
        """End the process; return how it ended."""
        self._process.kill()
        code = self._process.wait()
        with contextlib.suppress(OSError):
            self._connection.close()
        return code
