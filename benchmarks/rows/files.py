"""979 MB in 100 files: take in, change ten, take in again, read one back, verify all."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from engines import ENGINES, Engine, GitAnnex, Ours
from file_workload import change_files, write_files
from measure import MB, Figure, command, folder_bytes, middle, timed

import skypool as sp
from rows import Bench


class Files:
    """The files, as they were and with ten of them changed, made once and copied into place."""

    def __init__(self, scratch: Path, fraction: float) -> None:
        self.first, self.folder = scratch / "original", scratch / "files"
        self.changed = scratch / "changed"
        if self.changed.exists():
            return
        write_files(self.first, fraction)
        shutil.copytree(self.first, self.changed)
        kept = {path.name for path in change_files(self.changed, fraction)}
        for path in self.changed.iterdir():
            if path.name not in kept:
                path.unlink()

    def start(self) -> None:
        """Put the files into place as they were, as old as files are when they are saved."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.first, self.folder, copy_function=shutil.copyfile)
        time.sleep(2.5)  # no program trusts the times of a file that has just been written

    def change(self) -> None:
        """Write ten of them anew."""
        for path in self.changed.iterdir():
            shutil.copyfile(path, self.folder / path.name)
        time.sleep(2.5)


def files_of(bench: Bench) -> Files:
    """Give the files; they are made once in a run."""
    return Files(bench.scratch / "hundred-files", bench.scale)


def engines_of(bench: Bench) -> list[type[Engine]]:
    """Give the programs that are installed, ours first."""
    return [kind for kind in ENGINES if kind is Ours or kind.program in bench.programs]


def _one_engine(engine: Engine, files: Files) -> dict[str, float]:
    files.start()
    engine.prepare(files.folder)
    found: dict[str, float] = {}
    with timed() as clock:
        engine.save(files.folder)
    found["save"], found["bytes"] = clock.seconds, engine.stored()
    files.change()
    engine.prepare(files.folder)
    with timed() as clock:
        engine.save(files.folder)
    found["again"] = clock.seconds
    found["added"] = engine.stored() - found["bytes"]
    chosen = files.folder / "map007.fits"
    with timed() as clock:
        data = engine.read_one(chosen)
    found["read"] = clock.seconds
    if data != chosen.read_bytes():
        raise RuntimeError(f"{engine.name} gave back another file")
    with timed() as clock:
        engine.verify()
    found["verify"] = clock.seconds
    if isinstance(engine, Ours):
        found["open"] = _read_in_process(engine)
        with timed() as clock:
            command(["sha256sum", *sorted(files.folder.iterdir())])
        found["sha256"] = clock.seconds
    return found


def _read_in_process(engine: Engine) -> float:
    pool = sp.Pool(f"{engine.place}", mode="r")
    with timed() as clock:
        pool.export(pool["files/map009.fits"], engine.scratch / "out-open")
    return clock.seconds


def file_rows(bench: Bench) -> list[Figure]:
    """Measure all programs in turn."""
    files = files_of(bench)
    kinds = engines_of(bench)
    results: dict[str, list[dict[str, float]]] = {kind.name: [] for kind in kinds}
    for run in range(min(3, bench.runs)):
        for kind in kinds:
            engine = kind(bench.folder(f"{kind.name.split()[0]}-{run}"))
            results[kind.name].append(_one_engine(engine, files))
            engine.close()
    found = {name: middle(one) for name, one in results.items()}
    size, changed = folder_bytes(files.first), folder_bytes(files.changed)
    ours = found.pop(Ours.name)
    if GitAnnex.name in found:
        bench.notes.append(
            "git-annex moves the files into its repository instead of copying them, neither"
            " compresses nor looks inside; its time is `git annex add` and `git commit`."
        )
    rows = [row for name in found for row in _against(bench, name, size, changed, ours, found)]
    verify, checked = ours["verify"], bench.bounds.check(size + ours["added"])
    opened, goal = ours["open"], bench.goal(0.1)
    return [
        *rows,
        Figure("get one file back, pool open", "s", opened, goal=goal),
        Figure(
            "verify every byte of the pool",
            "s",
            verify,
            "sha256sum of the files",
            ours["sha256"],
            ours["sha256"],
            False,
            *checked,
        ),
    ]


def _against(
    bench: Bench,
    name: str,
    size: int,
    changed: int,
    ours: dict[str, float],
    found: dict[str, dict[str, float]],
) -> list[Figure]:
    """Compare with one program; the goals of time were set against those that compress."""
    peer = found[name]
    compresses = name != GitAnnex.name
    bounds = bench.bounds
    store, again = bounds.store(size, ours["bytes"]), bounds.store(changed, ours["added"])

    def seconds(work: str, key: str, limit: tuple[float, str] | None = None) -> Figure:
        value, named = limit or (None, "")
        goal = peer[key] if compresses else None
        return Figure(work, "s", ours[key], name, peer[key], goal, False, value, named)

    def bytes_(work: str, key: str, goal: float) -> Figure:
        return Figure(work, "MB", ours[key] / MB, name, peer[key] / MB, bench.goal(goal))

    return [
        seconds(f"take in 100 files, {size / MB:.0f} MB", "save", store),
        bytes_("  on disk", "bytes", 360.0),
        seconds("take in again, 10 changed", "again", again),
        bytes_("  added", "added", 20.0),
        seconds("get one file back, new process", "read"),
        seconds("verify every byte", "verify", bounds.check(size + ours["added"])),
    ]
