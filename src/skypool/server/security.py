"""Who may ask: tokens, cookie, `Host` and `Origin`, and headers that keep a page to itself.

The server listens on loopback, where every user and every web page of this computer can reach
it. So each request must show that it belongs: a browser by a cookie that it got for the one-time
token in the printed address, a program by that token in `Authorization`. A page of another site
is refused by `Origin`, and where its author lets his host name point here (DNS rebinding), by
`Host`.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response

from skypool.server.answers import JsonResponse, error_body

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Access", "Guard", "new_token"]

CONTENT_POLICY: Final = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_NAMES: Final = ("localhost", "ip6-localhost")
_LONGEST_TOKEN: Final = 200

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>skypool</title>{head}</head>
<body><h1>skypool</h1><p>{text}</p></body></html>"""
_ONWARD: Final = '<meta http-equiv="refresh" content="0;url=./">'
_REFUSED: Final = (
    "This address is not, or no longer, good: its token can be used once, by one browser."
    " Start <code>skypool ui</code> again for a new one."
)


def new_token() -> str:
    """Return a secret that nobody guesses."""
    return secrets.token_urlsafe(32)


class Access:
    """Which tokens and cookies are good.

    Parameters
    ----------
    token
        The token: good once in an address, and as `Bearer` at any time.
    hosts
        Names under which the server may be asked for, beside those of loopback.

    Attributes
    ----------
    cookie : str
        Name of the cookie, another one for each server: cookies do not tell ports apart.
    """

    def __init__(self, token: str, hosts: Iterable[str] = ()) -> None:
        self.token = token
        self.cookie = f"skypool-{secrets.token_hex(4)}"
        self._hosts = frozenset(host.casefold() for host in hosts)
        self._once = {token}
        self._sessions: set[str] = set()
        self._lock = threading.Lock()

    def another(self) -> str:
        """Return a further token that is good once in an address, and nowhere else.

        Other users see the address in the list of processes when it is given to a browser.
        """
        token = new_token()
        with self._lock:
            self._once.add(token)
        return token

    def spend(self, token: str) -> str | None:
        """Take a token for the value of a cookie; None if it is not good, or no longer."""
        with self._lock:
            for known in self._once:
                if _same(known, token):
                    self._once.remove(known)
                    session = new_token()
                    self._sessions.add(session)
                    return session
        return None

    def knows(self, headers: Headers) -> bool:
        """Tell whether a request carries the cookie or the token."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.casefold() == "bearer":
            return _same(self.token, given.strip())
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        with self._lock:
            sessions = tuple(self._sessions)
        return found is not None and any(_same(known, found.value) for known in sessions)

    def is_host(self, host: str) -> bool:
        """Tell whether a `Host` is this computer's own; any port, for tunnels of ssh."""
        name = host.strip().casefold()
        if name.startswith("["):
            name, closed, port = name[1:].partition("]")
            port = port.removeprefix(":") if closed else "-"
        else:
            name, _, port = name.partition(":")
        if port and not (port.isascii() and port.isdigit()):
            return False
        if name in _NAMES or name in self._hosts:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _same(known: str, given: str) -> bool:
    if len(given) > _LONGEST_TOKEN:
        return False
    return hmac.compare_digest(known.encode(), given.encode("utf-8", "surrogateescape"))


class Guard:
    """Lets through requests that belong, and puts headers on every answer.

    Parameters
    ----------
    app
        What answers.
    access
        Which tokens and cookies are good.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._answer(scope) or self._app
        await answer(scope, receive, sealed)

    def _answer(self, scope: Scope) -> Response | None:
        """Return the refusal, or what a token gets; None if the application answers."""
        headers = Headers(scope=scope)
        problem = self._problem(headers, scope)
        if problem:
            return _refusal(scope, *problem)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["path"] == "/" and scope["method"] == "GET" and "token" in query:
            return self._enter(headers, query["token"])
        if not self._access.knows(headers):
            return _refusal(
                scope, "forbidden", "this needs the cookie or the token of the server",
                "open the address that `skypool ui` printed, or send its token as"
                " `Authorization: Bearer`",
            )  # fmt: skip
        return None

    def _problem(self, headers: Headers, scope: Scope) -> tuple[str, str, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.is_host(hosts[0]):
            return (
                "wrong_host", "this server is not asked for under that name",
                "use the address that was printed",
            )  # fmt: skip
        origin = headers.get("origin")
        own = f"{scope.get('scheme', 'http')}://{hosts[0]}".casefold()
        if origin is not None and origin.casefold() != own:
            return "wrong_origin", "a page of another site asks", "use the page of this server"
        site = headers.get("sec-fetch-site", "none")
        # To follow a link to the page is fine, wherever it is; the rest is for the page itself.
        if site not in ("none", "same-origin") and scope["path"].startswith("/api/"):
            return "wrong_origin", "a page of another site asks", "use the page of this server"
        return None

    def _enter(self, headers: Headers, token: str) -> Response:
        session = self._access.spend(token)
        if session is None and not self._access.knows(headers):
            return HTMLResponse(_PAGE.format(head="", text=_REFUSED), status_code=403)
        # A browser that comes from another site sends no strict cookie along a redirection.
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            answer: Response = RedirectResponse("./", status_code=303)
        else:
            link = '<a href="./">The Product Browser</a>'
            answer = HTMLResponse(_PAGE.format(head=_ONWARD, text=link))
        if session is not None:
            answer.set_cookie(self._access.cookie, session, httponly=True, samesite="strict")
        return answer


def _refusal(scope: Scope, code: str, message: str, hint: str) -> Response:
    if scope["path"].startswith("/api/"):
        return JsonResponse(error_body(code, message, hint), status_code=403)
    text = _REFUSED if code == "forbidden" else f"Refused: {message}."
    return HTMLResponse(_PAGE.format(head="", text=text), status_code=403)
