"""What the names in a where-clause stand for, and what it may call."""

from __future__ import annotations

import difflib
import math
import os
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from skypool.errors import QueryError

__all__ = ["MISSING", "Names", "callers_frame", "callers_names"]

MISSING: Final = object()
_BUILTINS: Final[dict[str, Any]] = {
    "True": True, "False": False, "None": None, "abs": abs, "all": all, "any": any, "bool": bool,
    "float": float, "int": int, "len": len, "long": int, "round": round, "sorted": sorted,
    "str": str, "sum": sum, "unicode": str,
}  # fmt: skip
_MATH: Final = frozenset(
    {"hypot", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "exp", "log", "log10",
     "floor", "ceil", "fabs", "radians", "degrees", "pi", "pow"}
)  # fmt: skip


def callers_frame() -> types.FrameType | None:
    """Return the frame of the script that called into this package."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith("skypool.") or module.startswith("skypool.testing"):
            break
        frame = frame.f_back
    return frame


def callers_names() -> Mapping[str, Any]:
    """Return the names of the script that called into this package."""
    frame = callers_frame()
    if frame is None:
        return {}
    if frame.f_locals is frame.f_globals:
        return frame.f_globals
    return _Chain(dict(frame.f_locals), frame.f_globals)


class _Chain(dict[str, Any]):
    """Names of a function, and those of its module, which may still change."""

    def __init__(self, inner: Mapping[str, Any], outer: Mapping[str, Any]) -> None:
        super().__init__(inner)
        self._outer = outer

    def __missing__(self, name: str) -> Any:
        return self._outer[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._outer

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 (this is get)


class Names:
    """Names of a script, and functions that are always at hand.

    Parameters
    ----------
    script
        Names of the script.
    """

    def __init__(self, script: Mapping[str, Any]) -> None:
        self._script = script

    def value(self, name: str) -> Any:
        """Return what a name stands for as a value, `MISSING` where it is none."""
        if name.startswith("_"):
            return MISSING
        found = self._script.get(name, MISSING)
        if found is MISSING or callable(found) or isinstance(found, types.ModuleType):
            return _BUILTINS[name] if name in ("True", "False", "None") else MISSING
        return found

    def function(self, name: str) -> Any:
        """Return the function that a name stands for, `MISSING` where it is none.

        Raises
        ------
        QueryError
            If where-clauses may not call it.
        """
        if name.startswith("_"):
            return MISSING
        found = self._script.get(name, MISSING)
        if found is not MISSING and callable(found):
            if _may_be_called(found):
                return found
            if name not in ("max", "min") and _BUILTINS.get(name) is not found:
                raise QueryError(
                    f"a where-clause cannot call {name}",
                    hint="call it in a function of your script, and that one here",
                )
        return _always(name)

    def module(self, name: str) -> Callable[[str], Any] | None:
        """Return what looks up functions of a module of mathematics that the script imported."""
        found = self._script.get(name)
        if found is math:
            return lambda inner: getattr(math, inner) if inner in _MATH else MISSING
        if getattr(found, "__name__", "") == "numpy":
            return lambda inner: _ufunc(getattr(found, inner, MISSING))
        return None

    def near(self, name: str, others: Iterable[str] = ()) -> list[str]:
        """Return names that look like one."""
        return difflib.get_close_matches(name, {*self._script, *others}, n=3)


def _ufunc(found: Any) -> Any:
    return found if type(found).__name__ == "ufunc" or isinstance(found, float) else MISSING


def _always(name: str) -> Any:
    import skypool.hipe.numeric as numeric

    if name in numeric.__all__:
        return getattr(numeric, name)
    if name in _BUILTINS:
        return _BUILTINS[name]
    if name in _MATH:
        return getattr(math, name)
    if name == "FineTime":
        from skypool.hipe.finetime import FineTime

        return FineTime
    return MISSING


def _may_be_called(found: Any) -> bool:
    """Say whether a function is one of calculation, or of the user's own."""
    if getattr(found, "__module__", "") in ("skypool.hipe.numeric", "skypool.hipe.finetime"):
        return True
    if type(found).__name__ == "ufunc" or any(found is known for known in _BUILTINS.values()):
        return True
    name = getattr(found, "__name__", "")
    if getattr(math, name, None) is found:
        return name in _MATH
    if isinstance(found, types.MethodType):
        found = found.__func__
    elif not isinstance(found, types.FunctionType):
        found = vars(type(found)).get("__call__")
    return isinstance(found, types.FunctionType) and _is_users(found)


def _is_users(function: types.FunctionType) -> bool:
    """Say whether a function stands in no installed package: a script, a notebook, a module."""
    root = str(function.__globals__.get("__name__", "")).partition(".")[0]
    if root == "skypool" or root in sys.stdlib_module_names:
        return False
    file = function.__code__.co_filename
    if file.startswith("<"):
        return True
    return not _is_installed(file)


@lru_cache(maxsize=256)
def _is_installed(file: str) -> bool:
    path = os.path.realpath(file)
    paths = sysconfig.get_paths()
    folders = {os.path.realpath(paths[key]) for key in ("stdlib", "purelib", "platlib")}
    return any(path.startswith(folder + os.sep) for folder in folders)
