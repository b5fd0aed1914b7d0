"""The run of one script: what it sees as its builtins, and where its code comes from."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from skypool.errors import ScriptError, UnsupportedName
from skypool.hipe.jython import arithmetic, ordering, streams
from skypool.hipe.jython.attributes import attribute, old_class
from skypool.hipe.jython.formatting import Printer, modulo, text
from skypool.hipe.jython.modules import Modules
from skypool.hipe.jython.reading import read_script
from skypool.hipe.jython.semantics import compile_script
from skypool.hipe.jython.tree import found_name

__all__ = ["Session"]


class _Builtins(dict[str, Any]):
    """Builtins of Python 2, and behind them all names that HIPE's console had."""

    def __missing__(self, name: str) -> Any:
        value = found_name(name)
        if value is None:
            raise KeyError(name)
        return value


class Session:
    """The run of one script, and of all that it imports or executes.

    Parameters
    ----------
    folder
        Where modules of its own lie.
    """

    def __init__(self, folder: str) -> None:
        self.printer = Printer()
        self.sources: dict[str, list[str]] = {}
        self.builtins = self._builtins()
        self.modules = Modules(folder, self.module)
        self.builtins["__import__"] = self.modules.imported
        self.builtins["reload"] = self.modules.reloaded

    def namespace(self, name: str, file: str) -> dict[str, Any]:
        """Make the names that a module begins with.

        Parameters
        ----------
        name
            Of the module.
        file
            Its path.

        Returns
        -------
        dict
        """
        return {"__builtins__": self.builtins, "__name__": name, "__file__": file, "__doc__": None}

    def code(self, path: str) -> Any:
        """Read and compile a file.

        Parameters
        ----------
        path
            Of the script.

        Returns
        -------
        code

        Raises
        ------
        ScriptError
            If it is no Jython 2.
        """
        return self.compiled(read_script(path), path)

    def compiled(self, source: str, file: str, mode: str = "exec") -> Any:
        """Compile a text of Jython 2, and keep it for tracebacks.

        Parameters
        ----------
        source
            The text.
        file
            Where it comes from.
        mode
            ``exec``, ``eval`` or ``single``.

        Returns
        -------
        code
        """
        self.sources[file] = source.splitlines()
        return compile_script(source, file, "eval" if mode == "eval" else "exec")

    def module(self, name: str, path: str) -> types.ModuleType:
        """Execute a module of the script's own.

        Parameters
        ----------
        name
            Of the module.
        path
            Its file.

        Returns
        -------
        module
        """
        made = types.ModuleType(name)
        vars(made).update(self.namespace(name, path))
        self.modules.loaded[name] = made
        try:
            exec(self.code(path), vars(made))  # noqa: S102 - the user's own script
        except BaseException:
            del self.modules.loaded[name]
            raise
        return made

    def _builtins(self) -> _Builtins:
        made = _Builtins(vars(builtins))
        made.update(arithmetic.FUNCTIONS)
        made.update(
            {
                "cmp": ordering.compare,
                "compile": self._compile,
                "eval": self._eval,
                "execfile": self._execfile,
                "file": streams.File,
                "input": self._input,
                "max": ordering.greatest,
                "min": ordering.least,
                "open": streams.open_file,
                "print": self._print,
                "raw_input": streams.raw_input,
                "sorted": ordering.sorted_list,
                "StandardError": Exception,
            }
        )
        calls: dict[str, Callable[..., Any]] = {
            "attr": attribute,
            "class": old_class,
            "div": arithmetic.divide,
            "divisor": arithmetic.Divisor,
            "exec": self._exec,
            "item": arithmetic.item,
            "idiv": arithmetic.divide_in_place,
            "mod": modulo,
            "print": self.printer.line,
            "raise": arithmetic.raised,
            "repr": repr,
            "star": self._star,
            "str": arithmetic.texts,
        }
        calls |= {name: ordering.ordered(name) for name in ("lt", "le", "gt", "ge")}
        made.update({f"__jy_{name}__": function for name, function in calls.items()})
        return made

    def _print(
        self, *items: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None
    ) -> None:
        between = " " if sep is None else sep
        target = sys.stdout if file is None else file
        target.write(between.join(map(text, items)) + ("\n" if end is None else end))

    # Code in texts: of the user's own script, with its names.

    def _compile(self, source: Any, file: str, mode: str, *_: Any) -> Any:
        return self._dynamic(str(source), mode)

    def _input(self, prompt: Any = "") -> Any:
        return self._evaluated(streams.raw_input(prompt), *_scope(sys._getframe(1)))

    def _eval(self, source: Any, names: Any = None, local: Any = None) -> Any:
        if names is None:
            names, local = _scope(sys._getframe(1))
        return self._evaluated(source, names, local)

    def _dynamic(self, source: str, mode: str) -> Any:
        """Compile a text that the script made; what is wrong in it is the script's to catch."""
        try:
            return self.compiled(source, "<string>", mode)
        except ScriptError as error:
            raise SyntaxError(error.message) from None

    def _evaluated(self, source: Any, names: Any, local: Any) -> Any:
        code = source if isinstance(source, types.CodeType) else None
        if code is None:
            code = self._dynamic(str(source), "eval")
        names.setdefault("__builtins__", self.builtins)
        return eval(code, names, local)  # noqa: S307 - the user's own script

    def _execfile(self, path: Any, names: Any = None, local: Any = None) -> None:
        frame = sys._getframe(1)
        self._run(self.code(str(path)), names, local, frame)

    def _exec(self, source: Any, names: Any = None, local: Any = None) -> None:
        if isinstance(source, tuple):
            source, names, local = (*source, None, None)[:3]
        if isinstance(source, types.CodeType):
            code = source
        else:
            given = source.read() if hasattr(source, "read") else source
            code = self._dynamic(text(given), "exec")
        self._run(code, names, local, sys._getframe(1))

    def _run(self, code: Any, names: Any, local: Any, frame: types.FrameType) -> None:
        if names is not None:
            names.setdefault("__builtins__", self.builtins)
            exec(code, names, local)  # noqa: S102 - the user's own script
            return
        names, local = _scope(frame)
        if local is names or "__module__" in local:
            exec(code, names, local)  # noqa: S102
            return
        before = dict(local)
        scope = dict(local)
        exec(code, names, scope)  # noqa: S102
        _give_back(scope, before, names, frame.f_code)

    def _star(self, module: str, level: int) -> None:
        frame = sys._getframe(1)
        found = self.modules.imported(module, frame.f_globals, None, ("*",), level)
        listed = getattr(found, "__all__", None)
        shown = [name for name in vars(found) if name[0] != "_"] if listed is None else listed
        for name in shown:
            frame.f_globals[name] = getattr(found, name)


def _scope(frame: types.FrameType) -> tuple[dict[str, Any], Any]:
    return frame.f_globals, frame.f_locals


def _give_back(
    scope: Mapping[str, Any], before: Mapping[str, Any], names: dict[str, Any], code: Any
) -> None:
    """Keep what a text bound that was executed in a function."""
    for name, value in scope.items():
        if name in before and before[name] is value:
            continue
        if name in code.co_varnames or name in code.co_cellvars or name in code.co_freevars:
            raise UnsupportedName(
                f"`exec` sets {name}, a variable of the function {code.co_name}",
                name="exec",
                hint="execute the text in a dictionary, `exec text in names`, and take it from"
                f" there: names[{name!r}]",
            )
        names[name] = value
