"""What a storage changes: at once, or together at the end of a transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from skypool.errors import Conflict
from skypool.hipe.contexts import Context
from skypool.hipe.products import Product
from skypool.hipe.refs import ProductRef
from skypool.hipe.saving import Tree, Waiting
from skypool.model.product import Product as CoreProduct
from skypool.pool.ref import Ref
from skypool.pool.resolve import check_name, check_tag

if TYPE_CHECKING:
    from skypool.hipe.pools import ProductPool
    from skypool.hipe.storage import ProductStorage
    from skypool.pool.transaction import Pending, Transaction

__all__ = ["Transactions"]

_log = logging.getLogger(__name__)


class Transactions:
    """Saves and tags for a storage.

    Parameters
    ----------
    storage
        Whose visitors and listeners are told.
    """

    def __init__(self, storage: ProductStorage) -> None:
        self._storage = storage
        self._pool: ProductPool | None = None
        self._open: Transaction | None = None
        self._taken: list[tuple[Tree, Product, Pending, ProductRef]] = []
        self._waiting: dict[int, Waiting] = {}
        self._names: dict[str, int] = {}

    # -- begin and end

    def start(self, pool: ProductPool) -> None:
        """Begin a transaction."""
        if self._open is not None:
            raise Conflict("a transaction is open", hint="storage.commit() or storage.abort()")
        self._pool = pool
        self._open = pool.pool.commit("transaction")
        self._open.__enter__()

    def commit(self) -> None:
        """Do what the transaction holds."""
        opened, pool, taken = self._needed(), self._pool, self._taken
        self._forget()
        opened.__exit__(None)
        assert pool is not None
        for tree, product, pending, ref in taken:
            tree.key = pool.key
            tree.adopt(product, pending.ref)
            ref.pin(pending.ref)
        self._storage.saved()

    def abort(self) -> None:
        """Forget what the transaction holds."""
        opened = self._needed()
        self._forget()
        opened.__exit__(InterruptedError)

    def refuse(self, what: str) -> None:
        """Refuse what cannot be part of a transaction."""
        if self._open is not None:
            raise Conflict(f"{what} is no part of a transaction", hint="commit it first")

    def _needed(self) -> Transaction:
        if self._open is None:
            raise Conflict("no transaction is open", hint="storage.startTransaction() opens one")
        return self._open

    def _forget(self) -> None:
        self._open = self._pool = None
        self._taken, self._waiting, self._names = [], {}, {}

    # -- saving

    def save(
        self, pool: ProductPool, product: Product, tag: str | None, name: str | None
    ) -> ProductRef:
        """Save a product, or take it into the transaction."""
        tree = Tree(pool.key, self._waiting)
        core = tree.build(product)
        same = product._places.same.get(pool.key)
        if core is product._core and same is not None and isinstance(product, Context):
            return self._not_again(pool, product, same, tag)
        core = _as_version(core, product, pool.key)
        tags = [] if tag is None else [check_tag(str(tag))]
        for written in tree.written() or [product]:
            self._storage.visit(written)
        name = self._name(pool, product, core, name)
        if self._open is not None:
            pending = self._take(self._open, core, name, tags)
            ref = ProductRef(product, self._storage)
            self._taken.append((tree, product, pending, ref))
            self._waiting[id(product)] = Waiting(product, core, pending)
            return ref
        with pool.pool.commit(f"save {product.description}"[:200]) as commit:
            pending = self._take(commit, core, name, tags)
        tree.key = pool.key
        tree.adopt(product, pending.ref)
        self._storage.saved()
        return ProductRef(pending.ref, self._storage)

    def _take(
        self, commit: Transaction, core: CoreProduct, name: str | None, tags: list[str]
    ) -> Pending:
        pending = commit.save(core, name)
        if tags:
            commit.move_tags(pending, *tags)
        return pending

    def _not_again(
        self, pool: ProductPool, product: Product, same: Ref, tag: str | None
    ) -> ProductRef:
        _log.info(
            "The product %s was not saved again, because it already exists in this storage",
            same.urn,
        )
        if tag is not None:
            self.tag(pool, str(tag), same)
        return ProductRef(same, self._storage)

    def _name(
        self, pool: ProductPool, product: Product, core: CoreProduct, name: str | None
    ) -> str | None:
        """Return the name of a product that is new in its pool; None for one of its type."""
        if pool.key in product._places.tracks and name is None:
            return None
        folder = product.meta["context"].string if "context" in product.meta else ""
        folder = "/".join(part for part in folder.split("/") if part not in ("", ".", ".."))
        if name is not None:
            return check_name(f"{folder}/{name.strip('/')}" if folder else name.strip("/"))
        waiting = self._waiting.get(id(product))
        if waiting is not None and waiting.pending.name is not None:
            return waiting.pending.name
        obsid = product.meta.get("obsid") if core.is_kind("ObservationContext") else None
        if obsid is not None:
            for free in (obsid.string, f"{obsid.string}/{product.instrument}"):
                if self._is_free(pool, free):
                    return check_name(free)
        if not folder and self._open is None:
            return None
        stem = core.type if core.type != "Unknown" else core.kind
        stem = f"{folder}/{stem}" if folder else stem
        number = self._names.get(stem, 0) + 1
        while not self._is_free(pool, f"{stem}-{number}"):
            number += 1
        self._names[stem] = number
        return check_name(f"{stem}-{number}")

    def _is_free(self, pool: ProductPool, name: str) -> bool:
        """Say whether no product has, or had, a name."""
        if any(waiting.pending.name == name for waiting in self._waiting.values()):
            return False
        if not pool.pool.exists:
            return True
        view = pool.pool.view
        identity, at = view.identity, view.at
        return identity.named(name, at) is None and identity.removed(name, at) is None

    # -- tags

    def tag(self, pool: ProductPool, tag: str, ref: Ref) -> None:
        """Put a tag on a version, and take it from all others."""
        check_tag(tag)
        for other in self._storage.pools[1:]:
            if tag in other.pool.tags and tag not in pool.pool.tags:
                _log.warning("the pool %s has a tag %r as well", other.id, tag)
        if self._open is not None:
            self._open.move_tags(ref, tag)
            return
        with pool.pool.commit(f"tag {tag}") as commit:
            commit.move_tags(ref, tag)

    def untag(self, pool: ProductPool, tag: str, refs: list[Ref]) -> None:
        """Take a tag away from versions."""
        if self._open is not None:
            for ref in refs:
                self._open.untag(ref, tag)
            return
        with pool.pool.commit(f"untag {tag}") as commit:
            for ref in refs:
                commit.untag(ref, tag)


def _as_version(core: CoreProduct, product: Product, key: bytes) -> CoreProduct:
    """Return a product that did not change so that it becomes a version all the same.

    Of one that the pool does not have, its content is copied with its tree.
    """
    track = product._places.tracks.get(key)
    if core is not product._core or track is None:
        return core
    return CoreProduct.assemble(
        core.kind, core.meta, core.datasets, core.refs, core.own_history, track
    ).replace()
