"""The programs that are registered with a hub, and whether they live."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skypool.errors import Unreachable
from skypool.vo.programs import Program, program_of, takes

if TYPE_CHECKING:
    from skypool.vo.client import Client

__all__ = ["Peer", "answers", "living", "peers"]

_PING_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that is registered with the hub.

    Attributes
    ----------
    id : str
        Its number at this hub.
    name : str
    mtypes : frozenset of str
        What it is subscribed to.
    alive : bool
        Whether it answered; True as well for one that takes no pings.
    program : Program or None
        Which one it is, where it is known.
    """

    id: str
    name: str
    mtypes: frozenset[str]
    alive: bool
    program: Program | None


def peers(client: Client, seconds: float = _PING_SECONDS) -> list[Peer]:
    """Return all other programs; hubs keep the dead ones, so each is asked whether it lives.

    Parameters
    ----------
    client
        Who asks.
    seconds
        How long an answer may take; all are asked at once.
    """
    found = []
    for ident in _strings(client.hub("getRegisteredClients")):
        if ident in (client.id, client.hub_id):
            continue
        try:
            metadata = client.hub("getMetadata", ident)
            mtypes = frozenset(_strings(client.hub("getSubscriptions", ident)))
            ping = (
                client.call(ident, "samp.app.ping", {}) if takes(mtypes, "samp.app.ping") else None
            )
        except Unreachable:  # it left meanwhile
            continue
        name = metadata.get("samp.name") if isinstance(metadata, dict) else None
        found.append((ident, str(name or ident), mtypes, ping))
    end = time.monotonic() + seconds
    result = []
    for ident, name, mtypes, ping in found:
        alive = ping is None or _said_so(ping.wait(end - time.monotonic()))
        result.append(Peer(ident, name, mtypes, alive, program_of(name)))
    return result


def answers(client: Client, peer: Peer, seconds: float) -> bool:
    """Say whether a program answers within some time."""
    try:
        return _said_so(client.call(peer.id, "samp.app.ping", {}).wait(seconds))
    except Unreachable:  # it left meanwhile
        return False


def _said_so(answer: dict[str, Any] | None) -> bool:
    # A hub that cannot reach it may say so in an answer of its own, which is an error.
    return answer is not None and answer.get("samp.status") != "samp.error"


def living(client: Client) -> bool:
    """Say whether any other program that is no hub lives."""
    return any(peer.alive for peer in peers(client))


def _strings(found: Any) -> list[str]:
    return [str(item) for item in found] if isinstance(found, (list, dict)) else []
