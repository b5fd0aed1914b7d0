"""The peers written in Python: an environment of its own for each, and calls of their drivers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DRIVERS = Path(__file__).resolve().parent / "peers"

# What pip installs; fdi without its extra cannot be imported. Pinned, so that a later run
# measures the same; `--peer butler=lsst-daf-butler` takes another version.
REQUIREMENTS = {"butler": "lsst-daf-butler==30.2026.4300", "fdi": "fdi[sci]==1.34.2"}

TITLES = {
    "skypool": "skypool",
    "astropy": "astropy files",
    "butler": "Butler",
    "fdi": "fdi",
}


@dataclass
class Peer:
    """A Python package that is driven in a process of its own."""

    name: str
    python: Path
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as tables give it."""
        return TITLES[self.name]

    def words(self, verb: str, **arguments: Any) -> list[str]:
        """Give the command line of a verb."""
        driver = DRIVERS / f"drive_{self.name}.py"
        return [f"{self.python}", f"{driver}", verb, json.dumps(arguments, default=str)]

    def call(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Run a verb and give what it found; a driver that fails stops the benchmark."""
        done = subprocess.run(
            self.words(verb, **arguments),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=quiet_environment(),
        )
        if done.returncode:
            raise RuntimeError(f"{self.name} {verb} ended with {done.returncode}:\n{done.stderr}")
        return dict(json.loads(done.stdout.strip().rsplit("\n", 1)[-1]))


def quiet_environment() -> dict[str, str]:
    """Give the environment for programs that are measured."""
    return {**os.environ, "PYTHONWARNINGS": "ignore"}


def python_peers(cache: Path, chosen: dict[str, str]) -> tuple[dict[str, Peer], dict[str, str]]:
    """Give the peers that can run, and for those that cannot the reason.

    `chosen` gives pip's requirement of each peer. astropy's files are written by this Python.
    """
    peers = {name: Peer(name, Path(sys.executable)) for name in ("skypool", "astropy")}
    missing: dict[str, str] = {}
    for name, requirement in chosen.items():
        folder = cache / name
        reason = _install(folder, requirement)
        if not reason:
            peers[name] = Peer(name, folder / "bin/python")
        else:
            missing[TITLES[name]] = reason
    for peer in list(peers.values()):
        try:
            peer.versions = peer.call("versions")["versions"]
        except RuntimeError as error:
            if peer.name in ("skypool", "astropy"):
                raise
            missing[peer.title] = f"{error}".strip().rsplit("\n", 1)[-1]
            del peers[peer.name]
    return peers, missing


def _install(folder: Path, requirement: str) -> str:
    """Make an environment once; an empty text means that it is there."""
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == requirement:
        return ""
    print(f"installing {requirement} into an environment of its own", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = [f"{folder}/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for words in ([sys.executable, "-m", "venv", f"{folder}"], [*pip, requirement]):
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return (lines or done.stderr.splitlines() or ["pip failed"])[-1]
    stamp.write_text(requirement)
    return ""
