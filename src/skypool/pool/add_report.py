"""How files are added, and what that did."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from skypool.pool.following import Following
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.pool.view import View

__all__ = ["AddOptions", "AddReport", "Saved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """How files are added; see `Pool.add`.

    Attributes
    ----------
    partial : bool
        What is added is a part of an observation: what else the pool has of it stays.
    following : Following or None
        The folders are followed: what is not there stays, and what was moved goes on.
    origins : dict
        Of paths that were fetched for this: what the pool is to remember of where from.
    names : dict
        Names of the roots, by their paths, where they are not what the paths say.
    """

    name: str | None = None
    under: str | None = None
    in_place: bool = False
    headers_only: bool = False
    as_version: bool = False
    exclusive: bool = False
    force_read: bool = False
    gzip: str = "exact"
    partial: bool = False
    following: Following | None = None
    origins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def root(self, name: str, path: str = "") -> str:
        """Return the name of a root that would be called *name*."""
        name = self.name if self.name is not None else self.names.get(path, name)
        return f"{self.under.strip('/')}/{name}" if self.under else name


class Saved(Sequence[Ref]):
    """Versions by their numbers: there may be very many, and each is looked up when asked for.

    Parameters
    ----------
    view
        The pool, with them in it.
    numbers
        Theirs.
    """

    def __init__(self, view: View, numbers: Iterable[int]) -> None:
        self._view = view
        self._numbers = array("q", numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Ref: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Ref]: ...
    def __getitem__(self, index: int | slice) -> Ref | Sequence[Ref]:
        if isinstance(index, slice):
            return [self._view.number(number) for number in self._numbers[index]]
        return self._view.number(self._numbers[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:])


@dataclass(slots=True)
class AddReport:
    """What adding did.

    Attributes
    ----------
    commit : int or None
        Number of the commit; None where nothing was new.
    refs : list of Ref
        The roots, in the order given.
    saved : sequence of Ref
        The new versions.
    unchanged : int
        Products that were there already, as they are.
    skipped : list of (path, reason)
        Files that could not be read.
    opaque : list of (name, reason)
        Files kept as bytes though they look like a known format.
    notes : list of (path, text)
        What is odd about an observation: files of another one, files that its descriptor lists
        and that are not there.
    removed : list of str
        Names that a folder no longer has.
    overwritten : list of str
        Older versions, such as `maps/m83@0`, whose content is gone: it was in files that stayed
        where they were and have been written anew.
    bytes_in : int
        Bytes of the files.
    bytes_added : int
        Growth of the packs, overhead included.
    bytes_fetched : int
        Bytes of files that came from the network.
    files_read : int
        Files whose bytes were read; of the others the pool had the content, by their figures.
    """

    commit: int | None = None
    refs: list[Ref] = field(default_factory=list)
    saved: Sequence[Ref] = ()
    unchanged: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    opaque: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    bytes_in: int = 0
    bytes_added: int = 0
    bytes_fetched: int = 0
    files_read: int = 0
