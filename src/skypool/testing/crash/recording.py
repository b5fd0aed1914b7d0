"""Recording what is done to a folder: below the file layer, and below SQLite."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Self

from skypool.codec.buffers import Buffer
from skypool.storage.filelayer import LocalFiles
from skypool.storage.system import SystemCalls
from skypool.testing.crash.model import Model
from skypool.testing.crash.replay import final_tree
from skypool.testing.crash.sqlite import SqliteTracer
from skypool.testing.crash.trace import Do, Mark, Step, Trace, Tree

__all__ = ["Recorder", "RecordingCalls", "read_tree", "scratch_folder"]


class Tape:
    """The steps in one order over all threads, and the names that they leave.

    Each step is done and noted while the lock is held, so that the order is the true one.

    Parameters
    ----------
    root
        The folder; what is done outside of it is not noted.
    pins
        Folder, on the same file system, for second names of SQLite's files.
    """

    def __init__(self, root: str, pins: str) -> None:
        self.root = os.path.realpath(root)
        self.lock = threading.RLock()
        self.trace = Trace(start=read_tree(self.root))
        self._names = dict(self.trace.start.names)
        self._last = max(self._names.values(), default=0)
        self._pins = pins

    def relative(self, path: str) -> str | None:
        """Return a path as steps have it, None outside of the folder."""
        path = os.path.abspath(path)
        if path == self.root:
            return ""
        return path[len(self.root) + 1 :] if path.startswith(self.root + os.sep) else None

    def file(self, path: str) -> int:
        """Return the number of the file of a name; 0 if there is none."""
        return self._names.get(path, 0)

    def note(self, step: Step) -> None:
        """Note a step."""
        if step.do is Do.UNLINK:
            self._names.pop(step.path, None)
        elif step.do is Do.LINK:
            self._names[step.target] = step.file
        elif step.do is Do.RENAME:
            self._names[step.target] = self._names.pop(step.path)
        self.trace.steps.append(step)

    def created(self, path: str) -> int:
        """Note a new file and return its number."""
        self._last += 1
        self._names[path] = self._last
        self.note(Step(Do.CREATE, path, self._last))
        return self._last

    def pin(self, file: int, path: str) -> None:
        """Keep a file under a second name: a state must have it under the same inode."""
        if file not in self.trace.pins:
            name = os.path.join(self._pins, os.urandom(8).hex())
            os.link(os.path.join(self.root, path), name)
            self.trace.pins[file] = name

    def shared(self, path: str) -> None:
        """Note the content of a `-shm` file."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.root, path), "rb") as f:
            self.trace.shared.append((len(self.trace.steps), path, f.read()))


class RecordingCalls(SystemCalls):
    """The calls of the system below the file layer; each is done and noted.

    Parameters
    ----------
    tape
        Takes the steps.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        # Path and number of the files that are open, by descriptor.
        self._files: dict[int, tuple[str, int]] = {}

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:  # type: ignore[override]
        """Open a file or a folder."""
        with self._tape.lock:
            new = not os.path.lexists(path)
            fd = os.open(path, flags, mode)
            inside = self._tape.relative(path)
            if inside is not None:
                number = self._tape.created(inside) if new else self._tape.file(inside)
                self._files[fd] = inside, number
            return fd

    def close(self, fd: int) -> None:
        """Close it."""
        with self._tape.lock:
            self._files.pop(fd, None)
            os.close(fd)

    def pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:  # type: ignore[override]
        """Write, perhaps not all."""
        with self._tape.lock:
            done = os.pwritev(fd, buffers, offset)
            data = b"".join(bytes(buffer) for buffer in buffers)[:done]
            self._note(Do.WRITE, fd, offset, data)
            return done

    def ftruncate(self, fd: int, size: int) -> None:
        """Cut a file."""
        with self._tape.lock:
            os.ftruncate(fd, size)
            self._note(Do.TRUNCATE, fd, size)

    def fdatasync(self, fd: int) -> None:
        """Make a file's content durable."""
        with self._tape.lock:
            SystemCalls.fdatasync(fd)
            self._note(Do.SYNC, fd)

    def fsync(self, fd: int) -> None:  # type: ignore[override]
        """Make a file's content, or the names in a folder, durable."""
        with self._tape.lock:
            os.fsync(fd)
            folder = stat.S_ISDIR(os.fstat(fd).st_mode)
            self._note(Do.SYNC_FOLDER if folder else Do.SYNC, fd)

    def mkdir(self, path: str) -> None:  # type: ignore[override]
        """Make a folder."""
        with self._tape.lock:
            os.mkdir(path)  # noqa: PTH102
            self._note_name(Do.FOLDER, path)

    def link(self, source: str, target: str) -> None:  # type: ignore[override]
        """Give a file a second name."""
        with self._tape.lock:
            os.link(source, target)
            self._note_name(Do.LINK, source, target)

    def replace(self, source: str, target: str) -> None:  # type: ignore[override]
        """Rename a file."""
        with self._tape.lock:
            os.replace(source, target)
            self._note_name(Do.RENAME, source, target)

    def unlink(self, path: str) -> None:  # type: ignore[override]
        """Remove a name."""
        with self._tape.lock:
            os.unlink(path)
            self._note_name(Do.UNLINK, path)

    def _note(self, do: Do, fd: int, offset: int = 0, data: bytes = b"") -> None:
        if fd in self._files:
            path, file = self._files[fd]
            self._tape.note(Step(do, path, file, "", offset, data))

    def _note_name(self, do: Do, path: str, target: str = "") -> None:
        old, new = self._tape.relative(path), self._tape.relative(target) if target else ""
        if old is not None and new is not None:
            self._tape.note(Step(do, old, self._tape.file(old), new))


class Recorder:
    """Records what is done to a folder, to be used in a `with` statement.

    Parameters
    ----------
    root
        The folder in which the pool is, or will be made.
    pins
        A folder on the same file system, outside of *root*.
    model
        What the pool holds now.
    also
        Further states that it may be found in, for a pool that crashed.

    Attributes
    ----------
    files : LocalFiles
        The file layer to open pools with.
    trace : Trace
        The recording.
    """

    def __init__(self, root: str, pins: str, model: Model, also: Sequence[Model] = ()) -> None:
        self._tape = Tape(root, pins)
        self._sqlite = SqliteTracer(self._tape)
        self.files = LocalFiles(RecordingCalls(self._tape))
        self.trace = self._tape.trace
        self.model = model
        self.mark(len(self.trace.steps), model, *also)

    def __enter__(self) -> Self:
        self._sqlite.install()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._sqlite.remove()
        if kind is None:
            self._check()

    @contextlib.contextmanager
    def committing(self, result: Model) -> Iterator[None]:
        """Do something that commits, and is acknowledged at the end of the block."""
        self.mark(len(self.trace.steps), self.model, result)
        yield
        self.settle(result)

    def settle(self, model: Model) -> None:
        """Note what the pool is known to hold from now on."""
        self.model = model
        self.mark(len(self.trace.steps), model)

    def mark(self, step: int, *allowed: Model) -> None:
        """Note what the pool may hold after a crash from a step on, at the earliest."""
        with self._tape.lock:
            self.trace.marks.append(Mark(step, allowed))

    @contextlib.contextmanager
    def ordered(self) -> Iterator[int]:
        """Hold up all steps, and tell how many were done."""
        with self._tape.lock:
            yield len(self.trace.steps)

    def _check(self) -> None:
        """Look that the recording is what happened: nobody wrote past it."""
        found, expected = read_tree(self._tape.root), final_tree(self.trace)
        shown = {name: found.contents[file] for name, file in found.names.items()}
        wanted = {name: expected.contents[file] for name, file in expected.names.items()}
        wrong = sorted(n for n in shown.keys() | wanted.keys() if shown.get(n) != wanted.get(n))
        if wrong or found.folders != expected.folders:
            raise AssertionError(f"written past the recorder: {wrong or found.folders}")


def read_tree(root: str) -> Tree:
    """Return what is in a folder, without SQLite's `-shm` files, which nobody counts on."""
    tree = Tree()
    numbers: dict[tuple[int, int], int] = {}
    for folder, folders, files in os.walk(root):
        inside = os.path.relpath(folder, root)
        inside = "" if inside == "." else inside
        tree.folders.update(os.path.join(inside, name) for name in folders)
        for name in sorted(files):
            if name.endswith("-shm"):
                continue
            path = os.path.join(folder, name)
            state = os.stat(path)
            number = numbers.setdefault((state.st_dev, state.st_ino), len(numbers) + 1)
            tree.names[os.path.join(inside, name)] = number
            with open(path, "rb") as file:
                tree.contents[number] = file.read()
    return tree


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder in memory where the system has one: syncs cost nothing there."""
    memory = "/dev/shm"  # noqa: S108 (a fixed place of Linux, checked)
    usable = os.path.isdir(memory) and os.access(memory, os.W_OK)
    return tempfile.TemporaryDirectory(prefix="skypool-crash-", dir=memory if usable else None)
