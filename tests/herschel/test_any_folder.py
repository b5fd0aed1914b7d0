"""Whatever lies in a folder, and wherever: the same comes out, twice, under names of its own."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import skypool as sp

Content = Callable[[Path], dict[str, str]]

FOLDERS = ["1342263815", "1342237160", "anonymous12", "level2", "level2_5", "level0", "PSW",
           "HPS3DB", "herschel.pacs.signal.PacsCube", "auxiliary", "calibration", "quality",
           "browseProduct", "other", "PACS"]  # fmt: skip
FILES = ["h_1469548187623.fits", "h_1500000000000.fits", "g_1469548187623.fits.gz", "h.fits",
         "notes.txt", "PSW.fits", "level2", "README.pdf",
         "1342263815-herschel.ia.obs.ObservationContext-1.xml"]  # fmt: skip
DESCRIPTOR = (
    '<request instrument="{instrument}" parallel_mode="{parallel}"><item'
    ' class="herschel.ia.obs.ObservationContext"><meta_object><param id="obsid" type="Long"'
    ' value="{obsid}"/></meta_object></item></request>'
)

contents = st.fixed_dictionaries({
    "obsid": st.sampled_from([None, 1342263815, 1342263815, 1342237160]),
    "instrument": st.sampled_from(["", "PACS", "SPIRE"]),
    "mode": st.sampled_from(["Large map", "Large map", "Parallel"]),
    "seed": st.integers(0, 3),
})  # fmt: skip
paths = st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=5), st.sampled_from(FILES))
trees = st.dictionaries(paths.map(lambda p: "/".join([*p[0], p[1]])), contents, max_size=14)
empty = st.lists(st.lists(st.sampled_from(FOLDERS), min_size=1, max_size=4), max_size=3)


def fits_bytes(obsid: int | None, instrument: str, mode: str, seed: int) -> bytes:
    """The smallest file with these in its header."""
    cards = [f"{key:<8}= {value:>20}" for key, value in (("SIMPLE", "T"), ("BITPIX", 8))]
    cards += ["NAXIS   =                    0", f"OBSMODE = '{mode}'", f"SEED    = {seed}"]
    cards += [f"OBSID   = {obsid}"] if obsid else []
    cards += [f"INSTRUME= '{instrument}'"] if instrument else []
    return "".join(f"{card:<80}" for card in [*cards, "END"]).ljust(2880).encode()


def write(root: Path, tree: dict[str, dict[str, object]], folders: list[list[str]]) -> None:
    root.mkdir()
    for path, about in tree.items():
        place = root / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            data = fits_bytes(**about)  # type: ignore[arg-type]
            if path.endswith("xml"):
                parallel = str(about["mode"] == "Parallel").lower()
                data = DESCRIPTOR.format(**about, parallel=parallel).encode()
            if path.endswith(".gz"):
                data = gzip.compress(data, mtime=0)
            place.write_bytes(data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a file has the folder's name
    for parts in folders:
        place = root.joinpath(*parts)
        if not any(p.is_file() for p in (place, *place.parents)):
            place.mkdir(parents=True, exist_ok=True)


def check(tree: dict[str, object], again: dict[str, object], folders: list[list[str]],
          content: Content) -> None:  # fmt: skip
    base = Path(tempfile.mkdtemp())
    try:
        with sp.Pool(base / "pool") as pool:
            for turn, made in enumerate((tree, {**tree, **again}, again)):
                root = base / "data"
                write(root, made, folders)  # type: ignore[arg-type]
                report = pool.add_report(root, name="root", as_version=True)
                assert report.skipped == []
                names = [ref.name for ref in pool.ls()]
                assert len(names) == len(set(names))
                assert all(name.split("/")[0] == "root" for name in names)
                pool.export("root", base / f"out{turn}")
                assert content(base / f"out{turn}") == content(root)
                # Each file is found by where it is too, as long as it is the observation's own.
                assert pool.add_report(root, name="root", as_version=True).commit is None
                shutil.rmtree(root)
            for version in {ref.version for ref in pool["root"].versions}:
                pool.export(f"root@{version}", base / f"version{version}")
            assert pool.verify().ok
    finally:
        shutil.rmtree(base)


PLAIN = {"obsid": None, "instrument": "", "mode": "Large map", "seed": 0}
HALVES = {"obsid": 1342263815, "instrument": "PACS", "mode": "Parallel", "seed": 0}


@settings(max_examples=40)
# A file that is new in a folder of which a folder was all: it is no later version of that.
@example(
    tree={
        "h_1469548187623.fits": PLAIN, "1342263815/h_1469548187623.fits": PLAIN,
        "level2/h_1469548187623.fits": {**PLAIN, "instrument": "SPIRE"},
        "PACS/1342263815/1342263815/h_1469548187623.fits": PLAIN,
    },
    again={FILES[-1]: HALVES}, folders=[],
)  # fmt: skip
@example(tree={}, again={}, folders=[["anonymous12", "1342263815", "level2"]])
@example(
    tree={}, again={},
    folders=[["1342263815", "1342263815"], ["1342263815", "auxiliary"], ["auxiliary"]],
)  # fmt: skip
# A file takes no folder's place, be there folders between that are no products.
@example(
    tree={
        "PACS/level2/quality/1342263815/h_1469548187623.fits": PLAIN,
        "level2/g_1469548187623.fits.gz": PLAIN,
        "level2/PACS/other/h_1469548187623.fits": {**PLAIN, "obsid": 1342263815},
    },
    again={
        "level2_5/other/1342263815/1342263815/1342263815/h_1469548187623.fits":
            {**PLAIN, "instrument": "SPIRE"},
        FILES[-1]: HALVES,
    },
    folders=[],
)  # fmt: skip
@given(tree=trees, again=trees, folders=empty)
def test_any_folder(content: Content, tree: dict[str, object], again: dict[str, object],
                    folders: list[list[str]]) -> None:  # fmt: skip
    check(tree, again, folders, content)


@pytest.mark.campaign
@given(tree=trees, again=trees, folders=empty)
def test_many_folders(content: Content, tree: dict[str, object], again: dict[str, object],
                      folders: list[list[str]]) -> None:  # fmt: skip
    check(tree, again, folders, content)
