"""What many versions of a folder with small changes take on disk, beside other ways to keep them.

Run: python benchmarks/space.py [--versions N] [--fraction F]. The files are those of the page of
benchmarks, scaled. Each way keeps every version so that it can be had back. Sizes do not depend on
how busy the machine is.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engines import Borg, Engine, Ours, Repository, Restic
from file_workload import change_a_little, write_files
from measure import folder_bytes


class Copies(Engine):
    """A copy of the folder for each version."""

    name = "cp -r"
    program = "cp"

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self.place.mkdir()

    @property
    def next(self) -> str:
        """Name of the next version."""
        return f"v{len(list(self.place.iterdir())):03}"

    def save_words(self, folder: Path) -> Sequence[str | Path]:
        """Give the command that takes a folder in."""
        return ["cp", "-r", folder, self.place / self.next]


class Zips(Copies):
    """An archive for each version."""

    name = "zip"
    program = "zip"

    def save_words(self, folder: Path) -> Sequence[str | Path]:
        """Give the command that takes a folder in."""
        return ["zip", "-q", "-r", self.place / f"{self.next}.zip", folder.name]


class Links(Copies):
    """Snapshots in which unchanged files are hard links."""

    name = "rsync --link-dest"
    program = "rsync"

    def save_words(self, folder: Path) -> Sequence[str | Path]:
        """Give the command that takes a folder in."""
        before = sorted(self.place.iterdir())
        # By content: the files are written anew each time.
        link = [f"--link-dest={before[-1]}", "--checksum", "--no-times"] if before else []
        return ["rsync", "-r", *link, f"{folder}/", self.place / self.next]

    def stored(self) -> int:
        """Bytes it keeps, linked files once."""
        found = {path.stat().st_ino: path.stat().st_size for path in self.place.rglob("*.fits")}
        return sum(found.values())


class Git(Repository):
    """git, after `git gc`."""

    name = "git, after git gc"
    program = "git"
    version_word = 2

    def save(self, folder: Path) -> None:
        """Take the files in."""
        shutil.copytree(folder, self.place, dirs_exist_ok=True)
        self._git("add", ".")
        self._git("commit", "-q", "-m", "save")

    def stored(self) -> int:
        """Bytes it keeps beside the files."""
        self._git("gc", "-q", "--prune=now")
        return folder_bytes(self.place / ".git")


WAYS: tuple[type[Engine], ...] = (Ours, Borg, Restic, Git, Zips, Links, Copies)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--fraction", type=float, default=0.1, help="of a gigabyte")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        ways = []
        for kind in WAYS:
            if not shutil.which(kind.program):
                print(f"{kind.name}: not installed, left out")
                continue
            scratch = base / kind.__name__
            scratch.mkdir()
            ways.append(kind(scratch))
        folder = base / "files"
        write_files(folder, options.fraction)
        changed = 0
        first = {}
        for release in range(options.versions):
            if release:
                changed += sum(
                    path.stat().st_size
                    for path in change_a_little(folder, release, options.fraction)
                )
            for way in ways:
                way.save(folder)
                if release == 0:
                    first[way] = way.stored()
        size = folder_bytes(folder)
        print(
            f"{options.versions} versions of 100 files, {size / 1e6:,.1f} MB; files that changed:"
            f" {changed / 1e6:,.1f} MB in all"
        )
        ours = ways[0].stored()
        print(f"{'':<24}{'the first':>12}{'all':>12}{'each more':>12}{'skypool is':>14}")
        for way in ways:
            total = way.stored()
            more = (total - first[way]) / max(1, options.versions - 1)
            print(
                f"{way.name:<24}{first[way] / 1e6:>9,.2f} MB{total / 1e6:>9,.2f} MB"
                f"{more / 1e6:>9,.2f} MB{total / ours:>8.2f} x smaller"
            )


if __name__ == "__main__":
    main()
