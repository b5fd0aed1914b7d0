"""What tells that something has changed below a folder: the system, or looking again and again."""

from __future__ import annotations

import os
import queue
import stat
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from skypool.files.watch_ready import figures_of

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

__all__ = ["Event", "EventSource", "PollSource"]

Wanted = Callable[[str], bool]


class Event(NamedTuple):
    """Something that happened below a watched folder.

    Attributes
    ----------
    what
        `changed`: written to, not closed; `closed`: behind a change, or something is there, or
        gone, at once; `moved`: it was at `path` and is at `to`.
    path, to
        Absolute paths.
    """

    what: Literal["changed", "closed", "moved"]
    path: str
    to: str = ""


Inbox = queue.SimpleQueue[Event | None]


class EventSource:
    """The system tells (inotify on Linux), by the library watchdog.

    Parameters
    ----------
    folders
        Absolute paths.
    inbox
        Takes the events.

    Raises
    ------
    ImportError
        If watchdog is not installed.
    OSError
        If the system refuses, such as for its limit of watched folders.
    """

    def __init__(self, folders: Sequence[str], inbox: Inbox) -> None:
        from watchdog import events
        from watchdog.observers import Observer

        put = self._put

        class Handler(events.FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                put(event)

        self._inbox = inbox
        # watchdog says so where folders are made in one another quickly; nothing is wrong then.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        # Not that files are opened and read: adding does so itself.
        wanted: list[type[FileSystemEvent]] = [
            events.FileClosedEvent, events.FileCreatedEvent, events.FileModifiedEvent,
            events.FileMovedEvent, events.FileDeletedEvent, events.DirCreatedEvent,
            events.DirMovedEvent, events.DirDeletedEvent,
        ]  # fmt: skip
        self._observer = Observer()
        self._places = {folder: _place(folder) for folder in folders}
        for folder in folders:
            self._observer.schedule(Handler(), folder, recursive=True, event_filter=wanted)
        self._observer.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still looks, at what is at these paths now."""
        if any(_place(folder) != place for folder, place in self._places.items()):
            return False  # moved away or made anew: the system tells of what it was
        emitters = self._observer.emitters
        return self._observer.is_alive() and all(emitter.is_alive() for emitter in emitters)

    def _put(self, event: FileSystemEvent) -> None:
        path, to = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        kind = event.event_type
        if kind == "moved":
            self._inbox.put(Event("moved", path, to))
        elif kind == "modified":
            if not event.is_directory:  # what happens in a folder is told by itself
                self._inbox.put(Event("changed", path))
        elif kind in ("closed", "deleted") or (event.is_directory and kind == "created"):
            self._inbox.put(Event("closed", path))
        elif kind == "created":
            # Whoever writes it closes it; a link, or a file moved from elsewhere, is there at once.
            self._inbox.put(Event("changed", path))

    def close(self) -> None:
        """Look no more."""
        self._observer.stop()
        self._observer.join()


def _place(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class PollSource:
    """Looks through the folders again and again.

    Parameters
    ----------
    folders
        Absolute paths.
    inbox
        Takes the events.
    interval
        Seconds between the looks.
    is_wanted
        Says of a path whether it is looked at.
    """

    def __init__(
        self, folders: Sequence[str], inbox: Inbox, interval: float, is_wanted: Wanted
    ) -> None:
        self._folders = folders
        self._inbox = inbox
        self._interval = interval
        self._is_wanted = is_wanted
        self._end = threading.Event()
        self._before = self._look()
        self._thread = threading.Thread(target=self._run, name="skypool-watch", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still looks."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._end.wait(self._interval):
            now = self._look()
            for event in differences(self._before, now):
                self._inbox.put(event)
            self._before = now

    def _look(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for folder in self._folders:
            self._look_into(folder, found, frozenset())
        return found

    def _look_into(
        self, folder: str, found: dict[str, tuple[int, ...]], above: frozenset[tuple[int, int]]
    ) -> None:
        try:
            own = os.stat(folder)
            here = above | {(own.st_dev, own.st_ino)}
            with os.scandir(folder) as entries:
                listed = [entry for entry in entries if self._is_wanted(entry.path)]
        except OSError:  # gone, or closed to us: the pool says so
            return
        for entry in listed:
            try:
                status = entry.stat()
            except OSError:
                continue
            if not stat.S_ISDIR(status.st_mode):
                found[entry.path] = figures_of(status)
            elif (status.st_dev, status.st_ino) not in here:
                found[entry.path] = (-1, 0, status.st_ino, status.st_dev)
                self._look_into(entry.path, found, here)

    def close(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()


def differences(before: dict[str, tuple[int, ...]], now: dict[str, tuple[int, ...]]) -> list[Event]:
    """Return what happened between two looks at folders.

    What is gone from one place and is at a new one, by its inode, was moved.
    """
    gone = {figures[-2:]: path for path, figures in before.items() if path not in now}
    pairs = {
        path: gone[figures[-2:]]
        for path, figures in now.items()
        # A number may be given again to a new file: what was moved is as it was.
        if path not in before and before.get(gone.get(figures[-2:], "")) == figures
    }
    for path in [path for path in pairs if now[path][0] < 0]:
        # Of folders nothing else is known: what is in one shows it.
        files = (path + old[len(pairs[path]) :] for old in before if _is_below(old, pairs[path]))
        if not any(file in pairs for file in files):
            del pairs[path]
    events = []
    for path, figures in now.items():
        if path in pairs:
            events.append(Event("moved", pairs[path], path))
        elif path not in before:
            events.append(Event("changed" if figures[0] >= 0 else "closed", path))
        elif before[path] != figures:
            events.append(Event("changed", path))
    moved = set(pairs.values())
    return events + [Event("closed", path) for path in gone.values() if path not in moved]


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder + os.sep)
