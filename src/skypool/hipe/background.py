"""Commands in the background."""

from __future__ import annotations

import ast
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from skypool.errors import UsageError
from skypool.hipe.where_names import callers_frame
from skypool.hipe.where_text import modern

__all__ = ["bg", "finish"]

_workers: list[ThreadPoolExecutor] = []
# What was started and nobody has asked for yet.
_started: list[Future[Any]] = []


class _Command(Future[Any]):
    """A command; once its outcome was asked for, the end of the script need not tell it."""

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, and return the value or raise what the command raised."""
        self._asked(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end, and return what the command raised."""
        self._asked(timeout)
        return super().exception(timeout)

    def _asked(self, timeout: float | None) -> None:
        wait([self], timeout)
        if self.done() and self in _started:
            _started.remove(self)

    def take(self, done: Future[Any]) -> None:
        """Take the outcome of the work."""
        error = done.exception()
        if error is None:
            self.set_result(done.result())
        else:
            self.set_exception(error)


def bg(command: Any, *arguments: Any, **options: Any) -> Future[Any]:
    """Run a command of the script in the background.

    Parameters
    ----------
    command
        As it would stand in the script, such as `saveProduct(product=p, pool='temp1')`, with
        the names of the script; or a function.
    *arguments, **options
        Of a function.

    Returns
    -------
    concurrent.futures.Future
        `result()` waits for it, and gives the value of an expression. The program ends when
        all of them have.

    Raises
    ------
    UsageError
        If it is no command.
    """
    if callable(command):
        return _submitted(command, *arguments, **options)
    if not isinstance(command, str) or not command.strip():
        raise UsageError(f"{command!r} is no command")
    run = _compiled(command)
    frame = callers_frame()
    if frame is None:
        raise UsageError("no script is there whose names the command could use")
    names, inner = frame.f_globals, frame.f_locals
    if inner is not names:
        # Names of a function, as they are now; what the command assigns stays with it.
        names = {**names, **inner}
    return _submitted(run, names)


def finish() -> None:
    """Wait for all commands; raise what the first of those raised that failed."""
    waiting, _started[:] = list(_started), []
    failed = [error for future in waiting if (error := future.exception()) is not None]
    if failed:
        raise failed[0]


def _submitted(run: Callable[..., Any], *arguments: Any, **options: Any) -> Future[Any]:
    future = _Command()
    _started.append(future)
    _executor().submit(run, *arguments, **options).add_done_callback(future.take)
    return future


def _executor() -> ThreadPoolExecutor:
    if not _workers:
        _workers.append(ThreadPoolExecutor(4, thread_name_prefix="skypool-bg"))
    return _workers[0]


def _compiled(command: str) -> Callable[[dict[str, Any]], Any]:
    """Return what runs a command; it is the script's own text, as if it stood there."""
    try:
        tree = ast.parse(command.strip())
    except SyntaxError as error:
        try:
            tree = ast.parse(modern(command))
        except SyntaxError:
            raise UsageError(f"{command!r} is no command: {error.msg}") from None
    last = tree.body[-1] if tree.body else None
    if len(tree.body) == 1 and isinstance(last, ast.Expr):
        expression = compile(ast.Expression(last.value), "<bg>", "eval")
        return lambda names: eval(expression, names)  # noqa: S307 (the script's own text)
    statements = compile(tree, "<bg>", "exec")

    def run(names: dict[str, Any]) -> None:
        exec(statements, names)  # noqa: S102 (the script's own text)

    return run
