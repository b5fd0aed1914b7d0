"""The hub that skypool starts, the lock file, and the client."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyvo.samp import SAMPIntegratedClient

from skypool.config import Settings
from skypool.errors import MissingDependency, Unreachable, UsageError
from skypool.vo import hub as hub_module
from skypool.vo.client import Client, message, plain
from skypool.vo.hub import find_hub, start_hub
from skypool.vo.lockfile import hub_variable, lockfile_path, read_lockfile
from skypool.vo.peers import peers

from .conftest import LIMIT, until


@pytest.fixture
def settings(lockfile: Path) -> Iterator[Settings]:
    """Settings with a lock file of the test; hubs that it started are ended."""
    yield Settings(home=lockfile.parent, cache=lockfile.parent, samp=hub_variable(str(lockfile)))
    for process in hubs(lockfile):
        process.kill()
        process.wait(LIMIT)


def hubs(lockfile: Path) -> list[psutil.Process]:
    """Return the hubs that were started for a lock file."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("SAMP_HUB") == hub_variable(str(lockfile))
            if ours and "skypool.vo.hub" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_hub_is_started_once_however_many_want_it(settings: Settings, lockfile: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(start_hub(settings).url)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(hubs(lockfile)) == 1
    assert lockfile.stat().st_mode & 0o077 == 0
    assert start_hub(settings).url == found[0]
    # Other programs find it too.
    os.environ["SAMP_HUB"] = f"std-lockurl:{lockfile}"  # own_folders puts it back
    place = read_lockfile(str(lockfile))
    assert place is not None
    client = SAMPIntegratedClient(name="x", addr="127.0.0.1")
    client.connect(hub_params={"samp.hub.xmlrpc.url": place.url, "samp.secret": place.secret})
    client.disconnect()


def test_a_hub_ends_when_nobody_is_left(settings: Settings, lockfile: Path) -> None:
    words = [sys.executable, "-m", "skypool.vo.hub", "--stay", "--lonely", "0.5"]
    environment = os.environ | {"SAMP_HUB": settings.samp}
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as process:
        until(lambda: lockfile.exists() or process.poll() is not None, "the hub starts")
        assert process.wait(LIMIT) == 0
    assert not lockfile.exists()
    assert find_hub(settings) is None


def test_a_hub_that_was_killed_is_replaced(settings: Settings, lockfile: Path) -> None:
    before = start_hub(settings)
    for process in hubs(lockfile):
        process.kill()
        process.wait(LIMIT)
    assert find_hub(settings) is None
    assert lockfile.exists()
    assert start_hub(settings).secret != before.secret


def test_without_pyvo_the_extra_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency) as caught:
        start_hub(settings)
    assert "pip install 'skypool[vo]'" in caught.value.hint


def test_a_hub_that_does_not_start_says_why(
    settings: Settings, lockfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lockfile.mkdir()  # where the lock file should be
    monkeypatch.setattr(hub_module, "_START_SECONDS", LIMIT)
    with pytest.raises(Unreachable, match="none could be started") as caught:
        start_hub(settings)
    assert "Traceback" not in str(caught.value)


def test_the_place_of_the_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    def at(samp: str) -> str:
        return lockfile_path(Settings(home=tmp_path, cache=tmp_path, samp=samp))

    assert at("") == str(tmp_path / ".samp")
    assert at("std-lockurl:file:///a/b%20c") == "/a/b c"
    for odd in ("std-lockurl:http://example.org/samp", "file:///x", "web-profile:x"):
        with pytest.raises(UsageError, match="SAMP_HUB"):
            at(odd)


@given(st.text(max_size=200))
def test_any_lock_file_is_a_place_or_none(text: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode("utf-8", "replace"))
        file.flush()
        assert read_lockfile(file.name) is None


def test_lock_files_of_other_hubs(tmp_path: Path) -> None:
    path = tmp_path / "samp"
    path.write_text(
        "# written by Java\nsamp.secret=a=b\nsamp.hub.xmlrpc.url=http\\://127.0.0.1\\:2112/x\n"
    )
    place = read_lockfile(str(path))
    assert place is not None
    assert (place.url, place.secret, place.host) == ("http://127.0.0.1:2112/x", "a=b", "127.0.0.1")
    assert read_lockfile(str(tmp_path)) is None


def test_only_the_hub_may_call(hub: Path) -> None:
    place = read_lockfile(str(hub))
    assert place is not None
    got: list[str] = []
    client = Client(place, {"samp.name": "x"}, {"a.b": {}}, lambda *args: got.append(args[2]))
    try:
        host, port = client._server.server_address[:2]
        with xmlrpc.client.ServerProxy(f"http://{host!s}:{port}") as stranger:
            at, what = stranger.samp.client, message("a.b", {})
            for key in ("", "guess", client.id):
                for call, more in (
                    (at.receiveCall, ("y", "1", what)),
                    (at.receiveNotification, ("y", what)),
                    (at.receiveResponse, ("y", "1", {})),
                ):
                    with pytest.raises(xmlrpc.client.Fault, match="not from the hub"):
                        call(key, *more)
        assert got == []
        client.notify(client.id, "a.b", {})
        until(lambda: got == ["a.b"], "a message of the hub is taken")
    finally:
        client.close()
    client.close()


def test_many_open_files_do_not_matter(hub: Path) -> None:
    """Sockets above 1,023 work: `select` would refuse them."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1400
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("the system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        place = read_lockfile(str(hub))
        assert place is not None
        client = Client(place, {"samp.name": "x"})
        try:
            assert client._server.fileno() > 1023
            answer = client.call(client.id, "samp.app.ping", {}).wait(LIMIT)
        finally:
            client.close()
    finally:
        for handle in taken:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer is not None
    assert answer["samp.status"] == "samp.ok"


def test_the_dead_are_told_from_the_living(hub: Path) -> None:
    place = read_lockfile(str(hub))
    assert place is not None
    me, living, dead = (Client(place, {"samp.name": name}) for name in ("me", "living", "dead"))
    dead._server.shutdown()  # as a program that was killed: the hub still lists it
    dead._server.server_close()
    try:

        def found() -> dict[str, bool]:
            return {peer.name: peer.alive for peer in peers(me, 1.0)}

        assert found()["dead"] is False
        until(lambda: found() == {"living": True, "dead": False}, "the living answers")
    finally:
        dead.hub("unregister")
        dead.gone = True
        for client in (me, living):
            client.close()


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_value_can_be_sent(value: object) -> None:
    text = xmlrpc.client.dumps((plain(value),))
    (found,), _ = xmlrpc.client.loads(text)
    assert found == _lines(plain(value))


def _lines(value: object) -> object:
    # XML reads every line end as one character.
    if isinstance(value, dict):
        return {_lines(key): _lines(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_lines(item) for item in value]
    return str(value).replace("\r\n", "\n").replace("\r", "\n")
