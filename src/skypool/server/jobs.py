"""Work that takes its time: a queue with progress, cancelling, errors and results."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import NotFound, SkypoolError, UsageError

if TYPE_CHECKING:
    from skypool.pool.progress import Progress
    from skypool.server.context import Context

__all__ = ["ENDED", "Cancelled", "Job", "Jobs", "Work"]

ENDED: Final = ("done", "failed", "cancelled")
_KEPT: Final = 200
# Clients are told of progress at most so often, in seconds.
_EVERY: Final = 0.1
_log = logging.getLogger("skypool.server")


class Cancelled(Exception):
    """Ends the work of a job that somebody cancelled; nothing of it was committed."""


Work = Callable[["Job"], Any]


@dataclass(eq=False)
class Job:
    """Something that is being done.

    Attributes
    ----------
    id : str
    action : str
        What is done, as in docs/reference/http-api.md.
    text : str
        The same for people, in a line.
    code : dict or None
        How to do the same elsewhere.
    state : str
        `waiting`, `running`, `done`, `failed` or `cancelled`.
    done, total : int
        How far it is; the total is 0 where it is not known.
    unit : str
        What these count: `products`, `bytes`, `files`.
    name : str
        What it is at.
    errors : list of dict
        With `code`, `message`, `hint` each.
    result : object
    commits : list of (label, number)
        What it committed to which pools: what undo takes back.
    """

    id: str
    action: str
    text: str = ""
    code: dict[str, str] | None = None
    state: str = "waiting"
    done: int = 0
    total: int = 0
    unit: str = ""
    name: str = ""
    errors: list[dict[str, Any]] = field(default_factory=list)
    result: Any = None
    commits: list[tuple[str, int]] = field(default_factory=list)
    # Work that waits for a client to fetch it, such as a zip file.
    download: Callable[[], Any] | None = None
    undone: bool = False
    began: float = field(default_factory=time.time)
    _cancel: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _changed: Callable[[Job], object] = lambda job: None
    _told: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.state in ENDED

    def check(self) -> None:
        """Stop here where the job was cancelled.

        Raises
        ------
        Cancelled
            If it was.
        """
        if self._cancel.is_set():
            raise Cancelled

    def tell(
        self, done: int, total: int = 0, unit: str = "", name: str = "", *, now: bool = False
    ) -> None:
        """Say how far the work is; clients are told at once, or soon.

        Raises
        ------
        Cancelled
            If the job was cancelled.
        """
        self.check()
        self.done, self.total = done, total or self.total
        self.unit, self.name = unit or self.unit, name
        time_now = time.monotonic()
        if now or time_now - self._told >= _EVERY:
            self._told = time_now
            self._changed(self)

    def progress(self, progress: Progress) -> None:
        """Take what long work of a pool tells: bytes where it counts them, else items."""
        if progress.total_bytes:
            self.tell(progress.bytes, progress.total_bytes, "bytes", progress.name)
        else:
            self.tell(progress.items, progress.total_items, progress.stage, progress.name)

    def fail(self, code: str, message: str, hint: str = "") -> None:
        """Note something that went wrong."""
        self.errors.append({"code": code, "message": message, "hint": hint})

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end; return whether it came."""
        return self._ended.wait(seconds)

    def end(self, state: str) -> None:
        """Come to an end, once."""
        if not self.ended:
            self.state = state
            self._changed(self)
            self._ended.set()

    def to_json(self) -> dict[str, Any]:
        """Return what clients see of it."""
        return {
            "id": self.id,
            "action": self.action,
            "state": self.state,
            "done": self.done,
            "total": self.total or None,
            "unit": self.unit,
            "text": self.text,
            "name": self.name,
            "errors": list(self.errors),
            "result": self.result,
            "code": self.code,
            "undo": self.state == "done" and bool(self.commits) and not self.undone,
            "commits": [{"pool": label, "commit": number} for label, number in self.commits],
            "download": self.download is not None and not self.ended,
            "began": self.began,
        }


class Jobs:
    """The jobs of a server: changes one after the other, long work beside them.

    Parameters
    ----------
    context
        What the routes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._numbers = itertools.count(1)
        self._lanes = {
            True: ThreadPoolExecutor(1, thread_name_prefix="skypool-change"),
            False: ThreadPoolExecutor(2, thread_name_prefix="skypool-job"),
        }
        self._staying = ThreadPoolExecutor(4, thread_name_prefix="skypool-stay")
        context.at_end(self.close)

    def new(self, action: str, text: str, code: dict[str, str] | None) -> Job:
        """Make a job that is not started."""
        with self._lock:
            job = Job(str(next(self._numbers)), action, text, code)
            job._changed = self._publish
            self._jobs[job.id] = job
            for old in list(self._jobs.values())[: max(0, len(self._jobs) - _KEPT)]:
                if old.ended:
                    del self._jobs[old.id]
        return job

    def start(
        self,
        action: str,
        work: Work,
        *,
        text: str = "",
        code: dict[str, str] | None = None,
        quick: bool = False,
        stays: bool = False,
    ) -> Job:
        """Put work into the queue.

        Parameters
        ----------
        action, text, code
            See `Job`.
        work
            Gets the job, returns its result; ends with `Cancelled` where it is cancelled.
        quick
            A change that is soon done: such ones are made one after the other.
        stays
            It goes on until it is cancelled: other work does not wait for it.
        """
        job = self.new(action, text, code)
        self._publish(job)
        lane = self._staying if stays else self._lanes[quick]
        future = lane.submit(self._run, job, work)
        future.add_done_callback(partial(_crashed, job))
        return job

    def _run(self, job: Job, work: Work) -> None:
        if job.ended:
            return
        job.state = "running"
        self._publish(job)
        try:
            job.check()
            job.result = work(job)
        except Cancelled:
            job.end("cancelled")
        except SkypoolError as error:
            job.fail(error.code, error.message, error.hint)
            job.end("failed")
        else:
            job.end("done")

    def __getitem__(self, key: str) -> Job:
        """Return a job.

        Raises
        ------
        NotFound
            If there is none, or none any more.
        """
        with self._lock:
            job = self._jobs.get(key)
        if job is None:
            raise NotFound(f"there is no job {key[:40]!r}")
        return job

    def all(self) -> list[Job]:
        """Return the jobs, the newest first."""
        with self._lock:
            return list(self._jobs.values())[::-1]

    def cancel(self, key: str) -> Job:
        """Have a job stopped: it ends where it next says how far it is, as if never begun.

        Raises
        ------
        UsageError
            If it has ended.
        """
        job = self[key]
        if job.ended:
            raise UsageError(f"the job {key} has ended", hint="undo takes back what it did")
        job._cancel.set()
        if job.state == "waiting":
            job.end("cancelled")
        return job

    def close(self) -> None:
        """Cancel what goes on and wait for its end."""
        for job in self.all():
            job._cancel.set()
        for lane in (*self._lanes.values(), self._staying):
            lane.shutdown(wait=True, cancel_futures=True)

    def _publish(self, job: Job) -> None:
        self._context.hub.publish("job", job.to_json())


def _crashed(job: Job, future: Future[None]) -> None:
    """Report what nobody foresaw: the job has failed, the server goes on."""
    if future.cancelled():
        job.end("cancelled")
        return
    error = future.exception()
    if error is not None:
        _log.error("the job %s (%s) crashed", job.id, job.action, exc_info=error)
        job.fail(
            "internal",
            f"an error of skypool itself: {type(error).__name__}: {error}",
            "please report it with what stands in the terminal; the pool is as it was",
        )
        job.end("failed")
