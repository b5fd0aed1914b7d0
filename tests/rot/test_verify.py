"""Verification that is interrupted and goes on, and the command line of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.pool.upkeep import noise, packs_of, state_of

import skypool as sp
from skypool.cli.app import run
from skypool.pool.progress import Progress

PACKS = 4


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    for number in range(PACKS):
        with sp.Pool(tmp_path / "pool") as made:
            (tmp_path / "x.bin").write_bytes(noise(number, 40_000))
            if number:
                made.view.session.store.candidates = lambda: ()  # a pack of its own
            made.add(tmp_path / "x.bin", name=f"x{number}")
    assert len(packs_of(tmp_path / "pool")) == PACKS
    return tmp_path / "pool"


class Counting:
    """Counts the bytes that a verification reads of packs, and may stop it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop_behind: int = 10**6) -> None:
        from skypool.pool import verifying

        self.read: list[str] = []
        real = verifying.verify_pack

        def counted(path: str, *args: Any, **options: Any) -> Any:
            if len(self.read) == stop_behind:
                raise KeyboardInterrupt
            self.read.append(os.path.basename(path))
            return real(path, *args, **options)

        monkeypatch.setattr(verifying, "verify_pack", counted)


def verified(pool: Path, **options: Any) -> Any:
    with sp.Pool(pool, "r") as reading:
        return reading.verify(**options)


def interrupted(pool: Path, behind: int, **options: Any) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        counting = Counting(patch, behind)
        with pytest.raises(KeyboardInterrupt):
            verified(pool, **options)
    return counting.read


def resumed(pool: Path, **options: Any) -> tuple[list[str], Any]:
    with pytest.MonkeyPatch.context() as patch:
        counting = Counting(patch)
        report = verified(pool, **options)
    return counting.read, report


def test_interrupted_verification_goes_on(pool: Path) -> None:
    whole = verified(pool)
    before = state_of(pool)
    first = interrupted(pool, 2)
    second = interrupted(pool, 1, resume=True)
    rest, report = resumed(pool, resume=True)
    assert state_of(pool) == before
    assert sorted(first + second + rest) == sorted(path.name for path in packs_of(pool))
    assert report.ok
    assert (report.checked, report.bytes) == (whole.checked, whole.bytes)
    again, _ = resumed(pool, resume=True)  # it came to its end: this is another one
    assert len(again) == PACKS


def test_without_asking_all_is_read(pool: Path) -> None:
    interrupted(pool, 3)
    assert len(resumed(pool)[0]) == PACKS


def test_changed_packs_are_read_again(pool: Path) -> None:
    first = interrupted(pool, 3)
    path = pool / "packs" / first[1]
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    rest, report = resumed(pool, resume=True)
    assert first[1] in rest
    assert first[0] not in rest
    assert not report.ok


def test_damage_that_was_found_is_told_again(pool: Path) -> None:
    path = packs_of(pool)[0]
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    assert path.name in interrupted(pool, 3)
    rest, report = resumed(pool, resume=True)
    assert path.name in rest
    assert not report.ok


def test_quick_results_do_not_serve_full_verification(pool: Path) -> None:
    first = interrupted(pool, 3, quick=True)
    assert len(first) == 3
    assert len(resumed(pool, resume=True)[0]) == PACKS
    interrupted(pool, 3)
    assert len(resumed(pool, resume=True, quick=True)[0]) == PACKS - 3


def test_copy_of_the_pool_is_read_for_itself(pool: Path, tmp_path: Path) -> None:
    interrupted(pool, 3)
    shutil.copytree(pool, tmp_path / "copy")
    assert len(resumed(tmp_path / "copy", resume=True)[0]) == PACKS


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"packs": 3}', b'{"packs": {"a": {}}}'])
def test_damaged_state_is_none(pool: Path, content: bytes) -> None:
    interrupted(pool, 3)
    (path,) = Path(os.environ["SKYPOOL_CACHE"]).glob("verify/*.json")
    path.write_bytes(content)
    assert len(resumed(pool, resume=True)[0]) == PACKS


def test_progress_of_a_resumed_verification_is_whole(pool: Path) -> None:
    interrupted(pool, 2)
    told: list[Progress] = []
    verified(pool, resume=True, progress=told.append)
    packs = [step for step in told if step.stage == "verifying"]
    assert packs[-1].bytes == packs[-1].total_bytes
    assert [step.bytes for step in packs] == sorted(step.bytes for step in packs)


# -- command line


def test_interrupt_says_how_far_it_got(
    pool: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Counting(monkeypatch, 2)
    assert run(["-p", str(pool), "verify"]) == 130
    said = capsys.readouterr().err
    assert f"of {PACKS} packs" in said
    assert "verify --resume" in said
    monkeypatch.undo()


def test_control_c_in_another_process(pool: Path) -> None:
    code = (
        "import sys, time\n"
        "from skypool.pool import verifying\n"
        "real = verifying.verify_pack\n"
        "def slow(*args, **options):\n"
        "    print('reading', flush=True)\n"
        "    time.sleep(60)\n"
        "    return real(*args, **options)\n"
        "verifying.verify_pack = slow\n"
        "from skypool.cli.main import main\n"
        f"sys.argv = ['skypool', '-p', {str(pool)!r}, 'verify']\n"
        "sys.exit(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "--resume" in errors


def test_repair_on_the_command_line(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pool, tmp_path / "copy")
    path = packs_of(pool)[0]
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    assert run(["-p", str(pool), "--json", "verify"]) == 12
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert found["problems"][0]["hurt"]
    assert run(["-p", str(pool), "verify", "--repair"]) == 12  # it is nowhere
    assert "damaged:" in capsys.readouterr().out
    command = ["-p", str(pool), "verify", "--repair-from", str(tmp_path / "copy")]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "healed: 1 chunk" in said
    assert "sound" in said
    assert run(["-p", str(pool), "--json", "verify"]) == 0
    assert json.loads(capsys.readouterr().out)["wasted"] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--repair-from", "nowhere"], 4),
        (["--repair-from", "{pool}"], 2),
        (["--repair", "--resume"], 2),
    ],
)
def test_what_cannot_be_repaired_from(
    pool: Path, words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-p", str(pool), "verify", *(w.format(pool=pool) for w in words)]) == code
    assert capsys.readouterr().err.startswith("skypool: ")
