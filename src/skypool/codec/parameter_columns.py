"""Parameters of a product in columns: names, values, and what describes them.

Products of one pipeline have names and descriptions in common. Columns that are handed from one
process to another name these once for all of them, and the rows of the inverted table are made
from values that stand together already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias, overload

__all__ = ["ParameterColumns"]

Described: TypeAlias = tuple[tuple[Any, ...], ...]
"""Of each parameter, what stands behind its value: unit and description, where it has them."""

_NAME: Final = itemgetter(0)
_VALUE: Final = itemgetter(1)
_BEHIND: Final = itemgetter(slice(2, None))


class ParameterColumns(Sequence[list[Any]]):
    """Parameters as documents list them, kept in columns.

    Parameters
    ----------
    names
        Of all parameters.
    values
        Theirs.
    described
        What stands behind the values.
    """

    __slots__ = ("described", "names", "values")

    def __init__(self, names: tuple[str, ...], values: Sequence[Any], described: Described) -> None:
        self.names = names
        self.values = values
        self.described = described

    @classmethod
    def of(cls, listed: Sequence[Sequence[Any]]) -> ParameterColumns:
        """Return the columns of parameters as documents list them."""
        if isinstance(listed, ParameterColumns):
            return listed
        names = _shared(tuple(map(_NAME, listed)))
        return cls(
            names, list(map(_VALUE, listed)), _shared(tuple(map(tuple, map(_BEHIND, listed))))
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return ParameterColumns, (self.names, self.values, self.described)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> list[Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[Any]]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return list(self)[place]
        return [self.names[place], self.values[place], *self.described[place]]

    def __iter__(self) -> Iterator[list[Any]]:
        for name, value, behind in zip(self.names, self.values, self.described, strict=True):
            yield [name, value, *behind]


@lru_cache(maxsize=256)  # of names and of descriptions
def _shared(found: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the same object for equal ones."""
    return found
