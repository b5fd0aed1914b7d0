"""Files that a browser sends: whole or not at all, within their folder, and gone afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from tests.server.test_jobs import LONG, Server

import skypool as sp
from skypool import errors
from skypool.server.uploads import Uploads, safe_parts
from skypool.testing import observation


@pytest.fixture
def server(pool: Path) -> Iterator[Server]:
    made = Server(pool)
    with made.client:
        yield made


@pytest.fixture
def uploads(server: Server) -> Uploads:
    return server.context.part(Uploads)


def begin(server: Server) -> str:
    return server.client.post("/api/v1/uploads").json()["upload"]


def put(server: Server, upload: str, path: str, content: bytes = b"x", **headers: str):
    address = f"/api/v1/uploads/{upload}/files/{quote(path, safe='/')}"
    return server.client.put(address, content=content, headers=headers)


def left(uploads: Uploads) -> list[Path]:
    base = Path(uploads._base)
    return [path for path in base.rglob("*") if path.is_file()] if base.exists() else []


def test_a_dropped_observation_is_added_whole(server, uploads, tmp_path):
    root = observation.write(tmp_path / "in", 0.01)
    upload = begin(server)
    files = [path for path in root.rglob("*") if path.is_file()]
    for file in files:
        sent = put(server, upload, f"{root.name}/{file.relative_to(root)}", file.read_bytes())
        assert sent.status_code == 200, sent.text
    assert sent.json()["files"] == len(files)
    assert sent.json()["bytes"] == sum(file.stat().st_size for file in files)
    job = server.do("add", upload=upload, pool="own", under="new", tags=["dropped"])
    pool = server.context.pools["own"]
    ref = pool["new/1342182452"]
    assert ref.kind == "ObservationContext"
    assert ref.tags == ("dropped",)
    assert job["result"]["names"] == ["new/1342182452"]
    for file in files:
        name = f"new/1342182452/{file.relative_to(root).as_posix()}"
        assert Path(pool[name].path).read_bytes() == file.read_bytes()
        assert pool[name].origin["path"] == root.name
    assert left(uploads) == []
    assert server.client.delete(f"/api/v1/uploads/{upload}").status_code == 404
    server.do("undo", job=job["id"])
    assert "new/1342182452" not in pool


def test_single_files_have_their_own_names(server):
    upload = begin(server)
    put(server, upload, "notes.txt", b"first")
    put(server, upload, "café.txt", "zwölf".encode())
    job = server.do("add", upload=upload, pool="own")
    pool = server.context.pools["own"]
    assert sorted(job["result"]["names"]) == ["café.txt", "notes.txt"]
    assert Path(pool["café.txt"].path).read_text() == "zwölf"


def test_adding_by_paths_of_the_server(server, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("text")
    job = server.do("add", paths=[str(file)], pool="own", message="by path")
    pool = server.context.pools["own"]
    assert pool.history()[0].message == "by path"
    assert pool["notes.txt"].origin["path"] == str(file)
    exec(job["code"]["python"], {"skypool": sp})  # nothing new: the same files
    missing = server.do("add", "failed", paths=[str(tmp_path / "none")], pool="own")
    assert missing["errors"][0]["code"] == "not_found"


HOSTILE = [
    "../escape", "a/../../escape", "a/..", "./a", "a//b", "/etc/passwd", "a/", "..", ".",
    "a\0b", "x" * 256, "/".join("a" * 70), "d/" * 2000 + "f",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_are_refused(server, uploads, path, tmp_path):
    upload = begin(server)
    address = f"/api/v1/uploads/{upload}/files/{quote(path, safe='')}"
    answer = server.client.put(address, content=b"x")
    assert answer.status_code in (400, 404, 405)
    assert left(uploads) == []
    assert not Path(uploads._base).parent.joinpath("escape").exists()


@given(st.text(max_size=60))
def test_any_path_stays_within_its_folder(path):
    base = "/some/folder"
    try:
        parts = safe_parts(path)
    except errors.UsageError:
        return
    whole = os.path.normpath(os.path.join(base, *parts))
    assert whole == os.path.join(base, *parts)
    assert whole.startswith(base + "/")


def test_a_file_is_no_folder(server, uploads):
    upload = begin(server)
    assert put(server, upload, "a", b"file").status_code == 200
    assert put(server, upload, "a/b").status_code == 400
    assert put(server, upload, "c/d").status_code == 200
    assert put(server, upload, "c").status_code == 400
    assert uploads[upload].files == 2
    assert put(server, upload, "a", b"longer file").json()["bytes"] == 12


def test_a_file_is_left_out_again(server, uploads):
    upload = begin(server)
    for path in ("kept.txt", "folder/inner/out.txt", "folder/stays.txt"):
        assert put(server, upload, path, b"four").status_code == 200
    files = f"/api/v1/uploads/{upload}/files/"
    told = server.client.delete(files + "folder/inner/out.txt").json()
    assert (told["files"], told["bytes"]) == (2, 8)
    assert server.client.delete(files + "folder/inner/out.txt").json() == told
    assert server.client.delete(files + quote("../x", safe="")).status_code == 400
    assert sorted(path.name for path in left(uploads)) == ["kept.txt", "stays.txt"]
    server.client.delete(files + "folder/stays.txt")
    job = server.do("add", upload=upload, pool="own")
    assert job["result"]["count"] == 1  # no empty folder is left to be added
    assert server.client.delete(files + "kept.txt").status_code == 404


def test_cut_uploads_leave_nothing(server, uploads):
    upload = uploads.new()

    async def cut():
        yield b"a part"
        raise ClientDisconnect

    async def short():
        yield b"a part"

    for content, size in ((cut(), 100), (cut(), None), (short(), 100)):
        with pytest.raises(errors.UsageError, match=r"cut off|were said to"):
            anyio.run(uploads.receive, upload, "a.fits", content, size)
    assert left(uploads) == []
    assert (upload.files, upload.bytes) == (0, 0)
    refused = server.post("add", 400, upload=upload.id, pool="own")
    assert "nothing was uploaded" in refused["message"]


def test_limits(server, uploads):
    uploads.most_bytes, uploads.most_files = 10, 2
    upload = begin(server)
    assert put(server, upload, "a", b"x" * 11).status_code == 413
    assert put(server, upload, "a", b"x" * 6).status_code == 200
    assert put(server, upload, "b", b"x" * 6).status_code == 413
    assert put(server, upload, "b", b"x" * 3).status_code == 200
    assert put(server, upload, "c", b"").status_code == 413
    assert sorted(path.name for path in left(uploads)) == ["a", "b"]


def test_a_full_disk_is_told(server, uploads, monkeypatch):
    upload = begin(server)
    full = SimpleNamespace(free=1000)
    monkeypatch.setattr("skypool.server.uploads.shutil.disk_usage", lambda path: full)
    answer = put(server, upload, "a", b"x" * 2000)
    assert answer.json()["error"]["code"] == "disk_full"
    assert left(uploads) == []


def test_giving_up(server, uploads):
    upload = begin(server)
    put(server, upload, "a")
    assert server.client.delete(f"/api/v1/uploads/{upload}").status_code == 200
    assert left(uploads) == []
    assert put(server, upload, "a").status_code == 404
    assert put(server, "nothing", "a").status_code == 404


def test_an_upload_is_added_once_and_closed_then(server, uploads):
    upload = begin(server)
    put(server, upload, "a.txt", b"text")
    uploads.take(upload)
    assert put(server, upload, "b").status_code == 409
    assert server.client.delete(f"/api/v1/uploads/{upload}").status_code == 409
    assert server.post("add", 409, upload=upload, pool="own")["code"] == "conflict"


def test_cancel_of_an_add_leaves_no_half(server, uploads, monkeypatch):
    pool = server.context.pools["own"]
    before, head = {ref.name for ref in pool.ls()}, pool.view.at
    upload = begin(server)
    for number in range(5):
        put(server, upload, f"f/{number}.bin", os.urandom(200_000))
    begun, go = threading.Event(), threading.Event()
    from skypool.server.jobs import Job

    progress = Job.progress

    def waits(self, given):
        begun.set()
        assert go.wait(LONG)
        progress(self, given)

    monkeypatch.setattr(Job, "progress", waits)
    key = server.post("add", upload=upload, pool="own")["id"]
    assert begun.wait(LONG)
    server.client.delete(f"/api/v1/jobs/{key}")
    go.set()
    assert server.jobs[key].wait(LONG)
    assert server.jobs[key].state == "cancelled"
    assert pool.view.at == head
    assert {ref.name for ref in pool.ls()} == before
    assert left(uploads) == []
    assert pool.verify().problems == []


def test_what_nobody_takes_goes_with_the_server(pool):
    server = Server(pool)
    with server.client:
        uploads = server.context.part(Uploads)
        put(server, begin(server), "a")
        assert left(uploads)
    assert left(uploads) == []


def test_old_uploads_are_given_up(server, uploads):
    old = begin(server)
    put(server, old, "a")
    uploads[old].touched -= 10**9
    begin(server)
    assert put(server, old, "b").status_code == 404
