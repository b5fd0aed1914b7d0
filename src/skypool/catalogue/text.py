"""Text that SQLite cannot hold as it is: lone surrogates.

Names of files that are not UTF-8 arrive with lone surrogates (PEP 383). They are written as
a private character followed by one of a private plane, and given back on reading.
"""

from __future__ import annotations

import re

from skypool.errors import Damaged

__all__ = ["from_database", "to_database"]

_ESCAPE = "\U0010ff00"
_PLANE = 0xF0000
_UNSAFE = re.compile("[\ud800-\udfff\U0010ff00]")
_ESCAPED = re.compile(_ESCAPE + "(.)", re.DOTALL)


def to_database(text: str) -> str:
    """Return text that SQLite can hold."""
    if text.isascii():
        return text
    return _UNSAFE.sub(_escape, text)


def from_database(text: str) -> str:
    """Undo `to_database`.

    Raises
    ------
    Damaged
        If it is no text: the file of the catalogue is not what was written.
    """
    if type(text) is not str:
        raise Damaged(
            "the catalogue is damaged: something else stands where text was written",
            hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
        )
    if text.isascii() or _ESCAPE not in text:
        return text
    return _ESCAPED.sub(_restore, text)


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    return _ESCAPE + (char if char == _ESCAPE else chr(_PLANE + ord(char)))


def _restore(found: re.Match[str]) -> str:
    char = found.group(1)
    return char if char == _ESCAPE else chr(ord(char) - _PLANE)
