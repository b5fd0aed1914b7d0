"""Query text to tree.

A hand-written operator-precedence parser over the tokens of `skypool.query.lexer`: Python's
expression syntax and precedence, nothing that could run code. Time is proportional to the length
of the text; depth is limited, so that no input exhausts the stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from skypool.errors import QueryError
from skypool.query.calls import make_call
from skypool.query.check import check, check_rows
from skypool.query.functions import FUNCTIONS, INFIX, METHODS
from skypool.query.lexer import Token, tokenize
from skypool.query.tree import (
    FACETS,
    MAX_DEPTH,
    STRUCTURE,
    WORDS,
    And,
    Binary,
    Binding,
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
    bind,
)

__all__ = ["parse", "parse_rows"]

# an operand takes up to two: its operator's, and its parentheses'
MAX_NESTING: Final = 2 * MAX_DEPTH + 2
OR, AND, NOT, COMPARE, ADD, MULTIPLY, SIGN, POWER = 10, 20, 30, 40, 50, 60, 70, 80
_ARITHMETIC: Final = {
    "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "//": MULTIPLY, "%": MULTIPLY,
}  # fmt: skip
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_UPPER: Final = frozenset({"AND", "OR", "NOT", "IN", "And", "Or", "Not", "LIKE", "CONTAINS"})
_STATEMENTS: Final = {
    "is": "write == and !=, and has('key') or missing('key') for what is there or not",
    "if": "the query language has no 'if'; write (a and b) or (not a and c)",
    "else": "the query language has no 'else'",
    "for": "the query language has no loops; any(...) and all(...) go over datasets",
    "lambda": "in Python, find() takes a function itself: pool.find(lambda product: ...)",
}
_ABSENT: Final = frozenset({"None", "none", "null"})


def parse(text: str, values: Mapping[str, object] | None = None) -> Node:
    """Parse a query over products.

    Parameters
    ----------
    text
        The query.
    values
        What its ``$names`` stand for; None leaves them in the tree.

    Returns
    -------
    Node
        The tree.

    Raises
    ------
    QueryError
        With the column of the first thing that cannot be understood.
    """
    tree = _tree(text, values)
    check(tree, text)
    return tree


def parse_rows(text: str, values: Mapping[str, object] | None = None) -> Node:
    """Parse a condition over the rows of one table: bare names are its columns.

    Parameters and errors are those of `parse`.
    """
    tree = _tree(text, values)
    check_rows(tree, text)
    return tree


def _tree(text: str, values: Mapping[str, object] | None) -> Node:
    if not isinstance(text, str):
        raise QueryError(f"a query is a text, not a {type(text).__name__}")
    try:
        tree = Parser(text).whole()
        return tree if values is None else bind(tree, values, text=text)
    except QueryError as error:
        if error.column and not error.text:  # raised by a node, which knows its column only
            error.text = text
        raise


class Parser:
    """The state of parsing one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.place = 0
        self.nesting = 0

    # helpers

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def next(self) -> Token:
        token = self.tokens[self.place]
        if token.kind != "end":
            self.place += 1
        return token

    def at(self, text: str) -> bool:
        token = self.token
        return token.text == text and token.kind in ("operator", "name")

    def accept(self, text: str) -> bool:
        found = self.at(text)
        if found:
            self.place += 1
        return found

    def fail(self, message: str, column: int, hint: str = "") -> NoReturn:
        raise QueryError(message, text=self.text, column=column, hint=hint)

    def expect(self, text: str, opened: Token) -> None:
        if self.accept(text):
            return
        if self.token.kind == "end":
            self.fail(f"{opened.text!r} is not closed", opened.column, f"write {text!r}")
        self.unexpected(f"expected {text!r}")

    def unexpected(self, wanted: str) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail(f"{wanted} at the end of the query", token.column)
        if token.kind == "assign":
            self.fail("'=' does not compare", token.column, "write '=='")
        if token.kind == "name" and token.text in _UPPER:
            lower = token.text.lower()
            self.fail(f"{token.text!r} is not an operator", token.column, f"write {lower!r}")
        if token.kind == "name" and token.text in _STATEMENTS:
            self.fail(f"{wanted}, not {token.text!r}", token.column, _STATEMENTS[token.text])
        shown = token.text if len(token.text) <= 40 else token.text[:37] + "..."
        self.fail(f"{wanted}, not {shown!r}", token.column, self.advice(token))

    def advice(self, token: Token) -> str:
        before = self.tokens[self.place - 1] if self.place else token
        if token.kind == "name" and before.kind == "number" and before.end == token.column:
            return "write numbers without a suffix, quantities in quotes: '250 um'"
        if token.kind == "name" and before.kind == "number":
            return f"write quantities in quotes: '{before.text} {token.text}'"
        if token.kind == "text" and before.kind == "name" and before.end == token.column:
            return "texts have no prefix"
        if token.kind == "name" and token.text.lower() == "between":
            return "write low <= x <= high"
        return ""

    # the grammar

    def whole(self) -> Node:
        if self.token.kind == "end":
            raise QueryError("the query is empty", text=self.text, column=0)
        tree = self.expression(0)
        if self.token.kind != "end":
            self.unexpected("expected an operator or the end")
        return tree

    def expression(self, power: int) -> Node:
        """Parse an operand and all operators behind it that bind tighter than `power`."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"nested more than {MAX_NESTING} deep", self.token.column)
        node = self.prefix(power)
        while (further := self.operator(node, power)) is not None:
            node = further
        self.nesting -= 1
        return node

    def prefix(self, power: int) -> Node:
        token = self.token
        if self.at("not"):
            if power > NOT:
                self.fail("'not' needs parentheses here", token.column, "write (not ...)")
            self.place += 1
            return Not(self.expression(NOT), column=token.column)
        if token.kind == "operator" and token.text in ("-", "+"):
            self.place += 1
            return self.signed(token)
        return self.postfix(self.atom())

    def signed(self, token: Token) -> Node:
        item = self.expression(SIGN)
        if token.text == "+":
            return item
        value = item.value if isinstance(item, Literal) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Literal(-value, column=token.column)
        return Negate(item, column=token.column)

    def operator(self, left: Node, power: int) -> Node | None:
        """Parse one operator with its right side; None if the next binds less or is none."""
        token = self.token
        sign = token.text if token.kind in ("operator", "name") else ""
        if sign in ("or", "and"):
            level = OR if sign == "or" else AND
            return self.several(sign, left, level) if level > power else None
        if self.compares(token):
            # one inside a comparison is the next of a chain, which the outer one takes
            return self.comparison(left) if power < COMPARE else None
        if sign in _ARITHMETIC and _ARITHMETIC[sign] > power:
            self.place += 1
            right = self.expression(_ARITHMETIC[sign])
            return Binary(sign, left, right, column=token.column)
        if sign == "**" and power < POWER:
            self.place += 1
            right = self.expression(SIGN - 1)
            return Binary(sign, left, right, column=token.column)
        return None

    def several(self, word: str, left: Node, level: int) -> Node:
        items = [left]
        column = self.token.column
        while self.accept(word):
            items.append(self.expression(level))
        kind = Or if word == "or" else And
        return kind(tuple(items), column=column)

    def compares(self, token: Token) -> bool:
        if token.kind == "operator":
            return token.text in _COMPARISONS
        if token.kind != "name":
            return False
        if token.text == "not":
            following = self.tokens[self.place + 1]
            return following.kind == "name" and following.text in INFIX | {"in"}
        return token.text in INFIX or token.text == "in"

    def comparison(self, left: Node) -> Node:
        column = self.token.column
        rest: list[tuple[str, Node]] = []
        while self.compares(self.token):
            token = self.next()
            sign = token.text
            negated = sign == "not"
            if negated:
                sign = self.next().text
            if sign in INFIX:
                if rest:
                    self.fail(f"{sign!r} cannot be part of a chain", token.column)
                return self.infix(sign, left, negated, token)
            rest.append(("not in" if negated else sign, self.expression(COMPARE)))
        return Compare(left, tuple(rest), column=column)

    def infix(self, sign: str, left: Node, negated: bool, token: Token) -> Node:
        right = self.expression(COMPARE)
        if self.compares(self.token):
            self.fail(f"{sign!r} cannot be part of a chain", self.token.column)
        node: Node = make_call(sign, [left, right], token.column, self.text)
        return Not(node, column=token.column) if negated else node

    def atom(self) -> Node:
        token = self.token
        if token.kind == "number":
            self.place += 1
            return self.number(token)
        if token.kind == "text":
            self.place += 1
            return Literal(token.text, column=token.column)
        if token.kind == "binding":
            self.place += 1
            return Binding(token.text, column=token.column)
        if token.kind == "name":
            return self.name()
        if self.accept("("):
            return self.parenthesis(token)
        if not self.accept("["):
            self.unexpected("expected a value")
        return ListOf(tuple(self.items("]", token)), column=token.column)

    def parenthesis(self, opened: Token) -> Node:
        node = self.expression(0)
        if self.accept(","):  # Python's tuple is as good as a list
            return ListOf((node, *self.items(")", opened)), column=opened.column)
        self.expect(")", opened)
        return node

    def number(self, token: Token) -> Node:
        written = token.text
        if not any(character in written for character in ".eE"):
            return Literal(int(written), column=token.column)
        value = float(written)
        if value == float("inf"):
            self.fail("the number is too large", token.column)
        return Literal(value, column=token.column)

    def name(self) -> Node:
        token = self.token
        word = token.text
        if word in ("True", "true", "False", "false"):
            self.place += 1
            return Literal(word in ("True", "true"), column=token.column)
        if word in _ABSENT:
            hint = "write has('key') or missing('key')"
            self.fail(f"{word!r} compares with nothing", token.column, hint)
        if word in WORDS:
            self.unexpected("expected a value")
        self.place += 1
        if self.at("("):
            return self.call(word, [], token)
        if word in ("meta", "datasets") and self.at("["):
            opened = self.next()
            key = self.subscript_text(opened, f"{word}['name']")
            if word == "datasets":
                return Dataset(key, column=token.column)
            return Meta("", key, column=token.column)
        return Name(word, column=token.column)

    def subscript_text(self, opened: Token, example: str) -> str:
        token = self.token
        if token.kind != "text":
            self.unexpected(f"expected a quoted name as in {example}")
        self.place += 1
        self.expect("]", opened)
        return token.text

    def items(self, closing: str, opened: Token) -> list[Node]:
        found: list[Node] = []
        while not self.accept(closing):
            found.append(self.expression(0))
            if not self.accept(","):
                self.expect(closing, opened)
                break
        return found

    def call(self, name: str, first: list[Node], token: Token) -> Node:
        opened = self.next()
        given = list(first)
        named: dict[str, Node] = {}
        while not self.accept(")"):
            here, after = self.token, self.tokens[min(self.place + 1, len(self.tokens) - 1)]
            if here.kind == "name" and after.kind == "assign":
                self.place += 2
                if here.text in named:
                    self.fail(f"{here.text!r} is given twice", here.column)
                named[here.text] = self.expression(0)
            elif named:
                self.fail("a value without name after one with a name", here.column)
            else:
                given.append(self.expression(0))
            if not self.accept(","):
                self.expect(")", opened)
                break
        return make_call(name, given, token.column, self.text, named)

    # what follows an operand

    def postfix(self, node: Node) -> Node:
        while True:
            token = self.token
            if self.at("("):
                self.fail("only names can be called", token.column)
            if self.accept("."):
                node = self.dotted(node, token)
            elif self.accept("["):
                node = self.subscript(node, token)
            else:
                return node

    def dotted(self, node: Node, dot: Token) -> Node:
        token = self.token
        if token.kind != "name":
            self.unexpected("expected a name behind the dot")
        self.place += 1
        word = token.text
        if word in METHODS and self.at("("):
            return self.call(word, [node], token)
        if isinstance(node, Meta) and word in ("value", "unit", "description"):
            return Meta(node.dataset, node.key, word, column=node.column)
        if not isinstance(node, Name | Dataset):
            self.fail(f"nothing called {word!r} is behind that", dot.column)
        if word == "meta":
            if node.name in ("p", "product"):  # as HIPE's queries had it
                self.fail("products have no name in queries", node.column, "write meta['key']")
            opened = self.token
            if not self.accept("["):
                self.unexpected("expected ['key'] behind 'meta'")
            key = self.subscript_text(opened, "image.meta['EXPTIME']")
            return Meta(node.name, key, column=node.column)
        if self.at("("):
            hint = f"write {word}(...)" if word in FUNCTIONS else ""
            self.fail(f"{word!r} is not called behind a dot", token.column, hint)
        if word in FACETS:
            return Facet(node.name, word, column=node.column)
        return Dataset(f"{node.name}/{word}", column=node.column)

    def subscript(self, node: Node, opened: Token) -> Node:
        if self.token.kind == "text":
            text = self.subscript_text(opened, "events['energy']")
            if not isinstance(node, Name | Dataset):
                self.fail("only tables have columns", opened.column)
            return Column(node.name, text, column=node.column)
        numbers = tuple(self.index(item) for item in self.items("]", opened))
        if not 1 <= len(numbers) <= 16:
            self.fail("an index has 1 to 16 numbers", opened.column)
        if not isinstance(node, Name | Dataset | Column | Facet | Item):
            self.fail("this has no elements", opened.column)
        if isinstance(node, Name) and node.name not in STRUCTURE:
            node = Dataset(node.name, column=node.column)
        return Item(node, numbers, column=node.column)

    def index(self, node: Node) -> int:
        value = node.value if isinstance(node, Literal) else None
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
            self.fail("an index is a whole number", node.column)
        return value
