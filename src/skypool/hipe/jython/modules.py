"""What a script imports: HIPE and Java, modules of Python 2, its own files.

All of it is seen by the script alone; nothing enters `sys.modules`.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skypool.hipe.jython import library
from skypool.hipe.jython.tree import ROOTS, package

__all__ = ["Modules"]


class Modules:
    """The modules of one script.

    Parameters
    ----------
    folder
        Where its own modules lie.
    execute
        Runs a file as a module: of its name and path.
    """

    def __init__(self, folder: str, execute: Callable[[str, str], types.ModuleType]) -> None:
        self.loaded: dict[str, types.ModuleType] = {}
        self._folder = folder
        self._execute = execute
        self._path = frozenset(sys.path)

    def imported(
        self,
        name: str,
        names: Mapping[str, Any] | None = None,
        local: Any = None,
        wanted: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """Import as Python's `__import__` does.

        Parameters
        ----------
        name
            Dotted name of the module.
        names
            Of the module that imports.
        local
            Not used.
        wanted
            What stands behind `import` in `from ... import ...`.
        level
            How many dots stand before the name.

        Returns
        -------
        module
            The module, or the first of the dotted name where nothing is wanted.
        """
        root = name.partition(".")[0]
        if root in ROOTS and level == 0 and self._own(root, names) is None:
            return package(name) if wanted else package(root)
        found = self._dotted(name, names) if name else None
        if found is None:
            found = library.module(name)
        if found is None:
            return self._real(name, names, local, wanted, level)
        if wanted:
            for part in wanted:
                if part != "*" and not hasattr(found, part) and hasattr(found, "__path__"):
                    inner = self._dotted(f"{name}.{part}", names)
                    if inner is not None:
                        setattr(found, part, inner)
            return found
        return self.loaded.get(root, found) if "." in name else found

    def reloaded(self, module: types.ModuleType) -> types.ModuleType:
        """Execute a module of the script anew; leave others as they are.

        Parameters
        ----------
        module
            What was imported.

        Returns
        -------
        module
        """
        name = module.__name__
        if self.loaded.get(name) is not module or not module.__file__:
            return module
        vars(module).update(vars(self._execute(name, module.__file__)))
        self.loaded[name] = module
        return module

    def _real(
        self, name: str, names: Any, local: Any, wanted: Sequence[str] | None, level: int
    ) -> Any:
        renamed = library.RENAMED.get(name)
        if renamed is not None and level == 0:
            return importlib.import_module(renamed)
        # Without the script's own module name there is nothing that dots could start from.
        return builtins.__import__(name, names, local, wanted or (), level)

    def _dotted(self, name: str, names: Mapping[str, Any] | None) -> types.ModuleType | None:
        """Load a module of the script's own, and those above it."""
        found = above = None
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            inner = ".".join(parts[:depth])
            found = self.loaded.get(inner)
            if found is None:
                path = (
                    self._own(inner, names) if above is None else _inside(above, parts[depth - 1])
                )
                if path is None:
                    return None
                found = self._execute(inner, path)
                if os.path.basename(path) == "__init__.py":
                    found.__path__ = [os.path.dirname(path)]
            if above is not None:
                setattr(above, parts[depth - 1], found)
            above = found
        return found

    def _own(self, name: str, names: Mapping[str, Any] | None) -> str | None:
        """Find the file of a module beside the script, or where it added to `sys.path`."""
        beside = os.path.dirname(str((names or {}).get("__file__") or ""))
        folders = [self._folder, *(folder for folder in sys.path if folder not in self._path)]
        if beside:
            folders.insert(0, beside)
        return next((path for folder in folders if (path := _file(folder, name))), None)


def _inside(module: types.ModuleType, name: str) -> str | None:
    folders = getattr(module, "__path__", ())
    return next((path for folder in folders if (path := _file(folder, name))), None)


def _file(folder: str, name: str) -> str | None:
    for path in (
        os.path.join(folder, f"{name}.py"),
        os.path.join(folder, name, "__init__.py"),
    ):
        if os.path.isfile(path):
            return path
    return None
