from __future__ import annotations

import pytest
from formats_help import imported, meta, rebuilt
from hypothesis import given
from hypothesis import strategies as st

from skypool.codec.sinks import MemorySource
from skypool.errors import UsageError
from skypool.formats.opaque import OpaqueFormat


@given(st.binary(max_size=5000), st.text(max_size=300))
def test_any_bytes_under_any_name_come_back(data: bytes, name: str) -> None:
    found, sink = imported(data, name)
    assert rebuilt(found.document["file"], sink) == data
    assert found.document["file"]["size"] == len(data) or "wrapper" in found.document["file"]


def test_an_empty_file() -> None:
    found, sink = imported(b"", "notes")
    assert found.reason is None
    assert found.document["kind"] == "File"
    assert found.document["file"]["segments"] == []
    assert rebuilt(found.document["file"], sink) == b""


def test_large_files_are_cut_into_blocks() -> None:
    data = bytes(range(256)) * 4096 * 3 + b"end"
    found, sink = imported(data, "raw.bin")
    (segment,) = found.document["file"]["segments"]
    assert segment["is"] == "bytes"
    assert segment["block"] == 1024**2
    assert len(sink.chunks) == 2  # the blocks are alike
    assert rebuilt(found.document["file"], sink) == data


def test_fixed_attributes_are_all_there() -> None:
    found, _ = imported(b"hello", "readme.txt")
    names = ("type", "creator", "description", "instrument", "modelName", "formatVersion")
    assert meta(found.document) == dict.fromkeys(names, "Unknown")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.fits.bz2", b"BZh91AY&SY rest", "bzip2-compressed FITS: kept as it is"),
        ("a.fits.Z", b"\x1f\x9d rest", "Unix compress (LZW)-compressed FITS: kept as it is"),
        ("a.tar.xz", b"\xfd7zXZ\0 rest", "xz-compressed file: kept as it is"),
        ("a.zip", b"PK\x03\x04 rest", "ZIP archive: kept as it is"),
        ("a.vot.zst", b"\x28\xb5\x2f\xfd rest", "zstd-compressed VOTable: kept as it is"),
        ("a.fits", b"no", "its name says FITS, its content is not"),
        ("a.h5", b"", "an empty file, although its name says HDF5"),
        ("a.csv", b"a,b\n1,2\n", None),
        ("a.xml", b"<html></html>", None),
    ],
)
def test_reasons(name: str, data: bytes, reason: str | None) -> None:
    found, sink = imported(data, name)
    assert found.document["kind"] == "File"
    assert found.reason == reason
    assert found.document["file"].get("reason") == reason
    assert rebuilt(found.document["file"], sink) == data


def test_there_is_nothing_to_open() -> None:
    with pytest.raises(UsageError):
        OpaqueFormat().open_array(None, {}, MemorySource(b""))
    with pytest.raises(UsageError):
        OpaqueFormat().open_table(None, {}, MemorySource(b""))
