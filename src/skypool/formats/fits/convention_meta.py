"""Metadata of files that skypool wrote: the table's values, and what somebody changed since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from skypool.formats.fits.cards import Header, parse_header
from skypool.formats.fits.writer_cards import commentary, plain_value
from skypool.formats.fits.writer_keywords import HeaderWriter
from skypool.model.metadata import Parameter

__all__ = ["Listed", "merged_meta"]

# Gives the parameters ([name, value, unit, description]) that a reader takes from cards.
Listed: TypeAlias = Callable[[Header], list[list[Any]]]
# Keywords that other programs add without saying anything about the data.
_FOREIGN = frozenset(("CHECKSUM", "DATASUM", "LONGSTRN", "EXTEND"))


def merged_meta(
    written: Sequence[tuple[str, Parameter, bool]],
    history: Sequence[str],
    own: Sequence[str],
    header: Header,
    listed: Listed,
) -> tuple[list[list[Any]], list[str]]:
    """Return the parameters of a header as they were written, or as they were changed.

    Parameters
    ----------
    written
        The parameters of the table: name, value, and whether a card of the writer's own
        says the same.
    history
        The history of the table.
    own
        Keywords of the writer that hold no parameter.
    header
        As it is now.
    listed
        Gives the parameters that a reader takes from a header.

    Returns
    -------
    meta : list
        Parameters as documents list them.
    history : list of str
    """
    expected, keywords = _expected(written, history, own, listed)
    found = {entry[0]: entry for entry in listed(header)}
    meta: list[list[Any]] = []
    for name, parameter, shared in written:
        keyword = name if shared else keywords[name]
        if shared and keyword in found:
            same = found[keyword][1] == plain_value(parameter.value)
            meta.append(_entry(name, parameter) if same else found[keyword])
        elif keyword == "HISTORY" or _same(found.get(keyword), expected.get(keyword)):
            meta.append(_entry(name, parameter))
        elif keyword in found:
            meta.append([name, *found[keyword][1:]])
    lines = list(history)
    for keyword, entry in found.items():
        if keyword == "HISTORY":
            lines, meta = _history(expected.get(keyword), entry, lines, meta)
        elif keyword not in expected and keyword not in own and keyword not in _FOREIGN:
            meta.append(entry)
    return meta, lines


def _expected(
    written: Sequence[tuple[str, Parameter, bool]],
    history: Sequence[str],
    own: Sequence[str],
    listed: Listed,
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Return what a reader takes from the cards of the writer, and the keyword of each name."""
    writer = HeaderWriter(own)
    keywords: dict[str, str] = {}
    for name, parameter, shared in written:
        if shared:
            continue
        before = len(writer.cards)
        writer.parameter(name, parameter)
        cards = parse_header("".join(writer.cards[before:]).encode("ascii")).cards
        keywords[name] = cards[0].keyword
    for text in history:
        writer.cards += commentary("HISTORY", text)
    made = parse_header("".join(writer.cards).encode("ascii"))
    return {entry[0]: entry for entry in listed(made)}, keywords


def _same(found: list[Any] | None, expected: list[Any] | None) -> bool:
    return found is not None and expected is not None and repr(found) == repr(expected)


def _history(
    expected: list[Any] | None, found: list[Any], lines: list[str], meta: list[list[Any]]
) -> tuple[list[str], list[list[Any]]]:
    """Return history and metadata with the lines that were added to HISTORY cards."""
    before = "" if expected is None else str(expected[1])
    now = str(found[1])
    if now == before:
        return lines, meta
    if before and now.startswith(before + "\n"):
        return [*lines, *now[len(before) + 1 :].split("\n")], meta
    return now.split("\n"), [entry for entry in meta if entry[0] != "HISTORY"]


def _entry(name: str, parameter: Parameter) -> list[Any]:
    entry: list[Any] = [name, parameter.value]
    if parameter.unit or parameter.description:
        entry.append(parameter.unit)
    if parameter.description:
        entry.append(parameter.description)
    return entry
