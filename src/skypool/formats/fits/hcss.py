"""Files that HCSS, the Herschel software, wrote: its names, types, units and dataset tree.

The primary header is the product; every composite lists its children by HDU number in
``DS_n`` (``DSET_n`` before 2010). A parameter stands under a keyword that the cards
``HIERARCH  key.KEYWORD='name'`` translate back; they count, not a dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skypool.formats.base import fixed_attributes
from skypool.formats.fits.parameters import STRUCTURE, parameter, parse_time
from skypool.formats.parsing import NotUnderstood
from skypool.formats.typed import composite, unique_names, unread
from skypool.model.kinds import is_kind, kind_of_class

if TYPE_CHECKING:
    from skypool.formats.fits.cards import Card, Header
    from skypool.formats.fits.layout import Hdu
    from skypool.formats.fits.units import Part

__all__ = ["check", "document", "is_hcss"]

_CHILD = re.compile(r"(?:DS|DSET)_(\d{1,7})\Z")
# What HCSS writes beside the parameters, and duplicates of other cards.
_PRIVATE = re.compile(
    r"(HCSS____|CLASS___|INFO____|DATA____|QTTY____|DSETS___|TIMESYS|EXTNAME|DATE_OBS|BUNIT"
    r"|COMMENT|HISTORY|)\Z"
)
# For files without key cards (HCSS before 2008, or other writers of the same layout): its
# dictionary's names of what is searched most.
_DICTIONARY = {
    "AOR": "aorLabel",
    "AOT": "aot",
    "CREATOR": "creator",
    "CUSMODE": "cusMode",
    "DATE": "creationDate",
    "DATE-END": "endDate",
    "DATE-OBS": "startDate",
    "DEC": "dec",
    "DEC_NOM": "decNominal",
    "DESC": "description",
    "FILENAME": "fileName",
    "FORMATV": "formatVersion",
    "INSTMODE": "instMode",
    "INSTRUME": "instrument",
    "LEVEL": "level",
    "MISSIONC": "missionConfig",
    "MODELNAM": "modelName",
    "NAIFID": "naifId",
    "OBJECT": "object",
    "OBSERVER": "observer",
    "OBS_ID": "obsid",
    "OBS_MODE": "obsMode",
    "ODNUMBER": "odNumber",
    "ORIGIN": "origin",
    "POINTMOD": "pointingMode",
    "POSANGLE": "posAngle",
    "PROPOSAL": "proposal",
    "RA": "ra",
    "RA_NOM": "raNominal",
    "TELESCOP": "telescope",
    "TYPE": "type",
    "WAVELNTH": "wavelength",
}


def is_hcss(header: Header) -> bool:
    """Say whether a primary header was written by HCSS."""
    return "HCSS____" in header and "CLASS___" in header


def check(hdus: Sequence[Hdu]) -> None:
    """Check that the file has all units that it lists.

    Raises
    ------
    NotUnderstood
        If a child is missing: the file was cut short, or its units are in disorder.
    """
    for hdu in hdus:
        for child in _listed(hdu.header):
            if child >= len(hdus):
                raise NotUnderstood(
                    f"HDU {hdu.index} lists HDU {child} as its child, the file has "
                    f"{len(hdus)} HDUs: it was cut short"
                )


def document(parts: Sequence[Part], recipe: dict[str, Any]) -> dict[str, Any]:
    """Make the product document of a file of HCSS.

    Parameters
    ----------
    parts
        Its units.
    recipe
        The recipe of the file.
    """
    header = parts[0].hdu.header
    meta = _parameters(header)
    info = header.text("INFO____")
    if info and not any(entry[0] == "description" for entry in meta):
        meta.append(["description", info])
    tree = _Tree(parts)
    datasets = tree.children(0)
    datasets += [[tree.name(n), tree.dataset(n)] for n in tree.left()]
    names = unique_names(name for name, _ in datasets)
    for unit, part in zip(recipe["hdus"], parts, strict=True):
        name = part.hdu.header.text("CLASS___")
        if name:
            unit["class"] = name
    named = [[name, dataset] for name, (_, dataset) in zip(names, datasets, strict=True)]
    kind = kind_of_class(header.text("CLASS___"))
    if is_kind(kind, "SimpleImage") or is_kind(kind, "SimpleCube"):
        _share_wcs(dict(named))
    return {
        "skypool": 1,
        "kind": kind,
        "meta": _ordered(meta),
        "datasets": named,
        "file": recipe,
    }


def _share_wcs(datasets: dict[str, dict[str, Any]]) -> None:
    """Give the coordinates of the image to error, coverage … that come without.

    In HCSS they belong to the product; not all versions repeat them in each unit.
    """
    image = datasets.get("image", {})
    for dataset in datasets.values():
        if "wcs" in image and dataset.get("shape") == image["shape"]:
            dataset.setdefault("wcs", image["wcs"])


def _ordered(meta: list[list[Any]]) -> list[list[Any]]:
    """Put the fixed attributes first, in their order, with their units and descriptions."""
    given = {entry[0]: entry for entry in meta}
    fixed = fixed_attributes({name: entry[1] for name, entry in given.items()})
    first = [given.get(name) or [name, value] for name, value in fixed]
    names = {entry[0] for entry in first}
    return first + [entry for entry in meta if entry[0] not in names]


class _Tree:
    """The datasets of a product, found through the lists of children."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._seen = {0}

    def name(self, number: int) -> str:
        name = self._parts[number].hdu.header.text("EXTNAME").replace("/", "_")
        return name or f"HDU_{number}"

    def children(self, number: int) -> list[list[Any]]:
        """Return the children of a composite as pairs of name and dataset."""
        numbers = []
        for child in _listed(self._parts[number].hdu.header):
            if child not in self._seen:  # a cycle, or two parents
                self._seen.add(child)
                numbers.append(child)
        names = unique_names(self.name(child) for child in numbers)
        return [[name, self.dataset(child)] for name, child in zip(names, numbers, strict=True)]

    def left(self) -> list[int]:
        """Return the units that nothing lists."""
        found = []
        for number in range(1, len(self._parts)):
            if number not in self._seen:
                self._seen.add(number)
                found.append(number)
        return found

    def dataset(self, number: int) -> dict[str, Any]:
        """Return the dataset of a unit, with all that is below it."""
        part = self._parts[number]
        header = part.hdu.header
        meta, info = _parameters(header), header.text("INFO____")
        if part.dataset is None:
            if part.reason:
                return unread(part.reason, meta)
            return composite(self.children(number), meta, info)
        about: dict[str, Any] = {"meta": meta, "description": info}
        if part.dataset["is"] == "array":
            about["unit"] = header.text("QTTY____") or part.dataset["unit"]
        return part.dataset | about


def _listed(header: Header) -> list[int]:
    """Return the HDU numbers of the children, in the order of their own numbers."""
    found = []
    for card in header:
        child = _CHILD.match(card.keyword)
        if child and type(card.value) is int and card.value > 0:
            found.append((int(child[1]), card.value))
    return [number for _, number in sorted(found)]


def _parameters(header: Header) -> list[list[Any]]:
    """Return the parameters of a header under their HCSS names."""
    names = {
        card.keyword[4:]: card.value
        for card in header
        if card.keyword.startswith("key.") and isinstance(card.value, str)
    }
    fallback = {} if names else _DICTIONARY
    listed: dict[str, list[Any]] = {}
    for card in header:
        keyword = card.keyword
        name = names.get(keyword)
        if name is None:
            if keyword.startswith("key.") or STRUCTURE.match(keyword):
                continue
            if _PRIVATE.match(keyword) or _CHILD.match(keyword):
                continue
            name = fallback.get(keyword, keyword)
        if name not in listed:
            listed[name] = _typed(name, card)
    return list(listed.values())


def _typed(name: str, card: Card) -> list[Any]:
    """Make a parameter; text that reads as a time is one (HCSS writes them so)."""
    entry = parameter(name, card)
    if isinstance(card.value, str):
        time = parse_time(card.value)
        if time is not None:
            entry[1] = time
    return entry
