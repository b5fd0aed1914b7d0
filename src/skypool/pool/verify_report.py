"""What a verification found, and what is told while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skypool.pool.progress import Progress

if TYPE_CHECKING:
    from skypool.pool.progress import OnProgress

__all__ = ["Findings", "Problem", "VerifyReport"]


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
        Whether everything was read, and is as it was.
    checked : int
        Records of packs and of the log, documents, and files kept in place.
    bytes : int
        Bytes read of packs and of files kept in place.
    problems : list of Problem
    reclaimable : int
        Bytes behind what commits refer to, left by writers that died; `gc` takes them.
    wasted : list of Problem
        Damage that was healed: good copies of all of it are elsewhere, and nothing will use it.
    dropped : int
        Documents whose content is elsewhere, since it was dropped.
    overwritten : list of Problem
        Files in place that hold newer versions, and were added again since: the content of the
        older versions is gone, which is no damage.
    unreadable : list of Problem
        Files in place that this user may not read: of what they hold nothing is known.
    """

    checked: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    reclaimable: int = 0
    wasted: list[Problem] = field(default_factory=list)
    dropped: int = 0
    overwritten: list[Problem] = field(default_factory=list)
    unreadable: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything was read, and is as it was."""
        return not self.problems and not self.unreadable


class Findings:
    """The report of a verification that is under way.

    Parameters
    ----------
    on_progress
        Told how far the work is.

    Attributes
    ----------
    report : VerifyReport
    lost : set of bytes
        Digests of the chunks and documents that are nowhere whole.
    """

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self.report = VerifyReport()
        self.lost: set[bytes] = set()

    def problem(self, kind: str, what: str, where: str) -> Problem:
        """Note that something is wrong; see `Problem`."""
        problem = Problem(kind, what, where)
        self.report.problems.append(problem)
        return problem

    def tell(
        self, stage: str, items: int, total: int, done: int = 0, size: int = 0, name: str = ""
    ) -> None:
        """Tell how far the work is; see `Progress`."""
        if self._on_progress is not None:
            self._on_progress(Progress(stage, items, total, done, size, name))
