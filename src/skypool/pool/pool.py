"""`Pool`: the door to everything."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skypool.errors import NotFound, UsageError
from skypool.pool.ref import Ref
from skypool.pool.taking_in import TakingIn
from skypool.pool.transaction import RemoveReport

if TYPE_CHECKING:
    from skypool.pool.healing import RepairReport
    from skypool.pool.progress import OnProgress

__all__ = ["Pool"]

_TRASH = "`skypool trash` lists what can be restored"


class Pool(TakingIn):
    """A pool of astronomical data products.

    It is opened by making the object; the first `save` or `add` makes a pool that is not there.
    `with Pool("temp1") as pool:` closes it at the end. Threads may share one object, and any
    number of processes may work on one pool at the same time.

    Parameters
    ----------
    where
        A bare name (below `$SKYPOOL_HOME`, else the user's data folder), a path, or a
        `file://` URL.
    mode
        `a` to read and change, created by the first save; `r` to read; `x` for a pool that
        must be new.
    max_size, shared, journal
        Of a pool that is made: see `configure`.
    settings
        Settings from outside; by default those of the environment.
    files
        What writes, syncs and locks files; by default those of the system. Tests put one in
        place that records or fails.

    Attributes
    ----------
    path : str
        Its folder.
    mode : str
        As it was opened.

    Raises
    ------
    PoolNotFound
        In mode `r`, if there is none; pools of a similar name are suggested.
    PoolExists
        In mode `x`, if there is one.

    Examples
    --------
    >>> pool = Pool("temp1")
    >>> ref = pool.add("1342182452/", tags=["obsid_1342182452"])
    >>> image = pool["1342182452/level2/PSW"].product["image"]
    >>> hits = pool.find("instrument == 'SPIRE' and covers(204.2538, -29.8657)")
    >>> newer = pool.save(Product(datasets={"image": image[:] * 2}), name="m83/doubled")
    >>> pool.export("1342182452", "given-back/")
    """

    # -- changing

    def tag(self, ref: Any, *tags: str) -> None:
        """Label a version; a label may be on any number of versions.

        Parameters
        ----------
        ref
            A version: a ref, or text that `pool[...]` takes.
        *tags
            The labels.
        """
        with self.commit(f"tag {', '.join(tags)}") as transaction:
            transaction.tag(self._ref(ref), *tags)

    def untag(self, ref: Any, *tags: str) -> None:
        """Take labels away from a version.

        Parameters
        ----------
        ref
            A version: a ref, or text that `pool[...]` takes.
        *tags
            The labels.
        """
        with self.commit(f"untag {', '.join(tags)}") as transaction:
            transaction.untag(self._ref(ref), *tags)

    def rename(self, ref: Any, name: str) -> Ref:
        """Give a product, and all that is named below it, another name.

        Parameters
        ----------
        ref
            A version: a ref, or text that `pool[...]` takes.
        name
            The new name of its track.
        """
        found = self._ref(ref)
        with self.commit(f"rename {found.name} to {name}") as transaction:
            transaction.rename(found, name)
        return self.view.number(found.number)

    def remove(self, ref: Any) -> RemoveReport:
        """Remove a product from view, with what is named below it; `restore` brings it back.

        Children that other products refer to are spared, and listed in the report.

        Parameters
        ----------
        ref
            A version: a ref, or text that `pool[...]` takes.
        """
        found = self._ref(ref)
        with self.commit(f"remove {found.name}") as transaction:
            return transaction.remove(found)

    def restore(self, ref: Any) -> Ref:
        """Bring a removed product back, with what was removed together with it.

        Parameters
        ----------
        ref
            A ref, or the name that it had.
        """
        view = self._changing()
        if isinstance(ref, str) and not ref.startswith("urn:"):
            track = view.identity.removed(ref.removeprefix("name:").rstrip("/"), view.at)
            if track is None:
                if ref in self:
                    raise UsageError(f"{ref!r} is not removed", hint=_TRASH)
                shown = ref if len(ref) <= 200 else f"{ref[:200]}..."
                raise NotFound(f"nothing of the name {shown!r} was removed", hint=_TRASH)
        else:
            track = self._ref(ref).track
        with self.commit("restore") as transaction:
            transaction.restore(track)
        row = view.identity.latest(track, view.at)
        assert row is not None
        return view.ref(row)

    def undo(self, commit: int, message: str = "") -> int:
        """Take a commit back by a new one, which can be undone as well; return its number.

        Parameters
        ----------
        commit
            Its number, as in `history`.
        message
            Message of the new commit; by default it says what is undone.

        Raises
        ------
        EditConflict
            If what it changed was changed since; nothing is done then.
        NameConflict
            If a name that is wanted back was given to another product.
        UsageError
            If it changed nothing that can be changed back.
        """
        from skypool.pool.undoing import undo

        return undo(self._changing(), commit, self._settings.author, message)

    # -- maintenance

    def repair(
        self,
        from_: Iterable[str | os.PathLike[str]] = (),
        *,
        quick: bool = False,
        progress: OnProgress | None = None,
    ) -> RepairReport:
        """Heal what is damaged or missing.

        The log is written again from the catalogue, the catalogue made again from the log, and
        damaged chunks are fetched from elsewhere; each is checked when it arrives.

        Parameters
        ----------
        from_
            Pools that have the same chunks (copies, clones, any others), and folders or files
            that were added.
        quick
            Look for damage by check sums only, without decoding.
        progress
            Told how far the work is.
        """
        from skypool.pool.healing import repair

        sources = [os.fspath(source) for source in from_]
        return repair(self._changing(), sources, quick=quick, on_progress=progress)

    def reindex(self, *, progress: OnProgress | None = None) -> None:
        """Rebuild the catalogue from the packs and the log.

        Parameters
        ----------
        progress
            Told how far the work is.
        """
        from skypool.pool.maintenance import rebuild

        # It stays open: other threads may be in the midst of reading.
        rebuild(self._changing().session, progress)
