"""The tree of a query: frozen nodes that drivers interpret.

Nodes compare and hash by content; the column where a node was written is kept beside it for
errors. ``to_text`` gives a text that parses to an equal tree. No tree is deeper than
`MAX_DEPTH`, so that whatever walks one by recursion is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from skypool.errors import QueryError
from skypool.query.functions import FUNCTIONS
from skypool.query.values import Scalar, convert_bound

__all__ = [
    "ATTRIBUTES",
    "FACETS",
    "MAX_DEPTH",
    "STRUCTURE",
    "WORDS",
    "And",
    "Binary",
    "Binding",
    "Call",
    "Column",
    "Compare",
    "Dataset",
    "Facet",
    "Item",
    "ListOf",
    "Literal",
    "Meta",
    "Name",
    "Negate",
    "Node",
    "Not",
    "Or",
    "bind",
    "is_identifier",
    "names",
    "needs",
    "rewrite",
    "walk",
]

MAX_DEPTH: Final = 50
ATTRIBUTES: Final = frozenset(
    {"name", "path", "version", "saved", "author", "message"}
    | {"tags", "size", "hash", "kind", "type", "urn"}
)
"""Bare names that the pool knows of a product, whatever its metadata says."""
STRUCTURE: Final = frozenset({"nrows", "shape"})
"""Bare names that are properties of datasets: of any of a product's tables or arrays."""
FACETS: Final = frozenset({"shape", "nrows", "unit", "dtype", "ndim", "description", "colnames"})
"""What can follow a dataset and a dot."""
WORDS: Final = frozenset(
    {"and", "or", "not", "in", "is", "if", "else", "for", "lambda"}
    | {"True", "False", "None", "true", "false", "none", "null"}
)
"""Words that are no names."""


def is_identifier(text: str) -> bool:
    """Tell whether a text can be written as a bare name."""
    return text.isidentifier() and text not in WORDS


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Base of all nodes.

    Attributes
    ----------
    column
        Where the node begins in the text, counted from 1; 0 where it has no place.
    depth
        1 for a leaf, else one more than the deepest child.
    """

    column: int = field(default=0, compare=False, repr=False, kw_only=True)
    depth: int = field(default=1, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        depth = 1 + max((child.depth for child in self.children()), default=0)
        if depth > MAX_DEPTH:
            raise QueryError(f"nested more than {MAX_DEPTH} deep", column=self.column)
        object.__setattr__(self, "depth", depth)

    def children(self) -> tuple[Node, ...]:
        """Return the nodes directly below."""
        return ()

    def to_text(self) -> str:
        """Write as text that parses to an equal tree."""
        from skypool.query.render import render  # the two are one module in two files

        return render(self)


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """A value.

    1, 1.0 and True are different literals, as they are different texts.
    """

    value: Scalar

    def _identity(self) -> tuple[str, object]:
        value = self.value
        exact = isinstance(value, str | int)
        return type(value).__name__, value if exact else repr(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """Values in brackets, for ``in`` and for comparing with a shape."""

    items: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return the items."""
        return self.items


@dataclass(frozen=True, slots=True)
class Binding(Node):
    """``$name``: a value that the program gives."""

    name: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A bare name: an attribute, a metadata key, or, in a data function, a dataset."""

    name: str

    def __post_init__(self) -> None:
        if not is_identifier(self.name):
            raise QueryError(f"{self.name!r} is not a name", column=self.column)
        Node.__post_init__(self)


@dataclass(frozen=True, slots=True)
class Meta(Node):
    """``meta['key']`` and ``dataset.meta['key']``; field is value, unit or description."""

    dataset: str
    key: str
    field: str = "value"


@dataclass(frozen=True, slots=True)
class Dataset(Node):
    """``datasets['name']``, ``outer.inner``: the name as ``product[...]`` takes it."""

    name: str


@dataclass(frozen=True, slots=True)
class Facet(Node):
    """``dataset.shape`` and what else `FACETS` has."""

    dataset: str
    attribute: str


@dataclass(frozen=True, slots=True)
class Column(Node):
    """``events['energy']``: a column of a table."""

    dataset: str
    name: str


@dataclass(frozen=True, slots=True)
class Item(Node):
    """``shape[0]``, ``image[10, 20]``: an element."""

    base: Node
    index: tuple[int, ...]

    def children(self) -> tuple[Node, ...]:
        """Return what is indexed."""
        return (self.base,)


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """``a < b <= c``: the first operand, then operators with theirs.

    Operators are ``== != < <= > >=``, ``in`` and ``not in``.
    """

    first: Node
    rest: tuple[tuple[str, Node], ...]

    def children(self) -> tuple[Node, ...]:
        """Return the operands."""
        return (self.first, *(operand for _, operand in self.rest))


@dataclass(frozen=True, slots=True)
class And(Node):
    """All of several conditions."""

    items: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return the conditions."""
        return self.items


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Any of several conditions."""

    items: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return the conditions."""
        return self.items


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The negation of a condition."""

    item: Node

    def children(self) -> tuple[Node, ...]:
        """Return the condition."""
        return (self.item,)


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Arithmetic: ``+ - * / // % **``."""

    operator: str
    left: Node
    right: Node

    def children(self) -> tuple[Node, ...]:
        """Return both operands."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True)
class Negate(Node):
    """``-a``; of a number that is written out, the parser makes a negative literal."""

    item: Node

    def children(self) -> tuple[Node, ...]:
        """Return the operand."""
        return (self.item,)


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of `skypool.query.functions` with its arguments, in order."""

    function: str
    arguments: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return the arguments."""
        return self.arguments


Change: TypeAlias = Callable[[Node], Node]
OTHERS: Final = frozenset({"parent", "ancestor", "child", "descendant", "overlaps"})
"""Functions whose condition speaks of other products."""


def walk(tree: Node, *, others: bool = True) -> Iterator[Node]:
    """Yield every node, parents before children, in the order of the text.

    Parameters
    ----------
    tree
        Where to begin.
    others
        Whether to enter conditions on other products, as in ``parent(...)``.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if others or not (isinstance(node, Call) and node.function in OTHERS):
            waiting.extend(reversed(node.children()))


_TUPLES: Final[Mapping[type[Node], str]] = {
    ListOf: "items", And: "items", Or: "items", Call: "arguments",
}  # fmt: skip
_SINGLE: Final[Mapping[type[Node], tuple[str, ...]]] = {
    Not: ("item",), Negate: ("item",), Item: ("base",), Binary: ("left", "right"),
}  # fmt: skip


def _replaced(tree: Node, attributes: Mapping[str, object]) -> Node:
    return replace(tree, **attributes)  # type: ignore[arg-type] # the tables above fit the classes


def rewrite(tree: Node, change: Change) -> Node:
    """Return the tree with every node replaced by what ``change`` makes of it, leaves first."""
    kind = type(tree)
    if isinstance(tree, Compare):
        first = rewrite(tree.first, change)
        rest = tuple((operator, rewrite(operand, change)) for operator, operand in tree.rest)
        if first is not tree.first or any(
            new[1] is not old[1] for new, old in zip(rest, tree.rest, strict=True)
        ):
            tree = replace(tree, first=first, rest=rest)
    elif kind in _TUPLES:
        items = tree.children()
        changed = tuple(rewrite(item, change) for item in items)
        if any(new is not old for new, old in zip(changed, items, strict=True)):
            tree = _replaced(tree, {_TUPLES[kind]: changed})
    elif kind in _SINGLE:
        attributes = {key: rewrite(getattr(tree, key), change) for key in _SINGLE[kind]}
        if any(getattr(tree, key) is not new for key, new in attributes.items()):
            tree = _replaced(tree, attributes)
    return change(tree)


def bind(tree: Node, values: Mapping[str, object], *, text: str = "") -> Node:
    """Replace every ``$name`` by its value.

    Parameters
    ----------
    tree
        A tree that may hold bindings.
    values
        The values by name; those that the tree does not mention are not looked at.
    text
        The query, for errors.

    Raises
    ------
    QueryError
        If a name has no value, or one that the language does not know.
    """

    def change(node: Node) -> Node:
        if not isinstance(node, Binding):
            return node
        if node.name not in values:
            known = sorted("$" + name for name in values)
            hint = f"given: {', '.join(known)}" if known else "give it as values={...}"
            raise QueryError(f"${node.name} has no value", text=text, column=node.column, hint=hint)
        return _literal(values[node.name], node, text)

    return rewrite(tree, change)


def _literal(bound: object, node: Binding, text: str) -> Node:
    problem = ""
    try:
        value = convert_bound(bound)
    except TypeError as error:
        problem = f"${node.name} is a {error}, which queries do not know"
    except ValueError as error:
        problem = f"${node.name} cannot be used: {error}"
    else:
        if isinstance(value, tuple):
            if not any(item is None or isinstance(item, tuple) for item in value):
                return ListOf(tuple(Literal(item, column=node.column) for item in value),
                              column=node.column)  # fmt: skip
            problem = f"${node.name} holds lists or missing values"
        elif value is None:
            problem = f"${node.name} is None"
        else:
            return Literal(value, column=node.column)
    raise QueryError(problem, text=text, column=node.column)


def names(tree: Node) -> frozenset[str]:
    """Return the metadata keys that a query asks for by bare name or ``meta['key']``.

    Attributes of the pool are left out, and so are the arguments of data functions, which may
    be datasets, and keys under ``has`` and ``missing``, which may well be nowhere.
    """
    found: set[str] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Name):
            if node.name not in ATTRIBUTES | STRUCTURE:
                found.add(node.name)
        elif isinstance(node, Meta):
            found.add(node.key)
        elif not (isinstance(node, Call) and "data" in _call_needs(node)):
            waiting.extend(node.children())
    return frozenset(found)


def needs(tree: Node) -> frozenset[str]:
    """Return what answering takes: some of ``metadata``, ``tree``, ``sky`` and ``data``."""
    found = {"metadata"}
    for node in walk(tree):
        if isinstance(node, Call):
            found |= _call_needs(node)
        elif isinstance(node, Column | Dataset):
            found.add("data")
    return frozenset(found)


def _call_needs(node: Call) -> frozenset[str]:
    function = FUNCTIONS.get(node.function)
    return frozenset() if function is None else frozenset({function.need})
