"""The real application, served on a port of its own while a test looks at it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import skypool as sp
import skypool.web
from skypool.server.app import make_app

__all__ = ["Served", "serve"]

WAIT = 60.0
STATIC = Path(skypool.web.__file__).parent / "static"


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes
    ----------
    base : str
        Address of the page.
    token : str
        What programs show.
    """

    base: str
    token: str

    @property
    def entrance(self) -> str:
        """Return the address with the token, which is good once."""
        return f"{self.base}?token={self.token}"


def make_page(pools: list[sp.Pool], **options: Any) -> Any:
    """Return the application with the built page before it."""
    pages = [
        Route("/", lambda _: FileResponse(STATIC / "index.html")),
        Route("/icon.svg", lambda _: FileResponse(STATIC / "icon.svg")),
        Mount("/assets", StaticFiles(directory=STATIC / "assets")),
    ]
    return make_app(pools, pages=pages, **options)


class _Server(uvicorn.Server):
    """Without handlers of signals: it runs beside the tests."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def serve(*folders: Path, **options: Any) -> Iterator[Served]:
    """Serve pools on a free port of loopback."""
    token = "a-token-for-one-page"
    mode = "r" if options.get("read_only") else "a"
    app = make_page([sp.Pool(folder, mode) for folder in folders], token=token, **options)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=2
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, name="server of a test")
    thread.start()
    try:
        end = time.monotonic() + WAIT
        while not server.started:
            assert thread.is_alive() and time.monotonic() < end, "the server does not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}/", token)
    finally:
        server.should_exit = True
        thread.join(WAIT)
        assert not thread.is_alive(), "the server does not end"
