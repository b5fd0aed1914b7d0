"""A million files in place: add, kill -9, status, complete, a disk that moves, add again, reindex.

    python benchmarks/million_in_place.py FOLDER [--files 1000000] [--complete 20]

Makes the files in FOLDER (one image of 24 x 30 pixels each, all headers different, a thousand in
each folder, 5,760 bytes each) and prints for each command: processor time, wall clock, peak memory
of the process and that for each file, and disk. `add` is killed when it has used the seconds of
`--kill`, and started again; `complete` of the first folders is killed twice. While it adds,
another writer asks for the catalogue fifty times a second: how long it waited at most.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bulk_add import Waiting, disk, run, skypool

PER_FOLDER = 1000


def card(key: str, value: object) -> str:
    return f"{key:<8}= {value!s:>20}".ljust(80)


def make(folder: Path, count: int) -> None:
    """Write the files, as of 2017."""
    for number in range(count):
        below = folder / f"d{number // PER_FOLDER:04d}"
        if number % PER_FOLDER == 0:
            below.mkdir(parents=True, exist_ok=True)
        cards = [
            card("SIMPLE", "T"), card("BITPIX", -32), card("NAXIS", 2),
            card("NAXIS1", 24), card("NAXIS2", 30),
            card("OBJECT", f"'F{number:07d}'"), card("EXPTIME", number % 97 + 0.5),
            card("RUN", number), card("FILTER", f"'{'ugriz'[number % 5]}'"),
            card("CTYPE1", "'RA---TAN'"), card("CTYPE2", "'DEC--TAN'"),
            card("CRVAL1", round(number * 0.00036 % 360, 6)),
            card("CRVAL2", round(-60 + number * 0.000117 % 120, 6)),
            card("CRPIX1", 12), card("CRPIX2", 15), card("CDELT1", -0.001), card("CDELT2", 0.001),
            "END".ljust(80),
        ]  # fmt: skip
        pixels = bytes([number % 251, number // 251 % 251, 1, 2]) * 720
        path = below / f"f{number:07d}.fits"
        path.write_bytes("".join(cards).ljust(2880).encode() + pixels)
        os.utime(path, (1.5e9, 1.5e9))


def show(what: str, found: dict[str, float], files: int, pool: Path) -> None:
    print(
        f"{what:<44}{found['cpu']:9.1f}{found['wall']:9.1f}{found['peak']:9.0f}"
        f"{found['peak'] * 1e3 / files:9.2f}{disk(pool) / 1e6:9.0f}",
        flush=True,
    )


def kill(words: list[str], seconds: float) -> None:
    """Run a program until it has used some processor time, and end it with SIGKILL."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
        if sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") >= seconds:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.05)
    print(f"killed with -9 after {seconds:.0f} s: {process.wait()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--complete", type=int, default=20, help="folders that are completed")
    parser.add_argument("--kill", type=float, default=0, help="seconds before kill -9")
    options = parser.parse_args()
    folder, count = options.folder.resolve(), options.files
    first, second, pool = folder / "survey", folder / "moved", folder / "pool"
    if not first.exists():
        make(first, count)
    words = skypool("-p", str(pool))
    add = [*words, "add", "--in-place", "--headers-only"]
    print(f"{count:,} files; one run")
    print(f"{'':44}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}{'kB/file':>9}{'disk MB':>9}")
    waiting = Waiting(pool)
    waiting.start()
    kill([*add, str(first)], options.kill or count / 4000)
    show("add --in-place --headers-only, again", run([*add, str(first)]), count, pool)
    print(f"  another writer waited {waiting.end():.2f} s at most", flush=True)
    show("ls of the root", run([*words, "ls", "survey"]), count, pool)
    show("status", run([*words, "status"]), count, pool)
    some = [f"survey/d{number:04d}" for number in range(options.complete)]
    part = options.complete * PER_FOLDER
    for _ in range(2):
        kill([*words, "complete", *some], part / 2000)
    show(f"complete of {part:,}, the rest", run([*words, "complete", *some]), count, pool)
    show("add again, unchanged", run([*add, str(first)]), count, pool)
    first.rename(second)
    show("relocate", run([*words, "relocate", str(first), str(second)]), count, pool)
    show("status", run([*words, "status"]), count, pool)
    second.rename(first)
    show("relocate back", run([*words, "relocate", str(second), str(first)]), count, pool)
    for path in sorted((first / "d0000").iterdir())[:500]:
        os.utime(path, (1.6e9, 1.6e9))
        path.write_bytes(path.read_bytes().replace(b"EXPTIME", b"EXPOSED"))
    show("add again, 500 changed", run([*add, str(first)]), count, pool)
    show("status", run([*words, "status"], may_fail=True), count, pool)
    aside = first.with_name("aside")
    (first / "d0001").rename(aside)
    show("status, one folder gone", run([*words, "status"], may_fail=True), count, pool)
    aside.rename(first / "renamed")
    show("status, one folder renamed", run([*words, "status"], may_fail=True), count, pool)
    (first / "renamed").rename(first / "d0001")
    show("verify", run([*words, "verify"], may_fail=True), count, pool)
    show("reindex", run([*words, "reindex"]), count, pool)
    clone = folder / "clone"
    show("clone", run(skypool("clone", str(pool), str(clone))), count, clone)
    shutil.rmtree(clone)


if __name__ == "__main__":
    main()
