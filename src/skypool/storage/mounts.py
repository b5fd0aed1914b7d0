"""On what file system a file is: over a network, SQLite's shared memory does not work."""

from __future__ import annotations

import os
import re

__all__ = ["file_system", "is_network"]

_MOUNTS = "/proc/self/mountinfo"
# File systems that several machines see at once. Those of a virtual machine and its host (9p,
# virtiofs) are not among them: there the pool is used from one side.
_NETWORK = frozenset(
    {
        "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre",
        "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "panfs", "pvfs2", "smb2", "smb3", "smbfs",
        "webdav", "wekafs",
    }
)  # fmt: skip
_FUSE = frozenset(
    {
        "beegfs", "ceph", "ceph-fuse", "cvmfs2", "davfs", "davfs2", "gcsfuse", "glusterfs",
        "goofys", "juicefs", "moosefs", "mfs", "rclone", "s3fs", "seaweedfs", "smbnetfs", "sshfs",
    }
)  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system(path: str) -> str:
    """Return the type of the file system of a path, as the system names it.

    Parameters
    ----------
    path
        Of a file or folder; where there is none yet, of the folder that it would be in.

    Returns
    -------
    str
        Such as `ext4` or `nfs4`; empty where that cannot be told.
    """
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.readlines()
    except OSError:  # not Linux
        return ""
    place = os.path.realpath(path)
    best, found = "", ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        try:
            mounted, kind = fields.split()[4], rest.split()[0]
        except IndexError:
            continue
        mounted = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), mounted)
        inside = place == mounted or place.startswith(mounted.rstrip("/") + "/")
        # Of several at one place the last one is what is seen.
        if inside and len(mounted) >= len(best):
            best, found = mounted, kind
    return found


def is_network(path: str) -> bool:
    """Return whether a path is on a file system that other machines may have mounted too."""
    kind = file_system(path)
    base, _, fuse = kind.partition(".")
    return kind in _NETWORK or (base == "fuse" and fuse in _FUSE)
