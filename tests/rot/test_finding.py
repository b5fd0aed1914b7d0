"""Verification finds every damaged byte that belongs to the pool."""

from __future__ import annotations

import pytest

import skypool as sp
from skypool.errors import SkypoolError
from skypool.testing.rot import limited, survey

from .test_hunt import SECONDS, Subject, bytes_of, drop_side_files, flip_each, sample, subject

__all__ = ["subject"]  # the fixture


def is_found(subject: Subject, *, quick: bool) -> bool:
    with limited(SECONDS):
        try:
            with sp.Pool(subject.path, "r") as reading:
                return not reading.verify(quick=quick).ok
        except SkypoolError:
            return True
        finally:
            drop_side_files(subject)


def check_found(subject: Subject, part: str, places: list[int], seed: int) -> None:
    for place in flip_each(subject, part, places, seed):
        if part != "catalogue.sqlite":
            assert is_found(subject, quick=True), place
        if not is_found(subject, quick=False):
            # Space of the file that SQLite does not use, or that says nothing.
            assert part == "catalogue.sqlite", place
            found = survey(subject.path, subject.versions, subject.settings)
            assert not found.errors, place
            found.check(subject.sound)


@pytest.mark.parametrize(
    ("part", "count"), [("pack", 60), ("commits.log", 25), ("catalogue.sqlite", 100)]
)
def test_flipped_bytes_are_found(subject: Subject, part: str, count: int) -> None:
    check_found(subject, part, sample(subject, part, count), seed=3)


@pytest.mark.campaign
@pytest.mark.parametrize("part", ["pack", "commits.log", "catalogue.sqlite"])
def test_each_flipped_byte_is_found(subject: Subject, part: str) -> None:
    check_found(subject, part, bytes_of(subject, part), seed=4)
