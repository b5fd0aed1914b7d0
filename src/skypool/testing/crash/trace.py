"""What was done to a folder, step by step, and what its pool had promised at each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from skypool.testing.crash.model import Model

__all__ = ["Do", "Mark", "Step", "Trace", "Tree"]


class Do(Enum):
    """What a step does."""

    FOLDER = "make a folder"
    CREATE = "create"
    LINK = "link"
    RENAME = "rename"
    UNLINK = "unlink"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    SYNC_FOLDER = "sync a folder"


ENTRIES = frozenset({Do.FOLDER, Do.CREATE, Do.LINK, Do.RENAME, Do.UNLINK})
CONTENT = frozenset({Do.WRITE, Do.TRUNCATE})


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes
    ----------
    do : Do
    path : str
        Relative to the recorded folder; of a rename or link, the old name.
    file : int
        Number of the file (an inode); 0 for folders.
    target : str
        New name of a rename or link.
    offset : int
        Where a write starts; the new size of a truncated file.
    data : bytes
        What is written.
    """

    do: Do
    path: str
    file: int = 0
    target: str = ""
    offset: int = 0
    data: bytes = b""

    @property
    def name(self) -> str:
        """The name whose folder has to be synced to make this durable."""
        return self.target or self.path

    def __str__(self) -> str:
        more = f" to {self.target}" if self.target else ""
        if self.do is Do.WRITE:
            more = f" {len(self.data)} bytes at {self.offset}"
        elif self.do is Do.TRUNCATE:
            more = f" to {self.offset} bytes"
        return f"{self.do.value} {self.path}{more}"


@dataclass(slots=True)
class Tree:
    """Folders and files at one moment.

    Attributes
    ----------
    folders : set of str
        Paths relative to the recorded folder, which is not one of them.
    names : dict
        Number of the file of each path.
    contents : dict
        Bytes by number.
    """

    folders: set[str] = field(default_factory=set)
    names: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the pool may hold after a crash from a step on.

    Attributes
    ----------
    step : int
        Steps that were done when it was made.
    allowed : tuple of Model
        The last acknowledged state, and those of commits under way.
    """

    step: int
    allowed: tuple[Model, ...]


@dataclass(slots=True)
class Trace:
    """A recording.

    Attributes
    ----------
    start : Tree
        What was there before, durable.
    steps : list of Step
    marks : list of Mark
        In the order of their steps.
    shared : list of (int, str, bytes)
        Content of SQLite's `-shm` files after a number of steps; nobody syncs them.
    pins : dict
        Another name, outside the folder, of the file with a number, where one was kept.
    """

    start: Tree = field(default_factory=Tree)
    steps: list[Step] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    shared: list[tuple[int, str, bytes]] = field(default_factory=list)
    pins: dict[int, str] = field(default_factory=dict)
