"""Errors as the user sees them: one short text, one JSON object, one exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import click

from skypool.cli.text import shown, to_json
from skypool.errors import EditConflict, QueryError, ScriptError, SkypoolError, UnsupportedName

__all__ = [
    "Interrupted",
    "error_object",
    "report",
    "report_click",
    "report_unexpected",
    "wants_json",
]


class Interrupted(SkypoolError):
    """The user stopped the work with Ctrl-C."""

    code = "interrupted"
    exit_code = 130


def wants_json(args: Sequence[str]) -> bool:
    """Tell whether `--json` is among the words, readable or not.

    Parameters
    ----------
    args
        The words of the command.

    Returns
    -------
    bool
    """
    words = list(args)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def error_object(
    code: str, message: str, hint: str = "", candidates: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    """Make the object that `--json` prints for an error.

    Parameters
    ----------
    code
        Stable name of the kind of error.
    message, hint, candidates
        As in `SkypoolError`.
    more
        Further keys, such as the column of a query.

    Returns
    -------
    dict
    """
    body = {"code": code, "message": message, "hint": hint, "candidates": list(candidates)}
    return {"error": body | more}


def report(error: SkypoolError, as_json: bool) -> int:
    """Show an error that skypool foresaw.

    Parameters
    ----------
    error
        What went wrong.
    as_json
        Whether the error object is wanted too, on standard output.

    Returns
    -------
    int
        The exit code.
    """
    if as_json:
        more = _more(error)
        found = error_object(error.code, error.message, error.hint, error.candidates, **more)
        click.echo(to_json(found))
    lines = [shown(line) for line in str(error).split("\n")]
    click.echo("skypool: " + "\n".join(lines), err=True)
    return error.exit_code


def _more(error: SkypoolError) -> dict[str, Any]:
    """Return the keys that an error of this kind has besides those of all."""
    if isinstance(error, QueryError):
        return {"column": error.column}
    if isinstance(error, ScriptError):
        name = {"name": error.name} if isinstance(error, UnsupportedName) else {}
        return {"file": error.file, "line": error.line} | name
    if isinstance(error, EditConflict):
        return {
            "name": error.name,
            "expected": error.expected,
            "commit": error.commit,
            "author": error.author,
            "time": f"{error.time:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
    return {}


def report_click(error: click.ClickException, as_json: bool) -> int:
    """Show an error in how the command was written.

    Parameters
    ----------
    error
        What click says.
    as_json
        Whether the error object is wanted too, on standard output.

    Returns
    -------
    int
        The exit code, 2.
    """
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not as_json:
        click.echo(error.format_message(), err=True)
        return 2
    message = error.format_message()
    ctx = getattr(error, "ctx", None)
    hint = f"{ctx.command_path} --help shows how it is used" if ctx is not None else ""
    candidates = tuple(getattr(error, "possibilities", None) or ())
    if as_json:
        click.echo(to_json(error_object("usage", message, hint, candidates)))
    click.echo(f"skypool: {message}", err=True)
    if hint:
        click.echo(hint, err=True)
    return 2


def report_unexpected(error: BaseException, trace: TracebackType | None, args: list[str]) -> None:
    """Show an error that nobody foresaw: one line, and the traceback in a file.

    Parameters
    ----------
    error
        What was raised.
    trace
        Where.
    args
        The words of the command.
    """
    text = "".join(traceback.format_exception(type(error), error, trace))
    summary = shown(f"{type(error).__name__}: {error}".split("\n", 1)[0])
    if "--debug" in args:
        place = ""
        click.echo(text, err=True, nl=False)
    else:
        place = _keep(text, args)
    where = f" with {place}" if place else " with what --debug shows"
    message = f"unexpected error, please report it{where}: {summary}"
    if wants_json(args):
        click.echo(to_json(error_object("unexpected", message)))
    click.echo(f"skypool: {message}", err=True)


def _keep(text: str, args: list[str]) -> str:
    """Write a traceback to a file; the empty text where that is impossible."""
    import tempfile

    try:
        handle, path = tempfile.mkstemp(prefix="skypool-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"skypool {args!r}\nPython {sys.version}\n{text}")
    except OSError:
        return ""
    return path
