"""Jobs: each action with its undo, conflicts, cancelling, crashes, events, and what is refused."""

from __future__ import annotations

import io
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from starlette.testclient import TestClient
from tests.docs.pages import page
from tests.server.conftest import TOKEN, client_of, made

import skypool as sp
from skypool.server import actions_change, actions_files
from skypool.server.app import make_api, make_context
from skypool.server.jobs import Job, Jobs
from skypool.testing import observation

LONG = 120.0


class Server:
    """A client of a server whose insides can be looked at."""

    def __init__(self, *folders: Path, **options: Any) -> None:
        self.context = make_context([sp.Pool(folder) for folder in folders], **options)
        self.client = TestClient(make_api(self.context), base_url="http://127.0.0.1")
        self.events: list[Any] = []
        self.context.hub.listen(self.events.append)

    @property
    def jobs(self) -> Jobs:
        return self.context.part(Jobs)

    def post(self, action: str, status: int = 202, **body: Any) -> dict:
        answer = self.client.post("/api/v1/jobs", json={"action": action, **body})
        assert answer.status_code == status, answer.text
        return answer.json()["job"] if status == 202 else answer.json()["error"]

    def do(self, action: str, state: str = "done", **body: Any) -> dict:
        """Start a job and wait for its end."""
        key = self.post(action, **body)["id"]
        assert self.jobs[key].wait(LONG)
        job = self.client.get(f"/api/v1/jobs/{key}").json()["job"]
        assert job["state"] == state, job
        return job

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def server(pool: Path) -> Iterator[Server]:
    made_server = Server(pool)
    with made_server.client:
        yield made_server


@pytest.fixture
def own(server: Server) -> sp.Pool:
    return server.context.pools["own"]


def refs(pool: sp.Pool, *names: str) -> dict:
    return {"refs": [f"own/{pool[name].number}" for name in names]}


def state(pool: sp.Pool) -> dict:
    return {ref.name: (ref.hash, ref.tags) for ref in pool.ls()}


A, B = "obs/001/map", "obs/002/map"

CHANGES = {
    "tag": lambda p: {"selection": refs(p, A, B), "tags": ["one", "two"]},
    "untag": lambda p: {"selection": refs(p, A, B), "tags": ["good"]},
    "rename": lambda p: {"ref": f"own/{p[A].number}", "name": "first"},
    "remove": lambda p: {"selection": refs(p, A, B)},
}


@pytest.mark.parametrize("action", CHANGES)
def test_each_change_is_one_commit_with_an_undo(server, own, action):
    before = state(own)
    head = own.view.at
    job = server.do(action, **CHANGES[action](own))
    after = state(own)
    assert after != before
    assert job["commits"] == [{"pool": "own", "commit": head + 1}]
    assert own.view.at == head + 1
    assert job["undo"] is True
    back = server.do("undo", job=job["id"])
    assert state(own) == before
    assert server.get(f"jobs/{job['id']}")["job"]["undo"] is False
    assert server.post("undo", 400, job=job["id"])["code"] == "usage"
    server.do("undo", job=back["id"])
    assert state(own) == after


@pytest.mark.parametrize("action", CHANGES)
def test_the_lines_that_are_echoed_do_the_same(server, own, action, tmp_path):
    body = CHANGES[action](own)
    copy = own.clone(tmp_path / "copy")
    job = server.do(action, **body)
    done = state(own)
    exec(job["code"]["python"].replace(repr(own.path), repr(copy.path)), {"skypool": sp})
    assert state(sp.Pool(copy.path)) == done
    assert own.path in job["code"]["command"] or action == "remove"


def test_commands_that_are_echoed_do_the_same(server, own, tmp_path, monkeypatch):
    import shlex

    from click.testing import CliRunner

    from skypool.cli.app import app

    job = server.do("tag", selection=refs(own, A, B), tags=["with blank", "x"])
    done = state(own)
    server.do("undo", job=job["id"])
    for line in job["code"]["command"].splitlines():
        words = shlex.split(line)
        assert words[0] == "skypool"
        found = CliRunner().invoke(app, words[1:])
        assert found.exit_code == 0, found.output
    assert state(sp.Pool(own.path)) == done


def test_what_is_there_already_is_no_change(server, own):
    head = own.view.at
    job = server.do("tag", selection=refs(own, A), tags=["good"])
    assert (job["result"]["count"], job["undo"], job["commits"]) == (0, False, [])
    assert own.view.at == head


def test_tags_of_versions_that_are_not_the_newest(server, own):
    own.save(made(9), A)
    server.do("tag", selection={"refs": [f"own/{own[A + '@0'].number}"]}, tags=["old"])
    assert own[f"{A}@0"].tags == ("good", "old")
    assert own[A].tags == ()


def test_a_selection_over_two_pools_is_a_commit_in_each(pool, tmp_path):
    with sp.Pool(tmp_path / "second") as second:
        other = second.save(made(7), "x")
    server = Server(pool, tmp_path / "second")
    with server.client:
        first = server.context.pools["own"]
        chosen = {"refs": [f"own/{first[A].number}", f"second/{other.number}"]}
        job = server.do("tag", selection=chosen, tags=["both"])
        assert [each["pool"] for each in job["commits"]] == ["own", "second"]
        assert first.tags["both"] == server.context.pools["second"].tags["both"] == 1
        server.do("undo", job=job["id"])
        assert "both" not in first.tags
        assert "both" not in server.context.pools["second"].tags


def test_all_that_match_but_some(server, own):
    found = server.client.post("/api/v1/results", json={"query": "instrument == 'PACS'"}).json()
    first = found["rows"][0][0]
    chosen = {"cursor": found["cursor"], "all": True, "except": [first]}
    job = server.do("tag", selection=chosen, tags=["chosen"])
    assert job["result"]["count"] == found["total"] - 1 > 0
    assert own.tags["chosen"] == found["total"] - 1
    whole = {"cursor": found["cursor"], "all": True}
    job = server.do("tag", selection=whole, tags=["whole"])
    assert ".find(" in job["code"]["python"]
    assert "find" in job["code"]["command"]
    server.do("undo", job=job["id"])
    exec(job["code"]["python"], {"skypool": sp})
    assert own.tags["whole"] == found["total"]


# -- removing, with children and from the trash


@pytest.fixture(scope="module")
def with_observation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("jobs")
    root = observation.write(place / "in", 0.01)
    with sp.Pool(place / "own") as pool:
        pool.add(root)
        pool.save(sp.Product(kind="MapContext", refs={"map": pool["1342182452/level2/PSW"]}), "use")
        alone = pool.save(made(1), "alone")
        shared = pool.save(made(2), "shared")
        for name in ("one", "two"):
            pool.save(sp.Product(kind="MapContext", refs={"a": shared, "b": alone}), name)
    return place / "own"


@pytest.fixture
def observed(with_observation: Path, tmp_path: Path) -> Iterator[Server]:
    made_server = Server(shutil.copytree(with_observation, tmp_path / "own"))
    with made_server.client:
        yield made_server


def test_remove_with_and_without_children(observed):
    pool = observed.context.pools["own"]
    chosen = refs(pool, "1342182452")
    before = {ref.name for ref in pool.ls()}
    dry = observed.do("remove", selection=chosen, children=True, dry_run=True)
    assert {ref.name for ref in pool.ls()} == before
    assert dry["undo"] is False
    (spared,) = dry["result"]["spared"]
    assert "PSW" in spared
    job = observed.do("remove", selection=chosen)
    assert {ref.name for ref in pool.ls()} == before - {"1342182452"}
    observed.do("undo", job=job["id"])
    job = observed.do("remove", selection=chosen, children=True)
    left = {ref.name for ref in pool.ls()}
    assert left == {"use", "alone", "shared", "one", "two", spared}
    assert job["result"]["count"] == dry["result"]["count"]
    observed.do("undo", job=job["id"])
    assert {ref.name for ref in pool.ls()} == before


def test_children_elsewhere_go_where_nobody_else_has_them(observed):
    pool = observed.context.pools["own"]
    pool.remove("two")
    third = pool.save(sp.Product(kind="MapContext", refs={"a": pool["shared"]}), "three")
    observed.do("remove", selection=refs(pool, "one"), children=True)
    names = {ref.name for ref in pool.ls()}
    assert "alone" not in names
    assert {"shared", third.name} <= names


def test_the_trash_and_back(server, own):
    before = state(own)
    server.do("remove", selection=refs(own, A, B))
    trash = server.get("trash")["trash"]
    assert [each["name"] for each in trash] == [A, B]
    assert trash[0]["author"] == "tester"
    job = server.do("restore", refs=[each["ref"] for each in trash])
    assert state(own) == before
    assert len(job["commits"]) == 1
    assert server.get("trash")["trash"] == []
    server.do("undo", job=job["id"])
    assert len(server.get("trash")["trash"]) == 2


# -- conflicts with others who write


def test_what_others_changed_since_is_not_undone(server, own):
    job = server.do("rename", ref=f"own/{own[A].number}", name="first")
    with sp.Pool(own.path) as other:
        other.rename("first", "mine")
    refused = server.do("undo", "failed", job=job["id"])
    (error,) = refused["errors"]
    assert error["code"] == "edit_conflict"
    assert "'mine'" in error["message"]
    assert "tester" in error["message"]
    assert "mine" in own
    assert server.get(f"jobs/{job['id']}")["job"]["undo"] is True


def test_a_name_that_is_taken(server, own):
    failed = server.do("rename", "failed", ref=f"own/{own[A].number}", name=B)
    assert failed["errors"][0]["code"] == "name_conflict"
    assert failed["undo"] is False


def test_what_is_gone_meanwhile(server, own):
    chosen = refs(own, A)
    with sp.Pool(own.path) as other:
        other.remove(A)
    failed = server.do("remove", "failed", selection=chosen)
    assert failed["errors"][0]["code"] == "not_found"


def test_many_writers_lose_nothing(server, own):
    """Tags that are put on at once by jobs and by another process's pool are all there."""
    chosen = refs(own, A, B)

    def write() -> None:
        with sp.Pool(own.path) as other:
            for number in range(10):
                other.tag(A, f"theirs {number}")

    thread = threading.Thread(target=write)
    thread.start()
    jobs = [server.post("tag", selection=chosen, tags=[f"ours {n}"])["id"] for n in range(10)]
    thread.join(LONG)
    assert all(server.jobs[key].wait(LONG) for key in jobs)
    wanted = {f"{who} {n}" for who in ("ours", "theirs") for n in range(10)}
    assert wanted <= set(own[A].tags)


# -- cancelling, failing, telling


@pytest.fixture
def gate(monkeypatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let a job tell that it has begun, and wait until it may go on."""
    begun, go = threading.Event(), threading.Event()
    tell = Job.tell

    def waits(self: Job, *given: Any, **more: Any) -> None:
        tell(self, *given, **more)
        begun.set()
        assert go.wait(LONG)
        self.check()

    monkeypatch.setattr(Job, "tell", waits)
    yield begun, go
    go.set()


def test_cancelled_changes_leave_nothing(server, own, gate):
    begun, go = gate
    head = own.view.at
    thread = threading.Thread(
        target=server.post, args=("tag",), kwargs={"selection": refs(own, A), "tags": ["x"]}
    )
    thread.start()
    assert begun.wait(LONG)
    (job,) = server.get("jobs")["jobs"]
    assert job["state"] == "running"
    assert server.client.delete(f"/api/v1/jobs/{job['id']}").status_code == 200
    go.set()
    assert server.jobs[job["id"]].wait(LONG)
    thread.join(LONG)
    assert server.get(f"jobs/{job['id']}")["job"]["state"] == "cancelled"
    assert own.view.at == head
    late = server.client.delete(f"/api/v1/jobs/{job['id']}")
    assert late.status_code == 400


def test_a_job_that_waits_is_cancelled_at_once(server, own, gate):
    begun, go = gate
    chosen = refs(own, A)
    threads = [
        threading.Thread(target=server.post, args=("tag",), kwargs={
            "selection": chosen, "tags": [tag]})
        for tag in "xy"
    ]  # fmt: skip
    threads[0].start()
    assert begun.wait(LONG)
    threads[1].start()
    threads[1].join(LONG)  # its answer does not wait for ever
    waiting, running = server.get("jobs")["jobs"]
    assert (waiting["state"], running["state"]) == ("waiting", "running")
    server.client.delete(f"/api/v1/jobs/{waiting['id']}")
    assert server.get(f"jobs/{waiting['id']}")["job"]["state"] == "cancelled"
    go.set()
    threads[0].join(LONG)
    assert server.jobs[running["id"]].wait(LONG)
    assert own[A].tags == ("good", "x")


def test_a_crash_is_reported_and_the_next_job_runs(server, own, monkeypatch, caplog):
    def crash(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(actions_change, "_commit_each", crash)
        job = server.do("tag", "failed", selection=refs(own, A), tags=["x"])
    (error,) = job["errors"]
    assert error["code"] == "internal"
    assert "ZeroDivisionError: planted" in error["message"]
    assert "crashed" in caplog.text
    assert server.do("tag", selection=refs(own, A), tags=["x"])["state"] == "done"


def test_clients_are_told(server, own):
    job = server.do("tag", selection=refs(own, A), tags=["x"])
    told = [event.data for event in server.events if event.name == "job"]
    states = [each["state"] for each in told if each["id"] == job["id"]]
    assert states[0] == "waiting"
    assert states[-1] == "done"
    assert told[-1]["undo"] is True
    assert told[-1]["code"]["python"]


def test_old_jobs_are_forgotten(server, own):
    for _ in range(205):
        server.post("verify", pool="own", quick=True)
    for job in server.jobs.all():
        assert job.wait(LONG)
    server.do("verify", pool="own", quick=True)
    assert len(server.get("jobs")["jobs"]) <= 201


# -- out: export, zip


def test_export(server, own, tmp_path):
    folder = tmp_path / "out"
    job = server.do("export", selection=refs(own, A, B), folder=str(folder))
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.fits"))
    assert len(files) == job["result"]["files"] == 2
    with fits.open(folder / files[0]) as opened:
        assert opened["image"].data.shape == (16, 16)
    again = server.do("export", "failed", selection=refs(own, A), folder=str(folder))
    assert again["errors"][0]["code"] == "conflict"
    server.do("export", selection=refs(own, A), folder=str(folder), overwrite=True)
    hcss = server.do("export", selection=refs(own, A), folder=str(tmp_path / "h"), format="hcss")
    with fits.open(hcss["result"]["paths"][0]) as opened:
        assert "HCSS____" in opened[0].header


def test_an_export_that_ends_early_leaves_nothing(server, own, tmp_path, gate):
    begun, go = gate
    folder = tmp_path / "out"
    key = server.post("export", selection=refs(own, A, B), folder=str(folder))["id"]
    assert begun.wait(LONG)
    server.client.delete(f"/api/v1/jobs/{key}")
    go.set()
    assert server.jobs[key].wait(LONG)
    assert server.jobs[key].state == "cancelled"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "out" in path.parts]


def test_export_refuses_odd_folders(server, own):
    for folder in ("relative", "", "a\0b", own.path, f"{own.path}/packs/x"):
        error = server.post("export", 400, selection=refs(own, A), folder=folder)
        assert error["hint"]


def test_zip(server, own):
    job = server.post("zip", selection=refs(own, A, B))
    assert (job["state"], job["download"]) == ("waiting", True)
    answer = server.client.get(f"/api/v1/jobs/{job['id']}/download")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) == 2
        with fits.open(io.BytesIO(opened.read(opened.namelist()[0]))) as first:
            assert np.all(first["image"].data == 1.0)
    ended = server.get(f"jobs/{job['id']}")["job"]
    assert ended["state"] == "done"
    assert ended["result"]["count"] == 2
    assert server.client.get(f"/api/v1/jobs/{job['id']}/download").status_code == 409


def test_zip_of_damaged_products_ends_early_and_fails(tmp_path):
    file = tmp_path / "notes.bin"
    file.write_bytes(bytes(range(256)) * 40)
    with sp.Pool(tmp_path / "own") as pool:
        pool.add(file)
    (pack,) = Path(tmp_path / "own" / "packs").glob("*.pack")
    data = bytearray(pack.read_bytes())
    data[200] ^= 255
    pack.write_bytes(data)
    server = Server(tmp_path / "own")
    with server.client:
        job = server.post("zip", selection={"refs": ["own/1"]})
        with pytest.raises(OSError, match=r"notes\.bin|damaged|differ|bytes"):
            server.client.get(f"/api/v1/jobs/{job['id']}/download")
        ended = server.get(f"jobs/{job['id']}")["job"]
        assert ended["state"] == "failed"
        assert ended["errors"][0]["code"] == "damaged"


# -- to another pool


def test_copy_to_a_local_pool(observed, tmp_path):
    pool = observed.context.pools["own"]
    pool.tag("1342182452", "first")
    chosen = refs(pool, "1342182452", "alone")
    place = str(tmp_path / "temp1")
    job = observed.do("copy", selection=chosen, pool=place, create=True, tags=["using cal v1"])
    assert job["result"]["count"] == 2
    other = observed.context.pools["temp1"]
    assert other["1342182452"].tags == ("first", "using cal v1")
    for name in ("1342182452/level2/PSW", "1342182452/level0/HPPAVGB"):
        assert Path(other[name].path).read_bytes() == Path(pool[name].path).read_bytes()
    assert other.verify().problems == []
    again = observed.do("copy", selection=chosen, pool="temp1", tags=["more"])
    assert again["result"]["unchanged"] == 2
    assert len(other["1342182452"].versions) == 1
    assert "more" in other["alone"].tags
    own = observed.post("copy", 400, selection=chosen, pool="own")
    assert "already" in own["message"]


def test_copy_can_be_undone_and_cancelled(observed, tmp_path, gate):
    begun, go = gate
    pool = observed.context.pools["own"]
    sp.Pool(tmp_path / "temp1").save(made(3), "there")
    observed.context.pools.open(str(tmp_path / "temp1"))
    other = observed.context.pools["temp1"]
    key = observed.post("copy", selection=refs(pool, "1342182452"), pool="temp1")["id"]
    assert begun.wait(LONG)
    observed.client.delete(f"/api/v1/jobs/{key}")
    go.set()
    assert observed.jobs[key].wait(LONG)
    assert observed.jobs[key].state == "cancelled"
    assert [ref.name for ref in other.ls()] == ["there"]
    job = observed.do("copy", selection=refs(pool, "1342182452"), pool="temp1")
    assert len(other.ls()) > 10
    observed.do("undo", job=job["id"])
    assert [ref.name for ref in other.ls()] == ["there"]


def test_copying_runs_the_echoed_lines(observed, tmp_path):
    pool = observed.context.pools["own"]
    sp.Pool(tmp_path / "temp1").save(made(3), "there")
    job = observed.do("copy", selection=refs(pool, "alone"), pool=str(tmp_path / "temp1"))
    target = observed.context.pools["temp1"]
    observed.do("undo", job=job["id"])
    assert "alone" not in target
    exec(job["code"]["python"], {"skypool": sp})
    assert "alone" in target


# -- sending


@dataclass(frozen=True)
class Target:
    id: str = "samp:c1"
    name: str = "SAOImage DS9"
    kind: str = "samp"
    accepts: tuple[str, ...] = ("image",)
    alive: bool = True
    start: str = ""


@dataclass(frozen=True)
class Reply:
    ref: str
    state: str = "arrived"
    detail: str = ""
    urn: str = ""
    target: str = "samp:c1"
    name: str = "SAOImage DS9"
    mtype: str = "image.load.fits"
    url: str = ""
    offers: tuple[str, ...] = ()


class Sender:
    """Stands where the layer above hands its own in."""

    def __init__(self, *states: str) -> None:
        self.states = states
        self.got: list[Any] = []

    def targets(self) -> list[Target]:
        return [Target()]

    def send(self, sent: Any, target: str, on_progress: Any, **options: Any) -> list[Reply]:
        self.got.append(([ref.name for ref in sent], target, options))
        states = self.states or ["arrived"] * len(sent)
        return [Reply(ref.name, state) for ref, state in zip(sent, states, strict=True)]


def test_send(pool):
    sender = Sender()
    server = Server(pool, senders=sender)
    with server.client:
        own = server.context.pools["own"]
        assert server.get("targets")["targets"][0]["name"] == "SAOImage DS9"
        job = server.do("send", selection=refs(own, A), target="samp:c1", dataset="image")
        assert job["result"]["replies"][0]["state"] == "arrived"
        assert sender.got[0][:2] == ([A], "samp:c1")
        assert sender.got[0][2]["dataset"] == "image"
        assert "--to samp:c1" in job["code"]["command"]
        sender.states = ("refused", "arrived")
        part = server.do("send", selection=refs(own, A, B), target="samp:c1")
        assert (part["result"]["count"], len(part["errors"])) == (1, 1)
        sender.states = ("skipped",)
        server.do("send", "failed", selection=refs(own, A), target="samp:c1")


def until(condition: Callable[[], bool], limit: float = 60.0) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@dataclass(frozen=True)
class Came:
    ref: Any
    sender: str = "TOPCAT"
    mtype: str = "table.load.votable"
    problem: str = ""


class Receiver:
    """Stands for what hears other programs: some of what they send is nothing."""

    def __init__(self, pool: sp.Pool, under: str, *, lasts: bool = True) -> None:
        self.pool, self.under, self.lasts = pool, under, lasts
        self.connected = True
        self.come = 0

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.connected = False

    def wait(self, seconds: float) -> Came | None:
        self.come += 1
        if self.come == 1:
            return None
        if self.come == 2:
            return Came(None, problem="it is no table")
        if self.come > 4:
            self.connected = self.lasts
            time.sleep(0.01)
            return None
        name = f"{self.under}/{self.come}"
        return Came(self.pool.save(sp.Product(meta={"n": self.come}), name=name))


class Listening(Sender):
    def receiver(self, pool: sp.Pool, *, under: str) -> Receiver:
        return Receiver(pool, under)


def test_receive_until_it_is_ended(pool):
    server = Server(pool, senders=Listening())
    with server.client:
        job = server.do("receive", pool="own", under="sent", count=1)
        assert job["result"]["count"] == 1
        assert "it is no table" in job["errors"][0]["message"]
        assert "receive" in job["code"]["command"]
        assert "sent/3" in server.context.pools["own"]
        going = server.post("receive", pool="own")
        until(lambda: server.get(f"jobs/{going['id']}")["job"]["done"] == 2)
        # Other work goes on beside it; a second one would get the same messages.
        server.do("verify", pool="own")
        error = server.do("receive", "failed", pool="own")["errors"][0]
        assert "already" in error["message"]
        server.client.delete(f"/api/v1/jobs/{going['id']}")
        until(lambda: server.get(f"jobs/{going['id']}")["job"]["state"] == "done")
        assert server.get(f"jobs/{going['id']}")["job"]["result"]["count"] == 2
        server.do("receive", pool="own", count=1)  # and another may follow


def test_receive_refusals(server, pool):
    assert server.post("receive", 501, pool="own")["code"] == "missing_dependency"
    closed = Server(pool, read_only=True, senders=Listening())
    with closed.client:
        assert closed.post("receive", 403, pool="own")["code"] == "read_only"


def test_send_without_anybody_to_send_with(server, own):
    assert server.get("targets") == {"targets": []}
    error = server.post("send", 501, selection=refs(own, A), target="ds9")
    assert error["code"] == "missing_dependency"


# -- verify, refusals


def test_verify(server, own):
    job = server.do("verify", pool="own")
    assert job["result"] == {"sound": True, "problems": 0}
    (pack,) = Path(own.path, "packs").glob("*.pack")
    data = bytearray(pack.read_bytes())
    data[-100] ^= 255
    pack.write_bytes(data)
    job = server.do("verify", pool="own")
    assert job["result"]["sound"] is False
    assert job["errors"]


def test_read_only_refuses_changes_and_files(pool, tmp_path):
    server = Server(pool, read_only=True, senders=Sender())
    with server.client:
        own = server.context.pools["own"]
        head = own.view.at
        bodies = {name: make(own) for name, make in CHANGES.items()} | {
            "restore": {"refs": ["own/1"]},
            "undo": {"pool": "own", "commit": 1},
            "add": {"pool": "own", "paths": [str(tmp_path)]},
            "export": {"selection": refs(own, A), "folder": str(tmp_path / "out")},
            "copy": {"selection": refs(own, A), "pool": str(tmp_path / "x"), "create": True},
        }
        for action, body in bodies.items():
            assert server.post(action, 403, **body)["code"] == "read_only", action
        text = server.post("send", 403, selection=refs(own, A), target=f"text:{tmp_path}/t.txt")
        assert text["code"] == "read_only"
        assert server.client.post("/api/v1/uploads").status_code == 403
        assert server.client.post("/api/v1/pools", json={
            "path": str(tmp_path / "new"), "create": True}).status_code == 403  # fmt: skip
        assert own.view.at == head
        assert not (tmp_path / "out").exists()
        server.do("verify", pool="own", quick=True)
        assert server.client.get(
            f"/api/v1/jobs/{server.post('zip', selection=refs(own, A))['id']}/download"
        ).status_code == 200  # fmt: skip


def test_a_pool_without_permission_refuses(tmp_path):
    with sp.Pool(tmp_path / "own") as pool:
        pool.save(made(1), "a")
    context = make_context([sp.Pool(tmp_path / "own", "r")])
    with TestClient(make_api(context), base_url="http://127.0.0.1") as client:
        body = {"action": "tag", "selection": {"refs": ["own/1"]}, "tags": ["x"]}
        assert client.post("/api/v1/jobs", json=body).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"action": "shout"}, 400),
        ({"action": "tag"}, 400),
        ({"action": "tag", "selection": {"refs": []}, "tags": ["x"]}, 400),
        ({"action": "tag", "selection": {"refs": ["own/1"]}, "tags": []}, 400),
        ({"action": "tag", "selection": {"refs": ["own/1"]}, "tags": [" x"]}, 400),
        ({"action": "tag", "selection": {"refs": ["own/99"]}, "tags": ["x"]}, 404),
        ({"action": "tag", "selection": {"refs": ["no/1"]}, "tags": ["x"]}, 404),
        ({"action": "tag", "selection": {"refs": ["own"]}, "tags": ["x"]}, 400),
        ({"action": "tag", "selection": {"all": True}, "tags": ["x"]}, 400),
        ({"action": "tag", "selection": {"all": True, "cursor": "x"}, "tags": ["x"]}, 410),
        ({"action": "rename", "ref": "own/1", "name": "../x"}, 400),
        ({"action": "restore", "refs": []}, 400),
        ({"action": "undo"}, 400),
        ({"action": "undo", "job": "77"}, 404),
        ({"action": "add", "pool": "own"}, 400),
        ({"action": "add", "pool": "own", "paths": ["x"]}, 400),
        ({"action": "add", "pool": "own", "upload": "x"}, 404),
        ({"action": "verify", "pool": "no"}, 404),
        ({"action": "verify", "pool": "own", "more": 1}, 400),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(server, body, status):
    answer = server.client.post("/api/v1/jobs", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_undo_of_any_commit_by_its_number(server, own):
    own.tag(A, "by a script")
    server.do("undo", pool="own", commit=own.view.at)
    assert own[A].tags == ("good",)


def test_tags_that_there_are(server, own):
    own.tag(A, "new")
    assert server.get("tags")["tags"] == [["good", 6], ["new", 1]]


def test_through_the_guard(pool):
    with client_of(pool) as client:
        body = {"action": "tag", "selection": {"refs": ["own/1"]}, "tags": ["x"]}
        assert client.post("/api/v1/jobs", json=body).status_code == 202
        client.headers["Authorization"] = f"Bearer {TOKEN}x"
        assert client.post("/api/v1/jobs", json=body).status_code == 403


def test_every_action_of_the_contract_is_there():
    text = page("http-api.md").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("- actions:"))
    for action in {**actions_change.CHANGES, **actions_files.FILES}:
        assert f"`{action}`" in line


def test_tags_and_folders_with_braces_are_echoed_as_they_are(server, own, tmp_path):
    search = server.client.post("/api/v1/results", json={}).json()
    every = {"cursor": search["cursor"], "all": True}
    for selection in (refs(own, A), every):
        job = server.do("tag", selection=selection, tags=["{}", "a{b"])
        assert "'{}', 'a{b')" in job["code"]["python"]
        assert job["code"]["command"].splitlines()[0].removesuffix("; done").endswith("'{}' 'a{b'")
        job = server.do("export", selection=selection, folder=str(tmp_path / "{x"), overwrite=True)
        assert f"'{tmp_path}/{{x'" in job["code"]["python"]
