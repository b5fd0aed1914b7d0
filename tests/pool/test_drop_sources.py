"""Content that an address or an archive has: dropped, and had from there again."""

from __future__ import annotations

import http.server
import io
import tarfile
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.errors import Conflict, Dropped

DATA = np.random.default_rng(1).bytes(400_000)
OTHER = np.random.default_rng(2).bytes(400_000)


class Server:
    """What a server on loopback has, and how it answers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/a.bin": DATA}
        self.ranges = True
        self.cut = 0  # bytes of the next reply that go out
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""


@contextmanager
def serving() -> Iterator[Server]:
    it = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            it.asked.append((self.path, self.headers.get("Range")))
            path = urllib.parse.urlsplit(self.path).path
            if path.startswith("/moved/"):
                self.send_response(302)
                self.send_header("Location", path.removeprefix("/moved"))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data, start = it.files.get(path), 0
            if data is None:
                self.send_error(404)
                return
            if it.ranges and self.headers.get("Range"):
                start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            end, it.cut = it.cut or len(data), 0
            self.wfile.write(data[start:end])
            self.close_connection = end < len(data)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    it.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield it
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as found:
        yield found


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        yield pool


def exported(pool: sp.Pool, name: str, folder: Path) -> bytes:
    path = folder / name.rpartition("/")[2]
    pool.export(name, folder)
    return path.read_bytes()


def packed(pool: sp.Pool) -> int:
    return sum(path.stat().st_size for path in Path(pool.path).glob("packs/*.pack"))


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("way", ["", "/moved"])
def test_an_address(pool: sp.Pool, server: Server, tmp_path: Path, ranges: bool, way: str) -> None:
    address = f"{server.url}{way}/a.bin"
    pool.add(address, name="a.bin")
    server.ranges, server.asked = ranges, []
    report = pool.drop("a.bin")
    assert (report.versions, report.places) == (1, [address])
    assert server.asked  # all of it is read again, there
    pool.gc(grace=0)
    assert packed(pool) < 20_000
    pool.reindex()
    assert pool["a.bin"].dropped == (address,)
    with pytest.raises(Dropped, match="can be had from") as caught:
        pool.export("a.bin", tmp_path / "out")
    assert caught.value.candidates == (address,)
    server.cut, server.asked = 250_000, []
    pool.bring_back("a.bin")
    continued = [asked for path, asked in server.asked if path == "/a.bin"]
    assert len(continued) == 2
    assert continued[0] is None
    assert continued[1] is not None
    assert exported(pool, "a.bin", tmp_path / "out") == DATA
    assert pool.verify().ok
    assert not list((pool.view.session.settings.cache / "downloads").rglob("*.bin"))


@pytest.mark.parametrize("now", [OTHER, DATA[:-1], DATA + b"more", None])
def test_an_address_that_has_something_else(
    pool: sp.Pool, server: Server, tmp_path: Path, now: bytes | None
) -> None:
    pool.add(f"{server.url}/a.bin", name="a.bin")

    def change() -> None:
        server.files = {} if now is None else {"/a.bin": now}

    change()
    why = "there is no http://" if now is None else "has other content"
    with pytest.raises(Conflict, match=rf"nothing was dropped: .*a\.bin@0.*\(.*{why}"):
        pool.drop("a.bin")
    assert pool["a.bin"].dropped == ()
    server.files = {"/a.bin": DATA}
    pool.drop("a.bin")
    pool.gc(grace=0)
    change()
    if now is None or not now.startswith(DATA):
        with pytest.raises(Dropped, match="cannot be had now") as caught:
            pool.bring_back("a.bin")
        assert caught.value.candidates == (f"{server.url}/a.bin",)
        assert pool["a.bin"].dropped
        assert pool.verify().ok
        server.files = {"/a.bin": DATA}
    # Where only more has been added to it, what was dropped is there still.
    assert pool.bring_back("a.bin").versions == 1
    assert exported(pool, "a.bin", tmp_path / "out") == DATA
    assert pool.verify().ok


def archive(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"obs/{name}.bin")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["obs.tar", "obs.tar.gz"])
def test_files_of_an_archive(pool: sp.Pool, tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / name, a=DATA, b=OTHER)
    pool.add(path)
    assert pool["obs/a.bin"].origin["path"] == str(path)
    assert pool["obs/a.bin"].origin["member"] == "obs/a.bin"
    report = pool.drop("name:obs")
    assert (report.versions, report.places) == (
        2,
        [f"file {path} (obs/a.bin in it)", f"file {path} (obs/b.bin in it)"],
    )
    pool.gc(grace=0)
    assert packed(pool) < 20_000
    with pytest.raises(Dropped):
        pool.export("obs/a.bin", tmp_path / "out")
    kept = path.read_bytes()
    archive(path, a=OTHER)
    with pytest.raises(Dropped, match="cannot be had now"):
        pool.bring_back("obs/a.bin")
    path.unlink()
    with pytest.raises(Dropped, match=r"cannot be had now: .*obs\.tar.* is gone"):
        pool.bring_back("obs/a.bin")
    path.write_bytes(kept[: len(kept) // 2])
    with pytest.raises(Dropped, match=r"cannot be unpacked|has other content|no place has"):
        pool.bring_back("name:obs")
    path.write_bytes(kept)
    assert pool.bring_back("name:obs").versions == 2
    assert exported(pool, "obs/a.bin", tmp_path / "out") == DATA
    assert exported(pool, "obs/b.bin", tmp_path / "out") == OTHER
    assert pool.verify().ok


def test_an_archive_from_an_address_is_fetched_once(
    pool: sp.Pool, server: Server, tmp_path: Path
) -> None:
    server.files = {"/obs.tar": archive(tmp_path / "obs.tar", a=DATA, b=OTHER).read_bytes()}
    (tmp_path / "obs.tar").unlink()
    pool.add(f"{server.url}/obs.tar")
    server.asked = []
    assert pool.drop("name:obs").versions == 2
    assert len(server.asked) == 1
    pool.gc(grace=0)
    server.asked = []
    assert pool.bring_back("name:obs").versions == 2
    assert len(server.asked) == 1
    assert exported(pool, "obs/b.bin", tmp_path / "out") == OTHER
