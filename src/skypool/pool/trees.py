"""What is to be added: files, folders and tar archives as one kind of tree."""

from __future__ import annotations

import os
import stat
import struct
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from skypool.errors import NotFound, StorageError
from skypool.formats.base import FolderFormat
from skypool.formats.folders import folder_format
from skypool.storage.looking import status_of

if TYPE_CHECKING:
    from skypool.pool.adding_files import Content

__all__ = ["Figures", "FileNode", "FolderNode", "Node", "is_tar", "scan", "unpack"]

# Size, two times, inode and device, which have no sign.
_FIGURES: Final = struct.Struct("<3q2Q")
_TAR_ENDS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Figures(bytes):
    """What is kept of a file's `os.stat_result`, under the same names: a tenth of its size."""

    __slots__ = ()

    @classmethod
    def of(cls, found: os.stat_result) -> Figures:
        """Take them over."""
        return cls(
            _FIGURES.pack(
                found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
            )
        )

    @property
    def st_size(self) -> int:
        """Its size in bytes."""
        return int(_FIGURES.unpack(self)[0])

    @property
    def st_mtime_ns(self) -> int:
        """When its content was changed, in ns since 1970."""
        return int(_FIGURES.unpack(self)[1])

    @property
    def st_ctime_ns(self) -> int:
        """When anything of it was changed, in ns since 1970."""
        return int(_FIGURES.unpack(self)[2])

    @property
    def st_ino(self) -> int:
        """Its inode."""
        return int(_FIGURES.unpack(self)[3])

    @property
    def st_dev(self) -> int:
        """The number of its device."""
        return int(_FIGURES.unpack(self)[4])


@dataclass(slots=True)
class FileNode:
    """A file to add, or a folder that is one product.

    Attributes
    ----------
    name : str
        Its base name.
    place : str
        The folder that it is in, with the `/` at its end, which all files in it share; of what
        was given by itself the whole path.
    status : Figures
        Of the file as it was found.
    format : FolderFormat or None
        For a folder that is one product.
    member : str
        Its path in the archive that it was unpacked from.
    content : Content or None
        What it is, once it was read.
    """

    name: str
    place: str
    status: Figures
    format: FolderFormat | None = None
    member: str = ""
    archive: str = ""
    content: Content | None = None

    @property
    def path(self) -> str:
        """Where it is."""
        return self.place + self.name if self.place.endswith("/") else self.place


@dataclass(slots=True)
class FolderNode:
    """A folder to add, as a context.

    Attributes
    ----------
    name, path : str
    children : list
        Files and folders in it, in the order of their names.
    skipped : list of (path, reason)
        What cannot be added.
    archive : str
        The archive that it was unpacked from.
    """

    name: str
    path: str
    children: list[Node] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    archive: str = ""

    def files(self) -> Iterator[FileNode]:
        """Return all files below."""
        for child in self.children:
            if isinstance(child, FolderNode):
                yield from child.files()
            else:
                yield child

    def all_skipped(self) -> Iterator[tuple[str, str]]:
        """Return all that cannot be added."""
        yield from self.skipped
        for child in self.children:
            if isinstance(child, FolderNode):
                yield from child.all_skipped()


Node = FileNode | FolderNode
LeavesOut: TypeAlias = Callable[[str, os.stat_result | None], bool]


def is_tar(path: str) -> bool:
    """Return whether a file is a tar archive, by name and content."""
    if not path.lower().endswith(_TAR_ENDS):
        return False
    try:
        return tarfile.is_tarfile(path)
    except OSError:
        return False


def scan(path: str, leave_out: str | None = None, leaves_out: LeavesOut | None = None) -> Node:
    """Return the tree at a path; folders are listed, files are not read.

    Parameters
    ----------
    path
        The file or folder.
    leave_out
        A folder that is not part of it: the pool itself.
    leaves_out
        Says of a path below, with what `stat` gives of it, whether it is not part of it.

    Raises
    ------
    NotFound
        If there is nothing.
    StorageError
        If it cannot be read, or is neither file nor folder.
    """
    clean = path.rstrip("/") or "/"
    status = status_of(clean)
    if status is None:
        raise NotFound(f"there is no file or folder {path!r}")
    name = os.path.basename(os.path.abspath(clean))
    if stat.S_ISDIR(status.st_mode):
        return _folder(clean, name, status, frozenset(_identity(leave_out)), leaves_out)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(
            f"{path!r} is neither a file nor a folder", hint="only these can be added"
        )
    return FileNode(name, clean, Figures.of(status))


def _identity(folder: str | None) -> Iterator[tuple[int, int]]:
    """Return device and inode of a folder, where it exists."""
    status = status_of(folder) if folder is not None else None
    if status is not None:
        yield status.st_dev, status.st_ino


def _folder(
    path: str,
    name: str,
    status: os.stat_result,
    above: frozenset[tuple[int, int]],
    leaves_out: LeavesOut | None,
) -> Node:
    found = folder_format(Path(path))
    if found is not None:
        return FileNode(name, path, Figures.of(status), found)
    node = FolderNode(name, path)
    place = os.path.join(path, "")
    here = above | {(status.st_dev, status.st_ino)}
    try:
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        node.skipped.append((path, f"the folder cannot be read: {error.strerror}"))
        return node
    for entry in entries:
        child = _entry(entry, node, place, here, leaves_out)
        if child is not None:
            node.children.append(child)
    return node


def _entry(
    entry: os.DirEntry[str],
    parent: FolderNode,
    place: str,
    above: frozenset[tuple[int, int]],
    leaves_out: LeavesOut | None,
) -> Node | None:
    try:
        status = entry.stat()
    except OSError as error:
        if leaves_out is not None and leaves_out(entry.path, None):
            return None
        what = "a broken symbolic link" if entry.is_symlink() else f"unreadable: {error.strerror}"
        parent.skipped.append((entry.path, what))
        return None
    if leaves_out is not None and leaves_out(entry.path, status):
        return None
    if stat.S_ISREG(status.st_mode):
        return FileNode(entry.name, place, Figures.of(status))
    if stat.S_ISDIR(status.st_mode):
        if (status.st_dev, status.st_ino) in above:
            if entry.is_symlink():
                parent.skipped.append((entry.path, "a symbolic link to a folder above"))
            return None
        return _folder(entry.path, entry.name, status, above, leaves_out)
    kinds = {
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    what = next((text for test, text in kinds.items() if test(status.st_mode)), "not a file")
    parent.skipped.append((entry.path, what))
    return None


def unpack(path: str, folder: tempfile.TemporaryDirectory[str]) -> Node:
    """Unpack a tar archive into a temporary folder and return its tree.

    An archive with a single folder at its top gives that folder; another one a folder with
    the archive's name.

    Raises
    ------
    StorageError
        If the archive is damaged.
    """
    skipped: list[tuple[str, str]] = []
    last: list[bytes] = []

    try:
        with tarfile.open(path, tarinfo=_noting(last)) as archive:
            for member in archive:
                problem = _why_not(member, folder.name)
                if problem:
                    skipped.append((f"{path}: {member.name}", problem))
                else:
                    _extract(archive, member, folder.name)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise StorageError(f"the archive {path!r} cannot be unpacked: {error}") from None
    if last != [bytes(tarfile.BLOCKSIZE)]:
        # POSIX.1-2017, pax, "ustar Interchange Format": two blocks of zeros end an archive.
        raise StorageError(
            f"the archive {path!r} cannot be unpacked: it was cut, or is damaged, behind"
            f" {archive.offset} bytes",
            hint="fetch it again; what is left can be unpacked with tar and added as a folder",
        )
    node = scan(folder.name)
    assert isinstance(node, FolderNode)
    node.skipped.extend(skipped)
    for file in node.files():
        file.member, file.archive = os.path.relpath(file.path, folder.name), path
    node.archive = path
    if len(node.children) == 1 and isinstance(node.children[0], FolderNode):
        only = node.children[0]
        only.skipped.extend(node.skipped)
        only.archive = path
        return only
    node.name = _without_end(os.path.basename(path))
    return node


def _noting(last: list[bytes]) -> type[tarfile.TarInfo]:
    """Return what reads headers and keeps the last: `tarfile` takes a damaged one for the end."""

    class Member(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            last[:] = [bytes(buf)]
            return super().frombuf(buf, encoding, errors)

    return Member


def _why_not(member: tarfile.TarInfo, folder: str) -> str:
    """Return why a member of an archive is not unpacked; empty if it can be.

    The rules are those of `tarfile.data_filter`, which Python has since 3.11.4.
    """
    inside = os.path.realpath(folder)

    def leaves(place: str) -> bool:
        found = os.path.realpath(os.path.join(folder, place))
        return found != inside and not found.startswith(inside + os.sep)

    if os.path.isabs(member.name) or leaves(member.name):
        return "it would be outside of the archive's folder"
    if member.issym():
        beside = os.path.join(os.path.dirname(member.name), member.linkname)
        if os.path.isabs(member.linkname) or leaves(beside):
            return "a link that leads out of the archive"
    elif member.islnk():
        if os.path.isabs(member.linkname) or leaves(member.linkname):
            return "a link that leads out of the archive"
    elif not (member.isreg() or member.isdir()):
        return "a device or pipe"
    return ""


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: str) -> None:
    # Files must be readable for us, whatever the archive says, and they are ours.
    member.mode = (member.mode or 0) | 0o700 if member.isdir() else 0o600
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    if hasattr(tarfile, "fully_trusted_filter"):
        archive.extract(member, folder, filter="fully_trusted")
    else:
        archive.extract(member, folder)


def _without_end(name: str) -> str:
    for end in sorted(_TAR_ENDS, key=len, reverse=True):
        if name.lower().endswith(end) and len(name) > len(end):
            return name[: -len(end)]
    return name
