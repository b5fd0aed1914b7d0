"""Each race of the storage rules, forced: something happens at each step of a collection."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skypool as sp
from pool.upkeep import (
    exported,
    image,
    noise,
    pack_bytes,
    packs_of,
    product,
    state_of,
    waste,
    write_tree,
)
from reclaim.steps import AtStep, Steps
from skypool.catalogue.reclaiming import Reclaim
from skypool.errors import Locked, Purged
from skypool.pool.pool import Pool
from skypool.storage.filelayer import LocalFiles


def made(folder: Path) -> None:
    """Make a pool of several packs with garbage, and a product removed long ago."""
    with sp.Pool(folder, "x") as pool:
        pool.view.session.store._roll_bytes = 500_000
        for seed in range(3):
            waste(pool, seeds=range(200 + 4 * seed, 204 + 4 * seed), documents=1)
            pool.save(product(seed, 200), name=f"m/{seed}")
        pool.save(product(9, 200), name="goes")
        pool.remove("goes")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "pool"
    made(folder)
    return folder


def check(folder: Path) -> None:
    """All that was acknowledged is there and right, and the space comes back."""
    with sp.Pool(folder) as pool:
        report = pool.verify()
        assert report.ok, [str(p) for p in report.problems]
        for seed in range(3):
            assert np.array_equal(pool[f"m/{seed}"].product["image"], image(seed, 200))
        pool.gc(grace=0, removed_after=0)
        assert pool.verify().ok
        assert "goes" not in pool
        for seed in range(3):
            assert np.array_equal(pool[f"m/{seed}"].product["image"], image(seed, 200))


Action = Callable[[Path, Path], Callable[[], None]]


def adding_what_is_garbage(folder: Path, scratch: Path) -> Callable[[], None]:
    """Another pool object adds a file whose chunks gc is about to take."""
    other = sp.Pool(folder)
    file = scratch / "late.bin"
    file.write_bytes(b"".join(noise(seed, 100_000) for seed in (201, 206, 211)))

    def action() -> None:
        other.add(file, name="late")
        other.close()

    return action


def writing_the_same_chunks(folder: Path, scratch: Path) -> Callable[[], None]:
    """Another writer stores chunks once more that are there; the pack of the first is packed."""
    other = sp.Pool(folder)

    def action() -> None:
        other.view.session.writer = lambda **_: unknowing_of(other)  # type: ignore[method-assign]
        other.save(product(1, 200).replace(meta={"again": True}), name="late")
        other.close()

    return action


def unknowing_of(pool: Pool) -> Any:
    session = pool.view.session
    made = type(session).writer(session)
    made._known = None
    return made


def saving_by_name_alone(folder: Path, scratch: Path) -> Callable[[], None]:
    """Another pool object saves loaded data again, unread."""
    other = sp.Pool(folder)
    loaded = other["m/2"].product.replace(meta={"changed": 1})

    def action() -> None:
        other.save(loaded, name="late")
        other.close()

    return action


def collecting_too(folder: Path, scratch: Path) -> Callable[[], None]:
    """Another collection runs as a whole."""
    other = sp.Pool(folder)

    def action() -> None:
        other.gc(grace=0, removed_after=0)
        other.save(product(77, 50), name="late")
        other.close()

    return action


def rebuilding(folder: Path, scratch: Path) -> Callable[[], None]:
    """The catalogue is rebuilt, at each step at which that does not wait for gc."""
    other = sp.Pool(folder)

    def action() -> None:
        files = LocalFiles()
        handle = files.open_update(str(folder / "lock"))
        free = files.lock(handle, exclusive=True)
        files.close(handle)
        if free:
            other.reindex()
        other.save(product(77, 50), name="late")
        other.close()

    return action


def verifying(folder: Path, scratch: Path) -> Callable[[], None]:
    """Another pool object verifies: nothing of what gc does looks like damage."""
    other = sp.Pool(folder, "r")
    saving = sp.Pool(folder)

    def action() -> None:
        report = other.verify()
        assert report.ok, [str(p) for p in report.problems]
        other.close()
        saving.save(product(77, 50), name="late")
        saving.close()

    return action


def leaving_a_writer_behind(folder: Path, scratch: Path) -> Callable[[], None]:
    """A writer has full, sealed packs that no commit has yet; it commits when gc is over."""
    other = sp.Pool(folder)
    session = other.view.session
    session.store._roll_bytes = 150_000
    session.store.candidates = lambda: ()
    transaction = other.commit("late")
    transaction.save(product(55, 300), name="late")

    def action() -> None:
        real = session.publish
        left = threading.Event()

        def slow(draft: Any, writer: Any, documents: Any = ()) -> Any:
            writer.flush_first = writer.flush()  # sealed and full packs now, no row yet
            assert any(path.stat().st_size > 150_000 for path in packs_of(folder))
            with sp.Pool(folder) as third:
                third.gc(grace=0)
            placed = writer.flush_first
            writer.flush = lambda: placed
            left.set()
            return real(draft, writer, documents)

        session.publish = slow  # type: ignore[method-assign]
        transaction.finish()
        assert left.is_set()
        other.close()

    return action


ACTIONS: list[Action] = [
    adding_what_is_garbage,
    writing_the_same_chunks,
    saving_by_name_alone,
    collecting_too,
    rebuilding,
    verifying,
    leaving_a_writer_behind,
]


def steps_of_gc(source: Path, scratch: Path) -> int:
    """Return how many steps a collection has."""
    folder = Path(shutil.copytree(source, scratch / "counted"))
    counting = AtStep(-1, lambda: None)
    files = Steps()
    with sp.Pool(folder, files=files) as pool:
        pool.view  # noqa: B018 - opened before the counting begins
        files.before = counting
        pool.gc(grace=0, removed_after=0, progress=counting)
    shutil.rmtree(folder)
    return counting.steps


def interrupted_at(number: int, source: Path, scratch: Path, action: Action) -> None:
    folder = Path(shutil.copytree(source, scratch / f"at{number}"))
    sp.Pool(folder).close()  # takes notice that it is a copy
    files = Steps()
    with sp.Pool(folder, files=files) as pool:
        step = AtStep(number, action(folder, scratch))
        pool.view.session.store.let_go()
        files.before = step
        try:
            pool.gc(grace=0, removed_after=0, progress=step)
        except Locked:
            # Rebuilt in between: gc gives up, and is to be run again.
            assert action is rebuilding
        files.before = lambda name, path: None
        assert step.done
    with sp.Pool(folder) as after:
        if "late.bin" in os.listdir(scratch):
            assert exported(after, "late", scratch / "out") == {
                "late": state_of(scratch)["late.bin"]
            }
        else:
            assert np.asarray(after["late"].product["image"]).size > 0
    check(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("action", ACTIONS)
def test_at_some_steps_of_a_collection(action: Action, source: Path, tmp_path: Path) -> None:
    steps = steps_of_gc(source, tmp_path)
    assert steps > 30
    chosen = ACTIONS.index(action)
    for number in range(chosen % 5, steps, max(1, steps // 3)):
        interrupted_at(number, source, tmp_path, action)


@pytest.mark.campaign
@pytest.mark.parametrize("action", ACTIONS)
def test_at_every_step_of_a_collection(action: Action, source: Path, tmp_path: Path) -> None:
    for number in range(steps_of_gc(source, tmp_path)):
        interrupted_at(number, source, tmp_path, action)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError])
def test_stopped_at_every_step_it_is_whole_and_goes_on(
    stop: type[BaseException], source: Path, tmp_path: Path
) -> None:
    """What was done stays done: each run begins where the one before was stopped."""

    def action() -> None:
        raise stop

    steps = steps_of_gc(source, tmp_path)
    stride = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "campaign" else 23
    for number in range(len(stop.__name__) % 7, steps, stride):
        folder = Path(shutil.copytree(source, tmp_path / f"stop{number}"))
        sp.Pool(folder).close()
        files = Steps()
        step = AtStep(number, action)
        with sp.Pool(folder, files=files) as pool:
            pool.view.session.store.let_go()
            files.before = step
            with pytest.raises(stop):
                pool.gc(grace=0, removed_after=0, progress=step)
            files.before = lambda name, path: None
            # The same pool object goes on, too.
            assert pool.verify().ok
            pool.save(product(77, 50), name="late")
            pool.gc(grace=0, removed_after=0)
            assert pack_bytes(folder) < pack_bytes(source) / 2
        check(folder)
        shutil.rmtree(folder)


_KILLED = """
import os, sys
from reclaim.steps import AtStep, Steps
import skypool as sp
files = Steps()
pool = sp.Pool(sys.argv[1], files=files)
step = AtStep(int(sys.argv[2]), lambda: os._exit(9))
pool.view
files.before = step
pool.gc(grace=0, removed_after=0, progress=step)
"""


def test_killed_at_some_steps_it_is_whole_and_goes_on(source: Path, tmp_path: Path) -> None:
    steps = steps_of_gc(source, tmp_path)
    campaign = os.environ.get("HYPOTHESIS_PROFILE") == "campaign"
    for number in range(3, steps - 2, 3 if campaign else steps // 4):
        folder = Path(shutil.copytree(source, tmp_path / f"kill{number}"))
        sp.Pool(folder).close()
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, str(folder), str(number)],
            cwd=Path(__file__).parents[1],
            check=False,
        )
        assert done.returncode == 9
        check(folder)
        assert pack_bytes(folder) < pack_bytes(source) / 2
        shutil.rmtree(folder)


def test_what_a_stopped_run_has_done_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one pack, range by range."""
    monkeypatch.setattr("skypool.catalogue.reclaiming._RANGE_BYTES", 250_000)
    folder = tmp_path / "pool"
    with sp.Pool(folder, "x") as pool:
        for seed in range(12):
            waste(pool, seeds=range(300 + seed, 301 + seed))
            pool.save(product(seed, 200), name=f"m/{seed}")
    assert len(packs_of(folder)) == 1
    (first,) = packs_of(folder)
    copied: list[int] = []
    real = Reclaim.replace

    def counting(self: Reclaim, part: Any, moved: Any, doubled: Any) -> Any:
        if len(copied) == stop_at:
            raise KeyboardInterrupt
        copied.append(len(moved))
        return real(self, part, moved, doubled)

    monkeypatch.setattr(Reclaim, "replace", counting)
    stop_at = 4
    with sp.Pool(folder) as pool:
        with pytest.raises(KeyboardInterrupt):
            pool.gc(grace=0)
        assert pool.verify().ok
        begun = sum(copied)
        stop_at = -1
        copied.clear()
        total = pool.gc(grace=0)
        rest = sum(copied)
        assert rest > 0
        assert first not in packs_of(folder)
        assert begun > 3
        # The packs of the stopped run are young garbage-free ones: only the rest was copied.
        places = pool.view.session.catalogue.database.query("SELECT count(*) FROM chunks")[0][0]
        assert begun + rest == places
        assert total.reclaimed > 0
        assert pool.verify().ok
        for seed in range(12):
            assert np.array_equal(pool[f"m/{seed}"].product["image"], image(seed, 200))


def test_time_is_up_between_packs_and_most_comes_first(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "pool"))
    with sp.Pool(folder) as pool:
        dry = pool.gc(grace=0, removed_after=0, dry_run=True)
        report = pool.gc(grace=0, removed_after=0, max_seconds=-1)
        assert report.stopped
        assert report.reclaimed == 0
        now = [0.0]
        monkeypatch.setattr("skypool.pool.collecting._clock", lambda: now[0])

        def tick(step: Any) -> None:
            if step.stage == "giving back":
                now[0] += 1

        report = pool.gc(grace=0, removed_after=0, max_seconds=0.5, progress=tick)
        assert report.stopped
        assert 140_000 < report.reclaimed < dry.reclaimable * 0.8
        report = pool.gc(grace=0, removed_after=0, max_seconds=1e9)
        assert not report.stopped
    check(folder)


# -- writers that take long


def test_collections_and_rebuilds_while_a_large_tree_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stages in short transactions; after each, gc or a rebuild comes in between."""
    folder = tmp_path / "pool"
    tree = write_tree(tmp_path / "tree")
    for number in range(30):
        (tree / f"level1/{number}.bin").write_bytes(noise(500 + number, 20_000))
    with sp.Pool(folder) as pool:
        pool.save(product(1), name="first")
        waste(pool, seeds=range(200, 205))
        # Some of the tree is garbage of the pool already, and gc takes it meanwhile.
        pool.add(tree / "level1", name="before")
        pool.remove("before")
    monkeypatch.setattr("skypool.pool.adding_files._STAGE_DOCUMENTS", 4)
    pool, other = sp.Pool(folder), sp.Pool(folder)
    session = pool.view.session
    real = session.stage
    rounds: list[str] = []

    def staging(*given: Any) -> None:
        real(*given)
        if len(rounds) < 9:
            rounds.append("gc" if len(rounds) % 4 != 3 else "reindex")
            if rounds[-1] == "gc":
                other.gc(grace=0, removed_after=0)
            else:
                other.reindex()

    monkeypatch.setattr(session, "stage", staging)
    pool.add(tree, name="obs")
    assert rounds.count("gc") > 4
    assert rounds.count("reindex") == 2
    session.store._cache.clear()
    assert exported(pool, "obs", tmp_path / "out") == state_of(tree)
    assert pool.verify().ok
    pool.gc(grace=0, removed_after=0)
    assert exported(pool, "obs", tmp_path / "out") == state_of(tree)


def test_rebuilt_between_stage_and_publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pool"
    with sp.Pool(folder) as pool:
        pool.save(product(1), name="first")
    pool, other = sp.Pool(folder), sp.Pool(folder)
    session = pool.view.session
    tries = []
    real = session.publish

    def late(draft: Any, writer: Any, documents: Any = ()) -> Any:
        tries.append(1)
        if len(tries) == 1:
            session.stage(writer, documents)
            other.reindex()
            other.gc(grace=0)
        return real(draft, writer, documents)

    monkeypatch.setattr(session, "publish", late)
    pool.save(product(2), name="second")
    assert len(tries) == 2
    for name, seed in (("first", 1), ("second", 2)):
        assert np.array_equal(sp.Pool(folder)[name].product["image"], image(seed))
    assert other.verify().ok


def test_two_writers_of_the_same_chunk(tmp_path: Path) -> None:
    """Both find it absent and write it; the first row wins, the other record is waste."""
    folder = tmp_path / "pool"
    sp.Pool(folder, "x").close()
    barrier = threading.Barrier(2, timeout=60)

    def save(number: int) -> None:
        with sp.Pool(folder) as pool:
            session = pool.view.session
            real = session.publish

            def together(*args: Any, **more: Any) -> Any:
                barrier.wait()  # both have written, neither has committed
                return real(*args, **more)

            session.publish = together  # type: ignore[method-assign]
            pool.save(product(1, 400).replace(meta={"n": number}), name=f"m/{number}")

    threads = [threading.Thread(target=save, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sp.Pool(folder) as pool:
        name = bytes.fromhex(pool["m/0"].document["datasets"][0][1]["data"]["chunks"][:64])
        assert len(pool.view.session.catalogue.places(name)) == 2
        assert pool.gc(grace=0).reclaimed > 300_000
        assert len(pool.view.session.catalogue.places(name)) == 1
        pool.view.session.store._cache.clear()
        for number in range(2):
            assert np.array_equal(pool[f"m/{number}"].product["image"], image(1, 400))
        assert pool.verify().ok


# -- readers


_READER = """
import sys
import numpy as np
import skypool as sp
from pool.upkeep import image
from skypool.errors import Purged
pool = sp.Pool(sys.argv[1], "r")
ref, pinned = pool["m/0"], pool.at(1)
lazy, old = ref.product["image"], pinned["m/0"].product["image"]
gone = pool.at(2)["goes"].product["image"]
assert np.array_equal(lazy[:100], image(0, 600)[:100])
session = pool.view.session
for _ in range(3):
    print("ready", flush=True)
    sys.stdin.readline()
    for forget in (session.store._cache.clear, session.store._open.clear, lambda: None):
        forget()
        assert np.array_equal(lazy, image(0, 600)), "lazy"
        assert np.array_equal(old, image(0, 600)), "pinned"
        assert ref.meta["seed"].value == 0
        assert [r.name for r in pinned.ls()] == ["m/0"]
        assert np.array_equal(pool.view.number(ref.number).product["image"], image(0, 600))
try:
    session.store._cache.clear()
    np.asarray(gone)
except Purged:
    print("purged", flush=True)
"""


def test_readers_of_other_processes_and_threads_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    with sp.Pool(folder) as pool:
        pool.save(product(0, 600), name="m/0")
        pool.save(product(5, 300), name="goes")
        pool.remove("goes")
        waste(pool, seeds=range(100, 130))
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(folder)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    near = sp.Pool(folder, "r")
    lazy = near["m/0"].product["image"]
    failed: list[BaseException] = []
    over = threading.Event()

    def read() -> None:
        try:
            while not over.is_set():
                near.view.session.store._cache.clear()
                assert np.array_equal(np.asarray(lazy), image(0, 600))
        except (
            sp.SkypoolError,
            AssertionError,
        ) as error:  # told by the thread that started this one
            failed.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    with sp.Pool(folder) as pool:
        for number in range(3):
            assert reader.stdout.readline() == "ready\n"
            assert pool.gc(grace=0, removed_after=0).reclaimed > 0  # every chunk moves
            waste(pool, seeds=range(200 + 40 * number, 230 + 40 * number))
            reader.stdin.write("go on\n")
            reader.stdin.flush()
    over.set()
    thread.join()
    out, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    assert out == "purged\n"
    assert not failed


def test_a_clone_is_whole_though_everything_moves_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    made(folder)
    collector = sp.Pool(folder)
    collector.gc(grace=0, removed_after=0)
    rounds = []

    def collect(step: Any) -> None:
        if len(rounds) < 5:
            rounds.append(step)
            waste(collector, seeds=range(300 + 20 * len(rounds), 310 + 20 * len(rounds)))
            assert collector.gc(grace=0, removed_after=0).reclaimed > 0

    with sp.Pool(folder) as source, sp.clone(source, tmp_path / "copy", progress=collect) as copy:
        assert len(rounds) > 2
        assert copy.verify().ok
        for seed in range(3):
            assert np.array_equal(copy[f"m/{seed}"].product["image"], image(seed, 200))


# -- forks


@pytest.fixture
def forked() -> Iterator[Callable[[Callable[[], None]], Callable[[], None]]]:
    """Run something in a forked child; returns what waits for it and tells its failure."""

    def fork(work: Callable[[], None]) -> Callable[[], None]:
        pid = os.fork()
        if pid == 0:
            try:
                work()
                os._exit(0)
            finally:
                traceback.print_exc()
                os._exit(1)

        def wait() -> None:
            assert os.waitpid(pid, 0)[1] == 0

        return wait

    yield fork


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_while_open(
    tmp_path: Path, forked: Callable[[Callable[[], None]], Callable[[], None]]
) -> None:
    """The child reads and saves while the parent saves and collects, and the other way round."""
    folder = tmp_path / "pool"
    made(folder)
    pool = sp.Pool(folder)
    pool.save(product(20), name="parent/0")  # the pool has a pack locked for the next commit
    lazy = pool["m/1"].product["image"]
    assert np.array_equal(lazy[:10], image(1, 200)[:10])
    to_child, to_parent = os.pipe(), os.pipe()

    def child() -> None:
        assert os.read(to_child[0], 1) == b"1"  # the parent has collected
        pool.view.session.store._cache.clear()
        assert np.array_equal(lazy, image(1, 200))
        pool.save(product(30), name="child/0")
        os.write(to_parent[1], b"2")
        assert os.read(to_child[0], 1) == b"3"  # the parent has saved
        pool.gc(grace=0)
        pool.save(product(31), name="child/1")
        assert np.array_equal(pool["parent/1"].product["image"], image(21))

    wait = forked(child)
    assert pool.gc(grace=0, removed_after=0).reclaimed > 0
    os.write(to_child[1], b"1")
    assert os.read(to_parent[0], 1) == b"2"
    pool.save(product(21), name="parent/1")
    os.write(to_child[1], b"3")
    wait()
    for end in (*to_child, *to_parent):
        os.close(end)
    pool.save(product(22), name="parent/2")
    pool.view.session.store._cache.clear()
    for name, seed in (
        ("parent", 20),
        ("parent", 21),
        ("parent", 22),
        ("child", 30),
        ("child", 31),
    ):
        number = {20: 0, 21: 1, 22: 2, 30: 0, 31: 1}[seed]
        assert np.array_equal(pool[f"{name}/{number}"].product["image"], image(seed))
    pool.close()
    check(folder)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_in_the_midst_of_a_commit(
    tmp_path: Path, forked: Callable[[Callable[[], None]], Callable[[], None]]
) -> None:
    """The child of a fork never goes on with the commit of its parent, which is whole."""
    folder = tmp_path / "pool"
    made(folder)
    pool = sp.Pool(folder)
    session = pool.view.session
    real = session.publish

    def publish(*args: Any, **more: Any) -> Any:
        def child() -> None:
            with sp.Pool(folder) as own:
                own.gc(grace=0, removed_after=0)
                own.save(product(40), name="child")
                assert own.verify().ok

        forked(child)()
        return real(*args, **more)

    session.publish = publish  # type: ignore[method-assign]
    pool.save(product(41), name="parent")
    session.store._cache.clear()
    assert np.array_equal(pool["parent"].product["image"], image(41))
    assert np.array_equal(pool["child"].product["image"], image(40))
    with pytest.raises(Purged):
        _ = pool.at(4)["goes"].product
    pool.close()
    check(folder)
