"""The newest versions as arrays: read whole, or from those of another commit."""

import random

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue import visible as visible_module
from skypool.catalogue.columns import columns_of


def listed(pool, at):
    """Return what the tables say: versions, documents, and what counts as the same content."""
    catalogue = pool.view.session.catalogue
    rows = catalogue.listing(at)
    return [(row.urn, row.track) for row in rows if not row.purged]


def arrays(pool, at):
    with columns_of(pool.view.session.catalogue.database).reading() as columns:
        found = columns.visible(at)
        assert found.at == at
        numbers = found.urns.astype(np.int64)
        assert found.places_of(numbers).tolist() == list(range(len(numbers)))
        assert columns.documents(numbers, at).tolist() == (
            columns.attribute("document").of(numbers).tolist()
        )
        contents = found.contents().tolist()
        assert found.unique <= (len(set(contents)) == len(contents))
        return list(zip(found.urns.tolist(), found.tracks.tolist(), strict=True))


def change(pool, draw, step):
    """Do one thing to a pool."""
    names = [ref.name for ref in pool.ls()]
    what = draw.randrange(8) if names else 0
    if what < 4:
        with pool.commit(str(step)) as commit:
            for _ in range(draw.randrange(1, 5)):
                name = f"{draw.choice('abc')}/{draw.choice('xyz')}{draw.randrange(12)}"
                commit.save(sp.Product(meta={"step": draw.randrange(3)}), name=name)
    elif what == 4:
        pool.rename(draw.choice(names), f"moved/{step}")
    elif what == 5:
        pool.remove(draw.choice(names))
    elif what == 6:
        removed = [c.message for c in pool.history() if c.message.startswith("remove ")]
        for message in removed[:1]:
            name = message.removeprefix("remove ")
            if name not in names:
                pool.restore(name)
    else:
        pool.gc(grace=0, removed_after=0)


@pytest.mark.parametrize("seed", range(4))
def test_any_commit_from_any_other(tmp_path, seed):
    draw = random.Random(seed)
    writer = sp.Pool(tmp_path / "pool")
    reader = None
    for step in range(30):
        change(writer, draw, step)
        reader = reader or sp.Pool(tmp_path / "pool", "r")
        head = writer.view.at
        for at in [head, *(draw.randrange(1, head + 1) for _ in range(2))]:
            try:
                expected = listed(writer, at)
            except sp.errors.SkypoolError:
                continue
            assert arrays(reader, at) == expected
        if step == 20:
            writer.reindex()


def test_many_changes_are_read_whole(tmp_path, monkeypatch):
    writer = sp.Pool(tmp_path / "pool")
    for name in "abc":
        writer.save(sp.Product(meta={"n": name}), name=name)
    assert arrays(writer, 3) == listed(writer, 3)
    monkeypatch.setattr(visible_module, "_MOST_CHANGED", 1)
    with writer.commit("many") as commit:
        for name in "bcde":
            commit.save(sp.Product(meta={"n": 2 * name}), name=name)
    asked = []
    whole = visible_module.read_visible
    monkeypatch.setattr(visible_module, "read_visible", lambda *a: asked.append(a[1:]) or whole(*a))
    assert arrays(writer, 4) == listed(writer, 4)
    assert arrays(writer, 1) == listed(writer, 1)
    assert asked == [(4, 4), (1, 4)]


def test_one_changed_product_is_read_alone(tmp_path, monkeypatch):
    writer = sp.Pool(tmp_path / "pool")
    for name in "bdf":
        writer.save(sp.Product(meta={"n": name}), name=name)
    reader = sp.Pool(tmp_path / "pool", "r")
    assert arrays(reader, 3) == listed(writer, 3)
    monkeypatch.setattr(
        "skypool.catalogue.columns.read_visible", lambda *a: pytest.fail("all is read")
    )
    monkeypatch.setattr(visible_module, "read_visible", lambda *a: pytest.fail("all is read"))
    for name in "aceg":
        writer.save(sp.Product(meta={"n": name}), name=name)
        at = writer.view.at
        assert arrays(reader, at) == listed(writer, at)
    with writer.commit("several") as commit:
        for name in ("d", "e1", "e2", "h", "0"):
            commit.save(sp.Product(meta={"n": name + "x"}), name=name)
    writer.rename("f", "a1")
    writer.remove("c")
    at = writer.view.at
    assert arrays(reader, at) == listed(writer, at)
    assert arrays(reader, 4) == listed(writer, 4)
