"""The made observation: readable by astropy, the same every time, changed only as promised."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from skypool.testing.observation import OBSID, observation, reprocess, write

SCALE = 0.02


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("made"), SCALE)


def hashes(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def one(root: Path, pattern: str) -> Path:
    (path,) = root.glob(pattern)
    return path


def test_the_layout_is_that_of_the_archive(folder: Path) -> None:
    assert folder.name == str(OBSID)
    assert {path.name for path in folder.iterdir()} == {
        "level0", "level0_5", "level1", "level2", "calibration", "auxiliary", "quality",
    }  # fmt: skip
    assert len(hashes(folder)) == len(observation(SCALE)) == 21


def test_it_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    assert hashes(write(tmp_path, SCALE)) == hashes(folder)


def test_astropy_reads_all_of_it(folder: Path) -> None:
    for path in folder.rglob("*.fits*"):
        with fits.open(path) as hdus:
            assert hdus[0].header["HCSS____"] == 5
            assert all(hdu.data is not None for hdu in hdus if hdu.header["NAXIS"])


def test_maps_are_rotated_scans_with_a_wcs(folder: Path) -> None:
    with fits.open(one(folder, "level2/PSW/*")) as hdus:
        image, coverage = hdus["image"].data, hdus["coverage"].data
        assert image.dtype == ">f8"
        assert np.array_equal(np.isnan(image), coverage == 0)
        assert np.isnan(image[:5, :5]).all()
        centre = WCS(hdus["image"].header).pixel_to_world(*(n / 2 - 0.5 for n in image.shape))
        assert centre.ra.deg == pytest.approx(204.2538)
        assert centre.dec.deg == pytest.approx(-29.8658)


def test_timelines_hold_what_their_columns_say(folder: Path) -> None:
    with fits.open(one(folder, "level1/PSP/*a1060001*")) as hdus:
        table = hdus["signal"]
        assert table.columns.names == ["sampleTime", "ra", "dec", "signal", "mask"]
        assert table.columns["signal"].unit == "Jy/beam"
        assert np.all(np.diff(table.data["sampleTime"]) > 0)


def test_every_parameter_has_its_map_card(folder: Path) -> None:
    header = one(folder, "level2/HPPPMAPB/*").read_bytes()[: 2880 * 6].decode("ascii", "replace")
    cards = [header[start : start + 80] for start in range(0, len(header), 80)]
    for key, name in (("OBS_ID", "obsid"), ("DATE-OBS", "startDate"), ("META_0", "pixelSize")):
        assert f"HIERARCH  key.{key}='{name}'" in [card.rstrip() for card in cards]
        assert any(card.startswith(f"{key:<8}=") for card in cards)


def test_reprocessing_changes_what_it_says(folder: Path, tmp_path: Path) -> None:
    again = shutil.copytree(folder, tmp_path / "again")
    changed = reprocess(again, SCALE)
    before, after = hashes(folder), hashes(again)
    assert before.keys() == after.keys()
    assert {path for path in before if before[path] != after[path]} == {
        str(path.relative_to(again)) for path in changed
    }
    assert all(path.is_relative_to(again / "level2") for path in changed)

    def arrays(root: Path, key: str, name: str) -> np.ndarray:
        with fits.open(one(root, f"level2/{key}/*")) as hdus:
            return np.array(hdus[name].data)

    for key in ("PSW", "PMW", "PLW", "HPPPMAPB", "HPPPMAPR"):
        old, new = arrays(folder, key, "coverage"), arrays(again, key, "coverage")
        assert np.array_equal(old, new)
    old, new = arrays(folder, "PSW", "image"), arrays(again, "PSW", "image")
    differs = np.argwhere(~((old == new) | (np.isnan(old) & np.isnan(new))))
    assert np.ptp(differs, axis=0).tolist() == [63, 63]
    for key in ("PLW", "HPPPMAPR"):
        assert np.array_equal(
            arrays(folder, key, "image"), arrays(again, key, "image"), equal_nan=True
        )


@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="fitsverify is not installed")
def test_fitsverify_finds_no_error(folder: Path) -> None:
    for path in folder.rglob("*.fits*"):
        done = subprocess.run(["fitsverify", path], capture_output=True, text=True, check=False)
        assert " 0 error(s)" in done.stdout or "and 0 errors" in done.stdout, done.stdout
        # HCSS repeats the WCS in the primary header, which has no axes.
        complaints = [line for line in done.stdout.splitlines() if "*** Warning" in line]
        assert all("is not in range" in line for line in complaints), complaints
