"""What adding files again shows to be gone: content that was in files written anew since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from skypool.catalogue.kept_files import KeptFiles
from skypool.errors import SkypoolError
from skypool.pool.sources import check_source, is_stored

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.view import View

__all__ = ["gone_again", "overwritten"]


def overwritten(view: View, first: int, last: int) -> list[str]:
    """Return the versions, such as `maps/m83@0`, whose content is gone.

    They are those that new versions follow: their content was in files that stayed where they
    were, no file has it now, and the pool has no copy.

    Parameters
    ----------
    view
        The pool, with the new versions in it.
    first, last
        The numbers of the first and last of the new versions.
    """
    followed = KeptFiles(view.session.catalogue.database).replaced_by(first, last)
    return _names(view, (urn for urn, document in followed if _is_gone(view.session, document)))


def gone_again(view: View, commit: int) -> list[str]:
    """Return the versions, such as `maps/m83@2`, that a commit made, whose content is gone.

    Undoing brings documents of earlier versions back, but not what their files held.
    """
    return _names(
        view,
        (
            row.urn
            for row in view.identity.changes_in_parts(commit)
            if _is_gone(view.session, row.document)
        ),
    )


def _names(view: View, numbers: Iterable[int]) -> list[str]:
    refs = (view.number(number) for number in numbers)
    return [f"{ref.name}@{ref.version}" for ref in refs]


def _is_gone(session: Session, document: bytes) -> bool:
    states = {check_source(each)[0] for each in session.catalogue.sources(document)}
    # A disk that is not there now, or may not be read, proves nothing.
    if "changed" not in states or "fine" in states:
        return False
    try:
        return not is_stored(session, document)
    except SkypoolError:  # what is damaged is told by `verify`; the new versions are saved
        return False
