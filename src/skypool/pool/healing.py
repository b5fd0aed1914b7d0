"""Repair: what is damaged or missing is taken from other places, checked, and made durable.

The order matters (docs/design/014-rot.md): first the log, from which the catalogue can be made;
then the catalogue; then chunks, document by document as they become readable; at the end packs
that still hold damaged bytes are given up for good copies of all else that they hold.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skypool.catalogue.chunks import BAD, ChunkIndex, chunk_key, place_of
from skypool.catalogue.collecting import PlacedRow
from skypool.catalogue.draft import Draft
from skypool.catalogue.interface import ChunkPlace
from skypool.errors import Damaged, NotFound, SkypoolError, UsageError
from skypool.pool.copying import PoolChunks, copy_chunks
from skypool.pool.damage_notes import Range, missing_packs
from skypool.pool.folder import is_pool
from skypool.pool.mending_log import is_log_damaged, mend_log
from skypool.pool.named import locate
from skypool.pool.progress import OnProgress
from skypool.pool.repacking import Repacker
from skypool.pool.verifying import Verifier, VerifyReport

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.view import View
    from skypool.storage.interface import Writer

__all__ = ["RepairReport", "repair"]

_ROUNDS = 8


@dataclass(slots=True)
class RepairReport:
    """What repair did.

    Attributes
    ----------
    healed : int
        Chunks that were damaged or missing, and are whole now.
    missing : list of str
        Digests of chunks that no source has.
    commits : list of int
        Commits whose records the log had lost.
    rebuilt : bool
        Whether the catalogue was rebuilt.
    packs : int
        Packs that were given up, with the damaged bytes in them.
    verified : VerifyReport
        What verification says afterwards.
    """

    healed: int = 0
    missing: list[str] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    rebuilt: bool = False
    packs: int = 0
    verified: VerifyReport = field(default_factory=VerifyReport)

    @property
    def ok(self) -> bool:
        """Whether everything is whole now."""
        return self.verified.ok


def repair(
    view: View,
    sources: Sequence[str] = (),
    *,
    quick: bool = False,
    on_progress: OnProgress | None = None,
) -> RepairReport:
    """Heal a pool; see `Pool.repair`."""
    return _Repair(view, sources, quick, on_progress).run()


class _Repair:
    def __init__(
        self, view: View, sources: Sequence[str], quick: bool, on_progress: OnProgress | None
    ) -> None:
        self._view = view
        self._session: Session = view.session
        self._quick = quick
        self._on_progress = on_progress
        self._report = RepairReport()
        self._folders: list[str] = []
        self._pools: list[str] = []
        for source in sources:
            place = locate(source, view.session.settings)
            if is_pool(place):
                self._pools.append(place)
            elif os.path.exists(source):
                self._folders.append(source)
            else:
                raise NotFound(f"there is neither a pool nor a file {source!r}")
            if os.path.realpath(place) == os.path.realpath(view.session.folder.path):
                raise UsageError(f"{source!r} is the pool that is to be repaired")

    def run(self) -> RepairReport:
        """Do everything."""
        self._session.store.let_go()
        self._mend_log()
        verifier = self._verify()
        if any(problem.kind == "catalogue" for problem in verifier.report.problems):
            self._rebuild()
            verifier = self._verify()
        before: set[bytes] = set()
        for _ in range(_ROUNDS):
            lost = verifier.lost
            if not lost or lost == before:
                break  # nothing more is to be had
            self._heal(lost)
            # Documents that have become readable tell of more that is missing.
            before, verifier = lost, self._verify()
        if verifier.damaged_packs():
            self._give_up(verifier)
            verifier = self._verify()
        self._report.missing = sorted(digest.hex() for digest in verifier.lost)
        self._report.verified = verifier.report
        return self._report

    def _verify(self) -> Verifier:
        verifier = Verifier(self._view, self._quick, self._on_progress)
        verifier.run()
        self._mark([*verifier.damage(), *missing_packs(self._session)])
        return verifier

    def _mark(self, ranges: list[Range]) -> None:
        if ranges:
            self._session.catalogue.mark_bad(ranges)

    # -- log and catalogue

    def _mend_log(self) -> None:
        if is_log_damaged(self._session):
            own = self._session.folder.id
            logs = []
            for path in self._pools:
                with contextlib.suppress(SkypoolError), _opened(path, self._session) as other:
                    if other.folder.id == own:
                        logs.append(other.folder.log.path)
            with contextlib.suppress(Damaged):  # verification tells of it
                self._report.commits = mend_log(self._session, logs)

    def _rebuild(self) -> None:
        """Rebuild the catalogue, if the log is there to do it from."""
        from skypool.pool.rebuilding import rebuild_catalogue

        with contextlib.suppress(Damaged):  # verification tells of it again
            rebuild_catalogue(self._session, self._on_progress)
            self._report.rebuilt = True

    # -- chunks

    def _heal(self, lost: set[bytes]) -> None:
        """Fetch what was lost from one source after the other."""
        wanted = sorted(lost)
        for path in self._pools:
            if wanted:
                with _opened(path, self._session) as other:
                    wanted = self._copy(other, wanted)
        for folder in self._folders:
            if wanted:
                self._read_again(folder)
                wanted = [digest for digest in wanted if not self._is_good(digest)]
        self._report.healed += len(lost) - len(wanted)

    def _copy(self, other: Session, wanted: list[bytes]) -> list[bytes]:
        with contextlib.closing(self._session.writer(limited=False)) as writer:
            copied = copy_chunks(PoolChunks(other), writer, self._session.store.threads(), wanted)
            self._session.stage(writer, [])
        return copied.missing

    def _read_again(self, folder: str) -> None:
        """Take in the content of files without any commit: what is lacking is written."""
        from skypool.pool.add_report import AddOptions
        from skypool.pool.adding import Adder

        writer: Writer
        with contextlib.closing(self._session.writer(limited=False)) as writer:
            options = AddOptions(force_read=True)
            Adder(self._session, Draft("", ""), writer, options, self._on_progress).add([folder])
            self._session.stage(writer, [])

    def _is_good(self, digest: bytes) -> bool:
        return digest in self._session.catalogue.known([digest])

    # -- packs

    def _give_up(self, verifier: Verifier) -> None:
        """Replace packs that have damaged bytes, unless a chunk is lost there."""
        self._session.store.let_go()
        lost = {chunk_key(digest) for digest in verifier.lost}
        with contextlib.closing(Repacker(self._session)) as repacker:
            for pack in verifier.damaged_packs():
                with contextlib.suppress(Damaged, FileNotFoundError):
                    if self._replace(pack, repacker, lost):
                        self._report.packs += 1

    def _replace(self, pack: bytes, repacker: Repacker, lost: set[int]) -> bool:
        session = self._session
        path = os.path.join(session.folder.packs, f"{pack.hex()}.pack")
        with session.committing(), contextlib.ExitStack() as stack:
            if os.path.exists(path):
                handle = session.folder.files.open_update(path)
                stack.callback(session.folder.files.close, handle)
                if not session.folder.files.lock(handle, exclusive=True):
                    return False
            rows = self._rows(pack)
            if any(bad and row.key in lost for row, bad in rows):
                return False
            moved: dict[PlacedRow, ChunkPlace] = {}
            repacker.copy(path, [row for row, bad in rows if not bad], moved)
            with session.catalogue.database.transaction() as connection:
                ChunkIndex(session.catalogue.database).insert(
                    connection,
                    [(row.key.to_bytes(8, "big", signed=True), at) for row, at in moved.items()],
                )
                connection.execute(
                    "DELETE FROM chunks WHERE pack = (SELECT id FROM packs WHERE name = ?)", (pack,)
                )
                connection.execute("DELETE FROM packs WHERE name = ?", (pack,))
            session.folder.files.unlink(path)
        return True

    def _rows(self, pack: bytes) -> list[tuple[PlacedRow, bool]]:
        found = self._session.catalogue.database.query(
            "SELECT c.key, c.offset, c.stored, c.member, c.length, c.condemned FROM chunks c"
            " WHERE c.pack = (SELECT id FROM packs WHERE name = ?) ORDER BY c.offset, c.member",
            (pack,),
        )
        rows = []
        for key, *place, condemned in found:
            rows.append((PlacedRow(key, place_of((pack, *place))), condemned == BAD))
        return rows


@contextlib.contextmanager
def _opened(path: str, session: Session) -> Iterator[Session]:
    """Open another pool for reading."""
    from skypool.pool.pool import Pool

    with Pool(path, "r", settings=session.settings) as other:
        yield other.view.session
