"""Damaged copies of real files: kept exactly, typed or opaque, never an error."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest
from formats_help import array, content, imported, leaves, manifest, rebuilt, table

KINDS = ("votable", "ecsv", "parquet", "asdf", "hdf5")


def _damaged(rng: random.Random, data: bytes) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place = rng.randrange(max(1, len(made)))
        match rng.randrange(6):
            case 0:
                made[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                del made[place:]
            case 2:
                del made[place : place + rng.randrange(1, 50)]
            case 3:
                made[place:place] = made[place : place + rng.randrange(1, 300)]
            case 4:
                made[place : place + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
            case _:
                made[place : place + 1] = bytes(b ^ 1 << rng.randrange(8) for b in made[place:][:1])
    return bytes(made)


def _check(data: bytes, name: str) -> bool:
    found, sink = imported(data, name)
    assert rebuilt(found.document["file"], sink) == data
    files = content(found.document["file"], sink)
    for _, dataset in leaves(found.document["datasets"]):
        if dataset["is"] == "array":
            assert list(array(dataset, files).shape) == dataset["shape"]
            continue
        source = table(dataset, files)
        for column in source.colnames:
            assert len(source.read(column, 0, source.nrows)) == source.nrows
    return found.reason is None


def _run(kind: str, shared_data: Path, seed: int, rounds: int) -> None:
    files = [path for path in manifest(shared_data, kind) if path.stat().st_size < 60_000]
    rng = random.Random(seed)
    typed = 0
    for _ in range(rounds):
        path = rng.choice(files)
        data = _damaged(rng, path.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            typed += _check(data, path.name)
    assert 0 < typed < rounds  # the damage is neither all harmless nor all fatal


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind: str, shared_data: Path) -> None:
    _run(kind, shared_data, 1, 250)


@pytest.mark.campaign
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files(kind: str, seed: int, shared_data: Path) -> None:
    _run(kind, shared_data, seed + 2, 1500)


def test_a_file_that_crashes_the_hdf5_library(shared_data: Path) -> None:
    """It ended the process that read it, with libhdf5 of h5py 3.16."""
    files = [path for path in manifest(shared_data, "hdf5") if path.stat().st_size < 60_000]
    rng = random.Random(2)
    for _ in range(1408):
        path = rng.choice(files)
        data = _damaged(rng, path.read_bytes())
    _check(data, path.name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_of_a_short_file(kind: str, shared_data: Path) -> None:
    path = min(manifest(shared_data, kind), key=lambda p: p.stat().st_size)
    data = path.read_bytes()
    for length in range(0, len(data), max(1, len(data) // 150)):
        _check(data[:length], path.name)
