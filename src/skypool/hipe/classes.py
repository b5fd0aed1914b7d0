"""The class of products of each kind, made where nobody wrote one."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

from skypool.errors import UsageError
from skypool.hipe.names import HOMES
from skypool.model.kinds import KIND_PATTERN, ancestors, kind_of_class

__all__ = ["class_of_kind", "kind_of"]


@lru_cache(maxsize=4096)
def class_of_kind(kind: str) -> Any:
    """Return the class of products of a kind; a sub-class of that of the next kind above."""
    for above in ancestors(kind):
        home = HOMES.get(above)
        if home is not None:
            found = getattr(importlib.import_module(f"skypool.hipe.{home}"), above)
            if above == kind:
                return found
            about = f"A product of the kind {kind}."
            return type(kind, (found,), {"__doc__": about, "__module__": "skypool.hipe"})
    raise UsageError(f"{kind!r} is no kind of product")


def kind_of(wanted: Any) -> str:
    """Return the kind that a class, a kind or the name of a class of Java stands for.

    Raises
    ------
    UsageError
        If it stands for none.
    """
    if isinstance(wanted, str):
        name = wanted.strip()
        if KIND_PATTERN.match(name.rpartition(".")[2]):
            return kind_of_class(name)
    kind = getattr(wanted, "kind", None)
    if isinstance(wanted, type) and isinstance(kind, str):
        return kind
    raise UsageError(
        f"{wanted!r} is no class of products",
        hint="give one of skypool.hipe, such as Product or ObservationContext",
    )
