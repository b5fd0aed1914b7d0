"""Observations as the archive sends them, by the names of HIPE's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.herschel.server import Behaviour, serving

import skypool as sp
from skypool.errors import Ambiguous, NotFound, SkypoolError, UsageError
from skypool.files.herschel import Archive
from skypool.hipe import (
    FullQuery,
    MetaQuery,
    ObservationContext,
    PoolManager,
    ProductStorage,
    SimpleImage,
    exportObservation,
    getObservation,
    saveObservation,
)
from skypool.testing.herschel.archive import download, pack
from skypool.testing.herschel.samples import SAMPLES

OBSID = 1342263815


def content(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, but for lists of what was there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def archive(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Behaviour, Path]]:
    """Give a server with one observation, and the folder of it."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    sample = SAMPLES["spire-map"]
    folder = tmp_path / "sent"
    download(folder, sample, levels=(), beside=True)
    tar = pack(folder, tmp_path / "sent.tar", "anonymous1647421891")
    with serving(Behaviour(table="instrument_oid\n2\n")) as found:
        place = Archive(f"{found.url}/hsa/data?", f"{found.url}/hsa/tap")
        monkeypatch.setattr(Archive, "configured", classmethod(lambda cls, *_: place))
        found.files[f"{OBSID} SPIRE ALL"] = tar.read_bytes()
        yield found, folder


def test_from_the_archive_once(archive: tuple[Behaviour, Path], tmp_path: Path) -> None:
    server, folder = archive
    with pytest.raises(NotFound, match="useHsa=True asks the archive"):
        getObservation(OBSID)
    assert server.requests == []
    obs = getObservation(OBSID, useHsa=True)
    assert (obs.obsid, obs.instrument) == (OBSID, "SPIRE")
    assert "extdPSW" in obs.level2.refs
    image = obs.level2.refs["extdPSW"].product
    assert isinstance(image, SimpleImage)
    assert image.image.max() > 0
    assert image.meta["obsid"].value == OBSID
    asked = len(server.requests)
    assert getObservation(hex(OBSID), useHsa=True).obsid == OBSID
    assert getObservation(OBSID, instrument="spire").obsid == OBSID
    assert len(server.requests) == asked, "what is here is not fetched again"
    with pytest.raises(NotFound):
        getObservation(OBSID, instrument="HIFI")
    out = exportObservation(
        pool="hsa", urn="urn:hsa:herschel.ia.obs.ObservationContext:0", dirout=str(tmp_path / "out")
    )
    assert out == str(tmp_path / "out" / str(OBSID))
    (sent,) = folder.rglob(str(OBSID))
    assert content(Path(out)) == content(sent)
    assert content(tmp_path / "out") == content(sent.parent)


def test_into_a_pool_of_its_own(archive: tuple[Behaviour, Path]) -> None:
    obs = getObservation(OBSID, useHsa=True, poolName="mine", save=True)
    assert PoolManager.getIDList() == ["mine"]
    obs.level2.refs["extdPSW"].product.image[0, 0] = 12345.0
    ref = saveObservation(obs, poolName="mine")
    assert (ref.version, ref.product.level2.refs["extdPSW"].version) == (1, 1)
    whole = ref.totalSize
    again = getObservation(OBSID)
    assert again.level2.refs["extdPSW"].product.image.max() == 12345.0
    other = saveObservation(again, poolName="other", saveCalTree=True)
    assert other.totalSize == whole
    assert other.product.level2.refs["extdPSW"].product.image.max() == 12345.0
    with pytest.raises(NotFound):
        getObservation(OBSID, poolName="empty")


def test_without_a_network(archive: tuple[Behaviour, Path]) -> None:
    server, _ = archive
    server.files.clear()
    with pytest.raises(SkypoolError):
        getObservation(OBSID, useHsa=True)
    assert not PoolManager.hasPool("mine")


def test_from_a_path(archive: tuple[Behaviour, Path], tmp_path: Path) -> None:
    _, folder = archive
    (place,) = folder.rglob(str(OBSID))
    for path in (place, tmp_path / "sent.tar"):
        assert "extdPSW" in getObservation(OBSID, path=str(path)).level2.refs
    with pytest.raises(UsageError, match="not both"):
        getObservation(OBSID, path=str(place), poolLocation=str(tmp_path))
    sp.Pool(tmp_path / "pool").add(place)
    assert getObservation(OBSID, path=str(tmp_path / "pool")).obsid == OBSID
    for descriptor in folder.rglob("*ObservationContext*.xml"):
        assert getObservation(path=str(descriptor)).obsid == OBSID


def test_added_observations_are_found(home: Path, tmp_path: Path) -> None:
    for name in ("parallel-pacs", "parallel-spire", "pacs-slices"):
        if name in SAMPLES:
            download(tmp_path / name, SAMPLES[name], levels=(), beside=True)
            sp.Pool("added").add(tmp_path / name)
    storage = ProductStorage("added")
    refs = storage.select(MetaQuery(ObservationContext, "p", "1"))
    assert {ref.product.instrument for ref in refs} == {"PACS", "SPIRE"}
    both = SAMPLES["parallel-pacs"].obsid
    with pytest.raises(Ambiguous, match="More than one observation"):
        getObservation(both)
    pacs = getObservation(both, instrument="PACS")
    assert pacs.instrument == "PACS"
    maps = storage.select(FullQuery(SimpleImage, "i", "max(i.image) > -1e30"))
    assert maps.size() > 0
    assert not maps.errors
