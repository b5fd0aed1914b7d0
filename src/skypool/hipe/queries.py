"""Queries: what is looked for, in the words of HIPE's scripts."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from skypool.errors import NotFound, QueryError, UsageError
from skypool.hipe.bean import Bean
from skypool.hipe.classes import class_of_kind, kind_of
from skypool.hipe.containers import JavaList
from skypool.hipe.contexts import Context
from skypool.hipe.products import CLASSES, Product
from skypool.hipe.refs import ProductRef, ref_of
from skypool.hipe.where_catalogue import Terms
from skypool.hipe.where_evaluate import Evaluator, NoMatch, check_attribute
from skypool.hipe.where_names import MISSING, Names, callers_names
from skypool.hipe.where_short import rewritten
from skypool.hipe.where_text import parsed
from skypool.model.kinds import is_kind

if TYPE_CHECKING:
    from skypool.hipe.pools import ProductPool
    from skypool.hipe.storage import ProductStorage

__all__ = [
    "AttribQuery",
    "Found",
    "FullQuery",
    "JavaQuery",
    "MetaQuery",
    "Query",
    "StorageQuery",
    "query_of",
]

_log = logging.getLogger(__name__)


class Found(JavaList[ProductRef]):
    """What a query found.

    Attributes
    ----------
    errors : list of (ProductRef, Exception)
        Products for which a function of the script failed; they are not among the found.
    """

    def __init__(self, refs: Iterable[ProductRef] = ()) -> None:
        super().__init__(refs)
        self.errors: list[tuple[ProductRef, Exception]] = []


class StorageQuery(Bean):
    """A query for products of a class.

    Parameters
    ----------
    productClass
        A class of products; its sub-classes are found too.
    variable
        The name that stands for the product.
    where
        An expression of Python or Jython, or a function of a product.
    allVersions
        Whether old versions are looked at too.
    """

    QUERY_ALL: ClassVar[StorageQuery]

    def __init__(
        self,
        productClass: Any = Product,
        variable: str = "p",
        where: Any = "1",
        allVersions: Any = False,
    ) -> None:
        self._start(kind_of(productClass), str(variable), where, bool(allVersions))

    def _start(self, kind: str, variable: str, where: Any, every: bool) -> None:
        self._kind, self._variable, self._every = kind, variable, every
        self._function: Callable[[Any], Any] | None = where if callable(where) else None
        self._where = getattr(where, "__name__", "") if callable(where) else where
        self._names = Names(callers_names())
        tree = ast.Constant(True) if callable(where) else self._tree(self._where)
        self._evaluator = Evaluator(tree, variable, self._names)
        _check_names(tree, variable, self._names)
        self._clause = tree
        self._look()

    def _look(self) -> None:
        """Take the values that the names of the script have now."""
        self._terms = Terms(self._clause, self._variable, self._evaluator)

    def _tree(self, where: str) -> ast.expr:
        return parsed(where)

    # -- what it is

    @property
    def productClass(self) -> Any:
        """The class of products."""
        return CLASSES.get(self._kind) or class_of_kind(self._kind)

    @property
    def variable(self) -> str:
        """The name that stands for the product."""
        return self._variable

    @property
    def where(self) -> str:
        """The condition."""
        return str(self._where)

    @property
    def retrieveAllVersions(self) -> bool:
        """Whether old versions are looked at too."""
        return self._every

    @retrieveAllVersions.setter
    def retrieveAllVersions(self, wanted: Any) -> None:
        self._every = bool(wanted)

    def toString(self) -> str:
        """Return class, variable and condition."""
        return str(self)

    def __str__(self) -> str:
        name = class_of_kind(self._kind).__name__
        return f"{type(self).__name__}({name}, {self._variable!r}, {self.where!r})"

    __repr__ = __str__

    # -- asking

    def select(self, storage: ProductStorage, previous: Any = None) -> Found:
        """Return what it finds in a storage, in the order in which it was saved.

        Parameters
        ----------
        storage
            Its pools are asked one after the other.
        previous
            An earlier result to look in.
        """
        self._look()
        if previous is not None:
            return self._among((ref_of(item) for item in previous), storage)
        return self._chosen(
            ProductRef(ref, storage) for pool in storage.pools for ref in self._candidates(pool)
        )

    def match(self, target: Any, previous: Any = None) -> Found:
        """Return what it finds in a storage, in a context and all below it, or among refs."""
        from skypool.hipe.pools import ProductPool
        from skypool.hipe.storage import ProductStorage

        if isinstance(target, ProductPool):
            target = ProductStorage(target)
        if isinstance(target, ProductStorage):
            return self.select(target, previous)
        if isinstance(target, Context):
            target = target.getAllRefs(True, True)
        self._look()
        found = self._among((ref_of(item) for item in target), None)
        if previous is None:
            return found
        earlier = set(previous)
        return Found(ref for ref in found if ref in earlier)

    def _kinds(self) -> list[str]:
        """Return the kind, and those of sub-classes that scripts wrote."""
        mine = self.productClass
        own = [kind for kind, cls in CLASSES.items() if issubclass(cls, mine)]
        return [self._kind, *(kind for kind in own if not is_kind(kind, self._kind))]

    def _candidates(self, pool: ProductPool) -> Iterator[Any]:
        """Yield what the catalogue of a pool leaves, in the order in which it was saved."""
        core = pool.pool
        if not core.exists:
            return
        found: dict[int, Any] = {}
        text = " and ".join(f"({term})" for term in self._terms.texts)
        for kind in self._kinds():
            hits = core.find(
                text,
                kind=None if kind == "Product" else kind,
                values=self._terms.values,
                all_versions=self._every,
                all_names=True,
            )
            found.update((ref.number, ref) for ref in hits)
        for number in sorted(found):
            if not found[number].purged:
                yield found[number]

    def _among(self, refs: Iterable[ProductRef], storage: Any) -> Found:
        """Return those of some references for which it holds."""
        if any(text.partition("(")[0] in _SKY for text in self._terms.texts):
            refs = self._on_sky(refs, storage)
        mine = self.productClass
        kinds = self._kinds()

        def fits(ref: ProductRef) -> bool:
            kind = ref.type.kind
            return any(is_kind(kind, wanted) for wanted in kinds) or issubclass(ref.type, mine)

        return self._chosen(ref for ref in dict.fromkeys(refs) if fits(ref))

    def _on_sky(self, refs: Iterable[ProductRef], storage: Any) -> Iterator[ProductRef]:
        from skypool.hipe.storage import ProductStorage

        if not isinstance(storage, ProductStorage):
            raise QueryError("conditions on the sky are asked of a storage")
        known = {ref for pool in storage.pools for ref in self._candidates(pool)}
        return (ref for ref in refs if ref.saved and ref.core in known)

    def _chosen(self, refs: Iterable[ProductRef]) -> Found:
        """Return those for which the condition holds."""
        found, answers = Found(), 0
        for ref in refs:
            try:
                if self._holds(ref):
                    found.append(ref)
                answers += 1
            except NotFound:
                continue  # what it asks for is not in the product
            except (QueryError, NameError, ImportError, SyntaxError):
                raise
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                found.errors.append((ref, error))
        if found.errors and not answers:
            raise found.errors[0][1]  # a mistake of the function, not of the data
        for failed, reason in found.errors:
            _log.warning("%s was left out: %s: %s", failed.urn, type(reason).__name__, reason)
        return found

    def _holds(self, ref: ProductRef) -> bool:
        if self._function is not None:
            return bool(self._function(self._product(ref)))
        rest = self._terms.rest
        return rest is None or self._evaluator.matches(self._product(ref), rest)

    def _product(self, ref: ProductRef) -> Any:
        # What was loaded only for the question is not kept.
        return (ref if ref._product is not None else ProductRef(ref.core, ref.storage)).product


_SKY = frozenset({"covers", "footprint_covers", "within", "overlaps"})


def _check_names(tree: ast.expr, variable: str, names: Names) -> None:
    """Refuse names and functions that nothing is known of, before any product is asked."""
    local = {variable}
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension) and isinstance(node.target, ast.Name):
            local.add(node.target.id)
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    modules = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            check_attribute(node.attr)
        if not isinstance(node, ast.Name) or node.id in local:
            continue
        if id(node) in called:
            if node.id not in _SKY and names.function(node.id) is MISSING:
                raise QueryError(
                    f"the where-clause calls {node.id!r}, which is not known",
                    candidates=names.near(node.id),
                )
        elif names.value(node.id) is MISSING:
            if id(node) in modules and names.module(node.id) is not None:
                continue
            raise QueryError(
                f"{node.id!r} is not known in the where-clause",
                candidates=names.near(node.id, local),
                hint=f"a parameter is written {variable}.meta['{node.id}'].value",
            )


class AttribQuery(StorageQuery):
    """A query about attributes: creator, type, instrument, start and so on."""


class MetaQuery(StorageQuery):
    """A query about attributes and any other parameter."""


class FullQuery(StorageQuery):
    """A query about anything in the product; data are read where statistics do not tell."""


class JavaQuery(StorageQuery):
    """A query by a function.

    Parameters
    ----------
    productClass
        A class of products.
    predicate
        A function of a product, or what has a method `matches`, `evaluate` or `test`.
    allVersions
        Whether old versions are looked at too.
    """

    def __init__(self, productClass: Any, predicate: Any, allVersions: Any = False) -> None:
        for name in ("matches", "evaluate", "test", "apply"):
            predicate = getattr(predicate, name, predicate)
        if not callable(predicate):
            raise UsageError(f"a {type(predicate).__name__} is no function of a product")
        self._start(kind_of(productClass), "p", predicate, bool(allVersions))


class Query(StorageQuery):
    """A query in short: `Query("instrument == 'PACS' and width >= 200")`.

    A bare name is an attribute, a variable of the script, or a parameter; `meta['key']` is a
    parameter, `['table']['column']` a dataset. Functions are those of the script and of
    mathematics.

    Parameters
    ----------
    *given
        The condition; or a class; or class and condition; or class, name of the product,
        condition, and whether old versions are looked at.
    """

    _quiet: ClassVar[bool] = True

    def __init__(self, *given: Any) -> None:
        if not 1 <= len(given) <= 4:
            raise UsageError("Query(condition), Query(class, condition) or more; see its help")
        wanted, variable, where, every = Product, "p", "1", False
        if len(given) == 1 and isinstance(given[0], str) and not _is_class(given[0]):
            where = given[0]
        elif len(given) == 2:
            wanted, where = given
        else:
            rest = [*given[1:], *(variable, where, every)[len(given) - 1 :]]
            wanted, variable, where, every = given[0], str(rest[0]), rest[1], bool(rest[2])
        self._sort, self._keys = "Attrib", set[str]()
        self._start(kind_of(wanted), str(variable), where, bool(every))

    def _tree(self, where: str) -> ast.expr:
        tree, self._sort, self._keys = rewritten(parsed(where), self._variable, self._names)
        return tree

    def select(self, storage: ProductStorage, previous: Any = None) -> Found:
        """Return what it finds in a storage; see `StorageQuery.select`.

        Raises
        ------
        QueryError
            If a name in it is neither known to the script nor a parameter of any product.
        """
        pools = [pool.pool for pool in storage.pools if pool.pool.exists]
        known: set[str] = set().union(*(pool.view.session.catalogue.keys() for pool in pools))
        for name in self._keys if known and previous is None else ():
            if name not in known:
                raise QueryError(
                    f"{name!r} is neither a name of the script nor a parameter of a product",
                    candidates=self._names.near(name, known),
                )
        return super().select(storage, previous)

    @property
    def type(self) -> str:
        """`Attrib`, `Meta` or `Full`: what has to be looked at."""
        return self._sort

    @property
    def queryType(self) -> str:
        """The same as the name of a class: `MetaQuery`."""
        return f"{self._sort}Query"

    @classmethod
    def setQuiet(cls, quiet: Any) -> None:
        """Say whether products without a parameter are passed over, or are an error."""
        cls._quiet = bool(quiet)

    def _holds(self, ref: ProductRef) -> bool:
        if self._quiet or self._terms.rest is None or self._function is not None:
            return super()._holds(ref)
        try:
            return self._evaluator.matches(self._product(ref), self._terms.rest, quiet=False)
        except NoMatch:
            raise QueryError(f"{ref.urn} lacks what {self.where!r} asks for") from None

    def _candidates(self, pool: ProductPool) -> Iterator[Any]:
        if self._quiet:
            return super()._candidates(pool)
        terms, self._terms.texts = self._terms.texts, []
        try:
            return iter(list(super()._candidates(pool)))
        finally:
            self._terms.texts = terms


def _is_class(text: str) -> bool:
    return text.isidentifier() and text[:1].isupper()


def query_of(given: Any) -> StorageQuery:
    """Return a query for what was given: a query, a condition, or a class."""
    if isinstance(given, StorageQuery):
        return given
    if isinstance(given, str | type):
        return Query(given)
    if callable(given):
        return JavaQuery(Product, given)
    raise UsageError(f"a {type(given).__name__} is no query")


StorageQuery.QUERY_ALL = AttribQuery(Product, "p", "1")
