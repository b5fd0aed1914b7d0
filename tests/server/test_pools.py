"""Which pools are open: listing, opening, closing; keys, completion and saved searches."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

import skypool as sp
from skypool.server.app import make_context

from .conftest import COUNT, client_of, made


def test_pools_are_listed(client, shown_pool):
    answer = client.get("/api/v1/pools").json()
    (pool,) = answer["pools"]
    assert pool["label"] == pool["name"] == "shown"
    assert pool["path"] == str(shown_pool)
    assert pool["products"] == pool["versions"] == COUNT
    assert pool["commit"] == 1
    assert pool["writable"]
    assert pool["alive"]
    assert pool["bytes_stored"] > 0
    assert answer["read_only"] is False
    assert answer["version"] == sp.__version__


def test_figures_follow_commits(pool):
    with client_of(pool) as client, sp.Pool(pool) as other:
        assert client.get("/api/v1/pools").json()["pools"][0]["products"] == 6
        other.save(made(9), name="more")
        facts = client.get("/api/v1/pools").json()["pools"][0]
        assert facts["products"] == 7
        assert facts["commit"] == 2


def test_open_and_close(shown_pool, pool):
    with client_of(shown_pool) as client:
        opened = client.post("/api/v1/pools", json={"path": str(pool)})
        assert opened.status_code == 200
        assert opened.json()["label"] == "own"
        again = client.post("/api/v1/pools", json={"path": f"{pool}/"})
        assert again.json()["label"] == "own"
        labels = [each["label"] for each in client.get("/api/v1/pools").json()["pools"]]
        assert labels == ["shown", "own"]
        assert client.delete("/api/v1/pools/own").status_code == 200
        assert client.delete("/api/v1/pools/own").status_code == 404
        assert client.post("/api/v1/results", json={}).json()["pools"].keys() == {"shown"}
        assert client.post("/api/v1/pools", json={"path": str(pool)}).json()["label"] == "own"
        assert client.post("/api/v1/results", json={"pools": ["own"]}).json()["total"] == 6
    assert os.path.isdir(pool)


def test_pools_of_one_name(tmp_path, pool):
    other = tmp_path / "elsewhere" / "own"
    with sp.Pool(other) as made_here:
        made_here.save(made(1), name="one")
    with client_of(pool, other) as client:
        labels = [each["label"] for each in client.get("/api/v1/pools").json()["pools"]]
        assert labels == ["own", "own~2"]


@pytest.mark.parametrize("path", ["no-such-pool", "/nowhere/at/all", "http://x/y", "a\0b"])
def test_what_is_no_pool(client, path):
    answer = client.post("/api/v1/pools", json={"path": path})
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["hint"] or "character 0" in answer.json()["error"]["message"]


def test_known_pools(shown_pool, tmp_path, monkeypatch):
    monkeypatch.setenv("SKYPOOL_HOME", str(tmp_path))
    with sp.Pool("named") as pool:
        pool.save(made(1), name="one")
    with client_of(shown_pool) as client:
        assert [each["name"] for each in client.get("/api/v1/pools").json()["known"]] == ["named"]
        client.post("/api/v1/pools", json={"path": "named"})
        assert client.get("/api/v1/pools").json()["known"] == []


def test_a_new_pool_is_made_where_asked(shown_pool, tmp_path):
    with client_of(shown_pool) as client:
        where = {"path": str(tmp_path / "fresh")}
        assert client.post("/api/v1/pools", json=where).status_code == 404
        answer = client.post("/api/v1/pools", json={**where, "create": True})
        assert answer.json()["label"] == "fresh"
        assert answer.json()["products"] == 0
    with client_of(shown_pool, read_only=True) as client:
        answer = client.post("/api/v1/pools", json={**where, "path": "x/y", "create": True})
        assert answer.status_code == 403


def test_keys(client):
    found = {each["key"]: each for each in client.get("/api/v1/keys").json()["keys"]}
    assert found["exposure"]["type"] == "number"
    assert found["exposure"]["core"]
    assert found["exposure"]["products"] == COUNT
    assert found["rare"]["products"] == 6
    assert found["startDate"]["type"] == "time"
    assert found["quality"]["type"] == "boolean"
    assert found["note"]["type"] == "text"
    assert found["name"]["core"]
    assert not found["note"]["core"]
    some = client.get("/api/v1/keys", params={"search": "RAR"}).json()["keys"]
    assert [each["key"] for each in some] == ["rare"]


def test_keys_follow_commits_and_rebuilt_catalogues(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(meta={"rare": 1}), name="a")
        with client_of(tmp_path / "pool") as client:

            def rare():
                answer = client.get("/api/v1/keys", params={"search": "rare"})
                return [each["products"] for each in answer.json()["keys"]]

            assert rare() == rare() == [1]
            pool.save(sp.Product(meta={"rare": 2}), name="b")
            assert rare() == [2]
            pool.reindex()
            assert rare() == [2]


def complete(client, text, caret=None):
    params = {"text": text} if caret is None else {"text": text, "caret": caret}
    answer = client.get("/api/v1/complete", params=params)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize(
    ("text", "wanted", "kind", "start"),
    [
        ("", "name", "key", 0),
        ("instr", "instrument", "key", 0),
        ("obsid > 3 and expo", "exposure", "key", 14),
        ("obsid > 3 ", "and", "function", 10),
        ("cov", "covers(", "function", 0),
        ("ment", "mentions(", "function", 0),
        ("instrument == ", "'SPIRE'", "value", 14),
        ("instrument == 'SP", "'SPIRE'", "value", 14),
        ('instrument == "hi', "'HIFI'", "value", 14),
        ("instrument in ['PACS', 'SP", "'SPIRE'", "value", 23),
        ("quality == ", "True", "value", 11),
        ("meta['object'] == 'NGC 1", "'NGC 1'", "value", 18),
        ("tagged(", "'good'", "tag", 7),
        ("tagged('set", "'set 0'", "tag", 7),
        ("has('rar", "'rare'", "key", 4),
        ("name == 'obs/00", "'obs/000/map'", "name", 8),
        ("not (object like 'x' or inst", "instrument", "key", 24),
    ],
)
def test_completion(client, text, wanted, kind, start):
    found = complete(client, text)
    assert found["start"] == start
    assert found["end"] == len(text)
    items = {item["text"]: item for item in found["items"]}
    assert items[wanted]["kind"] == kind


def test_completion_counts(client):
    items = {each["text"]: each for each in complete(client, "instrument == '")["items"]}
    assert items["'PACS'"]["count"] == 10
    items = {each["text"]: each for each in complete(client, "tagged(")["items"]}
    assert items["'good'"]["count"] == 10


def test_completion_in_the_middle(client):
    text = "instrument == 'SP' and obsid > 3"
    found = complete(client, text, 17)
    assert (found["start"], found["end"]) == (14, 18)
    found = complete(client, "instrum == 3", 4)
    assert (found["start"], found["end"]) == (0, 7)


def test_completion_tells_the_error_in_place(client):
    found = complete(client, "obsid = 3")
    assert found["error"]["column"] == 7
    assert found["error"]["message"]
    assert "error" not in complete(client, "obsid == 3")


def test_views(pool):
    search = {
        "query": "exposure > 10",
        "filters": [{"key": "instrument", "values": ["PACS"]}],
        "order": "-exposure",
    }
    with client_of(pool) as client:
        path = "/api/v1/views/bright ones"
        answer = client.put(path, json={**search, "columns": ["object"]})
        assert answer.status_code == 200, answer.text
        (view,) = client.get("/api/v1/views").json()["views"]
        assert view["name"] == "bright ones"
        assert view["columns"] == ["object"]
        assert view["search"] == search
        # The same from Python and the command line.
        with sp.Pool(pool) as opened:
            kept = opened.find(saved="bright ones")
            assert [ref.name for ref in kept] == ["obs/003/map"]
            opened.save_search("plain", "obsid > 3", order_by="-obsid", columns=["obsid"])
        views = {each["name"]: each for each in client.get("/api/v1/views").json()["views"]}
        assert views["plain"]["search"] == {"query": "obsid > 3", "order": "-obsid"}
        assert client.put(path, json={"query": "wrong ="}).status_code == 422
        assert client.delete(path).status_code == 200
        assert client.delete(path).status_code == 404
        assert [each["name"] for each in client.get("/api/v1/views").json()["views"]] == ["plain"]


def test_views_hold_switches_and_pools(pool, shown_pool):
    with sp.Pool(pool) as opened:
        opened.remove("obs/001/map")
    sent = {"query": "obsid > 0", "all_versions": True, "at": 1, "pools": ["own"]}
    with client_of(pool, shown_pool) as client:
        assert client.put("/api/v1/views/before", json=sent).status_code == 200
        both = {"query": "obsid > 0", "pools": ["own", "shown"]}
        assert client.put("/api/v1/views/both", json=both).status_code == 200
        views = {each["name"]: each for each in client.get("/api/v1/views").json()["views"]}
        assert views["before"]["search"] == sent
        assert views["both"]["search"]["pools"] == ["own", "shown"]
        assert client.put("/api/v1/views/x", json={"pools": ["none"]}).status_code == 404
    with sp.Pool(pool) as opened:
        assert len(opened.find(saved="before")) == 6
        assert len(opened.find("obsid > 0")) == 5
        opened.save_search("now", "obsid > 0")
        assert len(opened.find(saved="now")) == 5
    with client_of(pool) as client:  # the other one is not open any more
        views = {each["name"]: each for each in client.get("/api/v1/views").json()["views"]}
        assert views["both"]["search"]["pools"] == ["own"]
        assert views["both"]["missing"] == [str(shown_pool)]
        assert views["before"]["missing"] == []


def test_what_is_read_ahead_lets_requests_pass(shown_pool, monkeypatch):
    monkeypatch.setattr("skypool.server.context._QUIET", 0.01)
    context = make_context([sp.Pool(shown_pool, "r")])
    begun, go_on, quiet = (threading.Event() for _ in range(3))

    def work() -> str:
        begun.set()
        assert go_on.wait(60)
        return "done"

    def ahead() -> None:
        context.wait_for_quiet()
        quiet.set()

    async def ask() -> str:
        asked = asyncio.create_task(context.run(work))
        await asyncio.to_thread(begun.wait, 60)
        threading.Thread(target=ahead).start()
        assert not await asyncio.to_thread(quiet.wait, 0.2)
        go_on.set()
        return await asked

    assert asyncio.run(ask()) == "done"
    assert quiet.wait(60)
    context.close()
