"""What may stand at a place of a query, for both browsers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.query.completion import place


@pytest.mark.parametrize(
    ("text", "start", "typed", "sort", "key"),
    [
        ("", 0, "", "key", ""),
        ("od == 1 and wav", 12, "wav", "key", ""),
        ("not ", 4, "", "key", ""),
        ("instrument ", 11, "", "operator", ""),
        ("instrument == 'PACS' ", 21, "", "word", ""),
        ("has(object) a", 12, "a", "word", ""),
        ("instrument == ", 14, "", "value", "instrument"),
        ("instrument not in ['a', 'b", 24, "b", "value", "instrument"),
        ("meta['odd key'] == 3", 19, "3", "value", "odd key"),
        ("name == 'obs", 8, "obs", "name", "name"),
        ("tags contains 'go", 14, "go", "tag", "tags"),
        ("tagged('it\\'s", 7, "it\\'s", "tag", ""),
        ("missing(", 8, "", "key text", ""),
        ("meta['wa", 5, "wa", "key text", ""),
        ("refers_to('cal", 10, "cal", "name", ""),
        ("'what", 0, "what", "", ""),
    ],
)
def test_what_may_stand_there(text: str, start: int, typed: str, sort: str, key: str) -> None:
    found = place(text, len(text))
    assert (found.start, found.end) == (start, len(text))
    assert (found.typed, found.sort, found.key) == (typed, sort, key)


def test_the_rest_of_the_word_or_text_is_replaced() -> None:
    assert place("instrum == 3", 4).end == 7
    assert place("instrument == 'SP' and od > 3", 17).end == 18


@given(st.text("abn'\"\\[]()=!<> ,1.", max_size=30), st.integers(0, 30))
def test_any_text_has_places(text: str, caret: int) -> None:
    caret = min(caret, len(text))
    found = place(text, caret)
    assert 0 <= found.start <= caret <= found.end <= len(text)
