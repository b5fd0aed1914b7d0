"""Rules of the state machine about content that is elsewhere, and pieces for others."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import skypool as sp
from skypool.errors import QuotaExceeded

__all__ = ["SpaceRules"]


class SpaceRules(RuleBasedStateMachine):
    """What `drop`, `bring_back` and `copy` do to a pool that is compared with a model."""

    pool: sp.Pool
    folder: Path
    where: str

    def _draw(self, data: st.DataObject) -> str | None:
        raise AssertionError("the machine knows its names")

    def _committed(self) -> None:
        raise AssertionError("the machine keeps its commits")

    @rule(data=st.data(), collect=st.booleans(), rebuild=st.booleans())
    def drop_and_get(self, data: st.DataObject, collect: bool, rebuild: bool) -> None:
        """Drop content that a clone has: it can be found, not read, until it is back."""
        name = self._draw(data)
        if name is None:
            return
        ref = self.pool[f"name:{name}"]
        with self.pool.clone(self.folder / f"{self.where}c") as clone:
            dropped = self.pool.drop(ref, from_=clone)
            if dropped.versions:
                self._committed()
            if collect:
                self.pool.gc(grace=0)
            if rebuild:
                self.pool.reindex()
            assert self.pool.verify().ok
            assert self.pool[f"name:{name}"].meta == ref.meta
            got = self.pool.bring_back(self.pool[f"name:{name}"])
        assert got.versions == dropped.versions
        if got.versions:
            self._committed()
        shutil.rmtree(self.folder / f"{self.where}c")

    @rule()
    def take_no_more_than_allowed(self) -> None:
        """Hold the pool to less than it takes: it stays as it is, and can be read."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.pool.configure(max_size=1)
        try:
            self.pool.save(sp.Product(meta={"too": "much"}), name="a")
        except QuotaExceeded:
            pass
        else:
            raise AssertionError("more was taken than may be")
        self.pool.configure(max_size=0)

    @rule(data=st.data())
    def copy_a_piece(self, data: st.DataObject) -> None:
        """Copy a product with all below it to another pool; nothing changes here."""
        name = self._draw(data)
        if name is None:
            return
        ref = self.pool[f"name:{name}"]
        with sp.Pool(self.folder / "piece") as piece:
            report = self.pool.copy(ref, piece)
            assert report.versions == len(_below(ref))
            assert len(piece) <= report.versions  # what was removed here is not in view there
            assert piece[f"name:{name}"].hash == ref.hash
            assert self.pool.copy(ref, piece).how == "same"
            assert piece.verify().ok
        shutil.rmtree(self.folder / "piece")


def _below(ref: sp.Ref) -> set[int]:
    """Return the numbers of a version and of all that it refers to."""
    return {ref.number}.union(*map(_below, ref.refs.values()))
