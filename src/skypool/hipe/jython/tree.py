"""The packages ``herschel``, ``java`` and their kin, as scripts import them.

HIPE had some thousand classes in some hundred packages, and moved them between versions, so
a name is found wherever a script looks for it: ``herschel.ia.pal.query.MetaQuery`` is
`skypool.hipe.MetaQuery`. What skypool has not can be imported, but not used: many scripts
import more than they need.
"""

from __future__ import annotations

import functools
import importlib
import types
from typing import Any

from skypool.hipe.jython.missing import is_missing, missing
from skypool.hipe.jython.unsupported import advice

__all__ = ["ROOTS", "found_name", "package"]

#: First names of the packages that are served here.
ROOTS = frozenset(["com", "herschel", "java", "javax", "nhsc", "org"])

_JAVA = tuple(f"skypool.hipe.jython.java_{name}" for name in ("lang", "util", "io"))


class _Package(types.ModuleType):
    """A package of HIPE or Java; everything in it is found when it is asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Nothing comes with a star: all that there is can be used without an import.
        self.__all__: list[str] = []
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _member(self.__name__, name)
        setattr(self, name, value)
        return value

    def __repr__(self) -> str:
        return f"<java package {self.__name__}>"

    def __call__(self, *given: Any, **options: Any) -> Any:
        return missing(self.__name__)(*given, **options)


def _member(above: str, name: str) -> Any:
    java = above.partition(".")[0] != "herschel"
    value = _java(name) if java else _hipe(name)
    if value is not None:
        return value
    if not java and name in _FUNCTION_CLASSES:
        return _FUNCTION_CLASSES[name]
    # Packages begin with a small letter, and so do tasks, of which some are known.
    path = f"{above}.{name}"
    return _Package(path) if name[:1].islower() and advice(name) is None else missing(path)


@functools.cache
def _root(name: str) -> _Package:
    return _Package(name)


def package(path: str) -> Any:
    """Give a package, or what a dotted name ends at, as something to import from.

    Parameters
    ----------
    path
        Such as ``herschel.ia.pal.query`` or ``java.lang.Math``.

    Returns
    -------
    object
    """
    root, *parts = path.split(".")
    found: Any = _root(root)
    for part in parts:
        found = getattr(found, part)
        if is_missing(found):
            # What is in it may be imported, too.
            return _Package(path)
    return found


def _hipe(name: str) -> Any:
    from skypool.hipe.names import HOMES

    if name in HOMES:
        return getattr(importlib.import_module("skypool.hipe"), name)
    if name.endswith("Task") and name[0].isupper():
        task = name[:1].lower() + name[1:-4]
        if task in HOMES:
            # A task was a class, and an instance of it the function.
            function = getattr(importlib.import_module("skypool.hipe"), task)
            return lambda: function
    from skypool.hipe.jython import share
    from skypool.model.kinds import PARENTS

    if name in share.__all__:
        return getattr(share, name)
    if name in PARENTS and name != "File":
        return getattr(importlib.import_module("skypool.hipe"), name)
    return None


def _java(name: str) -> Any:
    for home in _JAVA:
        found = importlib.import_module(home)
        if name in found.__all__:
            return getattr(found, name)
    return None


class _Procedures:
    """A function of ``herschel.ia.numeric.toolbox.basic`` as the class that it was."""

    def __init__(self, name: str) -> None:
        function = _hipe(name)
        self.PROCEDURE = self.FUNCTION = self.FOLDR = self.PREDICATE = function


class _Functions(dict[str, Any]):
    """`Floor`, `Max`, `IsNaN`: the classes whose instances FLOOR, MAX, IS_NAN were."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._home(name) is not None

    def __missing__(self, name: str) -> Any:
        value = self[name] = _Procedures(self._home(name) or "")
        return value

    def _home(self, name: str) -> str | None:
        from skypool.hipe.names import HOMES

        if not (name[:1].isupper() and name[1:2].islower()):
            return None
        return next(
            (found for found in (name.upper(), _spread(name)) if HOMES.get(found) == "numeric"),
            None,
        )


def _spread(name: str) -> str:
    """Turn IsFinite into IS_FINITE."""
    rest = name[2:].upper()
    return f"IS_{rest}" if name.startswith("Is") else name


_FUNCTION_CLASSES = _Functions()


def found_name(name: str) -> Any:
    """Find a name that HIPE's console had without an import.

    Parameters
    ----------
    name
        Such as ``MetaQuery``, ``System`` or ``herschel``.

    Returns
    -------
    object
        None where nothing has the name.
    """
    if name in ROOTS:
        return package(name) if name in ("herschel", "java", "javax") else None
    value = _hipe(name)
    if value is None:
        value = _java(name)
    if value is None and advice(name) is not None:
        value = missing(name)
    return value
