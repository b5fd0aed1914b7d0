"""What workers were about to do and what they were told was done, outside of the pool.

A line is one write to a file opened for appending: when the process is killed, the kernel has
either all of it or nothing. (It would take a crash of the machine to lose a line, and then the
pool's own durability is another question.)
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Journal", "Operation", "read_journals"]


@dataclass(slots=True)
class Operation:
    """One thing that a worker did.

    Attributes
    ----------
    worker, token, what : str
        Who, its own text (the message of its commit, and the start of the tokens of what it
        saved), and the sort of work.
    intent : mapping
        What was to be done.
    outcome : str
        `done`; `refused` with a typed error; `failed`; empty where it was killed.
    result : mapping
        What was told: the number of its commit, its versions, its error.
    begun, ended : float
        By the monotonic clock of the machine.
    """

    worker: str
    token: str
    what: str
    intent: dict[str, Any]
    begun: float
    outcome: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    ended: float = 0.0


class Journal:
    """The journal of one worker.

    Parameters
    ----------
    folder
        Where journals are kept.
    worker
        Its name.
    """

    def __init__(self, folder: str | os.PathLike[str], worker: str) -> None:
        self.worker = worker
        self._count = 0
        self._fd = os.open(
            os.path.join(folder, f"{worker}.journal"), os.O_WRONLY | os.O_CREAT | os.O_APPEND
        )

    def begin(self, what: str, **intent: Any) -> str:
        """Note what is to be done, and return its token."""
        self._count += 1
        token = f"{self.worker}.{self._count}"
        self._write({"token": token, "what": what, "intent": intent})
        return token

    def end(self, token: str, outcome: str, **result: Any) -> None:
        """Note how it ended."""
        self._write({"token": token, "outcome": outcome, "result": result})

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._fd, json.dumps(line | {"at": time.monotonic()}).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        yield json.loads(line)


def read_journals(folder: str | os.PathLike[str], worker: str = "*") -> list[Operation]:
    """Return all operations of all workers, or of one, in the order of their start."""
    found: dict[str, Operation] = {}
    for path in sorted(Path(folder).glob(f"{worker}.journal")):
        for line in _lines(path):
            token = line["token"]
            if "what" in line:
                found[token] = Operation(path.stem, token, line["what"], line["intent"], line["at"])
            else:
                operation = found[token]
                operation.outcome, operation.result = line["outcome"], line["result"]
                operation.ended = line["at"]
    return sorted(found.values(), key=lambda operation: operation.begun)
