"""`send` and `receive`: other programs, by SAMP."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.pools import brief, full_name
from skypool.cli.progress import Reporter
from skypool.cli.state import State
from skypool.cli.text import Table, count_text, shown, to_json
from skypool.cli.verb import REF, at_option, verb
from skypool.cli.verbs.add import place_to_add
from skypool.errors import NotFound, Unreachable, UsageError

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.vo import Receiver, Reply, Sender, Target

__all__ = ["receive_verb", "send_verb"]

_FEW = 10


@verb(
    "send",
    examples=[
        ("send PSW --to ds9", "show an image in DS9"),
        ("send PSW --to ds9 --start", "start DS9 first, if it does not run"),
        ("send sources.fits --to topcat", "a table"),
        ("send PSW -d coverage --to aladin", "one dataset of it"),
        ("send 1342182452 --children --to all", "what is in a context, to all that take it"),
        ("send PSW --to pool:temp1", "a copy in another pool"),
        ("send sources.fits --to text:sources.txt", "the table as text"),
        ("send --list", "where products can be sent"),
    ],
)
@click.argument("refs", metavar="REF...", nargs=-1, type=REF)
@click.option(
    "--to",
    "target",
    metavar="TARGET",
    help="ds9, aladin, topcat, vospec, any program's name, all; pool:NAME, file:PATH, text:PATH.",
)
@click.option("--list", "listing", is_flag=True, help="List where products can be sent.")
@click.option("-d", "--dataset", metavar="NAME", help="Which dataset; else the main one.")
@click.option("--start", is_flag=True, help="Start the program where it does not run.")
@click.option("--children", is_flag=True, help="Of a context, send the products in it.")
@click.option("--force", is_flag=True, help="Send contexts themselves; replace files.")
@click.option(
    "--via",
    type=click.Choice(["auto", "file", "http"]),
    default="auto",
    show_default=True,
    help="How programs get the file.",
)
@click.option(
    "--timeout", type=float, default=10.0, show_default=True, help="Seconds to wait for an answer."
)
@at_option
def send_verb(
    state: State,
    refs: Sequence[str],
    target: str | None,
    listing: bool,
    children: bool,
    at: str | None,
    **how: Any,
) -> int:
    """Send products to DS9, Aladin, TOPCAT and other programs, by SAMP.

    Each product is sent as a file: as it came where that is what programs
    read, else the dataset alone as FITS. It is checked that it arrived, where
    the program can be asked; what was sent and not answered, or not taken, is
    said, and the exit code is 3, or 1 if nothing arrived.
    """
    from skypool.vo import Sender

    if listing:
        with Sender(hub=False, settings=state.settings) as sender:
            return _list(state, sender)
    if not refs or target is None:
        raise UsageError(
            "say what to send, and where to: skypool send REF... --to TARGET",
            hint="`skypool send --list` tells where",
        )
    pool = state.open(at=at)
    found: list[Ref] = [pool[ref] for ref in refs]
    if children:
        found = _children(found)
    with Sender(hub=how["start"], settings=state.settings) as sender, Reporter() as reporter:
        replies = sender.send(found, target, reporter, **how)
    if not replies:
        raise NotFound(f"no program takes what is in {shown(full_name(found[0]))}")
    if state.json:
        click.echo(to_json({"replies": [reply.as_json() for reply in replies]}))
    else:
        _show(state, replies)
    good = sum(reply.ok for reply in replies)
    if good == len(replies):
        return 0
    return 3 if good or any(reply.state == "unanswered" for reply in replies) else 1


def _children(refs: Sequence[Ref]) -> list[Ref]:
    from skypool.vo import products_below

    found: list[Ref] = []
    for ref in refs:
        below = products_below(ref) if ref.is_context else [ref]
        if not below:
            raise NotFound(f"there is nothing in {full_name(ref)} that could be sent")
        found += [child for child in below if child not in found]
    return found


def _show(state: State, replies: Sequence[Reply]) -> None:
    for reply in replies:
        what = f"{reply.ref} [{reply.dataset}]" if reply.dataset else reply.ref
        detail = f": {reply.detail}" if reply.detail else ""
        click.echo(f"{shown(what)} -> {shown(reply.name)}  {reply.state}{shown(detail)}")
        for urn in reply.offers[:_FEW]:
            state.note(f"  can be sent: {urn}")
        if len(reply.offers) > _FEW:
            state.note(f"  and {count_text(len(reply.offers) - _FEW, 'product')} more")
        if reply.offers:
            state.note("  --children sends them all")


def _list(state: State, sender: Sender) -> int:
    targets = sender.targets()
    if state.json:
        click.echo(to_json({"targets": [target.as_json() for target in targets]}))
        return 0
    table = Table(["TARGET", "NAME", "TAKES", "STATE"], flexible=3, colour=state.colour)
    for line in table.lines([t.id, t.name, " ".join(t.accepts), _state_of(t)] for t in targets):
        click.echo(line)
    return 0


def _state_of(target: Target) -> str:
    if target.alive:
        return "running" if target.kind == "samp" else "there"
    return f"--start runs {target.start}" if target.start else f"not found; {target.get}"


@verb(
    "receive",
    examples=[
        ("-p temp1 receive", "take what other programs send, until Ctrl-C"),
        ("receive --under m83 --count 1", "one product, as m83/NAME"),
    ],
)
@click.option(
    "-u",
    "--under",
    metavar="PREFIX",
    default="received",
    show_default=True,
    help="Names start with PREFIX/.",
)
@click.option("--count", type=click.IntRange(1), help="End after that many messages.")
@click.option("--timeout", type=float, metavar="SECONDS", help="End when nothing came for so long.")
def receive_verb(state: State, under: str, count: int | None, timeout: float | None) -> int:
    """Take images, tables and spectra that other programs send, into the pool.

    Other programs see it as `skypool` in their menus (Send to, Broadcast).
    Each message is one commit; what cannot be read is refused, with the reason,
    and the exit code is 3 in the end. A missing pool is made. A SAMP hub is
    started where none runs.
    """
    from skypool.pool.folder import check_empty
    from skypool.vo import Receiver

    place = place_to_add(state)
    if not place.exists:
        check_empty(place.folder)  # what is no pool is refused before anything comes
    pool = state.open_place(place, mode="a")
    taken = refused = 0
    with Receiver(pool, under=under, settings=state.settings) as receiver:
        state.note(f"receiving as 'skypool' into {shown(place.text)}; Ctrl-C ends it")
        try:
            while count is None or taken + refused < count:
                outcome = _next(receiver, timeout)
                if outcome is None:
                    break
                taken += outcome.ref is not None
                refused += outcome.ref is None
                _show_received(state, outcome)
        except KeyboardInterrupt:
            pass  # this is how it ends
    return 3 if refused else 0


def _next(receiver: Receiver, timeout: float | None) -> Any:
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = 1.0 if end is None else min(1.0, end - time.monotonic())
        found = receiver.wait(max(left, 0.0))
        if found is not None:
            return found
        if not receiver.connected:
            raise Unreachable("the SAMP hub ended", hint="give the same command again")
        if end is not None and time.monotonic() >= end:
            return None


def _show_received(state: State, received: Any) -> None:
    if state.json:
        about = {"sender": received.sender, "mtype": received.mtype, "problem": received.problem}
        product = brief(received.ref) if received.ref is not None else None
        click.echo(to_json({"product": product} | about))
    elif received.ref is not None:
        name = shown(full_name(received.ref))
        click.echo(f"{name}  from {shown(received.sender)} ({received.mtype})")
    else:
        state.note(f"refused, from {shown(received.sender)}: {shown(received.problem)}")
