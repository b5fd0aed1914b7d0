"""Who is let in: every way that should be refused, and what that must not spend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import skypool as sp
from skypool.server.app import make_app
from skypool.server.security import HEADERS, Access

from .conftest import BASE, TOKEN

API = "/api/v1/pools"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def stranger(shown_pool: Path) -> Iterator[TestClient]:
    app = make_app([sp.Pool(shown_pool)], token=TOKEN)
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        yield client


def enter(client: TestClient, token: str = TOKEN, **headers: str):
    return client.get("/", params={"token": token}, headers=headers)


def test_without_token_nothing_is_answered(stranger):
    for path in ("/", API, "/api/v1/openapi.json", "/index.html", "/api/v1/nothing"):
        assert stranger.get(path).status_code == 403
    refused = stranger.get(API).json()["error"]
    assert refused["code"] == "forbidden"
    assert refused["hint"]


def test_a_token_in_the_address_is_good_once(stranger):
    first = enter(stranger)
    assert first.status_code == 303
    assert first.headers["location"] == "./"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert stranger.get(API).status_code == 200
    # The same browser may load the address again; another, who has stolen it, may not.
    assert enter(stranger).status_code == 303
    stranger.cookies.clear()
    second = enter(stranger)
    assert second.status_code == 403
    assert "set-cookie" not in second.headers
    assert stranger.get(API).status_code == 403


def test_a_program_does_not_spend_the_token(stranger):
    for _ in range(3):
        assert stranger.get(API, headers=BEARER).status_code == 200
    assert enter(stranger).status_code == 303


@pytest.mark.parametrize(
    "given", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é", "x" * 9999]
)
def test_other_tokens_are_refused_and_spend_nothing(stranger, given):
    assert enter(stranger, given).status_code == 403
    header = {"Authorization": b"Bearer " + given.encode()}
    assert stranger.get(API, headers=header).status_code == 403
    cookie = {"Cookie": b"skypool=" + given.encode()[:50]}
    assert stranger.get(API, headers=cookie).status_code == 403
    assert enter(stranger).status_code == 303


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8123", "127.0.0.1.evil.example", "localhost.evil.example", "",
     "10.0.0.1:8123", "0.0.0.0:8123", "[::2]:8123", "127.0.0.1:x", "127.0.0.1@evil.example"],
)  # fmt: skip
def test_another_host_is_refused_and_spends_nothing(stranger, host):
    for answer in (
        enter(stranger, Host=host),
        stranger.get(API, headers={**BEARER, "Host": host}),
    ):
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert enter(stranger).status_code == 303


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:99", "LOCALHOST:8123"])
def test_own_hosts(stranger, host):
    assert stranger.get(API, headers={**BEARER, "Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8123", "http://127.0.0.1:81", ""]
)
def test_another_origin_is_refused_and_spends_nothing(stranger, origin):
    for answer in (
        enter(stranger, Origin=origin),
        stranger.post(API, json={"path": "/"}, headers={**BEARER, "Origin": origin}),
        stranger.get(API, headers={**BEARER, "Origin": origin}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert enter(stranger).status_code == 303


def test_own_origin(stranger):
    headers = {**BEARER, "Origin": BASE}
    assert stranger.get(API, headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_others_reach_no_data_even_with_the_cookie(stranger, site):
    enter(stranger)
    assert stranger.get(API, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert stranger.get(API, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_form_of_another_site_cannot_change_anything(stranger):
    enter(stranger)
    answer = stranger.post(
        API, content='{"path": "/"}', headers={"Content-Type": "text/plain"}
    )  # what a browser sends without asking first
    assert answer.status_code == 400


def test_a_link_from_elsewhere_leads_to_the_page(stranger):
    # No strict cookie is sent along a redirection that began on another site.
    answer = enter(stranger, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    assert stranger.get(API).status_code == 200


def test_only_get_spends(stranger):
    for method in ("HEAD", "OPTIONS", "POST"):
        assert stranger.request(method, "/", params={"token": TOKEN}).status_code == 403
    assert enter(stranger).status_code == 303


def test_a_preflight_allows_nothing(stranger):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = stranger.options(API, headers=headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_has_the_headers(stranger):
    answers = [stranger.get("/"), enter(stranger), stranger.get(API), stranger.get("/api/v1/x")]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_token_of_the_opened_browser_is_no_bearer():
    access = Access(TOKEN)
    other = access.another()
    assert access.spend(other)
    assert access.spend(other) is None
    assert access.spend(TOKEN)


def test_no_bearer_from_a_browsers_token(shown_pool):
    access = Access(TOKEN)
    other = access.another()
    app = make_app([sp.Pool(shown_pool)], access=access)
    with TestClient(app, base_url=BASE) as client:
        assert client.get(API, headers={"Authorization": f"Bearer {other}"}).status_code == 403


def test_two_servers_have_cookies_of_their_own():
    assert Access(TOKEN).cookie != Access(TOKEN).cookie


def test_a_body_has_a_limit(stranger):
    headers = {**BEARER, "Content-Type": "application/json"}
    answer = stranger.post(API, content=b'"' + b"x" * 2**23 + b'"', headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"

    def parts() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 2**16

    assert stranger.post(API, content=parts(), headers=headers).status_code == 413


def test_read_only_refuses_what_changes(shown_pool):
    from skypool.server.app import endpoints, make_context

    context = make_context([sp.Pool(shown_pool)], read_only=True)
    table = endpoints(context)
    app = make_app([], token=TOKEN, context=context)
    with TestClient(app, base_url=BASE, headers=BEARER) as client:
        for endpoint in table:
            if endpoint.changes:
                path = endpoint.path.replace("{path:path}", "x").replace("{", "").replace("}", "")
                answer = client.request(endpoint.method, f"/api/v1/{path}", json={})
                assert answer.status_code == 403, endpoint.path
                assert answer.json()["error"]["code"] == "read_only"
