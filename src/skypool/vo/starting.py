"""Starting a program, and waiting until it takes messages."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from skypool.errors import NotFound, Unreachable
from skypool.vo.arrival import ready
from skypool.vo.peers import peers
from skypool.vo.programs import IMAGES, TABLES, Program, takes

if TYPE_CHECKING:
    from skypool.vo.client import Client
    from skypool.vo.peers import Peer

__all__ = ["not_running", "start_command", "start_program"]

_LONGEST = 120.0
_PAUSE = 0.2
# Its first words started in the background: it belongs to nobody who ends before it does.
_DETACH = '"$@" </dev/null >"$0" 2>&1 & echo $!'


def start_command(program: Program) -> str:
    """Return the command that starts a program; empty where it is not installed."""
    found = program.command and shutil.which(program.command[0])
    return " ".join(program.command) if found else ""


def not_running(program: Program) -> NotFound:
    """Return the error for a program that does not run."""
    command = start_command(program)
    if command:
        hint = f"start it ({command}), or let skypool start it: --start, start=True"
    else:
        hint = f"start it; if it is not installed: {program.get}"
    return NotFound(f"{program.title} does not run, or is not connected to SAMP", hint=hint)


def start_program(client: Client, program: Program, seconds: float = _LONGEST) -> Peer:
    """Start a program and wait until it takes messages.

    Raises
    ------
    NotFound
        If it is not installed.
    Unreachable
        If it ended, or did not register within the time.
    """
    if not start_command(program):
        raise not_running(program)
    handle, log = tempfile.mkstemp(prefix=f"skypool-{program.key}-", suffix=".log")
    os.close(handle)
    try:
        words = [*program.command, *_options(program)]
        done = subprocess.run(  # noqa: S603 (words of the table above, no shell's text)
            ["/bin/sh", "-c", _DETACH, log, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            check=True,
        )
        return _wait(client, program, int(done.stdout), log, seconds)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(log)


def _wait(client: Client, program: Program, pid: int, log: str, seconds: float) -> Peer:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for peer in peers(client):
            wanted = any(takes(peer.mtypes, mtype) for mtype in (*IMAGES, *TABLES))
            if peer.alive and peer.program is program and wanted and ready(client, peer):
                return peer
        if not _lives(pid):
            raise Unreachable(f"{program.title} ended at once: {_last_words(log)}")
        time.sleep(_PAUSE)
    raise Unreachable(
        f"{program.title} was started, but did not register with SAMP in {seconds:g} s",
        hint="connect it in its menus, and send again",
    )


def _options(program: Program) -> list[str]:
    """Return what Aladin needs without a network: else it waits for its servers for ever."""
    if program.key != "aladin":
        return []
    try:
        socket.create_connection(("aladin.cds.unistra.fr", 443), 2.0).close()
    except OSError:
        return ["-local", "-noreleasetest"]
    return []


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _last_words(log: str) -> str:
    try:
        with open(log, errors="replace") as file:
            text = file.read(1 << 16)
    except OSError:
        text = ""
    return (text.strip().rpartition("\n")[2] or "it said nothing")[:300]
