"""All files of a pool at once: every name's newest version, at the path that its name is."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from skypool.codec.digest import Hasher
from skypool.errors import Conflict, SkypoolError
from skypool.pool.exporting import (
    check_outside,
    copy_file,
    file_name,
    is_folder,
    make_folder,
    no_empty_folders,
    safe_name,
    write_product_file,
    write_whole,
)
from skypool.pool.leaving_out import leaving_out
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.spelling import Spelling, beside

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.view import View

__all__ = ["PoolFile", "WholeReport", "export_all", "files_of_pool"]

# What `write_whole` calls a file that is not complete.
_UNFINISHED: Final = re.compile(r"\.skypool-[0-9a-f]{32}\.tmp")


class PoolFile(NamedTuple):
    """A file that a pool holds.

    Attributes
    ----------
    path : str
        Its path, relative, with slashes.
    ref : Ref
        The version that it is of.
    size : int or None
        Of the file; None where that is not known before it is made.
    digest : str
        BLAKE3 of the file in hexadecimal, empty for what was made in memory.
    fill : callable
        Writes it; returns whether the bytes are those that were put in.
    moved : bool
        Whether it is beside its name, since another file or folder is there.
    """

    path: str
    ref: Ref
    size: int | None
    digest: str
    fill: Callable[[BinaryIO], bool]
    moved: bool = False


@dataclass(slots=True)
class WholeReport:
    """What `export_all` wrote.

    Attributes
    ----------
    files, bytes : int
        Files written, and their size together.
    kept : int
        Files that were there already, as they should be.
    inexact : list of (path, reason)
        Files whose content is right but whose bytes could not be made again.
    moved : list of (path, name)
        Files that could not be at the path that their name is, because a folder or another
        file is there.
    skipped : list of (name, reason)
        Versions that were given up, as an earlier time may have; and products that are damaged,
        gone or elsewhere, where these are to be left out.
    """

    files: int = 0
    bytes: int = 0
    kept: int = 0
    inexact: list[tuple[str, str]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def files_of_pool(
    view: View,
    below: str = "",
    skipped: list[tuple[str, str]] | None = None,
    given_up: list[tuple[str, str]] | None = None,
) -> Iterator[PoolFile | str]:
    """Return all files of a pool, or those below a name, in the order of names.

    Parameters
    ----------
    view
        The pool.
    below
        A name, or the first parts of names.
    skipped
        Takes what is damaged; without it that is an error.
    given_up
        Takes versions that were given up, which an earlier time may have; without it they are
        what is damaged.

    Yields
    ------
    PoolFile or str
        A file, or the path of a folder that must be there although it may be empty.
    """
    names = {name for name, _ in view.identity.names(view.at)}
    folders = {name[:end] for name in names for end in _slashes(name)}
    given: set[str] = set()  # paths that are no names
    for ref in view.listing():
        if below and ref.name != below and not ref.name.startswith(f"{below}/"):
            continue
        found: list[PoolFile | str] = []
        with leaving_out(ref, given_up if ref.purged and given_up is not None else skipped):
            found += _of_product(ref, names, folders, given)
        yield from found


def _of_product(
    ref: Ref, names: set[str], folders: set[str], given: set[str]
) -> Iterator[PoolFile | str]:
    above = "/".join(safe_name(part) for part in ref.name.split("/")[:-1])
    path = f"{above}/{file_name(ref)}" if above else file_name(ref)
    if is_folder(ref):
        yield ref.name
        return

    def is_taken(path: str) -> bool:
        return path in folders or (path != ref.name and (path in names or path in given))

    moved = is_taken(path)
    if moved:
        path = next(each for each in beside(path, ref.version) if not is_taken(each))
    if path != ref.name:
        given.add(path)
    yield from _files(ref, path, moved)


def _slashes(name: str) -> Iterator[int]:
    end = name.find("/")
    while end >= 0:
        yield end
        end = name.find("/", end + 1)


def _files(ref: Ref, path: str, moved: bool) -> Iterator[PoolFile | str]:
    document = ref.document
    if "tree" in document:
        yield path
        for relative, file in document["tree"]:
            place = "/".join([path, *(safe_name(part) for part in relative.split("/") if part)])
            yield place if file is None else _stored(ref, place, file, moved)
    elif "file" in document:
        yield _stored(ref, path, document["file"], moved)
    else:
        yield PoolFile(path, ref, None, "", lambda out: write_product_file(ref, out), moved)


def _stored(ref: Ref, path: str, file: dict[str, Any], moved: bool) -> PoolFile:
    fetch = ref.view.fetch_for(ref)
    outer = file.get("wrapper", file)
    return PoolFile(
        path,
        ref,
        outer["size"],
        outer.get("hash", ""),
        lambda out: copy_file(file, fetch, out),
        moved,
    )


def export_all(
    view: View,
    folder: str,
    *,
    overwrite: bool = False,
    skip_damaged: bool = False,
    complete: bool = False,
    on_progress: OnProgress | None = None,
) -> WholeReport:
    """Write every file of every name into a folder, byte for byte as added.

    Files that are there already, as they should be, are kept: an interrupted export goes on.
    Versions that were given up are left out, unless it must be *complete*.

    Raises
    ------
    Conflict
        If another file of that name is there, unless *overwrite*.
    Damaged
        If stored bytes are not what they were.
    Purged
        If a version was given up, and it must be complete.
    """
    check_outside(folder)
    report = WholeReport()
    with no_empty_folders(folder):
        make_folder(folder)
        skipped = report.skipped if skip_damaged else None
        files = files_of_pool(view, "", skipped, None if complete else report.skipped)
        _write_all(view, files, folder, overwrite, report, skipped, on_progress)
    return report


def _write_all(
    view: View,
    files: Iterable[PoolFile | str],
    folder: str,
    overwrite: bool,
    report: WholeReport,
    skipped: list[tuple[str, str]] | None,
    on_progress: OnProgress | None,
) -> None:
    total = view.identity.counts(view.at)[0]
    products = 0
    last: Ref | None = None
    place, places = "", _Places(folder)
    for item in files:
        if isinstance(item, str):
            make_folder(os.path.join(folder, *item.split("/")))
            continue
        if item.ref is not last:
            products, last = products + 1, item.ref
        above = os.path.dirname(os.path.join(folder, *item.path.split("/")))
        if above != place:
            place = above
            make_folder(place)
            remove_unfinished(place)
        with leaving_out(item.ref, skipped):
            _write(item, places, overwrite, report)
        if on_progress is not None:
            on_progress(Progress("exporting", products, total, report.bytes, 0, item.path))


class _Places:
    """Where files go in a folder whose file system may take two names for one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._spelling = Spelling(folder)
        self._beside: set[str] = set()

    def find(self, item: PoolFile) -> tuple[str, str]:
        """Return the relative path of a file, and the whole: no other product is at it."""
        for place in itertools.chain([item.path], beside(item.path, item.ref.version)):
            path = os.path.join(self._folder, *place.split("/"))
            taken = path in self._beside or self._spelling.other(path)
            if not taken or _is_same(item, path):
                break
        if place != item.path:
            self._beside.add(path)
        return place, path


def _write(item: PoolFile, places: _Places, overwrite: bool, report: WholeReport) -> None:
    place, path = places.find(item)
    if item.moved or place != item.path:
        report.moved.append((place, item.ref.name))
    if os.path.lexists(path):
        if _is_same(item, path):
            report.kept += 1
            return
        if not overwrite:
            raise Conflict(
                f"there is another file {path} already",
                hint="export into an empty folder, or allow overwriting (--overwrite)",
            )
    try:
        exact = write_whole(path, item.fill)
    except SkypoolError as error:
        if not error.message.startswith(f"{item.ref.name}@{item.ref.version}"):
            error.message = f"{item.ref.name}@{item.ref.version}: {error.message}"
        raise
    report.files += 1
    report.bytes += os.path.getsize(path)
    if not exact:
        reason = "same content, but zlib here compresses it to other bytes"
        report.inexact.append((place, reason))


def _is_same(item: PoolFile, path: str) -> bool:
    """Say whether a file is what would be written, by its own bytes."""
    state = os.lstat(path)
    if not stat.S_ISREG(state.st_mode):
        return False
    found = Hasher()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    if item.digest and found.digest().hex() == item.digest:
        return True
    # Made in memory, or packed by a program that packs otherwise: as it would be written now.
    made: Any = _Hashing()
    item.fill(made)
    return bool(made.hasher.digest() == found.digest())


class _Hashing:
    """A file that only hashes what is written."""

    def __init__(self) -> None:
        self.hasher = Hasher()

    def write(self, data: Any) -> int:
        self.hasher.update(data)
        return len(data)


def remove_unfinished(folder: str) -> None:
    """Remove from a folder what exports that were killed were writing."""
    with os.scandir(folder) as entries:
        left = [entry.path for entry in entries if _UNFINISHED.fullmatch(entry.name)]
    for path in left:
        with contextlib.suppress(OSError):
            os.unlink(path)
