"""Damage of every kind to every file of a pool: no answer may be a wrong one."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

import skypool as sp
from skypool.codec.documents import loads
from skypool.config import Settings, from_environment
from skypool.errors import Damaged, SkypoolError
from skypool.pool.reaching import reached
from skypool.testing.rot import DAMAGES, Survey, flipped, is_part, limited, survey

from .made import names_of, small_pool

MASKS = (1, 2, 4, 8, 16, 32, 64, 128, 255)
PARTS = ("pack", "commits.log", "skypool.json", "catalogue.sqlite")
CHANGING = ("names", "history")
GAP_STEP = 64
SECONDS = 900.0  # far above what any of it takes, on a machine with much else to do too


class Subject(NamedTuple):
    """A pool, what it answers, and which versions need which bytes of its packs."""

    path: Path
    versions: list[str]
    sound: Survey
    settings: Settings
    needs: dict[str, list[tuple[int, int]]]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("rot")
    small_pool(folder / "pool", folder / "tree")
    settings = from_environment()
    versions = names_of(folder / "pool")
    sound = survey(folder / "pool", versions, settings)
    assert not sound.errors
    assert len(sound.answers) > 100
    return Subject(folder / "pool", versions, sound, settings, needed(folder / "pool", versions))


def needed(path: Path, versions: list[str]) -> dict[str, list[tuple[int, int]]]:
    """Return the bytes of the only pack that each version needs."""
    found = {}
    with sp.Pool(path, "r") as pool:
        session = pool.view.session
        for name in versions:
            digest = pool[name].row.document
            names = [digest]
            for digests in reached(loads(session.fetch(digest)), session.fetch):
                names += [digests[at : at + 32] for at in range(0, len(digests), 32)]
            places = [place for name in names for place in session.catalogue.places(name)]
            found[name] = [(at.offset, at.offset + at.stored) for at in places]
    return found


def file_of(subject: Subject, part: str) -> Path:
    if part == "pack":
        (found,) = (subject.path / "packs").glob("*.pack")
        return found
    return subject.path / part


def examined(subject: Subject, part: str) -> Survey:
    with limited(SECONDS):
        found = survey(subject.path, subject.versions, subject.settings)
        found.check(subject.sound, less=part.startswith("catalogue"))
        searches = {q: found.answers[q] for q in found.answers if q[0] == "find"}
        if any(not is_part(searches[q], subject.sound.answers[q]) for q in searches):
            # Searchable values have no check sums of their own: verify compares them all.
            with sp.Pool(subject.path, "r") as reading:
                assert not reading.verify().ok
    for error in found.errors.values():
        assert error.message
    return found


def drop_side_files(subject: Subject) -> None:
    for end in ("-wal", "-shm"):
        (subject.path / f"catalogue.sqlite{end}").unlink(missing_ok=True)


def flip_each(subject: Subject, part: str, places: list[int], seed: int) -> Iterator[int]:
    """Flip bytes in turn; the file is as it was at the end."""
    rng = random.Random(seed)
    path = file_of(subject, part)
    data = path.read_bytes()
    try:
        for place in places:
            path.write_bytes(flipped(data, place, rng.choice(MASKS)))
            yield place
            drop_side_files(subject)
    finally:
        drop_side_files(subject)
        path.write_bytes(data)


def check_flips(subject: Subject, part: str, places: list[int], seed: int) -> None:
    for place in flip_each(subject, part, places, seed):
        found = examined(subject, part)
        if part == "pack":
            may = {
                name
                for name, ranges in subject.needs.items()
                if any(start <= place < end for start, end in ranges)
            }
            # Nothing else is hurt; what is, is named by the error.
            assert found.hurt() <= may, place
            for question, error in found.errors.items():
                assert isinstance(error, Damaged)
                assert question[1] in error.message, (place, question, error.message)
                if question[0] == "values":
                    assert f"{question[1]}/{question[2]}" in error.message
                assert error.hint
        elif part == "commits.log":
            assert not found.errors  # nothing that is read is there alone


def bytes_of(subject: Subject, part: str) -> list[int]:
    """Return the places of all bytes of a file; of the catalogue few of those without meaning.

    Nine tenths of a small SQLite file are gaps between what its pages hold.
    """
    path = file_of(subject, part)
    places = range(path.stat().st_size)
    if part != "catalogue.sqlite":
        return list(places)
    gaps = gaps_of(path.read_bytes())
    return [place for place in places if place not in gaps or place % GAP_STEP == 0]


def gaps_of(data: bytes) -> set[int]:
    """Return the bytes between cell pointers and cells (sqlite.org/fileformat2.html, 1.6)."""
    size = int.from_bytes(data[16:18], "big")
    found: set[int] = set()
    for page in range(0, len(data), size):
        header = page + (100 if page == 0 else 0)
        if data[header] not in (2, 5, 10, 13):  # no page of a tree
            continue
        cells = int.from_bytes(data[header + 3 : header + 5], "big")
        start = header + (12 if data[header] in (2, 5) else 8) + 2 * cells
        found.update(range(start, page + int.from_bytes(data[header + 5 : header + 7], "big")))
    return found


def sample(subject: Subject, part: str, count: int) -> list[int]:
    places = bytes_of(subject, part)
    return sorted(random.Random(part).sample(places, min(count, len(places))))


def test_the_gaps_are_most_of_a_small_catalogue(subject: Subject) -> None:
    path = file_of(subject, "catalogue.sqlite")
    with closing(sqlite3.connect(path)) as catalogue:
        (unused,) = catalogue.execute("SELECT sum(unused) FROM dbstat").fetchone()
    drop_side_files(subject)
    gaps = len(gaps_of(path.read_bytes()))
    # What SQLite counts besides are small blocks among the cells that were freed.
    assert 0.8 * unused < gaps <= unused


@pytest.mark.parametrize(
    ("part", "count"),
    [("pack", 150), ("commits.log", 20), ("skypool.json", 200), ("catalogue.sqlite", 200)],
)
def test_flipped_bytes_give_no_wrong_answer(subject: Subject, part: str, count: int) -> None:
    check_flips(subject, part, sample(subject, part, count), seed=1)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("part", PARTS)
def test_each_byte_in_turn_gives_no_wrong_answer(subject: Subject, part: str, seed: int) -> None:
    places = bytes_of(subject, part)
    # The catalogue takes longest: each of its bytes is flipped once, by one of the three.
    check_flips(subject, part, places[seed::3] if part == "catalogue.sqlite" else places, seed)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("part", PARTS)
def test_damaged_files_give_no_wrong_answer(subject: Subject, part: str, how: str) -> None:
    damage_often(subject, part, how, times=3)


@pytest.mark.campaign
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("part", PARTS)
def test_damaged_files_often(subject: Subject, part: str, how: str) -> None:
    damage_often(subject, part, how, times=300)


def damage_often(subject: Subject, part: str, how: str, times: int) -> None:
    rng = random.Random(f"{part} {how}")
    path = file_of(subject, part)
    data = path.read_bytes()
    try:
        for _ in range(times):
            path.write_bytes(DAMAGES[how](data, rng))
            examined(subject, part)
            drop_side_files(subject)
    finally:
        drop_side_files(subject)
        path.write_bytes(data)


@pytest.mark.parametrize("part", [*PARTS, "lock", "README.txt", "packs"])
def test_missing_parts(subject: Subject, part: str, tmp_path: Path) -> None:
    path = subject.path / "packs" if part == "packs" else file_of(subject, part)
    aside = tmp_path / "aside"
    shutil.move(path, aside)
    try:
        found = examined(subject, part)
        assert bool(found.errors) == (part in ("pack", "packs", "skypool.json", "catalogue.sqlite"))
    finally:
        drop_side_files(subject)
        shutil.move(aside, path)


def test_files_of_another_pool_and_of_each_other(subject: Subject, tmp_path: Path) -> None:
    small_pool(tmp_path / "other", tmp_path / "tree")
    with sp.Pool(tmp_path / "other") as pool:
        pool.save(sp.Product(meta={"seed": 5}), name="maps/a")
    other = subject._replace(path=tmp_path / "other")
    for part in PARTS:
        for donor in PARTS:
            path = file_of(subject, part)
            data = path.read_bytes()
            for source in (subject, other):
                if (source, donor) == (subject, part):
                    continue
                path.write_bytes(file_of(source, donor).read_bytes())
                try:
                    if (donor, part) != ("catalogue.sqlite", "catalogue.sqlite"):
                        examined(subject, "catalogue")
                finally:
                    drop_side_files(subject)
                    path.write_bytes(data)


@pytest.mark.parametrize("part", PARTS)
def test_opening_for_writing_recovers_or_says_why(
    subject: Subject, part: str, tmp_path: Path
) -> None:
    """What is written to a damaged pool is there afterwards, or nothing was acknowledged."""
    rng = random.Random(part)
    size = file_of(subject, part).stat().st_size
    for place in rng.sample(range(size), 8):
        copy = subject._replace(path=tmp_path / f"copy{place}" / "pool")
        shutil.copytree(subject.path, copy.path)
        path = file_of(copy, part)
        path.write_bytes(flipped(path.read_bytes(), place, rng.choice(MASKS)))
        with limited(SECONDS):
            saved = None
            try:
                with sp.Pool(copy.path) as pool:
                    saved = pool.save(sp.Product(meta={"seed": 77}), name="new").urn
            except SkypoolError:
                pass
            found = survey(copy.path, copy.versions, copy.settings)
            # The new product is in these.
            known = {q: a for q, a in subject.sound.answers.items() if q[0] not in CHANGING}
            found.check(Survey(known), less=True)
            if saved is not None:
                with sp.Pool(copy.path, "r") as pool:
                    assert pool["new"].urn == saved
                    assert pool["new"].meta["seed"].value == 77
        shutil.rmtree(copy.path)


def test_rows_of_other_tables_are_no_places(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(meta={"a": 1}), name="x")
    with closing(sqlite3.connect(tmp_path / "pool/catalogue.sqlite")) as catalogue, catalogue:
        catalogue.execute("UPDATE packs SET name = 11")
    with sp.Pool(tmp_path / "pool", "r") as pool:
        with pytest.raises(Damaged, match="where a chunk is"):
            _ = pool["x"].meta
        assert not pool.verify().ok


def test_an_end_of_the_log_that_is_no_place(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(meta={"a": 1}), name="x")
    with closing(sqlite3.connect(tmp_path / "pool/catalogue.sqlite")) as catalogue, catalogue:
        catalogue.execute("UPDATE state SET value = 'T' WHERE key = 'log_number'")
    with pytest.raises(Damaged, match="where the log ends"):
        sp.Pool(tmp_path / "pool", "r")
    with sp.Pool(tmp_path / "pool") as pool:  # rebuilt
        assert pool["x"].meta["a"].value == 1
        assert pool.verify().ok
