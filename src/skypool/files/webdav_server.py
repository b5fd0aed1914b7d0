"""Serving pools by WebDAV: who may ask, and the server itself.

It listens on loopback, where every user and every web page of this computer can reach it: so
it wants a password, is asked for only under the names that it has (`Host`), and not by pages of
other sites (`Origin`).
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import logging
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from cheroot.wsgi import Server
from wsgidav.dc.simple_dc import SimpleDomainController
from wsgidav.dir_browser import WsgiDavDirBrowser
from wsgidav.error_printer import ErrorPrinter
from wsgidav.http_authenticator import HTTPAuthenticator
from wsgidav.request_resolver import RequestResolver
from wsgidav.wsgidav_app import WsgiDAVApp

from skypool.errors import Conflict, ReadOnly, UsageError
from skypool.files.operations import Operations
from skypool.files.webdav import PoolProvider
from skypool.files.webdav_names import readable
from skypool.files.writing import WriteOperations

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["USER", "WebdavServer"]

#: The name that goes with the password.
USER: Final = "skypool"
_THREADS: Final = 8
_BLOCK: Final = 256 * 1024
_NAMES: Final = frozenset(("localhost", "ip6-localhost"))
_HEADERS: Final = (
    # What is in a pool was made by anybody: a page of it runs no programs here.
    (
        "Content-Security-Policy",
        "default-src 'none'; img-src 'self'; style-src 'self' 'unsafe-inline'; "
        "sandbox allow-downloads",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)

_FINITE: Final = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>\n'
)

Start = Callable[..., Any]
App = Callable[[dict[str, Any], Start], Iterable[bytes]]


class _Users(SimpleDomainController):  # type: ignore[misc] # wsgidav has no types
    """Compares passwords in a time that says nothing about them."""

    def basic_auth_user(
        self, realm: str, user_name: str, password: str, environ: dict[str, Any]
    ) -> bool:
        user = self._get_realm_entry(realm, user_name)
        known = user["password"] if user else ""
        given = password.encode("utf-8", "surrogateescape")
        return hmac.compare_digest(known.encode(), given) and bool(known)


class _Guard:
    """Refuses who asks under other names, or from other sites."""

    def __init__(self, app: App, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = {*_NAMES, *(host.casefold() for host in hosts)}

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        host = str(environ.get("HTTP_HOST", ""))
        if not self._is_host(host):
            return _refuse(start, "Refused: this server is not asked for under that name.\n")
        origin = environ.get("HTTP_ORIGIN")
        own = f"{environ.get('wsgi.url_scheme', 'http')}://{host}".casefold()
        site = environ.get("HTTP_SEC_FETCH_SITE", "none")
        if (origin is not None and origin.casefold() != own) or (
            site not in ("none", "same-origin") and environ.get("HTTP_SEC_FETCH_MODE") != "navigate"
        ):
            return _refuse(start, "Refused: a page of another site asks.\n")

        if environ["REQUEST_METHOD"] == "PROPFIND" and environ.get("HTTP_DEPTH") not in ("0", "1"):
            # A pool has its past in it, and every search: there is no end below the root.
            return _refuse(start, _FINITE, "application/xml; charset=utf-8")

        readable(environ)
        if not _is_whole(environ.get("HTTP_AUTHORIZATION", "")):
            del environ["HTTP_AUTHORIZATION"]

        def sealed(status: str, headers: list[tuple[str, str]], info: Any = None) -> Any:
            there = {name.casefold() for name, _ in headers}
            more = [pair for pair in _HEADERS if pair[0].casefold() not in there]
            return start(status, [*headers, *more], info)

        return self._app(environ, sealed)

    def _is_host(self, host: str) -> bool:
        name = host.strip().casefold()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        if name in self._hosts:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _is_whole(authorization: str) -> bool:
    """Say whether what a client sends for a password can be read as one."""
    kind, _, text = authorization.partition(" ")
    if kind.casefold() != "basic":
        return True
    try:
        return b":" in base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return False


def _refuse(start: Start, why: str, kind: str = "text/plain; charset=utf-8") -> Iterable[bytes]:
    body = why.encode()
    start("403 Forbidden", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def _application(files: Operations, password: str, *, write: bool) -> WsgiDAVApp:
    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
    users: Any = {"*": {USER: {"password": password}}} if password else {"*": True}
    return WsgiDAVApp(
        {
            "provider_mapping": {"/": PoolProvider(files)},
            "middleware_stack": [
                ErrorPrinter,
                HTTPAuthenticator,
                WsgiDavDirBrowser,
                RequestResolver,
            ],
            "http_authenticator": {"domain_controller": _Users},
            "simple_dc": {"user_mapping": users},
            "block_size": _BLOCK,
            "verbose": 0,
            "logging": {"enable": False},
            "property_manager": write,
            "lock_storage": write,
            "suppress_version_info": True,
            "dir_browser": {"response_trailer": "", "show_user": False, "ignore": []},
        }
    )


class _Quiet(Server):
    """A server that does not print what it thinks of connections that end."""

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Take a message, and leave it."""


class WebdavServer:
    """A server of WebDAV for one pool.

    Parameters
    ----------
    pool
        The pool.
    host, port
        Where it listens; port 0 takes a free one.
    password
        Of the user `skypool`; empty for none, which is for this computer only.
    write
        Whether the pool may be changed.
    names
        Names under which it may be asked for, beside those of loopback and *host*.
    tell
        Takes texts of what went wrong, in the end too.

    Raises
    ------
    UsageError
        If others could reach it and there is no password.
    ReadOnly
        If it is to be changed, and may not be.
    Conflict
        If the port is taken.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        password: str = "",
        write: bool = False,
        names: Iterable[str] = (),
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        if not password and not _is_own(host):
            raise UsageError(
                f"on {host} others could reach the pool without a password",
                hint="leave out --no-password, or --host",
            )
        if write and pool.exists and not pool.view.session.writable:
            raise ReadOnly(
                f"you have no permission to write in {pool.path}",
                hint="ask its owner, or serve it without --write",
            )
        self._ending = threading.Lock()
        self._staging = _staging(pool) if write else ""
        files: Operations = (
            WriteOperations(pool, self._staging, by="webdav", tell=tell)
            if write
            else Operations(pool, tell=tell)
        )
        self._files: Operations | None = files
        application = _application(files, password, write=write)
        known = [*names, host]
        if not _is_own(host):
            known += [socket.gethostname(), socket.getfqdn()]
        self._server = _Quiet((host, port), _Guard(application, known), numthreads=_THREADS)
        self._server.server_name = "skypool"
        try:
            _try_port(host, port)
            self._server.prepare()
        except OSError as error:
            self._end()
            raise Conflict(
                f"the port {port} of {host} cannot be used: {error.strerror or error}",
                hint="leave out --port, and a free one is taken"
                if port
                else "leave out --host: this computer",
            ) from None
        self.host = host
        self.port: int = self._server.bind_addr[1]

    @property
    def url(self) -> str:
        """The address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def run(self) -> None:
        """Serve until `close` is called, or the program is interrupted."""
        try:
            self._server.serve()
        finally:
            self._server.stop()
            self._end()

    def _end(self) -> None:
        with self._ending:
            files, self._files = self._files, None
            if files is not None:
                files.close()
            if self._staging:
                shutil.rmtree(self._staging, ignore_errors=True)

    def close(self) -> None:
        """End it, from any thread."""
        self._server.stop()
        self._end()


def _staging(pool: Pool) -> str:
    """Make a folder for what is being written."""
    cache = os.path.join(os.fspath(pool.settings.cache), "writing")
    os.makedirs(cache, exist_ok=True)
    return tempfile.mkdtemp(dir=cache)


def _try_port(host: str, port: int) -> None:
    """Take a port and give it back: the server leaves a socket open where it cannot have it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((host, port))


def _is_own(host: str) -> bool:
    """Say whether only this computer reaches an address."""
    if host.casefold() in _NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
