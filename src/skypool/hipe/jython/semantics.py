"""The meaning of Jython 2 kept in the tree of Python 3: what differs becomes a call.

The calls go to functions of `runtime`, which scripts find under names that start with
``__jy_``. Positions stay, so errors show the script's own lines.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from skypool.hipe.jython.reading import deep, unsupported_syntax
from skypool.hipe.jython.syntax import Translated, translate

__all__ = ["ATTRIBUTES", "compile_script"]

_KEYWORD = re.compile(r"__jy_kw_(\w+?)__")
_ORDER = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_TEXT = frozenset(["str", "unicode"])

_ATTRIBUTES = """
    has_key iteritems iterkeys itervalues viewitems viewkeys viewvalues keys values items
    next sort decode encode message getMessage printStackTrace getCause localizedMessage
    maxint setdefaultencoding getdefaultencoding exc_clear exc_type exc_value getcwdu
    func_name func_code func_globals func_defaults func_doc im_self im_func im_class class
    getClass equals hashCode toString xreadlines izip imap ifilter
"""

#: Attributes that objects of Python 2 or Java have and those of Python 3 lack.
ATTRIBUTES = frozenset(_ATTRIBUTES.split())


def compile_script(text: str, name: str, mode: str = "exec", shown: str | None = None) -> Any:
    """Compile a script, or an expression, of Jython 2.

    Parameters
    ----------
    text
        The script.
    name
        Its file, for tracebacks.
    mode
        ``exec`` or ``eval``.
    shown
        What errors call it; the name where it is not given.

    Returns
    -------
    code

    Raises
    ------
    ScriptError
        If it is no Jython 2.
    """
    shown = shown or name
    made = translate(text.strip() if mode == "eval" else text, shown)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(made.text.strip() if mode == "eval" else made.text, name, mode)
            with deep():
                tree = ast.fix_missing_locations(_Semantics(made).visit(tree))
            return compile(tree, name, mode, dont_inherit=True)
    except SyntaxError as error:
        raise unsupported_syntax(shown, error.lineno or 1, f"{error.msg}") from None
    except (RecursionError, MemoryError):
        raise unsupported_syntax(shown, 1, "the text is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits, a lone surrogate
        raise unsupported_syntax(shown, 1, f"{error}") from None


def _restored(name: Any) -> Any:
    return _KEYWORD.sub(r"\1", name) if isinstance(name, str) else name


class _Semantics(ast.NodeTransformer):
    """Replaces what means something else today."""

    def __init__(self, made: Translated) -> None:
        self._targets = made.targets
        self._true_division = "division" in made.features
        self._functions = 0
        self._no_binding = 0
        self._errors = {text for name, text in made.targets.items() if "_exc_" in name}

    def _call(self, node: ast.AST, name: str, *args: ast.expr) -> ast.expr:
        function = ast.Name(f"__jy_{name}__", ast.Load())
        return ast.copy_location(ast.Call(function, list(args), []), node)

    def visit(self, node: ast.AST) -> Any:
        """Give keywords that stood as names their names again, then visit."""
        for field in ("id", "attr", "name", "arg", "asname", "module"):
            value = getattr(node, field, None)
            if isinstance(value, str) and "__jy_kw_" in value:
                setattr(node, field, _restored(value))
        return super().visit(node)

    # Arithmetic and comparison.

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div) and not self._true_division:
            return self._call(node, "div", node.left, node.right)
        if isinstance(node.op, ast.Mod):
            return self._call(node, "mod", node.left, node.right)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        self.generic_visit(node)
        division = isinstance(node.op, ast.Div) and not self._true_division
        if not division and not isinstance(node.op, ast.Mod):
            return node
        if isinstance(node.target, ast.Name):
            old = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
            value = self._call(node, "idiv" if division else "mod", old, node.value)
            return ast.copy_location(ast.Assign([node.target], value), node)
        if division:
            node.value = self._call(node.value, "divisor", node.value)
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        name = _ORDER.get(type(node.ops[0])) if len(node.ops) == 1 else None
        return self._call(node, name, node.left, node.comparators[0]) if name else node

    # Names, attributes and calls.

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load) and node.attr in ATTRIBUTES:
            return self._call(node, "attr", node.value, ast.Constant(node.attr))
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _TEXT:
            node.args.insert(0, node.func)
            node.func = ast.copy_location(ast.Name("__jy_str__", ast.Load()), node.func)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        self._no_binding += 1
        node.iter = self.visit(node.iter)
        self._no_binding -= 1
        node.target = self.visit(node.target)
        node.ifs = [self.visit(condition) for condition in node.ifs]
        return node

    def visit_ListComp(self, node: ast.ListComp) -> Any:
        # Generators first: their names are what the element stands for.
        node.generators = [self.visit(part) for part in node.generators]
        node.elt = self.visit(node.elt)
        if not self._no_binding:
            for part in node.generators:
                self._bind(part)
        return node

    def _bind(self, part: ast.comprehension) -> None:
        """Bind the names of a list comprehension outside of it, as Python 2 does."""
        names = [name for name in ast.walk(part.target) if isinstance(name, ast.Name)]
        plain = all(
            isinstance(node, ast.Name | ast.Tuple | ast.List | ast.expr_context)
            for node in ast.walk(part.target)
        )
        if not plain:
            return
        bindings: list[ast.expr] = []
        for name in names:
            inner = f"__jy_each_{name.id}__"
            target = ast.copy_location(ast.Name(name.id, ast.Store()), name)
            value = ast.copy_location(ast.Name(inner, ast.Load()), name)
            bindings.append(ast.copy_location(ast.NamedExpr(target, value), name))
            name.id = inner
        # A list that is not empty is true.
        part.ifs.insert(0, ast.copy_location(ast.List(bindings, ast.Load()), part.target))

    # Statements.

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        self.generic_visit(node)
        target = self._targets.get(node.name or "")
        if target is None and node.name:
            # Python 3 forgets the name behind the handler; Python 2 did not.
            target, node.name = node.name, f"__jy_exc_{node.lineno}_{node.col_offset}__"
        if target is not None:
            # (text, number) takes the arguments of the exception apart.
            parts = ".args" if target.startswith(("(", "[")) or "," in target else ""
            node.body.insert(0, self._assigned(target, f"{node.name}{parts}", node.body[0]))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        self.generic_visit(node)
        value = node.value
        error = isinstance(value, ast.Name) and value.id in self._errors
        if error and isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice):
            return self._call(node, "item", value, node.slice)
        return node

    def _assigned(self, target: str, name: str, place: ast.AST) -> ast.stmt:
        made = ast.parse(f"{target} = {name}").body[0]
        for part in ast.walk(made):
            ast.copy_location(part, place)
        return made

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        for alias in node.names:
            self.visit(alias)
        if not self._functions or node.names[0].name != "*":
            return node
        module, level = ast.Constant(_restored(node.module) or ""), ast.Constant(node.level)
        return ast.copy_location(ast.Expr(self._call(node, "star", module, level)), node)

    def visit_Import(self, node: ast.Import) -> Any:
        for alias in node.names:
            self.visit(alias)
        return node

    def visit_Global(self, node: ast.Global) -> Any:
        # Set where the function starts: Python 3 refuses it behind a use of the name.
        return ast.copy_location(ast.Pass(), node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        outside, self._functions = self._functions, 0
        # Python 3 allows no assignment in what builds a list there.
        self._no_binding += 1
        self.generic_visit(node)
        self._no_binding -= 1
        self._functions = outside
        decorator = ast.copy_location(ast.Name("__jy_class__", ast.Load()), node)
        node.decorator_list.append(decorator)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        names = sorted(_globals(node) - {argument.arg for argument in _arguments(node.args)})
        self._functions += 1
        outside, self._no_binding = self._no_binding, 0
        self.generic_visit(node)
        self._no_binding = outside
        self._functions -= 1
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        place = node.body[0]
        first: list[ast.stmt] = [ast.copy_location(ast.Global(names), place)] if names else []
        for argument in _arguments(node.args):
            target = self._targets.get(argument.arg)
            if target is not None:
                first.append(self._assigned(target, argument.arg, place))
        node.body[start:start] = first
        return node

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        self.generic_visit(node)
        for argument in _arguments(node.args):
            target = self._targets.get(argument.arg)
            if target is not None:
                # [body for (a, b) in [argument]][0] takes the tuple apart.
                made = ast.parse(f"[0 for {target} in [{argument.arg}]][0]", mode="eval").body
                for part in ast.walk(made):
                    ast.copy_location(part, node)
                made.value.elt = node.body  # type: ignore[attr-defined]
                node.body = made
        return node


def _arguments(given: ast.arguments) -> list[ast.arg]:
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def _globals(function: ast.FunctionDef) -> set[str]:
    """Give the names that a function itself says are global."""
    found: set[str] = set()
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Global):
            found.update(_restored(name) for name in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))
    return found
