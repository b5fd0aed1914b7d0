"""Jobs of reading files, done beside the thread that waits for them, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from skypool.pool.reading_files import Record

__all__ = ["Job", "Lane"]


class Job:
    """Some files that are read together.

    Attributes
    ----------
    files : list of tuple
        What each is read by.
    bytes : int
        Of all of them.
    records : list of (Record or None), or None
        What was read, once the job is done; None for what has to be read where the pool is.
    """

    __slots__ = ("bytes", "files", "future", "records")

    def __init__(self) -> None:
        self.files: list[tuple[Any, ...]] = []
        self.bytes = 0
        self.future: Future[Any] | None = None
        self.records: list[Record | None] | None = None


class Lane:
    """Has jobs done by threads, some of them ahead.

    Parameters
    ----------
    work
        Does a job; None where it could not.
    workers
        How many threads there are.
    most_jobs, most_bytes
        How much is under way at most, or one job.
    """

    def __init__(
        self,
        work: Callable[[Job], Any],
        workers: int,
        most_jobs: int,
        most_bytes: int | None = None,
    ) -> None:
        self.workers = workers
        self._work = work
        self._most_jobs = most_jobs
        self._most_bytes = most_bytes
        self._jobs: deque[Job] = deque()
        self._running = 0
        self._bytes = 0
        self._executor: ThreadPoolExecutor | None = None

    @property
    def waiting(self) -> int:
        """How many jobs are not given out yet."""
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Take a job, behind all others."""
        self._jobs.append(job)

    def start(self) -> None:
        """Give out jobs from now on."""
        if self._executor is None and self.workers:
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(self.workers, "skypool-reading")

    def answer(self, job: Job) -> Any:
        """Return what came of a job; None where it was not done. Each is asked for once."""
        self._give_out()
        if job.future is None:  # it is the next one
            self._jobs.remove(job)
            return None
        answer, job.future = job.future.result(), None
        self._running -= 1
        self._bytes -= job.bytes
        self._give_out()
        return answer

    def close(self) -> None:
        """Wait for the jobs under way, and do no more of them."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def _give_out(self) -> None:
        """Give out jobs, so many that no thread waits for the next."""
        if self._executor is None:
            return
        while self._jobs and self._has_room(self._jobs[0]):
            job = self._jobs[0]
            try:
                job.future = self._executor.submit(self._work, job)
            except RuntimeError:  # the system has no more threads
                return
            self._jobs.popleft()
            self._running += 1
            self._bytes += job.bytes

    def _has_room(self, job: Job) -> bool:
        if not self._running:
            return True
        if self._most_bytes is not None and self._bytes + job.bytes > self._most_bytes:
            return False
        return self._running < self._most_jobs
