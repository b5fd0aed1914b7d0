"""Adding in place again, and after an interruption: what was read is not read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skypool.pool.pool import Pool
from skypool.storage.inplace import FileSource

from .conftest import image


@pytest.fixture(autouse=True)
def exact_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a moment ago count as settled."""
    monkeypatch.setattr("skypool.pool.seen_before._CLOCK_GRAIN_NS", -1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the user's files that are opened."""
    found: list[str] = []
    before = FileSource.__init__

    def begin(self: FileSource, path: Any, *args: Any, **more: Any) -> None:
        found.append(Path(path).name)
        before(self, path, *args, **more)

    monkeypatch.setattr(FileSource, "__init__", begin)
    return found


@pytest.mark.parametrize("headers_only", [False, True])
def test_what_is_as_it_was_is_not_opened(
    pool: Pool, survey: Path, opened: list[str], headers_only: bool
) -> None:
    pool.add(survey, in_place=True, headers_only=headers_only)
    opened.clear()
    report = pool.add_report(survey, in_place=True, headers_only=headers_only)
    assert (report.saved, report.files_read, opened) == ([], 0, [])
    image(survey / "maps/m1.fits", 8)
    report = pool.add_report(survey, in_place=True, headers_only=headers_only)
    assert set(opened) == {"m1.fits"}
    assert report.files_read == 1
    assert pool["survey/maps/m1.fits@1"].meta["SEED"].value == 8


@pytest.mark.parametrize("headers_only", [False, True])
@pytest.mark.parametrize("rebuilt", [False, True])
def test_an_interrupted_one_goes_on(
    pool: Pool,
    survey: Path,
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    headers_only: bool,
    rebuilt: bool,
) -> None:
    monkeypatch.setattr("skypool.pool.adding_files._STAGE_DOCUMENTS", 1)

    def stop(step: Any) -> None:
        if step.items >= 3:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"in_place": True, "headers_only": headers_only}
    with pytest.raises(KeyboardInterrupt):
        pool.add(survey, progress=stop, **options)
    assert pool.ls() == []
    first = set(opened)
    opened.clear()
    if rebuilt:
        pool.gc(grace=0)
        pool.gc(grace=0)  # what was read is gone: it is read again
    report = pool.add_report(survey, **options)
    assert len(report.saved) == 7
    if not rebuilt:
        assert not first & set(opened)
        assert report.files_read == 2
    assert pool.status().counts == {"fine": 5}
    assert pool.verify().ok
    with Pool(pool.path, "r") as again:
        assert again["survey/maps/m1"].product["image"].shape == (280, 300)
        assert again["survey/maps/m1"].product["image"].max() > 0


def test_in_place_and_then_copied(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    report = pool.add_report(survey)
    assert report.files_read == 5  # the pool had none of their content
    assert pool.add_report(survey).files_read == 0
    assert pool.add_report(survey, in_place=True).files_read == 0
    for path in survey.rglob("*.*"):
        path.unlink()
    assert pool.status().ok
    with Pool(pool.path, "r") as again:
        assert again["survey/maps/m1"].product["image"].shape == (280, 300)
