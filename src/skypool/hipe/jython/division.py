"""Which values of a script are integers, so that `/` of Jython can be written as `//`."""

from __future__ import annotations

import ast

__all__ = ["Kinds"]

# Functions, and methods, whose results are integers, or are not.
_WHOLE = frozenset(["len", "int", "long", "ord"])
_WHOLE_METHODS = frozenset(["size", "length", "count", "find", "index"])
_FRACTIONS = """
    float sqrt sin cos tan exp log log10 MEAN MEDIAN STDDEV SQRT time
"""
_FRACTION = frozenset(_FRACTIONS.split())


class Kinds:
    """What kind of number each expression of a script is, as far as the text tells.

    Parameters
    ----------
    tree
        The script.
    """

    def __init__(self, tree: ast.AST) -> None:
        self._names: dict[str, set[str | None]] = {}
        todo: list[tuple[str, ast.expr | None]] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                todo += [(t.id, node.value) for t in node.targets if isinstance(t, ast.Name)]
                todo += [
                    (name.id, None)
                    for target in node.targets
                    if isinstance(target, ast.Tuple | ast.List)
                    for name in ast.walk(target)
                    if isinstance(name, ast.Name)
                ]
            elif isinstance(node, ast.For | ast.comprehension):
                counted = isinstance(node.iter, ast.Call) and _called(node.iter) == "range"
                todo += [
                    (part.id, ast.Constant(0) if counted else None)
                    for part in ast.walk(node.target)
                    if isinstance(part, ast.Name)
                ]
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                todo.append((node.target.id, node.value))
            elif isinstance(node, ast.arg):
                todo.append((node.arg, None))
        # Twice, so that a name that depends on a later one is known, too.
        for _ in range(2):
            found: dict[str, set[str | None]] = {}
            for name, value in todo:
                kind = None if value is None else self.of(value)
                found.setdefault(name, set()).add(kind)
            self._names = found

    def of(self, node: ast.AST) -> str | None:
        """Give the kind of an expression.

        Parameters
        ----------
        node
            The expression.

        Returns
        -------
        str or None
            ``int``, ``float``, ``other`` for what is no number; None where it is not known.
        """
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool | int):
                return "int"
            return "float" if isinstance(node.value, float | complex) else "other"
        if isinstance(node, ast.Name):
            kinds = self._names.get(node.id, {None})
            return next(iter(kinds)) if len(kinds) == 1 else None
        if isinstance(node, ast.UnaryOp):
            return self.of(node.operand)
        if isinstance(node, ast.Call):
            name = _called(node)
            whole = _WHOLE if isinstance(node.func, ast.Name) else _WHOLE_METHODS
            return "int" if name in whole else "float" if name in _FRACTION else None
        if isinstance(node, ast.BinOp):
            return self._both(node)
        if isinstance(node, ast.Attribute):
            return "float" if node.attr in ("PI", "pi", "E") else None
        if isinstance(node, ast.List | ast.Dict | ast.JoinedStr):
            return "other"
        return None

    def _both(self, node: ast.BinOp) -> str | None:
        one, other = self.of(node.left), self.of(node.right)
        if isinstance(node.op, ast.Mod) and one == "other":
            return "other"
        if "float" in (one, other):
            return "float"
        return "int" if one == other == "int" else None


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""
