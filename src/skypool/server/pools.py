"""The pools that are open, by their labels."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.glances import count_products, count_versions
from skypool.errors import NotFound, PoolNotFound, ReadOnly, SkypoolError, UsageError
from skypool.pool.folder import is_pool
from skypool.pool.named import list_pools, locate, missing_pool
from skypool.pool.pool import Pool
from skypool.server.places import Places
from skypool.storage.pack_files import packs_with_status

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.ref import Ref
    from skypool.pool.view import View

__all__ = ["OpenPools", "is_writable", "split_ref"]


class OpenPools:
    """Pools by label: the name of the folder, with a number where two have the same.

    Parameters
    ----------
    pools
        Pools that are open already.
    settings
        Settings from outside.
    read_only
        Whether further pools are opened for reading only.
    on_open
        Is given each pool when it is opened.
    places
        Where clients may have pools opened.
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        settings: Settings,
        *,
        read_only: bool,
        on_open: Callable[[Pool], object] = lambda pool: None,
        places: Places | None = None,
    ) -> None:
        self.settings = settings
        self.places = places or Places()
        self._read_only = read_only
        self._on_open = on_open
        self._lock = threading.RLock()
        self._pools: dict[str, Pool] = {}
        # Those that a client has closed: threads may still read them, and they may come again.
        self._shelved: dict[str, Pool] = {}
        self._counting = threading.Lock()
        self._counted: dict[str, tuple[tuple[str, int], tuple[int, int, int]]] = {}
        for pool in pools:
            self._put(pool)

    def _put(self, pool: Pool) -> str:
        name = os.path.basename(os.path.normpath(pool.path)) or "pool"
        label, more = name, 2
        while label in self._pools:
            label, more = f"{name}~{more}", more + 1
        self._pools[label] = pool
        self._on_open(pool)
        return label

    def all(self) -> Mapping[str, Pool]:
        """Return those that are open now."""
        with self._lock:
            return dict(self._pools)

    def __getitem__(self, label: str) -> Pool:
        """Return an open pool.

        Raises
        ------
        NotFound
            If none of that label is open.
        """
        with self._lock:
            pool = self._pools.get(label)
        if pool is None:
            raise NotFound(
                f"no pool {label!r} is open", candidates=list(self._pools), hint="open it first"
            )
        return pool

    def chosen(self, labels: Iterable[str] | None) -> dict[str, Pool]:
        """Return some open pools, each once; all without labels."""
        if not labels:
            return dict(self.all())
        return {label: self[label] for label in dict.fromkeys(labels)}

    def label_of(self, pool: Pool) -> str:
        """Return the label of an open pool."""
        for label, each in self.all().items():
            if each is pool:
                return label
        raise NotFound(f"the pool {pool.path} is not open")

    def ref(self, label: str, number: int, *, at: int | str | None = None) -> Ref:
        """Return the version of a number.

        Parameters
        ----------
        label
            Of the pool.
        number
            As in its URN.
        at
            Commit or time: as the pool was then.

        Raises
        ------
        NotFound
            If there is none.
        """
        pool = self[label]
        if not pool.exists:
            raise NotFound(f"the pool {label!r} is empty")
        return (pool if at is None else pool.at(at)).view.number(number)

    def ref_of(self, text: str) -> Ref:
        """Return what a `ref` such as ``temp1/17`` means."""
        label, number = split_ref(text)
        return self.ref(label, number)

    def changeable(self, label: str) -> Pool:
        """Return an open pool that may be changed.

        Raises
        ------
        ReadOnly
            If it may not.
        """
        pool = self[label]
        if self._read_only or not is_writable(pool):
            raise ReadOnly(
                f"the pool {label!r} is open for reading only", hint="start without --read-only"
            )
        return pool

    def open(self, where: str, *, create: bool = False) -> str:
        """Open one more; return its label, the same one if it is open already.

        Parameters
        ----------
        where
            Its name or path.
        create
            Make it where there is none.

        Raises
        ------
        PoolNotFound
            If there is none.
        Outside
            If it is where this server opens none.
        """
        if "\0" in where:
            raise UsageError("a path holds no character 0")
        path = self.places.check(locate(where, self.settings))
        real = os.path.realpath(path)
        with self._lock:
            for label, pool in self._pools.items():
                if os.path.realpath(pool.path) == real:
                    return label
            if real in self._shelved:
                return self._put(self._shelved.pop(real))
        if create and self._read_only:
            raise ReadOnly("this server is read-only", hint="start it without --read-only")
        if not create and not is_pool(path):
            raise missing_pool(path, self.settings)
        pool = Pool(path, "r" if self._read_only else "a", settings=self.settings)
        with self._lock:
            return self._put(pool)

    def shut(self, label: str) -> None:
        """Close one: it is no longer listed nor searched."""
        with self._lock:
            pool = self[label]
            del self._pools[label]
            self._shelved[os.path.realpath(pool.path)] = pool

    def close(self) -> None:
        """Give back the files of all that this object opened or was given."""
        with self._lock:
            pools = [*self._pools.values(), *self._shelved.values()]
            self._pools.clear()
            self._shelved.clear()
        for pool in pools:
            pool.close()

    def known(self) -> list[dict[str, str]]:
        """Return the pools with names of their own that are not open."""
        open_now = {os.path.realpath(pool.path) for pool in self.all().values()}
        return [
            {"name": each.name, "path": each.path}
            for each in list_pools(self.settings)
            if os.path.realpath(each.path) not in open_now
        ]

    def facts(self, label: str) -> dict[str, Any]:
        """Return the figures of an open pool."""
        pool = self[label]
        found: dict[str, Any] = {
            "label": label,
            "name": os.path.basename(os.path.normpath(pool.path)),
            "path": pool.path,
            "writable": is_writable(pool) and not self._read_only,
            "alive": False,
        }
        try:
            if not pool.exists:  # the first save makes it
                figures = ("products", "versions", "commit", "bytes_stored")
                return {**found, "alive": True, **dict.fromkeys(figures, 0)}
            if not is_pool(pool.path):
                raise PoolNotFound(f"the folder {pool.path} is not there any more")
            view = pool.view
            products, versions, stored = self._figures(label, view)
        except SkypoolError as error:
            return found | {"problem": error.message}
        return found | {
            "alive": True,
            "name": pool.name,
            "products": products,
            "versions": versions,
            "commit": view.at,
            "bytes_stored": stored,
        }

    def _figures(self, label: str, view: View) -> tuple[int, int, int]:
        """Return products, versions and bytes stored; the same while nothing is committed."""
        folder, at = view.session.folder, view.at
        with self._counting:  # who comes meanwhile waits, and need not count too
            kept = self._counted.get(label)
            if kept is None or kept[0] != (folder.path, at):
                database = view.session.catalogue.database
                products, versions = count_products(database, at), count_versions(database, at)
                stored = sum(status.st_size for _, status in packs_with_status(folder.packs))
                kept = self._counted[label] = ((folder.path, at), (products, versions, stored))
            return kept[1]


def is_writable(pool: Pool) -> bool:
    """Tell whether a pool that is open may be changed."""
    # The folder of a pool that is not made yet is made by the first change.
    return pool.mode != "r" and (not pool.exists or os.access(pool.path, os.W_OK))


def split_ref(text: str) -> tuple[str, int]:
    """Read a `ref`: the label of a pool and the number of a version.

    Raises
    ------
    UsageError
        If it has another form.
    """
    label, _, number = text.rpartition("/")
    if not label or not (number.isascii() and number.isdigit()) or len(number) > 15:
        raise UsageError(f"{text[:80]!r} is no ref", hint="a ref is <label of the pool>/<number>")
    return label, int(number)
