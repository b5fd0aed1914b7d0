"""States that a crash can leave, over all operations; see docs/design/007-crash-states.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from skypool.testing.crash.campaign import Tally, check_operation, check_recoveries, table
from skypool.testing.crash.operations import OPERATIONS
from skypool.testing.crash.recording import scratch_folder
from skypool.testing.crash.sqlite import can_trace

pytestmark = pytest.mark.skipif(
    not can_trace(), reason="this Python hides the functions of its SQLite"
)

RECOVERED = (
    "first save",
    "new version",
    "gc and repacking",
    "gc of what was removed",
    "interrupted add",
    "reindex",
)
# Always, and in the campaign.
SAMPLE, SAMPLE_OF_RECOVERIES = 30, 10
CAMPAIGN, CAMPAIGN_OF_RECOVERIES = 750, 150
ENOUGH = 680  # short operations do not have so many


def test_how_many_there_are() -> None:
    assert len(OPERATIONS) * SAMPLE + len(RECOVERED) * SAMPLE_OF_RECOVERIES >= 500
    assert len(OPERATIONS) * ENOUGH >= 10_000


@pytest.fixture
def folder() -> Iterator[str]:
    with scratch_folder() as name:
        yield name


def finish(tally: Tally, name: str, record_property: pytest.RecordProperty) -> None:
    record_property("states", table({name: tally}))
    tally.raise_failures()


@pytest.mark.parametrize("name", OPERATIONS)
def test_crash(name: str, folder: str) -> None:
    tally = check_operation(OPERATIONS[name], folder, SAMPLE)
    tally.raise_failures()
    assert tally.total == len(tally.seen) == SAMPLE


@pytest.mark.parametrize("name", RECOVERED)
def test_crash_of_the_recovery(name: str, folder: str) -> None:
    tally = check_recoveries(OPERATIONS[name], folder, 3, SAMPLE_OF_RECOVERIES)
    tally.raise_failures()
    assert tally.total == len(tally.seen) == SAMPLE_OF_RECOVERIES


@pytest.mark.campaign
@pytest.mark.parametrize("name", OPERATIONS)
def test_campaign(name: str, folder: str, record_property: pytest.RecordProperty) -> None:
    tally = check_operation(OPERATIONS[name], folder, CAMPAIGN)
    finish(tally, name, record_property)
    assert ENOUGH <= tally.total == len(tally.seen)
    assert len(tally.kinds) >= 7  # a state of two kinds counts as one of them


@pytest.mark.campaign
@pytest.mark.parametrize("name", OPERATIONS)
def test_campaign_of_recoveries(
    name: str, folder: str, record_property: pytest.RecordProperty
) -> None:
    tally = check_recoveries(OPERATIONS[name], folder, 8, CAMPAIGN_OF_RECOVERIES)
    finish(tally, name, record_property)
    assert 0 < tally.total == len(tally.seen)
