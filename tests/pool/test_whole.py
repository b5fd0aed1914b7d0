"""All files at once, lists of check sums, and bags."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool.errors import Conflict, NotFound, UsageError
from skypool.pool.manifests import ListedFile, read_manifest, write_line


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "obs"
    (folder / "level2").mkdir(parents=True)
    (folder / "empty").mkdir()
    rng = np.random.default_rng(5)
    for name in ("PSW.fits", "PMW.fits"):
        pixels = rng.normal(size=(40, 50)).astype("float32")
        fits.PrimaryHDU(pixels).writeto(folder / "level2" / name)
    packed = gzip.compress((folder / "level2" / "PSW.fits").read_bytes(), 7, mtime=0)
    (folder / "level2" / "PSW.fits.gz").write_bytes(packed)
    (folder / "notes with blanks.txt").write_text("a note\n")
    (folder / "back\\slash\nand line").write_text("odd")
    (folder / "100%.txt").write_text("per cent")
    return folder


@pytest.fixture
def pool(tmp_path: Path, source: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(source)
        yield pool


def sums(folder: Path, algorithm: str = "sha256") -> dict[str, str]:
    return {name: hashlib.new(algorithm, data).hexdigest() for name, data in tree(folder).items()}


def test_every_file_of_every_name_comes_back(pool: sp.Pool, source: Path, tmp_path: Path) -> None:
    report = pool.export_all(tmp_path / "out")
    assert tree(tmp_path / "out" / "obs") == tree(source)
    assert (tmp_path / "out" / "obs" / "empty").is_dir()
    assert (report.files, report.kept, report.moved, report.inexact) == (6, 0, [], [])
    assert report.bytes == sum(map(len, tree(source).values()))


def test_an_interrupted_export_goes_on(pool: sp.Pool, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pool.export_all(out)
    (out / "obs" / "level2" / "PMW.fits").unlink()
    (out / "obs" / "level2" / "PSW.fits.gz").unlink()
    report = pool.export_all(out)
    assert (report.files, report.kept) == (2, 4)
    assert tree(out / "obs") == tree(source)


def test_an_interrupted_export_of_what_is_no_file_goes_on(tmp_path: Path) -> None:
    """Products of memory, and gzip files that are packed to other bytes here."""
    packed = b"".join(  # members of a kind that zlib here does not make
        gzip.compress(bytes([n]) * 40000, 1, mtime=n) for n in range(3)
    )
    (tmp_path / "a.bin.gz").write_bytes(packed)
    out = tmp_path / "out"
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(tmp_path / "a.bin.gz", name="a.bin.gz")
        for n in range(3):
            pool.save(sp.Product(datasets={"image": np.full((9, 9), n)}), name=f"maps/{n}")
        pool.export_all(out)
        (out / "maps" / "1.fits").unlink()
        (out / "maps" / f".skypool-{'0a' * 16}.tmp").write_bytes(b"killed while it wrote this")
        before = tree(out)
        report = pool.export_all(out)
        assert (report.files, report.kept) == (1, 3)
        assert sorted(tree(out)) == ["a.bin.gz", *(f"maps/{n}.fits" for n in range(3))]
        assert {name: data for name, data in before.items() if "tmp" not in name}.items() <= (
            tree(out).items()
        )
        (out / "maps" / "1.fits").write_bytes((out / "maps" / "2.fits").read_bytes())
        with pytest.raises(Conflict, match="another file"):
            pool.export_all(out)


def test_other_files_are_not_overwritten_unasked(
    pool: sp.Pool, source: Path, tmp_path: Path
) -> None:
    place = tmp_path / "out" / "obs" / "level2" / "PMW.fits"
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    with pytest.raises(Conflict, match="another file"):
        pool.export_all(tmp_path / "out")
    assert place.read_text() == "mine"
    same_size = bytearray((source / "level2" / "PMW.fits").read_bytes())
    same_size[-1] ^= 1
    place.write_bytes(same_size)
    with pytest.raises(Conflict):
        pool.export_all(tmp_path / "out")
    pool.export_all(tmp_path / "out", overwrite=True)
    assert tree(tmp_path / "out" / "obs") == tree(source)


def test_products_of_memory_and_names_in_each_others_way(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("a note")
    with sp.Pool(tmp_path / "pool") as pool:
        image = sp.Product(datasets={"image": np.arange(6.0).reshape(2, 3)})
        pool.save(image, name="maps/a")
        pool.add(note, name="x")
        pool.add(note, name="x/y")  # x is a file, and above a file
        pool.save(image, name="z")
        pool.add(note, name="z.fits")  # what z would be called
        report = pool.export_all(tmp_path / "out")
        assert sorted(tree(tmp_path / "out")) == ["maps/a.fits", "x/y", "x@0", "z.fits", "z@0.fits"]
        assert report.moved == [("x@0", "x"), ("z@0.fits", "z")]
        with fits.open(tmp_path / "out" / "z@0.fits") as hdus:
            assert np.array_equal(hdus["image"].data, np.arange(6.0).reshape(2, 3))
        assert {f.path for f in pool.manifest()} == set(tree(tmp_path / "out"))


def test_the_newest_versions_or_those_of_then(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with sp.Pool(tmp_path / "pool") as pool:
        for text in ("one", "two"):
            path.write_text(text)
            pool.add(path, name="a.txt", as_version=True)
        pool.export_all(tmp_path / "now")
        pool.at(1).export_all(tmp_path / "then")
    assert (tmp_path / "now" / "a.txt").read_text() == "two"
    assert (tmp_path / "then" / "a.txt").read_text() == "one"


def test_a_pool_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        sp.Pool(tmp_path / "none").export_all(tmp_path / "out")


# -- lists


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5", "sha1"])
def test_lists_are_those_of_the_files(pool: sp.Pool, source: Path, algorithm: str) -> None:
    found = {file.path: file.digest for file in pool.manifest("obs", algorithm=algorithm)}
    assert found == {f"obs/{name}": one for name, one in sums(source, algorithm).items()}
    assert all(file.exact for file in pool.manifest("obs"))


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sha256sum_reads_our_lists_and_we_read_its(
    pool: sp.Pool, source: Path, tmp_path: Path
) -> None:
    pool.export_all(tmp_path / "out")
    ours = tmp_path / "ours"
    ours.write_bytes(b"".join(write_line(file) for file in pool.manifest()))
    command = ["sha256sum", "-c", "--quiet", "--strict", ours]
    subprocess.run(command, cwd=tmp_path / "out", check=True, timeout=60)
    for options in ((), ("--tag",), ("--binary",)):
        names = ["./" + name for name in sorted(tree(source))]
        done = subprocess.run(
            ["sha256sum", *options, "--", *names],
            cwd=source, check=True, timeout=60, capture_output=True,
        )  # fmt: skip
        theirs = tmp_path / "theirs"
        theirs.write_bytes(done.stdout)
        report = pool.check_manifest(theirs, below="obs")
        assert report.complete
        assert (report.checked, report.extra) == (6, [])


def test_what_is_missing_and_different_is_told(pool: sp.Pool, source: Path, tmp_path: Path) -> None:
    (source / "level2" / "PMW.fits").write_text("changed")
    (source / "new.txt").write_text("not added")
    (source / "100%.txt").unlink()
    lines = [write_line(ListedFile(name, digest)) for name, digest in sums(source).items()]
    listed = tmp_path / "list"
    listed.write_bytes(b"# a comment\n\n" + b"".join(lines))
    report = pool.check_manifest(listed, below="obs")
    assert not report.complete
    assert report.checked == 4
    assert report.missing == ["obs/new.txt"]
    assert report.different == ["obs/level2/PMW.fits"]
    assert report.extra == ["obs/100%.txt"]


@given(paths=st.sets(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)))
@settings(deadline=None)
def test_lists_come_back(tmp_path_factory: pytest.TempPathFactory, paths: set[str]) -> None:
    files = [
        ListedFile(path, hashlib.sha256(path.encode()).hexdigest())
        for path in sorted(paths)
        if not path.startswith("./") and path.strip()
    ]
    listed = tmp_path_factory.mktemp("list") / "list"
    listed.write_bytes(b"".join(map(write_line, files)))
    assert read_manifest(str(listed)) == ("sha256", files)


@given(content=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_a_list_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    listed = tmp_path_factory.mktemp("list") / "list"
    listed.write_bytes(content)
    try:
        read_manifest(str(listed))
    except UsageError as error:
        assert str(listed) in error.message or "goes by" in error.message


def test_lists_that_are_none(pool: sp.Pool, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match="proves nothing"):
        pool.check_manifest(tmp_path / "empty")
    with pytest.raises(NotFound, match="no list"):
        pool.check_manifest(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no bag"):
        pool.check_manifest(tmp_path)
    mixed = tmp_path / "mixed"
    mixed.write_text(f"{'0' * 64}  a\n{'0' * 32}  b\n")
    with pytest.raises(UsageError, match="none of sha256"):
        pool.check_manifest(mixed)
    with pytest.raises(UsageError, match="goes by"):
        list(pool.manifest(algorithm="crc7"))
    with pytest.raises(NotFound):
        list(pool.manifest("nothing"))


# -- bags


def test_a_bag_is_as_rfc_8493_says(pool: sp.Pool, source: Path, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    pool.export_all(bag, bag=True)
    assert tree(bag / "data" / "obs") == tree(source)
    assert (bag / "bagit.txt").read_bytes() == (
        b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    )
    size = sum(map(len, tree(source).values()))
    assert f"Payload-Oxum: {size}.6\n" in (bag / "bag-info.txt").read_text()
    for listing in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        for line in (bag / listing).read_text().splitlines():
            digest, path = line.split("  ", 1)
            path = path.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
            assert hashlib.sha256((bag / path).read_bytes()).hexdigest() == digest
    assert len((bag / "manifest-sha256.txt").read_text().splitlines()) == 6
    with pytest.raises(Conflict, match="not empty"):
        pool.export_all(bag, bag=True)


def test_a_bag_of_somebody_else_is_proven(pool: sp.Pool, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    pool.export_all(bag, bag=True)
    assert pool.check_manifest(bag).checked == 6
    pool.remove("obs/100%.txt")
    report = pool.check_manifest(bag)
    assert report.missing == ["obs/100%.txt"]


def test_an_interrupted_bag_goes_on_and_has_nothing_else(pool: sp.Pool, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    pool.save(sp.Product(datasets={"image": np.zeros((9, 9))}), name="made")
    pool.export_all(bag, bag=True)
    wanted = tree(bag)
    (bag / "bagit.txt").unlink()
    (bag / "data" / "removed meanwhile").write_text("of an earlier state")
    with pytest.raises(Conflict, match="removed meanwhile is no file of the pool\n"):
        pool.export_all(bag, bag=True)
    (bag / "data" / "removed meanwhile").unlink()
    pool.export_all(bag, bag=True)
    assert tree(bag) == wanted


def test_only_the_escapes_of_bags_are_ones(tmp_path: Path) -> None:
    """Other programs leave `%2B` as it is, and RFC 8493 has no such escape."""
    (tmp_path / "src").mkdir()
    for name in ("map%2Bnoise.fits", "100%25.txt", "a\nb", "+"):
        (tmp_path / "src" / name).write_text(name)
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(tmp_path / "src")
        pool.export_all(tmp_path / "bag", bag=True)
        listing = tmp_path / "bag" / "manifest-sha256.txt"
        assert pool.check_manifest(tmp_path / "bag").complete
        listing.write_text(listing.read_text().replace("%252B", "%2B").replace("%0A", "%0a"))
        assert pool.check_manifest(tmp_path / "bag").complete
