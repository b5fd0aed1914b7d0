"""Entry point of the program: streams, the last resort for errors, exit codes."""

from __future__ import annotations

import codecs
import gc
import os
import sys
import warnings
from types import TracebackType

__all__ = ["main"]

_OUTPUT_ERRORS = "skypool-output"


def main() -> int:
    """Run the command line on `sys.argv`.

    Returns
    -------
    int
        The exit code: 0 ok, 1 failure, 2 usage, 3 partial, 4 not found, 5 conflict,
        10 no pool there, 11 locked, 12 corrupt, 130 interrupted.
    """
    # What a command makes is freed by counting; looking for rings of objects after every 700 of
    # them takes a twentieth of the time of a short one.
    gc.set_threshold(50_000, 20, 50)
    sys.excepthook = _unexpected
    try:
        _open_streams()
        _prepare_streams()
        from skypool.cli.app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # so early, or so late, that nothing is under way
        return 130


def _open_streams() -> None:
    """Open what the caller has closed (`>&-`), so that no file of a pool gets its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _prepare_streams() -> None:
    """Let names that are not text pass through byte for byte; keep warnings to a line."""
    codecs.register_error(_OUTPUT_ERRORS, _encode_anything)
    warnings.formatwarning = _one_line
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_OUTPUT_ERRORS)


def _one_line(message: Warning | str, *more: object, **options: object) -> str:
    return f"skypool: warning: {message}\n"


def _encode_anything(error: UnicodeError) -> tuple[str | bytes, int]:
    # os.fsdecode turns a byte that is no text into U+DC80 + byte; give back the byte.
    # Anything else that the terminal's encoding lacks becomes a question mark.
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    if all(0xDC80 <= ord(character) <= 0xDCFF for character in bad):
        return bytes(ord(character) - 0xDC00 for character in bad), error.end
    return "?" * len(bad), error.end


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Replace the traceback of an error that nobody foresaw by one line."""
    if issubclass(kind, KeyboardInterrupt):
        sys.exit(130)
    from skypool.cli.failure import report_unexpected

    report_unexpected(error, trace, sys.argv[1:])
