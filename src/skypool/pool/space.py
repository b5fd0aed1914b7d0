"""The part of a pool that tells where its space goes, and gives it back."""

from __future__ import annotations

import warnings
from datetime import date
from typing import TYPE_CHECKING, Any

from skypool.pool.archiving import Archiving
from skypool.pool.room import make_reserve

if TYPE_CHECKING:
    from skypool.pool.giving_up import PurgeReport
    from skypool.pool.maintenance import GcReport
    from skypool.pool.marker import PoolSettings
    from skypool.pool.progress import OnProgress
    from skypool.pool.usage import By, PoolUsage

__all__ = ["Space"]


class Space(Archiving):
    """The part of a pool that tells where its space goes, and gives it back; see `Pool`."""

    @property
    def options(self) -> PoolSettings:
        """What the pool is set to, for all who use it: `max_size`, `shared`, `journal`."""
        from skypool.pool.marker import PoolSettings, read_marker

        return PoolSettings.of(read_marker(self.path)) if self.exists else PoolSettings()

    def configure(
        self,
        *,
        max_size: int | str | None = None,
        shared: bool | str | None = None,
        journal: str | None = None,
    ) -> PoolSettings:
        """Set what holds for all who use the pool; what is not given stays.

        Parameters
        ----------
        max_size
            Bytes that packs, log and catalogue together may take, such as `500GB`; 0 for no limit.
            What would be more is refused before it is written. A limit below what the pool takes
            already holds too: nothing can be added until space is freed, as a `UserWarning` says.
        shared
            Whether the group of its folder may write, whatever the umask of whoever writes.
        journal
            How the catalogue is kept: `wal`, or `delete` for network file systems.

        Raises
        ------
        UsageError
            If one of them is none that there is.
        Locked
            If the journal is to be another, and others have the pool open.
        """
        from skypool.pool.configuring import configure
        from skypool.pool.marker import checked_settings

        old, session = self.options, self._giving_up().session
        limit = old.max_size if max_size is None else max_size
        settings = checked_settings(
            limit if limit not in (0, "0", "none") else None,
            old.shared if shared is None else shared,
            journal or old.journal,
        )
        if settings != old:
            try:
                configure(session, settings)
            finally:
                self._renew()
            if settings.max_size not in (None, old.max_size):
                taken = self.view.session.quota.too_much()
                if taken:
                    warnings.warn(taken, stacklevel=2)
        return settings

    def gc(
        self,
        *,
        dry_run: bool = False,
        grace: float | None = None,
        removed_after: float | None = None,
        waste: float | None = None,
        max_seconds: float | None = None,
        progress: OnProgress | None = None,
    ) -> GcReport:
        """Give back the space of chunks that no version reaches.

        Every version stays, but those of products that were removed 30 days ago or earlier:
        they are given up for good, unless they carry a tag or a version that stays refers to
        them. Reading one raises `Purged`.

        It may be stopped at any moment: what was done so far stays done.

        Parameters
        ----------
        dry_run
            Only tell what would be given back.
        grace
            Seconds for which unreferenced chunks are kept; an hour by default.
        removed_after
            Seconds for which removed products can be restored; 30 days by default,
            `math.inf` for ever.
        waste
            Packs are rewritten where more than this share of them is of no use, a quarter by
            default; with 0 all that can be is given back.
        max_seconds
            No pack is begun later than that; the next run goes on.
        progress
            Told how far the work is.
        """
        from skypool.pool.maintenance import GcOptions, collect

        given = {
            "grace": grace,
            "removed_after": removed_after,
            "waste": waste,
            "max_seconds": max_seconds,
        }
        options = GcOptions(
            dry_run=dry_run, **{key: value for key, value in given.items() if value is not None}
        )
        if dry_run:
            return collect(self.view, options, progress)
        report = self._freeing(lambda view: collect(view, options, progress))
        folder = self.view.session.folder
        make_reserve(folder.files, folder.path, self.view.session.quota.used())
        return report

    def purge(
        self, refs: Any, keep: int = 1, message: str = "", *, dry_run: bool = False
    ) -> PurgeReport:
        """Give up old versions of products for good, in a logged commit; `gc` takes the bytes.

        Versions that carry a tag, and those to which a version that stays refers, stay. Reading
        one that was given up raises `Purged`.

        Parameters
        ----------
        refs
            A product, or several; of a context, what is named below it too.
        keep
            How many of the newest versions of each stay.
        message
            Of the commit.
        dry_run
            Only tell what would be given up.

        Raises
        ------
        UsageError
            If *keep* is not positive.
        """
        from skypool.pool.giving_up import PurgeReport, purge

        if dry_run:
            return purge(self.view, self._several(refs), keep, message, dry_run=True)
        asked, done = list(self._several(refs)), PurgeReport()
        return self._freeing(lambda view: purge(view, asked, keep, message, report=done))

    def forget(
        self, before: int | str | date, message: str = "", *, dry_run: bool = False
    ) -> PurgeReport:
        """Give up what nobody sees who looks at the pool as of a time or later; see `purge`.

        These are versions that were replaced by then, and products that were removed by then.
        `pool.at(before)` and everything newer stay whole.

        Parameters
        ----------
        before
            A commit or a time; a date means its end, UTC.
        message
            Of the commit.
        dry_run
            Only tell what would be given up.

        Raises
        ------
        NotFound
            If there is no such commit, or none before that time.
        """
        from skypool.pool.giving_up import PurgeReport, forget

        if dry_run:
            return forget(self.view, before, message, dry_run=True)
        done = PurgeReport()
        return self._freeing(lambda view: forget(view, before, message, report=done))

    def usage(
        self,
        below: Any = None,
        *,
        by: By = "name",
        depth: int = 1,
        progress: OnProgress | None = None,
    ) -> PoolUsage:
        """Tell what the parts of the pool take: stored bytes that they need, alone and together.

        Parameters
        ----------
        below
            Only a product and what is named below it, or the first parts of names.
        by
            What makes the parts: `"name"` (the first *depth* parts of names), `"kind"`, `"type"`,
            or `"version"`: of a product each version with all that it refers to; without one, what
            is newest, older, and removed.
        depth
            How many parts of names below that.
        progress
            Told how far the work is.

        Raises
        ------
        UsageError
            If these do not go together.
        """
        from skypool.pool.usage import PoolUsage, usage

        if not self.exists:
            return PoolUsage((), 0)
        if isinstance(below, str):
            below = below.rstrip("/")
            if any(True for _ in self.view.identity.names(self.view.at, below)):
                named = self.view.identity.named(below, self.view.at) is not None
                below = self[f"name:{below}"] if named else below
            else:
                below = self[below]
        elif below is not None:
            below = self._ref(below)
        return usage(self.view, by, below, depth, progress)
