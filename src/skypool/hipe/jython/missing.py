"""What stands for a name of HIPE or Java that skypool has not: any use of it stops the script."""

from __future__ import annotations

import functools
import sys
from typing import Any, NoReturn

from skypool.errors import UnsupportedName
from skypool.hipe.jython.unsupported import modern_way

__all__ = ["is_missing", "missing", "refusals"]

#: What scripts of this process used and skypool has not: file, line, name, modern way.
refusals: list[tuple[str, int, str, str]] = []


class _Missing(type):
    """The class of all classes that are not there."""

    def __call__(cls, *given: Any, **options: Any) -> Any:
        _refuse(cls.__name__)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"{cls.__name__}.{name}")

    def __getitem__(cls, name: Any) -> Any:
        _refuse(cls.__name__)

    def __iter__(cls) -> Any:
        _refuse(cls.__name__)

    def __instancecheck__(cls, given: Any) -> bool:
        # Nothing that is there can be of it.
        return False

    def __repr__(cls) -> str:
        return f"<{cls.__name__}, not supported>"


def _refuse(name: str) -> NoReturn:
    frame = sys._getframe(1)
    # Scripts have builtins of their own, which are no plain dictionary.
    while frame.f_back is not None and type(frame.f_builtins) is dict:
        frame = frame.f_back
    refusals.append((frame.f_code.co_filename, frame.f_lineno, name, modern_way(name)))
    raise UnsupportedName(
        f"{name} is not supported",
        name=name,
        hint=modern_way(name),
    )


def is_missing(found: object) -> bool:
    """Tell whether something stands for a name that is not there.

    Parameters
    ----------
    found
        Anything.

    Returns
    -------
    bool
    """
    return isinstance(found, _Missing)


@functools.cache
def missing(path: str) -> Any:
    """Make what stands for a name that is not there.

    Parameters
    ----------
    path
        Such as ``herschel.pacs.spg.phot.PhotProjectTask``.

    Returns
    -------
    type
    """

    def subclass(cls: Any, **_: Any) -> None:
        _refuse(path)

    refusing: Any = subclass
    members: dict[str, Any] = {"__init_subclass__": classmethod(refusing)}
    return _Missing(path, (), members)
