"""``mentions('word')``: free text over name, tags and metadata of a product."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from skypool.query.subject import Subject, datasets_of
from skypool.query.values import parse_number

__all__ = ["Word", "folded", "is_stored_time", "is_there", "word_of"]

_EXACT: Final = 2**53
_STORED_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d\.\d{6}[Zz]", re.ASCII)


class Word(NamedTuple):
    """What is looked for.

    Attributes
    ----------
    text : str
        Folded: a part of names, tags and texts, and the beginning of times.
    number : float, optional
        The number that it is too.
    """

    text: str
    number: float | None


@lru_cache(maxsize=64)
def word_of(text: str) -> Word:
    """Return what a text asks for."""
    number = parse_number(text)
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float)
        or number != number
        or abs(number) > _EXACT
    ):
        number = None
    return Word(folded(text), number)


def folded(text: str) -> str:
    """Return a text with the letters A to Z as small ones; others stay, as in SQLite."""
    if text.isascii():
        return text.lower()
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def is_stored_time(text: str) -> bool:
    """Tell whether a text has the form in which times are stored."""
    return _STORED_TIME.fullmatch(text) is not None


def is_there(word: Word, subject: Subject) -> bool:
    """Tell whether a product mentions a word."""
    if word.text in folded(subject.name or ""):
        return True
    if any(word.text in folded(tag) for tag in subject.tags):
        return True
    return any(_answers(word, value) for value in _values(subject))


def _values(subject: Subject) -> Iterator[Any]:
    metas: list[Mapping[str, Any]] = [subject.meta]
    yield from (entry.value for entry in subject.meta.values())
    metas = [dataset.meta for dataset in datasets_of(subject.datasets)]
    yield from (entry.value for meta in metas for entry in meta.values())


def _answers(word: Word, value: Any) -> bool:
    if isinstance(value, datetime):
        value = f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}".zfill(27)
    if isinstance(value, str):
        text = folded(value)
        return text.startswith(word.text) if is_stored_time(text) else word.text in text
    if isinstance(value, int | float):
        return word.number is not None and value == word.number
    return False
