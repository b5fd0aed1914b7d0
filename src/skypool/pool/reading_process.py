"""The process that reads files for another one, which has the pool open: see `reading_ahead`.

It is a plain `python -m`: nothing of the user's program is imported again, as `multiprocessing`
would do it, so that notebooks and scripts without `__main__` work. It ends when the other one does.
"""

from __future__ import annotations

import gc
import logging
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from skypool.pool.reading_files import Record, Steps, records
from skypool.pool.reading_socket import Channel

__all__ = ["Answer", "Job", "Reader", "Said", "main", "serve"]


class Reader(Protocol):
    """How files are read, such as `How`; it is pickled."""

    @property
    def largest(self) -> int:
        """Bytes of the largest file that is read ahead, by a thread."""

    @property
    def most_ahead(self) -> int | None:
        """Bytes of files that threads read at a time; None if nothing of them is kept."""

    @property
    def begin(self) -> Callable[..., Steps]:
        """Read a file, given by what is handed over for each."""


Job: TypeAlias = tuple[Reader, Sequence[tuple[Any, ...]]]
"""How files are read; what is handed over for each."""

Said: TypeAlias = tuple[str, int, str]
"""Logger, level and text of something that was logged."""

Answer: TypeAlias = tuple[list["Record | None"], list[Said]]
"""What was read; None for what has to be read where the pool is."""


class _Listening(logging.Handler):
    """Keeps what is logged, for the process that has handlers for it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Said] = []
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((record.name, record.levelno, self.format(record)))


def serve(channel: Channel) -> None:
    """Do jobs until there are no more."""
    listening = _Listening()
    logging.getLogger().addHandler(listening)
    while True:
        try:
            how, files = pickle.loads(channel.receive())  # noqa: S301 - of our own
            found = records(how.begin, files)
            said, listening.said = listening.said, []
            channel.send(pickle.dumps((found, said), protocol=5))
        except (EOFError, OSError):
            return


def main() -> None:
    """Run as the process that reads."""
    # Ctrl-C is for the user's process, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What reading makes is freed by counting.
    gc.disable()
    with Channel(socket.socket(fileno=int(sys.argv[1]))) as channel:
        serve(channel)


if __name__ == "__main__":
    main()
