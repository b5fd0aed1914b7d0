"""The description of the API: whole, valid, and true for whatever a client may send."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from tests.docs.pages import page

import skypool as sp
from skypool.server.app import PARTS, PREFIX, endpoints, make_context

from .conftest import TOKEN, client_of, made

CAMPAIGN = os.environ.get("HYPOTHESIS_PROFILE") == "campaign"
# A search that finds nothing to understand is refused (422) though its JSON is right, and so on:
# what is held is that nothing ends with 500, and that answers are as they are described.
CHECKED = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
           "response_schema_conformance")  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzzed") / "fuzzed"
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


HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1"}
WORDS = {
    "cursor": lambda known: known["cursor"],
    "pool": lambda known: "fuzzed",
    "label": lambda known: "fuzzed",
    "n": lambda known: known["n"],
    "hash": lambda known: known["hash"],
    "dataset": lambda known: "image",
}


GROUPS = (
    "results", "complete", "keys", "views", "products", "data", "jobs", "uploads", "targets",
    "trash", "openapi",
)  # fmt: skip


@pytest.mark.parametrize("part", GROUPS)
def test_nothing_that_is_sent_ends_with_500(fuzzed, part):
    # The stream of events never ends, and pools that are closed or made answer nothing more.
    left_out = r"^/events$|^/pools|shutdown"
    with client_of(fuzzed) as client:
        search = client.post("/api/v1/results", json={}).json()
        ref = search["rows"][0][0]
        with sp.Pool(fuzzed, "r") as pool:
            number = int(ref.split("/")[1])
            digest = pool.view.number(number).hash
        known = {"cursor": search["cursor"], "n": number, "hash": digest}
        schema = schemathesis.openapi.from_asgi(
            "/api/v1/openapi.json",
            client.app,
            headers={"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1"},
        )
        schema = schema.include(path_regex=f"^/{part}").exclude(path_regex=left_out)
        operations = [each.ok() for each in schema.get_all_operations()]
        checks = [check for check in CHECKS.get_all() if check.__name__ in CHECKED]
        for operation in operations:
            _fuzz(client, operation, checks, known)


def _fuzz(client: Any, operation: Any, checks: list[Any], known: dict[str, Any]) -> None:
    count = 300 if CAMPAIGN else 12

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
        answer = case.call(headers=HEADERS)
        case.validate_response(answer, checks=checks)

    from hypothesis import given
    from hypothesis import strategies as st

    given(case=operation.as_strategy(), choice=st.integers(0, 11))(one)()
