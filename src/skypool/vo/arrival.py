"""Whether something really arrived: an answer alone is not believed.

DS9 says `samp.ok` to a file that it cannot read, and shows an empty frame. Aladin loads, and
often never answers. Both tell what they show when they are asked.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from skypool.errors import Unreachable

if TYPE_CHECKING:
    from skypool.vo.client import Call, Client
    from skypool.vo.peers import Peer

__all__ = ["Outcome", "exchange", "ready"]

#: State and detail of a reply.
Outcome = tuple[str, str]
_ASK_SECONDS = 5.0
_PAUSE = 0.1
# How long a program that says that it has something may go without showing it.
_PATIENCE = 10.0


def exchange(
    client: Client, peer: Peer, mtype: str, params: dict[str, Any], seconds: float
) -> Outcome:
    """Send a message, and find out what came of it.

    Parameters
    ----------
    client
        Who sends.
    peer
        To whom.
    mtype, params
        The message.
    seconds
        How long an answer may take.

    Returns
    -------
    state, detail
        As `Reply` has them.
    """
    probe = _probe(client, peer, mtype, params)
    asks = probe if peer.program is not None and not peer.program.answers else None
    call = client.call(peer.id, mtype, params)
    end = time.monotonic() + seconds
    while True:
        answer = call.wait(_PAUSE)
        now = time.monotonic()
        if answer is not None:
            return _answered(answer, probe, min(end, now + _PATIENCE))
        if asks is not None and asks():
            return "arrived", ""
        if client.gone:
            return "unanswered", "the SAMP hub ended"
        if now >= end:
            return "unanswered", f"no answer within {seconds:g} s; it may have come nevertheless"


def _answered(answer: dict[str, Any], probe: Callable[[], bool] | None, end: float) -> Outcome:
    status = answer.get("samp.status")
    said = error_text(answer)
    if status == "samp.error":
        return "refused", said or "it gave no reason"
    if probe is None:
        return "accepted", said
    while not probe():
        if time.monotonic() >= end:
            return "refused", "it says that it has it, but does not show it"
        time.sleep(_PAUSE)
    return "arrived", said


def error_text(answer: dict[str, Any]) -> str:
    """Return what a program says of an error or warning, in a line."""
    error = answer.get("samp.error")
    text = error.get("samp.errortxt", "") if isinstance(error, dict) else ""
    return " ".join(str(text).split())[:300]


def ready(client: Client, peer: Peer) -> bool:
    """Say whether a program that has just registered takes messages.

    Aladin registers before it is there: what is sent to it then is lost, and may wedge it.
    """
    if peer.program is None or peer.program.key != "aladin":
        return True
    return _ask(client, peer, "script.aladin.send", {"script": "status"}) is not None


def _probe(
    client: Client, peer: Peer, mtype: str, params: dict[str, Any]
) -> Callable[[], bool] | None:
    """Return what finds out whether it has arrived; None where nothing can."""
    key = peer.program.key if peer.program is not None else ""
    if key == "ds9" and mtype == "image.load.fits" and "ds9.get" in peer.mtypes:
        return _ds9(client, peer, params["url"])
    if key == "aladin" and "script.aladin.send" in peer.mtypes:
        return _aladin(client, peer, params)
    return None


def _ds9(client: Client, peer: Peer, url: str) -> Callable[[], bool]:
    def shown() -> tuple[str, str, str]:
        return (
            _ds9_get(client, peer, "frame"),
            _ds9_get(client, peer, "file"),
            _ds9_get(client, peer, "fits size"),
        )

    before = shown()
    name = os.path.basename(unquote(urlsplit(url).path))
    local = url.startswith("file:")

    def probe() -> bool:
        now = shown()
        _, file, size = now
        if not file or size.split() in ([], ["0", "0"]):
            return False
        # What came by HTTP lies in a temporary file of its own name.
        return name in file if local else now != before

    return probe


def _ds9_get(client: Client, peer: Peer, what: str) -> str:
    result = _ask(client, peer, "ds9.get", {"cmd": what})
    return str(result.get("value", "")) if result is not None else ""


def _aladin(client: Client, peer: Peer, params: dict[str, Any]) -> Callable[[], bool]:
    before = _planes(client, peer)
    name = str(params.get("name", ""))
    names = {name, os.path.splitext(name)[0]}
    path = unquote(urlsplit(str(params["url"])).path)

    def probe() -> bool:
        for plane, values in _planes(client, peer).items():
            # While it loads, there is an image without address, of no pixels.
            loaded = values.keys() & {"Url", "NbObj"} or values.get("Type") == "Folder"
            if plane in before or not loaded:
                continue
            # A file of several extensions becomes a folder of planes: name[1], name[2].
            same = values.get("Url", "").removeprefix("file:") == path
            if same or re.sub(r"(\[\d+\]|~\d+)*$", "", plane) in names:
                return True
        return False

    return probe


def _planes(client: Client, peer: Peer) -> dict[str, dict[str, str]]:
    """Return what Aladin shows: its planes with their values."""
    result = _ask(client, peer, "script.aladin.send", {"script": "status"}) or {}
    found: dict[str, dict[str, str]] = {}
    values: dict[str, str] = {}
    for line in str(result.get("script.result", "")).splitlines():
        key, _, value = line.partition(" ")
        if key == "PlaneID":
            values = found.setdefault(value.strip(), {})
        elif key == "ViewID":
            values = {}
        elif key:
            values.setdefault(key, value.strip())
    return found


def _ask(client: Client, peer: Peer, mtype: str, params: dict[str, str]) -> dict[str, Any] | None:
    """Return the result of a question; None where it was not answered."""
    try:
        call: Call = client.call(peer.id, mtype, params)
    except Unreachable:
        return None
    answer = call.wait(_ASK_SECONDS)
    if answer is None or answer.get("samp.status") != "samp.ok":
        return None
    result = answer.get("samp.result")
    return result if isinstance(result, dict) else {}
