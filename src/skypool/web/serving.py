"""Serving the application until it is told to end."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

import uvicorn

from skypool.server.memory import steady_memory

if TYPE_CHECKING:
    from skypool.web.application import Application

__all__ = ["Serving"]

# Answers that take longer when it ends are cut off; those of events end by themselves.
_PATIENCE: Final = 3
# Seconds after which a thread of Python lets another one go on.
_TURN: Final = 0.001


class Serving(uvicorn.Server):
    """A server that ends cleanly, and at once, at Ctrl-C or SIGTERM.

    Parameters
    ----------
    application
        What is served.
    """

    def __init__(self, application: Application) -> None:
        super().__init__(
            uvicorn.Config(
                application.asgi,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_PATIENCE,
            )
        )
        self._hub = application.context.hub

    def run(self, sockets: list[socket.socket] | socket.socket | None = None) -> None:
        """Serve on a socket that listens already, until told to end."""
        steady_memory()
        # Rows are asked for while others count: they get their turn sooner.
        sys.setswitchinterval(_TURN)
        listening = [sockets] if isinstance(sockets, socket.socket) else sockets
        super().run(sockets=listening)

    def end(self) -> None:
        """End it, from any thread."""
        self._hub.close()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End it; at the second time without patience."""
        # Connections that wait for events would hold it.
        self._hub.close()
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while it serves; they have done their work when it ends."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ours = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in ours}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
