"""Where-clauses as scripts wrote them for Jython, read as expressions of today's Python."""

from __future__ import annotations

import ast
import keyword
import re
from typing import Final

from skypool.errors import QueryError

__all__ = ["LONGEST", "modern", "parsed"]

LONGEST: Final = 100_000
_DEEPEST: Final = 100
_TOKEN: Final = re.compile(
    r"""
    (?P<text>[uUrR]{0,2}(?:'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\"
        |'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
  | (?P<number>0[xX][0-9a-fA-F]+[lL]?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[lLjJ]?)
  | (?P<name>[^\W\d]\w*)
  | (?P<sign>&&|\|\||<>|==|!=|<=|>=|\*\*|//|<<|>>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPEN: Final = tuple("([{")
_CLOSE: Final = tuple(")]}")
_SPELT: Final = {"&&": " and ", "||": " or ", "<>": "!=", "!": " not "}
_OCTAL: Final = re.compile(r"0[0-7]+\Z")


def modern(text: str) -> str:
    """Return a where-clause in the spelling of today's Python.

    `5L` is 5, `0x10L` is 16, `=` and `==` are the same, and so are `&&` and `and`, `||` and
    `or`, `!` and `not`, `<>` and `!=`.
    """
    found: list[str] = []
    calls: list[bool] = []  # of the open brackets: whether they are those of a call
    before: list[str] = ["", "", ""]  # the last words and signs
    for match in _TOKEN.finditer(text):
        word = match[0]
        if match.lastgroup == "number":
            word = _number(word)
        elif match.lastgroup == "text" and word[:2].lower() == "ur":
            word = word[1:]
        elif match.lastgroup == "sign":
            if word in _OPEN:
                calls.append(word == "(" and (_is_name(before[-1]) or before[-1] in _CLOSE))
            elif word in _CLOSE and calls:
                calls.pop()
            elif word == "=":
                option = bool(calls) and calls[-1] and _is_name(before[-1])
                word = "=" if option and before[-2] in ("(", ",") else "=="
            word = _SPELT.get(word, word)
        found.append(word)
        if not word.isspace():
            before = [*before[1:], word]
    return " ".join("".join(found).split("\n")).strip()


def _is_name(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def _number(text: str) -> str:
    if text[-1] in "lL":
        text = text[:-1]
    return f"0o{text}" if _OCTAL.match(text) else text


def parsed(text: str) -> ast.expr:
    """Return the tree of a where-clause; one without text is true.

    Raises
    ------
    QueryError
        If it is no expression.
    """
    if not isinstance(text, str):
        raise QueryError(f"a where-clause is text, not a {type(text).__name__}")
    if len(text) > LONGEST:
        raise QueryError(f"a where-clause has at most {LONGEST} characters")
    spelt = modern(text) or "1"
    try:
        tree = ast.parse(spelt, mode="eval").body
    except SyntaxError as error:
        raise QueryError(
            f"the where-clause cannot be read: {error.msg}", text=spelt, column=error.offset or 0
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise QueryError("the where-clause cannot be read") from None
    if _depth(tree) > _DEEPEST:
        raise QueryError(f"the where-clause nests deeper than {_DEEPEST} levels")
    return tree


def _depth(tree: ast.AST) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest
