"""Receiving: images, tables and spectra that other programs send become products of a pool."""

from __future__ import annotations

import contextlib
import logging
import queue
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from skypool.config import from_environment
from skypool.errors import NameConflict, SkypoolError, StorageError, Unreachable
from skypool.vo.client import Client
from skypool.vo.hub import find_hub, start_hub
from skypool.vo.incoming import MTYPES, fetch, problem_text

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = ["Received", "Receiver"]

_log = logging.getLogger(__name__)
_WAITING = 1000
_NAMES_TRIED = 100


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was received.

    Attributes
    ----------
    ref : Ref or None
        The product that it became; None where it could not be taken.
    sender : str
        Name of the program.
    mtype : str
    problem : str
        Why it could not be taken; the program was told.
    """

    ref: Ref | None
    sender: str
    mtype: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Message:
    sender: str
    id: str | None
    mtype: str
    params: dict[str, Any]


class Receiver:
    """Takes what other programs send into a pool, until it is closed.

    Each message is one commit. What cannot be read, or is not what the message says, is
    answered with an error, and the pool stays as it was.

    Parameters
    ----------
    pool
        The pool.
    under
        Names of the products start with it; empty for none.
    on_received
        Told of each message when it is dealt with, by the thread that does it.
    name
        What it is called in other programs.
    hub
        Whether a hub is started where none runs.
    settings
        Settings from outside; by default those of the environment.

    Raises
    ------
    Unreachable
        If no hub runs and none can be started.

    Examples
    --------
    >>> with Receiver(pool) as receiver:
    ...     received = receiver.wait()
    >>> received.ref.name
    'received/match(1,2).vot'
    """

    def __init__(
        self,
        pool: Pool,
        *,
        under: str = "received",
        on_received: Callable[[Received], None] | None = None,
        name: str = "skypool",
        hub: bool = True,
        settings: Settings | None = None,
    ) -> None:
        settings = settings or from_environment()
        self._pool = pool
        self._under = under.strip("/")
        self._on_received = on_received
        self._inbox: queue.Queue[_Message | None] = queue.Queue(_WAITING)
        self._outbox: queue.Queue[Received | None] = queue.Queue()
        self._closed = False
        place = start_hub(settings) if hub else find_hub(settings)
        if place is None:
            raise Unreachable("no SAMP hub runs", hint="start topcat or aladin, which bring one")
        about = {
            "samp.name": name,
            "samp.description.text": f"Takes what is sent to it into the pool {pool.name}",
        }
        self._client = Client(place, about, {key: {} for key in MTYPES}, self._take)
        self._worker = threading.Thread(target=self._work, name="samp receiver", daemon=True)
        self._worker.start()

    @property
    def connected(self) -> bool:
        """Whether the hub is still there."""
        return not self._client.gone

    def wait(self, seconds: float | None = None) -> Received | None:
        """Return the next message that was dealt with; None if none came in time, or at the end.

        Parameters
        ----------
        seconds
            How long to wait; for ever by default.
        """
        try:
            return self._outbox.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Take no more; what has come already is dealt with."""
        if self._closed:
            return
        self._closed = True
        self._inbox.put(None)
        self._worker.join()
        self._client.close()
        self._outbox.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- messages

    def _take(
        self, sender: str, message_id: str | None, mtype: str, params: dict[str, Any]
    ) -> None:
        """Take a message from the hub, which waits: the work is for another thread."""
        message = _Message(sender, message_id, mtype, params)
        if mtype not in MTYPES:
            self._answer(message, f"{mtype} is not understood")
            return
        try:
            if self._closed:
                raise queue.Full
            self._inbox.put_nowait(message)
        except queue.Full:
            self._answer(message, "too many messages at once")

    def _work(self) -> None:
        while (message := self._inbox.get()) is not None:
            sender = self._name_of(message.sender)
            ref, problem = None, ""
            try:
                ref = self._save(message, sender)
            except SkypoolError as error:
                problem = problem_text(error)
            except OSError as error:
                problem = f"it cannot be taken: {error.strerror or error}"
            self._answer(message, problem)
            received = Received(ref, sender, message.mtype, problem)
            self._outbox.put(received)
            if self._on_received is not None:
                self._on_received(received)

    def _save(self, message: _Message, sender: str) -> Ref:
        with tempfile.TemporaryDirectory(prefix="skypool-") as folder:
            found = fetch(message.mtype, message.params, folder)
            origin = {
                "url": str(message.params["url"]).strip(),
                "sender": sender,
                "mtype": message.mtype,
            }
            for name in _names(found.name):
                # One of that name is a version of it, unless it is of another observation.
                with contextlib.suppress(NameConflict):
                    report = self._pool.add_report(
                        found.path,
                        name=name,
                        under=self._under or None,
                        message=f"received from {sender} ({message.mtype})",
                        origins={found.path: origin},
                    )
                    return report.refs[0]
        raise StorageError(f"all names like {found.name!r} are taken")

    def _name_of(self, ident: str) -> str:
        try:
            metadata = self._client.hub("getMetadata", ident)
        except Unreachable:
            return ident
        name = metadata.get("samp.name") if isinstance(metadata, dict) else None
        return str(name or ident)[:200]

    def _answer(self, message: _Message, problem: str) -> None:
        if message.id is None:  # a notification, which nobody answers
            return
        try:
            self._client.reply(message.id, problem)
        except Unreachable as error:
            _log.debug("the answer is lost: %s", error.message)


def _names(name: str) -> list[str]:
    stem, dot, ends = name.rpartition(".fits") if ".fits" in name else name.rpartition(".")
    more = [f"{stem}-{n}{dot}{ends}" for n in range(2, _NAMES_TRIED)]
    return [name, *more]
