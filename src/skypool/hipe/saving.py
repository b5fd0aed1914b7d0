"""Products that change in place, and their trees, on the way into a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skypool.errors import Conflict, ContextRuleException, UsageError
from skypool.hipe.contexts import Context
from skypool.hipe.places import key_of
from skypool.hipe.products import Product
from skypool.hipe.refs import ProductRef
from skypool.model.product import Product as CoreProduct
from skypool.model.references import Refs
from skypool.pool.ref import Ref
from skypool.pool.transaction import Pending

if TYPE_CHECKING:
    from skypool.hipe.pools import ProductPool

__all__ = ["Tree", "changed"]


class Tree:
    """Makes products of skypool from those that change in place; what did not change is kept.

    Parameters
    ----------
    key
        Of the pool that they are for; None for none.
    pending
        What is on its way into the same commit already, by the identity of its product.
    """

    def __init__(self, key: bytes | None, pending: dict[int, Waiting] | None = None) -> None:
        self.key = key
        self._pending = pending or {}
        self._built: dict[int, CoreProduct] = {}
        # Kept, so that no id is used twice.
        self._kept: list[Product] = []
        self._above: set[int] = set()

    def build(self, product: Product) -> CoreProduct:
        """Return a product with all below it; the very one that was loaded if nothing changed."""
        if id(product) in self._built:
            return self._built[id(product)]
        if id(product) in self._above:
            raise UsageError("a context refers to itself, by itself or through others")
        self._above.add(id(product))
        refs = self._refs(product) if isinstance(product, Context) else None
        made = product.core_with(refs, self._origin(product))
        self._above.discard(id(product))
        if self.key is not None and made is not product._core:
            _check(product, made)
        self._built[id(product)] = made
        self._kept.append(product)
        return made

    def _origin(self, product: Product) -> Ref | None:
        places = product._places.tracks
        if self.key is not None:
            return places.get(self.key)
        return next(reversed(places.values()), None)

    def _refs(self, context: Context) -> Refs | None:
        """Return the references of a context; None where they are those that were loaded."""
        core = context._core
        away = core is not None and context._refs_of_file(core) and self._elsewhere(context)
        if getattr(context, "_refs", None) is None and not away:
            return None
        made = {role: self._target(ref) for role, ref in context.pairs()}
        if (
            core is not None
            and not away
            and list(context.loaded_refs().items()) == list(made.items())
        ):
            return None
        return Refs(made)

    def _elsewhere(self, context: Context) -> bool:
        """Say whether a context goes to a pool that does not have it."""
        return self.key is not None and self.key not in context._places.same

    def _target(self, ref: ProductRef) -> Any:
        loaded = ref._product
        if loaded is None and self.key is not None:
            core = ref.core
            # One of HIPE's files says itself what it refers to, and only where it came from.
            if isinstance(core, Ref) and key_of(core) != self.key and core.is_context:
                loaded = ref.product if not core.refs else None
        if loaded is None:
            return self._version(ref)
        built = self.build(loaded)
        waiting = self._pending.get(id(loaded))
        if waiting is not None and waiting.holds(built):
            return waiting.pending
        return self._version(ref) if built is loaded._core and ref.saved else built

    def _version(self, ref: ProductRef) -> Any:
        if self.key is not None and self.key in ref._places.same:
            return ref._places.same[self.key]
        # What is in memory may have been saved by itself since it was loaded.
        return (ref.newest() if ref._product is not None else None) or ref.core

    def unchanged(self, product: Product) -> bool:
        """Say whether a product, and all below it, is as it was loaded."""
        return self.build(product) is product._core

    def written(self) -> list[Product]:
        """Return the products that are not as they were loaded, children first."""
        return [p for p in self._kept if self._built[id(p)] is not p._core]

    def adopt(self, product: Product, ref: Ref, seen: set[int] | None = None) -> None:
        """Note what the products were saved as.

        Parameters
        ----------
        product
            The root.
        ref
            Its version.
        seen
            Products that were met already.
        """
        seen = set() if seen is None else seen
        if id(product) in seen:
            return
        seen.add(id(product))
        built = self._built.get(id(product))
        was = built is not None and built is not product._core
        if not was and product._places.same.get(self.key or b"") == ref:
            return
        product._places.note(ref, changed=was or product._core is None)
        product.adopt(ref.product)
        if not isinstance(product, Context) or getattr(product, "_refs", None) is None:
            return
        saved = ref.refs
        for role, child in product.pairs():
            found = saved[role]
            if not isinstance(found, Ref):
                continue
            if child._product is not None:
                self.adopt(child._product, found, seen)
            if not child._places.same:
                child._places.note(found, changed=True)
            child._places.note(found, changed=False)
            child.pin(found)


class Waiting:
    """A product that a commit has taken, and that becomes a version at its end.

    Parameters
    ----------
    product
        The product.
    core
        As it was taken.
    pending
        What it becomes.
    """

    __slots__ = ("core", "pending", "product")

    def __init__(self, product: Product, core: CoreProduct, pending: Pending) -> None:
        self.product = product
        self.core = core
        self.pending = pending

    def holds(self, core: CoreProduct) -> bool:
        """Say whether it was taken as it is now."""
        from skypool.model.compare import differences

        return core is self.core or not differences(core, self.core)


def _check(product: Product, made: CoreProduct) -> None:
    """Refuse what may not be saved.

    Raises
    ------
    ContextRuleException
        If it is a context that is not complete.
    Conflict
        If its track is one of other products.
    """
    if isinstance(product, Context) and not product.isValid():
        raise ContextRuleException(
            f"the context {product} reports itself as invalid (yet)",
            hint="complete it, then save it again",
        )
    origin = made.origin
    if not isinstance(origin, Ref):
        return
    for what, mine, theirs in (
        ("class", made.kind, origin.kind),
        ("type", made.type, origin.type),
    ):
        if mine != theirs:
            raise Conflict(
                f"{what} {mine} is not allowed in the version track of a product with {what} "
                f"{theirs}",
                hint="save product.copy() as another product",
            )


def changed(product: Product, pool: ProductPool | None = None) -> bool:
    """Say whether a product, or one below it, is not as it was loaded or saved.

    Parameters
    ----------
    product
        The product.
    pool
        Where it would be saved; what is not there yet counts as changed.
    """
    key = None if pool is None else pool.key
    tree = Tree(key)
    if not tree.unchanged(product) or not product._places.same:
        return True
    return pool is not None and key not in product._places.same
