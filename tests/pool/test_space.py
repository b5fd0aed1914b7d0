"""Where the space of a pool goes, and giving up old versions."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool.catalogue.interface import ChunkPlace
from skypool.codec.documents import loads
from skypool.errors import DiskFull, NotFound, Purged, UsageError
from skypool.pool.reaching import reached


def image(seed: int, corner: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).normal(size=(300, 300)).astype("float32")
    pixels[:16, :16] += corner
    return pixels


def save(pool: sp.Pool, name: str, seed: int, corner: int = 0, **refs: sp.Ref) -> sp.Ref:
    kind = "MapContext" if name == "obs" else "SimpleImage"
    datasets = {} if name == "obs" else {"image": image(seed, corner)}
    meta = {"seed": seed, "corner": corner}
    return pool.save(sp.Product(kind=kind, meta=meta, datasets=datasets, refs=refs), name=name)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        for corner in range(4):
            save(pool, "maps/a", 1, corner)
        save(pool, "maps/b", 1, 0)
        save(pool, "cal/flat", 2)
        yield pool


# -- where it goes


def cost(pool: sp.Pool, place: ChunkPlace) -> float:
    """Return what a chunk takes of its record: small ones lie in one together."""
    padded = (place.stored + 7) // 8 * 8
    if place.member is None:
        return padded
    ((lengths,),) = pool.view.session.catalogue.database.query(
        "SELECT sum(length) FROM chunks c JOIN packs p ON p.id = c.pack"
        " WHERE p.name = ? AND c.offset = ?",
        (place.pack, place.offset),
    )
    return padded * place.length / lengths


def needed(pool: sp.Pool, refs: list[sp.Ref]) -> dict[bytes, float]:
    """Return the chunks that versions need, with what each costs."""
    session = pool.view.session
    found: dict[bytes, float] = {}
    for ref in refs:
        document = bytes.fromhex(ref.hash)
        digests = document + b"".join(reached(loads(session.fetch(document)), session.fetch))
        for start in range(0, len(digests), 32):
            digest = digests[start : start + 32]
            places = session.catalogue.places(digest)
            found[digest] = min(cost(pool, place) for place in places)
    return found


def check(pool: sp.Pool, part: Callable[[sp.Ref], str], found: object) -> None:
    """Compare with sets of chunks."""
    groups: dict[str, list[sp.Ref]] = {}
    for top in pool.ls():
        for ref in top.versions:
            groups.setdefault(part(ref), []).append(ref)
    chunks = {name: needed(pool, refs) for name, refs in groups.items()}
    whole: dict[bytes, float] = {}
    for one in chunks.values():
        whole |= one
    assert found.stored == pytest.approx(sum(whole.values()), abs=1)
    assert {item.part: item for item in found.parts}.keys() == groups.keys()
    for item in found.parts:
        others = {d for name, one in chunks.items() if name != item.part for d in one}
        mine = chunks[item.part]
        assert item.stored == pytest.approx(sum(mine.values()), abs=1)
        alone = sum(size for digest, size in mine.items() if digest not in others)
        assert item.unique == pytest.approx(alone, abs=1)
        assert item.shared == item.stored - item.unique
        assert item.versions == len(groups[item.part])
        assert item.logical == sum(ref.size for ref in groups[item.part])
    assert [item.stored for item in found.parts] == sorted(
        (item.stored for item in found.parts), reverse=True
    )


def test_usage_agrees_with_sets_of_chunks(pool: sp.Pool) -> None:
    check(pool, lambda ref: ref.name.partition("/")[0], pool.usage())
    check(pool, lambda ref: ref.name, pool.usage(depth=2))
    check(pool, lambda ref: ref.kind, pool.usage(by="kind"))
    newest = {ref.urn for ref in pool.ls()}
    check(pool, lambda ref: "newest" if ref.urn in newest else "older", pool.usage(by="version"))


def test_what_a_part_shares_with_others_is_not_its_own(pool: sp.Pool) -> None:
    below = pool.usage("maps")
    assert [part.part for part in below.parts] == ["maps/a", "maps/b"]
    a, b = below.parts
    assert b.shared > 0.9 * b.stored
    whole = {part.part: part for part in pool.usage().parts}
    assert below.stored == whole["maps"].stored
    # Without b, which is the same as an old version of a, nearly nothing would come back.
    before = pool.info().bytes_stored
    pool.remove("maps/b")
    pool.gc(grace=0, removed_after=0)
    assert before - pool.info().bytes_stored <= b.unique
    assert a.unique > 10 * b.unique


def test_versions_of_a_product_with_what_they_refer_to(pool: sp.Pool) -> None:
    for corner in range(3):
        save(pool, "obs", corner, a=save(pool, "obs/a", 7, corner), flat=pool["cal/flat"])
    found = pool.usage("obs", by="version")
    assert [part.part for part in found.parts] == ["obs@2", "obs@1", "obs@0"]
    flat = sum(needed(pool, [pool["cal/flat"]]).values())
    for part in found.parts:
        tree = [pool[part.part], *pool[part.part].refs.values()]
        assert part.stored == pytest.approx(sum(needed(pool, tree).values()), abs=1)
        assert part.shared >= flat - 2  # the flat is also somebody else's


def test_usage_of_nothing_and_of_nonsense(pool: sp.Pool, tmp_path: Path) -> None:
    assert sp.Pool(tmp_path / "none").usage().parts == ()
    with pytest.raises(NotFound):
        pool.usage("nothing")
    with pytest.raises(UsageError):
        pool.usage(depth=0)
    with pytest.raises(UsageError):
        pool.usage(by="colour")


def test_many_small_products_share_a_record_by_their_lengths(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        with pool.commit("many") as c:
            for number in range(200):
                c.save(
                    sp.Product(type="T", meta={"n": number}), name=f"{'ab'[number % 2]}/{number}"
                )
        found = pool.usage()
        a, b = found.parts
        assert a.stored + b.stored == pytest.approx(found.stored, abs=2)
        assert a.unique == pytest.approx(b.unique, rel=0.1)
        assert found.stored == pytest.approx(pool.info().bytes_stored, rel=0.3)


# -- giving it up


def test_purge_keeps_the_newest_and_gives_space_back(pool: sp.Pool) -> None:
    for corner in range(4, 8):
        save(pool, "maps/a", corner)
    for corner in (2, 3):
        save(pool, "maps/a", 1, corner)
    dry = pool.purge("maps/a", keep=2, dry_run=True)
    assert pool.history()[0].number == 12
    report = pool.purge("maps/a", keep=2)
    assert (report.versions, report.commits) == (8, [13]) == (dry.versions, [13])
    assert [ref.purged for ref in pool["maps/a"].versions] == [True] * 8 + [False] * 2
    assert pool.history()[0].message == "purge: keep the newest 2 versions of maps/a"
    with pytest.raises(Purged):
        pool["maps/a@0"].product  # noqa: B018
    before = pool.info().bytes_stored
    pool.gc(grace=0)
    assert pool.info().bytes_stored < before / 2
    for corner in (2, 3):
        found = pool[f"maps/a@{corner + 6}"].product["image"]
        assert np.array_equal(found, image(1, corner))
    assert pool.verify().ok
    again = pool.purge("maps/a", keep=2)
    assert (again.versions, again.commits) == (0, [])
    pool.reindex()
    assert [ref.purged for ref in pool["maps/a"].versions] == [True] * 8 + [False] * 2


def test_purge_spares_tags_and_what_is_referred_to(pool: sp.Pool) -> None:
    pool.tag("maps/a@0", "published")
    save(pool, "obs", 0, a=pool["maps/a@1"])
    report = pool.purge(["maps/a", "maps/b"])
    assert (report.versions, report.tagged, report.needed, report.newest) == (1, 1, 1, 0)
    assert [ref.purged for ref in pool["maps/a"].versions] == [False, False, True, False]


def test_purge_of_a_context_goes_through_what_is_below(pool: sp.Pool) -> None:
    for corner in range(3):
        save(pool, "obs", corner, a=save(pool, "obs/a", 7, corner))
    report = pool.purge("obs", keep=1)
    assert report.versions == 4
    assert [ref.purged for ref in pool["obs/a"].versions] == [True, True, False]
    assert np.array_equal(pool["obs"].product.refs["a"].product["image"], image(7, 2))


def test_a_folder_that_is_no_product_can_be_purged(pool: sp.Pool) -> None:
    assert pool.purge("maps", keep=1).versions == 3


def test_forget_leaves_the_pool_as_of_then_whole(pool: sp.Pool) -> None:
    pool.remove("cal/flat")  # commit 7
    pool.save(sp.Product(type="T"), name="late")
    assert pool.forget(3).versions == 2  # maps/a@0 and @1 were replaced by then
    for commit in (3, 4, 6, 8):
        then = pool.at(commit)
        for ref in then.ls():
            np.asarray(ref.product["image"]) if "image" in ref.product else None
    with pytest.raises(Purged):
        pool.at(2)["maps/a"].product  # noqa: B018
    report = pool.forget("2999-01-01")
    assert report.versions == 2  # maps/a@2, and what was removed
    with pytest.raises(Purged):
        pool.restore("cal/flat")
    assert np.array_equal(pool["maps/a"].product["image"], image(1, 3))
    with pytest.raises(NotFound):
        pool.forget("1999-01-01")


def test_forget_takes_what_was_removed_and_came_back_as_a_new_version(pool: sp.Pool) -> None:
    pool.remove("cal/flat")  # commit 7
    pool.tag("maps/b", "kept")  # commit 8
    save(pool, "cal/flat", 3)
    assert [ref.version for ref in pool["cal/flat"].versions] == [0, 1]
    assert pool.forget(6, dry_run=True).versions == 3  # flat@0 is in view as of 6
    assert pool.forget(8, dry_run=True).versions == 4


def test_a_file_is_added_again_where_the_old_content_was_given_up(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    with sp.Pool(tmp_path / "pool") as pool:
        for number, text in enumerate(("one", "two")):
            path.write_text(text)
            ref = pool.add(path, name="notes")
            assert (ref.version, Path(ref.path).read_text()) == (number, text)
            pool.remove("notes")
            pool.forget(pool.view.at)
            for _ in range(2):  # the first condemns
                pool.gc(grace=0)
        assert pool.verify().ok
    path.write_text("one")
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.add(path, name="notes")
        assert (ref.version, Path(ref.path).read_text()) == (2, "one")
        assert pool.verify().ok


def test_keep_is_positive_and_reading_is_not_enough(pool: sp.Pool) -> None:
    with pytest.raises(UsageError, match="at least one version stays"):
        pool.purge("maps/a", keep=0)
    reader = sp.Pool(pool.path, "r")
    assert reader.purge("maps/a", dry_run=True).versions == 3
    with pytest.raises(sp.errors.SkypoolError, match="reading"):
        reader.purge("maps/a")


def test_a_tag_set_meanwhile_wins(pool: sp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    from skypool.catalogue.old_versions import OldVersions

    other = sp.Pool(pool.path)
    spare = OldVersions.spare

    def tagged(old: OldVersions) -> object:
        found = spare(old)
        other.tag("maps/a@0", "just now")
        return found

    monkeypatch.setattr(OldVersions, "spare", tagged)
    assert pool.purge("maps/a").versions == 2
    assert not pool["maps/a@0"].purged


def test_many_versions_go_in_several_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skypool.pool.giving_up._AT_ONCE", 3)
    with sp.Pool(tmp_path / "pool") as pool:
        for corner in range(6):
            save(pool, "obs", corner, a=save(pool, "obs/a", 7, corner))
        report = pool.purge("obs")
        assert report.versions == 10
        assert len(report.commits) == 4
        assert pool.verify().ok


@pytest.mark.parametrize("verb", ["purge", "forget"])
def test_lack_of_room_on_the_way_loses_no_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """What was given up before there was no room is told too."""
    from skypool.pool.session import Session

    monkeypatch.setattr("skypool.pool.giving_up._AT_ONCE", 3)
    publish, calls = Session.publish, iter(range(100))

    def full_at_the_second(session: Session, *args: object) -> object:
        if next(calls) == 1:
            raise DiskFull("no room")
        return publish(session, *args)  # type: ignore[arg-type]

    with sp.Pool(tmp_path / "pool") as pool:
        for corner in range(9):
            save(pool, "obs/a", corner)
        asked = pool.purge("obs/a", dry_run=True)
        assert asked.versions == 8
        monkeypatch.setattr(Session, "publish", full_at_the_second)
        report = pool.purge("obs/a") if verb == "purge" else pool.forget(9)
        assert (report.versions, report.bytes) == (8, asked.bytes)
        assert len(report.commits) == 2
        assert [ref.purged for ref in pool["obs/a"].versions].count(True) == 8


@given(
    corners=st.lists(st.integers(0, 2), min_size=1, max_size=6),
    keep=st.integers(1, 3),
    tagged=st.sets(st.integers(0, 5)),
)
@settings(max_examples=20, deadline=None)
def test_what_stays_is_what_was_saved(
    tmp_path_factory: pytest.TempPathFactory, corners: list[int], keep: int, tagged: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("purge")
    with sp.Pool(folder / "pool") as pool:
        for number, corner in enumerate(corners):
            ref = pool.save(sp.Product(datasets={"x": np.full(9, corner)}), name="x")
            if number in tagged:
                pool.tag(ref, f"t{number}")
        pool.purge("x", keep)
        pool.gc(grace=0)
        for number, ref in enumerate(pool["x"].versions):
            stays = number >= len(corners) - keep or number in tagged
            assert ref.purged is not stays
            if stays:
                assert np.array_equal(ref.product["x"], np.full(9, corners[number]))
        assert pool.verify().ok
    shutil.rmtree(folder)


def test_what_is_spread_is_told_and_comes_back_when_asked(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        with pool.commit("many") as commit:
            for seed in range(8):
                commit.save(
                    sp.Product(kind="SimpleImage", datasets={"image": image(seed)}), f"{seed}"
                )
        save(pool, "0", 100)
        assert pool.gc(grace=0, waste=0).spread == 0
        pool.purge("0")
        first = pool.gc(grace=0)
        assert first.reclaimed == 0
        assert 200_000 < first.spread < 400_000
        dry = pool.gc(grace=0, waste=0, dry_run=True)
        taken = pool.gc(grace=0, waste=0)
        assert dry.reclaimable == taken.reclaimed == first.spread
        assert taken.spread == 0
        assert pool.gc(grace=0, waste=0).reclaimed == 0
        assert pool.verify().ok
        assert np.array_equal(np.asarray(pool["7"].product["image"]), image(7))


@pytest.mark.parametrize("name", ["", "/", "//"])
def test_an_empty_name_is_not_everything(pool: sp.Pool, tmp_path: Path, name: str) -> None:
    before = pool.view.at
    for change in (pool.purge, pool.drop, pool.bring_back, pool.absorb):
        with pytest.raises(UsageError, match="names no product"):
            change(name)
    with pytest.raises(UsageError, match="names no product"):
        pool.copy(name, tmp_path / "other")
    assert pool.view.at == before
    assert not (tmp_path / "other").exists()
