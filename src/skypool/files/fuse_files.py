"""The requests of the kernel, answered by the operations on a pool: what opens files."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from skypool.files.fuse_calls import Answer, Calls
from skypool.files.staged import StagedFile, StagedHandle

if TYPE_CHECKING:
    from skypool.files.inodes import Inode
    from skypool.files.libfuse import LibFuse
    from skypool.files.operations import Operations

__all__ = ["FileCalls"]

# Which attributes are set (FUSE_SET_ATTR_...).
_SIZE, _MTIME, _MTIME_NOW = 1 << 3, 1 << 5, 1 << 8
_ACCESS: Final = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
# Those that were sent back are there again after so many seconds, and so many are remembered.
_BACK: Final = 1.0
_SENT: Final = 1000

_here = threading.local()


class FileCalls(Calls):
    """Files that are open, and what changes them."""

    def __init__(self, operations: Operations, library: LibFuse) -> None:
        super().__init__(operations, library)
        # Which handles keep a version of which file from being changed.
        self._readers: dict[int, Inode] = {}
        # Threads of programs for which the kernel was sent to look up a name anew, and when.
        self._sent: dict[int, float] = {}
        self._lock = threading.Lock()

    # -- opening and closing

    def open(self, number: int, info: Any) -> Answer:
        """Open a file."""
        inode, file, process = self.inode(number), info.contents, self.process()
        sent = self._sent.pop(process, None)
        reading = file.flags & _ACCESS == os.O_RDONLY
        try:
            path = self.path(inode)
            if not reading:
                self._set_apart(inode)
            handle = self.do.open(path, file.flags, process, inode.takes)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            entry = None if sent is None else self.inodes.entry_of(inode)
            if entry is None or not reading:
                self._send_back(process)
                raise
            handle = self.do.open_entry(entry)
        self._opened(inode, handle)
        file.fh = handle
        # The pages of a version are good for ever, those of a file being written are not.
        file.keep_cache = inode.is_version
        return self.library.reply_open, (info,), lambda: self._close(handle)

    def _send_back(self, process: int) -> None:
        """Take note that ESTALE has the kernel look up a name anew, within the same `open`.

        It does so once. If there is another version once more when it comes back, it gets the one
        that was there when it looked.
        """
        now = time.monotonic()
        with self._lock:
            if len(self._sent) > _SENT:
                self._sent = {key: t for key, t in self._sent.items() if now - t < _BACK}
            self._sent[process] = now

    def _set_apart(self, inode: Inode) -> None:
        """Leave a file to those who read it: who writes gets it under another number.

        What is written goes into the pages that all have of a number.
        """
        if inode.readers and inode.is_version:
            self.inodes.renew(inode)
            raise OSError(errno.ESTALE, "it is being read")

    def _opened(self, inode: Inode, handle: int) -> None:
        opened = self.do.handle(handle)
        if isinstance(opened, StagedHandle):
            inode.token = opened.staged
            return
        with self._lock:
            inode.readers += 1
            self._readers[handle] = inode

    def create(self, above: int, name: bytes, _: int, info: Any) -> Answer:
        """Make a file and open it."""
        handle = int(self.do.create(self.below(above, name), self.process()))
        inode = self.enter(above, name)
        self._opened(inode, handle)
        info.contents.fh = handle

        def undo() -> None:
            self.inodes.forget(inode.number, 1)
            self._close(handle)

        return self.library.reply_create, (self._entry(inode), info), undo

    def release(self, _: int, info: Any) -> Answer:
        """Close an open file for good."""
        self._close(info.contents.fh)
        return self.done()

    def _close(self, handle: int) -> None:
        with self._lock:
            inode = self._readers.pop(handle, None)
            if inode is not None:
                inode.readers -= 1
        self.do.release(handle)

    def flush(self, _: int, info: Any) -> Answer:
        """Take notice that one who has the file open closes it."""
        self.do.flush(info.contents.fh, self.process())
        return self.done()

    def fsync(self, _: int, __: int, info: Any) -> Answer:
        """Have a file on the disk."""
        self.do.sync(info.contents.fh)
        return self.done()

    # -- content

    def read(self, _: int, size: int, offset: int, info: Any) -> Answer:
        """Read from an open file."""
        memory, filled, answered = _memory(size), 0, False
        place, reply = ctypes.addressof(memory), self.library.reply_bytes

        def take(piece: bytes | memoryview) -> None:
            nonlocal filled, answered
            if not piece:
                return
            held = piece if isinstance(piece, bytes) else ctypes.c_char.from_buffer(piece)
            from_ = held if isinstance(held, bytes) else ctypes.addressof(held)
            answered = len(piece) == size
            if answered:  # all of it: from where it is, without a copy
                reply(_here.request, from_, size)
                return
            ctypes.memmove(place + filled, from_, len(piece))
            filled += len(piece)

        try:
            self.do.read_pieces(info.contents.fh, offset, size, take)
        except OSError:
            if not answered:
                raise
        return (_nothing, ()) if answered else (reply, (memory, filled))

    def write(self, _: int, place: int, size: int, offset: int, info: Any) -> Answer:
        """Write into an open file."""
        data = ctypes.string_at(place, size)
        return self.library.reply_write, (int(self.do.write(info.contents.fh, data, offset)),)

    def setattr(self, number: int, wanted: Any, which: int, info: Any) -> Answer:
        """Cut a file to a length, set when it was changed; permissions and owners are not kept."""
        inode = self.inode(number)
        if which & _SIZE:
            self._truncate(inode, wanted.contents.st_size, info.contents.fh if info else None)
        if which & (_MTIME | _MTIME_NOW):
            given = wanted.contents.st_mtimespec
            given_ns = given.tv_sec * 1_000_000_000 + given.tv_nsec
            self._set_time(inode, time.time_ns() if which & _MTIME_NOW else given_ns)
        return self._attributes(inode)

    def _truncate(self, inode: Inode, length: int, handle: int | None) -> None:
        if handle is not None:
            self.do.truncate("", length, handle)
            return
        path = self.path(inode)
        self._set_apart(inode)
        self.do.truncate(path, length, None, inode.takes)
        inode.token = self.do.look(path).token

    def _set_time(self, inode: Inode, mtime_ns: int) -> None:
        path = inode.path()
        if path is not None:
            self.do.utimens(path, mtime_ns)
        elif isinstance(inode.token, StagedFile):
            inode.token.set_mtime(mtime_ns)

    def process(self) -> int:
        """Return the process that asks; set for each request."""
        return int(self.library.process_of(_here.request))


def _nothing(_: int) -> int:
    """Answer nothing: it is answered."""
    return 0


def take_request(request: int) -> None:
    """Note which request this thread answers."""
    # libfuse's threads are not Python's: what belongs to a thread (the connection to
    # the catalogue) would be lost after each call unless the thread's state is kept.
    if not hasattr(_here, "request"):
        ctypes.pythonapi.PyGILState_Ensure()
    _here.request = request


def _memory(size: int) -> Any:
    """Return memory of this thread, used again for each request."""
    memory = getattr(_here, "memory", None)
    if memory is None or len(memory) < size:
        memory = _here.memory = ctypes.create_string_buffer(size)
    return memory
