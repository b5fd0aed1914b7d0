"""Datasets and refs as other processes get them: the place of the pool, and what to load.

What was loaded from a pool is pickled as that, a few hundred bytes; who unpickles it opens the
pool for reading, once a process, and reads what is asked for.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skypool.errors import NotFound

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = ["LoadedDataset", "SavedDataset", "SavedRef", "close_pools", "saved"]

_POOLS_KEPT = 8
_PRODUCTS_KEPT = 64

_lock = threading.RLock()
_pools: OrderedDict[tuple[int, str], Pool] = OrderedDict()
_products: OrderedDict[tuple[int, SavedRef], Any] = OrderedDict()


@dataclass(frozen=True, slots=True)
class SavedRef:
    """A version of a pool, by what does not change.

    Attributes
    ----------
    pool : str
        Path of the pool.
    key : bytes
        Of the pool.
    number : int
        Of the version.
    document : bytes
        Digest of its product document.
    at : int or None
        The commit as of which the pool was seen.
    """

    pool: str
    key: bytes
    number: int
    document: bytes
    at: int | None

    def open(self) -> Ref:
        """Return the ref, of the pool as it is opened here.

        Raises
        ------
        NotFound
            If another pool is there now, or has another product of that number.
        """
        from skypool.pool.view import View

        session = _pool(self.pool).view.session
        if session.folder.key != self.key:
            raise NotFound(f"the pool at {self.pool} is another one than the dataset came from")
        ref = View(session, self.at).number(self.number)
        if ref.row.document != self.document:
            raise NotFound(f"the pool at {self.pool} has another version {self.number} by now")
        return ref

    def __hash__(self) -> int:
        return hash((self.pool, self.key, self.number, self.at))


@dataclass(frozen=True, slots=True)
class SavedDataset:
    """A dataset of a version; see `skypool.model.sources.Place`.

    Attributes
    ----------
    ref : SavedRef
    path : tuple of str
        Names from the outermost composite in.
    """

    ref: SavedRef
    path: tuple[str, ...]

    def dataset(self) -> Any:
        """Load the dataset; its values are read when they are asked for."""
        return _inside(_product(self.ref), self.path)

    def token(self) -> object:
        """Return the digest of the document, which tells the content, and the names."""
        return self.ref.document.hex(), self.path


class LoadedDataset:
    """A dataset of a product that was loaded here; pickled as `SavedDataset`.

    Parameters
    ----------
    ref
        The version.
    path
        Names from the outermost composite in.
    """

    __slots__ = ("_path", "_ref")

    def __init__(self, ref: Ref, path: tuple[str, ...]) -> None:
        self._ref = ref
        self._path = path

    def dataset(self) -> Any:
        """Load the dataset again."""
        return _inside(self._ref.product, self._path)

    def token(self) -> object:
        """Return the digest of the document, which tells the content, and the names."""
        return self._ref.row.document.hex(), self._path

    def __reduce__(self) -> tuple[Any, ...]:
        return SavedDataset, (saved(self._ref), self._path)


def _inside(product: Any, path: tuple[str, ...]) -> Any:
    found: Any = product.datasets
    for name in path:
        found = found[name]
    return found


def saved(ref: Ref) -> SavedRef:
    """Return what finds a ref again in another process."""
    folder, row = ref.view.session.folder, ref.row
    return SavedRef(folder.path, folder.key, row.urn, row.document, ref.view.pinned)


def close_pools() -> None:
    """Close the pools that unpickled datasets opened in this process."""
    with _lock:
        _products.clear()
        for (process, _), pool in _pools.items():
            if process == os.getpid():
                pool.close()
        _pools.clear()


def _pool(path: str) -> Pool:
    from skypool.pool.pool import Pool

    # What a fork took over belongs to the process that opened it.
    key = os.getpid(), path
    with _lock:
        found = _pools.get(key)
        if found is None:
            found = _pools[key] = Pool(path, "r")
            while len(_pools) > _POOLS_KEPT:
                _pools.popitem(last=False)
        _pools.move_to_end(key)
        return found


def _product(ref: SavedRef) -> Any:
    key = os.getpid(), ref
    with _lock:
        found = _products.get(key)
        if found is None:
            found = _products[key] = ref.open().product
            while len(_products) > _PRODUCTS_KEPT:
                _products.popitem(last=False)
        _products.move_to_end(key)
        return found
