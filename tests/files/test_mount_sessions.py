"""What mounts note of themselves, where others come and go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from skypool.config import from_environment
from skypool.files import mount_sessions


def test_a_mount_that_ends_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYPOOL_CACHE", str(tmp_path / "cache"))
    settings = from_environment()
    session = mount_sessions.Session(settings, str(tmp_path / "place"))
    locked = mount_sessions._locked

    def removed_first(path: str, how: int = 0) -> int:
        shutil.rmtree(path)  # as its process does when it ends
        return locked(path, how)

    with monkeypatch.context() as patch:
        patch.setattr(mount_sessions, "_locked", removed_first)
        assert mount_sessions.clear_dead(settings) == []
    assert not Path(session.path).exists()
    session.close()
    assert mount_sessions.session_of(settings, str(tmp_path / "place")) == ""
