"""Tables in the convention of HCSS: the cards of columns with their Java classes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from skypool.formats.fits.fields import column_specs
from skypool.formats.fits.hcss_exact import check_of
from skypool.formats.fits.writer_cards import ascii_text
from skypool.formats.fits.writer_tables import EncodedTable, encode_table

if TYPE_CHECKING:
    from skypool.formats.fits.hcss_header import HcssHeader
    from skypool.model.tables import Table

__all__ = ["column_cards", "encoded_table"]

_CLASSES = {
    "L": "Bool",
    "X": "Bool",
    "B": "Byte",
    "I": "Short",
    "J": "Int",
    "K": "Long",
    "E": "Float",
    "D": "Double",
    "C": "Complex",
    "M": "Complex",
    "A": "String",
}
_LONGEST_NAME = 60


def encoded_table(table: Table) -> EncodedTable:
    """Return a table as bytes, its columns with names that cards can hold."""
    encoded = encode_table(table)
    encoded.specs = [
        replace(spec, name=name)
        for spec, name in zip(encoded.specs, _written_names(encoded.names), strict=True)
    ]
    return encoded


def _written_names(names: list[str]) -> list[str]:
    """Return names of printable characters, different even in other case."""
    taken: set[str] = set()
    written = []
    for name in names:
        stem = clean = re.sub(r"\s+", " ", ascii_text(name)).strip()[:_LONGEST_NAME] or "column"
        number = 2
        while clean.upper() in taken:
            clean = f"{stem}_{number}"
            number += 1
        taken.add(clean.upper())
        written.append(clean)
    return written


def column_cards(header: HcssHeader, encoded: EncodedTable) -> dict[str, list[Any]]:
    """Write the cards of all columns; return the notes on those that cards cannot describe."""
    for number, spec in enumerate(encoded.specs, 1):
        element = spec.variable or spec.code
        axes = 1 + max(len(spec.shape), bool(spec.variable))
        header.add(f"TTYPE{number}", spec.name, ascii_text(spec.description))
        header.add(f"TFORM{number}", spec.format)
        dim = spec.dim
        if not dim and spec.code == "A" and not spec.variable:
            dim = f"({spec.width})"
        if dim:
            header.add(f"TDIM{number}", dim)
        if spec.unit:
            header.add(f"TUNIT{number}", spec.unit, "herschel.share.unit.Unit")
        if spec.zero:
            header.add(f"TZERO{number}", int(spec.zero), "offset for the type of integers")
        if spec.null is not None:
            header.add(f"TNULL{number}", int(spec.null), "stands for no value")
        header.add(f"TCOLU{number}", "herschel.ia.dataset.Column")
        header.add(f"TCLAS{number}", f"herschel.ia.numeric.{_CLASSES[element]}{axes}d")
    return _notes(header, encoded)


def _notes(header: HcssHeader, encoded: EncodedTable) -> dict[str, list[Any]]:
    notes: dict[str, list[Any]] = {}
    found = column_specs(header.parsed(), ascii=False)
    for number, (read, spec, name) in enumerate(
        zip(found, encoded.specs, encoded.names, strict=True)
    ):
        facts: dict[str, Any] = {}
        if name in encoded.escaped:
            facts["escaped"] = True
        if name in encoded.nulls:
            facts["null"] = encoded.nulls[name]
        said = [read.name, read.unit, read.description]
        truth = [name, spec.unit, spec.description]
        if facts or said != truth:
            notes[str(number)] = [check_of(said), *truth, facts]
    return notes
