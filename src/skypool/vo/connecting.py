"""The connection of a sender with the hub, and the programs there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from skypool import __version__
from skypool.config import from_environment
from skypool.errors import Ambiguous, NotFound, Unreachable
from skypool.vo.client import Client
from skypool.vo.hub import find_hub, start_hub
from skypool.vo.local import local_targets
from skypool.vo.peers import Peer, answers, peers
from skypool.vo.programs import PROGRAMS, Program, accepted
from skypool.vo.serving import FileServer
from skypool.vo.starting import not_running, start_command, start_program
from skypool.vo.targets import Target

if TYPE_CHECKING:
    from skypool.config import Settings

__all__ = ["Connecting"]

_METADATA = {
    "samp.description.text": "A pool of astronomical data products",
    "skypool.version": __version__,
}
# What a program without any use for products takes too.
_ALWAYS = frozenset({"samp.app.ping", "samp.hub.disconnect", "samp.hub.event.shutdown"})


class Connecting:
    """Finds the hub and the programs; see `Sender`."""

    def __init__(
        self, *, name: str = "skypool-send", hub: bool = True, settings: Settings | None = None
    ) -> None:
        self._name = name
        self._start_hub = hub
        self._settings = settings or from_environment()
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._server: FileServer | None = None
        # Which table went to which program under which id.
        self._tables: dict[tuple[str, str], dict[str, str]] = {}

    # -- where to

    def targets(self) -> list[Target]:
        """Return everything that products can be sent to; dead programs are left out.

        Raises
        ------
        MissingDependency
            If a hub is to be started and pyvo is not installed.
        """
        client = self._connected()
        found = peers(client) if client is not None else []
        running = [_target(peer) for peer in found if peer.alive]
        running = [target for target in running if target.accepts]
        there = {peer.program.key for peer in found if peer.alive and peer.program is not None}
        resting = [_resting(p) for key, p in PROGRAMS.items() if key not in there]
        return [*running, *resting, *local_targets(self._settings)]

    # -- connection

    def _connected(self) -> Client | None:
        """Return the client, registered anew where the hub has changed; None without a hub."""
        with self._lock:
            if self._client is not None and not self._client.gone:
                try:
                    self._client.hub("getSubscriptions", self._client.id)
                except Unreachable:  # the hub ended without a word
                    self._client.gone = True
                else:
                    return self._client
            if self._client is not None:
                self._client.close()
                self._client = None
                self._tables.clear()  # another hub, other numbers
            place = start_hub(self._settings) if self._start_hub else find_hub(self._settings)
            if place is not None:
                self._client = Client(place, {"samp.name": self._name, **_METADATA})
            return self._client

    def _recipients(
        self, target: str, start: bool, patience: float = 10.0
    ) -> tuple[Client, list[Peer]]:
        client = self._connected()
        key = target.removeprefix("program:").lower()
        program = PROGRAMS.get(key)
        if client is None:
            if program is not None:
                raise not_running(program)
            raise Unreachable(
                "no SAMP hub runs, so no program can be reached",
                hint="start topcat or aladin, or let skypool start a program: --start, start=True",
            )
        there = peers(client)
        alive = [peer for peer in there if peer.alive]
        if target == "all":
            taking = [peer for peer in alive if peer.mtypes - _ALWAYS]
            if not taking:
                raise NotFound("no program is connected to SAMP", hint="start one")
            return client, taking
        found = _matching(alive, target, program)
        if not found:  # on a busy machine, the one that is asked for may take longer to answer
            slow = _matching(there, target, program)
            found = [peer for peer in slow if answers(client, peer, patience)]
        if not found and program is not None:
            if not start:
                raise not_running(program)
            found = [start_program(client, program)]
        if not found:
            raise NotFound(
                f"there is no program {target!r}",
                candidates=[f"{peer.name} (samp:{peer.id})" for peer in alive] + list(PROGRAMS),
            )
        if len(found) > 1:
            raise Ambiguous(
                f"{len(found)} programs are called {target!r}",
                candidates=[f"samp:{peer.id}" for peer in found],
            )
        return client, found

    def close(self) -> None:
        """Leave the hub, and serve files no longer."""
        with self._lock:
            client, self._client = self._client, None
            server, self._server = self._server, None
        if client is not None:
            client.close()
        if server is not None:
            server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _target(peer: Peer) -> Target:
    return Target(f"samp:{peer.id}", peer.name, "samp", accepted(peer.mtypes, peer.program))


def _resting(program: Program) -> Target:
    return Target(
        f"program:{program.key}",
        program.title,
        "program",
        program.takes,
        False,
        start_command(program),
        program.get,
    )


def _matching(alive: Sequence[Peer], target: str, program: Program | None) -> list[Peer]:
    wanted = target.removeprefix("samp:")
    for same in (
        lambda peer: peer.id == wanted,
        lambda peer: program is not None and peer.program is program,
        lambda peer: peer.name.casefold() == target.casefold(),
    ):
        found = [peer for peer in alive if same(peer)]
        if found:
            return found
    return []
