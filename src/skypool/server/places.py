"""Which folders of the server's disk clients may name."""

from __future__ import annotations

import os
from collections.abc import Iterable

from skypool.errors import UsageError

__all__ = ["Outside", "Places"]


class Outside(UsageError):
    """A client named a place that this server does not read or write for clients."""

    code = "outside"
    status = 403


class Places:
    """The folders that clients may read from, write to and open pools in.

    Parameters
    ----------
    roots
        Folders; without any, whatever the account of the server may. Links are followed before
        a path is judged, so that one that leads out is refused.
    """

    def __init__(self, roots: Iterable[str | os.PathLike[str]] = ()) -> None:
        self.roots = tuple(os.path.realpath(os.path.expanduser(root)) for root in roots)

    def check(self, path: str) -> str:
        """Return a path that may be used.

        Raises
        ------
        Outside
            If it may not.
        """
        real = os.path.realpath(path)
        if self.roots and not any(_within(real, root) for root in self.roots):
            raise Outside(
                f"this server uses no folder such as {path[:200]}",
                hint=f"choose one below {' or '.join(self.roots)}, or start it without --folders",
            )
        return path

    def whole(self, path: str) -> str:
        """Return a path from the root, or from ``~``, that may be used.

        Raises
        ------
        UsageError
            If it is relative: to a client the folder that the server runs in means nothing.
        Outside
            If it may not be used.
        """
        found = os.path.expanduser(path)
        if not os.path.isabs(found) or "\0" in found:
            raise UsageError(
                f"{path[:80]!r} is no whole path",
                hint="give it from the root, or from ~, on the server",
            )
        return self.check(os.path.normpath(found))


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
