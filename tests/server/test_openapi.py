"""The description of the API: whole, valid, and true for whatever a client may send."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from tests.docs.pages import page

import skypool as sp
from skypool.server.action_bodies import BODIES
from skypool.server.actions import ACTIONS
from skypool.server.app import PARTS, PREFIX, endpoints, make_context
from skypool.server.jobs import Jobs
from skypool.vo.sending import Sender

from .conftest import TOKEN, client_of, made
from .test_jobs import Receiver

CAMPAIGN = os.environ.get("HYPOTHESIS_PROFILE") == "campaign"
# A search that finds nothing to understand is refused (422) though its JSON is right, and so on:
# what is held is that nothing ends with 500, and that answers are as they are described.
CHECKED = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
           "response_schema_conformance")  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("fuzzed") / "fuzzed")


class Senders(Sender):
    """Hears something, and then that the others have ended."""

    def receiver(self, pool: sp.Pool, *, under: str) -> Receiver:
        return Receiver(pool, under, lasts=False)


def fill(folder: Path) -> Path:
    """Make a pool with a few products."""
    with sp.Pool(folder) as pool, pool.commit() as commit:
        for number in range(4):
            commit.save(made(number), name=f"obs/{number:03d}/map", tags=["good"])
    return folder


def described(client: Any) -> dict[str, Any]:
    return client.get("/api/v1/openapi.json").json()


def test_every_route_is_described(shown_pool):
    table = endpoints(make_context([sp.Pool(shown_pool, "r")]))
    with client_of(shown_pool) as client:
        paths = described(client)["paths"]
        app_routes = {
            (method, route.path.removeprefix(PREFIX))
            for route in client.app._app.routes
            for method in route.methods - {"HEAD"}
            if route.path.startswith(PREFIX)
        }
    told = {(method.upper(), path) for path, each in paths.items() for method in each}
    assert {(method, path.replace(":path}", "}")) for method, path in app_routes} == told
    assert len(told) == len(table)
    for endpoint in table:
        assert endpoint.summary
        assert endpoint.group


def test_the_description_is_valid_and_whole(client):
    schema = described(client)
    assert schema["openapi"].startswith("3.1")
    loaded = schemathesis.openapi.from_dict(schema)
    loaded.validate()
    names = [
        operation["operationId"] for each in schema["paths"].values() for operation in each.values()
    ]
    assert len(names) == len(set(names))
    for path, each in schema["paths"].items():
        for operation in each.values():
            given = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert given == {part.split("}")[0] for part in path.split("{")[1:]}
            assert "default" in operation["responses"]


def test_the_page_of_the_api_names_every_group(client):
    text = page("http-api.md").read_text("utf-8")
    for path in described(client)["paths"]:
        word = path.split("/")[1]
        assert word in text, path
    assert len(PARTS) == len(set(PARTS))


# Seconds; that of schemathesis, 10, is too little on a machine that does much else.
PATIENCE = 600
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1"}
WORDS = {
    "cursor": lambda known: known["cursor"],
    "pool": lambda known: "fuzzed",
    "label": lambda known: "fuzzed",
    "n": lambda known: known["n"],
    "hash": lambda known: known["hash"],
    "dataset": lambda known: "image",
}
# Of the bodies of actions: what is there, and places that may be used.
TRUE = {
    "selection": lambda known: {"refs": [f"fuzzed/{known['n']}"]},
    "ref": lambda known: f"fuzzed/{known['n']}",
    "refs": lambda known: [f"fuzzed/{known['n']}"],
    "pool": lambda known: "fuzzed",
    "commit": lambda known: 1,
    "paths": lambda known: [known["in"]],
    "folder": lambda known: known["out"],
    "path": lambda known: f"{known['out']}/{known['pool']}",
    "target": lambda known: f"file:{known['out']}/sent.fits",
}

GROUPS = (
    "results", "complete", "keys", "views", "products", "data", "uploads", "targets",
    "trash", "openapi",
)  # fmt: skip


@pytest.mark.parametrize("part", GROUPS)
def test_nothing_that_is_sent_ends_with_500(fuzzed, part):
    with client_of(fuzzed) as client:
        _fuzz_all(client, part, _known(client, fuzzed))


def test_no_action_that_is_sent_ends_with_500(tmp_path, monkeypatch):
    """Bodies of every action; what they say is read and written stays in a folder of the test."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("clouds")
    monkeypatch.chdir(tmp_path)
    pool = fill(tmp_path / "fuzzed")
    with client_of(pool, folders=[str(tmp_path)], senders=Senders()) as client:
        known = _known(client, pool) | {"in": f"{tmp_path}/in", "out": f"{tmp_path}/out"}
        _fuzz_all(client, "jobs", known)
        context = client.app._app.state.context
        jobs = context.part(Jobs)
        for job in jobs.all():
            if job.download is not None and not job.ended:
                client.get(f"/api/v1/jobs/{job.id}/download")
            assert job.wait(300), job
        codes = {error["code"] for job in jobs.all() for error in job.errors}
        assert "internal" not in codes, [job.errors for job in jobs.all()]
    with sp.Pool(pool, "r") as opened:
        assert opened.verify().problems == []


def test_no_opening_and_closing_of_pools_ends_with_500(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with client_of(fill(tmp_path / "fuzzed"), folders=[str(tmp_path)]) as client:
        known = _known(client, tmp_path / "fuzzed") | {"out": str(tmp_path), "pool": "fuzzed"}
        _fuzz_all(client, "pools", known)
    assert {path.name for path in tmp_path.iterdir()} == {"fuzzed"}


def _known(client: Any, folder: Path) -> dict[str, Any]:
    """Return what is there, for clients that ask for it."""
    search = client.post("/api/v1/results", json={}).json()
    number = int(search["rows"][0][0].split("/")[1])
    with sp.Pool(folder, "r") as pool:
        digest = pool.view.number(number).hash
    return {"cursor": search["cursor"], "n": number, "hash": digest}


def _fuzz_all(client: Any, part: str, known: dict[str, Any]) -> None:
    """Send much to the routes of a part."""
    # The stream of events never ends.
    left_out = r"^/events$|shutdown"
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", client.app, headers=HEADERS)
    schema = schema.include(path_regex=f"^/{part}").exclude(path_regex=left_out)
    checks = [check for check in CHECKS.get_all() if check.__name__ in CHECKED]
    for operation in [each.ok() for each in schema.get_all_operations()]:
        if operation.label == "POST /jobs":
            for action in ACTIONS:  # the examples of the description
                (body,) = deepcopy(BODIES[action]["examples"])
                _make_true(body, known)
                case = operation.Case(body=body, media_type="application/json")
                answer = case.call(headers=HEADERS, timeout=PATIENCE)
                assert answer.status_code == 202, answer.text
                case.validate_response(answer, checks=checks)
        _fuzz(operation, checks, known)


def _make_true(body: Any, known: dict[str, Any]) -> None:
    """Let the body of an action name what is there."""
    if isinstance(body, dict):
        body.update({name: make(known) for name, make in TRUE.items() if name in body})
        if body.get("action") == "copy":
            body["pool"] = f"{known['out']}/pool"


def _fuzz(operation: Any, checks: list[Any], known: dict[str, Any]) -> None:
    starts = operation.label in ("POST /jobs", "POST /pools")
    count = (2000 if starts else 300) if CAMPAIGN else (30 if starts else 12)

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=not CAMPAIGN,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def one(case: Any, choice: int) -> None:
        # Names that exist are tried as often as names that are made up.
        for name, make in WORDS.items():
            if choice % 4 and name in (case.path_parameters or {}):
                case.path_parameters[name] = make(known)
            if choice % 3 and name in (case.query or {}):
                case.query[name] = make(known)
        if starts and choice % 4:
            _make_true(case.body, known)
        answer = case.call(headers=HEADERS, timeout=PATIENCE)
        case.validate_response(answer, checks=checks)

    given(case=operation.as_strategy(), choice=st.integers(0, 11))(one)()
