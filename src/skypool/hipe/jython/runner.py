"""Running a script: its output, its exit code, and its errors with its own lines."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from skypool.errors import ScriptError, SkypoolError, UnsupportedName
from skypool.hipe.jython.missing import refusals
from skypool.hipe.jython.session import Session

__all__ = ["Outcome", "run_script"]


# Names such as HIPE's tasks and classes have.
_LIKE_HIPE = re.compile(r"^([a-z]+[A-Z]|[A-Z]\w)\w+$")
# How many calls of a traceback are shown at each end.
_SHOWN = 12


@dataclass
class Outcome:
    """How a script ended.

    Attributes
    ----------
    code : int
        The exit code that it asked for; 0 where it came to its end.
    words : str
        What it said when it left.
    namespace : dict
        Its names.
    remarks : list of str
        What it asked for that skypool has not, and did without.
    """

    code: int = 0
    words: str = ""
    namespace: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def run_script(path: str, arguments: Sequence[str] = ()) -> Outcome:
    """Run a script of HIPE as it is.

    Parameters
    ----------
    path
        Of the script.
    arguments
        What it finds in `sys.argv` behind its name.

    Returns
    -------
    Outcome

    Raises
    ------
    ScriptError
        If it cannot be read, or raised an exception; the text shows the script's lines.
    UnsupportedName
        If it uses what skypool has not.
    SkypoolError
        If what it asked of skypool failed; with the line.
    """
    session = Session(os.path.dirname(os.path.abspath(path)))
    code = session.code(path)
    # A module, so that functions, pickles and background work find the script's names.
    main = types.ModuleType("__main__")
    namespace = vars(main)
    namespace.update(session.namespace("__main__", path))
    refusals.clear()
    try:
        with _surroundings([path, *arguments]), _Telling(session, path):
            exec(code, namespace)  # noqa: S102 - the user's own script
            _finish_background()
    except SystemExit as leaving:
        return _left(leaving, namespace)
    return Outcome(namespace=namespace, remarks=_remarks())


@contextlib.contextmanager
def _surroundings(words: list[str]) -> Iterator[None]:
    """Give a script its arguments; afterwards all is as it was, whatever it did to `sys`."""
    old = sys.argv, list(sys.path), sys.getrecursionlimit()
    streams = sys.stdin, sys.stdout, sys.stderr
    sys.argv = words
    try:
        yield
    finally:
        sys.argv, sys.path[:], limit = old
        sys.setrecursionlimit(limit)
        sys.stdin, sys.stdout, sys.stderr = streams
        if sys.stdout.closed:
            # What is printed from now on has nowhere to go.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _remarks() -> list[str]:
    return [
        f"{file}, line {line}: {name} is not supported, and the script went on: {way}"
        for file, line, name, way in dict.fromkeys(refusals)
    ]


def _finish_background() -> None:
    """Wait for what `bg` started; a failure there is one of the script."""
    background = sys.modules.get("skypool.hipe.background")
    if background is not None:
        background.finish()


class _Telling:
    """Ends the last line, and gives whatever a script raises the script's own lines."""

    def __init__(self, session: Session, path: str) -> None:
        self._session = session
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not sys.stdout.closed:
            self._session.printer.finish()
        if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
            raise _told(error, self._session, self._path) from error


def _left(leaving: SystemExit, namespace: dict[str, Any]) -> Outcome:
    if leaving.code is None or isinstance(leaving.code, int):
        return Outcome((leaving.code or 0) & 0xFF, "", namespace, _remarks())
    return Outcome(1, str(leaving.code), namespace, _remarks())


def _told(error: BaseException, session: Session, path: str) -> SkypoolError:
    """Give an exception the lines of the script."""
    if isinstance(error, ScriptError) and error.line:
        return error
    frames = _frames(error, session)
    file, line = frames[-1][:2] if frames else (path, 0)
    where = f"{file}, line {line}: " if line else f"{file}: "
    if isinstance(error, UnsupportedName):
        return UnsupportedName(
            where + error.message, name=error.name, file=file, line=line, hint=error.hint
        )
    if isinstance(error, SkypoolError):
        error.message = where + error.message
        return error
    lines = [
        f'  File "{name}", line {number}, in {function}\n' + (f"    {text}\n" if text else "")
        for name, number, function, text in frames
    ]
    if len(lines) > 2 * _SHOWN:
        lines[_SHOWN:-_SHOWN] = [f"  ... {len(lines) - 2 * _SHOWN} more calls\n"]
    words = "".join(traceback.format_exception_only(error)).strip()
    trace = "".join(lines)
    words = f"Traceback (most recent call last):\n{trace}{words}"
    return ScriptError(words, file=file, line=line, hint=_hint(error))


def _hint(error: BaseException) -> str:
    """Say of a name that looks like one of HIPE's where to look."""
    name = (isinstance(error, NameError) and error.name) or ""
    if not _LIKE_HIPE.match(name):
        return ""
    return (
        f"if {name} is of HIPE, skypool has it not; docs/howto/hipe-scripts.md says what takes the"
        " place of what"
    )


def _frames(error: BaseException, session: Session) -> list[tuple[str, int, str, str]]:
    found = []
    trace = error.__traceback__
    while trace is not None:
        name, number = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        source = session.sources.get(name)
        if source is not None:
            text = source[number - 1].strip() if 0 < number <= len(source) else ""
            found.append((name, number, trace.tb_frame.f_code.co_name, text))
        trace = trace.tb_next
    return found
