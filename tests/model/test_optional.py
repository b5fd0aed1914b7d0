"""Parts above the pool are found by name, and a missing one says what to install."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from skypool.errors import MissingDependency
from skypool.model import optional


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        name: EntryPoint(name, place, optional.GROUP)
        for name, place in {
            "join": "os.path:join",
            "broken": "tests.no_such_module:send",
            "gone": "os.path:no_such_function",
        }.items()
    }
    monkeypatch.setattr(optional, "_points", lambda: points)


def test_a_part_is_what_its_entry_point_stands_for(registered: None) -> None:
    import os

    assert optional.part("join", extra="vo") is os.path.join


@pytest.mark.parametrize("name", ["broken", "never registered"])
def test_a_missing_part_names_the_extra(registered: None, name: str) -> None:
    with pytest.raises(MissingDependency, match=r"pip install 'skypool\[vo\]'"):
        optional.part(name, extra="vo")


def test_a_broken_part_is_no_missing_package(registered: None) -> None:
    with pytest.raises(AttributeError):
        optional.part("gone", extra="vo")
