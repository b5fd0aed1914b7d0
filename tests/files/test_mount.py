"""Pools that are really mounted, and the programs that people use on folders."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.errors import MissingDependency

from .mounting import SECONDS, Mounted, mounted, need, need_fuse, run, screen
from .test_tree import write_fits


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "mnt"
    folder.mkdir()
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    root = tmp_path / "obs"
    for n, name in enumerate(("level1/a.fits", "level2/PSW.fits", "level2/PMW.fits")):
        write_fits(root / name, n)
    write_fits(root / "large.fits", 5, 1500)
    (root / "notes.txt").write_text("seen twice\n")
    for path in root.rglob("*"):
        os.utime(path, ns=(1_600_000_000_123_456_789,) * 2)
    return root


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool", mode="x") as pool:
        yield pool


@pytest.fixture
def writing(pool: sp.Pool, place: Path) -> Iterator[Mounted]:
    with mounted(Path(pool.path), place, "--write") as found:
        yield found


def staged() -> list[Path]:
    """Return the files that mounts have in the cache."""
    cache = Path(os.environ["SKYPOOL_CACHE"])
    return [path for path in (cache / "mount").rglob("*") if path.is_file()]


def test_a_pool_is_a_folder(pool: sp.Pool, files: Path, place: Path, tmp_path: Path) -> None:
    need("rsync")
    pool.add(files, tags=["first"])
    with mounted(Path(pool.path), place) as mount:
        run("diff", "-r", files, place / "obs")
        shown = sorted(os.listdir(place))
        assert shown == ["@at", "@search", "@tags", "@versions", "obs"]
        run("cp", "-rp", place / "obs", tmp_path / "copied")
        run("diff", "-r", files, tmp_path / "copied")
        run("rsync", "-a", f"{place}/obs/", tmp_path / "synced")
        run("diff", "-r", files, tmp_path / "synced")
        assert run("rsync", "-rti", "--omit-dir-times", f"{files}/", tmp_path / "synced") == ""
        there, here = files / "large.fits", place / "obs/large.fits"
        assert here.stat().st_mtime_ns == there.stat().st_mtime_ns
        assert here.stat().st_blocks * 512 >= there.stat().st_size
        with fits.open(here, memmap=True) as found, fits.open(there) as wanted:
            cut = np.array(found[0].data[700:720, 100:130])
            assert np.array_equal(cut, wanted[0].data[700:720, 100:130])
        attributes = {name: os.getxattr(here, name).decode() for name in os.listxattr(here)}
        assert attributes["user.skypool.urn"] == pool["obs/large.fits"].urn
        assert os.getxattr(place / "obs", "user.skypool.tags") == b"first"
        with pytest.raises(OSError) as refused:
            (place / "new").write_text("x")
        assert refused.value.errno == errno.EROFS
        assert os.statvfs(place).f_blocks > 0
        # What another process saves is there when the file is opened, and all of it.
        assert (place / "obs/notes.txt").stat().st_size == 11
        (files / "notes.txt").write_text("seen twice, and this is longer\n")
        pool.add(files)
        assert (place / "obs/notes.txt").read_bytes() == (files / "notes.txt").read_bytes()
        old = place / "@versions/obs/notes.txt"
        assert sorted(os.listdir(old)) == ["notes@0.txt", "notes@1.txt"]
        assert (old / "notes@0.txt").read_text() == "seen twice\n"
        assert (place / "@tags/first/obs/notes.txt").read_text() == "seen twice\n"
        assert (place / "@search/kind == 'File'/obs/notes.txt").exists()
        assert mount.end() == ""
    assert os.listdir(place) == []


def test_programs_write_files(writing: Mounted, pool: sp.Pool, files: Path) -> None:
    need("rsync")
    place = writing.folder
    run("cp", files / "level2/PSW.fits", place / "PSW.fits")
    assert pool["PSW.fits"].version == 0  # saved when cp returns
    run("cp", files / "level2/PMW.fits", place / "PSW.fits")
    assert pool["PSW.fits"].version == 1
    run("cmp", files / "level2/PMW.fits", place / "PSW.fits")
    run("mv", place / "PSW.fits", place / "map.fits")
    assert [ref.version for ref in pool["map.fits"].versions] == [0, 1]
    run("cp", "-r", files, place / "all")
    run("diff", "-r", files, place / "all")
    before = len(pool.history())
    run("rsync", "-a", f"{files}/", place / "synced")
    run("diff", "-r", files, place / "synced")
    assert len(pool.history()) == before + 5
    assert run("rsync", "-ai", f"{files}/", place / "synced") == ""
    (files / "notes.txt").write_text("changed\n")
    run("rsync", "-a", f"{files}/", place / "synced")
    assert pool["synced/notes.txt"].version == 1
    assert len(pool.history()) == before + 6
    run("sed", "-i", "s/changed/again/", place / "synced/notes.txt")
    assert pool["synced/notes.txt"].version == 2
    run("sh", "-c", "{ cat all/notes.txt; cat synced/notes.txt; } > both", folder=place)
    assert pool["both"].version == 0
    assert (place / "both").read_text() == "seen twice\nagain\n"
    run("rm", "-r", place / "all")
    assert "all/notes.txt" not in pool
    assert pool.restore("all/notes.txt").name == "all/notes.txt"
    run("mkdir", "-p", place / "kept/empty")
    run("mv", "-n", place / "both", place / "map.fits", code=1 if mv_tells() else 0)
    assert (place / "both").exists()
    (place / ".hidden").write_text("x")
    run("touch", place / "touched")
    assert pool["touched"].size == 0
    said = writing.end()
    assert ".hidden" in said
    assert pool["kept/empty"].is_context
    assert ".hidden" not in pool
    assert staged() == []
    assert pool.verify().ok


def mv_tells() -> bool:
    """Say whether `mv -n` fails if it does not rename (coreutils from 9.2 on)."""
    version = run("mv", "--version").split("\n", 1)[0].split()[-1]
    major, minor = (int(part) for part in version.split(".")[:2])
    return (9, 2) <= (major, minor) < (9, 5) or (major, minor) >= (9, 5)


def test_times_are_told_as_they_were_set(
    writing: Mounted, pool: sp.Pool, files: Path, tmp_path: Path
) -> None:
    need("rsync")
    place, start = writing.folder, time.time() - 60
    run("touch", place / "new.txt")
    assert os.stat(place / "new.txt").st_mtime > start
    run("touch", "-d", "2001-02-03 UTC", place / "new.txt")
    assert os.stat(place / "new.txt").st_mtime == 981_158_400
    run("touch", "-a", "-d", "2011-02-03 UTC", place / "new.txt")
    assert os.stat(place / "new.txt").st_mtime == 981_158_400
    # The same content with another time is no version; once told, rsync has nothing to do.
    sync = ("rsync", "-ai", f"{files}/", f"{place}/obs")
    run(*sync)
    run("touch", "-d", "2021-02-03 UTC", files / "notes.txt")
    commits = len(pool.history())
    assert "notes.txt" in run(*sync)
    assert run(*sync) == ""
    assert len(pool.history()) == commits
    with pytest.raises(PermissionError):
        (place / "link").symlink_to("notes.txt")
    with pytest.raises(PermissionError):
        (place / "link").hardlink_to(place / "obs/notes.txt")


def test_astropy_writes_and_updates(writing: Mounted, pool: sp.Pool) -> None:
    path = writing.folder / "image.fits"
    data = np.arange(10_000, dtype=">f4").reshape(100, 100)
    fits.PrimaryHDU(data).writeto(path)
    with fits.open(path, mode="update", memmap=False) as hdus:
        hdus[0].header["OBJECT"] = "M83"
        hdus[0].data[3, 4] = -1
    with fits.open(path, mode="update") as hdus:  # larger: written beside, and renamed
        hdus.append(fits.ImageHDU(data, name="ERROR"))
        hdus[0].header.extend([(f"KEY{n}", n) for n in range(80)])
    ref = pool["image.fits"]
    assert ref.kind == "SimpleImage"
    assert ref.meta["object"].value == "M83"
    assert np.asarray(ref.product["image"])[3, 4] == -1
    with fits.open(path) as hdus:
        assert len(hdus) == 2
    assert [each.version for each in ref.versions][:3] == [0, 1, 2]
    assert os.listdir(writing.folder / "@search" / "has('KEY79')") == ["image.fits"]


def test_ds9_opens_what_is_mounted(
    pool: sp.Pool, files: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_fuse()
    need("ds9")
    pool.add(files)
    monkeypatch.setenv("HOME", str(tmp_path))
    with mounted(Path(pool.path), place), screen() as name:
        monkeypatch.setenv("DISPLAY", name)
        saved = tmp_path / "saved.fits"
        run("ds9", place / "obs/large.fits", "-save", "fits", saved, "-exit")
    assert np.array_equal(fits.getdata(saved), fits.getdata(files / "large.fits"))


def test_what_is_killed_leaves_a_whole_pool(
    pool: sp.Pool, place: Path, files: Path, tmp_path: Path
) -> None:
    with mounted(Path(pool.path), place, "--write") as mount:
        run("cp", files / "notes.txt", place / "notes.txt")
        half = os.open(place / "half.fits", os.O_WRONLY | os.O_CREAT)
        os.write(half, (files / "large.fits").read_bytes()[:1_000_000])
        assert staged()
        mount.process.send_signal(signal.SIGKILL)
        mount.process.wait(SECONDS)
        with pytest.raises(OSError):
            os.write(half, b"more")
        with pytest.raises(OSError):
            os.close(half)
        with pytest.raises(OSError):
            os.listdir(place)
        assert staged()
        # The dead mount is taken away, and what it left is cleaned.
        with mounted(Path(pool.path), place, "--write") as again:
            assert (place / "notes.txt").read_bytes() == (files / "notes.txt").read_bytes()
            assert not (place / "half.fits").exists()
            run("cp", files / "large.fits", place / "half.fits")
            again.end()
    assert staged() == []
    assert pool.verify().ok
    assert Path(pool["half.fits"].path).read_bytes() == (files / "large.fits").read_bytes()


def test_the_command_goes_on_in_the_background(pool: sp.Pool, place: Path, files: Path) -> None:
    need_fuse()
    pool.add(files)
    sky = [sys.executable, "-m", "skypool"]
    above, place = place, place / "new/er"
    try:
        said = run(*sky, "mount", pool.path, place)
        assert f"skypool unmount {place}" in said
        assert "was made" in said
        run("diff", "-r", files, place / "obs")
        assert "already" in run(*sky, "mount", pool.path, place, code=5)
        with open(place / "obs/notes.txt", "rb"):
            assert "a program uses" in run(*sky, "unmount", place, code=5)
        run(*sky, "unmount", place)
        assert os.listdir(above) == []
        assert staged() == []
        assert "nothing is mounted" in run(*sky, "unmount", place, code=4)
        assert "there are files" in run(*sky, "mount", pool.path, files, code=2)
        assert "empty text" in run(*sky, "mount", pool.path, "", code=2)
        assert "empty text" in run(*sky, "unmount", "", code=2)
        run(*sky, "mount", pool.path, place, "--write")
        run("cp", files / "notes.txt", place / ".notes.txt")
        found = json.loads(run(*sky, "--json", "unmount", place, code=3).splitlines()[0])
        assert ".notes.txt" in found["not_saved"][0]
        # Nobody reads what it says: it ends all the same, and what it has mounted stays.
        readable, writable = os.pipe()
        os.close(readable)
        words = [*sky, "mount", pool.path, str(place)]
        subprocess.run(words, stdout=writable, check=False, timeout=SECONDS)
        os.close(writable)
        run("diff", "-r", files, place / "obs")
        run(*sky, "unmount", place)
    finally:
        run("sh", "-c", f"fusermount3 -uz '{place}' 2>/dev/null || true")


def test_ctrl_c_unmounts(pool: sp.Pool, place: Path) -> None:
    with mounted(Path(pool.path), place, "--plain", "--write") as mount:
        assert os.listdir(place) == []
        (place / "a.txt").write_text("x")
        mount.process.send_signal(signal.SIGINT)
        assert mount.process.wait(SECONDS) == 0
        assert not os.path.ismount(place)
    assert pool["a.txt"].size == 1


def test_what_is_missing_is_named(
    pool: sp.Pool, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skypool.files.mount import mount

    monkeypatch.setitem(sys.modules, "mfusepy", None)
    with pytest.raises(MissingDependency, match="mfusepy") as error:
        mount(pool, str(place))
    assert "skypool[mount]" in error.value.hint
    assert "fuse3" in error.value.hint
    assert "--webdav" in error.value.hint
