"""A query answered for one product: the definition that other drivers are tested against.

Truth has three values (see `skypool.query.compare`): a condition on what a product lacks is not
known, ``not`` of it is not known either, and a product is found only where the whole is true.

Names that only datasets have (keys of extensions, ``nrows``, ``shape``) make the condition that
holds them range over the datasets: it is true where it is true for any of them. ``x != 1`` is
``not (x == 1)``, so it says that none is 1.

A bare name may mean two texts: what a product says under a key of its own, and the core attribute
that rules made of it. A condition holds where it holds for either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from skypool.errors import QueryError
from skypool.query import arithmetic
from skypool.query.compare import (
    Truth,
    all_of,
    any_of,
    compare,
    negated,
    truth_of,
)
from skypool.query.functions import FUNCTIONS
from skypool.query.members import Members
from skypool.query.predicates import PREDICATES, contains_text
from skypool.query.sky import SKY
from skypool.query.subject import (
    Subject,
    attribute,
    beside,
    dataset_called,
    datasets_of,
    facet,
    named,
    parameter,
)
from skypool.query.tree import (
    ATTRIBUTES,
    STRUCTURE,
    And,
    Binary,
    Binding,
    Call,
    Column,
    Compare,
    Dataset,
    Facet,
    Item,
    ListOf,
    Literal,
    Meta,
    Name,
    Negate,
    Node,
    Not,
    Or,
    walk,
)
from skypool.query.values import Value

__all__ = ["Evaluator", "matches", "truth"]

T = TypeVar("T")
_REMEMBERED: Final = 512
_POSITIVE: Final = {"!=": "==", "not in": "in"}


def matches(tree: Node, subject: Subject, text: str = "") -> bool:
    """Tell whether a product is found by a query.

    Parameters
    ----------
    tree
        The query, all names bound.
    subject
        The product.
    text
        The query as written, for errors.

    Raises
    ------
    QueryError
        If the query cannot be answered at all.
    """
    return truth(tree, subject, text) is True


def truth(tree: Node, subject: Subject, text: str = "") -> Truth:
    """Return whether a query holds for a product; None where that is not known."""
    return Evaluator(subject, text).truth(tree)


def _positive(node: Compare) -> Compare | None:
    """Return the comparison that a single ``!=`` or ``not in`` negates."""
    if len(node.rest) == 1 and node.rest[0][0] in _POSITIVE:
        operator, operand = node.rest[0]
        return Compare(node.first, ((_POSITIVE[operator], operand),), column=node.column)
    return None


def _remembered(make: Callable[[Node], T]) -> Callable[[Node], T]:
    """Remember what was made of the same node; nodes hash by content, which may be large."""
    known: dict[int, tuple[Node, T]] = {}

    def remembering(node: Node) -> T:
        entry = known.get(id(node))
        if entry is None or entry[0] is not node:
            if len(known) >= _REMEMBERED:
                known.clear()
            entry = known[id(node)] = (node, make(node))
        return entry[1]

    return remembering


@_remembered
def _ranging(node: Node) -> tuple[tuple[tuple[str, bool], ...], frozenset[str]]:
    """Return the metadata keys, each with whether it is a bare name, and the structure names."""
    keys: list[tuple[str, bool]] = []
    structure: set[str] = set()
    for part in walk(node, others=False):
        if isinstance(part, Name):
            if part.name in STRUCTURE:
                structure.add(part.name)
            elif part.name not in ATTRIBUTES:
                keys.append((part.name, True))
        elif isinstance(part, Meta) and not part.dataset:
            keys.append((part.key, False))
    return tuple(dict.fromkeys(keys)), frozenset(structure)


@_remembered
def _members(node: Node) -> Members | None:
    """Return the values of a list that is written out or bound."""
    values: list[Value] = []
    for item in node.children():
        if not isinstance(item, Literal):
            return None
        values.append(item.value)
    return Members(values)


class Evaluator:
    """Answers about one product.

    Parameters
    ----------
    subject
        The product.
    text
        The query as written, for errors.
    dataset
        The dataset whose metadata stand in where the product has none.
    attributes
        Whether core attributes that stand beside own keys answer instead of them.
    """

    def __init__(
        self, subject: Subject, text: str = "", dataset: Any = None, *, attributes: bool = False
    ) -> None:
        self.subject = subject
        self.text = text
        self.dataset = dataset
        self.attributes = attributes

    def about(self, subject: Subject) -> Evaluator:
        """Return what answers about another product."""
        return Evaluator(subject, self.text)

    def truth(self, node: Node) -> Truth:
        """Return whether a condition holds."""
        if isinstance(node, And):
            return all_of(self.truth(item) for item in node.items)
        if isinstance(node, Or):
            return any_of(self.truth(item) for item in node.items)
        if isinstance(node, Not):
            return negated(self.truth(node.item))
        positive = _positive(node) if isinstance(node, Compare) else None
        asked = positive or node
        datasets = self._datasets(asked) if self.dataset is None else []
        found = self._over(asked, datasets)
        if found is not True and not self.attributes and self._has_beside(asked):
            other = Evaluator(self.subject, self.text, self.dataset, attributes=True)
            second = other._over(asked, datasets)
            found = second if found is None or second else found
        return found if positive is None else negated(found)

    def _has_beside(self, node: Node) -> bool:
        keys, _ = _ranging(node)
        return any(bare and beside(self.subject, key) is not None for key, bare in keys)

    def _over(self, node: Node, datasets: list[Any]) -> Truth:
        if not datasets:
            return self._decide(node)
        return any_of(
            Evaluator(self.subject, self.text, dataset, attributes=self.attributes)._decide(node)
            for dataset in datasets
        )

    def _datasets(self, node: Node) -> list[Any]:
        """Return the datasets that a condition ranges over, none if it does not."""
        keys, structure = _ranging(node)
        if not keys and not structure:
            return []
        fallen = [key for key, bare in keys if not self._own(key, bare)[0]]
        if not fallen and not structure:
            return []
        return [
            dataset
            for dataset in datasets_of(self.subject.datasets)
            if any(parameter(dataset.meta, key)[0] for key in fallen)
            or any(facet(dataset, name) is not None for name in structure)
        ]

    def _decide(self, node: Node) -> Truth:
        if isinstance(node, Compare):
            return self._compare(node)
        value = self.value(node)
        return value if isinstance(value, bool) else truth_of(value)

    def _compare(self, node: Compare) -> Truth:
        def pairs() -> Iterator[Truth]:
            other = self.value(node.first)
            for operator, right in node.rest:
                if operator in ("in", "not in"):
                    found = self._contained(other, right)
                    yield negated(found) if operator == "not in" else found
                    other = None
                else:
                    value = self.value(right)
                    yield compare(operator, other, value)
                    other = value

        return all_of(pairs())

    def _contained(self, value: Value, among: Node) -> Truth:
        if value is None:
            return None
        if isinstance(among, ListOf):
            members = _members(among)
            if members is not None:
                return members.holds(value)
            return any_of(compare("==", value, self.value(item)) for item in among.items)
        whole = self.value(among)
        if isinstance(whole, tuple):
            return any_of(compare("==", value, item) for item in whole)
        return contains_text(whole, value)

    def value(self, node: Node) -> Value:
        """Return the value of an expression, None where there is none."""
        found: Value = _VALUES[type(node)](self, node)
        return found

    # one method for each class of nodes

    def _literal(self, node: Literal) -> Value:
        return node.value

    def _listing(self, node: ListOf) -> Value:
        return tuple(self.value(item) for item in node.items)

    def _binding(self, node: Binding) -> Value:
        raise QueryError(
            f"${node.name} has no value",
            text=self.text,
            column=node.column,
            hint="give it as values={...}",
        )

    def _name(self, node: Name) -> Value:
        if node.name in ATTRIBUTES:
            return attribute(self.subject, node.name)
        if node.name in STRUCTURE:
            return None if self.dataset is None else facet(self.dataset, node.name)
        return self._key(node.name, "value", bare=True)

    def _own(self, key: str, bare: bool, field: str = "value") -> tuple[bool, Value]:
        if bare:
            value = beside(self.subject, key) if self.attributes else None
            return (True, value) if value is not None else named(self.subject, key)
        return parameter(self.subject.meta, key, field)

    def _key(self, key: str, field: str, bare: bool = False) -> Value:
        there, value = self._own(key, bare, field)
        if not there and self.dataset is not None:
            there, value = parameter(self.dataset.meta, key, field)
        return value

    def _meta(self, node: Meta) -> Value:
        if not node.dataset:
            return self._key(node.key, node.field)
        dataset = dataset_called(self.subject.datasets, node.dataset)
        return None if dataset is None else parameter(dataset.meta, node.key, node.field)[1]

    def _facet(self, node: Facet) -> Value:
        dataset = dataset_called(self.subject.datasets, node.dataset)
        return None if dataset is None else facet(dataset, node.attribute)

    def _data(self, node: Node) -> Value:
        raise QueryError("a dataset is not one value", text=self.text, column=node.column)

    def _item(self, node: Item) -> Value:
        if isinstance(node.base, Dataset | Column):
            from skypool.query.pixels import element  # numpy is loaded where data are read

            return element(self, node)
        whole = self.value(node.base)
        if not isinstance(whole, tuple) or len(node.index) != 1:
            return None
        place = node.index[0]
        return whole[place] if -len(whole) <= place < len(whole) else None

    def _condition(self, node: Node) -> Value:
        return self.truth(node)

    def _binary(self, node: Binary) -> Value:
        return arithmetic.calculate(node.operator, self.value(node.left), self.value(node.right))

    def _negate(self, node: Negate) -> Value:
        return arithmetic.negate(self.value(node.item))

    def _call(self, node: Call) -> Value:
        need = FUNCTIONS[node.function].need
        if need == "data":
            from skypool.query.pixels import reduce  # numpy is loaded where data are read

            return reduce(self, node)
        if need == "sky":
            return SKY[node.function](self, node)
        function = PREDICATES.get(node.function)
        if function is not None:
            return function(self, node)
        return arithmetic.apply(node.function, [self.value(item) for item in node.arguments])


_VALUES: Final[Mapping[type[Node], Callable[[Evaluator, Any], Value]]] = {
    Literal: Evaluator._literal,
    ListOf: Evaluator._listing,
    Binding: Evaluator._binding,
    Name: Evaluator._name,
    Meta: Evaluator._meta,
    Facet: Evaluator._facet,
    Dataset: Evaluator._data,
    Column: Evaluator._data,
    Item: Evaluator._item,
    Compare: Evaluator._condition,
    And: Evaluator._condition,
    Or: Evaluator._condition,
    Not: Evaluator._condition,
    Binary: Evaluator._binary,
    Negate: Evaluator._negate,
    Call: Evaluator._call,
}
