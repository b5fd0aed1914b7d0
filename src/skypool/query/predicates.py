"""Functions of queries that are conditions on one product: its keys, texts and tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from skypool.query.compare import Truth, any_of, as_text, compare, like
from skypool.query.mentions import is_there, word_of
from skypool.query.subject import (
    Subject,
    attribute,
    core_attribute,
    dataset_called,
    datasets_of,
    has_key,
    matching_roles,
)
from skypool.query.tree import ATTRIBUTES, Call, Literal, Node
from skypool.query.values import Value

if TYPE_CHECKING:
    from skypool.query.evaluate import Evaluator

__all__ = ["PREDICATES", "contains_text"]


def _has(self: Evaluator, node: Call) -> bool:
    key = str(self.value(node.arguments[0]))
    if key in ATTRIBUTES and attribute(self.subject, key) is not None:
        return True
    if core_attribute(key) in self.subject.attributes:
        return True
    return has_key(self.subject.meta, key) or any(
        has_key(dataset.meta, key) for dataset in datasets_of(self.subject.datasets)
    )


def _has_dataset(self: Evaluator, node: Call) -> bool:
    name = str(self.value(node.arguments[0]))
    return dataset_called(self.subject.datasets, name) is not None


def _tagged(self: Evaluator, node: Call) -> bool:
    return self.value(node.arguments[0]) in self.subject.tags


def _mentions(self: Evaluator, node: Call) -> bool:
    return is_there(word_of(str(self.value(node.arguments[0]))), self.subject)


def _startswith(self: Evaluator, node: Call) -> Truth:
    text, start = (as_text(self.value(item)) for item in node.arguments)
    return None if text is None or start is None else text.startswith(start)


def _contains_call(self: Evaluator, node: Call) -> Truth:
    whole, part = (self.value(item) for item in node.arguments)
    if isinstance(whole, tuple):
        return None if part is None else any_of(compare("==", part, item) for item in whole)
    return contains_text(whole, part)


def contains_text(whole: Value, part: Value) -> Truth:
    """Tell whether a text holds another."""
    text, wanted = as_text(whole), as_text(part)
    return None if text is None or wanted is None else wanted in text


def _like(self: Evaluator, node: Call) -> Truth:
    text, pattern = (as_text(self.value(item)) for item in node.arguments)
    return None if text is None or pattern is None else like(text, pattern)


def _inner(self: Evaluator, subject: Subject, condition: Node | None) -> Truth:
    return True if condition is None else self.about(subject).truth(condition)


def _only(node: Call) -> Node | None:
    return node.arguments[0] if node.arguments else None


def _parent(self: Evaluator, node: Call) -> Truth:
    return any(_inner(self, parent, _only(node)) is True for parent in self.subject.parents())


def _child(self: Evaluator, node: Call) -> Truth:
    role, condition = _role_and_condition(node)
    children = list(self.subject.children())
    if role is not None:
        wanted = matching_roles([name for name, _ in children], str(self.value(role)))
        children = [(name, child) for name, child in children if name in wanted]
    return any(
        not isinstance(child, str) and _inner(self, child, condition) is True
        for _, child in children
    )


def _role_and_condition(node: Call) -> tuple[Node | None, Node | None]:
    """Return what of ``child('level2', expr)`` is there."""
    first = node.arguments[0]
    if len(node.arguments) == 2:
        return first, node.arguments[1]
    if isinstance(first, Literal) and isinstance(first.value, str):
        return first, None
    return None, first


def _ancestor(self: Evaluator, node: Call) -> Truth:
    return _far(self, _only(node), lambda subject: subject.parents())


def _descendant(self: Evaluator, node: Call) -> Truth:
    def below(subject: Subject) -> Iterator[Subject]:
        return (child for _, child in subject.children() if not isinstance(child, str))

    return _far(self, _only(node), below)


def _far(self: Evaluator, condition: Node | None, step: Callable[[Subject], Any]) -> bool:
    """Search a tree, every product once: trees share children."""
    seen: set[str] = set()
    waiting = list(step(self.subject))
    while waiting:
        subject = waiting.pop()
        if subject.urn in seen:
            continue
        seen.add(subject.urn)
        if _inner(self, subject, condition) is True:
            return True
        waiting.extend(step(subject))
    return False


def _has_ref(self: Evaluator, node: Call) -> bool:
    roles = [role for role, _ in self.subject.children()]
    return bool(matching_roles(roles, str(self.value(node.arguments[0]))))


def _refers_to(self: Evaluator, node: Call) -> bool:
    wanted = str(self.value(node.arguments[0]))
    return any(
        child == wanted if isinstance(child, str) else wanted in _handles(child)
        for _, child in self.subject.children()
    )


def _handles(subject: Subject) -> Iterator[str]:
    """Yield the texts by which ``refers_to`` knows a product."""
    yield subject.urn
    if subject.name is not None:
        yield subject.name
        yield f"{subject.name}@{subject.version}"
        for tag in subject.tags:
            yield f"{subject.name}@{tag}"


PREDICATES: Final[Mapping[str, Callable[[Evaluator, Call], Truth]]] = {
    "has": _has,
    "missing": lambda self, node: not _has(self, node),
    "has_dataset": _has_dataset,
    "tagged": _tagged,
    "mentions": _mentions,
    "startswith": _startswith,
    "contains": _contains_call,
    "like": _like,
    "parent": _parent,
    "child": _child,
    "ancestor": _ancestor,
    "descendant": _descendant,
    "has_ref": _has_ref,
    "refers_to": _refers_to,
}
