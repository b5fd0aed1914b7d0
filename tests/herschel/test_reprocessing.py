"""An observation that was processed anew: new versions, and what did not change is shared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.format import reader

import skypool as sp
from skypool.testing.herschel.archive import again, download
from skypool.testing.herschel.samples import SAMPLES

Content = Callable[[Path], dict[str, str]]


def test_new_files_are_new_versions(pool: sp.Pool, tmp_path: Path, content: Content) -> None:
    sample = SAMPLES["spire-map"]
    old = download(tmp_path / "old", sample)
    new = download(tmp_path / "new", again(sample))
    pool.add(old, tags=["released"])
    psw = pool["1342263815/level2/extdPSW"]
    second = pool.add_report(new)
    ref = pool["1342263815"]
    assert (ref.version, ref.meta["creator"].value) == (1, "SPG v14.2.0")
    newer = ref["level2"]["extdPSW"]
    assert (newer.track, newer.version) == (psw.track, 1)
    assert newer.name.endswith("extdPSW/hspirepsw1342263815_20pxmp_1499900000000.fits.gz")
    assert newer.name != psw.product.origin.name == psw.name
    assert pool["1342263815/level2/extdPSW@0"] == psw
    # Levels that are as they were are neither stored nor versions again, calibration too.
    changed = {r.name.split("/")[1] for r in second.saved if r.name.count("/") > 1}
    assert changed == {"level2"}
    assert ref["level2_5"].version == ref["calibration"].version == 0
    assert [name.rpartition("-")[2] for name in second.removed] == ["643488.jpg", "643488.xml"]
    # Images and errors of six maps are new; their coverage, and all else, is not stored again.
    assert second.bytes_added < 6 * 2 * 48 * 48 * 8 * 1.1 < second.bytes_in / 2
    np.testing.assert_array_equal(psw["coverage"][:], newer["coverage"][:])
    assert not np.array_equal(psw["image"][:], newer["image"][:], equal_nan=True)
    pool.export("1342263815", tmp_path / "out1")
    pool.export("released", tmp_path / "out0")
    assert content(tmp_path / "out1") == content(new)
    assert content(tmp_path / "out0") == content(old)
    assert pool["released"].version == 0


def test_only_names_that_changed_move_the_product(
    pool: sp.Pool, tmp_path: Path, content: Content
) -> None:
    """A product whose content is the same under another time stays the version that it is."""
    root = download(tmp_path, SAMPLES["pacs-map"])
    pool.add(root)
    before = pool["1342237160/level2/HPPPMAPB"]
    (file,) = (root / "level2/HPPPMAPB").iterdir()
    file.rename(file.with_name(file.name.replace("1469548187623", "1500000000000")))
    report = pool.add_report(root)
    after = pool["1342237160/level2/HPPPMAPB"]
    assert (after.number, after.version) == (before.number, 0)
    assert after.name.endswith("_1500000000000.fits.gz")
    assert [r.name for r in report.saved] == ["1342237160/level2", "1342237160"]
    assert report.removed == []
    pool.export("1342237160", tmp_path / "out")
    assert content(tmp_path / "out") == content(root)


def test_slices_go_on_by_number(pool: sp.Pool, tmp_path: Path) -> None:
    sample = SAMPLES["pacs-line"]
    pool.add(download(tmp_path / "old", sample))
    tracks = [pool[f"1342223728/level2/HPS3DB/{n}"].track for n in range(3)]
    pool.add(download(tmp_path / "new", again(sample)))
    found = [pool[f"1342223728/level2/HPS3DB/{n}"] for n in range(3)]
    assert [(ref.track, ref.version) for ref in found] == [(track, 1) for track in tracks]


def test_back_and_forth(pool: sp.Pool, tmp_path: Path) -> None:
    """Adding the older files again after the newer ones goes on with the same products."""
    sample = SAMPLES["pacs-map"]
    old, new = download(tmp_path / "old", sample), download(tmp_path / "new", again(sample))
    for root in (old, new, old, new):
        pool.add(root)
    ref = pool["1342237160/level2/HPPPMAPB"]
    assert [r.version for r in ref.versions] == [0, 1, 2, 3]
    assert pool.verify().ok
    pool.reindex()
    assert pool["1342237160/level2/HPPPMAPB"] == ref
    assert len([name for name in pool.ls() if "/level2/HPPPMAPB/" in name.name]) == 1


def test_observations_in_a_folder_go_on_too(pool: sp.Pool, tmp_path: Path) -> None:
    for turn, change in enumerate((lambda sample: sample, again)):
        for name in ("pacs-map", "pacs-line"):
            download(tmp_path / str(turn) / "data", change(SAMPLES[name]), levels=("level2",))
        pool.add(tmp_path / str(turn) / "data")
    for path in ("data/1342237160/level2/HPPPMAPB", "data/1342223728/level2/HPS3DB/1"):
        assert pool[path].version == 1


def test_a_clone_gets_it_all(pool: sp.Pool, tmp_path: Path, content: Content) -> None:
    """Versions that came with other names, and places of files, go with a clone."""
    sample = SAMPLES["pacs-map"]
    pool.add(download(tmp_path / "old", sample))
    sp.clone(pool.path, tmp_path / "clone").close()
    new = download(tmp_path / "new", again(sample))
    pool.add(new)
    with sp.Pool(tmp_path / "clone") as other:
        other.save(sp.Product(type="MINE"), "mine")
        other.pull(pool.path)
        ref = other["1342237160/level2/HPPPMAPB"]
        assert (ref.version, ref.name.rpartition("_")[2]) == (1, "1499900000000.fits.gz")
        other.export("1342237160", tmp_path / "out")
        assert other.verify().ok
    assert content(tmp_path / "out") == content(new)


def test_the_format_says_where_files_were(pool: sp.Pool, tmp_path: Path) -> None:
    """A reader written from the text of the format alone makes the same folders."""
    root = download(tmp_path, SAMPLES["pacs-line"])
    pool.add(root)
    found = reader.Pool(Path(pool.path))
    state = found.at()

    def files(urn: int, place: str) -> dict[str, bytes | None]:
        entry = state.versions[urn]
        product = found.product(entry)
        if "file" in product.document:
            return {place.strip("/"): product.file()}
        paths = dict(product.document.get("paths", []))
        return {
            name: data
            for role, child in entry["refs"]
            for name, data in files(child, f"{place}/{paths.get(role, role)}").items()
        }

    top = state.tracks[state.visible()["1342223728"]][-1]
    assert files(top, "") == {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.*")
        if path.is_file()
    }  # fmt: skip


def test_editing_a_tree_keeps_its_places(pool: sp.Pool, tmp_path: Path) -> None:
    """What was changed in Python is exported where the file was, what is new beside it."""
    pool.add(download(tmp_path, SAMPLES["spire-map"]))
    level2 = pool["1342263815"]["level2"].product
    psw = level2.refs["extdPSW"].product
    flat = psw.replace(meta={"calVersion": "mine"})
    mine = pool.save(sp.Product(kind="SimpleImage", datasets={"image": np.ones((3, 3))}), "m/mine")
    changed = level2.replace(refs={"extdPSW": flat, "mine": mine, "extdPMW": mine})
    pool.export(pool.save(changed), tmp_path / "out")
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert "extdPSW/hspirepsw1342263815_20pxmp_1469548187623.fits" in names
    assert "extdPLW/hspireplw1342263815_20pxmp_1469548187623.fits.gz" in names
    assert {"mine.fits", "extdPMW/mine.fits"} <= names
    assert pool.save(pool["1342263815"].product.replace(refs={"level2": changed})).version == 1
