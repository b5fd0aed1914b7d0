"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("campaign", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so, and programs started by tests would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave modules and tests, half a million objects, out of every collection of garbage."""
    thresholds = gc.get_threshold()
    gc.set_threshold(10_000_000)  # not switched off: dask leaves it as it was when it was imported
    try:
        return (yield)
    finally:
        gc.set_threshold(*thresholds)
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def own_samp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is served to several tests away from the user's SAMP programs."""
    lock = tmp_path_factory.mktemp("samp") / ".samp"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMP_HUB", f"std-lockurl:{lock.as_uri()}")
        yield


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Name a folder for each test; pytest would look through thousands for a free number."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def own_folders(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pools and caches of the tests away from those of the user."""
    home = next(homes)
    home.mkdir(mode=0o700)
    monkeypatch.setenv("SKYPOOL_HOME", str(home / "pools"))
    monkeypatch.setenv("SKYPOOL_CACHE", str(home / "cache"))
    monkeypatch.setenv("SKYPOOL_CONFIG", str(home / "config"))
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(home / '.samp').as_uri()}")
    monkeypatch.delenv("SKYPOOL", raising=False)
    monkeypatch.setenv("SKYPOOL_AUTHOR", "tester")


@pytest.fixture(autouse=True, scope="module")
def tidy() -> Iterator[None]:
    """Close what tests leave open, and let the collector run as often as before."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.collect()
    gc.freeze()  # what is left stays, as modules that were loaded meanwhile do


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real files; skips where it is not there."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real files (../shared/data) are not on this machine")
    return folder


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the files that are given to processes."""
    from skypool.pool import reading_ahead

    found: list[int] = []
    original = reading_ahead._Process.ask

    def ask(self: object, data: bytes) -> bytes:
        found.append(len(data))
        return original(self, data)

    monkeypatch.setattr(reading_ahead._Process, "ask", ask)
    return found
