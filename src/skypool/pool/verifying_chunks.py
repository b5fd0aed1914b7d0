"""Chunks that are nowhere whole, and the products that this hurts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.chunks import chunk_key
from skypool.catalogue.collecting import PlacedRow
from skypool.codec.documents import loads
from skypool.errors import Damaged
from skypool.pool.reaching import datasets_of, reached
from skypool.storage.pack_scan import scan_pack

if TYPE_CHECKING:
    from skypool.catalogue.collecting import Marks
    from skypool.pool.session import Session
    from skypool.pool.verify_report import Findings, Problem

__all__ = ["BadRanges", "MissingChunks"]

# Damaged bytes of each pack, from start to end, with the problem told of them.
BadRanges = dict[bytes, list[tuple[int, int, "Problem"]]]


class MissingChunks:
    """What the catalogue and the documents count on, against what packs hold.

    Parameters
    ----------
    session
        The pool.
    findings
        Where problems go.
    bad_ranges
        Damage that was found in packs.

    Attributes
    ----------
    gone : list of bytes
        Packs that are missing.
    """

    def __init__(self, session: Session, findings: Findings, bad_ranges: BadRanges) -> None:
        self._session = session
        self._findings = findings
        self._bad_ranges = bad_ranges
        # Keys that are nowhere whole, with the problems that tell why.
        self._missing: dict[int, list[Problem]] = {}
        self.gone: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._missing)

    def check_rows(self, marks: Marks) -> None:
        """Compare the catalogue's places with what packs hold."""
        wrong: dict[bytes, list[int]] = {}
        for row in marks.misplaced():
            problem = self._why(row)
            if problem is not None:
                self._missing.setdefault(row.key, []).append(problem)
            elif not self._is_there(row):
                wrong.setdefault(row.place.pack, []).append(row.key)
        for pack, keys in wrong.items():
            name = f"packs/{pack.hex()}.pack"
            if os.path.exists(os.path.join(self._session.folder.path, name)):
                what = f"the catalogue has {len(keys)} chunks there that it does not hold"
                problem = self._findings.problem("catalogue", what, name)
            else:
                what = f"the pack is missing, with {len(keys)} chunks"
                self.gone.append(pack)
                problem = self._findings.problem("pack", what, name)
            for key in keys:
                self._missing.setdefault(key, []).append(problem)

    def _why(self, row: PlacedRow) -> Problem | None:
        for start, end, problem in self._bad_ranges.get(row.place.pack, ()):
            if start < row.place.offset + row.place.stored and row.place.offset < end:
                return problem
        return None

    def _is_there(self, row: PlacedRow) -> bool:
        """Look again at a place: it may be younger than the list of what packs hold."""
        path = os.path.join(self._session.folder.packs, f"{row.place.pack.hex()}.pack")
        try:
            for digest, at in scan_pack(path, start=row.place.offset, use_index=False):
                if at.offset != row.place.offset:
                    break
                place = row.place.stored, row.place.member, row.place.length
                if chunk_key(digest) == row.key and (at.stored, at.member, at.length) == place:
                    return True
        except FileNotFoundError:
            # gc may have taken it meanwhile, and the row with it.
            places = self._session.catalogue.chunks.places_of_key(row.key)
            return row.place not in places
        return False

    def find(self, marks: Marks) -> None:
        """Keep of the doubtful chunks those that documents need and that are nowhere whole."""
        doubtful, self._missing = self._missing, {}
        for key in marks.unplaced():
            if not self._is_somewhere(key):
                self._missing[key] = doubtful.get(key, [])

    def _is_somewhere(self, key: int) -> bool:
        for place in self._session.catalogue.chunks.places_of_key(key):
            row = PlacedRow(key, place)
            if self._why(row) is None and self._is_there(row):
                return True
        return False

    def name_hurt(self, marks: Marks, head: int, unreadable: Mapping[int, Problem]) -> None:
        """Go through the documents once more to name what the damage hurts."""
        for number, digest in marks.documents(0, head):
            names = [f"{name}@{version}" for name, version in marks.holders(number)]
            if number in unreadable:
                self._blame(chunk_key(digest), names, unreadable[number])
                continue
            document = loads(self._session.fetch(digest))
            if chunk_key(digest) in self._missing:  # it was read from memory
                self._findings.lost.add(digest)
                self._blame(chunk_key(digest), names)
            named = set()
            for path, parts in datasets_of(document):
                for key in self._lost_of(parts):
                    named.add(key)
                    self._blame(key, [f"{name}/{path}" for name in names])
            for key in self._lost_of(document):
                if key not in named:
                    self._blame(key, names)

    def _lost_of(self, part: Any) -> Iterator[int]:
        try:
            for digests in reached(part, self._session.fetch):
                for at in range(0, len(digests), 32):
                    key = chunk_key(digests[at : at + 32])
                    if key in self._missing:
                        self._findings.lost.add(digests[at : at + 32])
                        yield key
        except Damaged:
            return

    def _blame(self, key: int, names: list[str], also: Problem | None = None) -> None:
        problems = [*self._missing.get(key, ()), *([also] if also else ())]
        if not problems:
            problems = self._missing[key] = [
                self._findings.problem(
                    "chunk", "a chunk is in no pack", f"{key & (2**64 - 1):016x}..."
                )
            ]
        for problem in problems:
            problem.hurt.extend(name for name in names if name not in problem.hurt)
