"""The folder where a pool is mounted: whether it can be, and what is there now."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from typing import Final

from skypool.errors import Conflict, MissingDependency, StorageError, UsageError

__all__ = [
    "check_given",
    "check_place",
    "dead_mounts",
    "fusermount",
    "is_dead",
    "is_mounted",
    "make_place",
    "real_place",
]

_SECONDS: Final = 120
_MOUNTS: Final = "/proc/self/mounts"


def check_given(folder: str) -> None:
    """Refuse the empty text, which the system takes for the current folder (`"$unset"`).

    Raises
    ------
    UsageError
        If it is empty.
    """
    if not folder:
        raise UsageError("the folder is the empty text", hint="name a folder, such as ~/sky")


def check_place(folder: str, pool: str) -> None:
    """Say whether a pool can be mounted there, and change nothing.

    Parameters
    ----------
    folder
        An empty folder, or one that is not there yet.
    pool
        The folder of the pool.

    Raises
    ------
    UsageError
        If there are files in it, or it is in the pool.
    Conflict
        If something is mounted there already.
    StorageError
        If it cannot be looked at.
    """
    check_given(folder)
    if is_dead(folder):
        return
    inside, place = os.path.realpath(pool), os.path.realpath(folder)
    if os.path.commonpath([inside, place]) == inside:
        raise UsageError(
            f"{folder} is in the pool itself", hint="mount it at a folder somewhere else"
        )
    try:
        found = os.listdir(folder)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        above = folder
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        raise UsageError(f"{above} is a file, not a folder", hint="choose another folder") from None
    except OSError as error:
        raise StorageError(f"{folder} cannot be used: {error.strerror}") from None
    if os.path.ismount(place):
        raise Conflict(
            f"something is mounted at {folder} already", hint=f"skypool unmount {folder}"
        )
    if found:
        raise UsageError(
            f"there are files in {folder}: they would be hidden",
            hint="mount the pool at an empty folder",
        )


def make_place(folder: str, pool: str) -> tuple[str, list[str]]:
    """Make the folder where a pool is mounted, where there is none.

    A mount whose process was killed is taken away from there.

    Returns
    -------
    str
        Its real path.
    list of str
        The folders that were made for it, the innermost one first.
    """
    check_given(folder)
    if is_dead(folder):
        fusermount(real_place(folder), "-uz")
    check_place(folder, pool)
    folder = os.path.realpath(folder)
    made, above = [], folder
    while not os.path.exists(above):
        made.append(above)
        above = os.path.dirname(above)
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} is in a file, not in a folder") from None
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from None
    return folder, made


def fusermount(folder: str, how: str) -> tuple[int, str]:
    """Unmount a folder, and return the exit code and what was said."""
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is None:
        raise MissingDependency(
            "unmounting needs the program fusermount3", hint="Debian: apt install fuse3"
        )
    done = subprocess.run(  # noqa: S603 (a program that was looked for, and a path)
        [program, how, "--", folder], capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    return done.returncode, done.stderr.strip()


def real_place(folder: str) -> str:
    """Return the real path of a folder that may be mounted and dead."""
    folder = os.path.abspath(folder)
    return os.path.join(os.path.realpath(os.path.dirname(folder)), os.path.basename(folder))


def is_mounted(folder: str) -> bool:
    """Say whether something is mounted there."""
    return is_dead(folder) or os.path.ismount(folder)


def is_dead(folder: str) -> bool:
    """Say whether something is mounted there whose process was killed."""
    try:
        # Its attributes the kernel may still know for a second.
        os.scandir(folder).close()
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def dead_mounts() -> list[str]:
    """Return the folders of mounts of pools whose processes were killed, as far as can be seen."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split(" ") for line in file]
    except OSError:  # not Linux
        return []
    # Spaces, tabs, line ends and backslashes are written as octal numbers.
    found = [
        re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line[1])
        for line in lines
        if len(line) > 2 and line[2] == "fuse.skypool"
    ]
    return [folder for folder in found if is_dead(folder)]
