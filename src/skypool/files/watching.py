"""Watching folders: what a pipeline writes is added as it appears, one commit for each burst.

A burst is added as `Pool.add` adds the folder, so that names are the same, files that are as last
seen are not read, and a watch that starts finds what changed while none ran.
docs/design/033-watch-and-bulk.md tells how complete files are told from others.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from skypool.errors import (
    FormatTooNew,
    Locked,
    MissingDependency,
    NameConflict,
    NotFound,
    PoolNotFound,
    ReadOnly,
    SkypoolError,
    UsageError,
)
from skypool.files.watch_ready import Ignored, Readiness, figures_of
from skypool.files.watch_report import WatchOptions, WatchReport
from skypool.files.watch_sources import Event, EventSource, Inbox, PollSource
from skypool.pool.following import Following
from skypool.storage.mounts import file_system, is_network

if TYPE_CHECKING:
    from skypool.pool.add_report import AddReport
    from skypool.pool.pool import Pool

__all__ = ["Watch", "watch"]

# Seconds between looks where the system cannot tell what happens.
_POLL: Final = 5.0
# Seconds before something that failed as a whole is tried again, at first and at most.
_RETRY, _RETRY_AT_MOST = 5.0, 300.0
# Waiting for good does not exist: clocks may be changed.
_LONGEST_WAIT: Final = 60.0
# These do not go away by themselves.
_FINAL = (UsageError, PoolNotFound, ReadOnly, FormatTooNew)


def watch(
    pool: Pool,
    folders: Any,
    on_note: Callable[[str], None] | None = None,
    **options: Any,
) -> Watch:
    """Watch folders; see `Pool.watch`."""
    listed = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    return Watch(pool, [os.fspath(f) for f in listed], WatchOptions(**options), on_note)


class Watch:
    """Folders that are watched; iterating adds what appears in them, and gives what was done.

    It ends when `stop` is called, from any thread or signal handler, after the running commit.

    Parameters
    ----------
    pool
        Takes what appears.
    folders
        Their paths.
    options
        How.
    on_note
        Told what the user should know, such as that the system cannot tell of changes.
    clock
        Gives the seconds.
    """

    def __init__(
        self,
        pool: Pool,
        folders: Sequence[str],
        options: WatchOptions,
        on_note: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(folders, options)
        self._pool = pool
        self._folders = list(folders)
        self._roots = [os.path.abspath(folder) for folder in folders]
        self._options = options
        self._note = on_note or (lambda text: None)
        self._clock = clock
        self._inbox: Inbox = queue.SimpleQueue()
        self._source: EventSource | PollSource | None = None
        self._stopped = False
        self._lost = False
        self._own: Pool | None = None
        self._ignored = Ignored(options.exclude, dot_files=options.dot_files)
        self._ready = Readiness(0.0 if options.once else max(options.quiet, 1.0), clock)
        # When the burst began, and its last change; None where there is none.
        self._first: float | None = None
        self._last = 0.0
        self._added_at = 0.0
        self._cost = 0.0
        self._tried_again = 0.0
        self._retry = 0.0
        self._moved: dict[str, str] = {}
        # Files that contradict what is there, with their figures.
        self._refused: dict[str, tuple[tuple[int, ...], str]] = {}
        self._told: dict[str, str] = {}

    def stop(self) -> None:
        """End, after the running commit."""
        self._stopped = True
        self._inbox.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._close()

    def __iter__(self) -> Iterator[WatchReport]:
        try:
            if not self._options.once:
                self._open()
            report = self._add()
            if report is not None:
                yield report
            while self._goes_on():
                report = self._add() if self._is_due() else None
                if report is not None:
                    yield report
        finally:
            self._close()

    def _goes_on(self) -> bool:
        """Wait for something to happen; false where it is the end."""
        if not self._options.once and not self._stopped:
            self._take(self._patience())
        return not self._options.once and not self._stopped

    # -- what happens

    def _open(self) -> None:
        options = self._options
        polls = options.poll
        if polls is None:
            silent = [root for root in self._roots if _tells_nothing(root)]
            if silent:
                self._note(
                    f"{silent[0]} is on a file system ({file_system(silent[0])}) that does not tell"
                    f" of all changes: looking at it every {_POLL:g} s"
                )
                polls = _POLL
        if polls is None:
            try:
                self._source = EventSource(self._roots, self._inbox)
            except ImportError as error:
                raise MissingDependency(
                    f"watching needs a package more: {error}",
                    hint="pip install 'skypool[watch]', or look every few seconds: --poll 5",
                ) from error
            except OSError as error:
                self._note(f"the system does not tell of changes ({error.strerror}): looking every"
                           f" {_POLL:g} s")  # fmt: skip
                polls = _POLL
        if polls is not None:
            self._source = PollSource(self._roots, self._inbox, polls, self._is_wanted)

    def _close(self) -> None:
        self._close_source()
        own, self._own = self._own, None
        if own is not None:
            own.close()

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _renew_pool(self) -> None:
        """Open the pool anew; that of the caller stays as it is."""
        own, self._own = self._own, type(self._pool)(self._pool.path, settings=self._pool.settings)
        self._pool = self._own
        if own is not None:
            own.close()

    def _take(self, patience: float) -> None:
        """Wait for something to happen, and take in all that has."""
        try:
            event = self._inbox.get(timeout=patience)
            while event is not None:
                self._take_event(event)
                event = self._inbox.get_nowait()
        except queue.Empty:
            pass

    def _take_event(self, event: Event) -> None:
        if event.what == "moved":
            self._take_move(event.path, event.to)
        elif not self._is_wanted(event.path):
            pass
        elif event.what == "changed":
            self._ready.note_changed(event.path)
        else:
            self._ready.note_closed(event.path)
            self._note_change()

    def _take_move(self, path: str, to: str) -> None:
        known, wanted = self._is_wanted(path), self._is_wanted(to)
        if known and wanted:
            # Moved twice, it still comes from its first place.
            before = self._moved.pop(path, path)
            for new in [new for new in self._moved if new.startswith(path + os.sep)]:
                self._moved[to + new[len(path) :]] = self._moved.pop(new)
            if before not in (to, self._above_moved(to)):
                self._moved[to] = before
        if known or wanted:
            self._note_change()

    def _above_moved(self, to: str) -> str:
        """Return where something was, as far as a folder above it was moved; else nothing."""
        for new, old in self._moved.items():
            if to.startswith(new + os.sep):
                return old + to[len(new) :]
        return ""

    def _note_change(self) -> None:
        self._last = self._clock()
        if self._first is None:
            self._first = self._last

    def _is_wanted(self, path: str) -> bool:
        """Return whether a path is one of the watched ones: not the pool's, not left out."""
        pool = os.path.abspath(self._pool.path)
        if path == pool or path.startswith(pool + os.sep):
            return False
        for root in self._roots:
            if path.startswith(root.rstrip(os.sep) + os.sep):
                return os.path.relpath(path, root) not in self._ignored
        return path in self._roots

    # -- when

    def _due_at(self) -> float | None:
        """Return when to add, if something has changed."""
        if self._first is None:
            return None
        quiet, longest = self._last + self._options.quiet, self._first + self._options.longest
        return max(min(quiet, longest), self._tried_again)

    def _patience(self) -> float:
        """Return how long to wait for something to happen."""
        now = self._clock()
        times = [self._rescan_at(), now + _LONGEST_WAIT]
        due = self._due_at()
        if due is not None:
            times.append(due)
        if self._ready.waiting:
            times.append(now + max(self._options.quiet, 0.1))
        return max(min(times) - now, 0.0)

    def _rescan_at(self) -> float:
        """Return when to look at everything: not all systems tell all. It costs 2 % at most."""
        return self._added_at + max(self._options.rescan, 50 * self._cost)

    def _is_due(self) -> bool:
        now = self._clock()
        if now >= self._rescan_at() or (self._source is not None and not self._source.is_alive):
            self._first = self._last = now - self._options.longest
        else:
            # Each is looked at: what is complete leaves the list.
            waiting = list(self._ready.waiting)
            if sum(self._ready.is_complete_now(path) for path in waiting):
                self._note_change()
        due = self._due_at()
        return due is not None and now >= due

    # -- adding

    def _add(self) -> WatchReport | None:
        """Add what is complete; None where there is nothing to report."""
        now, begin = datetime.now(UTC), self._clock()
        self._first = None
        moved, self._moved = self._moved, {}
        report: AddReport | None = None
        try:
            self._look_at_folders()
            report = self._add_all_but_the_refused(moved)
        except SkypoolError as error:
            if isinstance(error, _FINAL) or self._options.once:
                raise
            self._try_again(error, moved)
            problems = {", ".join(self._folders): str(error)}
        else:
            self._retry = 0.0
            problems = {path: reason for path, (_, reason) in self._refused.items()}
            problems |= dict(report.skipped)
        self._added_at = self._clock()
        self._cost = self._added_at - begin
        fresh = [(path, why) for path, why in problems.items() if self._told.get(path) != why]
        self._told = problems
        commit = report.commit if report is not None else None
        if commit is None and not fresh:
            return None
        return WatchReport(now, commit, report, moved if commit is not None else {}, fresh)

    def _try_again(self, error: SkypoolError, moved: dict[str, str]) -> None:
        """Plan to add again a little later."""
        self._retry = min(max(2 * self._retry, _RETRY), _RETRY_AT_MOST)
        self._tried_again = self._clock() + self._retry
        self._moved = moved | self._moved
        self._note_change()
        if isinstance(error, Locked):  # the catalogue may have been replaced
            self._renew_pool()

    def _look_at_folders(self) -> None:
        """Make sure that the folders are there; one that was gone is watched anew."""
        gone = [folder for folder in self._folders if not os.path.isdir(folder)]
        if gone:
            self._lost = True
            raise NotFound(f"the folder {gone[0]!r} is not there", hint="it is looked for again")
        alive = self._source is None or self._source.is_alive
        if self._lost or not alive:
            self._lost = False
            self._close_source()
            self._open()

    def _add_all_but_the_refused(self, moved: dict[str, str]) -> AddReport:
        options = self._options
        following = Following(
            self._leaves_out, lambda path: self._keeps(path, moved), options.remove, moved
        )
        while True:
            try:
                return self._pool.add_report(
                    self._folders,
                    name=options.name,
                    under=options.under,
                    tags=options.tags,
                    message=options.message or f"watch {', '.join(self._folders)[:200]}",
                    in_place=options.in_place,
                    as_version=options.as_version,
                    gzip=options.gzip,
                    following=following,
                )
            except NameConflict as error:
                if not error.path or error.path in self._refused:
                    raise
                # One file of another observation does not stop the others.
                reason = f"{error.message}; --as-version takes it"
                self._refused[error.path] = (figures_of(os.stat(error.path)), reason)

    def _keeps(self, path: str, moved: dict[str, str]) -> bool:
        path = os.path.abspath(path)
        if path in moved.values() and not os.path.lexists(path):
            return False
        return not self._options.remove or os.path.lexists(path)

    def _leaves_out(self, path: str, status: os.stat_result | None) -> bool:
        path = os.path.abspath(path)
        if not self._is_wanted(path):
            return True
        if status is None:
            return False
        refused = self._refused.get(path)
        if refused is not None:
            if refused[0] == figures_of(status):
                return True
            del self._refused[path]
        return not self._ready.is_complete(path, status)


def _tells_nothing(path: str) -> bool:
    """Return whether another computer may change what is there: the system tells of its own."""
    kind = file_system(path)
    return is_network(path) or kind in ("9p", "virtiofs") or kind.startswith("fuse")


def _check(folders: Sequence[str], options: WatchOptions) -> None:
    for folder in folders:
        if not os.path.isdir(folder):
            raise NotFound(f"there is no folder {folder!r}")
    if options.name is not None and len(folders) != 1:
        raise UsageError("one name is given for several folders", hint="use a prefix (under=)")
    for what in ("quiet", "longest", "rescan", "poll"):
        value = getattr(options, what)
        if value is not None and not (value > 0 or (what == "quiet" and value == 0)):
            raise UsageError(
                f"{what} must be a positive number of seconds, not {value!r}",
                hint="such as 0.5",
            )
