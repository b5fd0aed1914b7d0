"""Adding as one commit: fetch what is elsewhere, read, publish, and again if gc was faster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from skypool.catalogue.draft import Draft
from skypool.catalogue.interface import ChunksGone
from skypool.errors import NotFound, StorageError, UsageError
from skypool.pool.add_report import AddOptions, AddReport, Saved
from skypool.pool.addresses import is_url
from skypool.pool.quota import bytes_below
from skypool.pool.remote import Fetched, fetch_all
from skypool.pool.retrying import attempts
from skypool.pool.rows import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from skypool.config import Settings
    from skypool.pool.herschel_archive import Archive
    from skypool.pool.progress import OnProgress
    from skypool.pool.view import View

__all__ = ["put_in"]


def put_in(
    what: Any,
    tags: Sequence[str],
    message: str,
    options: AddOptions,
    *,
    settings: Settings,
    present: Callable[[], View | None],
    changing: Callable[[], View],
    progress: OnProgress | None,
) -> AddReport:
    """Add files, folders, archives and addresses; see `Pool.add`.

    Parameters
    ----------
    what
        What `rows.listed` takes.
    tags, message, options
        As `Pool.add` has them.
    settings
        Of the pool.
    present, changing
        Give the pool: if there is one, and made where there is none.
    progress
        Told how far the work is.
    """
    items = listed(what, lambda: _archive(settings))
    if options.name is not None and len(items) != 1:
        raise UsageError("one name is given for several paths", hint="use a prefix (under=)")
    for item in items:
        if not is_url(item) and not os.path.lexists(item):
            raise NotFound(f"there is no file or folder {item!r}")
    if options.in_place and any(map(is_url, items)):
        raise UsageError("what is fetched cannot stay where it is", hint="leave --in-place out")
    if options.headers_only and not options.in_place:
        raise UsageError(
            "only of files that stay where they are the pixels can wait",
            hint="add them in place as well (--in-place --headers-only)",
        )
    folder = os.path.join(os.fspath(settings.cache), "downloads")
    fetched = fetch_all(items, present, options, folder, progress)
    message = message or f"add {', '.join(items)[:200]}"
    options = replace(options, origins={**options.origins, **fetched.origins})
    view = changing()
    for undisturbed in attempts(view.session):
        draft = Draft(settings.author, message)
        with undisturbed:
            try:
                report = _once(view, draft, fetched, tags, options, progress)
            except ChunksGone:  # chunks that were to be reused were reclaimed
                continue
            except StorageError as error:
                if any(repr(path) in error.message for path in fetched.origins):
                    fetched.forget()  # it is damaged: the next time it is fetched anew
                raise
        fetched.forget()
        report.bytes_fetched = fetched.bytes
        return report
    raise StorageError("chunks were reclaimed again and again while adding", hint="try again")


def _archive(settings: Settings) -> Archive:
    from skypool.pool.herschel_archive import Archive

    return Archive.configured(settings.herschel)


def _once(
    view: View,
    draft: Draft,
    fetched: Fetched,
    tags: Sequence[str],
    options: AddOptions,
    progress: OnProgress | None,
) -> AddReport:
    from skypool.pool.adding import Adder
    from skypool.pool.overwritten import overwritten

    room = view.session.quota.room()
    if room is not None and not options.in_place and bytes_below(fetched.paths) > room:
        _try(view, fetched, options, progress)
    writer = view.session.writer()
    adder = Adder(view.session, draft, writer, options, progress)
    try:
        added = iter(adder.add([path for path in fetched.paths if isinstance(path, str)]))
        roots = [path if isinstance(path, int) else next(added) for path in fetched.paths]
        draft.tags = [(tag, root, True) for root in roots for tag in tags]
        published = adder.finish()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            adder.keep_what_is_read()
        view.session.give_up(writer, error)
        raise
    writer.close()
    report = adder.report
    report.commit = published.commit
    pairs = zip(published.urns, published.new, strict=True)
    saved = [urn for urn, new in pairs if new]
    report.saved = Saved(view, saved)
    if saved:
        report.overwritten = overwritten(view, min(saved), max(saved))
    report.unchanged = sum(not new for new in published.new)
    report.unchanged += sum(isinstance(path, int) for path in fetched.paths)
    report.refs = [view.number(r if r > 0 else published.urns[-1 - r]) for r in roots]
    report.bytes_added = writer.bytes_written
    return report


def _try(view: View, fetched: Fetched, options: AddOptions, progress: OnProgress | None) -> None:
    """Find out how much room it takes, before anything is written.

    Raises
    ------
    QuotaExceeded
        If the pool may not take it.
    """
    from skypool.pool.adding import Adder

    writer = view.session.writer(trial=True)
    try:
        adder = Adder(view.session, Draft("", ""), writer, options, progress)
        adder.add([path for path in fetched.paths if isinstance(path, str)])
        writer.flush()
        view.session.quota.require(writer.bytes_written)
    finally:
        writer.abandon()
