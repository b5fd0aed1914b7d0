"""Conditions in short: bare names become attributes and parameters of the product."""

from __future__ import annotations

import ast

from skypool.errors import QueryError
from skypool.hipe.where_catalogue import ATTRIBUTES, SKY
from skypool.hipe.where_names import MISSING, Names

__all__ = ["rewritten"]


def rewritten(tree: ast.expr, variable: str, names: Names) -> tuple[ast.expr, str, set[str]]:
    """Return a condition with the product written out, and what it looks at.

    Parameters
    ----------
    tree
        The condition.
    variable
        The name that stands for the product.
    names
        Those of the script, which come before parameters of the same name.

    Returns
    -------
    expr, str, set of str
        The second is `Attrib`, `Meta` or `Full`, the third the names taken for parameters.
    """
    writer = _Writer(variable, names)
    made = writer.visit(tree)
    return ast.fix_missing_locations(made), writer.sort, writer.keys


class _Writer(ast.NodeTransformer):
    def __init__(self, variable: str, names: Names) -> None:
        self._variable = variable
        self._names = names
        self._local: set[str] = set()
        self._ranks = {"Attrib": 0, "Meta": 1, "Full": 2}
        self.sort = "Attrib"
        self.keys: set[str] = set()

    def _at_least(self, sort: str) -> None:
        if self._ranks[sort] > self._ranks[self.sort]:
            self.sort = sort

    def _product(self) -> ast.expr:
        return ast.Name(self._variable, ast.Load())

    def _meta(self) -> ast.expr:
        return ast.Attribute(self._product(), "meta", ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == self._variable or node.id in self._local:
            return node
        if node.id in ATTRIBUTES:
            return ast.Attribute(self._product(), node.id, ast.Load())
        if node.id == "meta":
            return self._meta()
        if self._names.value(node.id) is not MISSING:
            return node
        if node.id.startswith("_"):
            raise QueryError(f"a where-clause cannot use {node.id}")
        self._at_least("Meta")
        self.keys.add(node.id)
        parameter = ast.Subscript(self._meta(), ast.Constant(node.id), ast.Load())
        return ast.Attribute(parameter, "value", ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name):
            if node.func.id not in SKY:
                self._names.function(node.func.id)
        else:
            node.func = self.visit(node.func)
        node.args = [self.visit(part) for part in node.args]
        node.keywords = [self.visit(part) for part in node.keywords]
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        # meta['key'] is the value of a parameter, as a bare name is.
        if _is_meta(node.value):
            self._at_least("Meta")
            node.value = self._meta()
            return ast.Attribute(node, "value", ast.Load())
        node.value = self._dataset(node.value)
        node.slice = self.visit(node.slice)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and self._names.module(node.value.id) is not None:
            return node
        inner = node.value
        if isinstance(inner, ast.Subscript) and _is_meta(inner.value):
            # meta['key'].value and .unit are those of the parameter.
            self._at_least("Meta")
            inner.value = self._meta()
            return node
        node.value = self._dataset(inner)
        return node

    def _dataset(self, node: ast.expr) -> ast.expr:
        """Return `p['name']` for a `['name']` of which a part is asked."""
        if isinstance(node, ast.List) and len(node.elts) == 1:
            name = node.elts[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                self._at_least("Full")
                return ast.Subscript(self._product(), name, ast.Load())
        return self.visit(node)  # type: ignore[no-any-return]

    def _loop(self, node: ast.ListComp | ast.GeneratorExp) -> ast.expr:
        for part in node.generators:
            part.iter = self.visit(part.iter)
            if isinstance(part.target, ast.Name):
                self._local.add(part.target.id)
            part.ifs = [self.visit(test) for test in part.ifs]
        node.elt = self.visit(node.elt)
        return node

    visit_ListComp = visit_GeneratorExp = _loop


def _is_meta(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "meta"
