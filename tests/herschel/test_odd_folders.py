"""Folders that are not quite like the archive's: a clear result, and nothing lost."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import skypool as sp
from skypool import errors
from skypool.pool.descriptor import NotADescriptorError, read_descriptor
from skypool.testing.herschel.archive import download, pack
from skypool.testing.herschel.samples import SAMPLES

Content = Callable[[Path], dict[str, str]]
SPIRE, PACS = SAMPLES["spire-map"], SAMPLES["pacs-map"]


@pytest.fixture
def back(pool: sp.Pool, tmp_path: Path, content: Content) -> Callable[[Path], Any]:
    """Add a folder and check that the same comes out again; give the report."""

    def add(root: Path) -> Any:
        report = pool.add_report(root)
        pool.export(report.refs[0], tmp_path / "given-back")
        assert content(tmp_path / "given-back") == content(root)
        shutil.rmtree(tmp_path / "given-back")
        return report

    return add


@pytest.mark.parametrize("levels", [("level2",), ("level2_5",), ("auxiliary", "level0"),
                                    ("auxiliary", "calibration")])  # fmt: skip
def test_missing_levels(back: Any, tmp_path: Path, levels: tuple[str, ...]) -> None:
    root = download(tmp_path / "x", SPIRE, descriptor=False, levels=levels)
    report = back(root)
    (ref,) = report.refs
    assert (ref.name, ref.kind) == ("1342263815", "ObservationContext")
    assert [name for name in ref.refs if name != "README.pdf"] == sorted(levels)
    assert ref.meta["obsid"].value == 1342263815
    assert report.notes == []


def test_files_that_the_descriptor_lists_and_are_not_there(back: Any, tmp_path: Path) -> None:
    root = download(tmp_path, SPIRE)
    shutil.rmtree(root / "level2")
    report = back(root)
    ((path, text),) = report.notes
    assert path == str(root)
    assert text.startswith("6 of 25 files of the descriptor are not here, such as 1342263815/lev")


def test_extra_files_and_empty_folders(back: Any, tmp_path: Path) -> None:
    root = download(tmp_path, PACS)
    (root / "level2/HPPPMAPB/my notes.txt").write_text("remember")
    (root / "level2/mine").mkdir()
    (root / "level1").mkdir()
    (root / "level2/HPPPMAPR.fits").write_bytes(b"not really")
    (root / ".hidden").write_text("x")
    (ref,) = back(root).refs
    key = ref["level2"]["HPPPMAPB"]
    assert (key.is_context, len(key.refs)) == (True, 2)
    assert ref["level2"]["HPPPMAPR"].kind == "SimpleImage"
    assert ref["level2"]["HPPPMAPR.fits"].kind == "File"
    assert list(ref["level1"].refs) == []


def test_gz_and_plain_together(back: Any, tmp_path: Path) -> None:
    root = download(tmp_path, PACS)
    (packed,) = (root / "level2/HPPPMAPB").iterdir()
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    (ref,) = back(root).refs
    assert ref["level2"]["HPPPMAPB"].name.endswith(".fits")
    assert ref["level2"]["HPPPMAPR"].name.endswith(".fits.gz")


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_a_damaged_file_in_the_middle(back: Any, pool: sp.Pool, tmp_path: Path, harm: str) -> None:
    root = download(tmp_path, SPIRE)
    (path,) = (root / "level2/extdPMW").iterdir()
    data = bytearray(path.read_bytes())
    if harm == "flipped":
        data[len(data) // 2] ^= 255
    path.write_bytes(b"" if harm == "empty" else data[: len(data) // 2] if harm == "cut" else data)
    report = back(root)
    assert report.skipped == []
    ref = report.refs[0]["level2"]["extdPMW"]
    assert ref.kind == "File"
    if harm != "empty":
        ((name, reason),) = report.opaque
        assert name.endswith("extdPMW/" + path.name)
        assert reason
    assert report.refs[0]["level2"]["extdPSW"]["image"].shape == (48, 48)
    assert report.refs[0].meta["obsid"].value == 1342263815


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read(pool: sp.Pool, tmp_path: Path) -> None:
    root = download(tmp_path, SPIRE)
    (path,) = (root / "level2/extdPMW").iterdir()
    pool.add(root)
    path.chmod(0)
    report = pool.add_report(root, force_read=True)
    assert [skipped for skipped, _ in report.skipped] == [str(path)]
    assert report.removed == []


def test_a_link_that_leads_nowhere(pool: sp.Pool, tmp_path: Path) -> None:
    root = download(tmp_path, SPIRE)
    (path,) = (root / "level2/extdPMW").iterdir()
    path.unlink()
    path.symlink_to(tmp_path / "nothing")
    report = pool.add_report(root)
    assert [(skipped, why) for skipped, why in report.skipped] == [
        (str(path), "a broken symbolic link")
    ]
    assert list(report.refs[0]["level2"]["extdPMW"].refs) == []


def test_products_of_another_observation(back: Any, tmp_path: Path) -> None:
    root = download(tmp_path, SPIRE)
    other = download(tmp_path / "other", PACS)
    shutil.copytree(other / "level2/HPPPMAPB", root / "level2/HPPPMAPB")
    report = back(root)
    assert report.notes == [(str(root), "a product is of the observation 1342237160")]
    assert report.refs[0].name == "1342263815"


def test_a_folder_of_several_that_means_none(back: Any, tmp_path: Path) -> None:
    root = download(tmp_path, SPIRE, descriptor=False).rename(tmp_path / "mixed")
    other = download(tmp_path / "other", PACS, descriptor=False)
    shutil.copytree(other / "level2/HPPPMAPB", root / "level2/HPPPMAPB")
    report = back(root)
    assert (report.refs[0].name, report.refs[0].kind) == ("mixed", "MapContext")
    ((_, text),) = report.notes
    assert text == "has products of 2 observations (1342237160, 1342263815): kept as a folder"


@pytest.mark.parametrize(
    ("text", "why"),
    [("<request><item", "it is damaged"), ("<other/>", "its root is 'other'"),
     ("<request/>", "it lists no observation"),
     ("<!DOCTYPE x [<!ENTITY a 'b'>]><request/>", "document type")],
)  # fmt: skip
def test_a_damaged_descriptor(back: Any, tmp_path: Path, text: str, why: str) -> None:
    root = download(tmp_path, SPIRE)
    (path,) = root.glob("*.xml")
    path.write_text(text)
    report = back(root)
    ((noted, said),) = report.notes
    assert noted == str(path)
    assert why in said
    assert report.refs[0].meta["odNumber"].value == 1406  # from the products
    with pytest.raises(NotADescriptorError, match=why):
        read_descriptor(str(path))


def test_a_descriptor_with_elements_and_odd_values(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(
        '<request urn="" instrument="HIFI"><item><urn>urn:hsa:herschel.ia.obs.ObservationContext:1'
        "</urn><meta_object>"
        '<param id="obsid" type="herschel.ia.dataset.LongParameter" value="0x50002b5e"/>'
        '<param id="odd" type="Long" value="many"/><param id="ok" type="Boolean" value="true"/>'
        '<param id="when" type="FineTime" value="1629402290000000"/>'
        '<param id="x" type="Double" value="NaN" unit="deg" description="An &quot;x&quot;"/>'
        '</meta_object></item><item class="a.b.SimpleImage" stored="true"'
        ' file_sub_path="level2/PSW/a.fits"/></request>'
    )
    found = read_descriptor(str(path))
    meta = {entry[0]: entry for entry in found.observation.meta}
    assert found.obsid == 0x50002B5E
    assert meta["odd"][1] == "many"
    assert meta["ok"][1] is True
    assert str(meta["when"][1]) == "2009-08-19 19:44:16+00:00"
    assert meta["x"][2:] == ["deg", 'An "x"']
    assert [(item.kind, item.path) for item in found.items] == [
        ("SimpleImage", "level2/PSW/a.fits")
    ]


def test_another_observation_under_the_same_name_is_refused(pool: sp.Pool, tmp_path: Path) -> None:
    pool.add(download(tmp_path / "a", SPIRE), name="mine")
    with pytest.raises(errors.NameConflict, match="obsid"):
        pool.add(download(tmp_path / "b", PACS), name="mine")
    assert len(pool.history()) == 1


def test_a_tar_that_was_cut(pool: sp.Pool, tmp_path: Path) -> None:
    path = pack(download(tmp_path / "x", SPIRE).parent, tmp_path / "cut.tar")
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(errors.StorageError, match="cannot be unpacked"):
        pool.add(path)
    assert not pool.exists or len(pool.history()) == 0


def test_levels_got_one_after_the_other(pool: sp.Pool, tmp_path: Path) -> None:
    """A later download of other levels does not lose those that were there: their versions stay."""
    pool.add(download(tmp_path / "a", SPIRE, levels=("level2",)))
    report = pool.add_report(download(tmp_path / "b", SPIRE, levels=("level1",)))
    assert any(name.startswith("1342263815/level2/") for name in report.removed)
    assert pool["1342263815@0"]["level2"]["extdPSW"]["image"].shape == (48, 48)
    assert pool.restore("1342263815/level2").name == "1342263815/level2"
