"""`ui`: the Product Browser."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.state import State
from skypool.cli.text import to_json
from skypool.cli.verb import verb
from skypool.errors import Conflict, MissingDependency

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["ui_verb"]

_NEEDED = ("starlette", "uvicorn", "anyio")


@verb(
    "ui",
    examples=[
        ("ui", "look at the nearest pool, or the usual one, in the browser"),
        ("ui survey ./mine", "at several pools at once"),
        ("ui survey --folders .", "nothing outside this folder is read, written or opened"),
        ("ui --read-only --no-browser", "print the address only; nothing can be changed"),
    ],
)
@click.argument("pools", nargs=-1, metavar="[POOL]...")
@click.option(
    "--port", default=0, metavar="N", type=click.IntRange(0, 65535), help="Port; any free one."
)
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
@click.option("--read-only", is_flag=True, help="Refuse everything that changes a pool.")
@click.option(
    "--folders",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Let the page add from, export to and open pools in this folder only; may be repeated.",
)
def ui_verb(
    state: State,
    pools: tuple[str, ...],
    port: int,
    no_browser: bool,
    read_only: bool,
    folders: tuple[str, ...],
) -> None:
    """Look at pools in the browser: the Product Browser.

    It prints its address, with a token that is good for one browser, and serves until
    Ctrl-C. Only programs on this computer reach it; over ssh, it prints the line that
    makes it reachable from yours.
    """
    _need_packages()
    opened = _open(state, pools, read_only=read_only)
    listening = _listen(port)
    port = listening.getsockname()[1]
    # The address stands there before the rest is loaded: who connects meanwhile is answered then.
    from secrets import token_urlsafe

    token = token_urlsafe(32)
    over_ssh = bool(os.environ.get("SSH_CONNECTION"))
    tunnel = _tunnel(state, port) if over_ssh else ""
    _tell(state, f"http://127.0.0.1:{port}/", token, tunnel)

    from skypool.web.application import Application
    from skypool.web.serving import Serving

    application = Application(opened, token=token, read_only=read_only, folders=folders)
    if not (no_browser or over_ssh):
        address = f"http://127.0.0.1:{port}/?token={application.access.another()}"
        threading.Thread(target=_open_browser, args=(address,), daemon=True).start()
    Serving(application).run(listening)


def _need_packages() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            f"the Product Browser needs {' and '.join(missing)}, which skypool alone does not",
            hint='python -m pip install "skypool[ui]"',
        )


def _open(state: State, pools: tuple[str, ...], *, read_only: bool) -> list[Pool]:
    if pools or len(state.pools) > 1:
        state.pools = (*state.pools, *pools)
        return list(state.open_several(write=not read_only).values())
    return [state.open(write=not read_only)]


def _listen(port: int) -> socket.socket:
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named: without it each answer
    # waits 40 ms for the acknowledgement of its headers.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise Conflict(
            f"the port {port} cannot be used: {error.strerror}",
            hint="leave out --port, and a free one is taken",
        ) from None
    listening.listen(128)
    return listening


def _tunnel(state: State, port: int) -> str:
    """Return the line of ssh that makes the server reachable from the user's computer."""
    host = socket.gethostname()
    return f"ssh -N -L {port}:127.0.0.1:{port} {state.settings.author}@{host}"


def _tell(state: State, base: str, token: str, tunnel: str) -> None:
    url = f"{base}?token={token}"
    if state.json:
        found: dict[str, Any] = {"url": url, "token": token}
        click.echo(to_json(found | ({"ssh": tunnel} if tunnel else {})))
    else:
        click.echo(url)
    sys.stdout.flush()
    if tunnel:
        state.note(f"on your own computer, before you open it:\n  {tunnel}")
    elif not state.json:
        state.note("Ctrl-C ends it")


def _open_browser(address: str) -> None:
    """Open the browser, if there is one with a window."""
    import webbrowser

    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")
    ):
        return  # one in this terminal would take it away
    try:
        webbrowser.get().open(address)
    except webbrowser.Error:
        return
