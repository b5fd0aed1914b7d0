"""Many changes in one commit: all or nothing."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from skypool.catalogue.draft import (
    Draft,
    Expectation,
    Published,
    Purge,
)
from skypool.catalogue.interface import ChunksGone
from skypool.errors import NotFound, StorageError, UsageError
from skypool.model.product import Product
from skypool.pool.pending import Pending, Save, Storing, number_of
from skypool.pool.ref import Ref, seen
from skypool.pool.resolve import check_name, check_tag
from skypool.pool.retrying import attempts

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.view import View

__all__ = ["Pending", "RemoveReport", "Transaction"]

# Products of one commit that wait in memory for its end: so many, or of so many bytes. Up to
# this size a commit can be written once more where chunks that it reuses were reclaimed; a
# larger one is stored as it comes.
_WAITING = 500
_WAITING_BYTES = 128 * 1024**2
# Products that are stored together in such a larger one: so many, or of so many bytes.
_TOGETHER = 100
_TOGETHER_BYTES = 16 * 1024**2


class RemoveReport(Sequence[str]):
    """Names that were removed; those of children that others refer to are in `spared`."""

    def __init__(self, removed: Iterable[str], spared: Iterable[str]) -> None:
        self.removed = tuple(removed)
        self.spared = tuple(spared)

    def __len__(self) -> int:
        return len(self.removed)

    def __getitem__(self, index: Any) -> Any:
        """Return a removed name."""
        return self.removed[index]

    def __repr__(self) -> str:
        spared = f", spared (others refer to them): {', '.join(self.spared)}" if self.spared else ""
        return f"<removed: {', '.join(self.removed)}{spared}>"


class Transaction:
    """Collects changes; they are made, durably and at once, at the end of a `with` block.

    An exception in the block undoes all of it: nothing is committed.
    """

    def __init__(
        self, view: Callable[[], View], message: str, author: str, *, exclusive: bool = False
    ) -> None:
        self._make_view = view
        self._exclusive = exclusive
        self._draft = Draft(author, message)
        self._saves: list[Save] = []
        self._waiting_bytes = 0
        self._storing: Storing | None = None
        self._failed = False
        self._tags: list[tuple[Any, str, bool]] = []
        self.published: Published | None = None

    @cached_property
    def _view(self) -> View:
        # The pool is created when something is really to be changed.
        return self._make_view()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self._undo()

    # -- changes

    def save(self, product: Product, name: str | None = None, tags: Iterable[str] = ()) -> Pending:
        """Save a product; see `Pool.save`."""
        if not isinstance(product, Product):
            raise UsageError(
                f"a {type(product).__name__} is no product",
                hint="wrap data: sp.Product(datasets={'image': data})",
            )
        if name is not None:
            check_name(name)
        pending = Pending(product, name)
        self._saves.append(Save(pending, name, tuple(check_tag(tag) for tag in _texts(tags))))
        self._waiting_bytes += sum(map(_bytes_in_memory, product.datasets.values()))
        if self._storing is not None:
            many, large = _TOGETHER, self._waiting_bytes > _TOGETHER_BYTES
        else:
            many, large = _WAITING, len(self._saves) > 1 and self._waiting_bytes > _WAITING_BYTES
        if large or len(self._saves) >= many:
            self._store_now()
        return pending

    def tag(self, target: Any, *tags: str) -> None:
        """Label a version.

        Parameters
        ----------
        target
            A ref, or what `save` of this commit returned.
        *tags
            The labels.
        """
        self._expect(target)
        for tag in tags:
            self._tags.append((target, check_tag(tag), True))

    def move_tags(self, target: Any, *tags: str) -> None:
        """Label a version, and take the labels away from all others that carry them.

        Parameters
        ----------
        target
            A ref, or what `save` of this commit returned.
        *tags
            The labels.
        """
        self.tag(target, *tags)
        self._plan(partial(self._take_away, frozenset(tags)))

    def untag(self, target: Any, *tags: str) -> None:
        """Take labels away from a version.

        Parameters
        ----------
        target
            A ref, or what `save` of this commit returned.
        *tags
            The labels.

        Raises
        ------
        NotFound
            If the version does not carry one of them.
        """
        self._expect(target)
        for tag in tags:
            if isinstance(target, Ref) and tag not in target.tags:
                raise NotFound(
                    f"{target.name}@{target.version} has no tag {tag!r}",
                    candidates=target.tags,
                    hint="" if target.tags else "it has none: `skypool show` tells the tags",
                )
            self._tags.append((target, tag, False))

    def rename(self, ref: Ref, name: str) -> None:
        """Give a product, and all that is named below it, another name.

        Parameters
        ----------
        ref
            A version of the product.
        name
            The new name of its track.
        """
        check_name(name)
        self._expect(ref)
        self._plan(partial(self._rename, ref, name))

    def remove(self, ref: Ref, *, alone: bool = False) -> RemoveReport:
        """Remove a product from view, with what is named below it and no other refers to.

        The report is that of the commit once it is made.

        Parameters
        ----------
        ref
            The product.
        alone
            Leave what is named below it.
        """
        self._expect(ref)
        report = RemoveReport((), ())
        self._plan(partial(self._remove, ref, report, alone))
        return report

    def purge(self, refs: Iterable[Ref]) -> None:
        """Give versions up for good, in a commit without saves.

        Those that carry a tag, that are the newest of a product in view, or to which a version
        refers that stays, are spared.

        Parameters
        ----------
        refs
            The versions.
        """
        numbers = []
        for ref in refs:
            self._expect(ref)
            numbers.append(ref.number)
        old = [] if self._draft.purge is None else self._draft.purge.versions
        self._draft.purge = Purge([*old, *numbers])

    def restore(self, track: int) -> None:
        """Bring a removed product back, with what was removed together with it.

        Parameters
        ----------
        track
            Number of the product; `Ref.track`.
        """
        identity = self._view.identity
        at = identity.head()
        if self._exclusive:
            name = identity.last_name(track, at)
            self._draft.expected.append(Expectation(name, track, at))
        self._plan(partial(self._restore, track))

    # -- what depends on the names that there are

    def _plan(self, plan: Callable[[Draft], None]) -> None:
        """Note what is filled in once nobody else can commit; try it now, for its errors."""
        plan(Draft("", ""))
        self._draft.plans.append(plan)

    def _rename(self, ref: Ref, name: str, draft: Draft) -> None:
        identity = self._view.identity
        head = identity.head()
        row = identity.latest(ref.track, head)
        if row is None or row.name is None:
            old = ref.name
            raise NotFound(f"{old!r} is removed", hint=f"restore it first: `skypool restore {old}`")
        draft.renames.append((ref.track, name))
        for below, track in identity.names(head, row.name):
            self._expect_below(draft, ref, below, track)
            draft.renames.append((track, name + below[len(row.name) :]))

    def _take_away(self, tags: frozenset[str], draft: Draft) -> None:
        """Take tags from all versions but those that get them in the same commit."""
        identity = self._view.identity
        head = identity.head()
        kept = {(tag, target) for tag, target, wanted in draft.tags if wanted and tag in tags}
        for tag in sorted({tag for tag, _ in kept}):
            for row in identity.tagged(tag, head):
                if (tag, row.urn) not in kept:
                    draft.tags.append((tag, row.urn, False))

    def _remove(self, ref: Ref, report: RemoveReport, alone: bool, draft: Draft) -> None:
        identity = self._view.identity
        at = identity.head()
        row = identity.latest(ref.track, at)
        if row is None or row.name is None:
            raise NotFound(f"{ref.name!r} is not there any more")
        own = {} if alone else {track: name for name, track in identity.names(at, row.name)}
        own[ref.track] = row.name
        spared: dict[int, str] = {}
        while True:
            found = [
                track
                for track in own
                if track != ref.track
                and any(parent.track not in own for parent in identity.live_parents(track, at))
            ]
            if not found:
                break
            for track in found:
                spared[track] = own.pop(track)
        for track, name in own.items():
            self._expect_below(draft, ref, name, track)
        draft.hidden.extend((track, True) for track in own)
        report.removed, report.spared = tuple(sorted(own.values())), tuple(sorted(spared.values()))

    def _restore(self, track: int, draft: Draft) -> None:
        draft.hidden.append((track, False))
        identity = self._view.identity
        for other in identity.removed_with(track):
            newest = identity.latest(other, identity.head())
            # What was given up stays away; the product itself is refused by the commit.
            if newest is not None and not newest.purged:
                draft.hidden.append((other, False))

    # -- what was seen

    def _expect(self, target: Any) -> None:
        """Note that a version is to be the newest still, and its track as it was seen."""
        if isinstance(target, Ref):
            if target.view.session.folder.key != self._view.session.folder.key:
                raise UsageError(f"{target.name!r} is a product of another pool")
            if self._exclusive:
                self._draft.expected.append(seen(target))

    def _expect_below(self, draft: Draft, ref: Ref, name: str, track: int) -> None:
        """Note the same of what is named below a product that is renamed or removed."""
        if self._exclusive:
            draft.expected.append(Expectation(name, track, ref.row.at))

    # -- the end

    def finish(self) -> None:
        """Make the commit; called at the end of a `with` block."""
        if self.published is not None:
            raise StorageError("this commit is made already")
        if self._failed:
            raise StorageError("this commit has failed", hint="start a new one")
        if self._storing is not None:
            self._finish_large(self._storing)
            return
        session = self._view.session
        if not self._saves:
            self._draft.tags = [(tag, number_of(ref), on) for ref, tag, on in self._tags]
            self.published = session.publish(self._draft, None)
            return
        self._check_room(session)
        for undisturbed in attempts(session):
            with undisturbed:
                storing = self._store()
                try:
                    storing.take(self._saves)
                    self.published = storing.publish(self._view, self._tags)
                except ChunksGone:
                    # They were to be reused: everything is written once more.
                    storing.writer.abandon()
                    continue
                except BaseException as error:
                    session.give_up(storing.writer, error)
                    raise
                storing.writer.close()
                return
        raise StorageError("chunks were reclaimed again and again while saving", hint="try again")

    def _check_room(self, session: Session) -> None:
        """Find out, where it might not fit, what the commit takes, before anything is written."""
        room = session.quota.room()
        if room is None or self._waiting_bytes < room:
            return
        trial = Storing(session, Draft("", ""), exclusive=False, trial=True)
        try:
            trial.take(self._saves)
            trial.writer.flush()
            session.quota.require(trial.writer.bytes_written)
        finally:
            trial.writer.abandon()

    def _store(self) -> Storing:
        draft = Draft(
            self._draft.author,
            self._draft.message,
            plans=list(self._draft.plans),
            expected=list(self._draft.expected),
        )
        return Storing(self._view.session, draft, exclusive=self._exclusive)

    # -- large commits

    def _store_now(self) -> None:
        """Store what waits, so that memory does not grow with the commit."""
        if self._storing is None:
            draft = Draft(self._draft.author, self._draft.message)
            self._storing = Storing(self._view.session, draft, exclusive=self._exclusive)
            # A commit that is neither made nor undone must not keep its pack.
            weakref.finalize(self, self._storing.writer.abandon)
        saves, self._saves, self._waiting_bytes = self._saves, [], 0
        try:
            self._storing.take(saves)
            self._storing.stage_when_large()
        except BaseException:
            self._undo()
            raise
        for save in saves:
            save.pending.forget()

    def _finish_large(self, storing: Storing) -> None:
        self._store_now()
        storing.draft.plans += self._draft.plans
        storing.draft.expected += self._draft.expected
        try:
            self.published = storing.publish(self._view, self._tags)
        except ChunksGone:
            self._undo()
            raise StorageError(
                "chunks were reclaimed while this large commit was made; nothing was committed",
                hint="make it again; `gc` and `reindex` can wait until it is done",
            ) from None
        except BaseException:
            self._undo()
            raise
        storing.writer.close()

    def _undo(self) -> None:
        self._failed = True
        if self._storing is not None:
            self._view.session.give_up(self._storing.writer, sys.exception())


def _bytes_in_memory(dataset: Any) -> int:
    """Return about how much memory a dataset takes that is not in a pool."""
    from skypool.model.arrays import Array

    source = getattr(dataset, "source", None)
    if source is None:
        return sum(map(_bytes_in_memory, dataset.values()))
    if source.stored is not None:
        return 0
    if isinstance(dataset, Array):
        return int(math.prod(source.shape) * source.dtype.itemsize)
    columns = (source.info(name) for name in source.colnames)
    return int(source.nrows * sum(math.prod(c.shape) * c.dtype.itemsize for c in columns))


def _texts(tags: Iterable[str] | str) -> tuple[str, ...]:
    return (tags,) if isinstance(tags, str) else tuple(tags)
