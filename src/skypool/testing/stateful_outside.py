"""The state machine of pools, with files of the user's that stay outside of them.

A file whose headers alone were read has other content, in the model, than the same file read
completely: (`file`, value, number of the folder that it was in then).
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from skypool.errors import NotFound
from skypool.testing.stateful import PoolMachine
from skypool.testing.stateful_model import text_of

__all__ = ["OutsidePoolMachine"]

_NAMES = st.sampled_from(["h", "h/i"])
_VALUES = st.integers(0, 2)


class OutsidePoolMachine(PoolMachine):
    """Rules for files in place, beside all others."""

    def __init__(self) -> None:
        super().__init__()
        self.generation = 0
        self.completed: set[tuple[int, int]] = set()
        # Contents that the pool knows to be in the files.
        self.held: set[tuple[object, ...]] = set()

    def _outside(self) -> Path:
        return self.folder / f"disk{self.generation}"

    def _file(self, value: int) -> Path:
        path = self._outside() / f"{value}.txt"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text_of(value))
            os.utime(path, (1.5e9, 1.5e9))
        return path

    @rule(name=_NAMES, value=_VALUES, headers_only=st.booleans())
    def add_in_place(self, name: str, value: int, headers_only: bool) -> None:
        """Add a file that stays where it is."""
        path = self._file(value)
        content = self._headers(value) if headers_only else ("file", value)
        # Whether a file was seen before depends on how long ago it was written: what follows from
        # that would not be the same each time.
        report = self.pool.add_report(
            path, name=name, in_place=True, headers_only=headers_only, force_read=True
        )
        self.held.add(content)
        # The file is the same wherever it was before it was moved.
        before = {(value, generation) for generation in range(self.generation + 1)}
        changed = not headers_only and self._complete(before)
        number = self.state.continued(name)
        track = None if number is None else self.state.tracks[number]
        same = (
            track is not None
            and track.contents[-1] == content
            and (number, len(track.contents) - 1) not in self.gone
        )
        if track is None or not same:
            self._new_version(name, content)
        elif track.name != name:
            track.name, track.removed = name, None
        elif not changed:
            # Where the content was known, that the file has it may be new.
            if report.commit is not None:
                self._committed()
            return
        self._committed()

    def _headers(self, value: int) -> tuple[object, ...]:
        """Return the content that a file has of which the headers are read.

        That is what the pool knows of it, wherever it was then.
        """
        whole = ("file", value)
        known = (whole, *((*whole, generation) for generation in range(self.generation + 1)))
        for content in known:
            if content in self.held and self._is_live(content):
                return content
        here = (value, self.generation)
        return whole if here in self.completed else ("file", *here)

    def _is_live(self, content: tuple[object, ...]) -> bool:
        return any(
            each == content and (number, version) not in self.gone
            for number, track in enumerate(self.state.tracks)
            for version, each in enumerate(track.contents)
        )

    def _complete(self, asked: set[tuple[int, int]]) -> bool:
        """Note that files were read completely of which only the headers were."""
        unread = {
            content[1:]
            for number, track in enumerate(self.state.tracks)
            for version, content in enumerate(track.contents)
            if content[0] == "file" and len(content) == 3 and (number, version) not in self.gone
        }
        done = unread & asked
        self.completed |= done
        for value, generation in done:
            if ("file", value, generation) in self.held:
                self.held.add(("file", value))
        for state in (self.state, *self.commits):
            for track in state.tracks:
                track.contents = [
                    ("file", content[1])
                    if content[0] == "file" and content[1:] in done
                    else content
                    for content in track.contents
                ]
        return bool(done)

    @rule()
    def complete(self) -> None:
        """Read all files of which only the headers were read."""
        everything = {(v, g) for v in range(3) for g in range(self.generation + 1)}
        report = self.pool.complete()
        assert not report.skipped
        if self._complete(everything):
            assert len(report.commits) == 1
            self._committed()
        assert not self.pool.complete().commits

    @rule()
    def relocate(self) -> None:
        """Move all files to another folder."""
        old = self._outside()
        if not old.exists():
            return
        self.generation += 1
        old.rename(self._outside())
        try:
            report = self.pool.relocate(old, self._outside())
        except NotFound:  # none of them is in the pool, or not any more
            return
        assert not report.refused
        self._committed()

    @rule(name=_NAMES)
    def absorb(self, name: str) -> None:
        """Copy into the pool what a product has outside."""
        number = self.state.named(name)
        if number is None:
            return
        content = self.state.tracks[number].contents[-1]
        report = self.pool.absorb(f"name:{name}")
        if len(content) == 3:
            assert self._complete({content[1:]})
            assert len(report.commits) == 1
        if report.commits:
            self.held -= {content, content[:2]}
            self._committed()

    @invariant()
    def files_are_as_they_were(self) -> None:
        """Look that no file of the user's was touched, and that the pool finds all of them."""
        for path in self._outside().glob("*.txt"):
            assert path.read_bytes() == text_of(int(path.stem))
            assert path.stat().st_mtime == 1.5e9
        assert self.pool.status().ok
