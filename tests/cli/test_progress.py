"""Progress: a bar on a terminal, a line now and then elsewhere, nothing for quick work."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from skypool.cli.progress import Reporter


@dataclass
class Step:
    stage: str = "add"
    items: int = 0
    total_items: int | None = None
    bytes: int = 0
    total_bytes: int | None = None
    name: str = ""


def work(clock: list[float], **options: object) -> Reporter:
    return Reporter(terminal=False, clock=lambda: clock[0], **options)  # type: ignore[arg-type]


def test_quick_work_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    with work(clock) as step:
        for number in range(1000):
            clock[0] = number * 0.004
            step(Step(items=number, total_items=1000))
    assert capsys.readouterr() == ("", "")


def test_elsewhere_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    with work(clock) as step:
        for number in range(200):
            clock[0] = number / 10
            step(Step("add", number, 400, number * 10**6, 4 * 10**8, "a\nname"))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3  # at 5, 10 and 15 seconds of 20
    assert lines[0] == "add: 50/400 items, 50.0 MB/400 MB, 10.0 MB/s, 0:35 left"


def test_without_totals_it_says_what_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    with work(clock) as step:
        step(Step("scan", 1))
        clock[0] = 6
        step(Step("scan", 12_000))
    assert capsys.readouterr().err == "scan: 12,000 items\n"


def test_rates_start_anew_with_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    with work(clock) as step:
        step(Step("read", 1, 10, 10**9, 10**10))
        clock[0] = 100
        step(Step("write", 0, 10, 0, 10**8))
        clock[0] = 110
        step(Step("write", 5, 10, 5 * 10**7, 10**8))
    assert capsys.readouterr().err.splitlines()[-1] == (
        "write: 5/10 items, 50.0 MB/100 MB, 5.00 MB/s, 0:10 left"
    )
