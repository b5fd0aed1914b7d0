"""From the bytes of a script to text that the parser takes."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skypool.errors import NotFound, ScriptError

__all__ = [
    "KEYWORD",
    "Prepared",
    "decode",
    "deep",
    "prepare",
    "read_script",
    "token_list",
    "unsupported_syntax",
]

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")

#: Names that Python 3 took for its own, or that Jython allows behind a dot, are set apart so.
KEYWORD = "__jy_kw_{}__"

_KEYWORDS = """
    and as assert async await break class continue def del elif else except exec finally for
    from global if import in is lambda nonlocal not or pass print raise return try while
    with yield
"""

# Names in Jython 2 that are keywords today.
_NOW_KEYWORDS = frozenset(["async", "await", "nonlocal"])
# Keywords that Jython allows as the name of an attribute or method, as Java has such.
_ALLOWED_BEHIND_DOT = frozenset(_KEYWORDS.split())

Token = tuple[int, str, tuple[int, int], tuple[int, int], str]


@dataclass(frozen=True)
class Prepared:
    """Text of a script, ready for the parser.

    Attributes
    ----------
    text : str
        With the same lines as the script.
    features : frozenset of str
        What it imports from ``__future__``.
    """

    text: str
    features: frozenset[str]


def unsupported_syntax(name: str, line: int, what: str) -> ScriptError:
    """Make the error of a text that is no Jython 2.

    Parameters
    ----------
    name
        Of the script.
    line
        Where, from 1.
    what
        What is wrong.

    Returns
    -------
    ScriptError
    """
    return ScriptError(
        f"{name}, line {line}: {what}",
        file=name,
        line=line,
        hint="scripts are read as Jython 2 (Python 2.5 to 2.7)",
    )


def read_script(path: str) -> str:
    """Return the text of a script in a file; see `decode`.

    Raises
    ------
    NotFound
        If it cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise NotFound(f"cannot read the script {path}: {error.strerror}") from None
    return decode(data, path)


def decode(data: bytes, name: str) -> str:
    """Turn the bytes of a script into text.

    Parameters
    ----------
    data
        The bytes.
    name
        Of the script, for errors.

    Returns
    -------
    str
        In the encoding that the script names in its first two lines, else UTF-8, else Latin-1.
    """
    if data.startswith(codecs.BOM_UTF8):
        data = data[3:]
        named = "utf-8"
    else:
        found = (_COOKIE.match(line) for line in data.split(b"\n", 2)[:2])
        named = next((match[1].decode() for match in found if match), "")
    for encoding in ([named] if named else []) + ["utf-8", "latin-1"]:
        try:
            text = data.decode(encoding)
            break
        except (UnicodeDecodeError, LookupError):
            continue
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise unsupported_syntax(name, line, "a null byte; this is no text")
    return text


@contextlib.contextmanager
def deep() -> Iterator[None]:
    """Let functions of Python go deeper: a chain of `elif` is as deep as it is long."""
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(max(old, 4000))
    try:
        yield
    finally:
        sys.setrecursionlimit(old)


def token_list(text: str) -> list[Token]:
    """Cut a text into tokens as far as that is possible.

    Parameters
    ----------
    text
        Of the script.

    Returns
    -------
    list of tuple
        Type, text, start, end, line of each.
    """
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    from fissix.pgen2 import tokenize

    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, IndentationError):
        return  # the parser says what is wrong, and where


def prepare(text: str) -> Prepared:
    """Make indentation and names fit for the parser, without moving a line.

    Parameters
    ----------
    text
        Of the script.

    Returns
    -------
    Prepared
    """
    from fissix.pgen2 import token

    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a\n") + "\n"
    lines = text.split("\n")
    inside: set[int] = set()
    changes: list[tuple[int, int, int, str]] = []
    names: list[str] = []
    before = ""
    for kind, found, start, end, _ in _tokens(text):
        if kind == token.STRING:
            inside.update(range(start[0] + 1, end[0] + 1))
        elif kind in (token.NAME, token.ASYNC, token.AWAIT):
            names.append(found)
            behind = before in (".", "def") and found in _ALLOWED_BEHIND_DOT
            if behind and found == "import" and before == "." and names[:1] and "from" in names:
                behind = names[-2:-1] != ["from"] and _after_object(lines, start)
            if behind or found in _NOW_KEYWORDS:
                changes.append((start[0] - 1, start[1], end[1], KEYWORD.format(found)))
        if found.strip():
            before = found
    for row, first, last, name in reversed(changes):
        lines[row] = lines[row][:first] + name + lines[row][last:]
    for row, line in enumerate(lines):
        if row + 1 not in inside and line[:1] in " \t\f":
            lines[row] = _expanded(line)
    return Prepared("\n".join(lines), _features(text))


def _after_object(lines: list[str], start: tuple[int, int]) -> bool:
    """Tell `a.import` from `from . import a`."""
    return bool(re.search(r"[\w)\]]\s*\.\s*$", lines[start[0] - 1][: start[1]])) and not re.match(
        r"\s*from\b", lines[start[0] - 1]
    )


def _expanded(line: str) -> str:
    rest = line.lstrip(" \t\f")
    indent = line[: len(line) - len(rest)]
    # A form feed starts the column anew, a tab goes to the next multiple of eight.
    return indent.rpartition("\f")[2].expandtabs(8) + rest


_FUTURE = re.compile(r"^[ \t]*from[ \t]+__future__[ \t]+import[ \t]+(.*)$", re.MULTILINE)


def _features(text: str) -> frozenset[str]:
    return frozenset(
        word for names in _FUTURE.findall(text) for word in re.findall(r"\w+", names.split("#")[0])
    )
