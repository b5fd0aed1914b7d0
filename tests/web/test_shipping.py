"""What is built stands in what is shipped: installing needs no Node."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from skypool.web.pages import STATIC

ROOT = Path(__file__).resolve().parents[2]


def test_wheel_and_sdist_hold_the_page(tmp_path: Path) -> None:
    if not (STATIC / "index.html").is_file():
        if os.environ.get("SKYPOOL_REQUIRE_NODE"):
            pytest.fail("the page is not built: make frontend")
        pytest.skip("the page is not built: make frontend")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600"},
    )
    built = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        below = "skypool/web/static/"
        assert {n.removeprefix(below) for n in names if n.startswith(below)} == built
        assert packed.read(below + "index.html") == (STATIC / "index.html").read_bytes()
    assert not [name for name in names if "node_modules" in name or name.startswith("frontend")]
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as packed_source:
        held = packed_source.getnames()
    for name in built:
        assert any(each.endswith(f"src/skypool/web/static/{name}") for each in held), name
    assert any(name.endswith("frontend/package-lock.json") for name in held)
    assert not [name for name in held if "node_modules" in name]
