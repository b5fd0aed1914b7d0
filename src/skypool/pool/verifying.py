"""Verification: every committed byte of the packs, the log, the catalogue and the documents.

Nothing in the pool is changed. What is wrong is told with the products that it hurts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from skypool.catalogue.collecting import Marks
from skypool.errors import Damaged
from skypool.pool.checking_catalogue import check_rows
from skypool.pool.checking_log import check_log
from skypool.pool.damage_notes import Range, note
from skypool.pool.progress import OnProgress
from skypool.pool.verified import Verified
from skypool.pool.verify_report import Findings, Problem, VerifyReport
from skypool.pool.verifying_chunks import BadRanges, MissingChunks
from skypool.pool.verifying_documents import DocumentCheck
from skypool.storage.looking import status_of
from skypool.storage.pack_files import packs_with_status
from skypool.storage.pack_scan import pack_name, scan_pack
from skypool.storage.pack_verify import verify_pack

if TYPE_CHECKING:
    from skypool.pool.view import View

__all__ = ["Problem", "Verifier", "VerifyReport"]


class Verifier:
    """One verification.

    Parameters
    ----------
    view
        The pool.
    quick
        Check sums only: records are not decoded, files kept in place not read.
    on_progress
        Told how far the work is.
    resume
        Go on where an interrupted verification stopped: packs that it found sound, and that
        did not change since, are not read again.
    """

    def __init__(
        self, view: View, quick: bool, on_progress: OnProgress | None, *, resume: bool = False
    ) -> None:
        self._session = view.session
        self._folder = view.session.folder
        self._quick = quick
        self._findings = Findings(on_progress)
        self.report = self._findings.report
        self._verified = Verified(view.session, quick=quick, resume=resume)
        self._bad_ranges: BadRanges = {}
        # Problems of records that could be read but for their payload.
        self._records: set[int] = set()
        self._documents = DocumentCheck(view.session, self._findings, quick=quick)
        self._chunks = MissingChunks(view.session, self._findings, self._bad_ranges)

    @property
    def lost(self) -> set[bytes]:
        """Digests of the chunks and documents that are nowhere whole."""
        return self._findings.lost

    def run(self) -> VerifyReport:
        """Check everything."""
        try:
            with Marks(self._session.catalogue.database) as marks:
                self._check(marks)
        except Damaged as error:  # what stops here is of the catalogue alone
            self._findings.problem("catalogue", error.message, "catalogue.sqlite")
        except BaseException:
            self._verified.save()
            raise
        self._verified.finish()
        self._tidy()
        self._note_damage()
        return self.report

    def _check(self, marks: Marks) -> None:
        catalogue = self._session.catalogue
        for text in marks.integrity(self._quick):
            self._findings.problem("catalogue", text, "catalogue.sqlite")
        check_rows(self._session, self._findings.problem)
        # In this order what commits add meanwhile is looked at as a whole or not at all.
        self.report.checked += check_log(self._session, self._findings.problem)
        head = catalogue.head()
        self._check_packs(marks)
        self._documents.check(marks, head)
        self._chunks.check_rows(marks)
        self._chunks.find(marks)
        unreadable = self._documents.unreadable
        if self._chunks or unreadable:
            self._chunks.name_hurt(marks, head, unreadable)
        self._set_healed_apart(marks)

    # -- packs

    def _check_packs(self, marks: Marks) -> None:
        ends = marks.ends()
        numbers = marks.packs()
        packs = sorted(
            (entry.path, status.st_size) for entry, status in packs_with_status(self._folder.packs)
        )
        total = sum(size for _, size in packs)
        for count, (path, _) in enumerate(packs):
            name = pack_name(path)
            start = self.report.bytes

            def tell(done: int, count: int = count, path: str = path, start: int = start) -> None:
                self.report.bytes += done
                self._findings.tell("verifying", count, len(packs), self.report.bytes, total, path)

            tell(0)
            try:
                self._check_pack(path, ends.get(name, 0), tell)
                self._take_stock(marks, path, numbers.get(name))
            except FileNotFoundError:
                self.report.bytes = start  # gc has rewritten it meanwhile
        self._findings.tell("verifying", len(packs), len(packs), total, total)

    def _check_pack(self, path: str, committed: int, tell: Any) -> None:
        state = status_of(path)
        if state is None:  # gc has rewritten it meanwhile
            return
        before = self._verified.sound(pack_name(path), state, committed)
        if before is not None:
            self.report.checked += before[0]
            self.report.reclaimable += before[1]
            tell(state.st_size)
            return
        found = verify_pack(
            path,
            not self._quick,
            files=self._folder.files,
            pool=self._folder.id,
            committed_end=committed,
            progress=tell,
        )
        self._verified.note(pack_name(path), state, committed, found)
        self.report.checked += found.records
        self.report.reclaimable += found.reclaimable
        short = f"packs/{os.path.basename(path)}"
        for bad in found.problems:
            problem = self._findings.problem("pack", bad.what, f"{short} at {bad.offset}")
            self._bad_ranges.setdefault(pack_name(path), []).append((bad.offset, bad.end, problem))
            if bad.record:
                self._records.add(id(problem))

    def _take_stock(self, marks: Marks, path: str, number: int | None) -> None:
        """Note what the pack holds, and what of it is damaged."""
        if number is None:
            return  # nothing in it was ever committed
        entries = scan_pack(path, self._folder.files, check=False)
        marks.hold(number, entries)
        for start, end, _ in self._bad_ranges.get(pack_name(path), ()):
            marks.spoil(number, start, end)

    # -- what was found

    def _set_healed_apart(self, marks: Marks) -> None:
        """Tell damage that hurts nothing and is marked so that nothing will use it."""
        numbers = marks.packs()
        for pack, ranges in self._bad_ranges.items():
            for start, end, problem in ranges:
                marked = marks.all_marked(numbers.get(pack, 0), start, end)
                if not problem.hurt and (
                    marked or (marked is None and id(problem) in self._records)
                ):
                    self.report.problems.remove(problem)
                    self.report.wasted.append(problem)

    def damage(self) -> list[Range]:
        """Return the damaged bytes of packs that were not healed."""
        healed = {id(problem) for problem in self.report.wasted}
        return [
            (pack, start, end)
            for pack, ranges in self._bad_ranges.items()
            for start, end, problem in ranges
            if id(problem) not in healed
        ]

    def damaged_packs(self) -> list[bytes]:
        """Return the packs that have damaged bytes, healed or not, and those that are gone."""
        return [*self._bad_ranges, *self._chunks.gone]

    def _note_damage(self) -> None:
        """Remember, outside the pool, what the next writer is to mark."""
        note(self._session, self.damage())

    def _tidy(self) -> None:
        """Tell damage once: a document that other damage explains is no second one."""
        explained = {name for p in self.report.problems if p.kind != "document" for name in p.hurt}
        self.report.problems = [
            p
            for p in self.report.problems
            if p.kind != "document" or not p.hurt or not explained.issuperset(p.hurt)
        ]
