"""How garbage is collected, and what that tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

__all__ = ["GRACE", "REMOVED_AFTER", "WASTE", "GcOptions", "GcReport"]

GRACE = 3600.0
REMOVED_AFTER = 30 * 86400.0
WASTE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class GcOptions:
    """How to collect.

    Attributes
    ----------
    dry_run : bool
        Only look.
    grace : float
        Seconds for which a pack is left alone after it was written to.
    removed_after : float
        Seconds for which removed products can be restored; infinite for ever.
    waste : float
        A pack is rewritten where more than this share of it is of no use.
    max_seconds : float
        No pack is begun later than that.
    now : float or None
        The time, seconds since 1970; by default that of the clock.
    """

    dry_run: bool = False
    grace: float = GRACE
    removed_after: float = REMOVED_AFTER
    waste: float = WASTE
    max_seconds: float = math.inf
    now: float | None = None


@dataclass(slots=True)
class GcReport:
    """What garbage collection found, and gave back.

    Attributes
    ----------
    reclaimable : int
        Bytes that could be given back, as found at the start.
    reclaimed : int
        Bytes that were given back; 0 in a dry run.
    chunks : int
        Chunks in those packs that nothing needs.
    packs : int
        Packs removed or rewritten, or to be.
    leftovers : int
        Temporary files of interrupted work.
    documents : int
        Documents of commits that never happened, in the catalogue.
    spread : int
        Bytes of no use that stay: in packs of which a smaller share is of no use.
    busy : int
        Packs left alone because a writer has them.
    young : int
        Packs left alone because they were written to within the grace time.
    damaged : int
        Packs left alone because what is needed of them is damaged.
    purged, purged_bytes : int
        Versions of products removed long ago that were given up, or would be, and the size
        of their products.
    waiting, waiting_bytes : int
        Versions of removed products that can still be restored, and the size of their products.
    due : datetime or None
        When the first of those that wait is given up.
    stopped : bool
        Whether the time was up before all was done: the next run goes on.
    """

    reclaimable: int = 0
    reclaimed: int = 0
    chunks: int = 0
    packs: int = 0
    leftovers: int = 0
    documents: int = 0
    spread: int = 0
    busy: int = 0
    young: int = 0
    damaged: int = 0
    purged: int = 0
    purged_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    due: datetime | None = None
    stopped: bool = False
