"""Requests by messages: what a page of a notebook sends, and what it gets."""

from __future__ import annotations

import asyncio
import json
import threading
import zlib

import pytest

import skypool as sp
from skypool.server.app import make_api, make_context
from skypool.web import channel as channels
from skypool.web.channel import PART, Channel

PATIENCE = 60


class Page:
    """The other end of the channel, as the page's transport behaves."""

    def __init__(self, application) -> None:
        self.changed = threading.Condition()
        self.told: list[tuple[dict, list[bytes]]] = []
        self.channel = Channel(application, self.hear)
        self.number = 0

    def hear(self, message, buffers):
        json.dumps(message)  # a channel takes nothing else
        with self.changed:
            self.told.append((message, buffers))
            self.changed.notify_all()

    def wait(self, found, what="what was waited for"):
        """Return the first message for which a function says so."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: any(found(message) for message, _ in self.told), PATIENCE
            ), f"{what} did not come"
            return next(message for message, _ in self.told if found(message))

    def ask(self, method, path, body=None, raw=None, query=None, **more):
        self.number += 1
        name = f"page-{self.number}"
        parts = [raw[at : at + PART] for at in range(0, len(raw or b""), PART)] or [b""]
        start = {"kind": "request", "id": name, "method": method, "path": path, "query": query}
        first = [memoryview(parts[0])] if raw is not None else []
        self.channel.take({**start, "body": body, "more": len(parts) > 1, **more}, first)
        for number, part in enumerate(parts[1:], start=1):
            self.wait(lambda _, n=number: self.count("ack", name) >= n)
            last = number == len(parts) - 1
            self.channel.take({"kind": "part", "id": name, "last": last}, [memoryview(part)])
        return name

    def count(self, kind, name):
        return sum(m["kind"] == kind and m["id"] == name for m, _ in self.told)

    def answer(self, name):
        """Return the start of an answer and all bytes of it."""
        start = self.wait(lambda m: m["kind"] == "answer" and m["id"] == name)

        def got():
            mine = [b for m, b in self.told if m.get("id") == name and m["kind"] != "ack"]
            return b"".join(part for buffers in mine for part in buffers)

        with self.changed:
            assert self.changed.wait_for(lambda: len(got()) >= start["length"], PATIENCE)
        body = got()
        assert len(body) == start["length"]
        return start, zlib.decompress(body) if start["packed"] else body

    def get(self, *given, **more):
        start, body = self.answer(self.ask(*given, **more))
        return start["status"], json.loads(body)


async def small(scope, receive, send):
    """An application for everything that the real one does rarely."""
    path, size = scope["path"].removeprefix("/api/v1/"), 0
    if path == "crash":
        raise RuntimeError("oh")
    more = path == "count"
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    headers = [(b"content-type", b"application/octet-stream"), (b"X-Path", path.encode())]
    if path == "wait":
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
    if path == "gone":
        message = await receive()
        assert message["more_body"] is False
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
    length = int(path.partition("/")[2] or 0) if path.startswith("bytes") else 0
    body = json.dumps([size, scope["query_string"].decode(), scope["method"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if not length:
        await send({"type": "http.response.body", "body": body})
    for start in range(0, length, 2**20):
        part = b"x" * min(2**20, length - start)
        await send({"type": "http.response.body", "body": part, "more_body": True})
    if path == "late":
        raise RuntimeError("after the answer")


waiting, cancelled = threading.Event(), threading.Event()


@pytest.fixture
def page():
    waiting.clear()
    cancelled.clear()
    made = Page(small)
    yield made
    made.channel.close()


def test_a_request_and_its_answer(page):
    start, body = page.answer(
        page.ask("get", "/some?x=1", query={"y": "a b", "z": True, "n": None})
    )
    assert start["status"] == 200 and start["headers"]["x-path"] == "some"
    assert json.loads(body) == [0, "x=1&y=a+b&z=true", "GET"]


def test_large_bodies_and_answers_come_in_parts(page):
    name = page.ask("PUT", "count", raw=bytes(2 * PART + 5))
    assert json.loads(page.answer(name)[1])[0] == 2 * PART + 5
    assert page.count("ack", name) == 2
    name = page.ask("GET", f"bytes/{2 * PART + 7}")
    assert page.answer(name)[1] == b"x" * (2 * PART + 7)
    assert page.count("part", name) == 2
    assert all(len(part) <= PART for _, buffers in page.told for part in buffers)


def test_json_goes_as_json(page):
    assert json.loads(page.answer(page.ask("POST", "count", body={"a": "ü"}))[1])[0] == 15
    assert json.loads(page.answer(page.ask("POST", "gone", body={}))[1])[2] == "POST"


def test_too_much_is_refused(page, monkeypatch):
    monkeypatch.setattr(channels, "ANSWER_LIMIT", 3 * 2**20)
    monkeypatch.setattr(channels, "BODY_LIMIT", 100)
    assert page.answer(page.ask("GET", f"bytes/{2**20}"))[0]["status"] == 200
    status, said = page.get("GET", f"bytes/{4 * 2**20}")
    assert status == 413 and said["error"]["code"] == "too_large"
    assert "3 MB" in said["error"]["message"] and "Python" in said["error"]["hint"]
    assert page.get("PUT", "count", raw=bytes(101))[0] == 413


def test_errors_of_the_application_are_answered(page):
    status, said = page.get("GET", "crash")
    assert status == 500 and said["error"]["message"] == "RuntimeError: oh"
    assert page.answer(page.ask("GET", "late"))[0]["status"] == 200


@pytest.mark.parametrize(
    "wrong",
    [{"method": "CONNECT"}, {"query": [1]}, {"path": "x" * 20_000}],
    ids=["method", "query", "path"],
)
def test_what_is_no_request_is_refused(page, wrong):
    page.channel.take({"kind": "request", "id": "w", "method": "GET", "path": "x", **wrong})
    start, body = page.answer("w")
    assert start["status"] == 400 and json.loads(body)["error"]["code"] == "usage"


def test_nonsense_is_not_answered(page):
    for nonsense in (None, 3, [], {}, {"kind": "part", "id": "x"}, {"kind": "cancel"}, "x"):
        page.channel.take(nonsense, [])
    page.channel.take({"kind": "request", "method": "GET", "path": "x"})  # without an id
    assert page.answer(page.ask("GET", "some"))[0]["status"] == 200
    assert len(page.told) == 1


def test_giving_up_ends_the_work(page):
    name = page.ask("GET", "wait")
    assert waiting.wait(PATIENCE)
    page.channel.take({"kind": "cancel", "id": name})
    assert cancelled.wait(PATIENCE)
    assert page.answer(page.ask("GET", "some"))[0]["status"] == 200
    assert page.count("answer", name) == 0


def test_too_many_requests_wait(page, monkeypatch):
    monkeypatch.setattr(channels, "REQUESTS", 2)
    page.ask("GET", "wait")
    page.ask("GET", "wait")
    assert page.get("GET", "some")[0] == 429


def test_closing_ends_what_waits(page):
    page.ask("GET", "wait")
    assert waiting.wait(PATIENCE)
    page.channel.close()
    assert cancelled.is_set()
    page.channel.close()
    page.channel.take({"kind": "request", "id": "late", "method": "GET", "path": "some"})
    assert page.told == []


@pytest.fixture
def real(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(type="A"), name="a")
        context = make_context([pool.shared()])
        page = Page(make_api(context))
        yield pool, page
        page.channel.close()
        context.close()
        assert pool["a"].type == "A", "the pool of the user stays open"


def test_the_real_application_answers(real):
    pool, page = real
    status, said = page.get("GET", "pools")
    assert status == 200 and said["pools"][0]["path"] == pool.path
    status, said = page.get("GET", "products/pool/999")
    assert status == 404 and said["error"]["code"] == "not_found"
    assert page.get("POST", "pools", raw=b"{")[0] == 400
    status, raw = page.channel.request("GET", "pools").result(PATIENCE)
    assert status == 200 and json.loads(raw)["pools"][0]["label"] == "pool"


def test_long_json_is_packed(real):
    _, page = real
    start, body = page.answer(page.ask("GET", "openapi.json"))
    assert json.loads(body)["openapi"].startswith("3.1")
    assert start["packed"] == (len(body) > 16 * 1024)


def test_events_come_while_somebody_listens(real):
    pool, page = real
    page.channel.take({"kind": "listen", "id": "one", "on": True})
    page.channel.take({"kind": "listen", "id": "two", "on": True})
    assert page.get("GET", "pools")[0] == 200
    # The stream begins at what is there: go on with saving until it has begun.
    done = threading.Event()

    def save():
        number = 0
        while not done.is_set():
            pool.save(sp.Product(meta={"n": number}), name="b")
            number += 1
            done.wait(0.5)

    saver = threading.Thread(target=save)
    saver.start()
    try:
        event = page.wait(lambda m: m["kind"] == "event", "an event")
    finally:
        done.set()
        saver.join()
    assert event["name"] == "pool" and event["data"]["label"] == "pool"
    page.channel.take({"kind": "listen", "id": "one", "on": False})
    page.channel.take({"kind": "listen", "id": "two", "on": False})
    assert page.get("GET", "pools")[0] == 200
    assert page.channel._events is None


def test_sharing_an_open_pool(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        early = pool.shared()
        assert not early.exists
        ref = pool.save(sp.Product(), name="a")
        other = pool.shared()
        assert other["a"] == ref and other.view.session is pool.view.session
        other.close()
        assert pool["a"] == ref
        assert early["a"] == ref
        early.close()
        past = pool.at(1)
        past.shared().close()
        past.close()
        assert pool["a"] == ref and len(pool.history()) == 1
