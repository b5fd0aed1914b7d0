"""Attributes and classes of Python 2: `d.has_key(k)`, `e.message`, `__cmp__`, `__nonzero__`."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from skypool.hipe.jython.formatting import encode, text
from skypool.hipe.jython.ordering import compare, sort_list

__all__ = ["attribute", "old_class"]


class _JavaClass:
    """What `x.getClass()` gives."""

    def __init__(self, cls: type) -> None:
        self.name = self.simpleName = cls.__name__

    def getName(self) -> str:
        """Give the name of the class."""
        return self.name

    getSimpleName = getName

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


def _message(error: Any) -> str:
    return text(error.args[0]) if isinstance(error, BaseException) and error.args else ""


def _show_trace(error: Any) -> None:
    for line in traceback.format_exception_only(error):
        sys.stderr.write(line)


def _need(kind: type | tuple[type, ...], make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def check(owner: Any) -> Any:
        if not isinstance(owner, kind):
            raise AttributeError(f"{owner!r}")  # noqa: TRY004 - the owner has no such attribute
        return make(owner)

    return check


def _module(name: str, value: Any) -> Callable[[Any], Any]:
    def check(owner: Any) -> Any:
        if getattr(owner, "__name__", "") != name:
            raise AttributeError
        return value

    return check


def _through(inner: str) -> Callable[[Any], Any]:
    return lambda owner: getattr(owner, inner)


_ERRORS = BaseException

# What stands in where an object has not the attribute.
_FALLBACKS: dict[str, Callable[[Any], Any]] = {
    "has_key": lambda owner: owner.__contains__,
    "iteritems": lambda owner: lambda: iter(owner.items()),
    "iterkeys": lambda owner: lambda: iter(owner.keys()),
    "itervalues": lambda owner: lambda: iter(owner.values()),
    "viewitems": _through("items"),
    "viewkeys": _through("keys"),
    "viewvalues": _through("values"),
    "next": lambda owner: owner.__next__,
    "message": _need(_ERRORS, _message),
    "localizedMessage": _need(_ERRORS, _message),
    "getMessage": _need(_ERRORS, lambda error: lambda: _message(error)),
    "printStackTrace": _need(_ERRORS, lambda error: lambda: _show_trace(error)),
    "getCause": _need(_ERRORS, lambda error: lambda: error.__cause__),
    "maxint": _module("sys", 2**31 - 1),
    "setdefaultencoding": _module("sys", lambda name: None),
    "exc_clear": _module("sys", lambda: None),
    "getcwdu": _module("os", os.getcwd),
    "izip": _module("itertools", zip),
    "imap": _module("itertools", map),
    "ifilter": _module("itertools", filter),
    "func_name": _through("__name__"),
    "func_code": _through("__code__"),
    "func_globals": _through("__globals__"),
    "func_defaults": _through("__defaults__"),
    "func_doc": _through("__doc__"),
    "im_self": _through("__self__"),
    "im_func": _through("__func__"),
    "im_class": lambda owner: type(owner.__self__),
    "class": lambda owner: _JavaClass(type(owner)),
    "getClass": lambda owner: lambda: _JavaClass(type(owner)),
    "equals": lambda owner: lambda other: owner == other,
    "hashCode": lambda owner: lambda: hash(owner) & 0x7FFFFFFF,
    "toString": lambda owner: lambda: text(owner),
    "xreadlines": lambda owner: lambda: iter(owner),
    "decode": _need(bytes, lambda data: data.decode),
}


def attribute(owner: Any, name: str) -> Any:
    """Give an attribute as Python 2 does.

    Parameters
    ----------
    owner
        Whose.
    name
        Which.

    Returns
    -------
    object
    """
    if name in ("keys", "values", "items") and isinstance(owner, dict):
        method = getattr(owner, name)
        return lambda: _listed(method())
    if name == "sort" and isinstance(owner, list):
        return functools.partial(sort_list, owner)
    if isinstance(owner, str) and name in ("encode", "decode"):
        return functools.partial(encode, owner, back=name == "decode")
    if owner is sys and name in ("exc_type", "exc_value"):
        return sys.exc_info()[name == "exc_value"]
    try:
        return getattr(owner, name)
    except AttributeError as error:
        fallback = _FALLBACKS.get(name)
        if fallback is None:
            raise
        try:
            return fallback(owner)
        except AttributeError:
            raise error from None


def _listed(found: Any) -> Any:
    return found if isinstance(found, list) else list(found)


_OLD_NAMES = {
    "next": "__next__",
    "__div__": "__truediv__",
    "__rdiv__": "__rtruediv__",
    "__idiv__": "__itruediv__",
    "__unicode__": "__str__",
}


def old_class(cls: Any) -> Any:
    """Give a class the methods under which Python 3 looks for those that it has.

    Parameters
    ----------
    cls
        A class of a script.

    Returns
    -------
    type
    """
    if not isinstance(cls, type):
        return cls
    members = vars(cls)
    made = members.get("__metaclass__")
    if made is not None and made is not type(cls):
        inner = {k: v for k, v in members.items() if k not in ("__dict__", "__weakref__")}
        cls = made(cls.__name__, cls.__bases__, inner)
        members = vars(cls)
    for old, new in _OLD_NAMES.items():
        if old in members and new not in members:
            setattr(cls, new, members[old])
    if "__nonzero__" in members and "__bool__" not in members:
        cls.__bool__ = _truth(members["__nonzero__"])
    if "__cmp__" in members:
        for name, holds in (
            ("__eq__", lambda order: order == 0),
            ("__ne__", lambda order: order != 0),
            ("__lt__", lambda order: order < 0),
            ("__le__", lambda order: order <= 0),
            ("__gt__", lambda order: order > 0),
            ("__ge__", lambda order: order >= 0),
        ):
            if name not in members:
                setattr(cls, name, _by_order(holds))
    if "__eq__" in vars(cls) and vars(cls).get("__hash__") is None:
        cls.__hash__ = object.__hash__
    if "__getslice__" in members:
        cls.__getitem__ = _slicing(members["__getslice__"], getattr(cls, "__getitem__", None))
    return cls


def _truth(method: Any) -> Callable[[Any], bool]:
    return lambda self: bool(method(self))


def _by_order(holds: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    return lambda self, other: holds(compare(self, other))


def _slicing(slices: Any, items: Any) -> Any:
    def method(self: Any, place: Any) -> Any:
        if isinstance(place, slice) and place.step is None:
            stop = sys.maxsize if place.stop is None else place.stop
            return slices(self, place.start or 0, stop)
        if items is None:
            raise TypeError(f"{type(self).__name__} has only slices")
        return items(self, place)

    return method
