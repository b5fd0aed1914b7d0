"""The program `skypool ui` as a process, events, and the files of the page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import skypool as sp
from skypool.server.security import HEADERS
from skypool.web.application import Application
from skypool.web.pages import page_routes

from .conftest import BASE, TOKEN, made

WAIT = 120


@contextmanager
def running(*words: str, **extra: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        key: value for key, value in os.environ.items() if key not in ("SSH_CONNECTION", "DISPLAY")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "skypool", "ui", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, **extra},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=WAIT)


def request_to(base: str, path: str, token: str = "", body: object = None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base}api/v1/{path}", data=data)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    return urllib.request.urlopen(request, timeout=WAIT)


def told(base: str, path: str, token: str = "", body: object = None):
    with request_to(base, path, token, body) as answer:
        return json.load(answer)


def refused(base: str, path: str, token: str = "", body: object = None) -> int:
    with pytest.raises(urllib.error.HTTPError) as error:
        request_to(base, path, token, body)
    error.value.close()
    return error.value.code


class Events:
    """Server-sent events, read in order."""

    def __init__(self, base: str, token: str) -> None:
        self._stream = request_to(base, "events", token)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def next(self) -> tuple[str, dict]:
        name = ""
        for raw in self._stream:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: ") and name:
                return name, json.loads(line[6:])
        raise AssertionError("the stream has ended")


def test_it_prints_one_address_serves_tells_of_commits_and_ends_cleanly(pool):
    with running(str(pool), "--no-browser") as process:
        assert process.stdout is not None
        url = process.stdout.readline().rstrip("\n")
        base, _, token = url.partition("?token=")
        assert base.startswith("http://127.0.0.1:")
        assert len(token) >= 32
        assert refused(base, "pools") == 403
        facts = told(base, "pools", token)["pools"][0]
        assert facts["writable"]
        assert facts["products"] == 6
        found = told(base, "results", token, {})
        assert found["pools"] == {"own": 1}
        with Events(base, token) as events:
            with sp.Pool(pool) as other, other.commit("by a script") as commit:
                for number in (20, 21, 22):
                    commit.save(made(number), name=f"new/{number}")
            assert events.next() == ("pool", {"label": "own", "commit": 2, "new": 3})
            with sp.Pool(pool) as other:
                other.save(made(23), name="new/23")
            assert events.next() == ("pool", {"label": "own", "commit": 3, "new": 4})
            assert told(base, "results", token, {})["total"] == 10
            with sp.Pool(pool) as other:
                other.tag("new/23", "a tag")
            assert events.next() == ("pool", {"label": "own", "commit": 4, "new": 0})
            # A stream of events is open, and does not hold it.
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=WAIT)
        assert process.returncode == 0, errors
        assert rest == ""
        assert "Traceback" not in errors
        assert url not in errors


def test_over_ssh_the_line_of_the_tunnel_is_told(pool):
    extra = {
        "SSH_CONNECTION": "10.0.0.2 5000 10.0.0.3 22",
        "DISPLAY": ":9",
        "BROWSER": "/bin/false",
    }
    with running(str(pool), "--read-only", **extra) as process:
        assert process.stdout is not None
        base, _, token = process.stdout.readline().rstrip("\n").partition("?token=")
        port = base.rstrip("/").rpartition(":")[2]
        assert told(base, "pools", token)["read_only"] is True
        assert refused(base, "pools", token, {"path": "/x/y", "create": True}) == 403
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WAIT)
        assert process.returncode == 0
        assert f"ssh -N -L {port}:127.0.0.1:{port} " in errors


def test_json(pool):
    with running(str(pool), "--no-browser", "--json") as process:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        assert found["url"].endswith(found["token"])


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["./no-such-pool"], 10, "there is no pool"),
        (["{pool}", "--port", "{taken}"], 5, "cannot be used"),
        (["{pool}", "--port", "99999"], 2, "65535"),
    ],
)
def test_errors(pool, words, code, text):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = [word.format(pool=pool, taken=port) for word in words]
        with running(*given, "--no-browser") as process:
            out, errors = process.communicate(timeout=WAIT)
    assert process.returncode == code, errors
    assert out == ""
    assert text in errors


def test_without_the_packages_the_extra_is_named(pool, monkeypatch, capsys):
    import importlib.util

    from skypool.cli.app import run

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "uvicorn" else find(name, *more),
    )
    assert run(["ui", str(pool)]) == 1
    errors = capsys.readouterr().err
    assert "uvicorn" in errors
    assert "skypool[ui]" in errors


def test_numpy_and_astropy_are_not_loaded_before_the_address_stands_there(pool):
    script = (
        "import sys, skypool.cli.verbs.ui as ui\n"
        "def tell(*given):\n"
        "    print(sorted({'numpy', 'astropy', 'starlette', 'uvicorn'} & set(sys.modules)))\n"
        "    sys.exit(0)\n"
        "ui._tell = tell\n"
        "from skypool.cli.app import run\n"
        f"run(['ui', {str(pool)!r}, '--no-browser'])\n"
    )
    made_here = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert made_here.stdout.strip() == "[]", made_here.stderr


def client_of_page(pool: Path) -> TestClient:
    application = Application([sp.Pool(pool)], token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return TestClient(application.asgi, base_url=BASE, headers=headers)


def built(folder: Path) -> Path:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>skypool</title>")
    (folder / "assets" / "main-abc123.js").write_text("console.log(1);\n" * 500)
    (folder / "icon.svg").write_text("<svg/>")
    return folder


def test_files_of_the_page(pool, tmp_path, monkeypatch):
    from skypool.web import application

    folder = built(tmp_path / "static")
    monkeypatch.setattr(application, "page_routes", lambda: page_routes(folder))
    with client_of_page(pool) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-cache"
        for name, value in HEADERS.items():
            assert page.headers[name] == (value if name != "Cache-Control" else "no-cache")
        asset = client.get("/assets/main-abc123.js")
        assert asset.text == "console.log(1);\n" * 500
        assert "immutable" in asset.headers["cache-control"]
        assert asset.headers["content-encoding"] == "gzip"
        assert asset.headers["content-type"].startswith("text/javascript")
        again = client.get(
            "/assets/main-abc123.js", headers={"If-None-Match": asset.headers["etag"]}
        )
        assert again.status_code == 304
        plain = client.get("/assets/main-abc123.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == asset.text
        assert client.get("/icon.svg").headers["content-type"].startswith("image/svg+xml")
        for path in ("/assets/../../x", "/assets/none.js", "/static/index.html", "/%2e%2e/secret"):
            assert client.get(path).status_code == 404
        assert client.get("/api/v1/pools").status_code == 200
        client.headers.pop("authorization")
        assert client.get("/assets/main-abc123.js").status_code == 403


def test_a_page_that_is_not_built_says_so(pool, tmp_path, monkeypatch):
    from skypool.web import application

    monkeypatch.setattr(application, "page_routes", lambda: page_routes(tmp_path / "none"))
    with client_of_page(pool) as client:
        page = client.get("/")
        assert page.status_code == 503
        assert "make frontend" in page.text


def test_events_go_to_all_who_listen_and_are_bounded():
    import asyncio

    from skypool.server.context import Hub

    hub = Hub()
    heard = []
    end = hub.listen(lambda event: heard.append(event.name))

    async def listen() -> list[str | None]:
        with hub.listening() as one, hub.listening() as other:
            thread = threading.Thread(target=hub.publish, args=("job", {"id": "1"}))
            thread.start()
            found = [(await one.get()), (await other.get())]
            thread.join()
            for number in range(3000):
                hub.publish("job", {"id": str(number)})
            await asyncio.sleep(0)
            assert one.qsize() <= 1000
            hub.close()
            last = None
            while (event := await one.get()) is not None:
                last = event
            assert last is not None
            assert last.data == {"id": "2999"}
            return [event and event.name for event in found]

    assert asyncio.run(listen()) == ["job", "job"]
    assert len(heard) == 3001
    end()
    hub.publish("job", {})
    assert len(heard) == 3001


def test_answers_are_sent_at_once():
    from skypool.cli.verbs.ui import _listen

    with closing(_listen(0)) as listening:
        # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer
        # waited 40 ms for the acknowledgement of its headers.
        assert listening.proto == socket.IPPROTO_TCP
