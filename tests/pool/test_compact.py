"""What is kept of each file that is added: little, and the same as before it was made small."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.catalogue.draft import Children, DraftVersion, SourceRow, SourceRows
from skypool.pool.noting import FileOrigin, origin_of
from skypool.pool.tree_totals import TreeTotals
from skypool.pool.trees import Figures, FileNode, scan

signed, unsigned = st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1)


@given(signed, signed, signed, unsigned, unsigned)
def test_figures(size, mtime, ctime, inode, device):
    class Status:
        st_size, st_mtime_ns, st_ctime_ns, st_ino, st_dev = size, mtime, ctime, inode, device

    found = Figures.of(Status)  # type: ignore[arg-type]
    assert (found.st_size, found.st_mtime_ns, found.st_ctime_ns) == (size, mtime, ctime)
    assert (found.st_ino, found.st_dev) == (inode, device)


@given(st.lists(st.tuples(st.text(), signed)), st.integers(-5, 5), st.integers(-5, 5))
def test_children(pairs, low, high):
    children = Children()
    for role, target in pairs:
        children.append(role, target)
    assert list(children) == pairs
    assert len(children) == len(pairs)
    assert children[low:high] == pairs[low:high]
    assert [children[n] for n in range(len(pairs))] == pairs


@given(st.lists(st.builds(SourceRow, st.binary(), st.text(), signed, signed, unsigned)))
def test_sources(rows):
    sources = SourceRows(rows[:2])
    for row in rows[2:]:
        sources.append(row)
    assert list(sources) == rows
    assert sources.since(1) == rows[1:]


def test_paths_and_origins(tmp_path, monkeypatch):
    (tmp_path / "in/a").mkdir(parents=True)
    for name in ("in/one", "in/a/two", "in/a/\udce9"):
        (tmp_path / name).write_text(name.encode("utf-8", "replace").decode())
    monkeypatch.chdir(tmp_path)
    for given_path in ("in", "./in/", str(tmp_path / "in"), "in/../in"):
        node = scan(given_path)
        for file in node.files():
            assert os.path.exists(file.path)
            origin = origin_of(file, {})
            assert isinstance(origin, FileOrigin)
            assert dict(origin) == {
                "path": os.path.abspath(file.path),
                "mtime_ns": os.stat(file.path).st_mtime_ns,
            }
            with pytest.raises(KeyError):
                origin["member"]
    alone = scan("in/one")
    assert isinstance(alone, FileNode)
    assert (alone.path, dict(origin_of(alone, {}))["path"]) == ("in/one", str(tmp_path / "in/one"))


trees = st.recursive(
    st.integers(0, 100), lambda below: st.lists(below, min_size=1, max_size=4), max_leaves=20
)


@given(trees)
def test_totals_of_trees(tree):
    versions: list[DraftVersion] = []
    totals = TreeTotals(None, versions)  # type: ignore[arg-type]

    def place(part: object) -> tuple[int, int]:
        """Return target and sum."""
        below = [place(each) for each in part] if isinstance(part, list) else []
        size = 7 if isinstance(part, list) else int(str(part))
        versions.append(DraftVersion(b"", "", "", size, 0))
        target = -len(versions)
        total = totals.note(target, size, (child for child, _ in below))
        versions[-1].total = total
        assert total == size + sum(found for _, found in below)
        return target, total

    place(tree)


def test_what_the_pool_has_counts_once(tmp_path):
    """A part of an observation is added: what else the pool has of it stays below."""
    with sp.Pool(tmp_path / "pool") as pool:
        kept = pool.save(sp.Product(), "kept")
        versions: list[DraftVersion] = []
        totals = TreeTotals(pool.view.session, versions)
        for size, below in ((5, [kept.number]), (6, [kept.number, -1]), (7, [-2, kept.number])):
            versions.append(DraftVersion(b"", "", "", size, 0))
            found = totals.note(-len(versions), size, below)
            versions[-1].total = found
        assert found == 5 + 6 + 7 + kept.size


@pytest.mark.campaign
def test_memory_for_each_file(tmp_path: Path):
    """Between two sizes of trees, so that what does not grow does not count."""
    peaks = []
    for count in (8_000, 20_000):
        tree = tmp_path / f"tree{count}"
        for number in range(count):
            path = tree / f"d{number // 500:03d}" / f"f{number:06d}.fits"
            path.parent.mkdir(parents=True, exist_ok=True)
            cards = [
                "SIMPLE  =                    T", "BITPIX  =                    8",
                "NAXIS   =                    0", f"NUMBER  = {number:20d}", "END",
            ]  # fmt: skip
            path.write_bytes("".join(card.ljust(80) for card in cards).ljust(2880).encode())
            os.utime(path, (1.5e9, 1.5e9))
        with sp.Pool(tmp_path / f"pool{count}") as pool:
            tracemalloc.start()
            report = pool.add_report(tree, in_place=True, headers_only=True)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert len(report.saved) > count
            assert len(pool.ls()) > count
    assert (peaks[1] - peaks[0]) / 12_000 < 1200
