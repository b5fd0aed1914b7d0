"""Programs that keep folders of files with their versions, as the benchmarks drive them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from measure import command, folder_bytes

SKYPOOL = Path(sys.executable).with_name("skypool")


class Engine:
    """Takes a folder in, gives a file back, checks itself.

    `place` holds all it keeps; `environment` is added to that of its commands.
    """

    name = ""
    program = ""
    version_words: tuple[str, ...] = ("--version",)
    version_word = 1

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.place = scratch / "kept"
        self.out = scratch / "out"
        self.environment: Mapping[str, str] = {}

    def prepare(self, folder: Path) -> None:
        """Do what has to be done before the folder can be taken in; not timed."""

    def save_words(self, folder: Path) -> Sequence[str | Path]:
        """Give the command that takes a folder in, from the folder above it."""
        raise NotImplementedError(f"{self.name} takes more than one command")

    def save(self, folder: Path) -> None:
        """Take the folder in."""
        command(self.save_words(folder), self.environment, cwd=folder.parent)

    def stored(self) -> int:
        """Bytes it keeps."""
        return folder_bytes(self.place)

    def read_one(self, path: Path) -> bytes:
        """Get one file of the folder back."""
        raise NotImplementedError(self.name)

    def verify(self) -> None:
        """Check every byte."""
        raise NotImplementedError(self.name)

    @classmethod
    def version(cls) -> str:
        """Give the version of the program."""
        return command([cls.program, *cls.version_words]).split()[cls.version_word]

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.scratch)


class Ours(Engine):
    """skypool's command line."""

    name = "skypool"
    program = f"{SKYPOOL}"

    def save_words(self, folder: Path) -> Sequence[str | Path]:
        """Give the command that takes a folder in."""
        return [SKYPOOL, "-p", self.place, "add", folder, "--json"]

    def read_one(self, path: Path) -> bytes:
        """Get one file back."""
        name = f"{path.parent.name}/{path.name}"
        command([SKYPOOL, "-p", self.place, "export", name, self.out])
        (found,) = (found for found in self.out.rglob(path.name))
        return found.read_bytes()

    def verify(self) -> None:
        """Check every byte."""
        command([SKYPOOL, "-p", self.place, "verify"])


class Borg(Engine):
    """borg with zstd,3."""

    name = "borg zstd,3"
    program = "borg"

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self.saves = 0
        self.environment = {
            "BORG_BASE_DIR": str(scratch / "borg-home"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }
        command(["borg", "init", "-e", "none", self.place], self.environment)

    def save_words(self, folder: Path) -> Sequence[str | Path]:
        """Give the command that takes a folder in."""
        self.saves += 1
        archive = f"{self.place}::{self.saves}"
        return ["borg", "create", "--compression", "zstd,3", archive, folder.name]

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


class Restic(Engine):
    """restic with its default compression."""

    name = "restic"
    program = "restic"
    version_words = ("version",)

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self.environment = {
            "RESTIC_REPOSITORY": str(self.place),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": str(scratch / "restic-cache"),
        }
        command(["restic", "init"], self.environment)

    def save_words(self, folder: Path) -> Sequence[str | Path]:
        """Give the command that takes a folder in."""
        return ["restic", "backup", folder.name]

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


class Repository(Engine):
    """A repository of git, by whatever keeps its files there."""

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self.place.mkdir()
        self.environment = {
            "HOME": str(scratch),
            **{f"GIT_{who}_NAME": "benchmark" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "benchmark@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        self._git("init", "-q")

    def _git(self, *words: str) -> None:
        command(["git", *words], self.environment, cwd=self.place)


class GitAnnex(Repository):
    """git-annex, which moves the files into its repository and leaves links."""

    name = "git-annex"
    program = "git-annex"
    version_words = ("version", "--raw")
    version_word = 0

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self._git("annex", "init", "-q")

    def prepare(self, folder: Path) -> None:
        """Put new and changed files where it works, in place of its links."""
        for path in folder.iterdir():
            target = self.place / path.name
            known = target.exists() and target.stat().st_size == path.stat().st_size
            if not known or target.read_bytes() != path.read_bytes():
                target.unlink(missing_ok=True)
                shutil.copyfile(path, target)

    def save(self, folder: Path) -> None:
        """Take the files in."""
        self._git("annex", "add", "-q", ".")
        self._git("commit", "-q", "-m", "save")

    def stored(self) -> int:
        """Bytes it keeps."""
        return folder_bytes(self.place / ".git")

    def read_one(self, path: Path) -> bytes:
        """Get one file back in place of its link."""
        self._git("annex", "unlock", "-q", path.name)
        return (self.place / path.name).read_bytes()

    def verify(self) -> None:
        """Check every byte."""
        self._git("annex", "fsck", "-q")

    def close(self) -> None:
        """Remove everything; it takes the right to write from its folders."""
        command(["chmod", "-R", "u+w", self.scratch])
        super().close()


ENGINES: tuple[type[Engine], ...] = (Ours, Borg, Restic, GitAnnex)
