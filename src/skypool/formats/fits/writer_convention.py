"""The table `SKYPOOL`: what a product holds and FITS cannot say exactly.

| column | content |
|---|---|
| `ITEM` | 0 the product, 1, 2, ... its datasets, those of composites behind them |
| `HDU` | number of the HDU that the row is about, 0 the primary one |
| `WHAT` | `product`, `parameter`, `shared`, `history`, `array`, `table`, `composite`, `column`, `reference`, `own` |
| `NAME` | JSON text: name of the parameter, dataset, column, role; the product's kind |
| `VALUE` | JSON, as in docs/format/documents.md: value of a parameter, text of a history entry, URN of a reference; facts about the others |
| `UNIT`, `DESCR` | JSON text, or nothing |

Facts are objects: `version` of the product row (1), `parent` of datasets (the item that
they are in), `dtype` and `shape` of arrays, `wcs` (header cards) where the image has others;
`escaped` (text with Python's escapes) and `null` of columns. The row `own` of an HDU lists
the keywords that hold no parameter (a parameter of the same name and value is `shared`), so that cards which somebody added or changed since
can be told from those of the writer.
"""  # noqa: E501 (a table of Markdown has long lines)

from __future__ import annotations

from typing import Any

import numpy as np

from skypool.codec.columns import ColumnSpec
from skypool.codec.documents import dumps
from skypool.formats.fits.writer_tables import EncodedTable

__all__ = ["TEXT_COLUMNS", "Rows"]

TEXT_COLUMNS = ("WHAT", "NAME", "VALUE", "UNIT", "DESCR")


def _json(value: Any) -> bytes:
    return b"" if value == "" and isinstance(value, str) else dumps(value)


class Rows:
    """The rows of the table, collected while a product is written."""

    def __init__(self) -> None:
        self._numbers: list[tuple[int, int]] = []
        self._texts: list[tuple[bytes, ...]] = []
        self._last_item = 0

    def next_item(self) -> int:
        """Return the number of the next dataset."""
        self._last_item += 1
        return self._last_item

    def add(
        self,
        item: int,
        hdu: int,
        what: str,
        name: str,
        value: Any,
        unit: str = "",
        description: str = "",
    ) -> None:
        """Add a row."""
        self._numbers.append((item, hdu))
        self._texts.append(
            (what.encode(), _json(name), dumps(value), _json(unit), _json(description))
        )

    def own(self, item: int, hdu: int, keywords: list[str]) -> None:
        """Add the row that lists the keywords of an HDU that hold no parameter."""
        self.add(item, hdu, "own", "", keywords)

    def table(self) -> EncodedTable:
        """Return the table as the bytes of FITS: numbers, and text of variable length."""
        count = len(self._numbers)
        numbers = np.array(self._numbers, ">i4").reshape(count, 2)
        specs = [ColumnSpec("ITEM", "1J"), ColumnSpec("HDU", "1J")]
        descriptors = np.zeros((count, len(TEXT_COLUMNS), 2), ">i4")
        heap = bytearray()
        for place, name in enumerate(TEXT_COLUMNS):
            longest = 0
            for row, texts in enumerate(self._texts):
                text = texts[place]
                if text:
                    descriptors[row, place] = len(text), len(heap)
                    heap += text
                    longest = max(longest, len(text))
            specs.append(ColumnSpec(name, f"1PA({longest})"))
        rows = np.concatenate(
            [
                numbers.view(np.uint8).reshape(count, 8),
                descriptors.reshape(count, -1).view(np.uint8).reshape(count, -1),
            ],
            axis=1,
        )
        names = [spec.name for spec in specs]
        return EncodedTable(specs, names, set(), {}, rows, bytes(heap))
