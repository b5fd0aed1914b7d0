"""Products on their way into a commit: waiting, stored, and versions at last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from skypool.catalogue.draft import Draft, Published
from skypool.errors import UsageError
from skypool.model.product import Product
from skypool.pool.collector import still
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.view import View

__all__ = ["Pending", "Save", "Storing", "number_of"]

# What is stored so far is made durable and indexed after so many documents, or bytes.
_STAGE_DOCUMENTS = 5000
_STAGE_BYTES = 512 * 1024**2
_MANY = 20


class Pending:
    """A product that becomes a version when its commit ends.

    Attributes
    ----------
    name : str or None
        The name that it is saved under.
    ref : Ref
        The version, once the commit is made.
    """

    __slots__ = ("_made", "_product", "_ref", "name")

    def __init__(self, product: Product, name: str | None) -> None:
        self._product: Product | None = product
        self.name = name
        self._ref: Ref | None = None
        self._made: tuple[View, int, int | None] | None = None

    @property
    def ref(self) -> Ref:
        """The version.

        Raises
        ------
        UsageError
            As long as the commit is not made.
        """
        if self._ref is None:
            if self._made is None:
                raise UsageError("the commit is not made yet; use the ref behind its `with` block")
            view, number, commit = self._made
            self._ref = view.number(number, commit)
        return self._ref

    @property
    def product(self) -> Product:
        """The product, as it is to be saved, or was.

        Raises
        ------
        UsageError
            If it is one of very many: then it is not kept in memory until they are committed.
        """
        if self._product is not None:
            return self._product
        if self._made is None:
            raise UsageError(
                "this product is stored already, and can be read when the commit is made",
                hint="keep the product itself, or make smaller commits",
            )
        return self.ref.product

    @property
    def urn(self) -> str | None:
        """The version's URN, None as long as the commit is not made."""
        return None if self._made is None else self.ref.urn

    def become(self, view: View, number: int, commit: int | None) -> None:
        """Note the version that it became; the catalogue is asked for it when it is needed.

        Parameters
        ----------
        view
            The pool as of the commit.
        number
            Number of the version.
        commit
            Number of the commit; None where nothing was new.
        """
        self._made = view, number, commit

    def forget(self) -> None:
        """Let go of the product."""
        self._product = None

    def __repr__(self) -> str:
        if self._made is not None:
            return repr(self.ref)
        return f"<Pending {self.name or self._product!r}>"


class Save(NamedTuple):
    """A product to be saved, and how."""

    pending: Pending
    name: str | None
    tags: tuple[str, ...]


class Storing:
    """The products of one commit, put into a writer and a draft.

    Parameters
    ----------
    session
        The open pool.
    draft
        The commit.
    exclusive
        Whether nobody else may have changed meanwhile what is saved.
    trial
        Whether nothing is stored: only how much it would take is found out.
    """

    def __init__(
        self, session: Session, draft: Draft, *, exclusive: bool, trial: bool = False
    ) -> None:
        from skypool.pool.saving import Saver

        self.draft = draft
        self.writer = session.writer(trial=trial)
        self._session = session
        self._saver = Saver(session, draft, self.writer, exclusive=exclusive)
        self._staged_at = 0
        # Kept, so that no id is used twice.
        self._pending: list[Pending] = []
        self._targets: dict[int, int] = {}

    def take(self, saves: Sequence[Save]) -> None:
        """Store products."""
        with _still_for(len(saves)):
            self._take(saves)

    def _take(self, saves: Iterable[Save]) -> None:
        for pending, name, tags in saves:
            product = pending.product
            self._note_targets(product)
            target = self._saver.save(product, name)
            self._targets[id(pending)] = target
            self._pending.append(pending)
            self.draft.tags.extend((tag, target, True) for tag in tags)

    def stage_when_large(self) -> None:
        """Index what is stored so far, so that neither memory nor the last step grow."""
        saver, written = self._saver, self.writer.bytes_written
        if len(saver.documents) >= _STAGE_DOCUMENTS or written - self._staged_at > _STAGE_BYTES:
            with _still_for(len(saver.documents)):
                self._session.stage(self.writer, saver.documents)
            saver.documents = []
            self._staged_at = written

    def publish(self, view: View, tags: Iterable[tuple[Any, str, bool]]) -> Published:
        """Commit; what was pending has become versions then."""
        self.draft.tags.extend((tag, self._number(item), wanted) for item, tag, wanted in tags)
        documents = self._saver.documents
        with _still_for(len(documents)):
            published = self._session.publish(self.draft, self.writer, documents)
        for pending in self._pending:
            target = self._targets[id(pending)]
            urn = target if target > 0 else published.urns[-1 - target]
            pending.become(view, urn, published.commit)
        return published

    def _note_targets(self, product: Product) -> None:
        """Note the references to products that are saved in the same commit, at any depth."""
        seen, waiting = {id(product)}, [product]
        while waiting:
            for ref in waiting.pop().refs.values():
                if isinstance(ref, Pending):
                    if id(ref) not in self._targets:
                        raise UsageError(
                            "a reference to a product of another commit that is not made"
                        )
                    self._saver.note_pending(ref, self._targets[id(ref)])
                elif isinstance(ref, Product) and id(ref) not in seen:
                    seen.add(id(ref))
                    waiting.append(ref)

    def _number(self, item: Any) -> int:
        return self._targets[id(item)] if isinstance(item, Pending) else number_of(item)


def _still_for(count: int) -> AbstractContextManager[None]:
    """Keep the collector still for many products, which are small then."""
    return still() if count >= _MANY else nullcontext()


def number_of(item: Any) -> int:
    """Return the number of a saved version."""
    if isinstance(item, Pending):
        return item.ref.number
    if not isinstance(item, Ref):
        raise UsageError(f"a {type(item).__name__} is no ref of a version")
    return item.number
