"""A hub of SAMP in a process of its own, started where none runs.

It outlives the command that needed it, as the programs that it connects do, and ends by itself
when none of them is left. The hub is pyvo's.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skypool.errors import MissingDependency, StorageError, Unreachable
from skypool.vo.client import Client, is_hub
from skypool.vo.lockfile import HubPlace, hub_variable, lockfile_path, read_lockfile
from skypool.vo.peers import living

if TYPE_CHECKING:
    from skypool.config import Settings

__all__ = ["find_hub", "main", "start_hub"]

_START_SECONDS = 60.0
_LONELY_SECONDS = 60.0
_NAME = "skypool's SAMP hub"


def find_hub(settings: Settings) -> HubPlace | None:
    """Return where a hub listens; None where none does."""
    place = read_lockfile(lockfile_path(settings))
    return place if is_hub(place) else None


def start_hub(settings: Settings) -> HubPlace:
    """Start a hub where none runs, and return where it listens.

    Raises
    ------
    MissingDependency
        If pyvo is not installed.
    Unreachable
        If it does not start.
    """
    found = find_hub(settings)
    if found is not None:
        return found
    _need_pyvo()
    path = lockfile_path(settings)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "skypool.vo.hub"],
            env=os.environ | {"SAMP_HUB": hub_variable(path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_START_SECONDS,
            check=False,
        )
        problem = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    found = find_hub(settings)
    if found is None:
        raise Unreachable(
            f"no SAMP hub runs, and none could be started: {problem or 'it ended'}",
            hint="start a program that brings one, such as topcat or aladin",
        )
    return found


def _need_pyvo() -> None:
    from importlib.util import find_spec

    try:
        there = find_spec("pyvo.samp") is not None
    except ImportError:
        there = False
    if not there:
        raise MissingDependency(
            "no SAMP hub runs, and pyvo (1.9 or later), which brings one, is not installed",
            hint="pip install 'skypool[vo]', or start topcat or aladin, which bring one too",
        )


# -- the process


def main(args: list[str] | None = None) -> int:
    """Run the hub in the background; return when it can be reached.

    With `--stay` it runs in the foreground.
    """
    from skypool.config import from_environment

    parser = argparse.ArgumentParser(prog="python -m skypool.vo.hub", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="run in the foreground")
    parser.add_argument(
        "--lonely",
        type=float,
        default=_LONELY_SECONDS,
        help="seconds without any program after which it ends",
    )
    options = parser.parse_args(args)
    settings = from_environment()
    path = lockfile_path(settings)
    if options.stay:
        with _alone(path):
            stop = None if find_hub(settings) else _run(path)
        if stop is not None:
            _attend(path, options.lonely, stop)
        return 0
    readable, writable = os.pipe()
    if os.fork():
        os.close(writable)
        with os.fdopen(readable, "rb") as told:
            return 0 if told.read() == b"ready" else 1
    os.close(readable)
    os.setsid()
    with _alone(path):
        stop = None if find_hub(settings) else _run(path)
    os.write(writable, b"ready")
    os.close(writable)
    if stop is not None:
        _silence()
        _attend(path, options.lonely, stop)
    os._exit(0)  # threads that wait for dead programs do not hold it


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Keep others from starting a hub for the same lock file at the same time."""
    try:
        handle = os.open(f"{path}-starting", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"the lock file {path} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _run(path: str) -> threading.Event:
    """Start the hub; return what ends it."""
    os.environ.pop("SAMP_HUB", None)  # pyvo takes an address with quoted characters for a path
    from pyvo.samp import SAMPHubServer, conf

    conf.use_internet = False  # else it asks google.com who it is
    # Pages of the web may not connect: the Product Browser needs none of that.
    hub = SAMPHubServer(addr="127.0.0.1", web_profile=False, lockfile=path, label=_NAME)
    hub.start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def end() -> None:
        stop.wait()
        with contextlib.suppress(OSError):
            os.unlink(path)
        # It waits for programs that are dead.
        helper = threading.Thread(target=hub.stop, daemon=True)
        helper.start()
        helper.join(3.0)
        os._exit(0)

    threading.Thread(target=end, name="end of the hub", daemon=True).start()
    return stop


def _attend(path: str, lonely: float, stop: threading.Event) -> None:
    """Look now and then who is there; end when nobody was for a while."""
    alone = 0.0
    pause = min(5.0, max(lonely / 4, 0.05))
    while not stop.wait(pause):
        place = read_lockfile(path)
        if place is None:  # somebody removed it: nobody can find this hub any more
            break
        try:
            client = Client(place, {"samp.name": _NAME})
        except Unreachable:
            break
        try:
            alone = 0.0 if living(client) else alone + pause
        except Unreachable:
            break
        finally:
            client.close()
        if alone >= lonely:
            break
    stop.set()
    threading.Event().wait(10.0)  # the thread that ends the hub ends the process


def _silence() -> None:
    sink = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(sink, number)
    os.close(sink)


if __name__ == "__main__":
    sys.exit(main())
