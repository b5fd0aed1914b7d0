"""A state machine that works on a pool and on a simple model, and compares them.

The model is a list of commits; each is a dictionary of what names, versions and tags
there are. Every commit is kept, so that the pool as of any commit is compared too.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

import skypool as sp
from skypool.catalogue.invariants import broken
from skypool.errors import NameConflict, Purged
from skypool.testing.dying import Died, DyingFiles
from skypool.testing.stateful_model import Place, State, Track, children_of, compare, text_of
from skypool.testing.stateful_space import SpaceRules

__all__ = ["PoolMachine"]

_NAMES = st.sampled_from(["a", "b", "c", "d/e", "d/f", "g.fits", "g.fit"])
_TAGS = st.sampled_from(["good", "bad", "using cal v1"])
_VALUES = st.integers(0, 5)


class PoolMachine(SpaceRules):
    """Rules are what users do; the invariants hold after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="skypool-state-"))
        self.where = "pool"
        self.pool = sp.Pool(self.folder / self.where)
        self.state = State()
        self.commits: list[State] = []
        self.gone: set[Place] = set()  # for good, in every commit

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
            self.state.tracks.append(Track())
        track = self.state.tracks[number]
        track.name, track.removed = name, None
        track.contents.append(content)
        return number, len(track.contents) - 1

    def _live(self) -> list[str]:
        return sorted(track.name for track in self.state.tracks if track.name is not None)

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
        path.write_bytes(text_of(value))
        self.pool.add(path, name=name)
        if self._note_file(name, value):
            self._committed()

    @rule(files=st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=3))
    def add_files(self, files: dict[str, int]) -> None:
        """Add files under names of their own, in one commit."""
        names = {}
        for number, (name, value) in enumerate(files.items()):
            path = self.folder / f"file {number}"
            path.write_bytes(text_of(value))
            names[str(path)] = name
        self.pool.add_report(list(names), names=names, as_version=True, force_read=True)
        noted = [self._note_file(name, value) for name, value in files.items()]
        if any(noted):
            self._committed()

    def _note_file(self, name: str, value: int) -> bool:
        """Note a file that was added; return whether something was committed."""
        number = self.state.continued(name)
        content = ("file", value)
        live = number is not None and self.state.tracks[number].name == name
        same = (
            number is not None
            and self.state.tracks[number].contents[-1] == content
            and (number, len(self.state.tracks[number].contents) - 1) not in self.gone
        )
        if live and same:
            return False
        if same:
            assert number is not None
            self.state.tracks[number].name, self.state.tracks[number].removed = name, None
        else:
            self._new_version(name, content)
        return True

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
        """Die in the middle of a save: it is made, or it is not, and then it is made again.

        How far it comes depends on what else the machine does: so that the rest of the steps does
        not, there is one version more in any case.
        """
        self.pool.close()
        self.pool = sp.Pool(self.folder / self.where, files=DyingFiles(after))
        with contextlib.suppress(Died):
            self.pool.save(self._product(value), name=name)
        self.pool = sp.Pool(self.folder / self.where)
        made = len(self.pool.history()) - len(self.commits)
        assert made in (0, 1)
        if not made:
            self.same_as_the_model()
            self.pool.save(self._product(value), name=name)
        self._new_version(name, ("leaf", value))
        self._committed()

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
        if self._is_gone(number):
            try:
                self.pool.restore(name)
            except Purged:
                return
            raise AssertionError(f"{name} was given up, and came back")
        at = self.state.tracks[number].removed_at
        back = {
            n: track.removed
            for n, track in enumerate(self.state.tracks)
            if track.removed is not None
            and track.removed_at == at
            and (n == number or track.removed.startswith(f"{name}/"))
            and not self._is_gone(n)
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
            if track.name is not None and child in children_of(track.contents[-1])
        ]

    @rule(data=st.data(), keep=st.integers(1, 2), dry_run=st.booleans())
    def purge(self, data: st.DataObject, keep: int, dry_run: bool) -> None:
        """Give up old versions of a product and of what is below it."""
        name = self._draw(data)
        if name is None:
            return
        asked = {
            (number, version)
            for _, number in self._below(name)
            for version in self._kept(number)[:-keep]
        }
        report = self.pool.purge(f"name:{name}", keep, dry_run=dry_run)
        self._give_up(self.state.given_up(asked, self.gone), report.versions, dry_run)

    @rule(data=st.data(), dry_run=st.booleans())
    def forget(self, data: st.DataObject, dry_run: bool) -> None:
        """Give up what is not in view from some commit on."""
        before = data.draw(st.integers(1, len(self.commits)))
        seen = {place for state in self.commits[before - 1 :] for place in state.newest()}
        then = self.commits[before - 1]
        asked = {
            (number, version)
            for number, track in enumerate(then.tracks)
            for version in range(len(track.contents))
        } - seen
        report = self.pool.forget(before, dry_run=dry_run)
        self._give_up(self.state.given_up(asked, self.gone), report.versions, dry_run)

    def _give_up(self, gone: set[Place], told: int, dry_run: bool) -> None:
        assert told == len(gone)
        if gone and not dry_run:
            self.gone |= gone
            self._committed()

    def _kept(self, number: int) -> list[int]:
        versions = range(len(self.state.tracks[number].contents))
        return [version for version in versions if (number, version) not in self.gone]

    def _is_gone(self, number: int) -> bool:
        return (number, len(self.state.tracks[number].contents) - 1) in self.gone

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
            compare(self.pool, self.state, self.gone)

    @invariant()
    def old_states_stay(self) -> None:
        """Compare the pool as of an earlier commit with the model then."""
        if len(self.commits) > 1:
            number = 1 + len(self.commits) // 2
            compare(self.pool.at(number), self.commits[number - 1], self.gone)

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
