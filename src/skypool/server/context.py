"""What the routes share: open pools, threads, events, and parts that are made once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from skypool.server.memory import give_back

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.server.pools import OpenPools

__all__ = ["Context", "Event", "Hub"]

THREADS: Final = 4
# Threads that count whole results, beside them.
SLOW: Final = 2
_WAITING: Final = 1000
# Seconds without a request after which a client is taken to have what it wanted, how often that
# is looked at, and after which it is not waited for any longer.
_QUIET: Final = 0.5
_LOOK: Final = 0.05
_PATIENCE: Final = 30.0
# Seconds of the processor after which a request is taken to have used much memory.
_LONG: Final = 0.1

Made = TypeVar("Made")


class Event(NamedTuple):
    """Something that clients are told.

    Attributes
    ----------
    name : str
        `pool`, `job` or `selected`.
    data : dict
    """

    name: str
    data: dict[str, Any]


class Hub:
    """Gives events to whoever listens; `publish` may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[asyncio.Queue[Event | None], asyncio.AbstractEventLoop] = {}
        self._listeners: list[Callable[[Event], object]] = []
        self.closed = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Queue[Event | None]]:
        """Return a queue of events, in a loop of asyncio; None in it is the end."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_WAITING)
        with self._lock:
            self._queues[queue] = asyncio.get_running_loop()
            if self.closed:
                queue.put_nowait(None)
        try:
            yield queue
        finally:
            with self._lock:
                self._queues.pop(queue, None)

    def listen(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call a function for every event, in the thread of it; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Tell everybody."""
        event = Event(name, data)
        with self._lock:
            listeners = list(self._listeners)
        self._send(event)
        for listener in listeners:
            listener(event)

    def close(self) -> None:
        """End all listening."""
        self.closed = True
        self._send(None)

    def _send(self, event: Event | None) -> None:
        with self._lock:
            queues = list(self._queues.items())
        for queue, loop in queues:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_put, queue, event)


def _timed(work: Callable[..., Made], given: tuple[Any, ...]) -> tuple[Made, float]:
    """Return what is made, and how long the processor was busy with it: waiting does not count."""
    began = time.thread_time()
    return work(*given), time.thread_time() - began


def _put(queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    if queue.full():  # nobody reads: the oldest go
        queue.get_nowait()
    queue.put_nowait(event)


class Context:
    """What the routes of one application share.

    Parameters
    ----------
    pools
        The open pools.
    read_only
        Whether nothing may be changed.
    senders
        What can send products to other programs; None where there is nothing.
    threads
        How many threads read pools at once.

    Attributes
    ----------
    hub : Hub
        Events for clients.
    """

    def __init__(
        self,
        pools: OpenPools,
        *,
        read_only: bool = False,
        senders: Any = None,
        threads: int = THREADS,
    ) -> None:
        self.pools = pools
        self.read_only = read_only
        self.senders = senders
        self.hub = Hub()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="skypool-server")
        self._slow = ThreadPoolExecutor(SLOW, thread_name_prefix="skypool-counting")
        self._behind = ThreadPoolExecutor(1, thread_name_prefix="skypool-behind")
        self._parts: dict[Any, Any] = {}
        self._lock = threading.RLock()
        self._at_end: list[Callable[[], object]] = []
        self._counting = threading.Lock()
        self._running = 0
        self._last = -_QUIET

    @property
    def settings(self) -> Settings:
        """What is set from outside."""
        return self.pools.settings

    def part(self, make: Callable[[Context], Made]) -> Made:
        """Return what a class or function makes of this context: the same one each time."""
        with self._lock:
            if make not in self._parts:
                self._parts[make] = make(self)
            made: Made = self._parts[make]
            return made

    async def run(self, work: Callable[..., Made], *given: Any, slow: bool = False) -> Made:
        """Run what reads pools in one of the threads.

        What is slow has threads of its own, so that rows never wait for all of them.
        """
        loop = asyncio.get_running_loop()
        with self._counting:  # never the other lock: this is the thread of the loop
            self._running += 1
        try:
            threads = self._slow if slow else self._threads
            found, spent = await loop.run_in_executor(threads, _timed, work, given)
            if spent > _LONG:
                with contextlib.suppress(RuntimeError):  # the server ends
                    self._slow.submit(give_back)
            return found
        finally:
            with self._counting:
                self._running -= 1
                self._last = time.monotonic()

    async def look(self, work: Callable[..., Made], *given: Any) -> Made:
        """Run what no client waits for: it does not count as a request."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(work, *given))

    def wait_for_quiet(self) -> None:
        """Let requests pass, for what can be done at any time; not for ever."""
        began = time.monotonic()
        while not self.hub.closed and time.monotonic() - began < _PATIENCE:
            if not self._running and time.monotonic() - self._last >= _QUIET:
                return
            time.sleep(_LOOK)

    def begin(self, work: Callable[..., object], *given: Any) -> None:
        """Have something done behind the requests, one thing after the other."""
        self._behind.submit(work, *given)

    def at_end(self, work: Callable[[], object]) -> None:
        """Have something done when the server ends, before the pools are closed."""
        self._at_end.append(work)

    def close(self) -> None:
        """End: no more events, threads and pools given back."""
        self.hub.close()
        for work in reversed(self._at_end):
            work()
        self._at_end.clear()
        for threads in (self._threads, self._slow, self._behind):
            threads.shutdown(wait=True, cancel_futures=True)
        self.pools.close()
