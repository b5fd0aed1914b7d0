"""Where the header and data units of a FITS file are (FITS 4.0, sections 3 and 4.4).

Strict where a mistake would make the reading doubtful, so that a file is never taken for what
it is not; the decision table is in ``docs/design/002-fits-what-is-typed.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from skypool.formats.fits.cards import CARD, Header, parse_header
from skypool.formats.parsing import NotUnderstood

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["BLOCK", "Hdu", "Layout", "scan"]

BLOCK = 2880
# A first read that holds most headers; longer ones are read on in growing steps.
_FIRST_READ = 8 * BLOCK
# No known header comes near; a file without END is not read to its end.
_LONGEST_HEADER = 64 * 1024 * 1024
_SEARCH = 1024 * 1024
_PRINTABLE = bytes(range(0x20, 0x7F))
_END = b"END" + b" " * (CARD - 3)
_BITPIX = frozenset({8, 16, 32, 64, -32, -64})


@dataclass(slots=True)
class Hdu:
    """One header and data unit.

    Attributes
    ----------
    index
        0 for the primary one.
    kind
        ``image``, ``empty``, ``groups``, ``table``, ``ascii``, ``compressed`` or ``other``.
    header
        Its cards.
    start, data
        Offsets of the header and of the data unit in the file.
    size
        Bytes of the data, without fill.
    end
        Offset behind the fill, or the end of the file where the last fill is missing.
    bitpix, axes
        BITPIX, and the lengths of the axes, NAXIS1 first.
    pcount, gcount
        PCOUNT and GCOUNT.
    """

    index: int
    kind: str
    header: Header
    start: int
    data: int
    size: int
    end: int
    bitpix: int
    axes: tuple[int, ...]
    pcount: int
    gcount: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image as numpy counts, slowest axis first."""
        return self.axes[::-1]


@dataclass(slots=True)
class Layout:
    """All units of a file, and what stands behind them.

    Attributes
    ----------
    hdus
        The units.
    tail
        Bytes behind the last one: special records, or bytes that do not belong there.
    notes
        Departures from the standard that do no harm.
    odd_fill
        What is wrong with the fill of the primary header: no harm where it is the only one.
    """

    hdus: list[Hdu] = field(default_factory=list)
    tail: int = 0
    notes: list[str] = field(default_factory=list)
    odd_fill: str = ""


def scan(source: ByteSource) -> Layout:
    """Find all header and data units of a file.

    Raises
    ------
    NotUnderstood
        If the file departs from the standard in a way that makes its reading doubtful;
        the message says where.
    """
    layout = Layout()
    offset = 0
    while offset < source.size:
        if layout.hdus:
            if not _is_extension(source, offset, layout):
                break
            if layout.odd_fill:
                raise NotUnderstood(layout.odd_fill)
        hdu = _read_unit(source, offset, layout)
        layout.hdus.append(hdu)
        offset = hdu.end
    if not layout.hdus:
        raise NotUnderstood("the file is empty")
    if layout.odd_fill:
        layout.notes.append(layout.odd_fill)
    layout.tail = source.size - offset
    return layout


def _is_extension(source: ByteSource, offset: int, layout: Layout) -> bool:
    head = source.pread(offset, 8)
    if head == b"XTENSION":
        return True
    rest = source.size - offset
    found = _find(source, offset, b"XTENSION=")
    if found >= 0:
        raise NotUnderstood(
            f"an extension starts at byte {found}, behind {found - offset} bytes that belong to "
            f"nothing: bytes were lost or added before it"
        )
    first = source.pread(offset, min(rest, _SEARCH))
    what = "zero bytes" if not first.strip(b"\0") else "bytes that belong to no HDU"
    layout.notes.append(f"{rest} {what} behind the last HDU, at byte {offset}")
    return False


def _find(source: ByteSource, offset: int, text: bytes) -> int:
    """Return the offset of *text* behind *offset*, or -1."""
    while offset < source.size:
        piece = source.pread(offset, _SEARCH)
        at = piece.find(text)
        if at >= 0:
            return offset + at
        offset += max(len(piece) - len(text) + 1, 1)
    return -1


def _read_unit(source: ByteSource, start: int, layout: Layout) -> Hdu:
    index = len(layout.hdus)
    raw, length = _read_header(source, start, index, layout)
    header = parse_header(raw)
    _check_start(header, index)
    if header.bad:
        layout.notes.append(f"HDU {index}: cannot be understood: {header.bad[0]!r}")
    bitpix, axes, pcount, gcount = _structure(header, index)
    kind, size = _kind_and_size(header, index, bitpix, axes, pcount, gcount)
    data = start + length
    if data + size > source.size:
        raise NotUnderstood(
            f"HDU {index}: the data should end at byte {data + size}, the file has "
            f"{source.size} bytes"
        )
    end = data + -(-size // BLOCK) * BLOCK
    if end > source.size:
        _check_open_end(header, layout, index, end - source.size)
        end = source.size
    return Hdu(index, kind, header, start, data, size, end, bitpix, axes, pcount, gcount)


def _check_open_end(header: Header, layout: Layout, index: int, missing: int) -> None:
    """Decide on a last block that is not complete though all data are there.

    HiPS tiles are written without fill. Where the file has or announces extensions, a cut
    in the fill may have taken units with it; NEXTEND (HST) tells that it did not.
    """
    primary = header if index == 0 else layout.hdus[0].header
    announced = primary.get("NEXTEND")
    if (index or primary.get("EXTEND") is True or announced) and announced != index:
        raise NotUnderstood(
            f"HDU {index}: the last {missing} bytes of its fill are missing: the file was cut "
            f"short, and may have had more HDUs"
        )
    layout.notes.append(f"HDU {index}: {missing} bytes of fill are missing at the end")


def _read_header(source: ByteSource, start: int, index: int, layout: Layout) -> tuple[bytes, int]:
    """Return the cards before END, and the length of the header with its fill."""
    first = b"SIMPLE  =" if index == 0 else b"XTENSION="
    raw = source.pread(start, _FIRST_READ)
    if not raw.startswith(first):
        raise NotUnderstood(f"HDU {index}: no {first[:8].decode().strip()} at byte {start}")
    raw, at = _up_to_end(source, start, index, raw)
    cards = raw[:at]
    if cards.translate(None, _PRINTABLE):
        raise NotUnderstood(_odd_byte(cards, start, index))
    _check_single(cards, start, index)
    length = -(-(at + CARD) // BLOCK) * BLOCK
    if len(raw) < length:
        raw += source.pread(start + len(raw), length - len(raw))
    fill = raw[at + CARD : length]
    if fill.strip(b" "):
        odd = _odd_fill(fill, start + at + CARD, index)
        if index:
            raise NotUnderstood(odd)
        layout.odd_fill = odd
    if len(raw) < length:
        raise NotUnderstood(f"HDU {index}: the file ends within the fill of the header")
    return cards, length


def _up_to_end(source: ByteSource, start: int, index: int, raw: bytes) -> tuple[bytes, int]:
    """Read on until the END card; return all bytes so far, and its place in them."""
    at = 0
    while True:
        at = _find_end(raw, at)
        if at >= 0:
            return raw, at
        if raw.translate(None, _PRINTABLE) or len(raw) >= _LONGEST_HEADER:
            raise NotUnderstood(_why_no_end(raw, start, index))
        more = source.pread(start + len(raw), max(len(raw), BLOCK))
        if not more:
            raise NotUnderstood(_why_no_end(raw, start, index))
        at = len(raw) - len(raw) % CARD
        raw += more


def _check_single(cards: bytes, start: int, index: int) -> None:
    """Refuse a header that runs on into the next one."""
    for second in (b"SIMPLE  = ", b"XTENSION= "):
        behind = cards.find(second, BLOCK)
        while behind > 0 and behind % BLOCK:
            behind = cards.find(second, behind + 1)
        if behind > 0:
            place = start + behind
            raise NotUnderstood(f"HDU {index}: no END card before the next header at {place}")


def _find_end(raw: bytes, at: int) -> int:
    """Return the offset of the END card, or -1."""
    while True:
        at = raw.find(b"END     ", at)
        if at < 0 or at % CARD == 0:
            if at < 0 or raw[at : at + CARD] == _END:
                return at
            if len(raw) - at >= CARD:
                # "END" with more text is astropy's END as well, but not the standard's.
                at += 8
                continue
            return -1
        at += 1


def _why_no_end(raw: bytes, start: int, index: int) -> str:
    cards = raw[: len(raw) - len(raw) % CARD]
    if cards.translate(None, _PRINTABLE):
        return _odd_byte(cards, start, index)
    return f"HDU {index}: the file ends within the header, no END card"


def _odd_byte(cards: bytes, start: int, index: int) -> str:
    odd = cards.translate(None, _PRINTABLE)[0]
    at = cards.index(odd)
    keyword = cards[at - at % CARD :][:8].decode("ascii", "replace").rstrip()
    return (
        f"HDU {index}: byte 0x{odd:02X} at offset {start + at} in the card {keyword!r}; a header "
        f"may hold printable ASCII only"
    )


def _odd_fill(fill: bytes, start: int, index: int) -> str:
    at = len(fill) - len(fill.lstrip(b" "))
    return (
        f"HDU {index}: byte 0x{fill[at]:02X} at offset {start + at} behind the END card; the fill "
        f"of a header must be blank"
    )


def _check_start(header: Header, index: int) -> None:
    if index == 0:
        if header.get("SIMPLE") is not True:
            raise NotUnderstood("SIMPLE is not T: the file says that it is not standard FITS")
    elif not header.text("XTENSION"):
        raise NotUnderstood(f"HDU {index}: XTENSION is not text")


def _count(header: Header, keyword: str, index: int, default: int | None = None) -> int:
    card = header.card(keyword)
    if card is None and default is not None:
        return default
    value = None if card is None else card.value
    if type(value) is not int or value < 0:
        shown = "missing" if card is None else repr(value)
        raise NotUnderstood(f"HDU {index}: {keyword} is {shown}, it must be an integer from 0 up")
    return value


def _structure(header: Header, index: int) -> tuple[int, tuple[int, ...], int, int]:
    bitpix = header.get("BITPIX")
    if bitpix not in _BITPIX or type(bitpix) is not int:
        raise NotUnderstood(f"HDU {index}: BITPIX is {bitpix!r}, which is none of FITS")
    naxis = _count(header, "NAXIS", index)
    if naxis > 999:
        raise NotUnderstood(f"HDU {index}: NAXIS is {naxis}, more than 999")
    axes = tuple(_count(header, f"NAXIS{n}", index) for n in range(1, naxis + 1))
    pcount = _count(header, "PCOUNT", index, 0)
    gcount = _count(header, "GCOUNT", index, 1)
    return bitpix, axes, pcount, gcount


def _kind_and_size(
    header: Header, index: int, bitpix: int, axes: tuple[int, ...], pcount: int, gcount: int
) -> tuple[str, int]:
    """Classify a unit and compute the size of its data (equations 1, 2 and 4 of FITS 4.0)."""
    width = abs(bitpix) // 8
    if not axes:
        # Some extensions (compressed archives) have NAXIS 0 and all their bytes in PCOUNT.
        size = 0 if index == 0 else width * gcount * pcount
        return ("empty" if size == 0 else "other"), size
    if axes[0] == 0 and len(axes) > 1 and header.get("GROUPS") is True:
        return "groups", width * gcount * (pcount + prod(axes[1:]))
    if index == 0:
        return "image", width * prod(axes)
    size = width * gcount * (pcount + prod(axes))
    name = header.text("XTENSION")
    if name in ("IMAGE", "IUEIMAGE"):
        return ("image" if pcount == 0 and gcount == 1 else "other"), size
    if name in ("BINTABLE", "A3DTABLE"):
        if bitpix != 8 or len(axes) != 2:
            return "other", size
        return ("compressed" if header.get("ZIMAGE") is True else "table"), size
    if name == "TABLE":
        return ("ascii" if bitpix == 8 and len(axes) == 2 else "other"), size
    return "other", size
