"""Opening pools by their names and folders, as HIPE's managers and factories did."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from skypool.config import from_environment
from skypool.errors import UsageError
from skypool.hipe.containers import JavaList, JavaMap
from skypool.hipe.pools import LocalStore, LocalStoreContext, ProductPool, check_id
from skypool.hipe.urn import Urn
from skypool.pool.folder import is_pool
from skypool.pool.named import list_pools
from skypool.pool.pool import Pool
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.hipe.storage import ProductStorage

__all__ = ["LStoreMaintenanceUtil", "LocalStoreFactory", "PoolManager", "TemporalPool", "find_urn"]


class TemporalPool:
    """Pools that are gone when the program ends."""

    DELETE_ON_CLOSE: ClassVar[str] = "DELETE_ON_CLOSE"
    DO_NOTHING_ON_CLOSE: ClassVar[str] = "DO_NOTHING_ON_CLOSE"

    @staticmethod
    def createTmpPool(name: str, mode: str = "DELETE_ON_CLOSE") -> LocalStore:
        """Make a pool in a temporary folder."""
        import atexit
        import shutil
        import tempfile

        folder = tempfile.mkdtemp(prefix="skypool-")
        made = LocalStore(Pool(os.path.join(folder, check_id(name))), name)
        if mode == TemporalPool.DELETE_ON_CLOSE:
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return made


def _open(context: LocalStoreContext) -> LocalStore:
    from skypool.hipe.lstore import taken_over

    path = context.storeDir
    with_path = taken_over(context.id, path)
    found = _OPEN.get(with_path)
    # A script may have deleted the folder, or moved it away.
    if found is None or (found.pool.exists and not is_pool(with_path)):
        found = _OPEN[with_path] = LocalStore(Pool(with_path), context.id)
    return found


# Pools that this program has opened, by their folders.
_OPEN: dict[str, LocalStore] = {}
# Pools that the program put under a name itself.
_PUT: dict[str, ProductPool] = {}


class LocalStoreFactory:
    """Opens pools of this machine."""

    @staticmethod
    def getStore(where: Any = "default", location: Any = None) -> LocalStore:
        """Return a pool by its name, its folder, or a `LocalStoreContext`."""
        if isinstance(where, LocalStoreContext):
            return _open(where)
        text = os.fspath(where) if hasattr(where, "__fspath__") else str(where)
        if location is None and os.sep in text:
            folder, name = os.path.split(os.path.abspath(os.path.expanduser(text)))
            return _open(LocalStoreContext(name, folder))
        return _open(LocalStoreContext(text, location))


class PoolManager:
    """The pools by their names."""

    @staticmethod
    def getPool(name: str) -> ProductPool:
        """Return a pool, which the first save creates where there is none."""
        return _PUT.get(str(name)) or LocalStoreFactory.getStore(check_id(name))

    @staticmethod
    def get(name: str) -> ProductPool:
        """Return a pool."""
        return PoolManager.getPool(name)

    @staticmethod
    def hasPool(name: str) -> bool:
        """Say whether there is such a pool."""
        return str(name) in PoolManager.getIDList()

    contains = isDefined = isSaved = hasPool

    @staticmethod
    def isLoaded(name: str) -> bool:
        """Say whether the program has opened it."""
        path = LocalStoreContext(name).storeDir
        return str(name) in _PUT or path in _OPEN

    @staticmethod
    def getIDList() -> JavaList[str]:
        """Return the names of all pools, those in HIPE's own folder included."""
        from skypool.hipe.lstore import old_pools

        named = (pool.name for pool in list_pools(from_environment()))
        return JavaList(sorted({*named, *_PUT, *old_pools()}))

    @staticmethod
    def getPoolMap() -> JavaMap[ProductPool]:
        """Return the pools by their names."""
        return JavaMap((name, PoolManager.getPool(name)) for name in PoolManager.getIDList())

    @staticmethod
    def put(name: str, pool: Any) -> None:
        """Give a pool a name, for this program."""
        _PUT[check_id(name)] = pool if isinstance(pool, ProductPool) else ProductPool(pool, name)

    @staticmethod
    def savePool(pool: ProductPool) -> None:
        """Do nothing: pools are found by their folders."""

    @staticmethod
    def unload(name: str) -> None:
        """Forget that the program has opened it; what is in it stays."""
        _PUT.pop(str(name), None)
        _OPEN.pop(LocalStoreContext(name).storeDir, None)

    @staticmethod
    def remove(name: str) -> None:
        """Forget that the program has opened it; what is in it stays."""
        PoolManager.unload(name)

    @staticmethod
    def isReadOnly(name: str) -> bool:
        """Say whether a pool is for reading only."""
        return PoolManager.getPool(name).readOnly


class LStoreMaintenanceUtil:
    """Upkeep of pools of this machine."""

    @staticmethod
    def getPoolSize(store: LocalStore) -> float:
        """Return the bytes that a pool takes."""
        return store.poolSize

    @staticmethod
    def getLockedPools() -> JavaList[str]:
        """Return no names: locks are held only while something is written."""
        return JavaList()

    @staticmethod
    def clearLocks(store: LocalStore | None = None) -> int:
        """Return 0: locks of processes that ended are gone with them."""
        return 0

    @staticmethod
    def clear(store: LocalStore) -> None:
        """Remove everything from a pool."""
        store.clear()

    @staticmethod
    def rebuildUrnMapping(store: LocalStore) -> None:
        """Make the catalogue of a pool again."""
        store.rebuildIndex()


def known_pools() -> Iterator[ProductPool]:
    """Yield the pools that the program has opened, then those that there are."""
    yield from _PUT.values()
    yield from _OPEN.values()


def find_urn(urn: str, storage: ProductStorage | None) -> Ref | None:
    """Return the version of a URN, from a storage, or from the pool that it names."""
    for pool in storage.pools if storage is not None else ():
        found = pool.find(urn)
        if found is not None:
            return found
    wanted = Urn(urn)
    for pool in known_pools():
        if wanted.poolId in (pool.id, pool.urnId):
            found = pool.find(urn)
            if found is not None:
                return found
    if not wanted.poolId:
        return None
    try:
        return PoolManager.getPool(wanted.poolId).find(urn)
    except UsageError:  # no name that a pool can have
        return None
