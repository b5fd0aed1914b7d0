"""Edits of a text at the positions of a tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from skypool.hipe.jython.tree import ROOTS

__all__ = ["applied", "bound", "dotted", "import_order", "joined"]


def import_order(name: str) -> tuple[int, str]:
    """Give the place of a name among those of an import: constants, classes, functions.

    Parameters
    ----------
    name
        The name.

    Returns
    -------
    tuple
        To sort by.
    """
    if name.isupper():
        return 0, name
    return (1 if name[:1].isupper() else 2), name


def joined(lines: list[bytes]) -> tuple[bytes, list[int]]:
    """Join lines, and say where each starts.

    Parameters
    ----------
    lines
        The lines.

    Returns
    -------
    tuple
        The text, and the starts.
    """
    starts, place = [], 0
    for line in lines:
        starts.append(place)
        place += len(line) + 1
    return b"\n".join(lines), starts


def applied(text: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Make edits; one that lies within another is part of what replaces it, and left out.

    Parameters
    ----------
    text
        The text.
    edits
        Start, end and new text of each.

    Returns
    -------
    bytes
    """
    result = bytearray()
    place = 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], edit[0] != edit[1], -edit[1])):
        if start < place:
            continue
        result += text[place:start] + new
        place = max(place, end)
    return re.sub(rb"\n{4,}", b"\n\n\n", bytes(result + text[place:]))


def bound(tree: ast.AST) -> Iterator[str]:
    """Find every name that a script binds anywhere, those it imports from HIPE left out.

    Parameters
    ----------
    tree
        The script.

    Yields
    ------
    str
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                if root not in ROOTS:
                    yield alias.asname or root
        elif isinstance(node, ast.ImportFrom) and (
            node.level or (node.module or "").partition(".")[0] not in ROOTS
        ):
            for alias in node.names:
                yield alias.asname or alias.name


def dotted(node: ast.AST) -> str:
    """Give a dotted name as text.

    Parameters
    ----------
    node
        An expression.

    Returns
    -------
    str
        Empty for what is no dotted name.
    """
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
