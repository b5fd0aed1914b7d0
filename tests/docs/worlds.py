"""What pages find when they are run: files, pools and names."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skypool as sp

World = Callable[[Path, pytest.MonkeyPatch], Any]


def image(seed: int, **cards: Any) -> fits.PrimaryHDU:
    """Make an image with a WCS round M 83, three arc seconds a pixel."""
    rng = np.random.default_rng(seed)
    hdu = fits.PrimaryHDU(rng.normal(size=(240, 240)).astype(">f4"))
    header = {
        "OBJECT": "M83", "INSTRUME": "SPIRE", "BUNIT": "Jy/beam", "OBSID": 1342182452,
        "DATE-OBS": "2009-08-19T19:44:00", "OD": 98, "TYPE": "PXMP",
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 204.2538, "CRVAL2": -29.8657,
        "CRPIX1": 120.5, "CRPIX2": 120.5, "CDELT1": -1 / 1200, "CDELT2": 1 / 1200,
        "CUNIT1": "deg", "CUNIT2": "deg",
    }  # fmt: skip
    hdu.header.update(header | cards)
    return hdu


def write(path: Path, seed: int, **cards: Any) -> Path:
    """Write a map with its errors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    map_ = image(seed, **cards)
    error = fits.ImageHDU(np.abs(map_.data) / 10, map_.header, name="error")
    fits.HDUList([map_, error]).writeto(path, overwrite=True)
    return path


def maps(folder: Path) -> None:
    """Write the folder of an observation, and files beside it."""
    for seed, (band, wavelength) in enumerate({"PSW": 250.0, "PMW": 350.0, "PLW": 500.0}.items()):
        path = folder / f"1342182452/level2/{band}.fits"
        write(path, seed, WAVELNTH=wavelength, BAND=band)
    (folder / "1342182452/notes.txt").write_text("seeing was fine\n")
    write(folder / "map.fits", 7)
    write(folder / "other.fits", 8, OBJECT="NGC6543")
    (folder / "mine.csv").write_text("obsid\n1342182452\n1342182453\n")
    (folder / "catalogue.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, unit: deg, datatype: float64}\n"
        "# - {name: dec, unit: deg, datatype: float64}\nra dec\n204.2538 -29.8657\n10.0 20.0\n"
    )
    Table({"ra": [204.25, 204.27], "flux": [1.5, 0.7]}).write(folder / "sources.fits")
    with tarfile.open(folder / "1342182452.tar", "w") as archive:
        archive.add(folder / "1342182452", "1342182452")


@contextmanager
def nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Nothing at all: the page makes what it needs."""
    yield {}


@contextmanager
def files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Files of a user, and no pool."""
    maps(folder)
    yield {}


@contextmanager
def disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A folder as it grows over the years."""
    write(folder / "old/map_v1.fits", 7)
    write(folder / "old/map_v2_final.fits", 8)
    shutil.copy(folder / "old/map_v1.fits", folder / "old/copy_of_map_v1.fits")
    (folder / "old/README").write_text("v1 went into paper I\n")
    yield {}


@contextmanager
def reader(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Files of a user, and the reader that was written from the text of the format."""
    maps(folder)
    shutil.copy(Path(__file__).parents[1] / "format/reader.py", folder)
    monkeypatch.syspath_prepend(str(folder))
    yield {}
    sys.modules.pop("reader", None)


@contextmanager
def observation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An observation as the archive sends it."""
    from skypool.testing.observation import write as observe

    observe(folder, 0.02)
    yield {}


@contextmanager
def shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Files of a user, and the pools that examples of the command line speak of."""
    maps(folder)
    survey = folder / "survey-files"
    for seed in range(3):
        write(survey / f"field-{seed}.fits", 20 + seed)
    home = folder.parent
    elsewhere = home.parent / "elsewhere"
    shutil.copytree(survey, elsewhere / "data/survey")
    shutil.copytree(survey, home / "data")
    (folder / "script.py").write_text("import sys\nprint 'obsids:', sys.argv[1:]\n")
    (home / ".config/fish/completions").mkdir(parents=True)
    with sp.Pool("default") as pool:
        pool.add(["1342182452", write(folder / "PSW.fits", 0), folder / "sources.fits"])
        for seed in range(4):
            write(folder / "m83.fits", 30 + seed)
            pool.add("m83.fits", under="maps", message=f"calibration {seed}")
        pool.tag(pool["maps/m83.fits@0"], "using cal v1")
        pool.add(survey, name="survey")
        write(elsewhere / "disk1/survey/deep.fits", 40)
        pool.add(str(elsewhere / "disk1/survey"), name="deep", in_place=True)
        shutil.copytree(elsewhere / "disk1/survey", elsewhere / "disk2/survey")
        pool.save(sp.Product(kind="SimpleImage", type="HPPPMAPBS",
                             datasets={"image": np.ones((8, 8), "f4")}))  # fmt: skip
        (folder / "m83.fits").unlink()
        lines = io.StringIO()
        for line in pool.manifest(algorithm="md5"):
            if line.path.startswith("survey/"):
                lines.write(f"{line.digest}  {line.path.removeprefix('survey/')}\n")
        (folder / "survey.md5").write_text(lines.getvalue())
        place = Path(pool.info().path)
    with sp.Pool(str(elsewhere / "archive/survey")) as archive:
        archive.add(survey, name="survey")
    sp.clone(str(elsewhere / "archive/survey"), "survey").close()
    for name in ("of-anna", "copy"):
        sp.clone("default", str(elsewhere / "disk" / name)).close()
    for name in ("temp1", "./mine"):
        with sp.Pool(name) as other:
            other.add("other.fits")
    shutil.copytree(place, home / "copy-of-the-pool")
    yield {}


@contextmanager
def questions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The pool of the page, for its commands."""
    monkeypatch.setenv("SKYPOOL", "questions")
    yield {}


@contextmanager
def step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A pool on another disk, and a file that two people changed."""
    elsewhere = folder.parents[1] / "elsewhere"
    write(folder / "m83.fits", 1)
    write(folder / "anna/m83.fits", 2)
    write(folder / "bob/m83.fits", 3)
    with sp.Pool(str(elsewhere / "archive/survey")) as archive:
        archive.add("m83.fits", name="maps/m83")
    yield {}


@contextmanager
def convention(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A map of the archive in a pool."""
    from skypool.testing.herschel.archive import download
    from skypool.testing.herschel.samples import SAMPLES

    monkeypatch.setenv("SKYPOOL", "pool")
    with sp.Pool("pool") as pool:
        pool.add(download(folder / "download", SAMPLES["pacs-map"]))
        (ref, *_) = pool.find("type == 'HPPPMAPB'")
        pool.rename(ref, "maps/m83")
        ref = pool["maps/m83"]
        yield {"pool": pool, "ref": ref, "product": ref.product}


@contextmanager
def scripts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A script of HIPE."""
    (folder / "demo.py").write_text("print 'images found:', 3/2\n")
    yield {}


@contextmanager
def two_people(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A pool with two products."""
    with sp.Pool("pool") as pool:
        pool.save(sp.Product(meta={"n": 1}), name="maps/m83")
        ref = pool.save(sp.Product(meta={"n": 1}), name="b")
        yield {"pool": pool, "ref_b": ref, "product_a": sp.Product(meta={"n": 3})}


@contextmanager
def archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The archive of Herschel with an observation and a parallel-mode pair."""
    from tests.herschel.server import Behaviour, serving

    from skypool.files.herschel import Archive
    from skypool.testing.herschel.archive import download, pack
    from skypool.testing.herschel.samples import SAMPLES
    from skypool.testing.observation import write as observe

    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("SKYPOOL", "pool")
    demo = observe(folder / "made", 0.005)
    tar = pack(demo.parent, folder / "1342182452.tar").read_bytes()
    served = {f"1342182452 {name} ALL": tar for name in ("SPIRE", "PACS")}
    for name in ("parallel-pacs", "parallel-spire"):
        sample = SAMPLES[name]
        download(folder / name, sample)
        data = pack(folder / name, folder / f"{name}.tar").read_bytes()
        for level in ("ALL", "LEVEL2_5"):
            served[f"1342218995 {sample.instrument} {level}"] = data
    (fits_file,) = (demo / "level2" / "PSW").iterdir()
    served["/m83.fits"] = fits_file.read_bytes()
    behaviour = Behaviour(files=served, table="instrument_oid\n1\n2\n")
    with serving(behaviour) as server, sp.Pool("pool") as pool:
        place = Archive(f"{server.url}/data?", f"{server.url}/tap")
        monkeypatch.setattr(Archive, "configured", classmethod(lambda *_: place))
        yield {"pool": pool, "results": Table({"access_url": [f"{server.url}/m83.fits"]})}


@contextmanager
def programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A hub, programs that take what they get, and one that sends when it sees a receiver."""
    from tests.vo.conftest import LIMIT, Program, until

    from skypool.vo import sending
    from skypool.vo.lockfile import hub_variable, read_lockfile

    lock = folder / ".samp"
    monkeypatch.setenv("SAMP_HUB", hub_variable(str(lock)))
    senders: list[Any] = []
    monkeypatch.setattr(sending, "_default", senders)
    maps(folder)
    mtypes = ["image.load.fits", "table.load.fits", "coord.pointAt.sky",
              "table.highlight.row", "table.select.rowList"]  # fmt: skip
    done = threading.Event()
    with ExitStack() as stack:
        hub = stack.enter_context(
            subprocess.Popen([sys.executable, "-m", "skypool.vo.hub", "--stay"], env=os.environ)
        )
        stack.callback(hub.kill)
        until(lambda: read_lockfile(str(lock)), "the hub writes its lock file")
        made = {name: Program(name, mtypes) for name in ("ds9", "aladin", "topcat")}
        for program in made.values():
            stack.callback(program.client.disconnect)
        client = made["ds9"].client
        known = set(client.get_registered_clients())

        def give() -> None:
            while not done.wait(0.05):
                for ident in set(client.get_registered_clients()) - known:
                    if "image.load.fits" in client.get_subscriptions(ident):
                        url = (folder / "map.fits").as_uri()
                        client.notify(
                            ident, {"samp.mtype": "image.load.fits", "samp.params": {"url": url}}
                        )
                        return

        thread = threading.Thread(target=give)
        thread.start()
        stack.callback(thread.join, LIMIT)
        stack.callback(done.set)
        pool = stack.enter_context(sp.Pool("pool"))
        pool.add(["map.fits", "sources.fits"])
        for band in ("blue", "red"):
            pool.add("map.fits", name=f"m83/{band}")
        try:
            yield {"pool": pool, "ref": pool["sources.fits"]}
        finally:
            for sender in senders:
                sender.close()


@contextmanager
def mount(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Files of a user, and FUSE; nothing stays mounted."""
    from files.mounting import need, need_fuse

    need_fuse()
    need("rsync")
    maps(folder)
    place = folder.parent / "sky"
    try:
        yield {}
    finally:
        subprocess.run(["fusermount3", "-uz", str(place)], capture_output=True, check=False)


#: Worlds by file name of the page; all others start with nothing.
WORLDS: dict[str, World] = {
    "add.md": files,
    "command-line.md": shell,
    "export.md": files,
    "docs/index.md": files,
    "hcss-fits.md": convention,
    "herschel.md": archive,
    "mount.md": mount,
    "hipe-scripts.md": scripts,
    "python.md": observation,
    "questions.md": questions,
    "send.md": programs,
    "sharing.md": files,
    "space.md": files,
    "sync.md": step,
    "tag.md": files,
    "verify.md": files,
    "from-files.md": disk,
    "troubleshooting.md": files,
    "without-skypool.md": reader,
    "008-many-at-once.md": two_people,
}
#: Verbs that need more than a page has otherwise, and have it in the world of that page.
REALLY: dict[str, tuple[str, ...]] = {
    "herschel.md": ("herschel",),
    "mount.md": ("mount", "unmount"),
    "watch.md": ("watch",),
}
