"""`serve`: a pool for programs that know protocols of the network, such as WebDAV."""

from __future__ import annotations

import importlib.util
import signal
import sys
import threading
from typing import Any

import click

from skypool.cli.state import State
from skypool.cli.text import to_json
from skypool.cli.verb import verb
from skypool.errors import MissingDependency, NotFound, UsageError

__all__ = ["serve_verb"]

_NEEDED = ("wsgidav", "cheroot")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@verb(
    "serve",
    examples=[
        ("serve --webdav", "for the file explorer of this computer"),
        ("serve --webdav survey --write", "files may be put in, renamed, deleted"),
        ("serve --webdav --host 0.0.0.0", "for other computers, too"),
    ],
)
@click.argument("pool", required=False, metavar="[POOL]")
@click.option("--webdav", is_flag=True, help="By WebDAV, which file explorers know.")
@click.option("--write", is_flag=True, help="Let clients change the pool.")
@click.option(
    "--port", default=0, metavar="N", type=click.IntRange(0, 65535), help="Port; any free one."
)
@click.option(
    "--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen on; this computer."
)
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="A further name that the server has."
)
@click.option(
    "--password-file",
    metavar="FILE",
    help="Take the password from the first line of a file; by default a new one is made.",
)
@click.option("--no-password", is_flag=True, help="Ask for none: all users of this computer.")
def serve_verb(
    state: State,
    pool: str | None,
    webdav: bool,
    write: bool,
    port: int,
    host: str,
    names: tuple[str, ...],
    password_file: str | None,
    no_password: bool,
) -> None:
    """Show a pool as a folder to programs of this computer, or of others.

    It prints the address, the name of the user and the password, and serves until Ctrl-C.
    Nothing can be changed without --write; what is deleted then goes to the trash, and what is
    written over becomes a version.
    """
    if not webdav:
        raise UsageError("say how the pool is served", hint="skypool serve --webdav")
    if no_password and password_file:
        raise UsageError("--no-password and --password-file contradict each other")
    _need_packages()
    if pool is not None:
        state.pools = (pool,)
    opened = state.open(write=write)
    from skypool.files.webdav_server import USER, WebdavServer

    password = "" if no_password else _password(password_file)
    server = WebdavServer(
        opened, host=host, port=port, password=password, write=write, names=names, tell=state.note
    )
    ended = threading.Event()
    before = {each: signal.signal(each, lambda *_: ended.set()) for each in _SIGNALS}
    try:
        serving = threading.Thread(target=server.run, daemon=True)
        serving.start()
        _tell(state, server.url, USER if password else "", "" if password_file else password)
        ended.wait()
        server.close()
        serving.join()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _need_packages() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            f"WebDAV needs {' and '.join(missing)}, which skypool alone does not",
            hint='python -m pip install "skypool[webdav]"',
        )


def _password(path: str | None) -> str:
    if path is None:
        from secrets import token_urlsafe

        return token_urlsafe(18)
    try:
        with open(path, encoding="utf-8") as file:
            password = file.readline().strip("\r\n")
    except OSError as error:
        raise NotFound(
            f"the password cannot be read from {path}: {error.strerror}",
            hint="its first line is the password",
        ) from None
    if not password:
        raise UsageError(f"the first line of {path} is empty", hint="write the password there")
    return password


def _tell(state: State, url: str, user: str, password: str) -> None:
    if state.json:
        facts: dict[str, Any] = {"url": url} | ({"user": user} if user else {})
        click.echo(to_json(facts | ({"password": password} if password else {})))
    else:
        click.echo(url)
    sys.stdout.flush()
    if not state.json:
        if password:
            state.note(f"user {user}, password {password}")
        state.note("Ctrl-C ends it")
