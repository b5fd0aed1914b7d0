"""Collections that are halted at a chosen step, so that something else happens just then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skypool.codec.buffers import Buffer
from skypool.storage.filelayer import Handle, LocalFiles


class Steps(LocalFiles):
    """The file layer; before every change of a file, and every lock, it calls a function.

    Not while the log is locked: whoever commits waits then, and here it would be for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[str, str], None] = lambda name, path: None

    def _step(self, name: str, path: str) -> None:
        if name == "lock" or not path.endswith("commits.log"):
            self.before(name, path)

    def create_exclusive(self, path: str) -> Handle:
        self._step("create", path)
        return super().create_exclusive(path)

    def write(self, handle: Handle, offset: int, buffers: Sequence[Buffer]) -> None:
        self._step("write", handle.path)
        super().write(handle, offset, buffers)

    def truncate(self, handle: Handle, size: int) -> None:
        self._step("truncate", handle.path)
        super().truncate(handle, size)

    def sync(self, handle: Handle) -> None:
        self._step("sync", handle.path)
        super().sync(handle)

    def unlink(self, path: str) -> None:
        self._step("unlink", path)
        super().unlink(path)

    def lock(self, handle: Handle, *, exclusive: bool, wait: float | None = 0.0) -> bool:
        self._step("lock", handle.path)
        return super().lock(handle, exclusive=exclusive, wait=wait)


class AtStep:
    """Calls an action at the n-th step of a piece of work, once.

    Attributes
    ----------
    steps : int
        Steps so far.
    done : bool
        Whether the action was called.
    """

    def __init__(self, number: int, action: Callable[[], Any]) -> None:
        self._number = number
        self._action = action
        self._inside = False
        self.steps = 0
        self.done = False

    def __call__(self, *_: object) -> None:
        if self._inside:
            return
        if self.steps == self._number:
            self._inside = True
            try:
                self._action()
                self.done = True
            finally:
                self._inside = False
        self.steps += 1
