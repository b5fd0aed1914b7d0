"""Whole observations: the references of HIPE, their metadata, and the same files back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool import errors
from skypool.testing.herschel.archive import download, pack
from skypool.testing.herschel.samples import SAMPLES

Content = Callable[[Path], dict[str, str]]

KEYS = {
    "spire-map": ["level2/psrcPSW", "level2/extdPLW", "level2_5/extdPMW", "level0/RPDT"],
    "pacs-map": ["level2/HPPPMAPB", "level2_5/HPPJSMAPR", "level3/HPPUNIMAPB",
                 "level0_5/HPPAVGB/0"],
    "spire-fts": ["level2/HR_SLW_spectrum2d", "level2/HR_SSW_cube", "level2/HR_spectrum_point"],
    "pacs-line": ["level2/HPS3DB/0", "level2/HPS3DB/2", "level2/HPS3DRB/0", "level2/HPSTBRB"],
    "hifi-point": ["level2/WBS-H-USB/box_001", "level2_5/myDecon/myDecon_WBS-V"],
    "parallel-pacs": ["level2/HPPPMAPB", "level2_5/HPPJSMAPB"],
    "parallel-spire": ["level2/extdPSW", "level2_5/psrcPLW"],
}  # fmt: skip
ALL = ["auxiliary/pointing", "auxiliary/siam", "quality/report", "logObsContext/processing",
       "browseProduct", "browseImageProduct"]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("shape", ["tar", "tgz", "folder", "plain", "beside"])
def test_every_sort_of_observation(
    pool: sp.Pool, tmp_path: Path, content: Content, name: str, shape: str
) -> None:
    sample = SAMPLES[name]
    top = tmp_path / "anonymous1647421891"
    beside = shape == "beside"
    root = download(top, sample, descriptor=shape != "plain", beside=beside, gzip=shape != "plain")
    source = top if beside else root
    if shape in ("tar", "tgz"):
        report = pool.add_report(pack(top, tmp_path / f"download.{shape}", top.name))
    else:
        report = pool.add_report(source)
    assert (report.skipped, report.opaque, report.notes) == ([], [], [])
    (ref,) = report.refs
    half = f"/{sample.instrument}" if sample.is_parallel else ""
    assert (ref.name, ref.kind, ref.type) == (f"{sample.obsid}{half}", "ObservationContext", "OBS")
    for path in KEYS[name] + ALL:
        product = pool[f"{ref.name}/{path}"]
        assert "file" in product.document
        found: object = ref
        for key in path.split("/"):
            found = found[key]  # type: ignore[index]
        assert found == product
    assert ref["calibration"].is_context
    pool.export(ref, tmp_path / "out")
    assert content(tmp_path / "out") == content(source)
    assert pool.add_report(source).commit is None or shape in ("tar", "tgz")


@pytest.mark.parametrize("descriptor", [True, False])
def test_metadata(pool: sp.Pool, tmp_path: Path, descriptor: bool) -> None:
    sample = SAMPLES["spire-map"]
    meta = pool.add(download(tmp_path, sample, descriptor=descriptor)).meta
    expected = {
        "obsid": 1342263815, "odNumber": 1406, "instrument": "SPIRE", "object": "m83",
        "obsMode": "SpirePhotoLargeScan", "ra": 204.2538, "dec": -29.8658, "modelName": "FLIGHT",
        "startDate": datetime(2013, 2, 17, 1, 10, 35, 261674, tzinfo=UTC),
        "aorLabel": "PVPhotSci-14_m83ul-1_cross_scan_large_map", "creator": "SPG v14.1.0",
    }  # fmt: skip
    assert {key: meta[key].value for key in expected} == expected
    assert (meta["ra"].unit, meta["obsid"].description) == ("deg", "Observation identifier")
    assert ("pmRA" in meta) == descriptor  # no product has it
    if descriptor:
        assert meta["pmRA"].value == -0.25
        assert meta["slewTime"].value == datetime(2013, 2, 17, 1, tzinfo=UTC)
    else:
        assert meta["obsState"].value == "LEVEL2_5_PROCESSED"
    assert pool.find("kind == 'ObservationContext' and odNumber == 1406 and object == 'm83'")


def test_slices_are_counted(pool: sp.Pool, tmp_path: Path) -> None:
    ref = pool.add(download(tmp_path, SAMPLES["pacs-line"]))
    sliced = ref.product.refs["level2"].product.refs["HPS3DB"].product
    assert (sliced.kind, list(sliced.refs)) == ("ListContext", ["0", "1", "2"])
    assert [sliced.refs[n].meta["sliceNumber"].value for n in range(3)] == [0, 1, 2]
    assert sliced.refs[1].name.endswith(
        "PacsCube/hpacs1342223728_20hps3dbs_01_1469548187623.fits.gz"
    )


def test_hifi_boxes(pool: sp.Pool, tmp_path: Path) -> None:
    pool.add(download(tmp_path, SAMPLES["hifi-point"]))
    box = pool["1342191794"]["level2"]["WBS-H-USB"]["box_001"]
    assert box.kind == "HifiTimelineProduct"  # a context of HCSS, with datasets in one file
    assert len(box["0001"]) == 120
    assert "0001" in box
    assert list(box.product.datasets)[:2] == ["summary", "0001"]


def test_parallel_mode_in_two_archives(pool: sp.Pool, tmp_path: Path) -> None:
    for name in ("parallel-pacs", "parallel-spire"):
        top = tmp_path / name
        download(top, SAMPLES[name])
        pool.add(pack(top, tmp_path / f"{name}.tar", "anonymous1"))
    pacs, spire = (pool.obs(1342218995, instrument=name) for name in ("PACS", "SPIRE"))
    assert (pacs.name, spire.name) == ("1342218995/PACS", "1342218995/SPIRE")
    assert list(pacs["level2"].refs) == ["HPPPMAPB", "HPPPMAPR"]
    assert "extdPSW" in spire["level2"]
    assert "HPPPMAPB" not in spire["level2"]
    with pytest.raises(errors.Ambiguous, match="1342218995"):
        pool["1342218995"]


@pytest.mark.parametrize("descriptor", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_parallel_mode_in_one_folder(
    pool: sp.Pool, tmp_path: Path, content: Content, descriptor: bool, beside: bool
) -> None:
    top = tmp_path / "anonymous1603389167"
    for name in ("parallel-pacs", "parallel-spire"):
        root = download(top, SAMPLES[name], descriptor=False, beside=beside)
    if descriptor:
        home = top if beside else root
        for number, name in ((1, "parallel-pacs"), (2, "parallel-spire")):
            made = download(tmp_path / name, SAMPLES[name])
            (xml,) = made.glob("*.xml")
            xml.rename(home / xml.name.replace("643488", f"64348{number}"))
    source = top if beside else root
    report = pool.add_report(source)
    (ref,) = report.refs
    assert (ref.name, list(ref.refs)) == ("1342218995", ["PACS", "SPIRE"])
    assert [ref[half].meta["instrument"].value for half in ref.refs] == ["PACS", "SPIRE"]
    assert list(ref["PACS"]["level2"].refs) == ["HPPPMAPB", "HPPPMAPR"]
    assert len(ref["SPIRE"]["level2"].refs) == 6
    # What belongs to both is below both, and stored once.
    assert ref["PACS"]["auxiliary"]["siam"].hash == ref["SPIRE"]["auxiliary"]["siam"].hash
    if descriptor:
        assert [name for name in ref["PACS"].refs if name.endswith("xml")] == [
            "1342218995-herschel.ia.obs.ObservationContext-643481.xml"
        ]
    pool.export(ref, tmp_path / "out")
    assert content(tmp_path / "out") == content(source)


def test_several_observations_in_a_folder(pool: sp.Pool, tmp_path: Path, content: Content) -> None:
    top = tmp_path / "data"
    download(top, SAMPLES["spire-map"], levels=("level2", "auxiliary"))
    download(top / "pacs", SAMPLES["pacs-map"], levels=("level2",), gzip=False)
    (top / "notes.txt").write_text("mine")
    ref = pool.add(top)
    assert (ref.name, ref.kind, list(ref.refs)) == (
        "data", "MapContext", ["1342263815", "notes.txt", "pacs"],
    )  # fmt: skip
    assert ref["1342263815"].kind == "ObservationContext"
    assert pool["1342237160"].name == "data/pacs/1342237160"
    assert pool["1342237160/level2/HPPPMAPB"] == pool["1342237160"]["level2"]["HPPPMAPB"]
    assert len(pool.find(kind="ObservationContext")) == 2
    pool.export(ref, tmp_path / "out")
    assert content(tmp_path / "out") == content(top)


def test_real_maps_make_an_observation(
    pool: sp.Pool, tmp_path: Path, shared_data: Path, content: Content
) -> None:
    """The real files of one SPIRE observation, put where the archive puts them."""
    root = tmp_path / "1342263815"
    for path in sorted((shared_data / "files/ivvv+herspy").glob("*hspire*1342263815*")):
        name = path.name.rpartition("__")[2]
        place = root / "level2" / f"extd{name[6:9].upper()}" / name
        place.parent.mkdir(parents=True)
        place.write_bytes(path.read_bytes())
    ref = pool.add(root)
    assert (ref.name, list(ref["level2"].refs)) == (
        "1342263815", ["extdPLW", "extdPMW", "extdPSW"],
    )  # fmt: skip
    assert ref.meta["odNumber"].value == ref["level2"]["extdPSW"].meta["odNumber"].value
    with fits.open(ref["level2"]["extdPSW"].path) as hdus:
        mine = np.asarray(ref["level2"]["extdPSW"]["image"])
        np.testing.assert_array_equal(mine, hdus["image"].data)
    pool.export(ref, tmp_path / "out")
    assert content(tmp_path / "out") == content(root)
