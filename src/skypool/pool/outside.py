"""The part of a pool that looks after products whose content stays in the user's own files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skypool.errors import UsageError
from skypool.pool.ref import Ref
from skypool.pool.sync.instep import InStep

if TYPE_CHECKING:
    from skypool.pool.absorbing import AbsorbReport
    from skypool.pool.completing import CompleteReport
    from skypool.pool.progress import OnProgress
    from skypool.pool.relocating import RelocateReport
    from skypool.pool.sources import StatusReport

__all__ = ["Outside"]


class Outside(InStep):
    """The part of a pool that looks after files kept in place; see `Pool`."""

    def status(
        self,
        refs: Any = None,
        *,
        full: bool = False,
        every: bool = False,
        progress: OnProgress | None = None,
    ) -> StatusReport:
        """Tell which of the user's files that hold content of the pool are not as they were.

        Parameters
        ----------
        refs
            A product, or several, with all that is below them; None for all of the pool.
        full
            Read the files and compare their digests. Without it, size and time are looked at,
            which is quick, but does not find a change that hides.
        every
            List the files that are fine too.
        progress
            Told how far the work is.
        """
        from skypool.pool.sources import StatusReport, status

        if not self.exists:
            return StatusReport()
        asked = None if refs is None else self._several(refs)
        return status(self.view, asked, full=full, every=every, on_progress=progress)

    def complete(
        self,
        refs: Any = None,
        *,
        threads: int = 0,
        progress: OnProgress | None = None,
    ) -> CompleteReport:
        """Read the files of which only the headers were read when they were added.

        The versions stay what they are, and get digests, statistics and coverage. It may be
        stopped at any moment: what was done stays done, and the next call goes on.

        Parameters
        ----------
        refs
            A product, or several, with all that is below them; None for all of the pool.
        threads
            How many files are read at a time; 0 to choose.
        progress
            Told how far the work is.
        """
        from skypool.pool.completing import CompleteReport, complete

        if not self.exists:
            return CompleteReport()
        view = self._changing()
        asked = None if refs is None else self._several(refs)
        return complete(view, asked, threads=threads, on_progress=progress)

    def relocate(
        self,
        old: str | os.PathLike[str],
        new: str | os.PathLike[str],
        *,
        full: bool = False,
        dry_run: bool = False,
        message: str = "",
        progress: OnProgress | None = None,
    ) -> RelocateReport:
        """Look for files kept in place at another path from now on: their disk was moved.

        A file is followed if the one at the new path has its size and time, or else its digest.
        Others are refused, and listed: they are still looked for at the old path. Files, archives
        and pools there that have dropped content are followed too. Of what a file held before it
        was written anew nothing is at either path: that is not refused.

        Parameters
        ----------
        old, new
            Paths of a folder or file, before and now.
        full
            Read every file and compare its digest, even if size and time are as they were.
        dry_run
            Only tell what would be done.
        message
            What the history says of it.
        progress
            Told how far the work is.

        Raises
        ------
        NotFound
            If nothing at the old path holds content of the pool.
        SourceMissing, SourceChanged
            If none of the files is at the new path.
        """
        from skypool.pool.relocating import relocate

        view = self.view if dry_run else self._changing()
        options: dict[str, Any] = {"full": full, "dry_run": dry_run, "message": message}
        return relocate(view, os.fspath(old), os.fspath(new), on_progress=progress, **options)

    def absorb(self, refs: Any, *, progress: OnProgress | None = None) -> AbsorbReport:
        """Copy the content of products kept in place into the pool; their files may go away then.

        Each file is compared with its digest while it is read, and the copy is durable, before
        the pool stops to count on the file. It may be stopped at any moment; the next call goes on.

        Parameters
        ----------
        refs
            A product, or several, with all that is below them.
        progress
            Told how far the work is.

        Raises
        ------
        SourceMissing, SourceChanged
            If none of the files is as it was.
        """
        from skypool.pool.absorbing import absorb

        view = self._changing()
        return absorb(view, self._several(refs), on_progress=progress)

    def _several(self, refs: Any) -> list[Ref]:
        many = isinstance(refs, Iterable) and not isinstance(refs, str | Ref)
        return [ref for item in (refs if many else [refs]) for ref in self._below(item)]

    def _below(self, ref: Any) -> list[Ref]:
        """Return a product, or all that is named below the first parts of names."""
        if isinstance(ref, str) and not ref.strip("/"):
            raise UsageError(
                f"{ref!r} names no product",
                hint="name products, or the first parts of names; `skypool ls` lists them",
            )
        if isinstance(ref, str) and ref not in self:
            found: list[Ref] = self.ls(ref.rstrip("/"))
            if found:
                return found
        return [self._ref(ref)]
