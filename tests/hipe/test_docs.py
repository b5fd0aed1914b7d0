"""The page for those who come from HIPE names everything that there is."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import page

from skypool.hipe.names import HOMES

PAGE = page("hipe.md")


# Bases, parts and exceptions that nobody needs to look up.
UNNAMED = {
    "BooleanParameter", "Context", "DateParameter", "IllegalArgumentException", "LocalStore",
    "NoSuchElementException", "Parameter", "RgbSimpleImage", "SimpleCube", "SimpleSpectrum",
    "SpectralSimpleCube", "Spectrum", "Spectrum1d", "Spectrum2d", "StorageQuery", "StringParameter",
    "TableProduct", "Urn", "Wcs", "QualityContext",
}  # fmt: skip


# On the page about scripts.
ELSEWHERE = {"ascii_tables", "numeric"}


@pytest.mark.parametrize("name", sorted(n for n, home in HOMES.items() if home not in ELSEWHERE))
def test_every_name_is_on_the_page(name: str) -> None:
    there = re.search(rf"\b{name}\b", PAGE.read_text("utf-8")) is not None
    assert there or name in UNNAMED
