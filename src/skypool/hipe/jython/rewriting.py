"""Names, imports and division of a script in modern Python, as edits of its text."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field

from skypool.hipe.jython.division import Kinds
from skypool.hipe.jython.edits import applied, bound, dotted, import_order, joined
from skypool.hipe.jython.modern import MOVED, PLAIN, home_of
from skypool.hipe.jython.tree import ROOTS
from skypool.hipe.jython.unsupported import advice, modern_way
from skypool.hipe.names import HOMES

__all__ = ["Converted", "rewrite"]

_OF_LISTS = frozenset(["iterator", "size", "isEmpty", "contains", "toArray", "get"])
_IN_TEXTS = frozenset(["bg", "eval", "exec", "AttribQuery", "FullQuery", "MetaQuery", "Query"])


@dataclass
class Converted:
    """A script in modern Python.

    Attributes
    ----------
    text : str
        The script.
    remarks : list of tuple
        Line in the old script's order, name, and what to do, of what skypool cannot do.
    """

    text: str
    remarks: list[tuple[int, str, str]] = field(default_factory=list)


def rewrite(text: str, tree: ast.Module, true_division: bool) -> Converted:
    """Finish a script whose syntax is that of Python 3.

    Parameters
    ----------
    text
        The script.
    tree
        What `ast` reads in it.
    true_division
        Whether it imported `division` from the future.

    Returns
    -------
    Converted
    """
    rewriter = _Rewriter(text, tree, true_division)
    rewriter.work()
    return Converted(rewriter.text(), sorted(set(rewriter.remarks)))


class _Rewriter:
    def __init__(self, text: str, tree: ast.Module, true_division: bool) -> None:
        self._tree = tree
        self._true_division = true_division
        # Positions of ast are bytes of UTF-8.
        self._lines = [line.encode() for line in text.split("\n")]
        self._edits: list[tuple[int, int, int, int, bytes]] = []
        self._above: dict[int, list[str]] = {}
        self._imports: dict[str, set[str]] = {}
        self._modules: set[str] = set()
        self._first: set[str] = set()
        self._statement: dict[ast.AST, ast.stmt] = {}
        self._alone: set[ast.stmt] = set()
        self._bound = set(bound(tree))
        handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
        self._errors = {node.name for node in handlers if node.name}
        self._kinds = Kinds(tree)
        self.remarks: list[tuple[int, str, str]] = []

    def work(self) -> None:
        self._survey(self._tree, None)
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
        self._visit(self._tree)

    def _survey(self, node: ast.AST, statement: ast.stmt | None) -> None:
        for _, value in ast.iter_fields(node):
            parts = value if isinstance(value, list) else [value]
            for part in parts:
                if isinstance(part, ast.AST):
                    if isinstance(part, ast.stmt) and len(parts) == 1:
                        self._alone.add(part)
                    inner = part if isinstance(part, ast.stmt) else statement
                    if inner is not None:
                        self._statement[part] = inner
                    self._survey(part, inner)

    # Expressions.

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.Name | ast.Attribute) and self._name(node):
            return
        if isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.FunctionDef):
            self._globals(node)
        elif isinstance(node, ast.ClassDef):
            self._class(node)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            self._division(node)
        for child in ast.iter_child_nodes(node):
            self._visit(child)

    def _name(self, node: ast.Name | ast.Attribute) -> bool:
        """Rewrite a name or dotted name; tell whether nothing in it is left to do."""
        if not isinstance(node.ctx, ast.Load):
            return False
        path = dotted(node)
        root, _, rest = path.partition(".")
        if rest == "message" and root in self._errors:
            self._replace(node, f"str({root})")
            return True
        if root == "string" and path in PLAIN:
            self._replace(node, PLAIN[path][0])
            return True
        if not path or root in self._bound:
            return False
        last = path.rpartition(".")[2]
        if root in ROOTS and rest:
            return self._package_name(node, path)
        known = PLAIN.get(path)
        if known is not None:
            self._replace(node, known[0])
            self._modules.update([known[1]] if known[1] else [])
            return True
        if isinstance(node, ast.Attribute):
            return False
        self._needed(last, node)
        return True

    def _package_name(self, node: ast.Name | ast.Attribute, path: str) -> bool:
        parts = path.split(".")
        for place, part in enumerate(parts):
            if home_of(part) or advice(part) is not None:
                short = ".".join(parts[place:])
                known = PLAIN.get(short)
                self._replace(node, known[0] if known else short)
                if known is None:
                    self._needed(part, node)
                return True
        if path in PLAIN:
            self._replace(node, PLAIN[path][0])
        else:
            self._refuse(node, path)
        return True

    def _needed(self, name: str, node: ast.AST) -> None:
        if name in self._bound or (name in vars(builtins) and name not in ("max", "min")):
            return
        if name in ("max", "min"):
            return  # only where one thing is asked for its largest value
        if name in MOVED:
            self._first.add(MOVED[name])
            return
        home = home_of(name)
        if home:
            self._imports.setdefault(home, set()).add(name)
        elif advice(name) is not None:
            self._refuse(node, name)

    def _call(self, node: ast.Call) -> None:
        name = dotted(node.func)
        plain = not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
        if name in ("max", "min") and plain and len(node.args) == 1 and name not in self._bound:
            if not isinstance(node.args[0], ast.List | ast.Tuple | ast.ListComp):
                self._imports.setdefault("skypool.hipe", set()).add(name)
        elif name.rpartition(".")[2] == "sort" or name == "sorted":
            self._sort(node, int(name == "sorted"))
        elif name in ("open", "file") and len(node.args) == 2:
            mode = node.args[1]
            if isinstance(mode, ast.Constant) and str(mode.value).strip("b") in ("rU", "U"):
                self._replace(mode, "'r'")
        elif name == "cmp" and "cmp" not in self._bound:
            self._imports.setdefault("skypool.hipe.jython.ordering", set()).add("compare")
            self._replace(node.func, "compare")
        elif name.startswith("string.") and plain and node.args:
            self._string(node, name[7:])
        if name.rpartition(".")[2] in _IN_TEXTS:
            self._in_texts(node)
        self._of_java(node, getattr(node.func, "attr", name))

    def _of_java(self, node: ast.Call, name: str) -> None:
        """Write what Java's lists and HIPE's classes of tasks need otherwise."""
        task = name[:1].lower() + name[1:-4] if name.endswith("Task") else ""
        if task in HOMES and not node.args:
            self._imports.setdefault("skypool.hipe", set()).add(task)
            self._replace(node, task)
        inner = getattr(node.func, "value", None)
        if name in _OF_LISTS and isinstance(inner, ast.Call) and dotted(inner.func) == "list":
            # The fixers made a list of Python of what was one of Java.
            self._replace(inner, self._source(inner.args[0]))

    def _sort(self, node: ast.Call, place: int) -> None:
        """Write a function that compares two values as the key of one."""
        order = next((word for word in node.keywords if word.arg == "cmp"), None)
        if order is not None:
            self._replace(order, f"key=functools.cmp_to_key({self._source(order.value)})")
        elif len(node.args) == place + 1 and not node.keywords:
            self._wrap(node.args[place], "key=functools.cmp_to_key(", ")")
        else:
            return
        self._modules.add("functools")

    def _globals(self, node: ast.FunctionDef) -> None:
        """Put `global` where the function starts: Python 3 refuses it behind a use."""
        found = [part for part in ast.walk(node) if isinstance(part, ast.Global)]
        late = [part for part in found if part is not node.body[0] and part in self._alone_in(node)]
        if not late:
            return
        first = (
            node.body[1] if ast.get_docstring(node) is not None and node.body[1:] else node.body[0]
        )
        line = self._lines[first.lineno - 1]
        indent = line[: len(line) - len(line.lstrip())]
        names = ", ".join(sorted({name for part in late for name in part.names}))
        if first.lineno != node.lineno:
            at = first.lineno - 1
            self._edits.append((at, 0, at, 0, indent + f"global {names}\n".encode()))
            for part in late:
                self._drop(part)

    @staticmethod
    def _alone_in(function: ast.FunctionDef) -> set[ast.stmt]:
        """Give the statements of a function without those of functions in it."""
        found: set[ast.stmt] = set()
        todo: list[ast.AST] = list(function.body)
        while todo:
            node = todo.pop()
            if isinstance(node, ast.stmt):
                found.add(node)
            if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
                todo.extend(ast.iter_child_nodes(node))
        return found

    def _class(self, node: ast.ClassDef) -> None:
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name == "__cmp__":
                self._note(part, "__cmp__ is not used any more; write __eq__ and __lt__")

    def _string(self, node: ast.Call, function: str) -> None:
        """Write string.upper(s) as s.upper()."""
        first, rest = node.args[0], node.args[1:]
        if function in ("join", "joinfields"):
            between = self._source(rest[0]) if rest else "' '"
            self._replace(node, f"{between}.join({self._source(first)})")
        elif function in ("atof", "atoi", "atol"):
            self._replace(node.func, "float" if function == "atof" else "int")
        elif hasattr(str, function) and isinstance(
            first, ast.Name | ast.Attribute | ast.Call | ast.Constant
        ):
            given = ", ".join(map(self._source, rest))
            self._replace(node, f"{self._source(first)}.{function}({given})")

    def _in_texts(self, node: ast.Call) -> None:
        for part in node.args:
            if not (isinstance(part, ast.Constant) and isinstance(part.value, str)):
                continue
            try:
                inner = ast.parse(part.value.strip())
            except (SyntaxError, ValueError):  # not Python alone: `=` in a query, say
                continue
            for name in ast.walk(inner):
                if isinstance(name, ast.Name) and home_of(name.id) == "skypool.hipe":
                    self._needed(name.id, node)

    def _division(self, node: ast.BinOp | ast.AugAssign) -> None:
        if self._true_division:
            return
        left = node.left if isinstance(node, ast.BinOp) else node.target
        right = node.right if isinstance(node, ast.BinOp) else node.value
        one, other = self._kinds.of(left), self._kinds.of(right)
        if one == other == "int":
            self._operator(left, right)
        elif "other" not in (one, other) and None in (one, other) and "float" not in (one, other):
            self._note(node, "/ cuts the fraction of two integers in Jython; write // for these")

    def _operator(self, left: ast.AST, right: ast.AST) -> None:
        row, column = left.end_lineno - 1, left.end_col_offset  # type: ignore[attr-defined]
        while row < right.lineno:  # type: ignore[attr-defined]
            place = self._lines[row].split(b"#")[0].find(b"/", column)
            if place >= 0:
                self._edits.append((row, place, row, place + 1, b"//"))
                return
            row, column = row + 1, 0

    # Imports.

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom):
            star = node.names[0].name == "*" and node not in self._tree.body
            hipe = (node.module or "").partition(".")[0] in ROOTS
            if star and not hipe and not node.level:
                # Python 3 has the star at the top alone.
                self._first.add(ast.unparse(node))
                self._drop(node)
                return
            if node.level or (node.module or "").partition(".")[0] not in ROOTS:
                return
            for alias in node.names:
                self._imported(node, f"{node.module}.{alias.name}", alias)
        else:
            ours = [alias for alias in node.names if alias.name.partition(".")[0] in ROOTS]
            if not ours:
                return
            rest = [alias for alias in node.names if alias not in ours]
            for alias in ours:
                if alias.asname:
                    self._imported(node, alias.name, alias)
            if rest:
                self._replace(node, f"import {', '.join(map(ast.unparse, rest))}")
                return
        self._drop(node)

    def _imported(self, node: ast.stmt, path: str, alias: ast.alias) -> None:
        name = path.rpartition(".")[2]
        if name == "*":
            return
        self._bound.discard(alias.asname or name)
        home = home_of(name)
        task = name[:1].lower() + name[1:-4] if name.endswith("Task") else ""
        if home and alias.asname and alias.asname != name:
            self._imports.setdefault(home, set()).add(f"{name} as {alias.asname}")
            self._bound.add(alias.asname)
        elif path in ("java.lang.Exception", "java.lang.Math") or home:
            return  # imported where it is used
        elif task in HOMES:
            return  # its instances are the function
        elif name[:1].isupper() or advice(name) is not None:
            self._refuse(node, path)

    def _drop(self, node: ast.stmt) -> None:
        row, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before = self._lines[row][: node.col_offset].strip()
        after = self._lines[last][node.end_col_offset or 0 :].split(b"#")[0].strip()
        if before or after or (node in self._alone and node not in self._tree.body):
            self._replace(node, "pass")
        elif last + 1 < len(self._lines):
            self._edits.append((row, 0, last + 1, 0, b""))

    # Edits.

    def _source(self, node: ast.expr) -> str:
        row, last = node.lineno - 1, (node.end_lineno or 0) - 1
        if row == last:
            return self._lines[row][node.col_offset : node.end_col_offset].decode()
        return ast.unparse(node)

    def _replace(self, node: ast.AST, new: str) -> None:
        self._edits.append(
            (
                node.lineno - 1,  # type: ignore[attr-defined]
                node.col_offset,  # type: ignore[attr-defined]
                node.end_lineno - 1,  # type: ignore[attr-defined]
                node.end_col_offset,  # type: ignore[attr-defined]
                new.encode(),
            )
        )

    def _wrap(self, node: ast.expr, before: str, after: str) -> None:
        start = node.lineno - 1, node.col_offset
        end = (node.end_lineno or 1) - 1, node.end_col_offset or 0
        self._edits.append((*start, *start, before.encode()))
        self._edits.append((*end, *end, after.encode()))

    def _refuse(self, node: ast.AST, path: str) -> None:
        way = modern_way(path)
        name = path.rpartition(".")[2]
        line = getattr(node, "lineno", 1)
        self.remarks.append((line, name, way))
        self._note(node, f"{name} is not supported; {way}")

    def _note(self, node: ast.AST, text: str) -> None:
        statement = self._statement.get(node, node)
        notes = self._above.setdefault(statement.lineno - 1, [])  # type: ignore[attr-defined]
        if text not in notes:
            notes.append(text)

    def text(self) -> str:
        """Give the script with all edits."""
        lines = self._lines
        notes = {row: (lines[row], texts) for row, texts in self._above.items()}
        whole, starts = joined(lines)
        edits = [
            (starts[row] + column, starts[last] + end, new)
            for row, column, last, end, new in self._edits
        ]
        for row, (line, texts) in notes.items():
            indent = line[: len(line) - len(line.lstrip())]
            above = b"".join(indent + f"# skypool: {text}\n".encode() for text in texts)
            edits.append((starts[row], starts[row], above))
        edits.append((starts[self._head()],) * 2 + (self._header(),))
        return applied(whole, edits).decode()

    def _header(self) -> bytes:
        lines = [f"import {name}" for name in sorted(self._modules - self._bound)]
        lines += sorted(self._first)
        ours = []
        for home in sorted(self._imports):
            names = sorted(self._imports[home], key=import_order)
            line = f"from {home} import {', '.join(names)}"
            if len(line) > 88:
                line = f"from {home} import (\n" + "".join(f"    {n},\n" for n in names) + ")"
            ours.append(line)
        blocks = ["\n".join(block) for block in (lines, ours) if block]
        return ("\n\n".join(blocks) + "\n\n").encode() if blocks else b""

    def _head(self) -> int:
        """Find the line before which imports go."""
        body = self._tree.body
        start = 0
        for statement in body:
            docstring = isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Constant
            )
            future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
            if not (future or (docstring and statement is body[0])):
                break
            start = statement.end_lineno or start
        if start == 0:
            # Behind the comments that the script begins with.
            while start < len(self._lines) and self._lines[start].startswith(b"#"):
                start += 1
        while start < len(self._lines) - 1 and not self._lines[start].strip():
            start += 1
        return start
