"""The documentation of the language is complete."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import page

from skypool.query.functions import CONSTANTS, FUNCTIONS
from skypool.query.tree import ATTRIBUTES, FACETS, STRUCTURE

PAGE = page("query.md")


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *CONSTANTS, *ATTRIBUTES, *FACETS, *STRUCTURE}))
def test_everything_is_documented(name):
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", PAGE.read_text("utf-8"))
