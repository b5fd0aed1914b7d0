"""A clone of a pool, and keeping it in step, beside copying the pool's folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from engines import SKYPOOL, Ours
from measure import MB, Figure, command, folder_bytes, in_turn, timed

from rows import Bench
from rows.files import files_of


def clone_rows(bench: Bench) -> list[Figure]:
    """Clone a pool of 100 files, change ten of them, bring the clone in step."""
    files = files_of(bench)
    # The pool as it was and with ten files changed, so that each run starts alike.
    old, new = (Ours(bench.folder(f"clone-{name}")) for name in ("old", "new"))
    files.start()
    old.save(files.folder)
    shutil.copytree(old.place, new.place)
    files.change()
    new.save(files.folder)

    def keep(name: str, first: list[Any], again: list[Any]) -> Any:
        def work(run: int) -> dict[str, Any]:
            target = bench.scratch / f"clone-target-{name}"
            source = bench.scratch / "clone-source"
            shutil.copytree(old.place, source)
            with timed() as cloning:
                command([*first, source, target])
            before = folder_bytes(target)
            _replace(source, new.place)
            with timed() as pulling:
                command([*again, source] if name == "ours" else [*again, f"{source}/", target])
            added = folder_bytes(target) - before
            if added <= 0:
                raise RuntimeError(f"{name} brought nothing")
            if name == "ours":
                command([SKYPOOL, "-p", target, "verify"])
            shutil.rmtree(source)
            shutil.rmtree(target)
            return {"first": cloning.seconds, "again": pulling.seconds, "added": added}

        return work

    target = bench.scratch / "clone-target-ours"
    works = {
        "ours": keep("ours", [SKYPOOL, "clone"], [SKYPOOL, "-p", target, "pull"]),
        "cp": keep("cp", ["cp", "-r"], ["cp", "-rT"]),
    }
    if shutil.which("rsync"):
        # A slash behind the source: its content, as `cp -r` to a new folder does.
        rsync = ["sh", "-c", 'rsync -a "${1%/}/" "$2"', "rsync"]
        works["rsync"] = keep("rsync", rsync, rsync)
    found = in_turn(min(3, bench.runs), works)
    size = folder_bytes(old.place) / MB
    for engine in (old, new):
        engine.close()
    bench.notes.append(
        "A clone checks every byte on arrival and is on disk when it ends; cp and rsync check"
        " and sync nothing, and cp copies everything again."
    )
    ours = found.pop("ours")
    rows = []
    for name, peer in found.items():
        title = "cp -r of the folder" if name == "cp" else "rsync -a of the folder"
        limit = (size * MB / bench.bounds.disk, "disk")
        again = "bring it in step, 10 of 100 files changed"
        rows += [
            Figure(
                f"clone a pool of {size:.0f} MB",
                "s",
                ours["first"],
                title,
                peer["first"],
                None,
                False,
                *limit,
            ),
            Figure(again, "s", ours["again"], title, peer["again"]),
        ]
    return rows


def _replace(source: Path, new: Path) -> None:
    """Put the pool with the changed files in the place of the old one."""
    shutil.rmtree(source)
    shutil.copytree(new, source)
