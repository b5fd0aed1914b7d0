"""A state machine that works on a pool and on a simple model, and compares them.

The model is a list of commits; each is a dictionary of what names, versions and tags
there are. Every commit is kept, so that the pool as of any commit is compared too.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import skypool as sp
from skypool.catalogue.invariants import broken
from skypool.errors import NameConflict
from skypool.testing.dying import Died, DyingFiles

__all__ = ["PoolMachine"]

_NAMES = st.sampled_from(["a", "b", "c", "d/e", "d/f", "g.fits", "g.fit"])
_TAGS = st.sampled_from(["good", "bad", "using cal v1"])
_VALUES = st.integers(0, 5)


def _text(value: int) -> bytes:
    return f"value {value}\n".encode() * 100


def _children(content: tuple[Any, ...]) -> list[int]:
    """Return the tracks that a version refers to."""
    if content[0] == "context":
        return [content[1]]
    return [track for track, _ in content[1:]] if content[0] == "tree" else []


@dataclass
class _Track:
    """One line of versions: their contents, oldest first, and what each version refers to."""

    contents: list[tuple[Any, ...]] = field(default_factory=list)
    name: str | None = None
    removed: str | None = None
    removed_at: int = 0


@dataclass
class _State:
    """Everything that a commit holds."""

    tracks: list[_Track] = field(default_factory=list)
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


class PoolMachine(RuleBasedStateMachine):
    """Rules are what users do; the invariants hold after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="skypool-state-"))
        self.where = "pool"
        self.pool = sp.Pool(self.folder / self.where)
        self.state = _State()
        self.commits: list[_State] = []

    def teardown(self) -> None:
        """Remove the pool."""
        self.pool.close()
        shutil.rmtree(self.folder)

    # -- the model

    def _committed(self) -> None:
        self.commits.append(copy.deepcopy(self.state))

    def _product(self, value: int) -> sp.Product:
        data = np.full((3, 4 + value), float(value))
        return sp.Product(type="T", meta={"value": value}, datasets={"x": data})

    def _new_version(self, name: str, content: tuple[Any, ...]) -> tuple[int, int]:
        number = self.state.continued(name)
        if number is None:
            number = len(self.state.tracks)
            self.state.tracks.append(_Track())
        track = self.state.tracks[number]
        track.name, track.removed = name, None
        track.contents.append(content)
        return number, len(track.contents) - 1

    def _live(self) -> list[str]:
        return sorted(track.name for track in self.state.tracks if track.name is not None)

    def _settle(self, name: str, content: tuple[Any, ...], at: int) -> None:
        """Take in a save of which nobody knows whether it was made, once the pool tells."""
        if at > len(self.commits):
            self._new_version(name, content)
            self._committed()

    def _number(self, name: str) -> int:
        number = self.state.named(name)
        assert number is not None
        return number

    def _newest(self, name: str) -> tuple[int, int]:
        number = self._number(name)
        return number, len(self.state.tracks[number].contents) - 1

    # -- rules

    @initialize(value=_VALUES)
    def begin(self, value: int) -> None:
        """Save the first product."""
        self.save("a", value, None)

    @rule(name=_NAMES, value=_VALUES, tag=st.none() | _TAGS)
    def save(self, name: str, value: int, tag: str | None) -> None:
        """Save a product under a name."""
        ref = self.pool.save(self._product(value), name=name, tags=[tag] if tag else [])
        track, version = self._new_version(name, ("leaf", value))
        if tag:
            self.state.tags.add((tag, track, version))
        assert (ref.name, ref.version) == (name, version)
        self._committed()

    @rule(data=st.data(), value=_VALUES)
    def edit(self, data: st.DataObject, value: int) -> None:
        """Change a product that was loaded, and save it where it came from."""
        name = self._draw(data)
        number = self.state.named(name) if name else None
        if name is None or number is None or self.state.tracks[number].contents[-1][0] != "leaf":
            return
        product = self.pool[f"name:{name}"].product.replace(meta={"value": value, "edited": True})
        ref = self.pool.save(product)
        old = self.state.tracks[number].contents[-1][1]
        self._new_version(name, ("leaf", value, old))
        assert ref.name == name
        self._committed()

    @rule(name=_NAMES, data=st.data())
    def save_context(self, name: str, data: st.DataObject) -> None:
        """Save a context that refers to what is there."""
        child = self._draw(data)
        if child is None:
            return
        number = self.state.named(child)
        assert number is not None
        version = len(self.state.tracks[number].contents) - 1
        product = sp.Product(kind="MapContext", refs={"child": self.pool[f"name:{child}"]})
        self.pool.save(product, name=name)
        self._new_version(name, ("context", number, version))
        self._committed()

    @rule(name=_NAMES, value=_VALUES)
    def add_file(self, name: str, value: int) -> None:
        """Add a file; the same content again is no new version."""
        path = self.folder / "a file"
        path.write_bytes(_text(value))
        number = self.state.continued(name)
        content = ("file", value)
        live = number is not None and self.state.tracks[number].name == name
        same = number is not None and self.state.tracks[number].contents[-1] == content
        self.pool.add(path, name=name)
        if live and same:
            return
        if same:
            assert number is not None
            self.state.tracks[number].name, self.state.tracks[number].removed = name, None
        else:
            self._new_version(name, content)
        self._committed()

    @rule(value=_VALUES)
    def save_tree(self, value: int) -> None:
        """Save a context with two products that are new."""
        leaves = {"e": self._product(value), "f": self._product(value + 1)}
        self.pool.save(sp.Product(kind="MapContext", refs=leaves), name="d")
        places = [
            self._new_version(f"d/{role}", ("leaf", value + n)) for n, role in enumerate(leaves)
        ]
        self._new_version("d", ("tree", *places))
        self._committed()

    @rule(value=_VALUES)
    def edit_tree(self, value: int) -> None:
        """Change one product of a tree that was loaded: the other stays as it is."""
        number = self.state.named("d")
        if number is None or self.state.tracks[number].contents[-1][0] != "tree":
            return
        _, first, second = self.state.tracks[number].contents[-1]
        if any(self.state.tracks[n].name is None for n, _ in (first, second)):
            return  # a child that was removed meanwhile is a story of its own
        tree = self.pool["name:d"].product
        child = tree.refs["e"].product
        shown = self.state.tracks[first[0]].contents[first[1]]
        child = child.replace(meta={"value": value, "edited": True})
        self.pool.save(tree.replace(refs={"e": child}))
        track = self.state.tracks[first[0]]
        track.contents.append(("leaf", value, shown[-1]))
        place = first[0], len(track.contents) - 1
        self._new_version("d", ("tree", place, second))
        self._committed()

    @rule(name=_NAMES, value=_VALUES, after=st.integers(0, 12))
    def crash(self, name: str, value: int, after: int) -> None:
        """Die in the middle of a save: it is made, or it is not."""
        self.pool.close()
        self.pool = sp.Pool(self.folder / self.where, files=DyingFiles(after))
        try:
            self.pool.save(self._product(value), name=name)
        except Died:
            pass
        else:
            self._new_version(name, ("leaf", value))
            self._committed()
        self.pool = sp.Pool(self.folder / self.where)
        self._settle(name, ("leaf", value), len(self.pool.history()))

    @rule(data=st.data(), tag=_TAGS)
    def tag(self, data: st.DataObject, tag: str) -> None:
        """Label the newest version of a product."""
        name = self._draw(data)
        if name is None:
            return
        number = self.state.named(name)
        assert number is not None
        entry = (tag, number, len(self.state.tracks[number].contents) - 1)
        self.pool.tag(f"name:{name}", tag)
        if entry not in self.state.tags:
            self.state.tags.add(entry)
            self._committed()

    @precondition(lambda self: self.state.tags)
    @rule(data=st.data())
    def untag(self, data: st.DataObject) -> None:
        """Take a label away."""
        tag, number, version = data.draw(st.sampled_from(sorted(self.state.tags)))
        place = (number + 1, version)
        ref = next(r for r in self.pool.tagged(tag) if (r.track, r.version) == place)
        self.pool.untag(ref, tag)
        self.state.tags.remove((tag, number, version))
        self._committed()

    @rule(data=st.data(), new=_NAMES)
    def rename(self, data: st.DataObject, new: str) -> None:
        """Give a product another name."""
        name = self._draw(data)
        if name is None or name == new:
            return
        moved = {track: new + old[len(name) :] for old, track in self._below(name)}
        taken = any(self.state.named(to) not in (None, *moved) for to in moved.values())
        try:
            self.pool.rename(f"name:{name}", new)
        except NameConflict:
            assert taken
            return
        assert not taken
        for number, to in moved.items():
            self.state.tracks[number].name = to
        self._committed()

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Remove a product from view, with what is below it and no other refers to."""
        name = self._draw(data)
        if name is None:
            return
        own = self._without_others(name)
        report = self.pool.remove(f"name:{name}")
        assert sorted(report) == sorted(own.values())
        for number, old in own.items():
            track = self.state.tracks[number]
            track.name, track.removed, track.removed_at = None, old, len(self.commits)
        self._committed()

    @rule(name=_NAMES)
    def restore(self, name: str) -> None:
        """Bring a removed product back, with what went with it."""
        number = self.state.continued(name)
        if number is None or self.state.tracks[number].removed != name:
            return
        at = self.state.tracks[number].removed_at
        back = {
            n: track.removed
            for n, track in enumerate(self.state.tracks)
            if track.removed is not None
            and track.removed_at == at
            and (n == number or track.removed.startswith(f"{name}/"))
        }
        taken = any(self.state.named(old) is not None for old in back.values())
        try:
            self.pool.restore(name)
        except NameConflict:
            assert taken
            return
        assert not taken
        for n, old in back.items():
            self.state.tracks[n].name, self.state.tracks[n].removed = old, None
        self._committed()

    def _below(self, name: str) -> list[tuple[str, int]]:
        """Return names and tracks of a live product and of all that is named below it."""
        return [
            (track.name, number)
            for number, track in enumerate(self.state.tracks)
            if track.name is not None and (track.name + "/").startswith(name + "/")
        ]

    def _without_others(self, name: str) -> dict[int, str]:
        """Return what goes away with a product: others may refer to the rest."""
        root = self._number(name)
        own = {number: old for old, number in self._below(name)}
        while True:
            kept = [n for n in own if n != root and any(p not in own for p in self._parents(n))]
            if not kept:
                return own
            for number in kept:
                del own[number]

    def _parents(self, child: int) -> list[int]:
        return [
            number
            for number, track in enumerate(self.state.tracks)
            if track.name is not None and child in _children(track.contents[-1])
        ]

    @rule()
    def reopen(self) -> None:
        """Close the pool and open it again."""
        self.pool.close()
        self.pool = sp.Pool(self.folder / self.where)

    @rule()
    def collect(self) -> None:
        """Reclaim space: nothing that can be seen may go."""
        self.pool.gc(grace=0)

    @rule()
    def rebuild(self) -> None:
        """Rebuild the catalogue."""
        self.pool.reindex()

    @rule()
    def lose_the_catalogue(self) -> None:
        """Delete the catalogue; opening the pool makes it again."""
        self.pool.close()
        for path in (self.folder / self.where).glob("catalogue.sqlite*"):
            path.unlink()
        self.pool = sp.Pool(self.folder / self.where)

    @rule()
    def clone(self) -> None:
        """Clone the pool and go on with the clone."""
        old, self.where = self.where, f"{self.where}x"
        clone = self.pool.clone(self.folder / self.where)
        self.pool.close()
        shutil.rmtree(self.folder / old)
        self.pool = clone

    def _draw(self, data: st.DataObject) -> str | None:
        names = self._live()
        return data.draw(st.sampled_from(names)) if names else None

    # -- invariants

    @invariant()
    def same_as_the_model(self) -> None:
        """Names, versions, contents and tags are those of the model."""
        if self.commits:
            self._compare(self.pool, self.state)

    @invariant()
    def old_states_stay(self) -> None:
        """Compare the pool as of an earlier commit with the model then."""
        if len(self.commits) > 1:
            number = 1 + len(self.commits) // 2
            self._compare(self.pool.at(number), self.commits[number - 1])

    @invariant()
    def the_history_is_whole(self) -> None:
        """Look that commits are numbered without a gap."""
        numbers = [commit.number for commit in self.pool.history()]
        assert numbers == list(range(len(self.commits), 0, -1))

    @invariant()
    def nothing_is_broken(self) -> None:
        """Ask what `verify` asks of the catalogue."""
        if self.commits:
            assert list(broken(self.pool.view.session.catalogue.database)) == []

    def _compare(self, pool: sp.Pool, state: _State) -> None:
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
                self._compare_content(version, content)

    @staticmethod
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
            assert Path(ref.path).read_bytes() == _text(content[1])
            return
        shown = content[-1]  # an edit changes the metadata and leaves the data
        assert ref.meta["value"].value == content[1]
        if "edited" not in ref.meta:
            np.testing.assert_array_equal(
                np.asarray(ref.product["x"]), np.full((3, 4 + shown), float(shown))
            )
