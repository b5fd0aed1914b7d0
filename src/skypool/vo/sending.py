"""Sending products to other programs."""

from __future__ import annotations

import atexit
import threading
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from skypool.errors import SkypoolError, UsageError
from skypool.pool.progress import Progress
from skypool.pool.ref import Ref
from skypool.vo.arrival import exchange
from skypool.vo.catalogs import show_catalogue
from skypool.vo.client import Client, own_address
from skypool.vo.local import LOCAL_KINDS, send_local
from skypool.vo.payload import Part, choose, content, file_of, parts
from skypool.vo.peers import Peer
from skypool.vo.pointing import Pointing
from skypool.vo.programs import SPECTRA, accepted, takes
from skypool.vo.serving import FileServer
from skypool.vo.targets import Reply, several

if TYPE_CHECKING:
    from skypool.pool.progress import OnProgress

__all__ = ["Sender", "default_sender", "products_below", "send"]

_VIA = ("auto", "file", "http")


@dataclass(frozen=True, slots=True)
class _How:
    """How products are sent."""

    dataset: str | None
    via: str
    force: bool
    timeout: float
    shared: str


class Sender(Pointing):
    """Sends products to programs by SAMP, to pools and to files; any thread may use it.

    Parameters
    ----------
    name
        What it is called in other programs; not as the `Receiver`, which they look for by name.
    hub
        Whether a hub is started where none runs.
    settings
        Settings from outside; by default those of the environment.
    """

    def send(
        self,
        refs: Ref | Iterable[Ref],
        target: str,
        on_progress: OnProgress | None = None,
        *,
        dataset: str | None = None,
        via: str = "auto",
        force: bool = False,
        start: bool = False,
        timeout: float = 10.0,
    ) -> list[Reply]:
        """Send products.

        Parameters
        ----------
        refs
            What is sent.
        target
            Id of one of `targets()`; or `ds9`, `aladin`, `topcat`, `vospec`, the name of any
            program, or `all` for all programs that take it; or `pool:NAME`, `file:PATH`,
            `text:PATH`.
        on_progress
            Told how far the work is.
        dataset
            Which dataset; by default the main one that the program takes.
        via
            How programs get the file: `file`, `http`, or `auto` for what each needs.
        force
            Send contexts too, which normally hold no data; replace files.
        start
            Start the program where it does not run.
        timeout
            Seconds to wait for an answer.

        Returns
        -------
        list of Reply
            One for each product and program, in order.

        Raises
        ------
        NotFound
            If the program does not run, or there is none of that name.
        Ambiguous
            If several programs have that name.
        Unreachable
            If no hub runs, or the program cannot be started.
        """
        given = [refs] if isinstance(refs, Ref) else list(refs)
        if via not in _VIA:
            raise UsageError(f"files are sent by file or http, not by {via!r}")
        if target.partition(":")[0] in LOCAL_KINDS and ":" in target:
            replies = send_local(given, target, self._settings, dataset, force=force)
        else:
            how = _How(dataset, via, force, timeout, uuid.uuid4().hex[:12])
            replies = self._to_programs(given, target, how, start=start)
        return list(_told(replies, len(given), on_progress))

    def _to_programs(
        self, refs: list[Ref], target: str, how: _How, *, start: bool
    ) -> Iterator[Reply]:
        client, found = self._recipients(target, start, how.timeout)
        for ref in refs:
            for peer in found:
                reply = self._send_one(client, ref, peer, how)
                # To all: only those that take it are of interest.
                if target != "all" or reply.state != "skipped" or len(found) == 1:
                    yield reply

    def _send_one(self, client: Client, ref: Ref, peer: Peer, how: _How) -> Reply:
        about = (f"{ref.name}@{ref.version}", ref.urn, f"samp:{peer.id}", peer.name)
        if ref.is_context and not how.force:
            return Reply(
                *about,
                "skipped",
                _CONTEXT,
                offers=tuple(child.urn for child in products_below(ref)),
            )
        try:
            found = parts(ref)
            takes_these = accepted(peer.mtypes, peer.program)
            part = choose(found, _main(takes_these, found, peer, how.dataset), how.dataset)
            if part is None:
                return Reply(*about, "skipped", _why_not(ref, found, peer, how.dataset))
            if part.what == "table" and peer.program is not None and peer.program.tables_by:
                return self._as_catalogue(client, ref, part, peer, how)
            mtype = _mtype(part, peer)
            path = file_of(ref, part, "votable" if mtype == "table.load.votable" else "fits")
            url = self._address(client, path, peer, how.via)
            params, table_id = _parameters(
                ref, part, mtype, url, how.shared, several=len(found) > 1
            )
            state, detail = exchange(client, peer, mtype, params, how.timeout)
        except SkypoolError as error:
            return Reply(*about, "skipped", error.message)
        if table_id and state in ("arrived", "accepted", "unanswered"):
            self._note_table(ref, part.path, peer, table_id)
        if state in ("accepted", "unanswered") and not self._was_fetched(url):
            state = "unanswered"
            detail = " ".join((detail, "(it has not fetched the file)")).strip()
        return Reply(*about, state, detail, mtype, url, part.path)

    def _as_catalogue(self, client: Client, ref: Ref, part: Part, peer: Peer, how: _How) -> Reply:
        about = (f"{ref.name}@{ref.version}", ref.urn, f"samp:{peer.id}", peer.name)
        if not client.hub_is_local:
            return Reply(*about, "skipped", f"{peer.name} takes tables of its own machine only")
        title = ref.name.rsplit("/", 1)[-1] or ref.urn
        state, detail = show_catalogue(client, peer, part, title, how.timeout)
        return Reply(*about, state, detail, "ds9.set", "", part.path)

    def _was_fetched(self, url: str) -> bool:
        with self._lock:
            server = self._server
        return not url.startswith("http:") or (server is not None and server.fetched(url))

    def _address(self, client: Client, path: str, peer: Peer, via: str) -> str:
        if via == "auto":
            near = client.hub_is_local
            via = (peer.program.via if peer.program is not None else "file") if near else "http"
        if via == "file":
            return "file://" + quote(path)
        with self._lock:
            if self._server is None:
                self._server = FileServer(own_address(client.hub_host))
            return self._server.offer(path)


_CONTEXT = "a context normally contains no data and should not be sent; send its products"


def _main(
    accepts: tuple[str, ...], found: list[Part], peer: Peer, dataset: str | None
) -> tuple[str, ...]:
    """Return what is sent of a product: no table to a viewer of images that gets an image."""
    viewer = peer.program is not None and bool(peer.program.tables_by)
    pictures = any(part.what in ("image", "cube") for part in found)
    if viewer and pictures and dataset is None:
        return tuple(what for what in accepts if what != "table")
    return accepts


def _mtype(part: Part, peer: Peer) -> str:
    if part.what in ("image", "cube"):
        return "image.load.fits"
    if part.what == "spectrum" and takes(peer.mtypes, SPECTRA[0]):
        return SPECTRA[0]
    return "table.load.fits" if takes(peer.mtypes, "table.load.fits") else "table.load.votable"


def _parameters(
    ref: Ref, part: Part, mtype: str, url: str, shared: str, *, several: bool
) -> tuple[dict[str, Any], str]:
    """Return the parameters of a message, and the id of the table if it is one.

    Ids are new for each sending: TOPCAT refuses a table whose id it knows.
    """
    title = ref.name.rsplit("/", 1)[-1] or ref.urn
    name = f"{title} {part.path}" if several else title
    ident = f"{ref.urn}#{part.path}#{shared}"
    params: dict[str, Any] = {"url": url, "name": name}
    if mtype == SPECTRA[0]:
        about = {"Access.Reference": url, "Access.Format": "application/fits"}
        about["DataID.Title"] = name
        if "object" in ref.meta:
            about["Target.Name"] = str(ref.meta["object"].value)
        return params | {"spectrum-id": ident, "meta": about}, ""
    if mtype == "image.load.fits":
        return params | {"image-id": ident}, ""
    return params | {"table-id": ident}, ident


def _why_not(ref: Ref, found: list[Part], peer: Peer, dataset: str | None) -> str:
    accepts = accepted(peer.mtypes, peer.program)
    if not found:
        return f"{ref.name} has no image, table or spectrum"
    there = sorted({part.what for part in found if dataset in (None, part.path)})
    what = several(accepts) or "nothing that skypool sends"
    return f"{peer.name} takes {what}, and this is {' and '.join(there) or 'something else'}"


def products_below(ref: Ref) -> list[Ref]:
    """Return the products below a context that programs can show, nearest first.

    Parameters
    ----------
    ref
        A context.
    """
    found: list[Ref] = []
    seen: set[str] = set()
    level = [ref]
    while level:
        below = []
        for context in level:
            for child in context.refs.values():
                if not isinstance(child, Ref) or child.urn in seen:
                    continue
                seen.add(child.urn)
                if child.is_context:
                    below.append(child)
                elif content(child):
                    found.append(child)
        level = below
    return found


def _told(replies: Iterator[Reply], count: int, on_progress: OnProgress | None) -> Iterator[Reply]:
    sent: set[str] = set()
    for reply in replies:
        sent.add(reply.urn)
        if on_progress is not None:
            on_progress(Progress("sending", len(sent), count, name=reply.ref))
        yield reply


# -- one for the process

_default: list[Sender] = []
_default_lock = threading.Lock()


def default_sender() -> Sender:
    """Return the sender of this process; it stays connected until the process ends."""
    with _default_lock:
        if not _default:
            sender = Sender()
            _default.append(sender)
            atexit.register(sender.close)
        return _default[0]


def send(refs: Ref | Iterable[Ref], to: str, **options: Any) -> list[Reply]:
    """Send products; see `Sender.send`."""
    return default_sender().send(refs, to, **options)
