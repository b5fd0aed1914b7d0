"""What a clone, a pull or a push did."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Resolved", "SyncReport", "TrackMerge"]


@dataclass(frozen=True, slots=True)
class TrackMerge:
    """A product that both sides changed.

    Attributes
    ----------
    name : str
    ours : int
        The last version that was ours.
    theirs : tuple of int
        The numbers here of versions that came.
    current : int
        The version that is the newest now: the one that was saved last.
    """

    name: str
    ours: int
    theirs: tuple[int, ...]
    current: int

    def __str__(self) -> str:
        came = ", ".join(f"@{number}" for number in self.theirs)
        if not self.theirs:
            return f"{self.name}: ours and theirs are @{self.ours}"
        return f"{self.name}: ours @{self.ours}, theirs became {came}; @{self.current} is current"


@dataclass(frozen=True, slots=True)
class Resolved:
    """Something that both sides changed in different ways, and what it is now.

    Attributes
    ----------
    what : str
        `name`, `removed`, `tag` or `purged`.
    name : str
        Of the product.
    ours, theirs, now : str
        What it was on each side, and what it is.
    """

    what: str
    name: str
    ours: str
    theirs: str
    now: str

    def __str__(self) -> str:
        what = "" if self.what == "removed" else f"{self.what} was "
        return f"{self.name}: {what}{self.ours} here and {self.theirs} there: {self.now}"


@dataclass(slots=True)
class SyncReport:
    """What a clone, a pull or a push did.

    Attributes
    ----------
    source, target : str
        Folders of the pools.
    how : str
        `same` (nothing to do), `ahead` (nothing to do: the target has all of the source),
        `forward` (the source's commits were added as they are), `merged`, or `copied` (a piece).
    commits : int
        Commits of the source that came.
    commit : int
        The last commit of the target.
    versions : int
        Versions that came.
    unchanged : int
        Versions of theirs that the target had equal ones of.
    tracks : list of TrackMerge
        Products that both sides changed.
    resolved : list of Resolved
        Names, tags and removals that both sides changed.
    renamed : list of (str, str)
        Products of theirs whose name was taken, and their names here.
    restored : list of str
        Products that were copied, and had been removed in the target: they are in view again.
    in_place : int
        Products whose content stays in files of the source's user.
    purged : int
        Versions that came without their content, which was given up there.
    damaged : list of str
        Products of which the source has no good copy; they came without it.
    chunks, bytes_copied : int
        Chunks that were copied, and the bytes read for them.
    bytes_added : int
        Growth of the target's packs.
    """

    source: str = ""
    target: str = ""
    how: str = "same"
    commits: int = 0
    commit: int = 0
    versions: int = 0
    unchanged: int = 0
    tracks: list[TrackMerge] = field(default_factory=list)
    resolved: list[Resolved] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    in_place: int = 0
    purged: int = 0
    damaged: list[str] = field(default_factory=list)
    chunks: int = 0
    bytes_copied: int = 0
    bytes_added: int = 0

    @property
    def changed(self) -> bool:
        """Whether the target has changed."""
        return self.how in ("forward", "merged", "copied")
