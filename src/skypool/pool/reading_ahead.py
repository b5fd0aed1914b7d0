"""Files that are read ahead of the one thread that puts them into the pool.

Reading a small file costs a millisecond of Python: parsing headers, statistics, coverage, JSON; a
larger one costs hashing, copying and comparing, which threads do beside one another. None of
that asks the pool. So very many small files are given, some dozens at a time, to other processes,
and larger ones to threads, which give back their chunks and what is indexed. These are put into
the pool in the order of the files, so that it is the same, byte for byte, however many processes
and threads there were (docs/design/033-watch-and-bulk.md).

A process that dies is started again; the files that it had are read where the pool is. So are all
of them where processes or threads cannot be started.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from skypool.pool.reading_files import records
from skypool.pool.reading_lanes import Job, Lane
from skypool.pool.reading_socket import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skypool.pool.reading_files import Record
    from skypool.pool.reading_process import Answer, Reader

__all__ = ["WINDOW", "ReadingAhead", "processes_for", "threads_for"]

# So many files are looked at ahead.
WINDOW: Final = 1024
# Processes are started when so many files wait: starting one takes a third of a second.
_FEWEST: Final = 400
_FILES_OF_EACH: Final = 500
_MOST_WORKERS: Final = 8
# Larger files are read by threads: most of that is hashing and copying.
_LARGEST_SENT: Final = 1 << 20
_THREADS_FROM: Final = 2
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
    count = wanted or min(_processors(), _MOST_WORKERS)
    return min(count, files // _FILES_OF_EACH) if count > 1 and sys.executable else 0


def threads_for(wanted: int = 0) -> int:
    """Return how many threads read larger files; 0 for none beside this one."""
    count = wanted or min(_processors(), _MOST_WORKERS)
    return count if count > 1 else 0


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ReadingAhead:
    """Gives files to processes and threads, and what they found back in order.

    Parameters
    ----------
    how
        How files are read.
    processes, threads
        How many there may be.
    """

    def __init__(self, how: Reader, processes: int, threads: int = 0) -> None:
        self._how = how
        self._places: dict[int, tuple[Lane, Job, int]] = {}
        self._filling = Job()
        self._sent = Lane(self._ask, processes, _JOBS_OF_EACH * processes)
        self._here = Lane(self._read, threads, 2 * threads, how.most_ahead)
        self._deaths = 0
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._all: list[_Process] = []
        self._closed = False

    def expect(self, file: object, size: int, facts: tuple[Any, ...]) -> bool:
        """Take notice of a file that will be asked for, behind all others.

        Return False for one that is not read ahead.

        Parameters
        ----------
        file
            Stands for it, and is kept by the caller until it is taken.
        size
            Its bytes.
        facts
            What it is read by.
        """
        if size > _LARGEST_SENT:
            if not self._here.workers or size > self._how.largest:
                return False
            self._note(self._here, job := Job(), file, size, facts)
            self._here.add(job)
            return True
        if not self._sent.workers:
            return False
        job = self._filling
        self._note(self._sent, job, file, size, facts)
        if len(job.files) >= _JOB_FILES or job.bytes >= _JOB_BYTES:
            self._sent.add(job)
            self._filling = Job()
        return True

    def _note(self, lane: Lane, job: Job, file: object, size: int, facts: tuple[Any, ...]) -> None:
        self._places[id(file)] = (lane, job, len(job.files))
        job.files.append(facts)
        job.bytes += size

    def take(self, file: object) -> Record | None:
        """Return a file that was read; None where it has to be read here."""
        lane, job, place = self._places.pop(id(file), (None, None, 0))
        if lane is None or job is None:
            return None
        if job is self._filling:
            lane.add(job)
            self._filling = Job()
        enough = (
            len(self._places) >= _FEWEST if lane is self._sent else lane.waiting >= _THREADS_FROM
        )
        if enough:
            lane.start()
        if job.records is None:
            job.records = self._opened(lane.answer(job)) or [None] * len(job.files)
        record, job.records[place] = job.records[place], None
        return record

    def _opened(self, answer: Any) -> list[Record | None] | None:
        """Return the files of an answer; those of a process are unpacked when they are needed."""
        if not isinstance(answer, bytearray):
            read: list[Record | None] | None = answer
            return read
        found: Answer = pickle.loads(answer)  # noqa: S301 - of a process of our own
        for name, level, text in found[1]:
            logging.getLogger(name).log(level, "%s", text)
        return found[0]

    def close(self) -> None:
        """End the processes and threads."""
        with self._lock:
            self._closed = True
            processes, self._all, self._idle = self._all, [], []
        for process in processes:
            process.kill()
        self._sent.close()  # its threads see that the processes ended
        self._here.close()
        for process in processes:
            process.end()

    # -- in threads

    def _read(self, job: Job) -> list[Record | None]:
        """Read the files of a job."""
        return records(self._how.begin, job.files)

    def _ask(self, job: Job) -> bytearray | None:
        """Have a job done by a process; None where that failed."""
        data = pickle.dumps((self._how, job.files), protocol=5)
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
        here, there = Channel.pair()
        try:
            # -P: the current folder, which may hold anything, is no place to import from.
            self._process = subprocess.Popen(  # noqa: S603 (Python itself)
                [sys.executable, "-P", "-m", "skypool.pool.reading_process", str(there.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(there.fileno(),),
                start_new_session=True,  # Ctrl-C is for the user's process, which ends this one
                # There is a process for each processor: none needs threads for linear algebra.
                env={"OPENBLAS_NUM_THREADS": "1"}
                | os.environ
                | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
        self._channel = here

    def ask(self, data: bytes) -> bytearray:
        """Have a job done."""
        self._channel.send(data)
        return self._channel.receive()

    def kill(self) -> None:
        """Have the process end."""
        self._process.kill()

    def end(self) -> int:
        """End the process; return how it ended."""
        self._process.kill()
        code = self._process.wait()
        with contextlib.suppress(OSError):
            self._channel.close()
        return code
