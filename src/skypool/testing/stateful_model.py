"""The simple model that the state machine compares a pool with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import skypool as sp
from skypool.errors import Purged

__all__ = ["Place", "State", "Track", "children_of", "compare", "places_of", "text_of"]

#: Number of a track, and of one of its versions.
Place = tuple[int, int]


def text_of(value: int) -> bytes:
    """Return the content of a file."""
    return f"value {value}\n".encode() * 100


def children_of(content: tuple[Any, ...]) -> list[int]:
    """Return the tracks that a version refers to."""
    if content[0] == "context":
        return [content[1]]
    return [track for track, _ in content[1:]] if content[0] == "tree" else []


def places_of(content: tuple[Any, ...]) -> list[Place]:
    """Return the versions that a version refers to."""
    if content[0] == "context":
        return [(content[1], content[2])]
    return list(content[1:]) if content[0] == "tree" else []


@dataclass
class Track:
    """One line of versions: their contents, oldest first, and what each version refers to."""

    contents: list[tuple[Any, ...]] = field(default_factory=list)
    name: str | None = None
    removed: str | None = None
    removed_at: int = 0


@dataclass
class State:
    """Everything that a commit holds."""

    tracks: list[Track] = field(default_factory=list)
    tags: set[tuple[str, int, int]] = field(default_factory=set)  # tag, track, version

    def named(self, name: str) -> int | None:
        """Return the track of a live name."""
        return next((n for n, track in enumerate(self.tracks) if track.name == name), None)

    def continued(self, name: str) -> int | None:
        """Return the track that saving under a name continues."""
        live = self.named(name)
        if live is not None:
            return live
        removed = [n for n, track in enumerate(self.tracks) if track.removed == name]
        return max(removed, key=lambda n: self.tracks[n].removed_at, default=None)

    def newest(self) -> set[Place]:
        """Return the newest versions of what is in view."""
        return {
            (number, len(track.contents) - 1)
            for number, track in enumerate(self.tracks)
            if track.name is not None
        }

    def given_up(self, asked: Iterable[Place], gone: set[Place]) -> set[Place]:
        """Return which of some versions may go: others carry a tag, are newest, or needed."""
        kept = {(number, version) for _, number, version in self.tags} | self.newest()
        doomed = set(asked) - kept - gone
        while True:
            needed = {
                place
                for number, track in enumerate(self.tracks)
                for version, content in enumerate(track.contents)
                if (number, version) not in doomed and (number, version) not in gone
                for place in places_of(content)
            }
            if not doomed & needed:
                return doomed
            doomed -= needed


def compare(pool: sp.Pool, state: State, gone: set[Place]) -> None:
    """Compare names, versions, contents and tags with those of the model."""
    found = {ref.name: ref for ref in pool.ls()}
    names = [track.name for track in state.tracks if track.name is not None]
    assert sorted(found) == sorted(names)
    for number, track in enumerate(state.tracks):
        if track.name is None:
            continue
        ref = found[track.name]
        assert ref.version == len(track.contents) - 1
        tags = {t for t, n, v in state.tags if (n, v) == (number, ref.version)}
        assert set(ref.tags) == tags
        for version, content in zip(ref.versions, track.contents, strict=True):
            if (number, version.version) in gone:
                _compare_gone(version)
            else:
                _compare_content(version, content)


def _compare_gone(ref: sp.Ref) -> None:
    assert ref.purged
    try:
        ref.product  # noqa: B018  (reading is what is tried)
    except Purged:
        return
    raise AssertionError(f"{ref!r} was given up, and can be read")


def _compare_content(ref: sp.Ref, content: tuple[Any, ...]) -> None:
    if content[0] == "context":
        child = ref.product.refs["child"]
        assert (child.track, child.version) == (content[1] + 1, content[2])
        return
    if content[0] == "tree":
        for role, place in zip("ef", content[1:], strict=True):
            child = ref.product.refs[role]
            assert (child.track, child.version) == (place[0] + 1, place[1])
        return
    if content[0] == "file":
        assert Path(ref.path).read_bytes() == text_of(content[1])
        return
    shown = content[-1]  # an edit changes the metadata and leaves the data
    assert ref.meta["value"].value == content[1]
    if "edited" not in ref.meta:
        np.testing.assert_array_equal(
            np.asarray(ref.product["x"]), np.full((3, 4 + shown), float(shown))
        )
