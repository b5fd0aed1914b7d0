"""What a version refers to and what refers to it, a level at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from skypool.model.references import ExternalRef
from skypool.server.facts import brief

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["children", "parents", "tree"]

# Nodes of an answer at most: what is left out is asked for lazily.
_NODES: Final = 2000


def children(ref: Ref, label: str, start: int = 0, count: int = _NODES) -> dict[str, Any]:
    """Return what a version refers to, in its order, with the roles."""
    listed = list(ref.refs.items())
    shown = listed[start : start + count]
    return {
        "total": len(listed),
        "start": start,
        "children": [{"role": role} | brief(child, label) for role, child in shown],
    }


def parents(ref: Ref, label: str, start: int = 0, count: int = _NODES) -> dict[str, Any]:
    """Return the versions that refer to a version, the newest first, with the roles."""
    listed = sorted(ref.parents, key=lambda each: -each.number)
    found = []
    for parent in listed[start : start + count]:
        roles = [
            row.role for row in ref.view.identity.refs(parent.number) if row.child == ref.number
        ]
        found.append({"role": roles[0] if roles else "", "roles": roles} | brief(parent, label))
    return {"total": len(listed), "start": start, "parents": found}


def tree(ref: Ref, label: str, depth: int) -> dict[str, Any]:
    """Return a version with what is below it, so many levels deep and up to 2,000 nodes.

    A product that stands in several places is opened in the first; nodes that were not opened
    have no `refs`.
    """
    seen: set[int] = set()
    left = [_NODES]

    def node(role: str, item: Ref | ExternalRef, level: int) -> dict[str, Any]:
        left[0] -= 1
        found = {"role": role} | brief(item, label)
        if isinstance(item, ExternalRef) or level >= depth:
            return found
        if item.number in seen:
            return found | {"again": True}
        seen.add(item.number)
        listed = list(item.refs.items())
        if len(listed) <= left[0]:
            found["refs"] = [node(name, child, level + 1) for name, child in listed]
        return found

    return node("", ref, 0)
