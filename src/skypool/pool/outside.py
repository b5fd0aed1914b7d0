"""The part of a pool that looks after products whose content stays in the user's own files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skypool.pool.ref import Ref
from skypool.pool.sync.instep import InStep

if TYPE_CHECKING:
    from skypool.pool.progress import OnProgress
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

    def _several(self, refs: Any) -> list[Ref]:
        many = isinstance(refs, Iterable) and not isinstance(refs, str | Ref)
        return [ref for item in (refs if many else [refs]) for ref in self._below(item)]

    def _below(self, ref: Any) -> list[Ref]:
        """Return a product, or all that is named below the first parts of names."""
        if isinstance(ref, str) and ref not in self:
            found: list[Ref] = self.ls(ref.rstrip("/"))
            if found:
                return found
        return [self._ref(ref)]
