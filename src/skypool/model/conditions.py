"""Conditions on the rows of tables: where the language of conditions plugs in.

The language belongs to a higher layer, which is asked for by name when a condition is
first given as text.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from skypool.model.sources import Ndarray

__all__ = ["Range", "RowCondition", "compile_condition", "register"]

# (smallest, largest) value of a column in a block; None where the block has no values.
Range = tuple[Any, Any] | None


class RowCondition(Protocol):
    """A condition on the rows of a table.

    Attributes
    ----------
    columns : frozenset of str
        Names of the columns that it needs, as in the table.
    """

    @property
    def columns(self) -> frozenset[str]: ...  # noqa: D102 (described by the class)

    def possible(self, ranges: Mapping[str, Range]) -> bool:
        """Say whether rows of a block can match, by the ranges of the columns known there."""
        ...

    def matches(self, values: Mapping[str, Ndarray]) -> Ndarray:
        """Return which rows of a block match, one truth value each."""
        ...


Compiler = Callable[[str, list[str], Mapping[str, Any], Mapping[str, str]], RowCondition]

_LANGUAGE = "skypool.query.rows"
_compilers: list[Compiler] = []


def register(compiler: Compiler) -> None:
    """Let a language read the conditions of `Table.where`.

    Parameters
    ----------
    compiler
        Makes a condition of its text, the columns of the table, the values bound to
        `$names`, and the units of the columns that have one.
    """
    _compilers[:] = [compiler]


def compile_condition(
    text: str, colnames: list[str], values: Mapping[str, Any], units: Mapping[str, str]
) -> RowCondition:
    """Return the condition that a text means."""
    if not _compilers:
        importlib.import_module(_LANGUAGE)  # registers itself
    return _compilers[0](text, colnames, values, units)
