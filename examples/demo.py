"""What a pool does, shown on data: `make demo`, or `python examples/demo.py FOLDER`.

Makes a Herschel-like observation, puts it and astropy's own FITS files into a pool,
reprocesses the observation's level 2, puts it in again, gets everything back and compares
every byte. The folder is emptied first; the pool stays in it.
"""

from __future__ import annotations

import filecmp
import importlib.resources
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import skypool as sp
from skypool.testing import observation

TAG = "using cal v1"
MARK = ".made-by-skypool-demo"
FITS = (".fits", ".fit", ".fits.gz", ".fits.fz", ".fits.bz2")


def main(folder: Path, scale: float = 1.0) -> int:
    """Run the demo in a folder."""
    start_anew(folder)
    data, given = folder / "data", folder / "given-back"
    print(f"skypool demo, in the folder {folder}/\n")

    with step("making an observation like Herschel's, as the archive sends it") as note:
        root = observation.write(data, scale)
        note(counted(root))
    with step("collecting the FITS files that astropy is tested with") as note:
        collect_astropy(data / "astropy")
        note(counted(data / "astropy"))

    pool = sp.Pool(f"{folder / 'pool'}")
    rows = [add(pool, root, "the observation", "level 2 by cal v1")]
    pool.tag(pool[root.name], TAG)
    rows.append(add(pool, data / "astropy", "astropy's files", "test files of astropy"))

    shutil.copytree(root, folder / "first")  # to compare with later
    with step("reprocessing level 2 with a newer calibration") as note:
        changed = observation.reprocess(root, scale)
        note(f"{len(changed)} files written again")
    rows.append(add(pool, root, "the same, reprocessed", "level 2 by cal v2"))

    print(f"\n{'added':<21}{'files':>6}{'size':>10}{'stored':>10}{'took':>8}  reused")
    for row in rows:
        print(row)
    print("\nWhat is new in the reprocessed files, and all of them that was stored:")
    for path in changed:
        print(f"  {path.parent.name:<20}{difference(pool, root.name, path.relative_to(root))}")

    print("\nEverything back, compared with what went in, byte for byte:")
    found = [
        compare(pool, f'tag "{TAG}"', pool[TAG], folder / "first", given),
        compare(pool, "the latest version", pool[root.name], root, given),
        compare(pool, "astropy's files", pool["astropy"], data / "astropy", given),
    ]
    shutil.rmtree(folder / "first")
    shutil.rmtree(given)
    if not all(found):
        print("\nSomething came back changed. Please report it.")
        return 1
    farewell(folder, pool, root.name)
    return 0


# -- the steps ----------------------------------------------------------------------------


def add(pool: sp.Pool, path: Path, what: str, message: str) -> str:
    """Add a folder, and say in a line of the table what that took."""
    before = time.perf_counter()
    with step(f"adding {what}") as note:
        report = pool.add_report([str(path)], message=message)
        note(f"commit {report.commit}, {len(report.saved)} products saved")
    seconds = time.perf_counter() - before
    sizes = [file.stat().st_size for file in files_of(path)]
    new = [ref for ref in report.saved if not ref.is_context]
    again = [pool.diff(ref.versions[-2], ref) for ref in new if ref.version]
    reused = ""
    if again:
        arrays = sum(len(diff.b.product.datasets) - len(diff.datasets) for diff in again)
        reused = f"  {len(sizes) - len(new)} files, {arrays} arrays"
    return (
        f"{what:<21}{len(sizes):>6}{size_text(sum(sizes)):>10}"
        f"{size_text(report.bytes_added):>10}{seconds:>6.1f} s{reused}"
    )


def difference(pool: sp.Pool, root: str, path: Path) -> str:
    """Say in a few words what differs between the last two versions of a file."""
    latest = pool[f"{root}/{path.as_posix()}"]
    diff = pool.diff(latest.versions[-2], latest)
    changes: dict[str, list[str]] = {}
    for change in diff.datasets:
        if not change.name.startswith("History/"):
            amount = f"{change.count:,} {change.unit}"
            if change.box is not None and len(change.box) > 1:
                amount += " in " + " x ".join(str(stop - start) for start, stop in change.box)
            changes.setdefault(amount, []).append(change.name)
    words = [f"{', '.join(names)}: {amount}" for amount, names in changes.items()]
    return "; ".join(words) or "only the header and the history"


def compare(pool: sp.Pool, what: str, ref: sp.Ref, original: Path, given: Path) -> bool:
    """Export a product with all below it, and compare the files with the original ones."""
    before = time.perf_counter()
    shutil.rmtree(given, ignore_errors=True)
    pool.export(ref, str(given))
    seconds = time.perf_counter() - before
    names = sorted(str(file.relative_to(original)) for file in files_of(original))
    back = sorted(str(file.relative_to(given)) for file in files_of(given))
    same, _, _ = filecmp.cmpfiles(original, given, names, shallow=False)
    good = names == back == sorted(same)
    verdict = "the same" if good else "DIFFERENT"
    print(f"  {what:<22}{len(same):>4} of {len(names):>4} files {verdict:<10}{seconds:>7.1f} s")
    return good


def farewell(folder: Path, pool: sp.Pool, name: str) -> None:
    """Say what is there now, and what to try."""
    info = pool.info()
    print(
        f"\nThe pool holds {info.versions} versions of {info.products} products:"
        f" {size_text(info.bytes_logical)} in {size_text(info.bytes_stored)}."
    )
    place = os.path.relpath(folder)
    program = os.path.relpath(Path(sys.executable).with_name("skypool"))
    print("\nIt is yours now; try")
    for words in (
        f"tree {name}",
        "find \"instrument == 'PACS' and wavelength < 100\"",
        "history",
    ):
        print(f"  {program} -p {place}/pool {words}")


# -- files ----------------------------------------------------------------------------------


def start_anew(folder: Path) -> None:
    """Empty the folder, if it is one that the demo made."""
    mark = folder / MARK
    if folder.exists() and not mark.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} holds something that the demo did not make; left alone")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.touch()


def collect_astropy(target: Path) -> None:
    """Copy the FITS files of the installed astropy, in folders named by its packages."""
    with importlib.resources.as_file(importlib.resources.files("astropy")) as home:
        for path in sorted(home.rglob("*")):
            place = path.relative_to(home)
            if path.is_file() and "data" in place.parts and path.name.lower().endswith(FITS):
                parts = [part for part in place.parent.parts if part not in ("tests", "data")]
                copy = target.joinpath(*parts, path.name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


def files_of(folder: Path) -> Iterator[Path]:
    """List the files below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


# -- words ----------------------------------------------------------------------------------


class step:  # noqa: N801  # reads as a statement
    """Print a line with what is done, and behind it what came of it and how long it took."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.result = ""

    def __enter__(self) -> Callable[[str], None]:
        print(f"{self.what} ...", flush=True)
        self.start = time.perf_counter()
        return self._note

    def _note(self, text: str) -> None:
        self.result = text

    def __exit__(self, *_: object) -> None:
        print(f"  {self.result}, {time.perf_counter() - self.start:.1f} s")


def counted(folder: Path) -> str:
    """Say how many files a folder has and how much is in them."""
    sizes = [path.stat().st_size for path in files_of(folder)]
    return f"{len(sizes)} files, {size_text(sum(sizes))}"


def size_text(size: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo")))
