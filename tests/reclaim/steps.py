"""Collections that are halted at a chosen step, so that something else happens just then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skypool.codec.buffers import Buffer
from skypool.storage.filelayer import Handle, LocalFiles


class Steps(LocalFiles):
    """The file layer; before every change of a file, and every lock, it calls a function."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[str, str], None] = lambda name, path: None

    def create_exclusive(self, path: str) -> Handle:
        self.before("create", path)
        return super().create_exclusive(path)

    def write(self, handle: Handle, offset: int, buffers: Sequence[Buffer]) -> None:
        self.before("write", handle.path)
        super().write(handle, offset, buffers)

    def truncate(self, handle: Handle, size: int) -> None:
        self.before("truncate", handle.path)
        super().truncate(handle, size)

    def sync(self, handle: Handle) -> None:
        self.before("sync", handle.path)
        super().sync(handle)

    def unlink(self, path: str) -> None:
        self.before("unlink", path)
        super().unlink(path)

    def lock(self, handle: Handle, *, exclusive: bool, wait: float | None = 0.0) -> bool:
        self.before("lock", handle.path)
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
