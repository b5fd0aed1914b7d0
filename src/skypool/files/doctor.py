"""How it stands with an installation, a disk and a pool: what `skypool doctor` finds."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

import skypool
from skypool.catalogue.database import schema_rows
from skypool.errors import SkypoolError
from skypool.files.disk_facts import DiskFacts, disk_facts
from skypool.files.mount_place import dead_mounts
from skypool.pool.damage_notes import missing_packs
from skypool.pool.pool import Pool
from skypool.storage.pack_files import list_packs, unsealed_packs
from skypool.storage.pack_writer import ROLL_BYTES

__all__ = ["Advice", "Examination", "examine", "extras", "programs", "versions"]

#: Programs that skypool works with where they are there, and what for.
_PROGRAMS: Final = {
    "ds9": "shows images that are sent to it",
    "topcat": "shows tables that are sent to it",
    "aladin": "shows images on the sky",
    "fusermount3": "ends mounts",
}
_LIBRARIES: Final = (
    "numpy", "astropy", "astropy-healpix", "blake3", "google-crc32c", "pyyaml", "click", "rich",
)  # fmt: skip
# Extras for those who work on skypool itself, and the one of all others.
_NOT_FOR_USERS: Final = frozenset({"all", "dev", "docs"})
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_EXTRA: Final = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")
_OF_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_LOW_BYTES: Final = 5 * 1024**3
_LOW_SHARE: Final = 0.05
_SLOW_SYNC_MS: Final = 50.0
_SKEW_S: Final = 2.0
_MANY_UNSEALED: Final = 20


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to know or to do.

    Attributes
    ----------
    level : str
        `problem`: something does not work; `advice`: it could be better.
    text : str
    """

    level: str
    text: str


@dataclass(slots=True)
class Examination:
    """What was found.

    Attributes
    ----------
    versions : dict
        Of skypool, Python and the libraries.
    extras : dict
        By extra: the packages that it lacks; none where it is there.
    programs : dict
        Where each program is; None where it is not.
    disk : DiskFacts
        Of the place of the pool.
    pool : dict or None
        Figures of the pool; None where there is none.
    advice : list of Advice
    """

    versions: Mapping[str, str]
    extras: Mapping[str, list[str]]
    programs: Mapping[str, str | None]
    disk: DiskFacts
    pool: dict[str, Any] | None = None
    advice: list[Advice] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return all(entry.level != "problem" for entry in self.advice)


def examine(folder: str, *, is_pool: bool) -> Examination:
    """Look at this installation, at a disk, and at the pool there; nothing of it is changed.

    Parameters
    ----------
    folder
        Of the pool, or where one would be.
    is_pool
        Whether there is one.
    """
    found = Examination(versions(), extras(), programs(), disk_facts(folder))
    if is_pool:
        try:
            with Pool(folder, mode="r") as pool:
                found.pool = _pool_facts(pool)
        except SkypoolError as error:
            text = "; ".join(str(error).splitlines())
            found.advice.append(Advice("problem", f"the pool cannot be opened: {text}"))
    found.advice += _of_sqlite()
    found.advice += _of_fuse(found.extras, found.programs)
    found.advice += _of_disk(found.disk)
    if found.pool is not None:
        found.advice += _of_pool(found.pool, found.disk)
    return found


def versions() -> dict[str, str]:
    """Return versions of skypool, Python, the system and the libraries that matter."""
    found = {
        "skypool": skypool.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "sqlite": sqlite3.sqlite_version,
        "zstd": _zstd(),
    }
    return found | {name: _version(name) or "missing" for name in _LIBRARIES}


def _zstd() -> str:
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    return ".".join(map(str, zstd.zstd_version_info))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def extras() -> dict[str, list[str]]:
    """Return by extra the packages that it lacks."""
    needs: dict[str, list[str]] = {}
    within: dict[str, set[str]] = {}
    for line in metadata.requires("skypool") or ():
        name, extra = _REQUIREMENT.match(line), _EXTRA.search(line)
        if name is None or extra is None:
            continue
        if name[1] == "skypool":  # skypool[ui,plot]
            listed = line.partition("[")[2].partition("]")[0]
            within.setdefault(extra[1], set()).update(re.split(r"\s*,\s*", listed))
            needs.setdefault(extra[1], [])
        else:
            needs.setdefault(extra[1], []).append(name[1])
    for extra_name, others in within.items():
        needs[extra_name] += [each for other in others for each in needs.get(other, [])]
    return {
        name: sorted({package for package in packages if _version(package) is None})
        for name, packages in sorted(needs.items())
        if name not in _NOT_FOR_USERS
    }


def programs() -> dict[str, str | None]:
    """Return where the programs are that skypool works with, and the device of FUSE."""
    found = {name: shutil.which(name) for name in _PROGRAMS}
    return found | {"/dev/fuse": "/dev/fuse" if os.path.exists("/dev/fuse") else None}


def _pool_facts(pool: Pool) -> dict[str, Any]:
    facts, session = pool.info(), pool.view.session
    ((journal,),) = session.catalogue.database.query("PRAGMA journal_mode")
    last = pool.history()[0].time if facts.commits else None
    packs = session.folder.packs
    return {
        "path": str(facts.path),
        "products": facts.products,
        "versions": facts.versions,
        "commits": facts.commits,
        "last_commit": last,
        "bytes_stored": facts.bytes_stored,
        "bytes_index": facts.bytes_index,
        "packs": sum(1 for _ in list_packs(packs)),
        "packs_lost": len(missing_packs(session)),
        "unsealed": len(unsealed_packs(packs, ROLL_BYTES)),
        "journal": str(journal),
        "damage_noted": bool(session.catalogue.state("has_bad")),
        "writable": os.access(facts.path, os.W_OK),
    }


def _of_sqlite() -> Iterator[Advice]:
    try:
        schema_rows()
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("SELECT value FROM json_each('[1]')").fetchall()
    except sqlite3.Error as error:
        yield Advice(
            "problem",
            f"SQLite {sqlite3.sqlite_version} of this Python lacks what pools need ({error}): use a"
            " Python whose SQLite is newer, with R*Tree and JSON",
        )


def _of_fuse(
    extras: Mapping[str, list[str]], programs: Mapping[str, str | None]
) -> Iterator[Advice]:
    for folder in dead_mounts():
        yield Advice(
            "problem",
            f"the process of the mount at {folder} was killed: `skypool unmount {folder}` takes it"
            " away, and nothing saved is lost",
        )
    if extras.get("mount"):
        return  # what it lacks is listed already
    other = "`skypool serve --webdav` shows a pool as a folder without it"
    if programs["/dev/fuse"] is None:
        yield Advice(
            "advice",
            "`skypool mount` cannot work: there is no /dev/fuse (load the kernel's fuse; give"
            f" a container --device /dev/fuse); {other}",
        )
    elif programs["fusermount3"] is None:
        yield Advice(
            "advice",
            "`skypool mount` needs the program fusermount3 (Debian: apt install fuse3), unless you"
            f" are root; {other}",
        )
    elif not os.access("/dev/fuse", os.R_OK | os.W_OK):
        yield Advice(
            "advice",
            "`skypool mount` cannot work: you may not use /dev/fuse (whoever looks after this"
            f" machine gives permission); {other}",
        )


def _size(count: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:,} bytes"


def _of_disk(disk: DiskFacts) -> Iterator[Advice]:
    if disk.network:
        yield Advice(
            "advice",
            f"this is a network file system ({disk.type}): pools work there, commits are slower;"
            " let one machine at a time write",
        )
    if disk.type in _OF_MEMORY:
        yield Advice(
            "advice",
            f"this is memory ({disk.type}), not a disk: what is there is gone when the machine goes"
            " down; have pools that shall last elsewhere",
        )
    give_back = "`skypool du` shows what takes space, `skypool gc` gives back what nothing needs"
    if disk.full:
        yield Advice("problem", f"the disk, or your quota there, is full: {give_back}")
    elif disk.free_bytes < _LOW_BYTES or disk.free_bytes < _LOW_SHARE * disk.total_bytes:
        free, total = _size(disk.free_bytes), _size(disk.total_bytes)
        yield Advice("advice", f"only {free} of {total} are free: {give_back}")
    if disk.free_inodes == 0:
        yield Advice("problem", "no inodes are left: no file can be made there")
    if not disk.writable:
        yield Advice("advice", "you may not write there: a pool there can only be read")
        return
    if disk.locks is False:
        yield Advice(
            "problem",
            "locks do not work there: two programs that write would damage the pool; mount it with"
            " locks (NFS: without nolock), or use another disk",
        )
    if disk.sync_ms is not None and disk.sync_ms > _SLOW_SYNC_MS:
        yield Advice(
            "advice",
            f"a sync takes {disk.sync_ms:.0f} ms, and each commit several: put many changes into"
            " one commit (pool.commit, or one `add` for many files)",
        )
    if disk.skew_s is not None and abs(disk.skew_s) > _SKEW_S:
        yield Advice(
            "advice",
            f"the clock of the disk differs by {disk.skew_s:+.0f} s: files that just changed may be"
            " read once more than needed; have both set by NTP",
        )
    if disk.stable_inodes is False:
        yield Advice(
            "advice", "inode numbers change there: `add` reads unchanged files again (slower)"
        )


def _of_pool(pool: Mapping[str, Any], disk: DiskFacts) -> Iterator[Advice]:
    if pool["damage_noted"]:
        yield Advice(
            "problem",
            "damage was found in this pool: `skypool verify` lists it, `skypool verify"
            " --repair-from COPY` or adding the files again heals it",
        )
    if pool["packs_lost"]:
        yield Advice(
            "problem",
            f"{pool['packs_lost']} of the pool's packs are gone or cut short: `skypool verify`"
            " tells what they hurt, `skypool verify --repair-from COPY` heals it",
        )
    if disk.network and pool["journal"] == "wal":
        yield Advice(
            "problem",
            "the journal of this pool does not work on network file systems: on its server,"
            " `skypool config journal delete`",
        )
    if pool["unsealed"] > _MANY_UNSEALED:
        yield Advice(
            "advice", f"{pool['unsealed']} packs are small: `skypool gc` joins what can be joined"
        )
    if not pool["writable"]:
        yield Advice("advice", "you may only read this pool: its owner decides")
