"""Where units are, and what is refused: the table of docs/design/002-fits-what-is-typed.md."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from skypool.codec.sinks import MemorySource
from skypool.formats.fits.layout import BLOCK, scan
from skypool.formats.parsing import NotUnderstood


def layout(data):
    return scan(MemorySource(data))


def card(text):
    return text.encode("latin-1").ljust(80)


def unit(*cards, data=b""):
    head = b"".join(map(card, (*cards, "END")))
    return head.ljust(-(-len(head) // BLOCK) * BLOCK) + data.ljust(
        -(-len(data) // BLOCK) * BLOCK, b"\0"
    )


def filled_with_nul(*cards):
    return b"".join(map(card, (*cards, "END"))).ljust(BLOCK, b"\0")


PRIMARY = ("SIMPLE  =                    T", "BITPIX  = 8", "NAXIS   = 0")
EXTENDED = (*PRIMARY, "EXTEND  =                    T")
IMAGE = (
    "XTENSION= 'IMAGE   '",
    "BITPIX  = -32",
    "NAXIS   = 1",
    "NAXIS1  = 3",
    "PCOUNT  = 0",
    "GCOUNT  = 1",
)


def whole():
    hdus = fits.HDUList([fits.PrimaryHDU(np.arange(6, dtype="i2").reshape(2, 3))])
    hdus.append(fits.ImageHDU(np.zeros((4, 5)), name="SCI"))
    hdus.append(
        fits.BinTableHDU.from_columns(
            [fits.Column("v", "PJ()", array=np.array([[1], [2, 3]], dtype=object))]
        )
    )
    hdus.append(fits.TableHDU.from_columns([fits.Column("a", "I4", array=np.arange(3))]))
    stream = io.BytesIO()
    hdus.writeto(stream)
    return stream.getvalue()


def test_all_kinds_of_units_are_found():
    data = whole() + unit(
        "XTENSION= 'DUMP    '",
        "BITPIX  = 8",
        "NAXIS   = 1",
        "NAXIS1  = 5",
        "PCOUNT  = 0",
        "GCOUNT  = 1",
        data=b"hello",
    )
    found = layout(data)
    assert [hdu.kind for hdu in found.hdus] == ["image", "image", "table", "ascii", "other"]
    assert found.hdus[0].shape == (2, 3)
    assert found.hdus[2].size == 2 * 8 + 12
    assert found.hdus[-1].end == len(data)
    assert not found.tail
    assert not found.notes


def test_random_groups_and_compressed_images():
    axes = ("BITPIX  = 16", "NAXIS   = 3", "NAXIS1  = 0", "NAXIS2  = 2", "NAXIS3  = 3")
    groups = ("GROUPS  =                    T", "PCOUNT  = 1", "GCOUNT  = 4")
    groups = unit(PRIMARY[0], *axes, *groups, data=bytes(56))
    found = layout(groups).hdus[0]
    assert (found.kind, found.size) == ("groups", 4 * 2 * (1 + 6))
    stream = io.BytesIO()
    image = np.arange(400, dtype="i4").reshape(20, 20)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)]).writeto(stream)
    assert layout(stream.getvalue()).hdus[1].kind == "compressed"


REFUSED = {
    "empty file": (b"", "empty"),
    "SIMPLE = F": (unit("SIMPLE  =                    F", *PRIMARY[1:]), "SIMPLE is not T"),
    "another file": (b"\x89PNG" + bytes(3000), "no SIMPLE"),
    "no END": (b"".join(map(card, PRIMARY)).ljust(BLOCK), "no END"),
    "END of the next unit": (
        unit(*EXTENDED).replace(b"END  ", b"     ") + unit(*IMAGE, data=bytes(12)),
        "no END card before the next header",
    ),
    "Latin-1": (unit(*PRIMARY, "OBSERVER= 'Jos\xe9'"), "0xE9 at offset 254 in the card 'OBSERVER'"),
    "TAB": (unit(*PRIMARY, "A       =\t5"), "0x09"),
    "NAXIS = -1": (unit(PRIMARY[0], PRIMARY[1], "NAXIS   = -1"), "NAXIS is -1"),
    "NAXIS is text": (unit(PRIMARY[0], PRIMARY[1], "NAXIS   = '2'"), "NAXIS is '2'"),
    "an axis is missing": (unit(*PRIMARY[:2], "NAXIS   = 1"), "NAXIS1 is missing"),
    "BITPIX": (unit(PRIMARY[0], "BITPIX  = 12", PRIMARY[2]), "BITPIX is 12"),
    "too many axes": (unit(*PRIMARY[:2], "NAXIS   = 1000"), "more than 999"),
    "negative PCOUNT": (unit(*EXTENDED) + unit(*IMAGE[:4], "PCOUNT  = -8"), "PCOUNT is -8"),
    "cut in the data": (whole()[:-BLOCK], "the file has"),
    "cut in a header": (unit(*PRIMARY)[:100], "ends within the header"),
    "cut in the fill of a header": (unit(*PRIMARY)[:2000], "fill of the header"),
    "cut in the last fill": (
        (unit(*EXTENDED) + unit(*IMAGE, data=bytes(12)))[:-100],
        "the last 100 bytes of its fill are missing",
    ),
    "fill of NUL before more units": (
        filled_with_nul(*EXTENDED) + unit(*IMAGE, data=bytes(12)),
        "must be blank",
    ),
    "a byte too many": (
        unit(*EXTENDED) + unit(*IMAGE, data=bytes(12)) + b"\n" + unit(*IMAGE, data=bytes(12)),
        "bytes were lost or added",
    ),
    "an extension first": (unit(*IMAGE, data=bytes(12)), "no SIMPLE"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_leaves_doubt_is_refused(case):
    data, reason = REFUSED[case]
    with pytest.raises(NotUnderstood, match=reason.replace("(", r"\(")):
        layout(data)


NOTED = {
    "zero blocks behind": (unit(*PRIMARY) + bytes(BLOCK), BLOCK, "zero bytes"),
    "stray bytes behind": (unit(*PRIMARY) + b"junk", 4, "belong to no HDU"),
    "no fill, alone": (
        (unit("SIMPLE  =                    T", *IMAGE[1:4], data=bytes(12)))[: BLOCK + 12],
        0,
        "fill are missing",
    ),
    "NEXTEND counts": (
        (unit(*EXTENDED, "NEXTEND = 1") + unit(*IMAGE, data=bytes(12)))[:-100],
        0,
        "fill are missing",
    ),
    "fill of NUL, alone": (filled_with_nul(*PRIMARY), 0, "must be blank"),
    "a bad card": (unit(*PRIMARY, "DATE    = 2008-03-23"), 0, "cannot be understood"),
}


@pytest.mark.parametrize("case", NOTED)
def test_what_does_no_harm_is_noted(case):
    data, tail, note = NOTED[case]
    found = layout(data)
    assert found.tail == tail
    assert len(found.notes) == 1
    assert note in found.notes[0]


def test_a_header_of_many_blocks():
    cards = [f"KEY{n:<5}= {n}" for n in range(2000)]
    found = layout(unit(*PRIMARY, *cards))
    assert len(found.hdus[0].header.cards) == 2003


def test_end_within_text_is_no_end():
    found = layout(unit(*PRIMARY, "COMMENT END     ", "ENDTIME = 5", "KEY     = 'x'"))
    assert found.hdus[0].header.get("KEY") == "x"


def test_data_are_not_read():
    class Counting(MemorySource):
        read = 0

        def pread(self, offset, length):
            data = super().pread(offset, length)
            Counting.read += len(data)
            return data

    stream = io.BytesIO()
    fits.PrimaryHDU(np.zeros((1000, 1000))).writeto(stream)
    scan(Counting(stream.getvalue()))
    assert Counting.read < 100_000
