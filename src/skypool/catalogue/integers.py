"""Whole numbers of the catalogue as arrays."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skypool.errors import Damaged

__all__ = ["MOST_NUMBERED", "checked", "damaged", "integers", "joined", "listed", "numbers"]

# Numbers of documents and versions index arrays: what is larger is damage, and no reason to
# ask for all memory there is.
MOST_NUMBERED: Final = 2**28


def damaged(why: str) -> Damaged:
    """Return the error for values that nobody wrote."""
    return Damaged(
        f"the catalogue is damaged: {why}",
        hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
    )


def numbers(
    connection: sqlite3.Connection,
    sql: str,
    width: int,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> NDArray[np.float64]:
    """Return the rows of a question that has nothing but numbers in each of its columns."""
    rows = chain.from_iterable(connection.execute(sql, parameters))
    try:
        return np.fromiter(rows, np.float64).reshape(-1, width)
    except (TypeError, ValueError, OverflowError):
        raise damaged("a number in it is none") from None


def integers(
    connection: sqlite3.Connection,
    sql: str,
    width: int,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> NDArray[np.int64]:
    """Return the rows of a question whose columns are numbers of documents, versions and such.

    Raises
    ------
    Damaged
        If a value is none.
    """
    rows = chain.from_iterable(connection.execute(sql, parameters))
    try:
        found = np.fromiter(rows, np.int64).reshape(-1, width)
    except (TypeError, ValueError, OverflowError):
        raise damaged("a number in it is none") from None
    return checked(found)


def joined(
    connection: sqlite3.Connection,
    columns: Sequence[str],
    rows: str,
    parameters: Mapping[str, Any],
    most: int = MOST_NUMBERED,
) -> list[NDArray[np.int64]]:
    """Return the columns of a question whose values are such as `integers` takes.

    SQLite writes each into one text: that takes half as long as row after row, and other threads
    run meanwhile.

    Parameters
    ----------
    connection
    columns
        What is asked for.
    rows
        What comes behind FROM; the order is theirs.
    parameters
    most
        The largest value that can be.

    Raises
    ------
    Damaged
        If a value is none.
    """
    texts = ", ".join(f"group_concat({column})" for column in columns)
    count, *found = connection.execute(
        f"SELECT count(*), {texts} FROM {rows}", parameters
    ).fetchone()
    made = [listed([text] if text else (), most) for text in found]
    if any(len(each) != count for each in made):  # a value that is missing is left out
        raise damaged("a number in it is none")
    return made


def listed(texts: Sequence[str], most: int = MOST_NUMBERED) -> NDArray[np.int64]:
    """Return the numbers in texts such as SQLite's `group_concat` makes."""
    if not texts:
        return np.zeros(0, np.int64)
    try:
        return checked(np.fromstring(",".join(texts), np.int64, sep=","), most)
    except (TypeError, ValueError, DeprecationWarning):
        raise damaged("a number in it is none") from None


def checked(found: NDArray[np.int64], most: int = MOST_NUMBERED) -> NDArray[np.int64]:
    """Return numbers of documents and such, if they can be any."""
    if found.size and (found.min() < 0 or found.max() > most):
        raise damaged("a number in it is beyond all bounds")
    return found
