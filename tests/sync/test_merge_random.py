"""Clones changed at random and pulled in random directions come to the same state."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool.codec.documents import loads
from skypool.errors import NameConflict, NotFound
from skypool.pool.pool import Pool

from .pools import image

campaign = os.environ.get("HYPOTHESIS_PROFILE") == "campaign"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
NAMES = st.sampled_from(["a", "b", "c.fits", "d/e", "d"])
TAGS = st.sampled_from(["good", "bad"])
POOLS = st.integers(0, 2)

OPERATIONS = st.one_of(
    st.tuples(st.just("save"), POOLS, NAMES),
    st.tuples(st.just("file"), POOLS, NAMES, st.integers(0, 1)),
    st.tuples(st.just("context"), POOLS, NAMES, NAMES),
    st.tuples(st.just("rename"), POOLS, NAMES, NAMES),
    st.tuples(st.just("remove"), POOLS, NAMES),
    st.tuples(st.just("restore"), POOLS, NAMES),
    st.tuples(st.just("tag"), POOLS, NAMES, TAGS),
    st.tuples(st.just("untag"), POOLS, NAMES, TAGS),
    st.tuples(st.just("pull"), POOLS, POOLS),
)


class Clones:
    """Three pools, and the seeds of all that was ever saved in them."""

    def __init__(self, folder: Path, skews: tuple[int, int, int]) -> None:
        self.skews = skews
        self.seeds: set[int] = set()
        self.tried = 0
        self.folder = folder
        first = sp.Pool(folder / "p0", mode="x")
        self.pools: list[Pool] = [first]
        self.save(0, "a")
        self.save(0, "d/e")
        self.pools += [first.clone(folder / "p1"), first.clone(folder / "p2")]
        self.conflicts = 0

    @contextlib.contextmanager
    def clock(self, number: int) -> Iterator[None]:
        """Let a pool see its own clock."""
        true = time.time_ns
        time.time_ns = lambda: true() + self.skews[number] * 10**9
        try:
            yield
        finally:
            time.time_ns = true

    def save(self, number: int, name: str, refs: Any = None) -> None:
        seed = self.tried
        self.tried += 1
        made = sp.Product(
            kind="MapContext" if refs else "SimpleImage",
            type="MAP",
            meta={"seed": seed},
            datasets={} if refs else {"image": sp.Array(image(seed, 12))},
            refs=refs or {},
        )
        self.pools[number].save(made, name=name)
        self.seeds.add(seed)

    def do(self, what: str, number: int, *words: Any) -> None:
        pool = self.pools[number]
        with self.clock(number), contextlib.suppress(NotFound, NameConflict):
            if what == "save":
                self.save(number, words[0])
            elif what == "file":
                # The same on all sides: what was added twice is no conflict.
                path = self.folder / f"file{words[1]}"
                path.write_bytes(b"some bytes" * words[1])
                pool.add(path, name=words[0])
            elif what == "context":
                self.save(number, words[0], {"child": pool[f"name:{words[1]}"]})
            elif what == "rename":
                pool.rename(pool[f"name:{words[0]}"], words[1])
            elif what == "remove":
                pool.remove(f"name:{words[0]}")
            elif what == "restore":
                with contextlib.suppress(ValueError):
                    pool.restore(words[0])
            elif what == "tag":
                pool.tag(f"name:{words[0]}", words[1])
            elif what == "untag":
                pool.untag(f"name:{words[0]}", words[1])
            elif number != words[0]:
                self.pull(number, words[0])

    def pull(self, number: int, other: int) -> bool:
        report = self.pools[number].pull(self.pools[other])
        self.conflicts += len(report.renamed)
        return report.changed

    def settle(self) -> None:
        """Pull in a ring until nothing changes."""
        for _ in range(6):
            changed = False
            for number, other in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
                with self.clock(number):
                    changed |= self.pull(number, other)
            if not changed:
                return
        raise AssertionError("the pools go on changing")

    def close(self) -> None:
        for pool in self.pools:
            pool.close()


def content(ref: sp.Ref) -> Any:
    """Return what a version holds, checked to its last bit."""
    if "seed" not in ref.meta:
        assert Path(ref.path).read_bytes() in (b"", b"some bytes")
        return ref.file_hash
    seed = ref.meta["seed"].value
    if ref.kind == "SimpleImage":
        assert np.array_equal(ref.product["image"], image(seed, 12))
    return seed, tuple(content(child) for child in ref.refs.values())


def versions_of(pool: Pool) -> dict[tuple[str, int], Any]:
    """Return what each version of a pool holds, by what it is known as everywhere."""
    found = {}
    for record in pool.view.session.folder.log.records():
        commit = loads(record.payload)
        for version in commit.get("versions", ()):
            made = version.get("origin", {}).get("made")
            digest = record.end.previous.hex()
            key = (made["commit"], made["urn"]) if made else (digest, version["urn"])
            found[key] = content(pool.view.number(version["urn"]))
        for digest, number, urn, _ in commit.get("merged", {}).get("same", ()):
            found[digest, number] = content(pool.view.number(urn))
    return found


def seen(pool: Pool) -> dict[str, Any]:
    """Return what a pool shows: names, what they hold, and all tags."""
    names = {ref.name: content(ref) for ref in pool.ls()}
    tags = {tag: {content(ref) for ref in pool.tagged(tag)} for tag in ("good", "bad")}
    return {"names": names, "tags": tags}


@settings(max_examples=1500 if campaign else 25, deadline=None)
@given(
    st.lists(OPERATIONS, min_size=1, max_size=40 if campaign else 25),
    st.tuples(*[st.sampled_from([0, 0, 100, -3600])] * 3),
)
def test_clones_converge(operations: list[Any], skews: tuple[int, int, int]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="skypool-sync-", dir=MEMORY))
    clones = Clones(folder, skews)
    try:
        for operation in operations:
            clones.do(*operation)
        clones.settle()
        all_versions = [versions_of(pool) for pool in clones.pools]
        assert all_versions[0] == all_versions[1] == all_versions[2]
        saved = {said[0] for said in all_versions[0].values() if isinstance(said, tuple)}
        assert saved == clones.seeds
        # Where one pool has united what another one keeps apart under two names, names differ.
        if not clones.conflicts:
            states = [seen(pool) for pool in clones.pools]
            assert states[0] == states[1] == states[2]
        for pool in clones.pools:
            assert pool.verify(quick=True).ok
    finally:
        clones.close()
        shutil.rmtree(folder)
