"""skypool: a pool of astronomical data products that keeps your files as they are."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skypool.model.datasets import Array, Composite, Table
    from skypool.model.metadata import MetaData, Parameter
    from skypool.model.product import Product
    from skypool.model.references import ExternalRef
    from skypool.pool.finding import find_in_pools as find
    from skypool.pool.matching import match
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref
    from skypool.pool.sesame import resolve
    from skypool.pool.sync.cloning import clone

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Composite",
    "ExternalRef",
    "MetaData",
    "Parameter",
    "Pool",
    "Product",
    "Ref",
    "Table",
    "__version__",
    "clone",
    "errors",
    "find",
    "match",
    "resolve",
]

# Names are loaded at first use: `import skypool` alone takes milliseconds.
_HOMES = {
    "Array": "skypool.model.datasets",
    "Composite": "skypool.model.datasets",
    "ExternalRef": "skypool.model.references",
    "MetaData": "skypool.model.metadata",
    "Parameter": "skypool.model.metadata",
    "Pool": "skypool.pool.pool",
    "Product": "skypool.model.product",
    "Ref": "skypool.pool.ref",
    "Table": "skypool.model.datasets",
    "clone": "skypool.pool.sync.cloning",
    "find": "skypool.pool.finding",
    "match": "skypool.pool.matching",
    "resolve": "skypool.pool.sesame",
}
_CALLED = {"find": "find_in_pools"}


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("skypool.errors")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'skypool' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), _CALLED.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
