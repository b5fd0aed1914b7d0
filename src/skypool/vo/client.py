"""A client of SAMP's standard profile: registered with a hub, calling and being called.

pyvo has one too; this one differs where a long-running program needs it (docs/design/024-samp.md):
every call of the hub has a time limit, its socket may have any number (pyvo's waits with
`select`, which refuses those above 1,023), it tells nobody the environment, and it asks no server
on the internet whether there is one.
"""

from __future__ import annotations

import hmac
import http.client
import logging
import socket
import threading
import uuid
import xmlrpc.client
from collections.abc import Callable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from skypool.errors import Unreachable
from skypool.vo.lockfile import HubPlace

__all__ = ["Call", "Client", "OnMessage", "is_hub"]

_log = logging.getLogger(__name__)
_HUB_SECONDS = 10.0
_CALLS = 10_000
_LOCAL = ("127.0.0.1", "localhost", "::1")
# A list of a million rows fits.
_LONGEST_REQUEST = 64 << 20

#: Told the sender's id, the message's id (None for a notification), its mtype and parameters.
OnMessage = Callable[[str, str | None, str, dict[str, Any]], None]


class Call:
    """A message that waits for its answer.

    Attributes
    ----------
    response : dict or None
        The answer: `samp.status`, `samp.result`, `samp.error`.
    """

    def __init__(self) -> None:
        self._done = threading.Event()
        self.response: dict[str, Any] | None = None

    def answer(self, response: dict[str, Any]) -> None:
        """Take the answer."""
        self.response = response
        self._done.set()

    def wait(self, seconds: float) -> dict[str, Any] | None:
        """Wait for the answer; None where none came."""
        self._done.wait(max(0.0, seconds))
        return self.response


class Client:
    """A program that is registered with a hub.

    Parameters
    ----------
    hub
        Where the hub is.
    metadata
        What other programs are told: `samp.name` and so on.
    subscriptions
        The mtypes that it takes, each with its annotations.
    on_message
        Told of every message but pings and answers, by a thread of its own.

    Raises
    ------
    Unreachable
        If no hub is there, or it refuses.
    """

    def __init__(
        self,
        hub: HubPlace,
        metadata: Mapping[str, str],
        subscriptions: Mapping[str, Any] | None = None,
        on_message: OnMessage | None = None,
    ) -> None:
        self._hub = hub
        self._on_message = on_message
        self._calls: dict[str, Call] = {}
        self._lock = threading.Lock()
        self._key = ""
        self.gone = False
        found = self._ask("register", hub.secret)
        self._key = str(found["samp.private-key"])
        self.id = str(found["samp.self-id"])
        self.hub_id = str(found.get("samp.hub-id", ""))
        host = own_address(hub.host)
        self._server = _Callbacks((host, 0))
        for name in ("receiveNotification", "receiveCall", "receiveResponse"):
            self._server.register_function(getattr(self, f"_{name}"), f"samp.client.{name}")
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="samp client", daemon=True
        )
        self._thread.start()
        try:
            port = self._server.server_address[1]
            self.hub("setXmlrpcCallback", f"http://{host}:{port}/")
            self.hub("declareMetadata", dict(metadata))
            always: dict[str, Any] = {"samp.hub.disconnect": {}, "samp.hub.event.shutdown": {}}
            always |= {"samp.app.ping": {}, **(subscriptions or {})}
            self.hub("declareSubscriptions", always)
        except BaseException:
            self.close()
            raise

    @property
    def hub_host(self) -> str:
        """The machine of the hub."""
        return self._hub.host

    @property
    def hub_is_local(self) -> bool:
        """Whether the hub is on this machine, and with it, as a rule, all programs."""
        return own_address(self._hub.host) == "127.0.0.1" or self._hub.host == socket.gethostname()

    # -- to the hub

    def hub(self, method: str, *args: Any) -> Any:
        """Call a method of the hub, such as `getRegisteredClients`.

        Raises
        ------
        Unreachable
            If the hub is gone, or refuses.
        """
        return self._ask(method, self._key, *args)

    def _ask(self, method: str, *args: Any) -> Any:
        # A connection for each call: they are cheap here, and threads do not get in each
        # other's way.
        url = self._hub.url
        try:
            with xmlrpc.client.ServerProxy(
                url, transport=_Transport(_HUB_SECONDS, url), allow_none=True
            ) as proxy:
                return getattr(proxy, f"samp.hub.{method}")(*args)
        except xmlrpc.client.Fault as error:
            raise Unreachable(f"the SAMP hub refuses {method}: {error.faultString}") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, ValueError) as error:
            raise Unreachable(f"the SAMP hub at {url} does not answer: {error}") from None

    def call(self, recipient: str, mtype: str, params: Mapping[str, Any]) -> Call:
        """Send a message that is to be answered."""
        tag, call = uuid.uuid4().hex, Call()
        with self._lock:
            self._calls[tag] = call
            if len(self._calls) > _CALLS:  # the oldest will not be answered any more
                del self._calls[next(iter(self._calls))]
        try:
            self.hub("call", recipient, tag, message(mtype, params))
        except BaseException:
            with self._lock:
                self._calls.pop(tag, None)
            raise
        return call

    def notify(self, recipient: str, mtype: str, params: Mapping[str, Any]) -> None:
        """Send a message that nobody answers."""
        self.hub("notify", recipient, message(mtype, params))

    def reply(
        self, message_id: str, error: str = "", result: Mapping[str, Any] | None = None
    ) -> None:
        """Answer a message: with an error where one is given, else with a result."""
        answer: dict[str, Any] = {"samp.status": "samp.ok", "samp.result": dict(result or {})}
        if error:
            answer = {"samp.status": "samp.error", "samp.error": {"samp.errortxt": plain(error)}}
        self.hub("reply", message_id, answer)

    def close(self) -> None:
        """Leave the hub."""
        if not self.gone:
            self.gone = True
            try:
                self.hub("unregister")
            except Unreachable as error:
                _log.debug("leaving: %s", error.message)
        server, thread = self._server, self._thread
        server.shutdown()
        server.server_close()
        thread.join(_HUB_SECONDS)

    # -- from the hub

    def _check(self, key: object) -> None:
        if not hmac.compare_digest(str(key).encode(), self._key.encode()):
            raise PermissionError("not from the hub")

    def _receiveResponse(self, key: object, responder: object, tag: object, answer: object) -> str:  # noqa: N802
        self._check(key)
        with self._lock:
            call = self._calls.pop(str(tag), None)
        if call is not None:
            call.answer(answer if isinstance(answer, dict) else {})
        return ""

    def _receiveCall(self, key: object, sender: object, message_id: object, what: object) -> str:  # noqa: N802
        self._check(key)
        mtype, params = parsed(what)
        if mtype == "samp.app.ping":
            self.reply(str(message_id))
        elif self._on_message is not None:
            self._on_message(str(sender), str(message_id), mtype, params)
        else:
            self.reply(str(message_id), f"{mtype} is not understood")
        return ""

    def _receiveNotification(self, key: object, sender: object, what: object) -> str:  # noqa: N802
        self._check(key)
        mtype, params = parsed(what)
        if mtype in ("samp.hub.disconnect", "samp.hub.event.shutdown"):
            self.gone = True
        elif self._on_message is not None:
            self._on_message(str(sender), None, mtype, params)
        return ""


def is_hub(place: HubPlace | None) -> bool:
    """Say whether a hub answers there."""
    if place is None:
        return False
    try:
        with xmlrpc.client.ServerProxy(
            place.url, transport=_Transport(3.0, place.url), allow_none=True
        ) as proxy:
            proxy.samp.hub.ping()
    except xmlrpc.client.Fault:
        return True  # it is there, and does not like to be asked
    except (OSError, http.client.HTTPException, xmlrpc.client.Error, ValueError):
        return False
    return True


def message(mtype: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as SAMP has it."""
    return {"samp.mtype": mtype, "samp.params": {key: plain(params[key]) for key in params}}


def plain(value: Any) -> Any:
    """Return a value as SAMP has them: texts of printable characters, lists, maps."""
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    # XML has no control characters, nor halves of pairs.
    return "".join(
        c if (c >= " " or c in "\t\n\r") and not "\ud800" <= c <= "\udfff" and c < "\ufffe" else "?"
        for c in str(value)
    )


def parsed(what: object) -> tuple[str, dict[str, Any]]:
    """Return mtype and parameters of a message, whatever was sent instead of one."""
    found = what if isinstance(what, dict) else {}
    params = found.get("samp.params")
    return str(found.get("samp.mtype", "")), params if isinstance(params, dict) else {}


def own_address(hub_host: str) -> str:
    """Return the address under which a hub reaches this process."""
    if hub_host in _LOCAL or hub_host.startswith("127."):
        return "127.0.0.1"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((hub_host, 9))  # nothing is sent: this only chooses the way
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


class _Transport(xmlrpc.client.Transport):
    """HTTP with a limit of time."""

    def __init__(self, seconds: float, url: str) -> None:
        super().__init__()
        self._seconds = seconds
        self._secure = url.startswith("https:")

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        name = self.get_host_info(host)[0]
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(name, timeout=self._seconds)
        self._connection = host, connection  # which `close` closes
        return connection


class _Handler(SimpleXMLRPCRequestHandler):
    timeout = 30

    def do_POST(self) -> None:  # noqa: N802 (http.server's name)
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LONGEST_REQUEST:
            self.send_error(413)
            return
        super().do_POST()


class _Callbacks(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler, logRequests=False, allow_none=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("a request of the hub failed", exc_info=True)
