"""Pools under their old names, and the managers that open them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from skypool.config import from_environment
from skypool.errors import InvalidName, NotFound, ReadOnly
from skypool.hipe.bean import Bean
from skypool.hipe.classes import class_of_kind
from skypool.hipe.containers import JavaList, JavaMap
from skypool.hipe.metadata import MetaData
from skypool.hipe.refs import ProductRef
from skypool.hipe.urn import Urn
from skypool.pool.pool import Pool
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.hipe.storage import ProductStorage

__all__ = ["HttpClientPool", "LocalStore", "LocalStoreContext", "ProductPool", "check_id"]

_ID = re.compile(r"\w[\w\-]*")


def check_id(name: Any) -> str:
    """Return a name that a pool can have.

    Raises
    ------
    InvalidName
        If it cannot.
    """
    text = str(name)
    if not _ID.fullmatch(text) or len(text) >= 255 or text == "urn":
        raise InvalidName(
            f"{text!r} cannot be the name of a pool",
            hint="letters, digits, '_' and '-'; to name a folder, give poolLocation too",
        )
    return text


class ProductPool(Bean):
    """A pool of skypool under HIPE's names.

    Parameters
    ----------
    core
        The pool, or its path or name.
    name
        How it is called; by default as its folder.
    """

    def __init__(self, core: Any, name: str | None = None) -> None:
        self._core = core if isinstance(core, Pool) else Pool(core)
        self._name = name or self._core.name
        self._read_only = self._core.mode == "r"

    @property
    def pool(self) -> Pool:
        """The pool of skypool."""
        return self._core

    @property
    def key(self) -> bytes:
        """What tells it from all others; no bytes as long as it is not created."""
        return self._core.view.session.folder.key if self._core.exists else b""

    @property
    def id(self) -> str:
        """Its name."""
        return self._name

    @property
    def urnId(self) -> str:
        """Its name in URNs."""
        return self._core.name

    @property
    def readOnly(self) -> bool:
        """Whether nothing may be saved in it."""
        return self._read_only

    @readOnly.setter
    def readOnly(self, wanted: bool) -> None:
        self._read_only = bool(wanted)

    def check_writable(self) -> None:
        """Refuse to change a pool that is only for reading.

        Raises
        ------
        ReadOnly
            If it is.
        """
        if self._read_only:
            raise ReadOnly(f"the pool {self.id!r} is for reading only")

    def isAlive(self) -> bool:
        """Say whether it can be used."""
        return True

    def isEmpty(self) -> bool:
        """Say whether nothing is in it."""
        return not len(self._core)

    @property
    def definition(self) -> str:
        """What it is and where."""
        return f"{type(self).__name__}({self.id!r}, {self._core.path!r})"

    @property
    def productClasses(self) -> JavaList[Any]:
        """The classes of the products in it."""
        kinds = dict.fromkeys(ref.kind for ref in self._core.ls())
        return JavaList(class_of_kind(kind) for kind in kinds)

    # -- one product

    def find(self, urn: Any) -> Ref | None:
        """Return the version of a URN, None where there is none.

        With a class of Java the number counts the versions of that class, as HIPE's did;
        with a kind it is the version's own.
        """
        wanted = Urn(getattr(urn, "urn", urn))
        if wanted.poolId not in ("", self.id, self.urnId) or not self._core.exists:
            return None
        view = self._core.view
        if wanted.isJava:
            hits = self._core.find(kind=wanted.kind, all_versions=True, all_names=True)
            numbers = sorted(ref.number for ref in hits if ref.kind == wanted.kind)
            found = view.number(numbers[wanted.index]) if wanted.index < len(numbers) else None
        else:
            row = view.identity.version(wanted.index, view.at)
            found = None if row is None or row.kind != wanted.kind else view.ref(row)
        return None if found is None or found.purged or not self.shown(found) else found

    def shown(self, ref: Ref) -> bool:
        """Say whether a version was not removed."""
        return ref.row.name is not None

    def at_urn(self, urn: Any) -> Ref:
        """Return the version of a URN.

        Raises
        ------
        NotFound
            If there is none.
        """
        found = self.find(urn)
        if found is None:
            raise NotFound(f"{urn} is not in the pool {self.id}")
        return found

    def exists(self, urn: Any) -> bool:
        """Say whether there is a version of that URN."""
        return self.find(urn) is not None

    def meta(self, urn: Any) -> MetaData:
        """Return the metadata of a product; no data are read."""
        return ProductRef(self.at_urn(urn)).meta

    def loadProduct(self, urn: Any) -> Any:
        """Return a product."""
        return ProductRef(self.at_urn(urn)).product

    def load(self, urn: Any) -> Any:
        """Return a product; in a storage the same call gives its reference."""
        return self.loadProduct(urn)

    def loadDescriptors(self, urn: Any) -> dict[str, Any]:
        """Return what is known of a product without loading it."""
        return ProductRef(self.at_urn(urn)).descriptors

    def saveProduct(self, product: Any, tag: str | None = None) -> Urn:
        """Save a product and return its URN."""
        return Urn(self.storage.save(product, tag).urn)

    def saveProductRef(self, ref: ProductRef) -> Urn:
        """Save the product of a reference and return its URN."""
        return self.saveProduct(ref.product)

    def save(self, product: Any, tag: str | None = None) -> ProductRef:
        """Save a product and return its reference."""
        return self.storage.save(product, tag)

    def remove(self, urn: Any) -> bool:
        """Remove a version; see `ProductStorage.remove`."""
        return bool(self.storage.remove(urn))

    def removeAll(self) -> None:
        """Remove everything; the pool's own history keeps it for 30 days."""
        self.check_writable()
        tracks = self._core.ls()
        if tracks:
            with self._core.commit("remove everything") as commit:
                for ref in tracks:
                    commit.remove(ref, alone=True)

    def getVersions(self, ref: Any) -> JavaList[ProductRef]:
        """Return all versions of a product, oldest first."""
        return self.storage.getVersions(ref)

    def getLastVersion(self, ref: Any) -> ProductRef:
        """Return the newest version of a product."""
        return self.storage.getHead(ref)

    def getReferenceCount(self, ref: Any) -> int:
        """Return how many versions refer to a version."""
        from skypool.hipe.removing import referrers

        return len(referrers(self.at_urn(getattr(ref, "urn", ref))))

    # -- tags

    def setTag(self, tag: str, urn: Any) -> None:
        """Put a tag on a version; it leaves all others."""
        self.storage.setTag(tag, urn)

    def removeTag(self, tag: str) -> None:
        """Forget a tag."""
        self.storage.removeTag(tag)

    def tagExists(self, tag: str) -> bool:
        """Say whether there is such a tag."""
        return self.storage.tagExists(tag)

    def getTags(self, urn: Any = None) -> JavaList[str]:
        """Return all tags, or those of a version."""
        return self.storage.getAllTags() if urn is None else self.storage.getTags(urn)

    def getUrnObject(self, tag: str) -> Urn:
        """Return the URN of a tag."""
        return Urn(self.storage.getUrnFromTag(tag))

    def removeUrn(self, urn: Any) -> None:
        """Take all tags from a version."""
        for tag in self.storage.getTags(urn):
            self.storage.removeTag(tag)

    def getTagUrnMap(self) -> JavaMap[str]:
        """Return the URNs by tags."""
        storage = self.storage
        return JavaMap((tag, storage.getUrnFromTag(tag)) for tag in storage.getAllTags())

    # -- all

    @property
    def storage(self) -> ProductStorage:
        """A storage of this pool alone."""
        from skypool.hipe.storage import ProductStorage

        return ProductStorage(self)

    def select(self, query: Any, previous: Any = None) -> Any:
        """Return what a query finds."""
        return self.storage.select(query, previous)

    def toString(self) -> str:
        """Return its name and place."""
        return str(self)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    __repr__ = __str__


class LocalStore(ProductPool):
    """A pool in a folder of this machine."""

    def ingest(self, folder: Any, inPlace: Any = False) -> JavaList[ProductRef]:
        """Add a file or folder, or, in place, take note of it where it is."""
        self.check_writable()
        ref = self._core.add(os.fspath(str(folder)), in_place=bool(inPlace))
        return JavaList([ProductRef(ref, self.storage)])

    def save(self, product: Any, fileName: str | None = None) -> ProductRef:
        """Save a product under a file name, below the folder that `meta["context"]` names."""
        track = getattr(product, "_places", None) and product._places.tracks.get(self.key)
        if track and track.type != product.type:
            # Only storages know versions; a store takes what it gets as something new.
            del product._places.tracks[self.key]
        return self.storage.save_as(product, name=fileName)

    def rebuildIndex(self) -> None:
        """Make the catalogue again."""
        if self._core.exists:
            self._core.reindex()

    def clear(self) -> None:
        """Remove everything."""
        self.removeAll()

    def clearLocks(self) -> int:
        """Return 0: locks of processes that ended are gone with them."""
        return 0

    def isPoolLocked(self) -> bool:
        """Return False: locks are held only while something is written."""
        return False

    @property
    def poolSize(self) -> float:
        """Bytes that it takes."""
        return float(self._core.info().bytes_stored) if self._core.exists else 0.0

    @property
    def context(self) -> LocalStoreContext:
        """Name and folder."""
        return LocalStoreContext(self.id, os.path.dirname(self._core.path))


class HttpClientPool(ProductPool):
    """A pool of another machine, by its URL.

    Parameters
    ----------
    url
        Where it is.
    name
        Its name there.
    user, password
        For pools that ask for them.
    """

    def __init__(
        self, url: str, name: str = "", user: str | None = None, password: str | None = None
    ) -> None:
        where = f"{url.rstrip('/')}/{name}" if name else url
        super().__init__(Pool(where, "r"), name or None)
        self._user, self._password = user, password


class LocalStoreContext(Bean):
    """Name and folder of a pool.

    Parameters
    ----------
    id
        Its name.
    storeDir
        The folder in which its own is; by default that of all named pools.
    """

    def __init__(self, id: str, storeDir: Any = None) -> None:
        self._id = check_id(id)
        self._folder = None if storeDir is None else os.fspath(str(storeDir))

    @property
    def id(self) -> str:
        """Its name."""
        return self._id

    @property
    def storeDir(self) -> str:
        """The pool's own folder."""
        home = self._folder or os.fspath(from_environment().home)
        return os.path.abspath(os.path.join(os.path.expanduser(home), self._id))
