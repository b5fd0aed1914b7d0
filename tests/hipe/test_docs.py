"""The page for those who come from HIPE runs, and names everything that there is."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from skypool.hipe.names import HOMES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hipe.md"


def test_examples(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S))
    case = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    result = doctest.DocTestRunner().run(case)
    assert result.attempted > 40
    assert not result.failed, capsys.readouterr().out


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
