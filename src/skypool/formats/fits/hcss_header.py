"""One header in the convention of HCSS, and the notes on what its cards cannot say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from skypool.formats.fits.cards import Header, parse_header
from skypool.formats.fits.hcss import ordered
from skypool.formats.fits.hcss_cards import banner, card, continued, key_card, parameter_cards
from skypool.formats.fits.hcss_exact import Exact, check_of, exact_cards
from skypool.formats.fits.hcss_meta import listed
from skypool.formats.fits.hcss_names import dictionary_keyword, dictionary_name
from skypool.formats.fits.parameters import STRUCTURE
from skypool.formats.fits.writer_cards import ascii_text, comment_of, header_bytes, plain_value
from skypool.model.metadata import Parameter, Value
from skypool.model.wcs import is_wcs_keyword, wcs_cards

__all__ = ["HcssHeader"]

_LONG_STRINGS = (
    "This FITS file may contain long string keyword values that are",
    "continued over multiple keywords.  This convention uses the  '&'",
    "character at the end of a string which is then continued",
    "on subsequent keywords whose name = 'CONTINUE'.",
)
_TEXTS = re.compile(
    r"(?:CTYPE|CUNIT)\d|(?:TELESCOP|INSTRUME|CREATOR|OBJECT|OBSERVER|ORIGIN|AUTHOR|RADESYS)\Z"
)
_NUMBERS = re.compile(r"(?:CRVAL|CRPIX|CDELT|CROTA|CD|PC)\d|EQUINOX\Z")
_TIMES = ("DATE", "DATE-OBS", "DATE-END")


class HcssHeader:
    """The cards of one unit.

    Parameters
    ----------
    first
        The mandatory cards.

    Attributes
    ----------
    cards : list of str
        In order.
    notes : dict
        See `hcss_exact`.
    """

    def __init__(self, first: list[str]) -> None:
        self.cards = list(first)
        self.notes: dict[str, Any] = {}
        self._owners: dict[str, tuple[str, Parameter]] = {}
        self._used: set[str] = set()
        self._unnamed = 0

    def add(self, keyword: str, value: Value, comment: str = "") -> None:
        """Write a card of the structure."""
        self.cards += card(keyword, value, comment)

    def long_strings(self) -> None:
        """Announce texts that go on in further cards, as HCSS does."""
        self.add("LONGSTRN", "OGIP 1.0", "The OGIP long string convention may be used.")
        self.cards += [f"COMMENT {line}".ljust(80) for line in _LONG_STRINGS]

    def structure(self, class_name: str, description: str, name: str = "") -> None:
        """Say what the unit is."""
        self.cards.append(banner("Herschel Structure Data"))
        if name:
            clean = ascii_text(name).strip()[:60].strip() or "unnamed"
            self.add("EXTNAME", clean, "name of this HDU")
            self._note("name", clean.replace("/", "_"), name)
        self.add("CLASS___", class_name, "java representation")
        if description:
            self.add("INFO____", description)
        self._note("description", self.parsed().text("INFO____"), description)

    def unit(self, unit: str) -> None:
        """Say what the unit of an array is."""
        if unit:
            self.add("QTTY____", unit, "Unit of the data")
            self.add("BUNIT", unit, "Unit of the data")
        self._note("unit", self.parsed().text("QTTY____"), unit)

    def children(self, numbers: list[int]) -> None:
        """List the units that are inside of this one."""
        self.cards.append(banner("Dataset Children"))
        self.add("DSETS___", len(numbers), "Number of datasets")
        for place, number in enumerate(numbers):
            self.add(f"DS_{place}", number, "HDU of Child Dataset")

    def parameters(self, meta: Mapping[str, Parameter], wcs: str | None) -> None:
        """Write parameters, and the cards that translate their keywords back.

        Parameters
        ----------
        meta
            Of the product or the dataset.
        wcs
            Header cards of the world coordinates of an array, which become parameters in the
            eyes of HCSS; None where keywords of world coordinates mean nothing.
        """
        raw = _by_keyword(wcs or "")
        self._used |= raw.keys()
        chosen: dict[str, list[str]] = {}
        keywords: dict[str, str] = {}
        for name, parameter in meta.items():
            keyword, cards = self._choose(name, parameter, raw, wcs is not None)
            if keyword in raw:
                raw.pop(keyword)
            keywords[name], chosen[name] = keyword, cards
            self._owners[keyword] = (name, parameter)
        if not chosen and not raw:
            return
        self.cards.append(banner("Herschel Parameter Data"))
        self.cards += raw.values()
        for cards in chosen.values():
            self.cards += cards
        taken: set[str] = set()
        names = [key_card(keyword, name, taken) for name, keyword in keywords.items()]
        own = [key_card(key, dictionary_name(key) or key.lower(), taken) for key in raw]
        self.cards += [*own, *names]

    def _choose(
        self, name: str, parameter: Parameter, raw: Mapping[str, str], any_wcs: bool
    ) -> tuple[str, list[str]]:
        """Return the keyword of a parameter and its cards."""
        keyword = dictionary_keyword(name)
        if keyword is not None and keyword in raw:
            cards = _fitted(raw[keyword], parameter)
            if cards:
                return keyword, cards
        elif keyword is not None and self._may(keyword, parameter.value, any_wcs, bool(raw)):
            self._used.add(keyword)
            cards = parameter_cards(keyword, parameter)
            if keyword == "DATE-OBS":
                cards += parameter_cards("DATE_OBS", parameter)
            return keyword, cards
        # Keywords have 8 characters.
        keyword = f"META_{self._unnamed}" if self._unnamed < 1000 else f"M{self._unnamed}"
        self._unnamed += 1
        return keyword, parameter_cards(keyword, parameter)

    def _may(self, keyword: str, value: Value, any_wcs: bool, has_wcs: bool) -> bool:
        if keyword in self._used or STRUCTURE.match(keyword):
            return False
        if is_wcs_keyword(keyword) and any_wcs:
            # It would change the world coordinates of an image, or give it some.
            return not has_wcs and not _TEXTS.match(keyword) and not _NUMBERS.match(keyword)
        plain = plain_value(value)
        if keyword in _TIMES:
            return isinstance(value, datetime)
        if _NUMBERS.match(keyword):
            return isinstance(plain, int | float) and not isinstance(plain, bool)
        return isinstance(plain, str) or not _TEXTS.match(keyword)

    def parsed(self) -> Header:
        """Return the cards as a reader has them."""
        return parse_header("".join(self.cards).encode("ascii"))

    def note_meta(self, meta: Mapping[str, Parameter], product: bool) -> None:
        """Note where reading the cards would not give the parameters.

        Parameters
        ----------
        meta
            As it is.
        product
            Whether it is that of the product, whose fixed attributes come first.
        """
        header = self.parsed()
        found = listed(header)
        rows: list[list[Any]] = []
        for keyword, entry in found:
            if keyword not in self._owners:
                rows.append([keyword])
                continue
            name, parameter = self._owners[keyword]
            truth = [name, parameter.value, parameter.unit, parameter.description]
            if check_of([*entry, "", ""][:4]) != check_of(truth):
                rows.append([keyword, check_of(entry[1:]), truth])
        if rows:
            self.notes["meta"] = rows
        names = self._names(found, header, product)
        if names != list(meta):
            self.notes["absent"] = [name for name in names if name not in dict.fromkeys(meta)]
            names = self._names(found, header, product)
            if not self.notes["absent"]:
                del self.notes["absent"]
        if names != list(meta):
            self.notes["order"] = list(meta)

    def _names(
        self, found: list[tuple[str, list[Any]]], header: Header, product: bool
    ) -> list[str]:
        exact = Exact(self.notes)
        entries = exact.meta(found)
        if product:
            info = header.text("INFO____")
            if info and not any(entry[0] == "description" for entry in entries):
                entries = [*entries, ["description", info]]
            absent = self.notes.get("absent", ())
            entries = [entry for entry in ordered(entries, exact) if entry[0] not in absent]
        return [str(entry[0]) for entry in entries]

    def note_wcs(self, wcs: str) -> None:
        """Note where the cards would not give an array its world coordinates."""
        self._note("wcs", wcs_cards("".join(self.cards)), wcs)

    def _note(self, key: str, found: Any, truth: Any) -> None:
        if found != truth:
            self.notes[key] = [check_of(found), truth]

    note = _note

    def finished(self) -> bytes:
        """Return the header with its notes."""
        cards = self.cards
        if self.notes:
            cards = [*cards, banner("what cards cannot say"), *exact_cards(self.notes)]
        return header_bytes(cards)


def _by_keyword(wcs: str) -> dict[str, str]:
    """Return the cards of world coordinates, without those that no reader understands."""
    cards: dict[str, str] = {}
    for start in range(0, len(wcs), 80):
        text = wcs[start : start + 80].ljust(80)
        if text.isascii() and not parse_header(text.encode("ascii")).bad:
            cards.setdefault(text[:8].rstrip(), text)
    return cards


def _fitted(raw: str, parameter: Parameter) -> list[str]:
    """Return the card of world coordinates with the rest of its comment; none if it differs."""
    comment = parse_header(raw.encode("ascii")).cards[0].comment
    number = isinstance(parameter.value, int | float) and not isinstance(parameter.value, bool)
    whole = comment_of("", parameter.description)
    if number:
        whole = f"[{ascii_text(parameter.unit)}] {ascii_text(parameter.description)}".rstrip()
    cards = [raw]
    if comment.endswith("&") and whole.startswith(comment[:-1]):
        cards += continued(whole[len(comment) - 1 :])
    key = f"HIERARCH  key.{raw[:8].rstrip()}='name'".ljust(80)
    found = listed(parse_header("".join([*cards, key]).encode("ascii")))
    truth = ["name", parameter.value, parameter.unit, parameter.description]
    same = len(found) == 1 and check_of([*found[0][1], "", ""][:4]) == check_of(truth)
    return cards if same else []
