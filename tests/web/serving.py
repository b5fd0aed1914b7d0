"""The real application, served on a port of its own while a test looks at it."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skypool as sp
from skypool.config import from_environment
from skypool.web.application import Application
from skypool.web.serving import Serving

__all__ = ["Served", "serve"]

WAIT = 60.0
TOKEN = "a-token-for-one-page"


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes
    ----------
    base : str
        Address of the page.
    token : str
        What programs show; the address with it is good once.
    application : Application
    """

    base: str
    token: str
    application: Application


def _settings(folder: Path) -> Any:
    return dataclasses.replace(from_environment(), home=folder.parent)


@contextlib.contextmanager
def serve(
    *folders: Path, read_only: bool = False, around: Callable[[Any], Any] | None = None
) -> Iterator[Served]:
    """Serve pools on a free port of loopback; *around* puts something before the application."""
    pools = [
        # Called by their names, as those in a user's own folder are.
        sp.Pool(folder, "r" if read_only else "a", settings=_settings(folder))
        for folder in folders
    ]
    application = Application(pools, token=TOKEN, read_only=read_only)
    if around is not None:
        application.asgi = around(application.asgi)
    serving: Any = Serving(application)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=serving.run, args=(listening,), name="server of a test")
        thread.start()
        try:
            end = time.monotonic() + WAIT
            while not serving.started:
                assert thread.is_alive() and time.monotonic() < end, "the server does not start"
                time.sleep(0.01)
            yield Served(f"http://127.0.0.1:{port}/", TOKEN, application)
        finally:
            serving.end()
            thread.join(WAIT)
            assert not thread.is_alive(), "the server does not end"
