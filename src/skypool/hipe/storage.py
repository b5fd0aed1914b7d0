"""Storages: one or several pools, of which the first takes what is saved."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any

from skypool.errors import NameConflict, NotFound, ReadOnly, UsageError
from skypool.hipe.bean import Bean
from skypool.hipe.classes import class_of_kind
from skypool.hipe.containers import JavaList
from skypool.hipe.managers import PoolManager
from skypool.hipe.pools import ProductPool
from skypool.hipe.products import Product
from skypool.hipe.refs import ProductRef
from skypool.hipe.urn import Urn
from skypool.model.product import Product as CoreProduct
from skypool.pool.pool import Pool
from skypool.pool.ref import Ref

__all__ = ["ProductStorage", "StorageManager"]

_log = logging.getLogger(__name__)


class ProductStorage(Bean):
    """Pools to search, and the first of them to save in.

    Parameters
    ----------
    *pools
        Pools, or names of pools, or lists of them.
    """

    def __init__(self, *pools: Any) -> None:
        from skypool.hipe.transactions import Transactions

        self._pools: list[ProductPool] = []
        self._visitors: list[Any] = []
        self._listeners: list[Any] = []
        self._transactions = Transactions(self)
        self.register(*pools)

    # -- pools

    def register(self, *pools: Any) -> None:
        """Add pools, or those of other storages; the first of all is the one to save in.

        Raises
        ------
        NameConflict
            If there is one of that name already.
        """
        for given in pools:
            if isinstance(given, ProductStorage):
                self.register(*given.pools)
            elif isinstance(given, list | tuple | set):
                self.register(*given)
            else:
                self._register(given)

    def _register(self, given: Any) -> None:
        if isinstance(given, str):
            given = PoolManager.getPool(given)
        elif isinstance(given, Pool):
            given = ProductPool(given)
        if not isinstance(given, ProductPool):
            raise UsageError(f"a {type(given).__name__} is no pool")
        if any(pool.id == given.id for pool in self._pools):
            raise NameConflict(
                f"a pool with the same ID has already been registered to this storage: {given.id}"
            )
        self._pools.append(given)

    @property
    def pools(self) -> JavaList[ProductPool]:
        """The pools, in the order in which they were registered."""
        return JavaList(self._pools)

    @property
    def writablePool(self) -> ProductPool:
        """The first pool, the only one that is changed."""
        if not self._pools:
            raise UsageError("No product pools registered", hint="storage.register(pool)")
        return self._pools[0]

    def _to_change(self) -> ProductPool:
        pool = self.writablePool
        pool.check_writable()
        return pool

    # -- saving

    def save(self, product: Any, tag: str | None = None) -> ProductRef:
        """Save a product, with all products below it that are not saved as they are.

        A context that is as it was saved is not saved again; any other product becomes a new
        version each time.

        Parameters
        ----------
        product
            The product.
        tag
            A label, which leaves what carried it.

        Returns
        -------
        ProductRef
            The version. Within a transaction it has its URN once that is committed.
        """
        return self.save_as(product, tag)

    def saveAs(self, product: Any, tag: str | None = None) -> ProductRef:
        """Save a product; the same as `save`."""
        return self.save_as(product, tag)

    def save_as(self, product: Any, tag: str | None = None, name: str | None = None) -> ProductRef:
        """Save a product under a name in the pool; see `save`."""
        if isinstance(product, CoreProduct):
            product = ProductRef(product)
        if isinstance(product, ProductRef):
            product = product.product
        if hasattr(product, "read"):  # a stream, as createStream gives it
            product = _read(product)
        if not isinstance(product, Product):
            raise UsageError(f"a {type(product).__name__} is no product")
        return self._transactions.save(self._to_change(), product, tag, name)

    def startTransaction(self) -> None:
        """Begin a transaction: what is changed is done at once by `commit`."""
        self._transactions.start(self._to_change())

    def commit(self) -> None:
        """Do, durably and all at once, what the transaction holds."""
        self._transactions.commit()

    def abort(self) -> None:
        """Forget what the transaction holds; nothing of it is done."""
        self._transactions.abort()

    def addVisitor(self, visitor: Any) -> None:
        """Add what is told of every product that is saved: a function, or has `visit`."""
        self._visitors.append(visitor)

    def removeVisitor(self, visitor: Any) -> None:
        """Remove a visitor."""
        self._visitors.remove(visitor)

    def visit(self, product: Product) -> None:
        """Tell the visitors of a product that is about to be saved."""
        for visitor in self._visitors:
            told = getattr(visitor, "visit", visitor)
            told(product)

    def addProductClassesListener(self, listener: Any) -> None:
        """Add a function that is called with the storage after it was saved in."""
        self._listeners.append(listener)

    def removeProductClassesListener(self, listener: Any) -> None:
        """Remove such a function."""
        self._listeners.remove(listener)

    def saved(self) -> None:
        """Tell the listeners that something was saved."""
        for listener in self._listeners:
            told = getattr(listener, "productClassesChanged", listener)
            told(self)

    # -- loading

    def load(self, urnOrTag: Any) -> ProductRef:
        """Return the version of a URN or tag, looked for in all pools.

        Raises
        ------
        UsageError
            If it is None.
        NotFound
            If no pool has it.
        """
        if urnOrTag is None:
            raise UsageError("a URN or a tag is needed, not None")
        text = str(urnOrTag)
        for pool in self._searched():
            found = pool.find(text) if Urn.isUrn(text) else _tagged(pool, text)
            if found is not None:
                return ProductRef(found, self)
        raise NotFound(f"{text!r} was not found in storage: {', '.join(p.id for p in self._pools)}")

    def _searched(self) -> list[ProductPool]:
        if not self._pools:
            raise UsageError("No product pools registered", hint="storage.register(pool)")
        return self._pools

    def select(self, query: Any, previous: Any = None) -> JavaList[ProductRef]:
        """Return what a query finds in all pools.

        Parameters
        ----------
        query
            `AttribQuery`, `MetaQuery`, `FullQuery` or `Query`.
        previous
            An earlier result to search in.
        """
        from skypool.hipe.queries import query_of

        return query_of(query).select(self, previous)

    def getVersions(self, ref: Any) -> JavaList[ProductRef]:
        """Return all versions of a product, oldest first."""
        from skypool.hipe.removing import versions_of

        return JavaList(ProductRef(old, self) for old in versions_of(self._version(ref)))

    def getHead(self, ref: Any) -> ProductRef:
        """Return the newest version of a product."""
        return ProductRef(self._version(ref).latest, self)

    def getVersioningInfo(self) -> str:
        """Return how versions are kept: by tracks."""
        return "track"

    def _version(self, given: Any) -> Ref:
        """Return the version of a reference, a product or a URN."""
        if isinstance(given, Product):
            given = ProductRef(given)
        if isinstance(given, ProductRef):
            found = given.core
            if isinstance(found, Ref):
                return found
        found = self.load(getattr(given, "urn", given)).core
        assert isinstance(found, Ref)
        return found

    @property
    def productClasses(self) -> JavaList[Any]:
        """The classes of the products in all pools."""
        kinds = dict.fromkeys(cls.kind for pool in self._pools for cls in pool.productClasses)
        return JavaList(class_of_kind(kind) for kind in kinds)

    @property
    def definition(self) -> str:
        """The pools and where they are."""
        return f"ProductStorage([{', '.join(pool.definition for pool in self._pools)}])"

    def authenticate(self, *_: Any) -> bool:
        """Return True: pools of this machine know their user already."""
        return True

    def createStream(self, ref: Any) -> Any:
        """Return the product's file, open for reading."""
        return open(self._version(ref).path, "rb")

    # -- tags

    def setTag(self, tag: str, urn: Any) -> None:
        """Put a tag on a version of the first pool; it leaves all others.

        Raises
        ------
        ReadOnly
            If the version, or one that carries the tag, is in another pool.
        """
        pool = self._to_change()
        self._transactions.tag(pool, str(tag), self._own(urn))

    def _own(self, urn: Any) -> Ref:
        """Return a version of the pool to save in."""
        ref = self._version(urn)
        pool = self._to_change()
        if ref.view.session.folder.key != pool.key:
            raise ReadOnly(
                f"{ref.urn} is not in the pool {pool.id!r}, the only one that this storage changes",
                hint="register its pool as the first one",
            )
        return ref

    def removeTag(self, tag: str) -> None:
        """Forget a tag.

        Raises
        ------
        NotFound
            If the first pool has none of that name.
        """
        pool = self._to_change()
        found = pool.pool.tagged(str(tag))
        if not found:
            raise NotFound(f"there is no tag {tag!r} in the pool {pool.id!r}")
        self._transactions.untag(pool, str(tag), found)

    def tagExists(self, tag: str) -> bool:
        """Say whether a pool has such a tag."""
        return any(str(tag) in pool.pool.tags for pool in self._pools)

    def getTags(self, urn: Any) -> JavaList[str]:
        """Return the tags of a version."""
        return JavaList(self._version(urn).tags)

    def getAllTags(self) -> JavaList[str]:
        """Return the tags of all pools."""
        return JavaList(sorted({tag for pool in self._pools for tag in pool.pool.tags}))

    def getUrnFromTag(self, tag: str) -> str:
        """Return the URN of the version that carries a tag.

        Raises
        ------
        NotFound
            If none does.
        """
        for pool in self._searched():
            found = _tagged(pool, str(tag))
            if found is not None:
                return found.urn
        raise NotFound(f"there is no tag {tag!r} in this storage", candidates=self.getAllTags()[:5])

    # -- removing

    def remove(self, urn: Any, recursive: Any = None) -> Any:
        """Remove a version from the first pool; what other contexts refer to stays.

        Parameters
        ----------
        urn
            Its URN, or a reference.
        recursive
            Whether the products below it go too, as far as nobody else refers to them.

        Returns
        -------
        bool, or list of ProductRef
            Whether it was removed; where *recursive* is given, what was.

        Raises
        ------
        NotFound
            If the first pool does not have it.
        """
        from skypool.hipe.removing import remove

        if urn is None:
            raise UsageError("a URN is needed, not None")
        pool = self._to_change()
        self._transactions.refuse("remove")
        ref = pool.at_urn(getattr(urn, "urn", urn))
        removed = remove(pool, ref, recursive=bool(recursive))
        if recursive is None:
            return bool(removed)
        return JavaList(ProductRef(gone, self) for gone in removed)

    def purge(self, ref: Any, keep: int = 1) -> JavaList[ProductRef]:
        """Give up all but the newest versions of a product, for good.

        Those that carry a tag, or to which others refer, are spared.

        Parameters
        ----------
        ref
            A version of it.
        keep
            How many stay.

        Returns
        -------
        list of ProductRef
            What was given up.
        """
        from skypool.hipe.removing import purge

        if keep < 1:
            raise UsageError(f"at least one version is kept, not {keep}", hint="use remove()")
        self._transactions.refuse("purge")
        pool = self._to_change()
        return JavaList(ProductRef(gone, self) for gone in purge(pool, self._own(ref), keep))

    def toString(self) -> str:
        """Return the names of the pools."""
        return str(self)

    def __str__(self) -> str:
        return f"ProductStorage([{', '.join(pool.id for pool in self._pools)}])"

    __repr__ = __str__


def _read(stream: Any) -> Product:
    """Return the product of a FITS file that is open for reading."""
    from skypool.hipe.fits import simpleFitsReader

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, os.path.basename(str(getattr(stream, "name", "stream.fits"))))
        with open(path, "wb") as out:
            shutil.copyfileobj(stream, out)
        return simpleFitsReader(path)  # type: ignore[no-any-return]


def _tagged(pool: ProductPool, tag: str) -> Ref | None:
    """Return the version that carries a tag; the newest where several do."""
    found = pool.pool.tagged(tag)
    return found[-1] if found else None


class StorageManager:
    """Storages by their names."""

    _storages: dict[str, ProductStorage] = {}  # noqa: RUF012 (one for the program)

    @staticmethod
    def getStorage(name: str = "default", pools: Iterable[Any] = ()) -> ProductStorage:
        """Return a storage; a new one has the pool of that name, or those given."""
        found = StorageManager._storages.get(str(name))
        if found is None:
            found = ProductStorage(*(list(pools) or [PoolManager.getPool(name)]))
            StorageManager._storages[str(name)] = found
        return found

    @staticmethod
    def hasStorage(name: str) -> bool:
        """Say whether there is such a storage."""
        return str(name) in StorageManager._storages

    @staticmethod
    def put(name: str, storage: ProductStorage) -> None:
        """Give a storage a name."""
        StorageManager._storages[str(name)] = storage

    @staticmethod
    def remove(name: str) -> None:
        """Forget a storage; its pools stay."""
        StorageManager._storages.pop(str(name), None)
