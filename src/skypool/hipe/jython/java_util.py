"""What scripts use of ``java.util``."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from skypool.hipe.containers import JavaList, JavaMap
from skypool.hipe.jython.java_lang import Getters
from skypool.hipe.jython.ordering import sort_list, sorted_list

__all__ = [
    "UUID",
    "ArrayList",
    "Arrays",
    "Collection",
    "Collections",
    "Date",
    "HashMap",
    "HashSet",
    "Hashtable",
    "Level",
    "LinkedHashMap",
    "LinkedHashSet",
    "LinkedList",
    "List",
    "Logger",
    "Map",
    "Random",
    "Set",
    "StringTokenizer",
    "TreeMap",
    "TreeSet",
    "Vector",
]


class _Iterator:
    """``java.util.Iterator`` and Python's."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._rest = list(values)[::-1]

    def hasNext(self) -> bool:
        return bool(self._rest)

    hasMoreElements = hasMoreTokens = hasNext

    def next(self) -> Any:
        if not self._rest:
            raise StopIteration
        return self._rest.pop()

    __next__ = nextElement = nextToken = next

    def __iter__(self) -> Iterator[Any]:
        return self

    def countTokens(self) -> int:
        return len(self._rest)


class ArrayList(JavaList[Any]):
    """``java.util.ArrayList``."""

    def __init__(self, values: Any = ()) -> None:
        super().__init__(() if isinstance(values, int) else values)

    def iterator(self) -> Any:
        return _Iterator(self)

    def addElement(self, item: Any) -> None:
        self.append(item)

    def elementAt(self, place: int) -> Any:
        return self[place]

    def getFirst(self) -> Any:
        return self[0]

    def getLast(self) -> Any:
        return self[-1]

    def removeFirst(self) -> Any:
        return self.pop(0)

    def removeLast(self) -> Any:
        return self.pop()


Vector = LinkedList = List = Collection = ArrayList


class _Entry(tuple[Any, Any]):
    """``java.util.Map.Entry``."""

    __slots__ = ()

    key = property(lambda self: self[0])
    value = property(lambda self: self[1])

    def getKey(self) -> Any:
        return self[0]

    def getValue(self) -> Any:
        return self[1]


class LinkedHashMap(JavaMap[Any]):
    """``java.util.LinkedHashMap``, and every map that has no order of its own."""

    def __init__(self, given: Any = ()) -> None:
        super().__init__(() if isinstance(given, int) else given)

    def keySet(self) -> Any:
        return ArrayList(self)

    def keys(self) -> Any:
        return ArrayList(self)

    def values(self) -> Any:
        return ArrayList([self[key] for key in self])

    def items(self) -> Any:
        return ArrayList([_Entry((key, self[key])) for key in self])

    entrySet = items


HashMap = Hashtable = Map = LinkedHashMap


class TreeMap(LinkedHashMap):
    """``java.util.TreeMap``: its keys are in order."""

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted_list(list(super().__iter__())))


class LinkedHashSet(ArrayList):
    """``java.util.LinkedHashSet``: each element once."""

    def __init__(self, values: Any = ()) -> None:
        super().__init__()
        for item in () if isinstance(values, int) else values:
            self.add(item)

    def add(self, *given: Any) -> bool:
        (item,) = given
        if item in self:
            return False
        self.append(item)
        return True

    def addAll(self, items: Iterable[Any]) -> bool:
        before = len(self)
        for item in items:
            self.add(item)
        return len(self) != before


HashSet = Set = LinkedHashSet


class TreeSet(LinkedHashSet):
    """``java.util.TreeSet``: its elements are in order."""

    def add(self, *given: Any) -> bool:
        added = super().add(*given)
        sort_list(self)
        return added


class Arrays:
    """``java.util.Arrays``."""

    @staticmethod
    def asList(*values: Any) -> ArrayList:
        one = len(values) == 1 and isinstance(values[0], list | tuple)
        return ArrayList(values[0] if one else values)

    sort = staticmethod(sort_list)

    @staticmethod
    def toString(values: Any) -> str:
        return f"[{', '.join(map(str, values))}]"

    @staticmethod
    def fill(values: Any, value: Any) -> None:
        for place in range(len(values)):
            values[place] = value


class Collections:
    """``java.util.Collections``."""

    @staticmethod
    def sort(values: Any, order: Any = None) -> None:
        sort_list(values, getattr(order, "compare", order))

    @staticmethod
    def reverse(values: Any) -> None:
        values.reverse()

    max = staticmethod(max)
    min = staticmethod(min)


class Date(Getters):
    """``java.util.Date``, in the time zone of the machine."""

    def __init__(self, *given: Any) -> None:
        self._milliseconds = int(given[0]) if len(given) == 1 else int(time.time() * 1000)
        if len(given) >= 3:  # as Java has it: years from 1900, months from 0
            year, month, day, hour, minute, second = (*map(int, given), 0, 0, 0)[:6]
            moment = datetime(1900 + year, month + 1, day, hour, minute, second).astimezone()
            self._milliseconds = int(moment.timestamp() * 1000)

    def getTime(self) -> int:
        return self._milliseconds

    def _local(self) -> datetime:
        return datetime.fromtimestamp(self._milliseconds / 1000).astimezone()

    def after(self, other: Date) -> bool:
        return self._milliseconds > other._milliseconds

    def before(self, other: Date) -> bool:
        return self._milliseconds < other._milliseconds

    def __str__(self) -> str:
        return f"{self._local():%a %b %d %H:%M:%S %Z %Y}"

    toString = __repr__ = __str__


class Random:
    """``java.util.Random``; its numbers are not those of Java."""

    def __init__(self, seed: Any = None) -> None:
        self._source = random.Random(seed)

    def nextDouble(self) -> float:
        return self._source.random()

    nextFloat = nextDouble

    def nextGaussian(self) -> float:
        return self._source.gauss(0.0, 1.0)

    def nextInt(self, bound: int = 2**31) -> int:
        return self._source.randrange(bound)

    def nextBoolean(self) -> bool:
        return self._source.random() < 0.5


class StringTokenizer(_Iterator):
    """``java.util.StringTokenizer``."""

    def __init__(self, text: str, between: str = " \t\n\r\f") -> None:
        for sign in between[1:]:
            text = text.replace(sign, between[0])
        super().__init__(part for part in text.split(between[0]) if part)


class UUID:
    """``java.util.UUID``."""

    @staticmethod
    def randomUUID() -> uuid.UUID:
        return uuid.uuid4()


class Level:
    """``java.util.logging.Level``."""

    SEVERE, WARNING, INFO, CONFIG, FINE, FINER, FINEST, ALL, OFF = (
        "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST", "ALL", "OFF",
    )  # fmt: skip


class Logger:
    """``java.util.logging.Logger``; what it says goes to standard error."""

    def __init__(self, name: str) -> None:
        self._name = name

    @classmethod
    def getLogger(cls, name: str = "") -> Logger:
        return cls(name)

    def log(self, level: str, message: Any) -> None:
        if level in ("SEVERE", "WARNING", "INFO"):
            import sys

            sys.stderr.write(f"{level}: {message}\n")

    def info(self, message: Any) -> None:
        self.log("INFO", message)

    def warning(self, message: Any) -> None:
        self.log("WARNING", message)

    def severe(self, message: Any) -> None:
        self.log("SEVERE", message)

    def fine(self, message: Any) -> None:
        self.log("FINE", message)

    finer = finest = config = fine

    def setLevel(self, level: str) -> None:
        """Do nothing: what matters is said."""
