"""Jython 2 in the grammar of Python 3, line by line: what was on line 7 stays on line 7."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skypool.hipe.jython.reading import (
    Prepared,
    deep,
    prepare,
    token_list,
    unsupported_syntax,
)

__all__ = ["Translated", "parse", "plain_literals", "translate"]

_PREFIX = re.compile(r"^([A-Za-z]*)(.*)$", re.DOTALL)
# In texts of Python 2 that are no unicode, these are no escapes.
_NO_ESCAPE = re.compile(r"\\(\\|[uUN])")
_NO_NAME = re.compile(r"\\(\\|N)")


@dataclass
class Translated:
    """A script in the grammar of Python 3.

    Attributes
    ----------
    text : str
        With the lines of the script.
    features : frozenset of str
        What it imports from ``__future__``.
    targets : dict
        By the name that stands in for it: what an `except` binds, or a parameter that is a
        tuple, as text.
    """

    text: str
    features: frozenset[str]
    targets: dict[str, str] = field(default_factory=dict)


@functools.cache
def _grammar(print_statement: bool) -> Any:
    import fissix
    from fissix.pgen2 import pgen

    # Not through fissix.pygram, which would write into the user's cache folder.
    grammar = pgen.generate_grammar(str(Path(fissix.__file__).with_name("Grammar.txt")))
    if not print_statement:
        del grammar.keywords["print"]
    return grammar


@functools.cache
def symbols() -> dict[int, str]:
    """Give the names of the node types.

    Returns
    -------
    dict
    """
    return dict(_grammar(True).number2symbol)


def parse(prepared: Prepared, name: str) -> Any:
    """Read a prepared text as a tree that keeps every blank and comment.

    Parameters
    ----------
    prepared
        The text.
    name
        Of the script, for errors.

    Returns
    -------
    fissix.pytree.Base

    Raises
    ------
    ScriptError
        If it is no Jython 2.
    """
    from fissix import pytree
    from fissix.pgen2 import driver, parse, token, tokenize

    grammar = _grammar("print_function" not in prepared.features)
    try:
        return driver.Driver(grammar, convert=pytree.convert).parse_string(prepared.text)
    except parse.ParseError as error:
        line = error.context[1][0]
        shown = (error.value or "").strip()
        indented = error.type in (token.INDENT, token.DEDENT)
        what = f"syntax error at {shown!r}" if shown else "syntax error"
        what = "unexpected indentation" if indented else what
        raise unsupported_syntax(name, line, what) from None
    except tokenize.TokenError as error:
        raise unsupported_syntax(name, error.args[1][0], f"{error.args[0]}") from None
    except IndentationError as error:
        raise unsupported_syntax(name, error.lineno or 1, f"{error.msg}") from None
    except KeyError as error:  # a character that is no operator
        line = next((t[2][0] for t in token_list(prepared.text) if t[1] == error.args[0]), 1)
        raise unsupported_syntax(name, line, f"syntax error at {error.args[0]!r}") from None
    except AssertionError:  # a form feed or the like where tokens cannot be
        raise unsupported_syntax(name, 1, "the text cannot be cut into words") from None
    except (RecursionError, MemoryError):
        raise unsupported_syntax(name, 1, "the text is nested too deeply") from None


def translate(text: str, name: str) -> Translated:
    """Turn a script into the grammar of Python 3.

    Parameters
    ----------
    text
        Of the script.
    name
        Its name, for errors.

    Returns
    -------
    Translated

    Raises
    ------
    ScriptError
        If it is no Jython 2.
    """
    prepared = prepare(text)
    emitter = _Emitter(prepared.features)
    tree = parse(prepared, name)
    try:
        with deep():
            new = emitter.text(tree)
    except RecursionError:
        raise unsupported_syntax(name, 1, "the text is nested too deeply") from None
    return Translated(new, prepared.features, emitter.targets)


def plain_literals(prepared: Prepared, name: str) -> str:
    """Write the literals of a script as today, and leave its statements as they are.

    Parameters
    ----------
    prepared
        The text.
    name
        Of the script, for errors.

    Returns
    -------
    str
    """
    tree = parse(prepared, name)
    with deep():
        return _Literals(prepared.features).text(tree)


class _Literals:
    """Writes a tree as text, with numbers, texts and comprehensions as they are today."""

    def __init__(self, features: frozenset[str]) -> None:
        self._unicode = "unicode_literals" in features
        self._names = symbols()

    def text(self, node: Any) -> str:
        if not node.children:
            return self._leaf(node)
        method = getattr(self, f"_{self._names[node.type]}", None)
        return method(node) if method else self._all(node.children)

    def _all(self, nodes: Sequence[Any]) -> str:
        return "".join(map(self.text, nodes))

    def _leaf(self, leaf: Any) -> str:
        from fissix.pgen2 import token

        value = leaf.value
        if leaf.type == token.NUMBER:
            value = _number(value)
        elif leaf.type == token.STRING:
            value = self._string(value)
        return str(leaf.prefix + value)

    def _string(self, value: str) -> str:
        # The fixers know u and ur, and that \\u is no escape elsewhere; they forget \\N.
        prefix, body = self._parts(value, _NO_NAME)
        return prefix + body

    def _parts(self, value: str, escape: re.Pattern[str]) -> tuple[str, str]:
        match = _PREFIX.match(value)
        prefix, body = match[1], match[2]  # type: ignore[index]
        if not self._unicode and not set("uUfFrR") & set(prefix):
            body = escape.sub(lambda m: m[0] if m[1] == "\\" else f"\\{m[0]}", body)
        return prefix, body

    def _comp_for(self, node: Any) -> str:
        parts = list(node.children)
        place = next(n for n, part in enumerate(parts) if getattr(part, "value", "") == "in") + 1
        if self._names.get(parts[place].type) != "testlist_safe":
            return self._all(parts)
        middle = f" ({self.text(parts[place])})"
        return self._all(parts[:place]) + middle + self._all(parts[place + 1 :])

    _old_comp_for = _comp_for

    def _tfpdef(self, node: Any) -> str:
        inner = node.children[1]
        return f"{node.prefix}{inner.value}" if not inner.children else self._all(node.children)

    _vfpdef = _tfpdef

    def _lambdef(self, node: Any) -> str:
        """Let a function inside take several tuples apart; the fixers can do one alone."""
        if len(node.children) != 4 or self._names.get(node.children[1].type) != "varargslist":
            return self._all(node.children)
        words = {leaf.value for leaf in node.children[1].leaves()}
        if words & {"=", "*", "**"}:
            return self._all(node.children)
        outer, inner, given = [], [], []
        for number, part in enumerate(node.children[1].children[::2]):
            name = f"item{number}" if part.children else part.value
            leaves = list(part.leaves())
            if any("(" in leaf.value for leaf in leaves[1:-1]):
                return self._all(node.children)
            outer.append(name)
            inner += [leaf.value for leaf in leaves if leaf.value.isidentifier()]
            given.append(f"*{name}" if part.children else name)
        if len(inner) == len(outer) or len(outer) < 2:
            return self._all(node.children)
        body = self.text(node.children[3]).strip()
        call = f"(lambda {', '.join(inner)}: {body})({', '.join(given)})"
        return f"{node.prefix}lambda {', '.join(outer)}: {call}"

    _old_lambdef = _lambdef


class _Emitter(_Literals):
    """Writes a tree as text, with what Python 3 has no grammar for as calls, too."""

    def __init__(self, features: frozenset[str]) -> None:
        super().__init__(features)
        self.targets: dict[str, str] = {}
        self._statement = "print_function" not in features

    def _leaf(self, leaf: Any) -> str:
        if leaf.value == "<>":
            return f"{leaf.prefix}!="
        if leaf.value == "print" and self._statement:
            return f"{leaf.prefix}__jy_print__().end()"
        return super()._leaf(leaf)

    def _string(self, value: str) -> str:
        prefix, body = self._parts(value, _NO_ESCAPE)
        return "".join(letter for letter in prefix.lower() if letter in "rf") + body

    def _new(self, what: str, target: str) -> str:
        name = f"__jy_{what}_{len(self.targets)}__"
        self.targets[name] = target
        return name

    def _print_stmt(self, node: Any) -> str:
        items = list(node.children[1:])
        stream = ""
        if items and getattr(items[0], "value", "") == ">>":
            stream = self.text(items[1]).strip()
            items = items[3:]
        last = "pause" if items and getattr(items[-1], "value", "") == "," else "end"
        # Each item is printed before the next is worked out.
        given = "".join(f".item({self.text(item)})" for item in items[::2])
        return f"{node.prefix}__jy_print__({stream}){given}.{last}()"

    def _exec_stmt(self, node: Any) -> str:
        parts = [self.text(part) for part in node.children[1::2]]
        return f"{node.prefix}__jy_exec__({','.join(parts)})"

    def _raise_stmt(self, node: Any) -> str:
        if len(node.children) > 2 and node.children[2].value == "from":
            return self._all(node.children)
        parts = [self.text(part) for part in node.children[1::2]]
        return f"{node.prefix}raise __jy_raise__({','.join(parts)})"

    def _except_clause(self, node: Any) -> str:
        if len(node.children) < 4:
            return self._all(node.children)
        target = self._new("exc", str(node.children[3]).strip())
        return f"{self._all(node.children[:2])} as {target}"

    def _atom(self, node: Any) -> str:
        first = node.children[0]
        if getattr(first, "value", "") != "`":
            return self._all(node.children)
        return f"{first.prefix}__jy_repr__(({self._all(node.children[1:-1])}))"

    def _parameter(self, node: Any) -> str:
        if not node.children[1].children:
            return f"{node.prefix}{node.children[1].value}"
        return f"{node.prefix}{self._new('arg', str(node).strip())}"

    _tfpdef = _vfpdef = _parameter

    def _lambdef(self, node: Any) -> str:
        return self._all(node.children)

    _old_lambdef = _lambdef


_INTEGER = re.compile(r"^0(\d+)$")


def _number(value: str) -> str:
    value = value.rstrip("lL") or value
    match = _INTEGER.match(value)
    if not match:
        return value
    # 0777 is octal; 0 and 00 are not worth the letter.
    return f"0o{match[1]}" if match[1].strip("0") else "0"
