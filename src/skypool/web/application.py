"""The Product Browser as an application: the built page, the API, and what is above the server."""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skypool.server.app import make_app, make_context
from skypool.server.security import Access, new_token
from skypool.web.pages import page_routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from skypool.pool.pool import Pool
    from skypool.server.context import Context

__all__ = ["Application", "find_senders"]


class Application:
    """The page and the API over pools that are open.

    Parameters
    ----------
    pools
        The pools; they are closed when the application ends.
    token
        What clients must show; by default a new one.
    read_only
        Refuse everything that changes a pool.
    folders
        The only ones in which clients may have files read and written, and pools opened.

    Attributes
    ----------
    access : Access
        Which tokens are good.
    context : Context
        What the routes share.
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        *,
        token: str | None = None,
        read_only: bool = False,
        folders: Iterable[str] = (),
    ) -> None:
        pools = list(pools)
        self.access = Access(token or new_token())
        self.context: Context = make_context(
            pools, read_only=read_only, senders=find_senders(), folders=folders
        )
        self.asgi: ASGIApp = make_app(
            pools,
            read_only=read_only,
            pages=page_routes(),
            access=self.access,
            context=self.context,
        )


def find_senders() -> Any:
    """Return what sends products to other programs; None where there is nothing."""
    if importlib.util.find_spec("skypool.vo.sending") is None:
        return None
    return _Later()


class _Later:
    """A `skypool.vo.Sender` that is made when it is first used: making one takes imports."""

    def receiver(self, pool: Pool, *, under: str) -> Any:
        """Return what takes messages of other programs into a pool."""
        return importlib.import_module("skypool.vo").Receiver(pool, under=under)

    def __init__(self) -> None:
        self._sender: Any = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._sender is None:
                self._sender = importlib.import_module("skypool.vo").Sender()
        return getattr(self._sender, name)
