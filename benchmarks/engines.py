"""Programs that keep folders of files with their versions, as the benchmarks drive them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

from measure import command

SKYPOOL = Path(sys.executable).with_name("skypool")


class Engine(Protocol):
    """Takes a folder in, gives a file back, checks itself."""

    name: str
    place: Path

    def save(self, folder: Path) -> None:
        """Take the folder in."""

    def read_one(self, path: Path) -> bytes:
        """Get one file of the folder back."""

    def verify(self) -> None:
        """Check every byte."""


class Ours:
    """skypool's command line."""

    name = "skypool"

    def __init__(self, scratch: Path) -> None:
        self.place = scratch / "files.pool"
        self.out = scratch / "out-skypool"

    def save(self, folder: Path) -> None:
        """Take the folder in."""
        command([SKYPOOL, "-p", self.place, "add", folder, "--json"])

    def read_one(self, path: Path) -> bytes:
        """Get one file back."""
        name = f"{path.parent.name}/{path.name}"
        command([SKYPOOL, "-p", self.place, "export", name, self.out])
        (found,) = (found for found in self.out.rglob(path.name))
        return found.read_bytes()

    def verify(self) -> None:
        """Check every byte."""
        command([SKYPOOL, "-p", self.place, "verify"])


class Borg:
    """borg with zstd,3."""

    name = "borg zstd,3"

    def __init__(self, scratch: Path) -> None:
        self.place = scratch / "files.borg"
        self.out = scratch / "out-borg"
        self.saves = 0
        self.environment = {
            "BORG_BASE_DIR": str(scratch / "borg-home"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }
        command(["borg", "init", "-e", "none", self.place], self.environment)

    def save(self, folder: Path) -> None:
        """Take the folder in."""
        self.saves += 1
        archive = f"{self.place}::{self.saves}"
        words = ["borg", "create", "--compression", "zstd,3", archive, folder.name]
        command(words, self.environment, cwd=folder.parent)

    def read_one(self, path: Path) -> bytes:
        """Get one file back."""
        self.out.mkdir(exist_ok=True)
        name = f"{path.parent.name}/{path.name}"
        words = ["borg", "extract", f"{self.place}::{self.saves}", name]
        command(words, self.environment, cwd=self.out)
        return (self.out / name).read_bytes()

    def verify(self) -> None:
        """Check every byte."""
        command(["borg", "check", "--verify-data", self.place], self.environment)


class Restic:
    """restic with its default compression."""

    name = "restic"

    def __init__(self, scratch: Path) -> None:
        self.place = scratch / "files.restic"
        self.out = scratch / "out-restic"
        self.environment = {
            "RESTIC_REPOSITORY": str(self.place),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": str(scratch / "restic-cache"),
        }
        command(["restic", "init"], self.environment)

    def save(self, folder: Path) -> None:
        """Take the folder in."""
        command(["restic", "backup", folder.name], self.environment, cwd=folder.parent)

    def read_one(self, path: Path) -> bytes:
        """Get one file back."""
        include = f"/{path.parent.name}/{path.name}"
        words = ["restic", "restore", "latest", "--target", str(self.out), "--include", include]
        command(words, self.environment)
        (found,) = self.out.rglob(path.name)
        return found.read_bytes()

    def verify(self) -> None:
        """Check every byte."""
        command(["restic", "check", "--read-data"], self.environment)
