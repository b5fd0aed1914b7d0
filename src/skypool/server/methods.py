"""What can be done with a product in Python: HIPE's "Show methods"."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from skypool.model.composite import Composite
from skypool.server.echo import full_name
from skypool.server.facts import each_dataset

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["methods"]

_ARRAY: Final = "array"
_TABLE: Final = "table"


def methods(ref: Ref) -> dict[str, Any]:
    """Return the methods and properties of a product, its reference and its datasets.

    Each with the line that calls it, and what it does.
    """
    from skypool.model.product import Product
    from skypool.pool.ref import Ref as Reference

    groups = [
        _group("ref", f"the reference, pool[{full_name(ref)!r}]", Reference),
        _group("product", f"the product, a {ref.kind}: ref.product", Product),
    ]
    seen: set[str] = set()
    for path, dataset in each_dataset(ref):
        kind = _sort(dataset)
        if kind not in seen:
            seen.add(kind)
            expression = f"product[{path!r}]"
            groups.append(_group(expression, f"a dataset, {kind}", type(dataset)))
    return {"class": ref.kind, "groups": groups}


def _sort(dataset: Any) -> str:
    if isinstance(dataset, Composite):
        return "composite"
    return _TABLE if hasattr(dataset, "colnames") else _ARRAY


def _group(expression: str, title: str, kind: type) -> dict[str, Any]:
    return {"expression": expression, "title": title, "members": _members(kind, expression)}


@lru_cache(maxsize=64)
def _members(kind: type, expression: str) -> list[dict[str, str]]:
    found = []
    for name in dir(kind):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(kind, name)
        text = inspect.getdoc(getattr(kind, name, None)) or ""
        call = f"{expression}.{name}"
        function = getattr(kind, name, None)
        if callable(function) and not isinstance(member, property):
            call += _arguments(function)
        elif not text:  # a slot that holds a value
            continue
        line = text.partition("\n")[0].replace("`", "").replace("*", "")
        found.append({"name": name, "call": call, "text": line})
    return found


def _arguments(function: Any) -> str:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    given = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    bare = signature.replace(parameters=given, return_annotation=inspect.Signature.empty)
    return str(bare)
