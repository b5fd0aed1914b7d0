"""Add 100,000 small FITS files, or fewer large ones, beside a plain copy and other programs.

    python benchmarks/bulk_add.py FOLDER [--files 100000] [--side 32]
                                  [--peers borg,restic,git-annex]

Makes the files (headers of 60 cards and images of 32 x 32 pixels, 12 kB each, the same every
time) in FOLDER, and prints for each program: processor time of it and its children, wall
clock, peak memory of its largest process, disk; how much more of the processor than skypool it
takes, and how much more of the wall clock than `cp -r`, which is the speed of the disk. Then the
same for adding them again unchanged, for skypool after kill -9 in the middle, read by one process
alone, in place, and in place with the headers alone and completed. Processor time is the figure to
compare where the machine is busy. The wall clock of all includes `sync`. For skypool also how long
another writer of the pool had to wait, who asks fifty times a second.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

PER_FOLDER = 500
BLOCK = 2880


def card(key: str, value: object, comment: str = "") -> bytes:
    text = f"'{value:<8}'".ljust(20) if isinstance(value, str) else f"{value!r:>20}"
    return f"{key:<8}= {text} / {comment}"[:80].ljust(80).encode()


def header(number: int, side: int) -> bytes:
    rng = np.random.default_rng(number)
    ra, dec = number * 137.50776405 % 360, (number * 0.61803398 % 1) * 160 - 80
    cards = [
        b"SIMPLE  =                    T".ljust(80),
        card("BITPIX", -32), card("NAXIS", 2), card("NAXIS1", side), card("NAXIS2", side),
        card("BUNIT", "Jy/beam"), card("CTYPE1", "RA---TAN"), card("CTYPE2", "DEC--TAN"),
        card("CRPIX1", (side + 1) / 2), card("CRPIX2", (side + 1) / 2),
        card("CRVAL1", ra), card("CRVAL2", dec),
        card("CDELT1", -0.001), card("CDELT2", 0.001), card("CUNIT1", "deg"), card("CUNIT2", "deg"),
        card("EQUINOX", 2000.0), card("RADESYS", "ICRS"),
        card("TELESCOP", "Herschel"), card("INSTRUME", ("PACS", "SPIRE", "HIFI")[number % 3]),
        card("OBJECT", f"field {number % 997}"),
        card("DATE-OBS", f"2010-{number % 12 + 1:02d}-17T00:00:00"),
        card("EXPTIME", round(float(rng.uniform(1, 5000)), 3), "s"),
    ]  # fmt: skip
    for key, value in enumerate(rng.normal(0, 1, 36)):
        cards.append(card(f"PAR{key:02d}", float(value), "a setting of the pipeline"))
    cards.append(b"END".ljust(80))
    data = b"".join(cards)
    return data.ljust(-(-len(data) // BLOCK) * BLOCK)


def make(folder: Path, count: int, side: int) -> None:
    """Write the files that are not there yet; all look an hour old."""
    old = time.time() - 3600
    for start in range(0, count, PER_FOLDER):
        below = folder / f"{start // PER_FOLDER:04d}"
        if below.is_dir() and len(list(below.iterdir())) == min(PER_FOLDER, count - start):
            continue
        below.mkdir(parents=True, exist_ok=True)
        for number in range(start, min(start + PER_FOLDER, count)):
            values = np.random.default_rng(number).normal(0, 1, (side, side))
            pixels = values.astype(">f4").tobytes()
            path = below / f"map{number:06d}.fits"
            padded = pixels.ljust(-(-len(pixels) // BLOCK) * BLOCK, b"\0")
            path.write_bytes(header(number, side) + padded)
            os.utime(path, (old, old))


# -- running


def run(words: list[str], **options: object) -> dict[str, float]:
    """Run a program and `sync`; give seconds of processor and clock, and its peak memory in MB."""
    os.sync()
    begin = time.perf_counter()
    pid = os.posix_spawnp(
        words[0],
        words,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    os.sync()
    if status and not options.get("may_fail"):
        raise RuntimeError(f"{words[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - begin,
        "peak": usage.ru_maxrss / 1024,
    }


# What the programs are compared with, once it was measured.
BASES: dict[str, dict[str, float]] = {}


def show(what: str, found: dict[str, float], size: int = 0) -> None:
    ours, copy = BASES.get("skypool"), BASES.get("cp")
    ratio = f"{found['cpu'] / ours['cpu']:.2f}" if ours else ""
    slower = f"{found['wall'] / copy['wall']:.1f}" if copy else ""
    print(
        f"{what:<38}{found['cpu']:9.1f}{found['wall']:9.1f}{found['peak']:9.0f}"
        f"{size / 1e6:9.0f}{ratio:>9}{slower:>9}",
        flush=True,
    )


def disk(folder: Path) -> int:
    words = ["du", "-s", "-B1", str(folder)]
    return int(subprocess.run(words, capture_output=True, check=True, text=True).stdout.split()[0])


def skypool(*words: str) -> list[str]:
    return [sys.executable, "-m", "skypool", *words]


def fresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return path


class Waiting(threading.Thread):
    """Asks for the lock of a catalogue again and again, and notes the longest wait."""

    def __init__(self, pool: Path) -> None:
        super().__init__()
        self._path = pool / "catalogue.sqlite"
        self._over = threading.Event()
        self.longest = 0.0

    def run(self) -> None:
        while not self._path.exists():
            if self._over.wait(0.1):
                return
        self._over.wait(0.5)
        connection = sqlite3.connect(self._path, timeout=120, isolation_level=None)
        while not self._over.wait(0.02):
            begin = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            self.longest = max(self.longest, time.perf_counter() - begin)
        connection.close()

    def end(self) -> float:
        self._over.set()
        self.join()
        return self.longest


def copied(folder: Path, files: Path) -> None:
    """Copy the files: the speed of the disk."""
    copy = fresh(folder / "copy")
    BASES["cp"] = run(["cp", "-r", str(files), str(copy)])
    show("cp -r and sync", BASES["cp"], disk(copy))
    shutil.rmtree(copy)


def ours(folder: Path, files: Path) -> None:
    pool = fresh(folder / "pool")
    add = skypool("-p", str(pool), "add", str(files))
    waiting = Waiting(pool)
    waiting.start()
    BASES["skypool"] = run(add)
    longest = waiting.end()
    show("skypool add", BASES["skypool"], disk(pool))
    print(f"  another writer waited {longest:.2f} s at most")
    show("skypool add again, unchanged", run(add), disk(pool))
    alone = fresh(folder / "alone")
    os.environ["SKYPOOL_PROCESSES"] = "1"
    show("skypool add, one process", run(skypool("-p", str(alone), "add", str(files))), disk(alone))
    del os.environ["SKYPOOL_PROCESSES"]
    shutil.rmtree(alone)
    place = fresh(folder / "in-place")
    whole = skypool("-p", str(place), "add", "--in-place", str(files))
    show("skypool add --in-place", run(whole), disk(place))
    fresh(place)
    words = skypool("-p", str(place), "add", "--in-place", "--headers-only", str(files))
    show("skypool add --headers-only", run(words), disk(place))
    show("skypool complete", run(skypool("-p", str(place), "complete")), disk(place))
    shutil.rmtree(place)


def killed(folder: Path, files: Path) -> None:
    """Kill skypool when it has written half of what it will, and add again."""
    pool = fresh(folder / "killed")
    add = skypool("-p", str(pool), "add", str(files))
    half = disk(folder / "pool" / "packs") / 2
    process = subprocess.Popen(add, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if (pool / "packs").is_dir() and disk(pool / "packs") >= half:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.1)
    process.wait()
    before = disk(pool)
    show(f"skypool add, killed at {before / 1e6:.0f} MB, again", run(add), disk(pool))
    shutil.rmtree(pool)


def peers(folder: Path, files: Path, wanted: list[str]) -> None:
    if "borg" in wanted and shutil.which("borg"):
        repo = fresh(folder / "borg")
        os.environ["BORG_BASE_DIR"] = str(folder / "borg-home")
        os.environ["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
        run(["borg", "init", "-e", "none", str(repo)])
        create = ["borg", "create", "-C", "zstd,1"]
        show("borg create", run([*create, f"{repo}::a", str(files)]), disk(repo))
        show("borg create again", run([*create, f"{repo}::b", str(files)]), disk(repo))
        shutil.rmtree(repo)
    if "restic" in wanted and shutil.which("restic"):
        repo = fresh(folder / "restic")
        os.environ["RESTIC_PASSWORD"] = "a"
        restic = ["restic", "-q", "--no-cache", "-r", str(repo)]
        run([*restic, "init"])
        show("restic backup", run([*restic, "backup", str(files)]), disk(repo))
        show("restic backup again", run([*restic, "backup", str(files)]), disk(repo))
        shutil.rmtree(repo)
    if "git-annex" in wanted and shutil.which("git-annex"):
        repo = fresh(folder / "annex")
        shutil.copytree(files, repo)
        settings = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        script = (
            "git init -q && git config gc.auto 0 && git annex init -q && git annex add -q . &&"
            f" git {' '.join(settings)} commit -q -m add"
        )
        os.environ |= {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
        os.environ |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
        found = run(["sh", "-c", f"cd '{repo}' && {script}"])
        show("git annex add, commit (files moved)", found, disk(repo))
        subprocess.run(["chmod", "-R", "u+w", str(repo)], check=True)
        shutil.rmtree(repo)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=32, help="pixels of an image along its axes")
    parser.add_argument("--peers", default="borg,restic,git-annex")
    options = parser.parse_args()
    folder = options.folder.resolve()
    files = folder / f"files-{options.files}-{options.side}"
    make(files, options.files, options.side)
    print(f"{options.files:,} files, {disk(files) / 1e6:.0f} MB on disk; one run")
    print(
        f"{'':38}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}{'disk MB':>9}{'CPU/ours':>9}{'wall/cp':>9}"
    )
    copied(folder, files)
    ours(folder, files)
    killed(folder, files)
    peers(folder, files, [name for name in options.peers.split(",") if name])
    unused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(this script itself: {unused:.0f} MB)")


if __name__ == "__main__":
    main()
