"""Files of Python 2: texts whose characters may be any bytes."""

from __future__ import annotations

import io
import sys
from typing import IO, Any

__all__ = ["File", "open_file", "raw_input"]


def open_file(name: Any, mode: str = "r", buffering: int = -1) -> IO[str]:
    """Open a file as Python 2 does: what is read is a `str` in every mode.

    Parameters
    ----------
    name
        Path, or a `java.io.File`.
    mode
        Such as ``r``, ``w``, ``rb``, ``rU``.
    buffering
        As in Python 2.

    Returns
    -------
    file
    """
    universal = "U" in mode
    plain = mode.replace("U", "").replace("b", "").replace("t", "") or "r"
    if plain == "+":
        plain = "r+"
    return io.open(  # noqa: UP020 - the module's own name is `open` in scripts
        name if isinstance(name, int | bytes) else str(name),
        plain,
        buffering=1 if buffering == 0 else buffering,
        # In binary mode each byte is the character of that number.
        encoding="latin-1" if "b" in mode else "utf-8",
        errors="strict" if "b" in mode else "surrogateescape",
        newline=None if universal else "\n",
    )


class _FileType(type):
    def __call__(cls, *args: Any) -> Any:
        return open_file(*args)

    def __instancecheck__(cls, given: Any) -> bool:
        return isinstance(given, io.IOBase)


class File(metaclass=_FileType):
    """The type `file` of Python 2: opens when called, knows every open file."""


def raw_input(prompt: Any = "") -> str:
    """Read a line from standard input.

    Parameters
    ----------
    prompt
        What to print first.

    Returns
    -------
    str
    """
    if prompt != "":
        sys.stdout.write(str(prompt))
        sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError("end of standard input")
    return line.rstrip("\n")
