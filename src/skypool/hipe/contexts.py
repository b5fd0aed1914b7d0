"""Contexts: products whose content is references to others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from skypool.errors import Ambiguous, ContextRuleException, UsageError
from skypool.hipe.containers import JavaList, JavaMap
from skypool.hipe.products import Product
from skypool.hipe.refs import ProductRef, ref_of
from skypool.model.kinds import is_context
from skypool.model.names import missing_name
from skypool.model.product import Product as CoreProduct
from skypool.model.references import Refs
from skypool.pool.old_stores import bridges, references
from skypool.pool.ref import Ref

__all__ = ["Context", "ListContext", "MapContext", "RefList", "RefMap"]

Rule = Callable[[ProductRef], Any]


def _anything(_ref: ProductRef) -> bool:
    return True


def _nothing(_ref: ProductRef) -> bool:
    return False


class Context(Product):
    """Base of the contexts.

    Parameters
    ----------
    description
        What it is.
    **attributes
        Any property.
    """

    kind = "Context"
    ALLOW_ANYTHING: ClassVar[Rule] = staticmethod(_anything)
    ALLOW_NOTHING: ClassVar[Rule] = staticmethod(_nothing)
    _rule: Rule = staticmethod(_anything)

    @staticmethod
    def isContext(wanted: Any) -> bool:
        """Say whether a class is one of contexts."""
        from skypool.hipe.classes import kind_of

        return is_context(kind_of(wanted))

    @property
    def rule(self) -> Rule:
        """What says of a reference whether it may be put in."""
        return self._rule

    @rule.setter
    def rule(self, rule: Any) -> None:
        self._rule = _as_rule(rule)

    def addRule(self, rule: Any) -> None:
        """Add a condition to those that there are."""
        before, more = self._rule, _as_rule(rule)
        self._rule = lambda ref: before(ref) and more(ref)

    def isValid(self) -> bool:
        """Say whether it is complete; one that says no is not saved."""
        return True

    def isDirty(self, storage: Any = None) -> bool:
        """Say whether it, or something below it, is not as it was loaded or saved.

        Parameters
        ----------
        storage
            Where it would be saved.
        """
        from skypool.hipe.saving import changed

        return changed(self, None if storage is None else storage.writablePool)

    def _check(self, key: str, ref: ProductRef) -> None:
        if not self._rule(ref):
            raise ContextRuleException(
                f"the rule of the context refuses {ref} as {key!r}",
                hint="getRule() and setRule() look at it and change it",
            )

    def _start(self, core: CoreProduct | None) -> None:
        super()._start(core)
        self._loaded: dict[str, Any] | None = None

    def loaded_refs(self) -> dict[str, Any]:
        """Return the references that were loaded, in a file of HIPE those of its table."""
        if self._loaded is None:
            core = self._core
            self._loaded = {} if core is None else dict(core.refs)
            if core is not None and not self._loaded and isinstance(core.origin, Ref):
                self._loaded = dict(references(core.origin, core))
        return self._loaded

    def adopt(self, core: CoreProduct) -> None:
        """Take what was saved for what was loaded; nothing that is held changes."""
        if "context" in self._sets and "context" not in core.datasets:
            del self._sets["context"]
        super().adopt(core)
        self._loaded = None

    def _kept_refs(self, core: CoreProduct) -> Refs:
        return core.refs

    def _refs_of_file(self, core: CoreProduct) -> bool:
        return not core.refs and bool(bridges(core))

    def pairs(self) -> list[tuple[str, ProductRef]]:
        """Return roles and references, in their order."""
        return []

    def getAllRefs(self, recursive: bool = False, includeContexts: bool = True) -> Any:
        """Return the references, each once.

        Parameters
        ----------
        recursive
            Whether those of contexts below are looked for, too.
        includeContexts
            Whether contexts are among them.
        """
        found: dict[ProductRef, None] = {}
        for _, ref in self.pairs():
            inner = is_context(ref.type.kind)
            if ref not in found and (includeContexts or not inner):
                found[ref] = None
            if recursive and inner:
                found.update(dict.fromkeys(ref.product.getAllRefs(True, includeContexts)))
        return JavaList(found)


def _as_rule(rule: Any) -> Rule:
    if rule is None:
        return _anything
    for name in ("evaluate", "contains", "test", "apply"):
        if callable(getattr(rule, name, None)):
            return getattr(rule, name)  # type: ignore[no-any-return]
    if not callable(rule):
        raise UsageError(f"a {type(rule).__name__} is no rule", hint="give a function of a ref")
    return rule  # type: ignore[no-any-return]


class RefMap(JavaMap[ProductRef]):
    """References by role; products are taken as well, and a role without its file ending.

    Parameters
    ----------
    given
        The first ones.
    check
        Asked before one is put in.
    """

    def __init__(
        self, given: Mapping[str, Any], check: Callable[[str, ProductRef], None] | None = None
    ) -> None:
        super().__init__(given, ref_of, check)

    def _role(self, wanted: object) -> str | None:
        if not isinstance(wanted, str) or dict.__contains__(self, wanted):
            return wanted if isinstance(wanted, str) else None
        found = [role for role in self if _stem(role) == wanted]
        if len(found) > 1:
            raise Ambiguous(f"{wanted!r} could be any of", candidates=found)
        return found[0] if found else None

    def __missing__(self, role: str) -> ProductRef:
        found = self._role(role)
        if found is None or found == role:
            raise missing_name("reference", self, role)
        return self[found]

    def __contains__(self, role: object) -> bool:
        if dict.__contains__(self, role):
            return True
        return self._role(role) not in (None, role)

    def get(self, role: Any, default: Any = None) -> Any:
        """Return a reference, else *default*."""
        if role not in self:
            return default
        return self[role]

    def pop(self, role: str, *default: Any) -> Any:
        """Take a reference out and return it."""
        return super().pop(self._role(role) or role, *default)

    def __setitem__(self, role: str, value: Any) -> None:
        # PSW takes the place of PSW.fits, not one beside it.
        super().__setitem__(self._role(role) or role, value)


def _stem(role: str) -> str:
    name = role.removesuffix(".gz")
    return name.rpartition(".")[0] or name


class MapContext(Context):
    """References by role.

    Parameters
    ----------
    description
        What it is.
    **attributes
        Any property; `refs` as a mapping of roles to references or products.
    """

    def _start(self, core: CoreProduct | None) -> None:
        super()._start(core)
        self._refs: RefMap | None = None

    @property
    def refs(self) -> RefMap:
        """The references by role."""
        if self._refs is None:
            self._refs = RefMap(self.loaded_refs(), self._check)
        return self._refs

    @refs.setter
    def refs(self, given: Mapping[str, Any]) -> None:
        made = RefMap({}, self._check)
        made.update(given)
        self._refs = made

    def pairs(self) -> list[tuple[str, ProductRef]]:
        """Return roles and references, in their order."""
        return list(self.refs.items())

    def _copy_refs(self, core: CoreProduct) -> None:
        self._refs = RefMap(core.refs, self._check)

    def getProduct(self, role: str) -> Any:
        """Return the product of a role."""
        return self.refs[role].product

    def setProduct(self, role: str, product: Any) -> None:
        """Put a product in the place of what the role stood for."""
        self.refs[role] = ProductRef(product) if not isinstance(product, ProductRef) else product

    def _product_getter(self, role: str) -> Callable[[], Any]:
        return lambda: self.getProduct(role)

    def __getattr__(self, name: str) -> Any:
        # obs.calibration.phot: the product of that role.
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_"):
                raise
            for role in (name, f"{name[3:4].lower()}{name[4:]}" if name.startswith("get") else ""):
                if role and role in self.refs:
                    return self.getProduct(role) if role == name else self._product_getter(role)
            raise


class RefList(JavaList[ProductRef]):
    """References in their order; products are taken as well.

    Parameters
    ----------
    given
        The first ones.
    check
        Asked before one is put in.
    """

    def __init__(self, given: Iterable[Any], check: Callable[[str, ProductRef], None]) -> None:
        super().__init__(ref_of(item) for item in given)
        self._ask = check

    def _taken(self, item: Any, place: int) -> ProductRef:
        ref = ref_of(item)
        self._ask(str(place), ref)
        return ref

    def append(self, item: Any) -> None:
        """Append a reference."""
        super().append(self._taken(item, len(self)))

    def insert(self, place: Any, item: Any) -> None:
        """Insert a reference at a place."""
        super().insert(place, self._taken(item, place))

    def extend(self, items: Iterable[Any]) -> None:
        """Append several references."""
        for item in items:
            self.append(item)

    def __iadd__(self, items: Iterable[Any]) -> RefList:  # type: ignore[misc, override]
        self.extend(items)
        return self

    def __setitem__(self, place: Any, item: Any) -> None:
        if isinstance(place, slice):
            super().__setitem__(place, [self._taken(one, 0) for one in item])
        else:
            super().__setitem__(place, self._taken(item, place))

    def remove(self, item: Any) -> None:
        """Take out a reference, or what stands at a place."""
        if isinstance(item, int):
            del self[item]
        else:
            super().remove(ref_of(item))


class ListContext(Context):
    """References in their order.

    Parameters
    ----------
    description
        What it is.
    **attributes
        Any property; `refs` as a sequence of references or products.
    """

    def _start(self, core: CoreProduct | None) -> None:
        super()._start(core)
        self._refs: RefList | None = None

    @property
    def refs(self) -> RefList:
        """The references."""
        if self._refs is None:
            self._refs = RefList(self.loaded_refs().values(), self._check)
        return self._refs

    @refs.setter
    def refs(self, given: Iterable[Any]) -> None:
        made = RefList((), self._check)
        made.extend(given)
        self._refs = made

    def pairs(self) -> list[tuple[str, ProductRef]]:
        """Return places and references, in their order."""
        roles = list(self.loaded_refs())
        if len(roles) == len(self.refs):  # files of a folder keep their names
            return list(zip(roles, self.refs, strict=True))
        return [(str(place), ref) for place, ref in enumerate(self.refs)]

    def _copy_refs(self, core: CoreProduct) -> None:
        self._refs = RefList(core.refs.values(), self._check)

    def getProduct(self, place: int) -> Any:
        """Return the product at a place."""
        return self.refs[place].product

    def setProduct(self, place: int, product: Any) -> None:
        """Put a product in the place of another."""
        self.refs[place] = product

    def addProduct(self, product: Any) -> None:
        """Append a product."""
        self.refs.append(product)
