"""Pools by WebDAV, asked by hand and by the programs that people use."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.errors import Conflict, ReadOnly, UsageError

pytest.importorskip("wsgidav", reason="needs wsgidav")
pytest.importorskip("cheroot", reason="needs cheroot")
WebdavServer = pytest.importorskip("skypool.files.webdav_server").WebdavServer

PASSWORD = "not so secret"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Client:
    """Asks a server."""

    port: int
    password: str = PASSWORD

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            token = base64.b64encode(f"skypool:{self.password}".encode()).decode()
            sent = {"Authorization": f"Basic {token}"} if self.password else {}
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            there = quote("/" + path, errors="surrogateescape")
            connection.request(method, there, body, sent)
            answer = connection.getresponse()
            found = {name.casefold(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def names(self, path: str) -> list[str]:
        answer = self.ask("PROPFIND", path, Depth="1")
        assert answer.status == 207, answer.body
        found = re.findall(r"<ns0:href>([^<]*)</ns0:href>", answer.body.decode())
        return [each.rstrip("/").rpartition("/")[2] for each in found[1:]]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    rng = np.random.default_rng(1)
    folder = tmp_path / "obs"
    (folder / "level2").mkdir(parents=True)
    image = rng.normal(size=(1024, 1024)).astype(">f4")
    fits.PrimaryHDU(image).writeto(folder / "level2" / "PSW.fits")
    (folder / "notes.txt").write_text("seen twice\n")
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(folder, tags=["first look"])
        pool.save(sp.Product(datasets={"image": np.ones((4, 5))}), name="maps/m83")
        yield pool


@pytest.fixture
def serve(pool: sp.Pool) -> Iterator[Callable[..., Client]]:
    running = []

    def start(**options: object) -> Client:
        options.setdefault("password", PASSWORD)
        server = WebdavServer(pool, **options)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        return Client(server.port, str(options["password"]))

    yield start
    for server, thread in running:
        server.close()
        thread.join(timeout=120)
        assert not thread.is_alive()


@pytest.fixture
def client(serve: Callable[..., Client]) -> Client:
    return serve(write=True)


def last(pool: sp.Pool) -> str:
    return pool.history()[0].message


# -- reading


def test_the_tree(serve: Callable[..., Client], tmp_path: Path) -> None:
    client = serve()
    assert client.names("") == ["%40at", "%40search", "%40tags", "%40versions", "maps", "obs"]
    assert client.names("obs") == ["level2", "notes.txt"]
    assert client.names("maps") == ["m83.fits"]
    assert client.names("@tags/first look") == ["obs"]
    assert client.names("@search/name == 'maps%2Fm83'") == ["maps"]
    path = tmp_path / "obs" / "level2" / "PSW.fits"
    answer = client.ask("GET", "obs/level2/PSW.fits")
    assert (answer.status, answer.body) == (200, path.read_bytes())
    assert answer.headers["content-type"] == "application/fits"
    assert client.ask("GET", "obs/nothing").status == 404
    made = client.ask("GET", "maps/m83.fits").body
    assert int(client.ask("HEAD", "maps/m83.fits").headers["content-length"]) == len(made)
    assert client.ask("PROPFIND", "", Depth="infinity").status == 403
    assert b"PSW.fits" in client.ask("GET", "obs/level2/").body  # a page, in a browser


def test_ranges_decode_only_their_chunks(
    serve: Callable[..., Client], pool: sp.Pool, tmp_path: Path
) -> None:
    client = serve()
    whole = (tmp_path / "obs" / "level2" / "PSW.fits").read_bytes()
    client.ask("HEAD", "obs/level2/PSW.fits")
    store = pool.view.session.store
    before = store.bytes_read
    answer = client.ask("GET", "obs/level2/PSW.fits", Range="bytes=2000000-2000999")
    assert (answer.status, answer.body) == (206, whole[2_000_000:2_001_000])
    assert answer.headers["content-range"] == f"bytes 2000000-2000999/{len(whole)}"
    assert store.bytes_read - before < len(whole) / 2
    assert client.ask("GET", "obs/level2/PSW.fits", Range="bytes=-10").body == whole[-10:]
    etag = answer.headers["etag"]
    assert client.ask("GET", "obs/level2/PSW.fits", If_None_Match=etag).status == 304


def test_nothing_changes_without_write(serve: Callable[..., Client], pool: sp.Pool) -> None:
    client = serve()
    commits = len(pool.history())
    asked = [
        ("PUT", "obs/new.txt", {}),
        ("PUT", "obs/notes.txt", {}),
        ("DELETE", "obs/notes.txt", {}),
        ("MKCOL", "obs/new", {}),
        ("MOVE", "obs/notes.txt", {"Destination": f"{client.url}obs/a.txt"}),
        ("COPY", "obs/notes.txt", {"Destination": f"{client.url}obs/a.txt"}),
    ]
    for method, path, headers in asked:
        body = b"x" if method == "PUT" else None
        assert client.ask(method, path, body, **headers).status in (403, 405), method
    assert len(pool.history()) == commits


# -- who may ask


def test_who_may_ask(serve: Callable[..., Client]) -> None:
    client = serve()
    assert Client(client.port, "").ask("GET", "obs/notes.txt").status == 401
    assert Client(client.port, "wrong").ask("GET", "obs/notes.txt").status == 401
    assert client.ask("GET", "obs/notes.txt", Host="evil.example").status == 403
    assert client.ask("GET", "obs/notes.txt", Host="localhost:99").status == 200
    assert client.ask("GET", "obs/notes.txt", Origin="http://evil.example").status == 403
    assert client.ask("GET", "obs/notes.txt", Sec_Fetch_Site="cross-site").status == 403
    for odd in ("Basic", "Basic !", "Basic YWJj", "Nothing x"):
        assert Client(client.port, "").ask("GET", "", Authorization=odd).status in (400, 401)
    direct = urllib.request.ProxyHandler({})
    digest = urllib.request.HTTPDigestAuthHandler()
    digest.add_password("/", client.url, "skypool", PASSWORD)
    with urllib.request.build_opener(direct, digest).open(f"{client.url}obs/notes.txt") as found:
        assert found.read() == b"seen twice\n"
    answer = client.ask("GET", "obs/notes.txt")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert serve(password="").ask("GET", "obs/notes.txt").body == b"seen twice\n"


def test_an_open_door_is_refused(pool: sp.Pool, serve: Callable[..., Client]) -> None:
    with pytest.raises(UsageError, match="without a password"):
        WebdavServer(pool, host="0.0.0.0", password="")
    with pytest.raises(Conflict, match="cannot be used"):
        WebdavServer(pool, port=serve().port, password="x")


# -- writing


def test_a_pool_that_may_not_be_changed_is_not_served_so(
    pool: sp.Pool, serve: Callable[..., Client]
) -> None:
    with sp.Pool(pool.path, "r") as reader, pytest.raises(ReadOnly, match="no permission"):
        WebdavServer(reader, password=PASSWORD, write=True)


def test_put_makes_products_and_versions(client: Client, pool: sp.Pool) -> None:
    assert client.ask("PUT", "obs/new.txt", b"one").status == 201
    assert client.ask("PUT", "obs/new.txt", b"two").status == 204
    assert last(pool) == "write obs/new.txt (webdav)"
    assert pool["obs/new.txt"].version == 1
    assert client.ask("GET", "@versions/obs/new.txt/new@0.txt").body == b"one"
    assert client.ask("PUT", "@tags/x.txt", b"").status == 403
    assert client.ask("PUT", "nowhere/x.txt", b"").status == 409
    assert client.ask("PUT", "maps/m83.fits", b"SIMPLE").status == 204
    assert client.names("maps") == ["m83.fits"]
    etag = client.ask("HEAD", "obs/new.txt").headers["etag"]
    assert client.ask("PUT", "obs/new.txt", b"x", If_Match='"other"').status == 412
    assert client.ask("PUT", "obs/new.txt", b"x", If_Match=etag).status == 204


def test_a_file_that_ends_early_is_not_kept(client: Client, pool: sp.Pool) -> None:
    commits = len(pool.history())
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=120)
    token = base64.b64encode(f"skypool:{PASSWORD}".encode()).decode()
    connection.putrequest("PUT", "/obs/half.txt")
    connection.putheader("Authorization", f"Basic {token}")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"half")
    assert connection.sock is not None
    connection.sock.shutdown(1)
    answer = connection.getresponse()
    assert answer.status == 400
    answer.read()
    connection.close()
    assert client.ask("GET", "obs/half.txt").status == 404
    assert len(pool.history()) == commits
    assert client.names("obs") == ["level2", "notes.txt"]
    (staging,) = Path(os.environ["SKYPOOL_CACHE"], "writing").iterdir()
    assert not [path for path in staging.rglob("*") if path.is_file()]


def test_names_that_xml_and_utf8_cannot_hold(client: Client, pool: sp.Pool, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    for name in (b"bad\xff\xfe", b"bell\x07", b"new\nline", b"q?u%41#&<\xc3\xbc>"):
        Path(os.fsdecode(os.path.join(os.fsencode(odd), name))).write_bytes(name)
    pool.add(odd)
    shown = [unquote(name) for name in client.names("odd")]
    assert sorted(shown) == sorted(["bad\uefff\ueffe", "bell\uf007", "new\nline", "q?u%41#&<\xfc>"])
    assert client.ask("GET", "odd/").status == 200
    for name in shown:
        assert client.ask("GET", f"odd/{name}").status == 200
    # Whoever knows the bytes may say them.
    assert client.ask("GET", "odd/bad\udcff\udcfe").body == b"bad\xff\xfe"
    assert client.ask("GET", "odd/\udcfa").status == 404
    assert client.ask("PUT", "odd/bad\uefff\ueffe", b"new").status == 204
    assert pool["odd/bad\udcff\udcfe"].version == 1
    assert client.ask("PUT", "odd/\udcfa", b"x").status == 201
    assert pool["odd/\udcfa"].size == 1
    target = client.url + quote("odd/\udcfb", errors="surrogateescape")
    assert client.ask("MOVE", "odd/\udcfa", Destination=target).status == 201
    assert "odd/\udcfb" in pool
    assert client.ask("DELETE", "odd/bell\uf007").status == 204
    assert last(pool) == "remove odd/bell\x07 (webdav)"


def test_files_for_a_while_are_no_products(client: Client, pool: sp.Pool) -> None:
    """What explorers and editors leave beside the files is shown, and kept out of the pool."""
    commits = len(pool.history())
    assert client.ask("PUT", "obs/.DS_Store", b"places of icons").status == 201
    assert client.ask("PUT", "obs/._notes.txt", b"a fork").status == 201
    assert client.ask("PUT", "obs/notes.txt.tmp", b"better").status == 201
    assert client.ask("GET", "obs/.DS_Store").body == b"places of icons"
    assert ".DS_Store" in client.names("obs")
    assert len(pool.history()) == commits
    to = {"Destination": f"{client.url}obs/notes.txt"}
    assert client.ask("MOVE", "obs/notes.txt.tmp", **to).status == 204
    assert len(pool.history()) == commits + 1
    assert (pool["obs/notes.txt"].version, client.ask("GET", "obs/notes.txt").body) == (
        1,
        b"better",
    )
    # An editor that puts the old file aside and writes anew.
    to = {"Destination": f"{client.url}obs/notes.txt~"}
    assert client.ask("MOVE", "obs/notes.txt", **to).status == 201
    assert client.ask("PUT", "obs/notes.txt", b"best").status == 201
    assert client.ask("GET", "obs/notes.txt~").body == b"better"
    assert client.ask("DELETE", "obs/notes.txt~").status == 204
    assert pool["obs/notes.txt"].version == 2
    to = {"Destination": f"{client.url}obs/copy.txt"}
    assert client.ask("COPY", "obs/.DS_Store", **to).status == 201
    assert client.ask("GET", "obs/copy.txt").body == b"places of icons"
    assert client.ask("DELETE", "obs").status == 204
    assert client.ask("GET", "obs/.DS_Store").status == 404


def test_delete_move_copy_and_folders(client: Client, pool: sp.Pool) -> None:
    assert client.ask("MKCOL", "obs/new").status == 201
    assert client.ask("MKCOL", "obs/new").status == 405
    assert client.names("obs/new") == []
    to = {"Destination": f"{client.url}obs/new/moved.txt"}
    assert client.ask("MOVE", "obs/notes.txt", **to).status == 201
    assert client.names("obs/new") == ["moved.txt"]
    to = {"Destination": f"{client.url}obs/copy"}
    assert client.ask("COPY", "obs/new", **to).status == 201
    assert client.ask("GET", "obs/copy/moved.txt").body == b"seen twice\n"
    # Over a file that is there: its next version.
    client.ask("PUT", "obs/new/other.txt", b"other")
    to = {"Destination": f"{client.url}obs/new/moved.txt"}
    assert client.ask("MOVE", "obs/new/other.txt", Overwrite="F", **to).status == 412
    assert client.ask("MOVE", "obs/new/other.txt", **to).status == 204
    assert pool["obs/new/moved.txt"].version == 1
    commits = len(pool.history())
    assert client.ask("DELETE", "obs").status == 204
    assert len(pool.history()) == commits + 1
    assert "obs/level2/PSW.fits" in {item.name for item in pool.trash()}
    assert client.names("")[4:] == ["maps"]
    for path in ("", "@at", "@versions/maps"):
        answer = client.ask("DELETE", path)
        assert answer.status == 403, answer.body
    to = {"Destination": f"{client.url}all"}
    assert client.ask("MOVE", "@at", **to).status == 403


def test_a_locked_name_is_there_before_its_file(client: Client, pool: sp.Pool) -> None:
    body = (
        b'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
        b"<D:locktype><D:write/></D:locktype><D:owner>me</D:owner></D:lockinfo>"
    )
    commits = len(pool.history())
    answer = client.ask("LOCK", "obs/new.txt", body, Timeout="Second-60")
    assert answer.status == 201
    token = answer.headers["lock-token"]
    assert "new.txt" in client.names("obs")
    assert len(pool.history()) == commits
    assert client.ask("PUT", "obs/new.txt", b"x").status == 423
    assert client.ask("PUT", "obs/new.txt", b"x", If=f"({token})").status in (201, 204)
    assert client.ask("UNLOCK", "obs/new.txt", Lock_Token=token).status == 204
    assert pool["obs/new.txt"].version == 0
    # davfs2 renames before it has sent anything.
    answer = client.ask("LOCK", "obs/b.txt", body, Timeout="Second-60")
    assert client.ask("GET", "obs/b.txt").body == b""
    held = {"If": f"<{client.url}obs/b.txt> ({answer.headers['lock-token']})"}
    to = {"Destination": f"{client.url}obs/c.txt"}
    assert client.ask("MOVE", "obs/b.txt", **to, **held).status == 201
    assert client.ask("GET", "obs/b.txt").status == 404
    assert client.ask("PUT", "obs/c.txt", b"c").status in (201, 204)
    assert client.ask("GET", "obs/c.txt").body == b"c"


# -- programs


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian package {name})")
    return found


@pytest.mark.parametrize(
    "part",
    [
        "basic",
        pytest.param("copymove", marks=pytest.mark.campaign),
        pytest.param("props", marks=pytest.mark.campaign),
        pytest.param("locks", marks=pytest.mark.campaign),
        pytest.param("http", marks=pytest.mark.campaign),
    ],
)
def test_litmus_finds_nothing(client: Client, tmp_path: Path, part: str) -> None:
    """The test suite of WebDAV servers."""
    litmus = program("litmus")
    done = subprocess.run(
        [litmus, "-k", client.url, "skypool", PASSWORD],
        env={**os.environ, "TESTS": part},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "100.0%" in done.stdout, done.stdout
    assert "FAIL" not in done.stdout
    assert "WARNING" not in done.stdout, done.stdout


def test_cadaver_puts_and_gets(client: Client, pool: sp.Pool, tmp_path: Path) -> None:
    cadaver = program("cadaver")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(f'machine 127.0.0.1 login skypool password "{PASSWORD}"\n')
    (home / ".netrc").chmod(0o600)
    (tmp_path / "a file.txt").write_text("of mine")
    commands = (
        "mkcol new\nput 'a file.txt' new/b.txt\nmove new/b.txt new/c.txt\ncopy new/c.txt d.txt\n"
        "get obs/level2/PSW.fits got.fits\ndelete obs/notes.txt\nquit\n"
    )
    done = subprocess.run(
        [cadaver, client.url],
        input=commands,
        env={**os.environ, "HOME": str(home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "failed" not in done.stdout, done.stdout
    got = (tmp_path / "got.fits").read_bytes()
    assert got == (tmp_path / "obs" / "level2" / "PSW.fits").read_bytes()
    assert pool["new/c.txt"].name == "new/c.txt"
    assert client.ask("GET", "d.txt").body == b"of mine"
    assert [item.name for item in pool.trash()] == ["obs/notes.txt"]


def test_rclone_copies_a_folder_in_and_out(client: Client, pool: sp.Pool, tmp_path: Path) -> None:
    rclone = program("rclone")
    secret = subprocess.run(
        [rclone, "obscure", PASSWORD], capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()
    remote = f":webdav,url='{client.url}',user=skypool,pass='{secret}',vendor=other:"

    def run(*words: str) -> None:
        subprocess.run(
            [rclone, "--config", os.devnull, *words], check=True, timeout=120, capture_output=True
        )

    run("copy", str(tmp_path / "obs"), f"{remote}again")
    run("copy", f"{remote}again", str(tmp_path / "back"))
    run("check", "--download", str(tmp_path / "obs"), str(tmp_path / "back"))
    assert pool["again/level2/PSW.fits"].hash == pool["obs/level2/PSW.fits"].hash


# -- the command


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command(pool: sp.Pool, tmp_path: Path, end: signal.Signals) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    words = ["--json", "-p", pool.path, "serve", "--webdav"]
    if end == signal.SIGTERM:
        words += ["--password-file", str(secret)]
    with subprocess.Popen(
        [sys.executable, "-m", "skypool", *words], stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            facts = json.loads(running.stdout.readline())
            port = int(facts["url"].rstrip("/").rpartition(":")[2])
            assert ("password" in facts) == (end == signal.SIGINT)
            client = Client(port, facts.get("password", PASSWORD))
            assert client.names("obs") == ["level2", "notes.txt"]
            assert client.ask("PUT", "obs/notes.txt", b"").status in (403, 405)
            running.send_signal(end)
            assert running.wait(timeout=120) == 0
        finally:
            running.kill()
