"""The parameters in headers of HCSS: under their own names, typed as HCSS types them.

A parameter stands under a keyword that the card ``HIERARCH  key.KEYWORD='name'`` of the same
header translates back; a dictionary counts only where a header has no such card. Numbers have
their unit in brackets before the comment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from skypool.formats.fits.hcss_exact import Exact
from skypool.formats.fits.hcss_names import dictionary_name
from skypool.formats.fits.parameters import STRUCTURE, parse_time, plain_value
from skypool.model.attributes.times import to_utc

if TYPE_CHECKING:
    from skypool.formats.fits.cards import Card, Header

__all__ = ["CHILD", "Entry", "listed", "parameters"]

Entry: TypeAlias = list[Any]

CHILD = re.compile(r"(?:DS|DSET)_(\d{1,7})\Z")
# What HCSS writes beside the parameters, and duplicates of other cards.
_PRIVATE = re.compile(
    r"(HCSS____|CLASS___|INFO____|DATA____|QTTY____|DSETS___|TIMESYS|EXTNAME|DATE_OBS|BUNIT"
    r"|COMMENT|HISTORY|)\Z"
)
_UNIT = re.compile(r"\[([^\]]*)\](?: (.*))?\Z", re.DOTALL)


def listed(header: Header, scale: str = "UTC") -> list[tuple[str, Entry]]:
    """Return keyword and parameter ([name, value, unit, description]) of each card that is one.

    Parameters
    ----------
    header
        Of any unit of the file.
    scale
        Of the times in the file: UTC in those of HCSS.
    """
    names = {
        card.keyword[4:]: card.value
        for card in header
        if card.keyword.startswith("key.") and isinstance(card.value, str)
    }
    found: dict[str, tuple[str, Entry]] = {}
    for card in header:
        keyword = card.keyword
        name = names.get(keyword)
        if name is None:
            if keyword.startswith("key.") or STRUCTURE.match(keyword):
                continue
            if _PRIVATE.match(keyword) or CHILD.match(keyword):
                continue
            name = keyword if names else dictionary_name(keyword) or keyword
        if name not in found:
            found[name] = (keyword, _entry(name, card, scale))
    return list(found.values())


def parameters(header: Header, exact: Exact, scale: str = "UTC") -> list[Entry]:
    """Return the parameters of a header, with what its cards could not say.

    Parameters
    ----------
    header, scale
        As for `listed`.
    exact
        What stands in the header besides (see `hcss_exact`).
    """
    return exact.meta(listed(header, scale))


def _entry(name: str, card: Card, scale: str) -> Entry:
    value: Any = card.value
    unit, words = "", card.comment
    if type(value) in (int, float):
        found = _UNIT.match(words)
        if found is not None:
            unit, words = found[1], found[2] or ""
    elif isinstance(value, str):
        # Text that reads as a time is one: HCSS writes them so.
        time = parse_time(value)
        if time is not None:
            value = to_utc(time, scale)
    entry = [name, plain_value(value)]
    if unit or words:
        entry.append(unit)
    if words:
        entry.append(words)
    return entry
