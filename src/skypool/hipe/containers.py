"""Lists and mappings that also answer as those of Java do: `refs.size()`, `refs.keySet()`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

__all__ = ["JavaIterator", "JavaList", "JavaMap"]

T = TypeVar("T")


class JavaIterator(Iterator[T]):
    """An iterator that also answers as that of Java does.

    Parameters
    ----------
    items
        What it goes through.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._ahead: list[T] = []

    def hasNext(self) -> bool:
        """Say whether there is one more."""
        if not self._ahead:
            self._ahead.extend(itertools.islice(self._items, 1))
        return bool(self._ahead)

    def __next__(self) -> T:
        return self._ahead.pop() if self._ahead else next(self._items)

    next = __next__


class JavaList(list[T]):
    """A list with the methods of `java.util.List` and `java.util.Set`."""

    def size(self) -> int:
        """Return the number of elements."""
        return len(self)

    def isEmpty(self) -> bool:
        """Say whether there are none."""
        return not self

    def get(self, place: int) -> T:
        """Return the element at a place, from 0."""
        return self[place]

    def set(self, place: int, item: T) -> T:
        """Put an element at a place and return the one that was there."""
        old = self[place]
        self[place] = item
        return old

    def add(self, *given: Any) -> bool:
        """Append an element, or, given a place and an element, insert it there."""
        if len(given) == 2:
            self.insert(given[0], given[1])
        else:
            (item,) = given
            self.append(item)
        return True

    def addAll(self, items: Iterable[T]) -> bool:
        """Append several elements."""
        before = len(self)
        self.extend(items)
        return len(self) != before

    def contains(self, item: object) -> bool:
        """Say whether an element is in it."""
        return item in self

    def indexOf(self, item: Any) -> int:
        """Return the first place of an element, -1 where it has none."""
        return self.index(item) if item in self else -1

    def iterator(self) -> JavaIterator[T]:
        """Return an iterator with `hasNext()` and `next()`."""
        return JavaIterator(self)

    def toArray(self) -> list[T]:
        """Return the elements as a plain list."""
        return list(self)


class JavaMap(dict[str, T]):
    """An ordered mapping with the methods of `java.util.Map`.

    Parameters
    ----------
    given
        The first entries.
    convert
        Makes of what is put in what is kept.
    check
        Asked with key and value before something is put in; raises what speaks against it.
    """

    def __init__(
        self,
        given: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        convert: Callable[[Any], T] | None = None,
        check: Callable[[str, T], None] | None = None,
    ) -> None:
        super().__init__()
        self._convert = convert
        self._check: Callable[[str, T], None] | None = None
        self.update(given)
        self._check = check

    def __setitem__(self, key: str, value: Any) -> None:
        kept = value if self._convert is None else self._convert(value)
        if self._check is not None:
            self._check(key, kept)
        super().__setitem__(key, kept)

    def update(self, *given: Any, **more: Any) -> None:
        """Put several entries in."""
        for key, value in dict(*given, **more).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> T:
        """Return the value of a key, which is put in where it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> JavaMap[T]:  # type: ignore[misc, override]
        self.update(other)
        return self

    def size(self) -> int:
        """Return the number of entries."""
        return len(self)

    def isEmpty(self) -> bool:
        """Say whether there are none."""
        return not self

    def keySet(self) -> JavaList[str]:
        """Return the keys, in their order."""
        return JavaList(self)

    def entrySet(self) -> JavaList[tuple[str, T]]:
        """Return the pairs of keys and values, in their order."""
        return JavaList(self.items())

    def containsKey(self, key: object) -> bool:
        """Say whether there is such a key."""
        return key in self

    def containsValue(self, value: object) -> bool:
        """Say whether there is such a value."""
        return value in self.values()

    def has_key(self, key: object) -> bool:
        """Say whether there is such a key."""
        return key in self

    def put(self, key: str, value: Any) -> T | None:
        """Put an entry in and return the value that was there."""
        old = self.get(key)
        self[key] = value
        return old

    def putAll(self, given: Mapping[str, Any]) -> None:
        """Put several entries in."""
        self.update(given)

    def remove(self, key: str) -> T | None:
        """Take an entry out and return its value, None where there was none."""
        return self.pop(key, None)
