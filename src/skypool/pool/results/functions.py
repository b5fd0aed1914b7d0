"""Any Python function of a product as a query."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from skypool.pool.progress import Progress
from skypool.pool.results.hits import Failure, Hits

if TYPE_CHECKING:
    from skypool.config import Settings

__all__ = ["chosen"]

# Fewer products are asked in this thread: processes take longer to start.
_FEW: Final = 64
_AT_ONCE: Final = 16


class _Answer(NamedTuple):
    """What a function said of a product; an error as texts, since not all can be sent."""

    wanted: bool
    error: str = ""
    message: str = ""


class _Caught:
    """Keeps what a function raises: whatever it is, the other products are asked too."""

    error: Exception | None = None

    def __enter__(self) -> _Caught:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


def chosen(
    hits: Hits,
    function: Callable[[Any], Any],
    *,
    limit: int | None,
    progress: Callable[[Progress], object] | None,
    workers: int | None,
) -> Hits:
    """Return those hits that a function wants, in the same order.

    Parameters
    ----------
    hits
        The candidates.
    function
        Gets a product.
    limit
        Stop after so many.
    progress
        Told how far the work is; the search stops where it returns False.
    workers
        How many processes or threads.
    """
    places: list[int] = []
    failures: list[Failure] = []
    cancelled = False
    if limit != 0:
        for place, answer in enumerate(_answers(hits, function, workers)):
            if answer.error:
                failures.append(Failure(hits[place], answer.error, answer.message))
            elif answer.wanted:
                places.append(place)
            if progress is not None:
                told = Progress("asking", place + 1, len(hits), name=hits[place].name)
                if progress(told) is False:
                    cancelled = True
                    break
            if len(places) == limit:
                break
    found = hits.taken(places)
    return Hits(
        found.snapshots,
        found.numbers,
        found.pools,
        columns=hits.columns,
        errors=(*hits.errors, *failures),
        old=hits.old,
        cancelled=cancelled,
        near=found.near,
    )


def _answers(hits: Hits, function: Callable[[Any], Any], workers: int | None) -> Iterator[_Answer]:
    """Yield what the function says of each, in order."""
    count = workers or min(8, os.cpu_count() or 1)
    if count == 1 or (workers is None and len(hits) < _FEW):
        for ref in hits:
            yield _ask(function, lambda ref=ref: ref.product)  # type: ignore[misc]
        return
    executor, submit = _in_processes(hits, function, count) or _in_threads(hits, function, count)
    whole = False
    try:
        yield from _in_order(len(hits), submit, ahead=4 * count)
        whole = True
    finally:
        if not whole:  # nobody waits for a function that may take for ever
            _end_processes(executor)
        executor.shutdown(cancel_futures=True)


def _end_processes(executor: Executor) -> None:
    """End the processes of an executor; threads cannot be ended."""
    # Python has a method for this since 3.14 only; `shutdown` forgets the processes.
    running = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.terminate()


def _ask(function: Callable[[Any], Any], load: Callable[[], Any]) -> _Answer:
    with _Caught() as caught:
        return _Answer(bool(function(load())))
    error = caught.error
    return _Answer(False, type(error).__name__, str(error))


_Submit = Callable[[range], Future[list[_Answer]]]


def _in_order(count: int, submit: _Submit, ahead: int) -> Iterator[_Answer]:
    """Keep some blocks of products on their way, and yield their answers in order."""
    waiting: list[Future[list[_Answer]]] = []
    blocks = (range(at, min(at + _AT_ONCE, count)) for at in range(0, count, _AT_ONCE))
    for block in blocks:
        waiting.append(submit(block))
        if len(waiting) >= ahead:
            yield from waiting.pop(0).result()
    for future in waiting:
        yield from future.result()


def _in_threads(hits: Hits, function: Callable[[Any], Any], count: int) -> tuple[Executor, _Submit]:
    executor = ThreadPoolExecutor(count, thread_name_prefix="skypool-find")

    def ask(refs: Sequence[Any]) -> list[_Answer]:
        return [_ask(function, lambda ref=ref: ref.product) for ref in refs]  # type: ignore[misc]

    return executor, lambda block: executor.submit(ask, list(hits[block.start : block.stop]))


def _in_processes(
    hits: Hits, function: Callable[[Any], Any], count: int
) -> tuple[Executor, _Submit] | None:
    """Return what asks in new processes; None where they could not know the function.

    They are spawned: a fork would take over locks and connections of this one. So the function
    has to be found by its name in a module that can be imported; lambdas and those typed into
    a session cannot.
    """
    if getattr(function, "__module__", "__main__") == "__main__" or _lambda(function):
        return None
    with _Caught() as caught:
        pickle.dumps(function)
    if caught.error is not None:
        return None
    pools = [
        (s.view.session.folder.path, s.at, replace(s.view.session.settings)) for s in hits.snapshots
    ]
    executor = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(function, pools),
    )

    def submit(block: range) -> Future[list[_Answer]]:
        numbers = hits.numbers[block.start : block.stop]
        which = [0] * len(numbers) if hits.pools is None else hits.pools[block.start : block.stop]
        return executor.submit(_asked, list(zip(which, numbers, strict=True)))

    return executor, submit


def _lambda(function: Callable[[Any], Any]) -> bool:
    return "<" in getattr(function, "__qualname__", "")


class _Worker(NamedTuple):
    function: Callable[[Any], Any]
    views: list[Any]


_worker: list[_Worker] = []


def _start(function: Callable[[Any], Any], pools: Sequence[tuple[str, int, Settings]]) -> None:
    from skypool.pool.pool import Pool

    # Ctrl-C reaches all processes of a terminal: the one that asks ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    views = [Pool(path, "r", settings=settings).at(at).view for path, at, settings in pools]
    _worker.append(_Worker(function, views))


def _asked(items: Sequence[tuple[int, int]]) -> list[_Answer]:
    worker = _worker[0]

    def load(pool: int, number: int) -> Any:
        return worker.views[pool].number(number).product

    return [
        _ask(worker.function, lambda item=item: load(*item))  # type: ignore[misc]
        for item in items
    ]
