"""A disk that steps are played to: what is durable, and what a crash may still take back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from skypool.testing.crash.trace import CONTENT, ENTRIES, Do, Step, Trace, Tree

__all__ = ["SECTOR", "Disk", "Grown", "Part", "Sectors", "TornAt", "final_tree"]

SECTOR = 512


@dataclass(frozen=True, slots=True)
class TornAt:
    """Of a write only the first bytes arrived."""

    count: int


@dataclass(frozen=True, slots=True)
class Sectors:
    """Of a write only these sectors of the file arrived."""

    kept: frozenset[int]


@dataclass(frozen=True, slots=True)
class Grown:
    """Of a write only the new length of the file arrived; what is new reads as zeros."""


Part: TypeAlias = TornAt | Sectors | Grown


class Disk:
    """A file system between two crashes.

    Names and contents have a durable state and a list of pending steps. Syncing a file makes
    what was done to its content durable, syncing a folder what was done to the names in it.

    Parameters
    ----------
    trace
        The steps; none of them is played yet.
    """

    def __init__(self, trace: Trace) -> None:
        self._steps = trace.steps
        self.done = 0
        self._folders = set(trace.start.folders)
        self._names = dict(trace.start.names)
        self._contents = dict(trace.start.contents)
        # Numbers of the steps that are pending, in order.
        self._entries: list[int] = []
        self._pending: dict[int, list[int]] = {}
        self._generation: dict[int, int] = {}

    def play(self, until: int) -> None:
        """Play the steps before a number."""
        for number in range(self.done, until):
            self._play(number, self._steps[number])
        self.done = until

    def _play(self, number: int, step: Step) -> None:
        if step.do in ENTRIES:
            self._entries.append(number)
        elif step.do in CONTENT:
            self._pending.setdefault(step.file, []).append(number)
        elif step.do is Do.SYNC:
            steps = self._pending.pop(step.file, [])
            if steps:
                self._contents[step.file] = self.content(step.file, steps, {})
                self._generation[step.file] = number
        else:
            durable = [n for n in self._entries if self._folder(n) == step.path]
            for entry in durable:
                _apply_entry(self._steps[entry], self._folders, self._names)
            self._entries = [n for n in self._entries if self._folder(n) != step.path]

    def _folder(self, number: int) -> str:
        return os.path.dirname(self._steps[number].name)

    # -- what a crash may take back

    def pending_entries(self) -> list[int]:
        """Return the steps on names that are not durable."""
        return list(self._entries)

    def pending_contents(self) -> list[int]:
        """Return the steps on contents that are not durable, of files that have a name."""
        named = set(self._names.values()) | {self._steps[n].file for n in self._entries}
        return sorted(n for file, steps in self._pending.items() if file in named for n in steps)

    def length(self, file: int) -> int:
        """Return the durable length of a file."""
        return len(self._contents.get(file, b""))

    # -- what is left after one

    def names(self, kept: Iterable[int]) -> tuple[set[str], dict[str, int]]:
        """Return folders and names if of the pending steps only some were kept."""
        folders, names = set(self._folders), dict(self._names)
        for number in sorted(kept):
            _apply_entry(self._steps[number], folders, names)
        # What is in a folder whose name was lost is lost with it.
        there = {f for f in folders if all(above in folders for above in _above(f))}
        reached = {
            name: file
            for name, file in names.items()
            if all(above in there for above in _above(name))
        }
        return there, reached

    def content(self, file: int, kept: Iterable[int], parts: Mapping[int, Part]) -> bytes:
        """Return the bytes of a file if of the pending steps only some were kept, or parts.

        Parameters
        ----------
        file
            Its number.
        kept
            Steps, in order; those of other files are passed over.
        parts
            What was kept of some of them.
        """
        data = bytearray(self._contents.get(file, b""))
        for number in kept:
            step = self._steps[number]
            if step.file != file:
                continue
            if step.do is Do.TRUNCATE:
                del data[step.offset :]
                data.extend(bytes(step.offset - len(data)))
            else:
                _apply_write(data, step, parts.get(number))
        return bytes(data)

    def version(self, file: int) -> tuple[int, int]:
        """Return what tells the durable content of a file from all others of it."""
        return file, self._generation.get(file, -1)


def _above(path: str) -> list[str]:
    found = []
    while path := os.path.dirname(path):
        found.append(path)
    return found


def _apply_entry(step: Step, folders: set[str], names: dict[str, int]) -> None:
    if step.do is Do.FOLDER:
        folders.add(step.path)
    elif step.do is Do.CREATE:
        names[step.path] = step.file
    elif step.do is Do.UNLINK:
        # Not the file that took the name afterwards.
        if names.get(step.path) == step.file:
            del names[step.path]
    else:
        if step.do is Do.RENAME and names.get(step.path) == step.file:
            del names[step.path]
        names[step.target] = step.file


def _apply_write(data: bytearray, step: Step, part: Part | None) -> None:
    end = step.offset + len(step.data)
    if isinstance(part, TornAt):
        _put(data, step.offset, step.data[: part.count])
    elif isinstance(part, Sectors):
        for sector in sorted(part.kept):
            start = max(sector * SECTOR, step.offset)
            stop = min((sector + 1) * SECTOR, end)
            _put(data, start, step.data[start - step.offset : stop - step.offset])
    elif isinstance(part, Grown):
        data.extend(bytes(max(0, end - len(data))))
    else:
        _put(data, step.offset, step.data)


def _put(data: bytearray, offset: int, piece: bytes) -> None:
    if piece:
        data.extend(bytes(max(0, offset - len(data))))
        data[offset : offset + len(piece)] = piece


def final_tree(trace: Trace) -> Tree:
    """Return what is there if all steps are done and there is no crash."""
    disk = Disk(trace)
    disk.play(len(trace.steps))
    folders, names = disk.names(disk.pending_entries())
    kept = disk.pending_contents()
    return Tree(folders, names, {file: disk.content(file, kept, {}) for file in names.values()})
