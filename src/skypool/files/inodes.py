"""Which file each number stands for that the kernel knows: one for each content of a path."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from skypool.files.staged import StagedFile

if TYPE_CHECKING:
    from skypool.files.nodes import Entry
    from skypool.files.operations import Attributes

__all__ = ["ROOT", "Inode", "Inodes"]

#: The number of the uppermost folder (FUSE_ROOT_ID).
ROOT: Final = 1
_RECENT: Final = 256


class Inode:
    """A file or folder that the kernel knows.

    Attributes
    ----------
    number : int
        What the kernel calls it.
    above : Inode or None
        The folder that it is in.
    name : bytes or None
        Its name there; None once the name is gone, or is that of something else.
    token : Hashable
        What stands for its content.
    found : tuple
        Its attributes as they were last known.
    lookups : int
        How often the kernel was told of it, less what it has forgotten.
    below : int
        How many are known that are in it.
    readers : int
        How many have a version of it open, which must stay as it was.
    """

    __slots__ = ("above", "below", "found", "lookups", "name", "number", "readers", "token")

    def __init__(
        self,
        number: int,
        above: Inode | None,
        name: bytes | None,
        token: Hashable,
        found: Attributes,
    ) -> None:
        self.number = number
        self.above = above
        self.name = name
        self.token = token
        self.found = found
        self.lookups = 0
        self.below = 0
        self.readers = 0

    def path(self) -> str | None:
        """Return its path; None where it has none any more."""
        parts: list[bytes] = []
        inode = self
        while inode.above is not None:
            if inode.name is None:
                return None
            parts.append(inode.name)
            inode = inode.above
        return os.fsdecode(b"/".join(reversed(parts)))

    def takes(self, token: Hashable) -> bool:
        """Say whether this is the content of the file, or what was saved of it just now."""
        if token == self.token:
            return True
        if isinstance(self.token, StagedFile) and token == self.token.saved is not None:
            self.token = token
            return True
        return False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.found[0])

    @property
    def is_version(self) -> bool:
        """Whether it is a file whose content never changes."""
        return not self.is_folder and not isinstance(self.token, StagedFile)


class Inodes:
    """All files and folders that the kernel knows.

    To the kernel a number is one file: its size, and the pages that it has read of it, belong to
    all who have it open. A version never changes, so a path gets another number when it has
    another version: who has the older one open goes on with that, and its pages stay good.

    Parameters
    ----------
    found
        The attributes of the uppermost folder.
    """

    def __init__(self, found: Attributes) -> None:
        self.root = Inode(ROOT, None, None, "folder", found)
        self.root.lookups = 1
        self._by_number = {ROOT: self.root}
        self._by_name: dict[tuple[int, bytes], Inode] = {}
        self._next = ROOT + 1
        self._recent: OrderedDict[int, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_number)

    def __getitem__(self, number: int) -> Inode:
        return self._by_number[number]

    def named(self, above: Inode, name: bytes) -> Inode | None:
        """Return what the kernel knows under a name, without telling it once more."""
        return self._by_name.get((above.number, name))

    def entry_of(self, inode: Inode) -> Entry | None:
        """Return what a file was found as, if that was not long ago."""
        return self._recent.get(inode.number)

    def enter(
        self,
        above: Inode,
        name: bytes,
        token: Hashable,
        found: Attributes,
        entry: Entry | None = None,
    ) -> Inode:
        """Return the file or folder of a name that the kernel is about to be told of.

        Parameters
        ----------
        above, name
            Where it is.
        token
            What stands for its content.
        found
            Its attributes.
        entry
            What it was found as, for who opens it next.
        """
        with self._lock:
            inode = self._by_name.get((above.number, name))
            if inode is not None and not inode.takes(token):
                self._take_name(inode)
                inode = None
            if inode is None:
                inode = Inode(self._next, above, name, token, found)
                self._next += 1
                self._by_number[inode.number] = inode
                self._by_name[above.number, name] = inode
                above.below += 1
            inode.found = found
            inode.lookups += 1
            if entry is not None:
                self._recent[inode.number] = entry
                self._recent.move_to_end(inode.number)
                if len(self._recent) > _RECENT:
                    self._recent.popitem(last=False)
            return inode

    def forget(self, number: int, times: int) -> None:
        """Take note that the kernel has forgotten a file so many times."""
        with self._lock:
            inode = self._by_number.get(number)
            if inode is None or number == ROOT:
                return
            inode.lookups -= times
            self._settle(inode)

    def _settle(self, inode: Inode | None) -> None:
        """Forget what the kernel has forgotten, and the folders that were kept for it."""
        while inode is not None and inode.number != ROOT:
            if inode.lookups > 0 or inode.below:
                return
            above = inode.above
            if inode.name is not None and above is not None:
                self._by_name.pop((above.number, inode.name), None)
                above.below -= 1
                inode.name = None
            self._by_number.pop(inode.number, None)
            self._recent.pop(inode.number, None)
            inode = above

    def _take_name(self, inode: Inode) -> None:
        above = inode.above
        if inode.name is not None and above is not None:
            del self._by_name[above.number, inode.name]
            inode.name = None
            above.below -= 1
            self._settle(inode)
            self._settle(above)

    def renew(self, inode: Inode) -> None:
        """Have the name of a file looked up anew: it gets another number."""
        with self._lock:
            self._take_name(inode)

    def removed(self, above: Inode, name: bytes) -> None:
        """Take note that a name is gone."""
        with self._lock:
            inode = self._by_name.get((above.number, name))
            if inode is not None:
                self._take_name(inode)

    def renamed(self, above: Inode, name: bytes, to: Inode, new: bytes) -> None:
        """Take note that a file or folder has another name, with all that is in it."""
        with self._lock:
            inode = self._by_name.get((above.number, name))
            there = self._by_name.get((to.number, new))
            if there is not None and there is not inode:
                self._take_name(there)
            if inode is None:
                return
            del self._by_name[above.number, name]
            self._by_name[to.number, new] = inode
            above.below -= 1
            to.below += 1
            inode.above, inode.name = to, new
            self._settle(above)
