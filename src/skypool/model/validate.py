"""Problems of a product, collected so that all of them are reported at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from skypool.errors import InvalidProduct

__all__ = ["Location", "Problem", "Problems"]

Location: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a product that cannot be kept.

    Attributes
    ----------
    location
        The way to it from the product, such as `("datasets", "image", "unit")`.
    message
        What is wrong, and what to do about it.
    kind
        Stable name of the sort of problem: `name`, `value`, `unit`, `dtype`, `shape`,
        `wcs`, `mask`, `kind`, `reference` or `conflict`.
    """

    location: Location
    message: str
    kind: str

    def __str__(self) -> str:
        place = "/".join(str(step) for step in self.location)
        return f"{place}: {self.message}" if place else self.message


class Problems:
    """A collector of problems below one place of a product.

    Parameters
    ----------
    location
        The place.
    found
        The list that takes the problems; shared with the collectors below it.
    """

    __slots__ = ("found", "location")

    def __init__(self, location: Location = (), found: list[Problem] | None = None) -> None:
        self.location = location
        self.found: list[Problem] = [] if found is None else found

    def at(self, *steps: str | int) -> Problems:
        """Return the collector for a place below this one."""
        return Problems((*self.location, *steps), self.found)

    def add(self, message: str, kind: str) -> None:
        """Note a problem at this place."""
        self.found.append(Problem(self.location, message, kind))

    def take(self, error: InvalidProduct) -> None:
        """Note the problems of a part, with their places below this one."""
        for problem in error.problems:
            if isinstance(problem, Problem):
                place = (*self.location, *problem.location)
                self.found.append(Problem(place, problem.message, problem.kind))
            else:
                self.add(str(problem), "value")

    def raise_all(self) -> None:
        """Raise all problems as one error.

        Raises
        ------
        InvalidProduct
            If there are any.
        """
        if self.found:
            raise InvalidProduct(self.found)
