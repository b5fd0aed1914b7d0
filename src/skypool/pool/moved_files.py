"""Looking for files outside the pool that are gone: renamed, or in a folder that was moved.

What is found is a hint; only `relocate` compares. So it may miss some, but must not take long:
a folder of a thousand files that is gone is looked for among a thousand others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from skypool.catalogue.draft import SourceRow
    from skypool.catalogue.kept_files import KeptFiles

__all__ = ["MovedFiles"]

# In a folder with more entries than that a file that is gone is not looked for.
_MOST_ENTRIES: Final = 10_000
# So many files that are gone are looked for in all folders beside theirs.
_LOOKS: Final = 20


class MovedFiles:
    """Finds files that are gone; they are asked for in the order of their paths.

    Parameters
    ----------
    kept
        What the catalogue knows of files outside the pool.
    """

    def __init__(self, kept: KeptFiles) -> None:
        self._kept = kept
        self._listed: dict[str, Mapping[tuple[int, int], list[str]]] = {}
        self._above: dict[str, str] = {}
        self._beside: dict[str, _Folders] = {}

    def find(self, row: SourceRow) -> str | None:
        """Return where the only file is that has the size and time of one that is gone."""
        folder = os.path.dirname(row.path)
        above = self._there(folder)
        if above == folder:
            same = self._files(folder).get((row.size, row.mtime_ns), ())
            # Files made at one time may be alike; a rename keeps the inode.
            found = [path for path in same if os.stat(path).st_ino == row.inode]
        else:
            found = self._in_other_folders(row, above)
        return found[0] if len(found) == 1 else None

    def _there(self, folder: str) -> str:
        """Return a folder, or the nearest one above it that is there."""
        if folder not in self._above:
            found = folder
            while not os.path.isdir(found):
                found = os.path.dirname(found)
            self._above = {folder: found}
        return self._above[folder]

    def _in_other_folders(self, row: SourceRow, above: str) -> list[str]:
        """Look at the same path below other folders.

        Where the pool has no file it may be the folder that was moved. In all others only the
        first files are looked for, and then in those that had one of them.
        """
        if above not in self._beside:
            self._beside[above] = _Folders(above, self._kept)
        folders = self._beside[above]
        rest = os.path.relpath(row.path, above).split(os.sep, 1)[1]
        names = list(folders.likely)
        if folders.looks < _LOOKS:
            folders.looks += 1
            names += folders.others - folders.likely
        found = []
        for name in names:
            path = os.path.join(above, name, rest)
            if self._fits(row, path):
                folders.likely.add(name)
                found.append(path)
        return found

    def _fits(self, row: SourceRow, path: str) -> bool:
        try:
            found = os.stat(path)
        except OSError:
            return False
        if (found.st_size, found.st_mtime_ns) != (row.size, row.mtime_ns):
            return False
        # What the pool knows there already is another file, made at the same time.
        return found.st_ino == row.inode or not self._kept.others_at(path, row.document)

    def _files(self, folder: str) -> Mapping[tuple[int, int], list[str]]:
        if folder not in self._listed:
            files: dict[tuple[int, int], list[str]] = {}
            for entry in _entries(folder):
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    files.setdefault((status.st_size, status.st_mtime_ns), []).append(entry.path)
            self._listed = {folder: files}
        return self._listed[folder]


class _Folders:
    """The folders in one folder.

    Attributes
    ----------
    likely : set of str
        Names of those that may be one that was moved.
    others : set of str
        Names of those in which the pool has files.
    looks : int
        How many files were looked for in these.
    """

    def __init__(self, above: str, kept: KeptFiles) -> None:
        names = {entry.name for entry in _entries(above) if entry.is_dir()}
        self.others = {name for name in names if kept.has_below(os.path.join(above, name))}
        self.likely = names - self.others
        self.looks = 0


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            entries = []
            for entry in listing:
                entries.append(entry)
                if len(entries) > _MOST_ENTRIES:
                    return iter(())
            return iter(entries)
    except OSError:
        return iter(())
