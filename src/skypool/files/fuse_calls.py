"""The requests of the kernel, answered by the operations on a pool: what finds files.

Each method is an operation of `fuse_lowlevel_ops` by its name. It returns how the request is
answered: a function of libfuse, what it is given behind the request, and what is to be undone
if nobody waits for the answer any more.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from skypool.files.inodes import Inode, Inodes
from skypool.files.staged import StagedFile
from skypool.files.stat_memory import StatMemory

if TYPE_CHECKING:
    from skypool.files.libfuse import LibFuse
    from skypool.files.operations import Attributes, Look, Operations

__all__ = ["Answer", "Calls"]

Answer = tuple[Any, ...]

#: Seconds that the kernel keeps what it was told of a file, and of a name.
_CACHED: Final = 1.0
# What listings give where no number is known; zero would be no file.
_UNKNOWN: Final = 0xFFFFFFFF
_LONGEST: Final = 255
_FOLDER: Final = 0o040000
_NO_REPLACE, _EXCHANGE = 1, 2  # RENAME_NOREPLACE, RENAME_EXCHANGE


class Calls:
    """Names, attributes and folders.

    Parameters
    ----------
    operations
        On the pool.
    library
        libfuse.
    """

    def __init__(self, operations: Operations, library: LibFuse) -> None:
        self.do = operations
        self.library = library
        self.memory = StatMemory(library.stat)
        self.inodes = Inodes(operations.attributes(""))
        self._numbers = itertools.count(1)
        self._folders: dict[int, list[tuple[bytes, Look | None]]] = {}

    # -- help

    def inode(self, number: int) -> Inode:
        """Return what the kernel means."""
        try:
            return self.inodes[number]
        except KeyError:
            raise OSError(errno.ESTALE, "no such inode") from None

    def path(self, inode: Inode) -> str:
        """Return where a file is; ESTALE has the kernel look for the name anew."""
        path = inode.path()
        if path is None:
            raise OSError(errno.ESTALE, "it has another name, or none")
        return path

    def below(self, number: int, name: bytes) -> str:
        """Return the path of a name in a folder."""
        return f"{self.path(self.inode(number))}/{os.fsdecode(name)}"

    def _entry(self, inode: Inode) -> Any:
        entry = self.library.entry(inode.number, 0)
        entry.attributes_for = entry.name_for = _CACHED
        self.memory.write(entry.attributes, inode.found, inode.number)
        return entry

    def enter(self, number: int, name: bytes) -> Inode:
        """Look at a name, and return its file or folder; the kernel is to be told of it."""
        look = self.do.look(self.below(number, name))
        return self.inodes.enter(self.inode(number), name, look.token, look.attributes, look.entry)

    def _tell(self, inode: Inode) -> Answer:
        forget = self.inodes.forget
        return self.library.reply_entry, (self._entry(inode),), lambda: forget(inode.number, 1)

    def done(self) -> Answer:
        """Return the answer that all is well."""
        return self.library.reply_error, (0,)

    # -- names

    def lookup(self, above: int, name: bytes) -> Answer:
        """Find a name in a folder."""
        return self._tell(self.enter(above, name))

    def forget(self, number: int, times: int) -> Answer:
        """Take note that the kernel has forgotten a file."""
        self.inodes.forget(number, times)
        return self.library.reply_none, ()

    def forget_multi(self, count: int, place: int) -> Answer:
        """Take note that the kernel has forgotten several files."""
        for number, times in self.library.forgotten(place, count):
            self.inodes.forget(number, times)
        return self.library.reply_none, ()

    def mkdir(self, above: int, name: bytes, _: int) -> Answer:
        """Make a folder."""
        self.do.mkdir(self.below(above, name))
        return self._tell(self.enter(above, name))

    def rmdir(self, above: int, name: bytes) -> Answer:
        """Remove an empty folder."""
        self.do.rmdir(self.below(above, name))
        self.inodes.removed(self.inode(above), name)
        return self.done()

    def unlink(self, above: int, name: bytes) -> Answer:
        """Remove a file."""
        self.do.unlink(self.below(above, name))
        self.inodes.removed(self.inode(above), name)
        return self.done()

    def rename(self, above: int, name: bytes, to: int, new: bytes, flags: int) -> Answer:
        """Rename a file or folder."""
        if flags & _EXCHANGE:
            raise OSError(errno.EINVAL, "names are not exchanged")
        self.do.rename(
            self.below(above, name), self.below(to, new), replace=not flags & _NO_REPLACE
        )
        self.inodes.renamed(self.inode(above), name, self.inode(to), new)
        return self.done()

    def symlink(self, _: bytes, above: int, name: bytes) -> Answer:
        """Refuse it, as file systems do that have no links."""
        raise OSError(errno.EPERM, "a mount keeps no links")

    def link(self, number: int, to: int, new: bytes) -> Answer:
        """Refuse it."""
        raise OSError(errno.EPERM, "a mount keeps no links")

    def mknod(self, above: int, name: bytes, mode: int, device: int) -> Answer:
        """Refuse pipes and devices; files are made by `create`."""
        raise OSError(errno.EPERM, "a mount keeps only files and folders")

    # -- attributes

    def attributes(self, inode: Inode) -> Attributes:
        """Return the attributes of a file: of the version that it is, if the path has another."""
        path = inode.path()
        if path is not None and (self.do.writes or not inode.is_version):
            look = self._look(inode, path)
            if look is not None and inode.takes(look.token):
                inode.found = look.attributes
                return inode.found
        if isinstance(inode.token, StagedFile) and inode.token.is_there:
            return inode.token.attributes
        return inode.found

    def _look(self, inode: Inode, path: str) -> Look | None:
        """Look at the path of a file; a file that is open outlives its name, a folder does not."""
        try:
            return self.do.look(path)
        except FileNotFoundError:
            if inode.is_folder:
                raise
            return None

    def getattr(self, number: int, _: Any) -> Answer:
        """Return what `stat` tells."""
        return self._attributes(self.inode(number))

    def _attributes(self, inode: Inode) -> Answer:
        memory = self.library.stat()
        self.memory.write(memory, self.attributes(inode), inode.number)
        return self.library.reply_attributes, (memory, _CACHED)

    def statfs(self, _: int) -> Answer:
        """Return the room that there is."""
        found = self.do.space()
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")
        space = self.library.statvfs(f_namemax=_LONGEST)
        for name in names:
            setattr(space, name, getattr(found, name))
        return self.library.reply_space, (space,)

    def _extended(self, number: int) -> dict[str, str]:
        inode = self.inode(number)
        path = self.path(inode)
        if not inode.takes(self.do.look(path).token):
            raise OSError(errno.ESTALE, "there is another version by now")
        return self.do.extended(path)

    def listxattr(self, number: int, size: int) -> Answer:
        """Return the names of the extended attributes."""
        names = self._extended(number)
        return self._value(b"".join(os.fsencode(name) + b"\0" for name in names), size)

    def getxattr(self, number: int, name: bytes, size: int) -> Answer:
        """Return an extended attribute."""
        if not name.startswith(b"user."):
            raise OSError(errno.EOPNOTSUPP, "there are no such attributes")
        found = self._extended(number).get(os.fsdecode(name))
        if found is None:
            raise OSError(errno.ENODATA, "no such attribute")
        return self._value(os.fsencode(found), size)

    def _value(self, value: bytes, size: int) -> Answer:
        if not size:
            return self.library.reply_size, (len(value),)
        if len(value) > size:
            raise OSError(errno.ERANGE, "it is longer")
        return self.library.reply_bytes, (value, len(value))

    # -- folders

    def opendir(self, number: int, info: Any) -> Answer:
        """Open a folder."""
        self.inode(number)
        info.contents.fh = handle = next(self._numbers)
        self._folders[handle] = []
        undo = self._folders.pop
        return self.library.reply_open, (info,), lambda: undo(handle, None)

    def releasedir(self, _: int, info: Any) -> Answer:
        """Close a folder."""
        self._folders.pop(info.contents.fh, None)
        return self.done()

    def _listed(self, number: int, handle: int, offset: int) -> list[tuple[bytes, Look | None]]:
        """Return what an open folder has: what it had when it was last read from its start."""
        if not offset or not self._folders.get(handle):
            looks = self.do.looks(self.path(self.inode(number)))
            found: list[tuple[bytes, Look | None]] = [(b".", None), (b"..", None)]
            found += [(os.fsencode(name), look) for name, look in looks.items()]
            self._folders[handle] = found
        return self._folders[handle]

    def readdir(self, number: int, size: int, offset: int, info: Any) -> Answer:
        """Return names, with types and no other attributes."""
        above, stat = self.inode(number), self.library.stat()

        def add(name: bytes, look: Look | None, place: int, room: int, following: int) -> int:
            stat.st_mode = _FOLDER if look is None else look.attributes[0]
            known = self.inodes.named(above, name) if look is not None else None
            stat.st_ino = _UNKNOWN if known is None else known.number
            return int(self.library.add_name(None, place, room, name, stat, following))

        return self._fill(self._listed(number, info.contents.fh, offset), size, offset, add)

    def readdirplus(self, number: int, size: int, offset: int, info: Any) -> Answer:
        """Return names with all attributes; the kernel knows those files then."""
        above, told = self.inode(number), []
        entry, none = self.library.entry(), self.library.entry()
        none.attributes.st_mode, none.attributes.st_ino = _FOLDER, _UNKNOWN
        entry.attributes_for = entry.name_for = _CACHED
        stat, write, enter = entry.attributes, self.memory.write, self.inodes.enter

        def add(name: bytes, look: Look | None, place: int, room: int, following: int) -> int:
            if look is None:
                return int(self.library.add_entry(None, place, room, name, none, following))
            inode = enter(above, name, look.token, look.attributes)
            told.append(inode.number)
            entry.number = inode.number
            write(stat, look.attributes, inode.number)
            needed = int(self.library.add_entry(None, place, room, name, entry, following))
            if needed > room:
                self.inodes.forget(told.pop(), 1)
            return needed

        def undo() -> None:
            for each in told:
                self.inodes.forget(each, 1)

        listed = self._listed(number, info.contents.fh, offset)
        return (*self._fill(listed, size, offset, add), undo)

    def _fill(
        self,
        listed: list[tuple[bytes, Look | None]],
        size: int,
        offset: int,
        add: Callable[[bytes, Look | None, int, int, int], int],
    ) -> Answer:
        """Return as many names from a place on as there is room for."""
        memory = ctypes.create_string_buffer(size)
        start, filled = ctypes.addressof(memory), 0
        for place in range(offset, len(listed)):
            needed = add(*listed[place], start + filled, size - filled, place + 1)
            if needed > size - filled:
                break
            filled += needed
        return self.library.reply_bytes, (memory, filled)
