"""The names of HIPE, Herschel's software, over the same pools: old scripts and habits go on.

`from skypool.hipe import *` gives what HIPE's console had: products that change in place,
contexts, storages, queries and tasks. docs/reference/hipe.md maps them to skypool's own.
"""

from __future__ import annotations

import importlib

from skypool.hipe.names import HOMES
from skypool.model.kinds import PARENTS

__all__ = sorted(HOMES)  # noqa: PLE0605 (it is a list)


def __getattr__(name: str) -> object:
    # Names are loaded at first use: `import skypool.hipe` alone takes milliseconds.
    home = HOMES.get(name)
    if home is not None:
        value = getattr(importlib.import_module(f"skypool.hipe.{home}"), name)
    elif name in PARENTS:
        from skypool.hipe.classes import class_of_kind

        value = class_of_kind(name)
    else:
        raise AttributeError(f"module 'skypool.hipe' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__) | set(PARENTS))
