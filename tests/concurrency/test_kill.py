"""kill -9 at random moments; `make kill` does it a thousand times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_kills_lose_nothing(tmp_path):
    # With this seed, pools are killed while they are made, all workers at once, and one of them.
    words = ["--kills", "25", "--seed", "5", "--pause", "0.05", "--quiet", "--folder", tmp_path]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "kill.py", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert figures["lost"].endswith(" 0")
    assert int(figures["kills"].split()[1].rstrip(",")) >= 25
