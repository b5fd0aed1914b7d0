"""Every call of the system fails in turn, in every operation (as in sqlite.org/testing.html, 3.2).

After each: one clear error or a true success; the pool is whole for the pool object that saw
the failure, for a reader that was open all the time, and for one opened afresh; what was
changed is there whole or not at all; both can save on; nothing stays open; and where a sync
failed, a crash that loses what it was to bring to the disk harms nobody.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from skypool.testing.faults import ERRORS, SQLITE_CALLS

from .operations import OPERATIONS, Operation
from .trial import SQLITE, Failed, Trials

Trial = tuple[str, str | None, int]  # error, call or None for any, number

ERRORS_EACH, CALLS_EACH = 2, 2


@pytest.fixture(scope="session")
def trials(bases: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trials]:
    scratch = tmp_path_factory.mktemp("trials")
    return {operation.name: Trials(operation, bases, scratch) for operation in OPERATIONS}


@pytest.fixture(scope="session")
def plan(trials: dict[str, Trials]) -> dict[str, list[Trial]]:
    """Choose trials for every operation: those errors and calls that come up least."""
    chosen = random.Random(5)
    used: Counter[str] = Counter()
    common = Counter(call for one in trials.values() for call in set(one.calls))
    found: dict[str, list[Trial]] = {}
    for name, one in trials.items():
        errors = [error for error in ERRORS if one.count(error)]
        errors = sorted(errors, key=lambda error: used[error])[:ERRORS_EACH]
        calls = sorted(
            set(one.calls) & ERRORS["EIO"], key=lambda call: (used[call], common[call], call)
        )
        picked: list[tuple[str, str | None]] = [(error, None) for error in errors]
        picked += [("EIO", call) for call in calls[:CALLS_EACH]]
        used.update(errors + calls[:CALLS_EACH])
        found[name] = [
            (error, call, chosen.randint(1, one.count(error, call))) for error, call in picked
        ]
    return found


@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
def test_sample(name: str, trials: dict[str, Trials], plan: dict[str, list[Trial]]) -> None:
    for error, call, nth in plan[name]:
        assert trials[name].run(error, nth, call=call).fired


def test_what_cannot_be_looked_at_is_told(trials: dict[str, Trials]) -> None:
    # The system's own error came out where the permissions of the marker are looked at.
    for nth in range(1, trials["limit"].count("EIO", "stat") + 1):
        assert trials["limit"].run("EIO", nth, call="stat").fired


def test_sample_has_every_error_and_every_call(
    trials: dict[str, Trials], plan: dict[str, list[Trial]]
) -> None:
    chosen = [trial for one in plan.values() for trial in one]
    assert {error for error, _, _ in chosen} == set(ERRORS)
    made = {call for one in trials.values() for call in one.calls}
    assert made & ERRORS["EIO"] == {call for _, call, _ in chosen} - {None}
    assert not SQLITE or made > SQLITE_CALLS - {"sqlite.truncate"}


@pytest.mark.campaign
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_call(operation: Operation, error: str, bases: Path, tmp_path: Path) -> None:
    trials = Trials(operation, bases, tmp_path)
    problems = []
    for lasting in (False, True):
        nth = 1
        while True:
            try:
                if not trials.run(error, nth, lasting=lasting).fired:
                    break
            except Failed as problem:
                problems.append(str(problem))
            nth += 1
    assert problems == []
    assert nth > trials.count(error)
