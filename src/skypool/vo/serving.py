"""Files offered to other programs by HTTP, each under an address that nobody can guess."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

__all__ = ["FileServer"]

_TYPES = {".fits": "application/fits", ".vot": "application/x-votable+xml"}


class FileServer:
    """Serves single files, read-only.

    Parameters
    ----------
    host
        Address to listen on; by default only this machine is answered.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._files: dict[str, str] = {}
        self._fetched: set[str] = set()
        files, fetched = self._files, self._fetched

        class Handler(_Handler):
            offered = files
            done = fetched

        self._server = _Server((host, 0), Handler)
        self._host = host
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="samp files", daemon=True
        )
        self._thread.start()

    def offer(self, path: str) -> str:
        """Return the address of a file."""
        key = secrets.token_urlsafe(24)
        self._files[key] = path
        name = quote(os.path.basename(path))
        return f"http://{self._host}:{self._server.server_address[1]}/{key}/{name}"

    def fetched(self, url: str) -> bool:
        """Say whether all of a file was fetched."""
        return _key(url) in self._fetched

    def close(self) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10.0)


def _key(url: str) -> str:
    return urlsplit(url).path.strip("/").partition("/")[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    offered: dict[str, str]
    done: set[str]
    timeout = 60
    server_version = "skypool"
    sys_version = ""

    def do_GET(self) -> None:
        self._serve(body=True)

    def do_HEAD(self) -> None:
        self._serve(body=False)

    def _serve(self, *, body: bool) -> None:
        key, _, name = unquote(urlsplit(self.path).path).strip("/").partition("/")
        path = self.offered.get(key)
        # Programs also ask for names beside it (Aladin: `properties`), which are not there.
        if path is None or name != os.path.basename(path):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            file = open(path, "rb")  # noqa: SIM115 (closed below)
        except OSError:
            self.send_error(HTTPStatus.GONE)
            return
        with file, contextlib.suppress(ConnectionError, TimeoutError):
            self.send_response(HTTPStatus.OK)
            kind = _TYPES.get(os.path.splitext(path)[1].lower(), "application/octet-stream")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            if body:
                shutil.copyfileobj(file, self.wfile, 1 << 20)
                self.done.add(key)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
        pass
