"""Optional parts of skypool that lie above what uses them, found by their names.

A method such as `Ref.send` belongs to the pool; what it does belongs to a layer above, which the
pool may not import. That layer registers a callable under the entry point group `skypool.parts`,
and the method asks for it here, by name, when it is called.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from skypool.errors import MissingDependency

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "package", "part"]

#: Entry points of this group name the parts.
GROUP = "skypool.parts"


def part(name: str, *, extra: str) -> Any:
    """Return an optional part.

    Parameters
    ----------
    name
        What it is registered as.
    extra
        The extra of skypool that brings what it needs.

    Returns
    -------
    object
        What the entry point stands for, usually a function.

    Raises
    ------
    MissingDependency
        If nothing is registered under that name, or a package that it needs is not installed.
    """
    hint = f"pip install 'skypool[{extra}]'"
    point = _points().get(name)
    if point is None:
        raise MissingDependency(
            f"this installation of skypool has no part {name!r}",
            hint=f"install it again: {hint}",
        )
    try:
        return point.load()
    except MissingDependency:
        raise  # the part itself says it better
    except ImportError as error:
        raise MissingDependency(f"{name!r} needs a package more: {error}", hint=hint) from error


@cache
def _points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # with much of the standard library

    return {point.name: point for point in entry_points(group=GROUP)}


def package(name: str, *, extra: str) -> Any:
    """Import a package that a plain installation does not have.

    Parameters
    ----------
    name
        Of the package or of a module in it.
    extra
        The extra of skypool that brings it.

    Raises
    ------
    MissingDependency
        If it is not there; the text names the extra.
    """
    import warnings
    from importlib import import_module

    try:
        with warnings.catch_warnings():
            # What a package uses that another one is about to give up is between the two.
            for category in (DeprecationWarning, PendingDeprecationWarning):
                warnings.simplefilter("ignore", category)
            return import_module(name)
    except ImportError as error:
        raise MissingDependency(
            f"this needs the package {name.partition('.')[0]} ({error})",
            hint=f"pip install 'skypool[{extra}]'",
        ) from error
