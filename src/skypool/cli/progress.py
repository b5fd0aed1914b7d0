"""Progress of long work, on standard error: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from skypool.cli.text import plain, shorten, shown, size_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from skypool.pool.progress import Progress

__all__ = ["Reporter"]


class Reporter:
    """Show the progress of one piece of work; quick work shows nothing.

    Parameters
    ----------
    terminal
        Whether standard error is a terminal; None to look.
    patience
        Seconds before a bar appears.
    interval
        Seconds between lines where there is no terminal.
    clock
        Gives the seconds; for tests.
    """

    def __init__(
        self,
        *,
        terminal: bool | None = None,
        patience: float = 0.5,
        interval: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._clock = clock
        self._start = clock()
        self._next = self._start + (patience if self._terminal else interval)
        self._interval = 0.1 if self._terminal else interval
        self._stage_start = self._start
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self.last: Progress | None = None

    def __call__(self, step: Progress) -> None:
        """Take what the pool reports; cheap enough to be called for every file."""
        now = self._clock()
        if self.last is None or step.stage != self.last.stage:
            self._stage_start = now
        self.last = step
        if now < self._next:
            return
        self._next = now + self._interval
        if self._terminal:
            self._draw(step)
        else:
            click.echo(self._line(step, now), err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            if self.last is not None:
                self._draw(self.last)
            self._bars.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._start

    def _line(self, step: Progress, now: float) -> str:
        parts = [_of(f"{step.items:,}", step.total_items and f"{step.total_items:,}", " items")]
        spent = now - self._stage_start
        if step.bytes:
            total = size_text(step.total_bytes) if step.total_bytes else None
            parts.append(_of(size_text(step.bytes), total, ""))
        if step.bytes and spent > 0:
            parts.append(f"{size_text(step.bytes / spent)}/s")
        left = _left(step, spent)
        if left is not None:
            parts.append(f"{int(left // 60)}:{int(left % 60):02d} left")
        return plain(f"{step.stage}: " + ", ".join(parts))

    def _draw(self, step: Progress) -> None:
        if self._bars is None:
            self._bars = _make_bars()
            self._bars.start()
        by_bytes = bool(step.total_bytes)
        total = step.total_bytes if by_bytes else step.total_items
        facts: dict[str, Any] = {
            "completed": step.bytes if by_bytes else step.items,
            "total": total or None,
            "items": _of(f"{step.items:,}", step.total_items and f"{step.total_items:,}", ""),
            "amount": self._amount(step),
            "name": shorten(shown(step.name), 24, middle=True),
        }
        if self._task is None or self._bars.tasks[-1].description != step.stage:
            self._task = self._bars.add_task(step.stage, **facts)
        else:
            self._bars.update(self._task, refresh=True, **facts)

    def _amount(self, step: Progress) -> str:
        if not step.bytes:
            return ""
        spent = self._clock() - self._stage_start
        total = size_text(step.total_bytes) if step.total_bytes else None
        rate = f"  {size_text(step.bytes / spent)}/s" if spent > 0 else ""
        return _of(size_text(step.bytes), total, "") + rate


def _of(done: str, total: str | int | None, unit: str) -> str:
    return f"{done}/{total}{unit}" if total else f"{done}{unit}"


def _left(step: Progress, spent: float) -> float | None:
    done, total = (
        (step.bytes, step.total_bytes) if step.total_bytes else (step.items, step.total_items)
    )
    return spent * (total - done) / done if total and done and total >= done else None


def _make_bars() -> Bars:
    # rich takes 0.1 s to import: only work that lasts pays for it.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[items]}", markup=False),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[name]}", markup=False),
        console=Console(stderr=True),
        expand=True,
        refresh_per_second=5,
    )
