"""The gzip wrapper: content out, the same bytes back, and what is damaged says so."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool.formats.gzip as module
from skypool.codec.sinks import MemorySink, MemorySource
from skypool.errors import UsageError
from skypool.formats.gzip import is_gzip, open_gzip, rewrap
from skypool.formats.parsing import NotUnderstood

CONTENT = np.random.default_rng(1).normal(size=40_000).astype(">f4").tobytes() + b"text " * 3000


def packed(content=CONTENT, level=6, memory=8, header=b"\x1f\x8b\x08\0\0\0\0\0\0\x03", tail=b""):
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15, memory)
    stream = deflate.compress(content) + deflate.flush()
    sums = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return header + stream + sums + tail


def round_trip(data, mode="exact"):
    sink = MemorySink()
    with open_gzip(MemorySource(data)) as opened:
        content = opened.content.pread(0, opened.content.size)
        wrapper = opened.wrapper(sink, mode)
    pieces = [content[n : n + 7000] for n in range(0, len(content), 7000)]
    made = rewrap(pieces, wrapper, sink.fetch)
    return content, wrapper, b"".join(made), made.exact


@pytest.mark.parametrize("level", range(1, 10))
@pytest.mark.parametrize("memory", [8, 9])
def test_the_parameters_of_zlib_are_found(level, memory):
    data = packed(level=level, memory=memory)
    content, wrapper, made, exact = round_trip(data)
    assert content == CONTENT
    assert "stream" not in wrapper
    assert made == data
    assert exact


def test_name_comment_extra_field_and_bytes_behind():
    flags = 4 | 8 | 16 | 2
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\1\2\3\4\2\x03"
    header += b"\3\0abc" + b"a name.fits\0" + b"a comment\0" + b"\xaa\xbb"
    data = packed(header=header, tail=b"\0" * 100 + b"junk")
    content, wrapper, made, exact = round_trip(data)
    assert (content, made, exact) == (CONTENT, data, True)
    assert "level" in wrapper


def test_streams_that_zlib_does_not_give_are_kept():
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    stream = deflate.compress(CONTENT[:1000]) + deflate.flush(zlib.Z_FULL_FLUSH)
    stream += deflate.compress(CONTENT[1000:]) + deflate.flush()
    sums = struct.pack("<II", zlib.crc32(CONTENT), len(CONTENT))
    data = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + stream + sums
    content, wrapper, made, exact = round_trip(data)
    assert (content, made, exact) == (CONTENT, data, True)
    assert "stream" in wrapper


def test_several_members_are_one_content():
    data = packed(b"one ") + packed(b"two ") + gzip.compress(b"three")
    content, wrapper, made, exact = round_trip(data)
    assert (content, made, exact) == (b"one two three", data, True)
    assert "stream" in wrapper


@pytest.mark.parametrize("content", [b"", b"x", bytes(3_000_000)])
def test_short_empty_and_monotonous_content(content):
    data = gzip.compress(content, 9, mtime=0)
    assert round_trip(data) == (content, round_trip(data)[1], data, True)


def test_only_the_content_is_kept_where_that_is_wanted():
    data = packed(level=3)
    content, wrapper, made, exact = round_trip(data, "content")
    assert set(wrapper) == {"is", "size", "hash"}
    assert gzip.decompress(made) == content
    assert not exact
    with pytest.raises(UsageError, match="none of"):
        round_trip(data, "most")


def test_another_zlib_is_noticed():
    sink = MemorySink()
    with open_gzip(MemorySource(packed())) as opened:
        wrapper = opened.wrapper(sink) | {"level": 2}
    made = rewrap([CONTENT], wrapper, sink.fetch)
    assert gzip.decompress(b"".join(made)) == CONTENT
    assert not made.exact


def test_large_content_goes_to_a_temporary_file(monkeypatch):
    monkeypatch.setattr(module, "_IN_MEMORY", 10_000)
    content, _, made, exact = round_trip(packed())
    assert (content, made, exact) == (CONTENT, packed(), True)


GOOD = packed()
BAD = {
    "cut in the stream": (GOOD[:-200], "cut short"),
    "cut in the sums": (GOOD[:-3], "last 8 bytes"),
    "cut in the header": (GOOD[:7], "within its header"),
    "cut in a name": (b"\x1f\x8b\x08\x08\0\0\0\0\0\x03name", "within its header"),
    "wrong sum": (GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:], "check sum"),
    "wrong length": (GOOD[:-1] + b"\x7f", "check sum"),
    "damaged": (GOOD[:10] + b"\xff" * 20 + GOOD[30:], "damaged"),
    "unknown flags": (b"\x1f\x8b\x08\xe0" + GOOD[4:], "unknown flags"),
    "no gzip": (b"plain text", "no magic"),
    "second member cut": (GOOD + GOOD[:500], "cut short"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said(case):
    data, reason = BAD[case]
    with pytest.raises(NotUnderstood, match=reason):
        open_gzip(MemorySource(data))


@settings(max_examples=60)
@given(st.binary(max_size=3000), st.integers(1, 9), st.sampled_from([8, 9]), st.binary(max_size=20))
def test_any_content(content, level, memory, tail):
    tail = b"" if is_gzip(tail) else tail
    data = packed(content, level, memory, tail=tail)
    found, _, made, exact = round_trip(data)
    assert (found, made, exact) == (content, data, True)


def test_what_python_and_its_command_line_write():
    stream = io.BytesIO()
    with gzip.GzipFile("name.fits", "wb", 9, stream) as file:
        for start in range(0, len(CONTENT), 1000):
            file.write(CONTENT[start : start + 1000])
    _, wrapper, made, exact = round_trip(stream.getvalue())
    assert made == stream.getvalue()
    assert exact
    assert wrapper["level"] == 9
