"""The part of `Pool` that keeps pools in step with each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from skypool.pool.folder import is_pool
from skypool.pool.named import locate, missing_pool
from skypool.pool.reading import Reading

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.progress import OnProgress
    from skypool.pool.sync.report import SyncReport

__all__ = ["InStep"]


class InStep(Reading):
    """Clones, pulls and pushes; see `Pool`."""

    def clone(
        self,
        where: str | os.PathLike[str],
        *,
        skip_damaged: bool = False,
        progress: OnProgress | None = None,
    ) -> Pool:
        """Make a pool that has all commits of this one; a clone that was broken off goes on.

        Parameters
        ----------
        where
            Name, path or `file://` URL of the new pool.
        skip_damaged
            Take along what is whole of products that are damaged here.
        progress
            Told how far the work is.

        Returns
        -------
        Pool
            The clone, open.
        """
        from skypool.pool.pool import Pool

        self.clone_report(where, skip_damaged=skip_damaged, progress=progress)
        return Pool(where, settings=self._settings)

    def clone_report(
        self,
        where: str | os.PathLike[str],
        *,
        skip_damaged: bool = False,
        progress: OnProgress | None = None,
    ) -> SyncReport:
        """Make a clone like `clone`, and return what was done."""
        from skypool.pool.pool import Pool
        from skypool.pool.sync.pulling import finish_clone, make_clone
        from skypool.pool.unmaking import taken_back_where_refused

        source = self.view.session
        with taken_back_where_refused(locate(where, self._settings), self._files):
            folder = make_clone(source, where, self._settings, self._files)
            with Pool(folder.path, settings=self._settings, files=self._files) as made:
                report = made.pull(self, skip_damaged=skip_damaged, progress=progress)
        finish_clone(folder)
        return report

    def pull(
        self,
        other: InStep | str | os.PathLike[str] | None = None,
        *,
        unrelated: bool = False,
        skip_damaged: bool = False,
        progress: OnProgress | None = None,
    ) -> SyncReport:
        """Bring in what another pool has and this one lacks (docs/howto/sync.md).

        Parameters
        ----------
        other
            The other pool; by default the one that this was cloned from, or pulled from first.
        unrelated
            Take in all of a pool that this one has no commit in common with.
        skip_damaged
            Take along what is whole of products that are damaged there.
        progress
            Told how far the work is.

        Returns
        -------
        SyncReport
            What came, and what both sides had changed.

        Raises
        ------
        Conflict
            If the pools have no commit in common.
        Damaged
            If the other pool has lost data; the commits before stay.
        """
        from skypool.pool.pool import Pool
        from skypool.pool.sync.pulling import SyncOptions, bring_in_step, remember
        from skypool.pool.sync.remotes import other_side

        target = self._changing().session
        options = SyncOptions(unrelated, skip_damaged, progress)
        if isinstance(other, InStep):
            report = bring_in_step(other.view.session, target, options)
        else:
            place = other_side(target.folder, "pull") if other is None else other
            with Pool(place, mode="r", settings=self._settings, files=self._files) as opened:
                report = bring_in_step(opened.view.session, target, options)
        remember(target.folder, "pull", report.source)
        return report

    def push(
        self,
        other: InStep | str | os.PathLike[str] | None = None,
        *,
        unrelated: bool = False,
        skip_damaged: bool = False,
        progress: OnProgress | None = None,
    ) -> SyncReport:
        """Bring to another pool what this one has and it lacks: its `pull` of this one.

        Parameters
        ----------
        other
            A pool, its name or path; by default where this one was cloned from, or pushed to
            first.
        unrelated
            Whether pools may be joined that have no commit in common.
        skip_damaged
            Whether what is whole of damaged products goes, instead of an error.
        progress
            Told how far the work is.
        """
        from skypool.pool.pool import Pool
        from skypool.pool.sync.pulling import remember
        from skypool.pool.sync.remotes import other_side

        folder = self.view.session.folder
        place = other_side(folder, "push") if other is None else other
        if isinstance(place, InStep):
            report = place.pull(
                self, unrelated=unrelated, skip_damaged=skip_damaged, progress=progress
            )
        else:
            path = locate(place, self._settings)
            if not is_pool(path):
                raise missing_pool(path, self._settings)
            with Pool(path, settings=self._settings, files=self._files) as opened:
                report = opened.pull(
                    self, unrelated=unrelated, skip_damaged=skip_damaged, progress=progress
                )
        if self._session is not None and self._session.writable:
            remember(folder, "push", report.target)
        return report
