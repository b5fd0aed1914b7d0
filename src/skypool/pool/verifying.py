"""Verification: every committed byte of the packs, the log, the catalogue and the documents.

Nothing in the pool is changed. What is wrong is told with the products that it hurts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.catalogue.chunks import chunk_key
from skypool.catalogue.collecting import Marks, PlacedRow
from skypool.catalogue.comparing import TermSums
from skypool.catalogue.terms import terms_of, terms_of_attributes
from skypool.codec.digest import Hasher
from skypool.codec.documents import loads
from skypool.errors import Damaged, SkypoolError, SourceChanged
from skypool.pool.checking_catalogue import check_rows
from skypool.pool.checking_log import check_log
from skypool.pool.damage_notes import Range, note
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.reaching import content_of, datasets_of, reached
from skypool.pool.verified import Verified
from skypool.storage.inplace import FileSource, FileState
from skypool.storage.pack_files import list_packs
from skypool.storage.pack_scan import pack_name, scan_pack
from skypool.storage.pack_verify import verify_pack

if TYPE_CHECKING:
    from skypool.catalogue.interface import SourceRow, Term
    from skypool.pool.view import View

__all__ = ["Problem", "Verifier", "VerifyReport"]

_READ = 4 << 20


@dataclass(slots=True)
class Problem:
    """Something that is not as it was.

    Attributes
    ----------
    kind : str
        `pack`, `chunk`, `document`, `log`, `catalogue`, or `source` (a file kept in place).
    what : str
        What is wrong.
    where : str
        File and offset, or name.
    hurt : list of str
        What cannot be read for it: `name@version` or `name@version/dataset`.
    """

    kind: str
    what: str
    where: str
    hurt: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        if self.hurt:
            more = f" and {len(self.hurt) - 5} more" if len(self.hurt) > 5 else ""
            text += f" (hurts {', '.join(self.hurt[:5])}{more})"
        return text


@dataclass(slots=True)
class VerifyReport:
    """What verification found.

    Attributes
    ----------
    ok : bool
        Whether everything is as it was.
    checked : int
        Records of packs and of the log, documents, and files kept in place.
    bytes : int
        Bytes read of packs and of files kept in place.
    problems : list of Problem
    reclaimable : int
        Bytes behind what commits refer to, left by writers that died; `gc` takes them.
    wasted : list of Problem
        Damage that was healed: good copies of all of it are elsewhere, and nothing will use it.
    """

    checked: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    reclaimable: int = 0
    wasted: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is as it was."""
        return not self.problems


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
        self._on_progress = on_progress
        self._verified = Verified(view.session, quick=quick, resume=resume)
        self._bad_ranges: dict[bytes, list[tuple[int, int, Problem]]] = {}
        self._gone: list[bytes] = []
        # Digests of the chunks and documents that are nowhere whole.
        self.lost: set[bytes] = set()
        # Problems of records that could be read but for their payload.
        self._records: set[int] = set()
        # Keys that are nowhere whole, with the problems that tell why.
        self._missing: dict[int, list[Problem]] = {}
        self._unreadable: dict[int, Problem] = {}
        self.report = VerifyReport()

    def run(self) -> VerifyReport:
        """Check everything."""
        try:
            with Marks(self._session.catalogue.database) as marks:
                self._check(marks)
        except Damaged as error:  # what stops here is of the catalogue alone
            self._problem("catalogue", error.message, "catalogue.sqlite")
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
            self._problem("catalogue", text, "catalogue.sqlite")
        check_rows(self._session, self._problem)
        # In this order what commits add meanwhile is looked at as a whole or not at all.
        self.report.checked += check_log(self._session, self._problem)
        head = catalogue.head()
        self._check_packs(marks)
        self._check_documents(marks, head)
        self._check_rows(marks)
        self._find_missing(marks)
        if self._missing or self._unreadable:
            self._name_hurt(marks, head)
        self._set_healed_apart(marks)

    def _problem(self, kind: str, what: str, where: str) -> Problem:
        problem = Problem(kind, what, where)
        self.report.problems.append(problem)
        return problem

    # -- packs

    def _check_packs(self, marks: Marks) -> None:
        ends = marks.ends()
        numbers = marks.packs()
        packs = sorted((entry.path, entry.stat().st_size) for entry in list_packs_of(self._folder))
        total = sum(size for _, size in packs)
        for count, (path, _) in enumerate(packs):
            name = pack_name(path)
            start = self.report.bytes

            def tell(done: int, count: int = count, path: str = path, start: int = start) -> None:
                self.report.bytes += done
                self._tell("verifying", count, len(packs), self.report.bytes, total, path)

            tell(0)
            try:
                self._check_pack(path, ends.get(name, 0), tell)
                self._take_stock(marks, path, numbers.get(name))
            except FileNotFoundError:
                self.report.bytes = start  # gc has rewritten it meanwhile
        self._tell("verifying", len(packs), len(packs), total, total)

    def _check_pack(self, path: str, committed: int, tell: Any) -> None:
        state = os.stat(path)
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
            problem = self._problem("pack", bad.what, f"{short} at {bad.offset}")
            self._bad_ranges.setdefault(pack_name(path), []).append((bad.offset, bad.end, problem))
            if bad.record:
                self._records.add(id(problem))

    def _take_stock(self, marks: Marks, path: str, number: int | None) -> None:
        """Note what the pack holds, and what of it is damaged."""
        if number is None:
            return  # nothing in it was ever committed
        entries = scan_pack(path, self._folder.files, check=False)
        marks.hold(number, ((digest, at.offset, at.member) for digest, at in entries))
        for start, end, _ in self._bad_ranges.get(pack_name(path), ()):
            marks.spoil(number, start, end)

    # -- documents

    def _check_documents(self, marks: Marks, head: int) -> None:
        with contextlib.ExitStack() as stack:
            sums = None
            if not self._quick:
                sums = stack.enter_context(TermSums(self._session.catalogue.database))
            self._check_each_document(marks, head, sums)

    def _check_each_document(self, marks: Marks, head: int, sums: TermSums | None) -> None:
        total = marks.count_documents(head)
        for count, (number, digest) in enumerate(marks.documents(0, head)):
            if count % 256 == 0:
                self._tell("checking documents", count, total)
            self.report.checked += 1
            marks.add(digest)
            document = self._document(number, digest)
            if document is None:
                continue
            if sums is not None and not sums.fits(number, self._terms(digest, document)):
                what = "the catalogue has other searchable values than the document"
                problem = self._problem("catalogue", what, f"document {digest.hex()[:16]}")
                problem.hurt = [f"{name}@{version}" for name, version in marks.holders(number)]
            sources = self._session.catalogue.sources(digest)
            if sources:
                self._check_in_place(marks, number, document, sources)
            else:
                self._reach(marks, document)
        self._tell("checking documents", total, total)

    def _terms(self, digest: bytes, document: Mapping[str, Any]) -> Iterator[Term]:
        yield from terms_of(document)
        database = self._session.catalogue.database
        yield from terms_of_attributes(database, digest, document)

    def _document(self, number: int, digest: bytes) -> Mapping[str, Any] | None:
        try:
            document = loads(self._session.fetch(digest))
            if not isinstance(document, dict) or document.get("skypool") != 1:
                raise Damaged("it is not a product document")
        except Damaged as error:
            where = f"document {digest.hex()[:16]}"
            self._unreadable[number] = self._problem("document", error.message, where)
            self.lost.add(digest)
            return None
        return document

    def _reach(self, marks: Marks, part: Any) -> None:
        try:
            for digests in reached(part, self._session.fetch):
                marks.add(digests)
        except Damaged:
            pass  # a list of chunks, whose own name was marked: it will be missed

    def _check_in_place(
        self,
        marks: Marks,
        number: int,
        document: Mapping[str, Any],
        sources: list[SourceRow],
    ) -> None:
        """Check the user's files; their chunks count as there if one file is as it was."""
        good = 0
        problems = []
        for row in sources:
            try:
                self._check_source(row, document)
                good += 1
            except SkypoolError as error:
                problems.append(self._problem("source", error.message, row.path))
        content = content_of(document)
        parts = {**document, "file": {**document["file"], "segments": []}}
        self._reach(marks, parts)
        if good or self._is_stored(marks, content):
            self._reach(marks, [_lists_only(part) for part in content])
        else:
            for problem in problems:
                problem.hurt = [f"{name}@{version}" for name, version in marks.holders(number)]

    def _is_stored(self, marks: Marks, content: list[Any]) -> bool:
        """Return whether the pool has all chunks of a file itself."""
        try:
            keys = (
                chunk_key(digests[at : at + 32])
                for digests in reached(content, self._session.fetch)
                for at in range(0, len(digests), 32)
            )
            return all(marks.has_row(key) for key in keys)
        except Damaged:
            return False

    def _check_source(self, row: SourceRow, document: Mapping[str, Any]) -> None:
        file = document["file"]
        wrapper = file.get("wrapper") or file
        self.report.checked += 1
        with FileSource(row.path, FileState(row.size, row.mtime_ns), self._folder.files) as source:
            if self._quick:
                return
            hasher = Hasher()
            for offset in range(0, source.size, _READ):
                hasher.update(source.pread(offset, _READ))
                self.report.bytes += min(_READ, source.size - offset)
            if hasher.digest().hex() != wrapper["hash"]:
                raise SourceChanged(f"{row.path} is not as it was, though its size and time are")

    # -- what is missing

    def _check_rows(self, marks: Marks) -> None:
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
            if os.path.exists(os.path.join(self._folder.path, name)):
                what = f"the catalogue has {len(keys)} chunks there that it does not hold"
                problem = self._problem("catalogue", what, name)
            else:
                what = f"the pack is missing, with {len(keys)} chunks"
                self._gone.append(pack)
                problem = self._problem("pack", what, name)
            for key in keys:
                self._missing.setdefault(key, []).append(problem)

    def _why(self, row: PlacedRow) -> Problem | None:
        for start, end, problem in self._bad_ranges.get(row.place.pack, ()):
            if start < row.place.offset + row.place.stored and row.place.offset < end:
                return problem
        return None

    def _is_there(self, row: PlacedRow) -> bool:
        """Look again at a place: it may be younger than the list of what packs hold."""
        path = os.path.join(self._folder.packs, f"{row.place.pack.hex()}.pack")
        try:
            for digest, at in scan_pack(path, start=row.place.offset, use_index=False):
                if at.offset != row.place.offset:
                    break
                if chunk_key(digest) == row.key and at.member == row.place.member:
                    return True
        except FileNotFoundError:
            # gc may have taken it meanwhile, and the row with it.
            places = self._session.catalogue.chunks.places_of_key(row.key)
            return row.place not in places
        return False

    def _find_missing(self, marks: Marks) -> None:
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

    def _name_hurt(self, marks: Marks, head: int) -> None:
        """Go through the documents once more to name what the damage hurts."""
        for number, digest in marks.documents(0, head):
            names = [f"{name}@{version}" for name, version in marks.holders(number)]
            if number in self._unreadable:
                self._blame(chunk_key(digest), names, self._unreadable[number])
                continue
            document = loads(self._session.fetch(digest))
            if chunk_key(digest) in self._missing:  # it was read from memory
                self.lost.add(digest)
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
                        self.lost.add(digests[at : at + 32])
                        yield key
        except Damaged:
            return

    def _blame(self, key: int, names: list[str], also: Problem | None = None) -> None:
        problems = [*self._missing.get(key, ()), *([also] if also else ())]
        if not problems:
            problems = self._missing[key] = [
                self._problem("chunk", "a chunk is in no pack", f"{key & (2**64 - 1):016x}...")
            ]
        for problem in problems:
            problem.hurt.extend(name for name in names if name not in problem.hurt)

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
        return [*self._bad_ranges, *self._gone]

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

    def _tell(
        self, stage: str, items: int, total: int, done: int = 0, size: int = 0, name: str = ""
    ) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(stage, items, total, done, size, name))


def list_packs_of(folder: Any) -> Iterator[os.DirEntry[str]]:
    """Return the packs of a pool; none where their folder is missing."""
    try:
        yield from list_packs(folder.packs)
    except FileNotFoundError:
        return


def _lists_only(segment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a segment without the names of its chunks, but with that of their list."""
    chunks = segment.get("chunks")
    if isinstance(chunks, Mapping):
        return {"type": "", "list": chunks["list"]}
    return {}
