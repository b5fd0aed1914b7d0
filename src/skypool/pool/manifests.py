"""Lists of files with their check sums: made of a pool, compared with a pool, and in bags.

The lists are those of sha256sum and its kin: a line `DIGEST  PATH` a file. A bag is a folder as
RFC 8493 (BagIt 1.0) describes it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from skypool import __version__
from skypool.errors import Conflict, NotFound, UsageError
from skypool.pool.exporting import check_outside, write_whole
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.whole import WholeReport, export_all, files_of_pool

if TYPE_CHECKING:
    from skypool.pool.view import View

__all__ = [
    "ALGORITHMS",
    "CheckReport",
    "ListedFile",
    "check_manifest",
    "export_bag",
    "list_files",
    "read_manifest",
    "write_line",
]

#: Algorithms of lists, the one that is used where none is named first.
ALGORITHMS: Final = ("sha256", "sha512", "md5", "sha1", "blake3")
_BY_LENGTH: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
# `DIGEST  PATH`, `DIGEST *PATH`; GNU's begin with a backslash where the path has escapes.
_LINE = re.compile(rb"(\\?)([0-9A-Fa-f]{32,128})[ \t][ \t*]?(.+)")
_BSD_LINE = re.compile(rb"(\\?)([A-Za-z0-9-]+) \((.+)\) = ([0-9A-Fa-f]{32,128})")
_ESCAPES: Final = {b"\\n": b"\n", b"\\r": b"\r", b"\\\\": b"\\"}
_BAG_ESCAPES: Final = ((b"%", b"%25"), (b"\n", b"%0A"), (b"\r", b"%0D"))


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A line of a list.

    Attributes
    ----------
    path : str
    digest : str
        In hexadecimal.
    exact : bool
        Whether the digest is of the bytes that were added; not so for a gzip file which zlib
        packs differently here.
    """

    path: str
    digest: str
    exact: bool = True


@dataclass(slots=True)
class CheckReport:
    """How a pool compares with a list.

    Attributes
    ----------
    checked : int
        Files of the list that are in the pool as they should be.
    missing, different, extra : list of str
        Files of the list that the pool does not have or has otherwise, and files of the pool
        that the list does not have.
    """

    checked: int = 0
    missing: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the pool has every file of the list, byte for byte."""
        return not (self.missing or self.different)


def _hasher(algorithm: str) -> Any:
    if algorithm == "blake3":
        from blake3 import blake3

        return blake3()
    if algorithm not in ALGORITHMS:
        raise UsageError(f"no list goes by {algorithm!r}", hint=f"take {', '.join(ALGORITHMS)}")
    # Old lists go by these: they find damage, and are not asked to stop an attacker.
    return hashlib.new(algorithm, usedforsecurity=False)


class _Summing:
    """A file that only sums what is written."""

    def __init__(self, algorithm: str) -> None:
        self.sum = _hasher(algorithm)

    def write(self, data: Any) -> int:
        self.sum.update(data)
        return len(data)


def list_files(
    view: View,
    below: str = "",
    algorithm: str = "sha256",
    on_progress: OnProgress | None = None,
    given_up: list[tuple[str, str]] | None = None,
) -> Iterator[ListedFile]:
    """Return all files of a pool with their check sums, in the order of names.

    Every file is made as an export would make it, and checked on the way.

    Parameters
    ----------
    view
        The pool.
    below
        Only a product and what is named below it.
    algorithm
        One of `ALGORITHMS`.
    on_progress
        Told how far the work is.
    given_up
        Takes name and reason of versions that were given up, which an earlier time may have.

    Raises
    ------
    Damaged
        If stored bytes are not what they were.
    NotFound
        If nothing is named so.
    Purged
        If a version was given up, and nothing takes it.
    UsageError
        If the algorithm is not known.
    """
    _hasher(algorithm)
    done = 0
    for item in files_of_pool(view, below, given_up=given_up):
        done += 1
        if isinstance(item, str):
            continue
        if on_progress is not None:
            on_progress(Progress("summing", done, 0, 0, 0, item.path))
        out: Any = _Summing(algorithm)
        exact = item.fill(out)
        yield ListedFile(item.path, out.sum.hexdigest(), exact)
    if below and not done and not given_up:
        raise NotFound(f"nothing is named {below!r}")


def read_manifest(path: str, algorithm: str | None = None) -> tuple[str, list[ListedFile]]:
    """Read a list of check sums, or those of a bag.

    Parameters
    ----------
    path
        The list, or the folder of a bag.
    algorithm
        By default what the list says, or the length of its digests.

    Returns
    -------
    algorithm : str
    files : list of ListedFile

    Raises
    ------
    NotFound
        If it is not there.
    UsageError
        If it is none.
    """
    bag = os.path.isdir(path)
    if bag:
        path = _manifest_of_bag(path)
        algorithm = algorithm or os.path.basename(path)[len("manifest-") : -len(".txt")]
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        raise NotFound(
            f"there is no list {path}", hint="`skypool manifest > FILE` writes one"
        ) from None
    except OSError as error:
        raise UsageError(f"the list {path} cannot be read: {error.strerror}") from None
    files = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        found = _read_line(line.rstrip(b"\r"))
        if found is None:
            raise UsageError(
                f"line {number} of {path} is no line of a list of check sums",
                hint="lists are as `sha256sum` writes them: DIGEST  PATH",
            )
        said, digest, name = found
        algorithm = algorithm or said or _BY_LENGTH.get(len(digest))
        if bag:
            name = _unescaped(name).removeprefix(b"data/")
        name = name.removeprefix(b"./")
        files.append(ListedFile(os.fsdecode(name), digest.lower()))
    algorithm = algorithm or ALGORITHMS[0]
    length = _hasher(algorithm).digest_size * 2
    wrong = next((file for file in files if len(file.digest) != length), None)
    if wrong is not None:
        raise UsageError(f"the check sum of {wrong.path} in {path} is none of {algorithm}")
    return algorithm, files


def _unescaped(path: bytes) -> bytes:
    """Return a path of a bag; only these escapes are ones, `%2B` is part of a name."""
    known = {escaped: written for written, escaped in _BAG_ESCAPES}
    return re.sub(rb"%(?:25|0[AaDd])", lambda found: known[found[0].upper()], path)


def _manifest_of_bag(folder: str) -> str:
    for algorithm in ALGORITHMS:
        path = os.path.join(folder, f"manifest-{algorithm}.txt")
        if os.path.exists(path):
            return path
    raise UsageError(
        f"the folder {folder} is no bag: it has no manifest-sha256.txt or the like",
        hint="name a list of check sums, or the folder of a bag (RFC 8493)",
    )


def _read_line(line: bytes) -> tuple[str, str, bytes] | None:
    """Return algorithm (if it is told), digest and path."""
    bsd = _BSD_LINE.fullmatch(line)
    if bsd is not None:
        escaped, name, path, digest = bsd.groups()
        said = name.decode().lower().replace("-", "")
    else:
        plain = _LINE.fullmatch(line)
        if plain is None:
            return None
        escaped, digest, path = plain.groups()
        said = ""
    if escaped:
        path = re.sub(rb"\\[nr\\]", lambda found: _ESCAPES[found[0]], path)
    return said, digest.decode(), path


def write_line(file: ListedFile) -> bytes:
    """Return a line of a list, as sha256sum writes it."""
    path = os.fsencode(file.path)
    start = b"\\" if any(meant in path for meant in _ESCAPES.values()) else b""
    if start:
        path = path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return start + file.digest.encode() + b"  " + path + b"\n"


def check_manifest(
    view: View,
    path: str,
    below: str = "",
    algorithm: str | None = None,
    on_progress: OnProgress | None = None,
) -> CheckReport:
    """Compare a pool with a list: whether every file of it is there, byte for byte.

    Parameters
    ----------
    view
        The pool.
    path
        The list, or the folder of a bag.
    below
        The name below which the paths of the list are.
    algorithm
        By default what the list says, or the length of its digests.
    on_progress
        Told how far the work is.

    Raises
    ------
    NotFound, UsageError
        If the list cannot be read.
    Damaged
        If stored bytes are not what they were.
    """
    algorithm, listed = read_manifest(path, algorithm)
    if not (listed or os.path.isdir(path)):
        raise UsageError(
            f"the list {path} is empty: it proves nothing",
            hint="`skypool manifest > FILE` writes one",
        )
    above = f"{below}/" if below else ""
    wanted = {above + file.path: file.digest for file in listed}
    report = CheckReport()
    for item in files_of_pool(view, below, given_up=[]):
        if isinstance(item, str):
            continue
        digest = wanted.pop(item.path, None)
        if digest is None:
            report.extra.append(item.path)
            continue
        if on_progress is not None:
            on_progress(Progress("checking", report.checked, len(listed), 0, 0, item.path))
        out: Any = _Summing(algorithm)
        item.fill(out)
        if out.sum.hexdigest() == digest:
            report.checked += 1
        else:
            report.different.append(item.path)
    report.missing = sorted(wanted)
    return report


def export_bag(
    view: View, folder: str, algorithm: str = "sha256", on_progress: OnProgress | None = None
) -> WholeReport:
    """Write every file of every name into a bag (RFC 8493), which others can prove complete.

    Raises
    ------
    Conflict
        If the folder has something else in it.
    Damaged
        If stored bytes are not what they were.
    """
    _hasher(algorithm)
    check_outside(folder)
    data = os.path.join(folder, "data")
    # The file that makes it a bag is written last: without it, it was interrupted.
    begun = {"data", "bag-info.txt", *(f"{kind}manifest-{algorithm}.txt" for kind in ("", "tag"))}
    if os.path.isdir(folder) and set(os.listdir(folder)) - begun:
        raise Conflict(f"the folder {folder} is not empty", hint="make the bag in a new folder")
    report = export_all(view, data, complete=True, on_progress=on_progress)
    _check_payload(view, data, report)
    lines, size, count = [], 0, 0
    for where, _, names in sorted(os.walk(data)):
        for name in sorted(names):
            path = os.path.join(where, name)
            total = _hasher(algorithm)
            with open(path, "rb") as file:
                while piece := file.read(1 << 20):
                    total.update(piece)
                    size += len(piece)
            count += 1
            relative = os.fsencode(os.path.relpath(path, folder).replace(os.sep, "/"))
            for written, escaped in _BAG_ESCAPES:
                relative = relative.replace(written, escaped)
            lines.append(total.hexdigest().encode() + b"  " + relative + b"\n")
    info = (
        f"Bag-Software-Agent: skypool {__version__}\n"
        f"Bagging-Date: {datetime.now(UTC):%Y-%m-%d}\n"
        f"Payload-Oxum: {size}.{count}\n"
        f"External-Identifier: {view.session.folder.id.hex()} commit {view.at}\n"
    )
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": info.encode(),
        f"manifest-{algorithm}.txt": b"".join(lines),
    }
    summed = []
    for name, content in tags.items():
        total = _hasher(algorithm)
        total.update(content)
        summed.append(f"{total.hexdigest()}  {name}\n".encode())
    tags[f"tagmanifest-{algorithm}.txt"] = b"".join(summed)
    for name in reversed(tags):
        _put(os.path.join(folder, name), tags[name])
    return report


def _check_payload(view: View, data: str, report: WholeReport) -> None:
    """Refuse what an interrupted export of another state, or somebody else, left there."""
    there = sum(len(names) for _, _, names in os.walk(data))
    if there == report.files + report.kept:
        return
    known = {item.path for item in files_of_pool(view) if not isinstance(item, str)}
    for where, _, names in os.walk(data):
        for name in names:
            path = os.path.relpath(os.path.join(where, name), data).replace(os.sep, "/")
            if path not in known:
                raise Conflict(
                    f"{os.path.join(data, path)} is no file of the pool",
                    hint="remove it, or make the bag in a new folder",
                )


def _put(path: str, content: bytes) -> None:
    def fill(out: Any) -> bool:
        out.write(content)
        return True

    write_whole(path, fill)
