"""Fetching: once, on after a cut, never two files mixed, and what a user is told."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skypool import errors
from skypool.pool.downloading import Downloader
from skypool.pool.progress import Progress

from .server import Behaviour, serving

DATA = random.Random(1).randbytes(600_000)
OTHER = random.Random(2).randbytes(600_000)


@pytest.fixture
def server() -> Iterator[Behaviour]:
    with serving(Behaviour(files={"/x/m83.fits": DATA})) as found:
        yield found


@pytest.fixture
def get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Downloader(str(tmp_path / "cache"), pauses=(0.0, 0.0), timeout=60)


def test_a_file(server: Behaviour, get: Downloader, tmp_path: Path) -> None:
    found = get.fetch(f"{server.url}/x/m83.fits")
    assert found is not None
    assert Path(found.path).name == "m83.fits"
    assert Path(found.path).read_bytes() == DATA
    assert dict(found.origin) == {"url": f"{server.url}/x/m83.fits"}
    get.forget(found)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("etag", ["", '"one"', 'W/"weak"'])
@pytest.mark.parametrize("modified", ["", "Tue, 26 Jul 2016 15:43:42 GMT"])
def test_on_after_cuts(server: Behaviour, get: Downloader, etag: str, modified: str) -> None:
    server.etag, server.modified, server.cuts = etag, modified, [200_000, 300_000]
    found = get.fetch(f"{server.url}/x/m83.fits")
    assert found is not None
    assert Path(found.path).read_bytes() == DATA
    starts = [headers.get("Range") for headers in server.data_requests]
    assert starts == [None, f"bytes={200_000 - 65536}-", f"bytes={500_000 - 2 * 65536}-"]
    assert server.sent < len(DATA) + 200_000


def test_on_in_another_process(server: Behaviour, get: Downloader, tmp_path: Path) -> None:
    server.cuts = [400_000, 0, 0, 0, 0]
    with pytest.raises(errors.Unreachable, match=r"was cut.*400,000 bytes that came are kept"):
        get.fetch(f"{server.url}/x/m83.fits")
    server.cuts, server.sent = [], 0
    again = Downloader(str(tmp_path / "cache"), pauses=())
    found = again.fetch(f"{server.url}/x/m83.fits")
    assert found is not None
    assert Path(found.path).read_bytes() == DATA
    assert server.sent == len(DATA) - 400_000 + 65536


def test_a_server_without_ranges_sends_all_again(server: Behaviour, get: Downloader) -> None:
    server.ranges, server.cuts = False, [200_000]
    found = get.fetch(f"{server.url}/x/m83.fits")
    assert found is not None
    assert Path(found.path).read_bytes() == DATA
    assert server.sent == len(DATA) + 200_000


@pytest.mark.parametrize("etag", ["", '"one"'])
@pytest.mark.parametrize("size", [600_000, 550_000, 100_000])
def test_a_file_that_changed_meanwhile_is_not_mixed(
    server: Behaviour, get: Downloader, etag: str, size: int
) -> None:
    server.etag, server.cuts = etag, [200_000, 0, 0, 0]
    with pytest.raises(errors.Unreachable):
        get.fetch(f"{server.url}/x/m83.fits")
    server.cuts = []
    server.files["/x/m83.fits"] = OTHER[:size]
    server.etag = '"two"' if etag else ""
    found = get.fetch(f"{server.url}/x/m83.fits")
    assert found is not None
    assert Path(found.path).read_bytes() == OTHER[:size]


def test_what_is_known_is_not_fetched_again(server: Behaviour, get: Downloader) -> None:
    url = f"{server.url}/x/m83.fits"
    for key, value in (("etag", '"one"'), ("modified", "Tue, 26 Jul 2016 15:43:42 GMT")):
        server.etag, server.modified = "", ""
        setattr(server, key, value)
        found = get.fetch(url)
        assert found is not None
        assert found.origin[key] == value
        server.sent = 0
        get.forget(found)
        assert get.fetch(url, found.origin) is None
        assert server.sent == 0
        setattr(server, key, value.replace("2016", "2017").replace("one", "two"))
        changed = get.fetch(url, found.origin)
        assert changed is not None
        get.forget(changed)


def test_a_complete_file_that_was_not_taken_is_used(server: Behaviour, get: Downloader) -> None:
    """Adding it failed, for lack of room perhaps: it need not come again."""
    url = f"{server.url}/x/m83.fits"
    server.etag = '"one"'
    assert get.fetch(url)
    server.sent = 0
    again = get.fetch(url)
    assert again is not None
    assert Path(again.path).read_bytes() == DATA
    assert server.sent == 0


def test_busy_servers_are_asked_again(server: Behaviour, get: Downloader) -> None:
    server.status = [503, 429]
    assert get.fetch(f"{server.url}/x/m83.fits")
    server.status = [500] * 5
    with pytest.raises(errors.Unreachable, match="the server says 500"):
        get.fetch(f"{server.url}/x/other")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(404, errors.NotFound, "there is no http"), (410, errors.NotFound, "410"),
     (401, errors.StorageError, "refuses"), (403, errors.StorageError, "403"),
     (400, errors.StorageError, "400")],
)  # fmt: skip
def test_refusals(server: Behaviour, get: Downloader, status: int, kind: Any, words: str) -> None:
    server.status = [status]
    with pytest.raises(kind, match=words):
        get.fetch(f"{server.url}/x/m83.fits")


def test_offline(get: Downloader) -> None:
    with serving(Behaviour()) as gone:
        url = gone.url
    with pytest.raises(errors.Unreachable, match=r"cannot reach 127\.0\.0\.1") as caught:
        get.fetch(f"{url}/x")
    assert "offline" in caught.value.hint
    assert (caught.value.code, caught.value.exit_code) == ("unreachable", 1)
    with pytest.raises(errors.Unreachable, match="cannot reach nowhere"):
        get.fetch("http://nowhere.invalid/x")


def test_redirections_leave_the_web_for_nothing(server: Behaviour, get: Downloader) -> None:
    assert not any(type(h).__name__ in ("FileHandler", "FTPHandler") for h in get._opener.handlers)


def test_two_at_once_fetch_one_after_the_other(
    server: Behaviour, get: Downloader, tmp_path: Path
) -> None:
    server.etag = '"one"'
    url = f"{server.url}/x/m83.fits"
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(get.fetch(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {Path(each.path).read_bytes() for each in found} == {DATA}
    assert server.sent == len(DATA)


def test_progress(server: Behaviour, tmp_path: Path) -> None:
    steps: list[Progress] = []
    Downloader(str(tmp_path / "cache"), on_progress=steps.append).fetch(f"{server.url}/x/m83.fits")
    assert {(step.stage, step.name, step.total_bytes) for step in steps} == {
        ("fetching", "m83.fits", len(DATA))
    }
    assert [step.bytes for step in steps] == sorted(step.bytes for step in steps)
    assert steps[-1].bytes == len(DATA)
