"""Files that are to be added under a name whose product is of another observation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.batches import in_batches
from skypool.catalogue.commit_changes import ever_named
from skypool.errors import NameConflict
from skypool.pool.observations import contradiction

if TYPE_CHECKING:
    from skypool.catalogue.draft import DraftVersion
    from skypool.catalogue.interface import VersionRow
    from skypool.pool.session import Session

__all__ = ["check_contradictions"]

_BATCH: Final = 500


def check_contradictions(
    session: Session,
    versions: Sequence[DraftVersion],
    numbers: Iterable[int],
    read: Callable[[int], Mapping[str, Any]],
) -> None:
    """Refuse versions that contradict the last ones of their tracks.

    Parameters
    ----------
    session
        The open pool.
    versions
        Of the draft.
    numbers
        The places in the draft of those that are compared.
    read
        Gives their metadata.

    Raises
    ------
    NameConflict
        If obsid, instrument or start time differ.
    """
    for number in _known(session, versions, numbers):
        version = versions[number]
        row = _last(session, version.name)
        # What was given up says nothing any more: its content may be gone.
        if row is None or row.purged or row.document == version.document:
            continue
        old = {entry[0]: entry[1] for entry in session.document(row.document)["meta"]}
        problem = contradiction(old, read(number))
        if problem:
            raise NameConflict(
                f"{version.name!r} in the pool is of another observation than "
                f"the file to be added: {problem}",
                hint="nothing was added; give another name (--name, --under), or say that it "
                "is a version of it (--as-version)",
                path=str((version.origin or {}).get("path", "")),
            )


def _known(
    session: Session, versions: Sequence[DraftVersion], numbers: Iterable[int]
) -> Iterator[int]:
    """Yield the places of those whose names a track has or had."""
    for part in in_batches(numbers, _BATCH):
        names = [name for number in part if (name := versions[number].name)]
        known = ever_named(session.catalogue.database, names)
        yield from (number for number in part if versions[number].name in known)


def _last(session: Session, name: str | None) -> VersionRow | None:
    """Return the last version of a name's track, removed ones included."""
    catalogue = session.catalogue
    at = catalogue.head()
    track = catalogue.named(name, at) if name else None
    if track is None and name:
        track = catalogue.removed(name, at)
    return None if track is None else catalogue.latest(track, at)
