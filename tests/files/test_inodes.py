"""The kernel knows files by numbers: one for each content that a path has had."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skypool.files.inodes import ROOT, Inode, Inodes
from skypool.files.staged import StagedFile

FILE, FOLDER = (0o100444, 100, 1), (0o040555, 0, 1)


@pytest.fixture
def inodes() -> Inodes:
    return Inodes(FOLDER)


def folder(inodes: Inodes, name: bytes) -> Inode:
    return inodes.enter(inodes.root, name, "folder", FOLDER)


def test_a_version_keeps_its_number(inodes: Inodes) -> None:
    one = inodes.enter(inodes.root, b"a", "one", FILE)
    assert inodes.enter(inodes.root, b"a", "one", FILE) is one
    two = inodes.enter(inodes.root, b"a", "two", FILE)
    assert two.number != one.number
    assert (one.path(), two.path()) == (None, "a")
    assert inodes[one.number] is one  # until the kernel forgets it
    inodes.forget(one.number, 1)
    assert inodes[one.number] is one
    inodes.forget(one.number, 1)
    with pytest.raises(KeyError):
        inodes[one.number]
    assert inodes.named(inodes.root, b"a") is two


def test_paths_follow_what_is_renamed(inodes: Inodes) -> None:
    above = folder(inodes, b"x")
    below = inodes.enter(above, "ü".encode(), "one", FILE)
    there = inodes.enter(inodes.root, b"y", "folder", FOLDER)
    assert below.path() == "x/ü"
    inodes.renamed(inodes.root, b"x", inodes.root, b"y")
    assert below.path() == "y/ü"
    assert there.path() is None
    inodes.renamed(above, "ü".encode(), inodes.root, b"\xff")
    assert below.path() == "\udcff"
    inodes.removed(inodes.root, b"\xff")
    assert below.path() is None
    inodes.removed(inodes.root, b"nothing")
    inodes.renamed(inodes.root, b"nothing", inodes.root, b"else")


def test_folders_stay_as_long_as_something_in_them_is_known(inodes: Inodes) -> None:
    above = folder(inodes, b"x")
    below = inodes.enter(above, b"a", "one", FILE)
    inodes.forget(above.number, 1)
    assert below.path() == "x/a"
    assert len(inodes) == 3
    inodes.forget(below.number, 1)
    assert len(inodes) == 1
    inodes.forget(ROOT, 100)
    assert inodes[ROOT] is inodes.root


def test_what_is_saved_keeps_the_number_that_it_was_written_under(
    inodes: Inodes, tmp_path: Path
) -> None:
    staged = StagedFile(str(tmp_path / "1"), "a", changed=True)
    inode = inodes.enter(inodes.root, b"a", staged, FILE)
    assert not inode.is_version
    staged.saved = "saved"
    assert inodes.enter(inodes.root, b"a", "saved", FILE) is inode
    assert inode.is_version
    # What another process has saved since is another file.
    inode.token = staged
    assert inodes.enter(inodes.root, b"a", "other", FILE) is not inode
    # What was written to after that is saved no more.
    staged.pwrite(b"x", 0)
    assert staged.saved is None
    staged.remove()


def test_what_was_found_last_is_remembered(inodes: Inodes) -> None:
    entries = [object() for _ in range(1000)]
    found = [
        inodes.enter(inodes.root, str(n).encode(), n, FILE, entry)  # type: ignore[arg-type]
        for n, entry in enumerate(entries)
    ]
    assert inodes.entry_of(found[-1]) is entries[-1]
    assert inodes.entry_of(found[0]) is None


NAMES = [b"a", b"b", b"c"]


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_nothing_is_left_when_all_is_forgotten(seed: int, steps: int) -> None:
    """Whatever happens to names, the kernel's view is kept, and nothing is left in the end."""
    chance = random.Random(seed)
    inodes = Inodes(FOLDER)
    folders = [inodes.root, folder(inodes, b"f"), folder(inodes, b"g")]
    told = {inode.number: 1 for inode in folders[1:]}
    shown: dict[tuple[int, bytes], Inode] = {}

    def enter() -> None:
        above, name = chance.choice(folders), chance.choice(NAMES)
        inode = inodes.enter(above, name, chance.randrange(3), FILE)
        told[inode.number] = told.get(inode.number, 0) + 1
        shown[above.number, name] = inode

    def forget() -> None:
        if told:
            number = chance.choice(list(told))
            times = chance.randint(1, told[number])
            told[number] -= times
            inodes.forget(number, times)
            if not told[number]:
                del told[number]

    def rename() -> None:
        places = [(chance.choice(folders), chance.choice(NAMES)) for _ in range(2)]
        (above, name), (to, new) = places
        inodes.renamed(above, name, to, new)
        inode = shown.pop((above.number, name), None)
        shown.pop((to.number, new), None)
        if inode is not None:
            shown[to.number, new] = inode

    def remove() -> None:
        above, name = chance.choice(folders), chance.choice(NAMES)
        inodes.removed(above, name)
        shown.pop((above.number, name), None)

    for _ in range(steps):
        chance.choice([enter, enter, forget, rename, remove])()
        for number in told:
            assert inodes[number].number == number
        for (above, name), inode in shown.items():
            if inode.number in told:
                place = inodes[above].path() if above in told or above == ROOT else None
                if place is not None:
                    assert inode.path() == "/".join(filter(None, [place, name.decode()]))
    for number, times in told.items():
        inodes.forget(number, times)
    assert len(inodes) == 1
    assert inodes.root.below == 0
