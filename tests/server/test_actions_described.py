"""What the description says of actions, jobs and events holds: its examples do what they say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests.server.conftest import made
from tests.server.test_jobs import Receiver, Server

import skypool as sp
from skypool.server.action_bodies import BODIES, BODY
from skypool.server.action_results import EVENTS, RESULTS
from skypool.server.actions import ACTIONS
from skypool.server.events import Commits
from skypool.vo.sending import Sender


class Senders(Sender):
    def receiver(self, pool: sp.Pool, *, under: str) -> Receiver:
        return Receiver(pool, under)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server over the pool temp1, in a home with what the examples name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "notes.txt").write_text("clouds")
    with sp.Pool(tmp_path / "temp1") as pool:
        for number in range(4):
            pool.save(made(number), f"obs/{number}/map")
    server = Server(tmp_path / "temp1", senders=Senders())
    with server.client:
        yield server


@pytest.fixture
def told(server: Server) -> dict[str, Any]:
    return server.get("openapi.json")


def fits(described: dict[str, Any], name: str, value: Any) -> None:
    """Fail where a value does not fit a schema of the description."""
    whole = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    jsonschema_rs.Draft202012Validator(whole).validate(value)


def test_every_action_is_described_with_its_fields(told):
    schemas = told["components"]["schemas"]
    body = told["paths"]["/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Action"}
    assert tuple(ACTIONS) == tuple(BODIES) == tuple(RESULTS)
    for name in ("Action", "Job"):
        assert set(schemas[name]["discriminator"]["mapping"]) == set(ACTIONS)
        for action, ref in schemas[name]["discriminator"]["mapping"].items():
            kind = schemas[ref.rpartition("/")[2]]
            assert kind["properties"]["action"]["const"] == action
            assert {"$ref": ref} in schemas[name]["oneOf"]
    for action in ACTIONS:
        kind = schemas[action.capitalize()]
        assert kind["description"]
        assert kind["additionalProperties"] is False
        for field, schema in kind["properties"].items():
            assert field == "action" or "description" in schema or "$ref" in schema, field


def test_every_example_is_done_and_its_result_is_as_told(server, told, tmp_path):
    for action in ACTIONS:
        (example,) = told["components"]["schemas"][action.capitalize()]["examples"]
        fits(told, "Action", example)
        if action == "restore":
            server.context.pools["temp1"].remove("m31/map")
        body = {key: value for key, value in example.items() if key != "action"}
        if action == "zip":
            started = server.post(action, **body)
            fits(told, "Job", started)
            sent = server.client.get(f"/api/v1/jobs/{started['id']}/download")
            assert sent.content[:2] == b"PK"
            job = server.get(f"jobs/{started['id']}")["job"]
        else:
            job = server.do(action, **body)
        assert job["result"] is not None
        fits(told, "Job", job)
    assert len(list((tmp_path / "maps").rglob("*.fits"))) == 2
    assert (tmp_path / "m31.fits").is_file()


def test_events_are_as_told(server, told):
    answer = told["paths"]["/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    names = {name: each["$ref"].rpartition("/")[2] for name, each in answer["x-events"].items()}
    assert set(names) == set(EVENTS)
    known: dict[str, int] = {}
    commits = server.context.part(Commits)
    assert commits.news(known) == []
    server.do("tag", selection={"refs": ["temp1/3"]}, tags=["x"])
    server.do(
        "copy", "failed", selection={"refs": ["temp1/3"]}, pool="file:///dev/null", create=True
    )
    with sp.Pool(server.context.pools["temp1"].path) as other:
        other.save(made(7), "of a script")
    (news,) = commits.news(known)
    fits(told, names["pool"], news)
    jobs = [event.data for event in server.events if event.name == "job"]
    assert {job["state"] for job in jobs} >= {"waiting", "running", "done"}
    for job in jobs:
        fits(told, names["job"], job)
    with pytest.raises(jsonschema_rs.ValidationError):
        fits(told, names["job"], {**jobs[-1], "result": {"countt": 1}})


def test_pools_are_as_told(server, told, tmp_path):
    answers = told["paths"]["/pools"]["get"]["responses"]["200"]["content"]["application/json"]
    assert set(answers["schema"]["properties"]) == set(server.get("pools"))
    (pool,) = server.get("pools")["pools"]
    fits(told, "Pool", pool)
    body = {"path": str(tmp_path / "new"), "create": True}
    fits(told, "Pool", server.client.post("/api/v1/pools", json=body).json())
    assert server.client.delete("/api/v1/pools/new").json() == {}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([], "should be an object"),
        ({}, "lacks 'action'"),
        ({"action": 3}, "there is no action '3'"),
        ({"action": "shout"}, "there is no action 'shout'"),
        ({"action": "tag", "selection": {"refs": ["a/1"]}}, "lacks 'tags'"),
        ({"action": "rename", "ref": "a/1", "name": 3}, "'name' of the body should be a text"),
        ({"action": "verify", "pool": "a", "slow": True}, "has no key 'slow'"),
    ],
)
def test_what_fits_no_action_is_told(server, body, text):
    answer = server.client.post("/api/v1/jobs", json=body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]
    assert ("tag" in answer.json()["error"]["hint"]) == ("action'" in text or "no action" in text)
    assert BODY["discriminator"]["propertyName"] == "action"


# -- which folders clients may name


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[Server]:
    """Return a server whose clients may use one folder, in which a link leads out."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "notes.txt").write_text(folder.name)
        with sp.Pool(folder / "theirs") as pool:
            pool.save(made(9), "nine")
    (inside / "link").symlink_to(outside)
    with sp.Pool(tmp_path / "own") as pool:
        pool.save(made(1), "one")
    server = Server(tmp_path / "own", senders=Sender(), folders=[str(inside)])
    with server.client:
        yield server


@pytest.mark.parametrize("where", ["outside", "inside/link", "inside/../outside", "inside2", ""])
def test_clients_use_no_folder_but_those_that_are_given(bounded, tmp_path, where):
    (tmp_path / "inside2").mkdir()
    before = sorted(tmp_path.rglob("*"))
    place = os.path.join(tmp_path, where)
    one = {"refs": ["own/1"]}
    bodies: list[dict[str, Any]] = [
        {"action": "add", "pool": "own", "paths": [f"{place}/notes.txt"]},
        {"action": "add", "pool": "own", "paths": [f"{tmp_path}/inside/notes.txt", place]},
        {"action": "export", "selection": one, "folder": f"{place}/out"},
        {"action": "copy", "selection": one, "pool": f"{place}/new", "create": True},
        {"action": "copy", "selection": one, "pool": f"{place}/theirs"},
        {"action": "send", "selection": one, "target": f"file:{place}/x.fits"},
        {"action": "send", "selection": one, "target": f"text:{place}/x.txt"},
        {"action": "send", "selection": one, "target": f"pool:{place}/new"},
    ]
    for body in bodies:
        answer = bounded.client.post("/api/v1/jobs", json=body)
        assert answer.status_code == 403, body
        error = answer.json()["error"]
        assert error["code"] == "outside"
        assert str(tmp_path / "inside") in error["hint"]
    for path in (f"{place}/theirs", f"{place}/new"):
        body = {"path": path, "create": True}
        assert bounded.client.post("/api/v1/pools", json=body).status_code == 403
    assert sorted(tmp_path.rglob("*")) == before


def test_clients_use_the_folders_that_are_given(bounded, tmp_path):
    inside = tmp_path / "inside"
    one = {"refs": ["own/1"]}
    bounded.do("add", pool="own", paths=[f"{inside}/notes.txt"])
    bounded.do("export", selection=one, folder=f"{inside}/out")
    bounded.do("copy", selection=one, pool=f"{inside}/theirs")
    bounded.do("send", selection=one, target=f"file:{inside}/x.fits")
    bounded.do("send", selection=one, target=f"file:{inside}/many/")
    assert (inside / "out").is_dir()
    assert (inside / "x.fits").is_file()
    assert list((inside / "many").iterdir())
    body = {"path": str(inside / "new"), "create": True}
    assert bounded.client.post("/api/v1/pools", json=body).status_code == 200


def test_sending_writes_no_relative_path(bounded):
    body = {"action": "send", "selection": {"refs": ["own/1"]}, "target": "file:x.fits"}
    answer = bounded.client.post("/api/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "usage")
