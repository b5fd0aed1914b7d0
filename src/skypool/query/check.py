"""What can be said against a query before any product is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NoReturn

from skypool.errors import QueryError
from skypool.model.attributes.names import CORE_NAMES
from skypool.query.calls import near
from skypool.query.functions import FUNCTIONS, ROW_FUNCTIONS
from skypool.query.sky import asks_of_others, check_sky, split_nearest
from skypool.query.tree import (
    ATTRIBUTES,
    FACETS,
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
    Node,
    Not,
    Or,
    walk,
)
from skypool.query.values import parse_position

__all__ = ["check", "check_datasets", "check_names", "check_rows"]

_TEXTS: Final = frozenset({"text", "key"})


def check(tree: Node, text: str = "") -> None:
    """Refuse a query over products that cannot mean anything.

    Parameters
    ----------
    tree
        The query.
    text
        As it was written, for errors.

    Raises
    ------
    QueryError
        At the first such place.
    """
    _Checker(text).condition(tree, elements=False)
    split_nearest(tree)


def check_rows(tree: Node, text: str = "") -> None:
    """Refuse a condition over rows that cannot mean anything; see `check`."""
    for node in walk(tree):
        foreign = isinstance(node, Column) and node.dataset != "columns"
        if foreign or isinstance(node, Meta | Facet):
            hint = "write energy > 2000, or columns['odd name'] > 2000"
            _fail("only columns can be named here", text, node, hint)
        if isinstance(node, Call) and node.function not in ROW_FUNCTIONS:
            _fail(f"{node.function}() does not work on rows", text, node)
        if isinstance(node, Binding):
            _fail(f"${node.name} has no value", text, node, "give it as values={...}")
    _Checker(text).condition(tree, elements=True)


def check_names(tree: Node, known: Collection[str], text: str = "") -> None:
    """Refuse a metadata key that no product has, where a similar one exists.

    A key that resembles none is no error: it matches nothing. Neither is one under ``has`` or
    ``missing``, or in brackets as in ``meta['key']``.

    Parameters
    ----------
    tree
        The query.
    known
        All keys of the pool.
    text
        As it was written, for errors.

    Raises
    ------
    QueryError
        With the similar names.
    """
    folded: set[str] | None = None
    for node in _bare(tree):
        if node.name in ATTRIBUTES | STRUCTURE or node.name in known:
            continue
        if folded is None:
            folded = {key.casefold() for key in known} | set(CORE_NAMES)
        if node.name.casefold() in folded:
            continue
        names = [*known, *CORE_NAMES, *sorted(ATTRIBUTES | STRUCTURE)]
        found = near(node.name, list(dict.fromkeys(names)), cutoff=0.8)
        if found:
            raise QueryError(
                f"no product has the key {node.name!r}",
                text=text,
                column=node.column,
                candidates=found,
                hint=f"meta[{node.name!r}] asks for it without this check",
            )


def check_datasets(
    tree: Node, known: Callable[[], Mapping[str, Collection[str]]], text: str = ""
) -> None:
    """Refuse a dataset or a column that no product has, where a similar one exists.

    Parameters
    ----------
    tree
        The query.
    known
        Gives the names of all datasets, those of composites joined by `/`, and of their columns;
        only called where the query names a dataset.
    text
        As it was written, for errors.

    Raises
    ------
    QueryError
        With the similar names.
    """
    named = _data(tree)
    if not named:
        return
    columns: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for dataset, listed in known().items():
        for end in (*(n for n, sign in enumerate(dataset) if sign == "/"), len(dataset)):
            names.setdefault(dataset[:end].casefold(), dataset[:end])
        columns.setdefault(dataset.casefold(), set()).update(filter(None, listed))
    for node, dataset in named:
        folded = dataset.casefold()
        if folded not in names:
            _fail_near(node, dataset, "dataset", sorted(names.values()), text)
        elif isinstance(node, Column):
            there = columns.get(folded, set())
            if node.name.casefold() not in {name.casefold() for name in there}:
                _fail_near(node, node.name, "column", sorted(there), text)


def _fail_near(node: Node, name: str, what: str, known: Sequence[str], text: str) -> None:
    # `SCI,2` is no misspelt `SCI,1`.
    letters = _letters(name)
    found = [other for other in near(name, known, cutoff=0.8) if _letters(other) != letters]
    if found:
        message = f"no product has a {what} {name!r}"
        raise QueryError(message, text=text, column=node.column, candidates=found)


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name)).casefold()


def _data(tree: Node) -> list[tuple[Node, str]]:
    """Return the nodes that name datasets, with these names."""
    found: list[tuple[Node, str]] = []
    waiting: list[tuple[Node, bool]] = [(tree, False)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, Dataset) or (isinstance(node, Name) and inside):
            found.append((node, node.name))
        elif isinstance(node, Column | Facet | Meta) and node.dataset:
            found.append((node, node.dataset))
        inside = inside or (isinstance(node, Call) and FUNCTIONS[node.function].need == "data")
        waiting.extend((child, inside) for child in reversed(node.children()))
    return found


def _bare(tree: Node) -> list[Name]:
    """Bare names that stand for metadata, those on other products included."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Name):
            found.append(node)
        if not (isinstance(node, Call) and FUNCTIONS[node.function].need == "data"):
            waiting.extend(reversed(node.children()))
    return found


def _fail(message: str, text: str, node: Node, hint: str = "") -> NoReturn:
    raise QueryError(message, text=text, column=node.column, hint=hint)


class _Checker:
    """Walks a tree knowing what each place wants."""

    def __init__(self, text: str) -> None:
        self.text = text

    def condition(self, node: Node, elements: bool) -> None:
        """Check what must be true or false."""
        if isinstance(node, And | Or | Not):
            for item in node.children():
                self.condition(item, elements)
            return
        if isinstance(node, ListOf):
            _fail("a list is no condition", self.text, node)
        if isinstance(node, Literal) and not isinstance(node.value, bool | int | float):
            _fail("a value that is neither number nor true or false is no condition", self.text,
                  node, "compare it with something")  # fmt: skip
        if isinstance(node, Binary):
            _fail("arithmetic is no condition", self.text, node, "compare it with something")
        self.value(node, elements)

    def value(self, node: Node, elements: bool) -> None:
        """Check what must have a value."""
        if isinstance(node, And | Or | Not):
            self.condition(node, elements)
        elif isinstance(node, Compare):
            self.compare(node, elements)
        elif isinstance(node, Call):
            self.call(node, elements)
        elif isinstance(node, ListOf):
            _fail("a list can only be compared, or stand behind 'in'", self.text, node)
        elif isinstance(node, Column | Dataset):
            if not elements:
                self.refuse_data(node)
        elif isinstance(node, Item):
            self.item(node)
        else:
            for child in node.children():
                self.value(child, elements)

    def refuse_data(self, node: Column | Dataset) -> None:
        if isinstance(node, Dataset) and node.name.split("/")[0] in ("p", "product"):
            word = node.name.split("/")[-1]
            _fail("products have no name in queries", self.text, node, f"write {word}")
        if isinstance(node, Dataset):
            hint = f"write max(...) of it, or one of {', '.join(sorted(FACETS))} behind it"
            _fail(f"the dataset {node.name!r} is not one value", self.text, node, hint)
        hint = "write max(...), count(... > 0) or any(... > 0) of it"
        _fail(f"the column {node.name!r} is not one value", self.text, node, hint)

    def item(self, node: Item) -> None:
        base = node.base
        if isinstance(base, Item):
            _fail("one index is enough", self.text, node, "write image[10, 20]")
        if isinstance(base, Facet) and base.attribute not in ("shape", "colnames"):
            _fail(f"{base.attribute!r} has no elements", self.text, node)
        if isinstance(base, Name) and base.name != "shape":
            _fail(f"{base.name!r} has no elements", self.text, node)

    def compare(self, node: Compare, elements: bool) -> None:
        operands = [node.first, *(operand for _, operand in node.rest)]
        for operand in operands:
            if isinstance(operand, ListOf):
                for item in operand.items:
                    self.value(item, elements)
            else:
                self.value(operand, elements)
        for operator, operand in node.rest:
            if operator not in ("in", "not in"):
                continue
            number = isinstance(operand, Literal) and not isinstance(operand.value, str)
            if number or isinstance(operand, Binary | Compare | And | Or | Not):
                _fail(f"{operator!r} needs a list", self.text, operand, "write x in [1, 2]")

    def call(self, node: Call, elements: bool) -> None:
        function = FUNCTIONS.get(node.function)
        if function is None:
            _fail(f"there is no function {node.function}()", self.text, node)
        if elements and function.name not in ROW_FUNCTIONS and function.need != "data":
            _fail(f"{function.name}() does not work inside data functions", self.text, node)
        for argument, (label, sort) in zip(node.arguments, function.parameters, strict=False):
            if sort == "region":
                sort = "condition" if asks_of_others(node) else "place"
            self.argument(node, argument, label, sort, elements)
        if function.need == "sky":
            check_sky(node)

    def argument(self, node: Call, argument: Node, label: str, sort: str, elements: bool) -> None:
        """Check one argument of a call."""
        if sort in _TEXTS or (sort == "role" and len(node.arguments) == 2):
            self.text_argument(argument, label)
        elif sort == "condition":
            self.condition(argument, elements=FUNCTIONS[node.function].need == "data")
        elif sort == "elements":
            self.elements(argument)
        elif sort == "dataset":
            if not isinstance(argument, Name | Dataset):
                hint = "as in value(image, 10.5, 41)"
                _fail("a dataset is wanted here", self.text, argument, hint)
        elif sort == "place":
            self.place(argument, node.function, elements)
        elif sort != "role":
            self.value(argument, elements)
        elif not isinstance(argument, Literal):
            self.condition(argument, elements=False)

    def text_argument(self, node: Node, label: str) -> None:
        if isinstance(node, Binding) or (isinstance(node, Literal) and isinstance(node.value, str)):
            return
        _fail(f"the {label} is a text in quotes, or a $name", self.text, node)

    def place(self, node: Node, function: str, elements: bool) -> None:
        if isinstance(node, Literal) and isinstance(node.value, str):
            if parse_position(node.value) is None:
                _fail(f"{node.value!r} is no position", self.text, node,
                      f"write {function}('13:25:27.6 -43:01:09') or degrees")  # fmt: skip
            return
        if not isinstance(node, Literal | ListOf):
            self.value(node, elements)

    def elements(self, node: Node) -> None:
        """Check an expression over the elements of a dataset."""
        if not any(isinstance(part, Name | Dataset | Column) for part in walk(node)):
            _fail("no dataset is named here", self.text, node, "as in max(image)")
        if isinstance(node, Dataset | Column | Name):
            return
        self.value(node, elements=True)
