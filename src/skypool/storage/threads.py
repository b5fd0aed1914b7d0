"""Work for other threads, where there can be any."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

__all__ = ["submitted"]

A = TypeVar("A")
R = TypeVar("R")


def submitted(threads: Executor, work: Callable[[A], R], item: A) -> Future[R]:
    """Give work to a thread; where the system has no more threads it is done at once.

    Parameters
    ----------
    threads
        Where the work goes.
    work
        A function that may run twice.
    item
        What it is given.
    """
    try:
        return threads.submit(work, item)
    except RuntimeError:  # that is what Python raises; the work may even be queued by now
        from concurrent.futures import Future

        done: Future[R] = Future()
        done.set_result(work(item))
        return done
