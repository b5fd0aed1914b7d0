"""A small decoder of HCSS files that shares no code with skypool: the oracle of the tests.

Written from the description of the convention alone, for the raw cards of 80 columns.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

BLOCK = 2880
BANNERED = ("", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH")
JAVA = {
    "Bool": "bool",
    "Byte": "uint8",
    "Short": "int16",
    "Int": "int32",
    "Long": "int64",
    "Float": "float32",
    "Double": "float64",
}
STORED = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
FORMS = {"L": "S1", "B": ">u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


@dataclass
class Unit:
    cards: dict[str, tuple[object, str]]
    names: dict[str, str]
    order: list[str]
    data: bytes
    axes: list[int] = field(default_factory=list)

    def text(self, keyword):
        return str(self.cards.get(keyword, ("", ""))[0])

    def number(self, keyword):
        return int(self.cards[keyword][0])

    def parameters(self):
        """Name to (value, unit, description), in the order of the cards."""
        found = {}
        for keyword in self.order:
            if keyword in self.names:
                found[self.names[keyword]] = typed(*self.cards[keyword])
        return found

    def children(self):
        listed = {}
        for keyword, (value, _) in self.cards.items():
            match = re.fullmatch(r"(?:DS|DSET)_(\d+)", keyword)
            if match:
                listed[int(match[1])] = int(value)
        return [listed[place] for place in sorted(listed)]

    def array(self):
        shape = self.axes[::-1]
        values = np.frombuffer(self.data, STORED[self.number("BITPIX")], int(np.prod(shape)))
        java = re.fullmatch(r"herschel\.ia\.numeric\.([A-Za-z]+)(\d)d", self.text("DATA____"))
        assert int(java[2]) == len(shape)
        return values.reshape(shape).astype(JAVA[java[1]])

    def columns(self):
        """Name to (unit, description, values)."""
        width, rows = self.axes
        raw = np.frombuffer(self.data, np.uint8, width * rows).reshape(rows, width)
        found, start = {}, 0
        for number in range(1, self.number("TFIELDS") + 1):
            count, code = re.fullmatch(r"(\d*)([A-Z])", self.text(f"TFORM{number}")).groups()
            count = int(count or 1)
            size = count * (1 if code == "A" else np.dtype(FORMS[code]).itemsize)
            cells = raw[:, start : start + size]
            start += size
            name, about = self.cards[f"TTYPE{number}"]
            found[name] = (self.text(f"TUNIT{number}"), about, values_of(cells, count, code))
        assert start == width
        return found


def values_of(cells, count, code):
    if code == "A":
        return [bytes(row).decode("ascii").rstrip("\0 ") for row in cells]
    if code == "L":
        return [row[0] == ord("T") for row in cells]
    assert count == 1
    return np.ascontiguousarray(cells).view(FORMS[code])[:, 0].tolist()


def typed(raw, comment):
    """Apply the rules of ParameterCreator: value, unit, description."""
    if isinstance(raw, Quoted):
        try:
            return (
                datetime.strptime(raw + "Z", "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
                "",
                comment,
            )
        except ValueError:
            return str(raw), "", comment
    if raw in ("T", "F"):
        return raw == "T", "", comment
    bracket = re.match(r"^\[([^\]]*)\]( (.*)|)$", comment)
    unit, words = (bracket[1], bracket[3] or "") if bracket else ("", comment)
    try:
        return int(raw), unit, words
    except ValueError:
        return float(raw), unit, words


class Quoted(str):
    """A value in quotes."""

    __slots__ = ()


def split(text):
    """Return value and comment of the part of a card behind the equals sign."""
    text = text.strip()
    if text.startswith("'"):
        end = 1
        while True:
            end = text.index("'", end)
            if text[end + 1 : end + 2] != "'":
                break
            end += 2
        value, rest = Quoted(text[1:end].replace("''", "'").rstrip()), text[end + 1 :]
    else:
        value, slash, rest = text.partition("/")
        value, rest = value.strip(), slash + rest
    _, _, comment = rest.partition("/")
    return value, comment.strip()


def decode(content):
    """Return the units of a file."""
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    units, offset = [], 0
    while offset < len(content):
        raw = []
        while True:
            card = content[offset : offset + 80].decode("ascii")
            offset += 80
            if card.rstrip() == "END":
                break
            raw.append(card)
        offset = -(-offset // BLOCK) * BLOCK
        unit = decode_header(raw)
        unit.axes = [unit.number(f"NAXIS{n + 1}") for n in range(unit.number("NAXIS"))]
        size = int(np.prod(unit.axes)) * abs(unit.number("BITPIX")) // 8 if unit.axes else 0
        unit.data = content[offset : offset + size]
        offset += -(-size // BLOCK) * BLOCK
        units.append(unit)
    return units


def decode_header(raw):
    cards, names, order = {}, {}, []
    place = 0
    while place < len(raw):
        card = raw[place]
        place += 1
        key = re.match(r"^HIERARCH\s*key\.([^=]+)='([^']+)'.*", card)
        if key:
            names[key[1]] = key[2]
            continue
        keyword = card[:8].strip()
        if keyword in BANNERED:
            continue
        assert card[8] == "=", card
        value, comment = split(card[9:])
        while isinstance(value, Quoted) and value.endswith("&") and raw[place][:8] == "CONTINUE":
            more, said = split(raw[place][8:])
            value, comment = Quoted(value[:-1] + more), comment.removesuffix("&") + said
            place += 1
        while comment.endswith("&") and raw[place].startswith("COMMENT"):
            more = raw[place][8:].rstrip()
            comment = comment[:-1] + (" " + more[1:] if more.startswith("~") else more)
            place += 1
        if keyword not in cards:
            cards[keyword] = (value, comment)
            order.append(keyword)
    return Unit(cards, names, order, b"")


def utc_of_fine_time(microseconds):
    """Times of the missions' years: TAI is 33 s ahead of UTC from 2006, 34 from 2009, 35, 36."""
    seconds = next(
        offset
        for since, offset in ((2015.5, 36), (2012.5, 35), (2009.0, 34), (2006.0, 33))
        if microseconds / 1e6 > (since - 1958) * 365.25 * 86400
    )
    return datetime(1958, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds, seconds=-seconds)
