"""References to products: what they are, without loading them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from skypool.errors import NotFound, UsageError
from skypool.hipe.bean import Bean
from skypool.hipe.containers import JavaList
from skypool.hipe.metadata import MetaData
from skypool.hipe.places import Places
from skypool.hipe.products import Product
from skypool.model.product import Product as CoreProduct
from skypool.model.references import ExternalRef
from skypool.pool.ref import Ref
from skypool.pool.transaction import Pending

if TYPE_CHECKING:
    from skypool.hipe.storage import ProductStorage

__all__ = ["ProductRef", "ref_of"]

_log = logging.getLogger(__name__)


class ProductRef(Bean):
    """A product of a pool, or one that is not saved yet.

    What was loaded is kept as long as the reference is: edits of `ref.product` are there when
    it is asked for again, and are saved with the context that holds the reference.

    Parameters
    ----------
    target
        A product, or a version in a pool.
    storage
        The storage that it came from.
    """

    def __init__(self, target: Any, storage: ProductStorage | None = None) -> None:
        self._storage = storage
        self._product: Any = None
        self._pending: Pending | None = None
        # The version that it stands for; one to an unsaved product follows that.
        self._pin: Ref | ExternalRef | None = None
        self._places = Places()
        if isinstance(target, Product):
            self._product, self._places = target, target._places
        elif isinstance(target, Ref):
            self._pin, self._places = target, Places(target)
        elif isinstance(target, ExternalRef):
            self._pin = target
        elif isinstance(target, CoreProduct):
            origin = target.origin if isinstance(target.origin, Ref) else None
            self._places = Places(origin)
            if not target.unchanged:
                self._places.same.clear()
            self._product = Product.of_core(target, self._places)
        else:
            raise UsageError(f"a {type(target).__name__} is no product")

    # -- the product

    @property
    def product(self) -> Any:
        """The product, loaded when it is first asked for; its data are read when they are."""
        if self._product is None:
            found = self.core
            if isinstance(found, ExternalRef):
                found = self._elsewhere(found)
            self._places = Places(found)
            self._product = Product.of_core(found.product, self._places)
        return self._product

    def _elsewhere(self, external: ExternalRef) -> Ref:
        """Look for a version of another pool."""
        from skypool.hipe.managers import find_urn

        found = find_urn(external.urn, self._storage)
        if found is None:
            raise NotFound(
                f"{external.urn} is in no pool at hand",
                hint="register its pool to the storage",
            )
        return found

    @property
    def core(self) -> Ref | ExternalRef:
        """The version that it stands for.

        Raises
        ------
        UsageError
            As long as it is not saved.
        """
        found = self._pin or self.newest()
        if found is None:
            raise UsageError("the product is not saved yet", hint="save it: storage.save(product)")
        return found

    def newest(self) -> Ref | None:
        """Return the version that its product was loaded from or saved as last."""
        return next(reversed(self._places.same.values()), None)

    @property
    def saved(self) -> bool:
        """Whether a pool holds it."""
        return self._pin is not None or self.newest() is not None

    def pin(self, ref: Ref) -> None:
        """Stand for a version from now on."""
        self._pin = ref

    @property
    def isLoaded(self) -> Any:
        """Whether the product is in memory; also as a method, `isLoaded()`."""
        return _Truth(self._product is not None)

    def unload(self) -> None:
        """Forget the loaded product; what was changed in it and is not saved is told."""
        if self._product is None or not self.saved:
            return
        from skypool.hipe.saving import changed

        if changed(self._product):
            _log.warning("edits of %s were not saved, and are dropped by unload()", self.urn)
        self._product = None

    # -- what it is

    @property
    def meta(self) -> MetaData:
        """The parameters, without loading the product; edits belong into `ref.product.meta`."""
        if self._product is not None:
            return self._product.meta  # type: ignore[no-any-return]
        found = self.core
        if isinstance(found, ExternalRef):
            found = self._elsewhere(found)
        return MetaData(found.meta).frozen()

    @property
    def urn(self) -> str | None:
        """The URN; None as long as it is not saved."""
        return self.core.urn if self.saved else None

    @property
    def type(self) -> Any:
        """The class of the product."""
        from skypool.hipe.classes import class_of_kind

        if self._product is not None:
            return type(self._product)
        found = self.core
        return class_of_kind((found if isinstance(found, Ref) else self._elsewhere(found)).kind)

    def _version(self) -> Ref | None:
        found = self.core if self.saved else None
        return found if isinstance(found, Ref) else None

    @property
    def version(self) -> int:
        """Number of the version in its track, -1 where it is not known."""
        found = self._version()
        return -1 if found is None else found.version

    @property
    def trackId(self) -> str | None:
        """What the versions of one product have in common; None where it is not saved."""
        found = self._version()
        return None if found is None else f"{found.kind}_{found.track}"

    def hasTrack(self) -> bool:
        """Say whether it is a version of a track."""
        return self._version() is not None

    @property
    def size(self) -> int:
        """Bytes of the product, without its children."""
        found = self._version()
        return 0 if found is None else found.size

    @property
    def totalSize(self) -> int:
        """Bytes of the product and all below it."""
        found = self._version()
        return 0 if found is None else found.total_size

    @property
    def hash(self) -> str | None:
        """Digest of the content (BLAKE3-256)."""
        found = self._version()
        return None if found is None else found.hash

    @property
    def tags(self) -> JavaList[str]:
        """Labels of the version."""
        found = self._version()
        return JavaList(() if found is None else found.tags)

    @property
    def parents(self) -> JavaList[ProductRef]:
        """The versions that refer to it."""
        found = self._version()
        return JavaList(
            ProductRef(ref, self._storage) for ref in (() if found is None else found.parents)
        )

    @property
    def storage(self) -> ProductStorage | None:
        """The storage that it came from."""
        return self._storage

    @property
    def descriptors(self) -> dict[str, Any]:
        """What is known without loading the product."""
        return {
            "type": self.type.__name__,
            "urn": self.urn,
            "trackId": self.trackId,
            "version": self.version,
            "size": self.size,
            "totalSize": self.totalSize,
            "hash": self.hash,
        }

    def compareTo(self, other: ProductRef) -> int:
        """Return -1, 0 or 1 by the URNs."""
        mine, theirs = self.urn or "", other.urn or ""
        return (mine > theirs) - (mine < theirs)

    def equals(self, other: object) -> bool:
        """Say whether it is the same version, or the same unsaved product."""
        return self == other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProductRef):
            return NotImplemented
        if self.saved and other.saved:
            return self.core == other.core
        return self._product is not None and self._product is other._product

    def __hash__(self) -> int:
        return hash(self.core) if self.saved else id(self._product)

    def toString(self) -> str:
        """Return the URN, or what the product is."""
        return str(self)

    def __str__(self) -> str:
        return f"ProductRef({self.urn or self._product})"

    __repr__ = __str__


class _Truth(int):
    """A truth value that may be called, so that `ref.isLoaded` and `ref.isLoaded()` both work."""

    def __call__(self) -> bool:
        return bool(self)

    def __repr__(self) -> str:
        return repr(bool(self))


def ref_of(given: Any) -> ProductRef:
    """Return a reference to what was given: a reference, a product, a version in a pool."""
    return given if isinstance(given, ProductRef) else ProductRef(given)
