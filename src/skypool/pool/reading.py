"""Questions to a pool, as it is now or as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from skypool.errors import Ambiguous, NotFound, UsageError
from skypool.model.optional import part
from skypool.model.product import Product
from skypool.pool.history import Commit, commit_number
from skypool.pool.listed import History
from skypool.pool.ref import Ref
from skypool.pool.resolve import resolve
from skypool.pool.searching import Searching
from skypool.pool.transaction import Pending

if TYPE_CHECKING:
    from skypool.pool.diff import Diff
    from skypool.pool.exporting import ExportReport
    from skypool.pool.maintenance import PoolInfo, VerifyReport
    from skypool.pool.progress import OnProgress
    from skypool.pool.results.saved import SavedSearch
    from skypool.pool.undoing import Trashed
    from skypool.web.widget import ProductBrowser

__all__ = ["Reading"]


class Reading(Searching):
    """What can be asked of a pool; see `Pool`."""

    # -- finding

    def __getitem__(self, text: str) -> Ref:
        """Return the ref that a text stands for.

        In this order: URN, name (its ending may be left out), `name@version`, `name@tag`, a name
        and references behind it (`1342182452/level2/PSW`), tag, beginning of a hash, number of
        an observation. `tag:...` and `name:...` say which is meant.

        Raises
        ------
        NotFound
            If it stands for nothing; names that are near are candidates.
        Ambiguous
            If it stands for several products, which are the candidates.
        """
        if isinstance(text, Ref):
            return text
        if not isinstance(text, str):
            raise TypeError(f"products are found by text, not by a {type(text).__name__}")
        return resolve(self.view, text)

    def get(self, text: str, default: Any = None) -> Any:
        """Return what a text stands for, else *default*.

        Parameters
        ----------
        text
            What `pool[...]` takes.
        default
            What is returned where it stands for nothing.
        """
        try:
            return self[text]
        except NotFound:
            return default

    def __contains__(self, text: object) -> bool:
        """Whether a text stands for a product of the pool, or a ref is one of it."""
        if isinstance(text, Ref):
            return self.exists and text.view.session.folder.key == self.view.session.folder.key
        try:
            self[str(text)]
        except NotFound:
            return False
        except Ambiguous:
            return True
        return True

    def __len__(self) -> int:
        """How many products there are, the removed ones and old versions left out."""
        return self.view.identity.counts(self.view.at)[0] if self.exists else 0

    def __iter__(self) -> Iterator[Ref]:
        return iter(self.ls())

    def ls(self, below: str = "") -> list[Ref]:
        """Return the newest version of all products, or of those named below a folder.

        As of an earlier time some may have been given up since: `Ref.purged` tells.

        Parameters
        ----------
        below
            A name, such as `1342182452/level2`: only what is named below it, or the product of
            that name if nothing is.
        """
        if not self.exists:
            return []
        view, name = self.view, below.strip("/")
        found = list(view.listing(name))
        if name and not found:
            track = view.identity.named(name, view.at)
            row = None if track is None else view.identity.latest(track, view.at)
            found = [] if row is None else [view.ref(row)]
        return found

    def searches(self) -> dict[str, SavedSearch]:
        """Return the saved searches by name."""
        from skypool.pool.results.saved import FOLDER, KIND, SavedSearch

        there = (ref for ref in self.ls(FOLDER) if ref.kind == KIND and not ref.purged)
        found = map(SavedSearch.of, there)
        return {search.name: search for search in found}

    def tagged(self, tag: str) -> list[Ref]:
        """Return all versions that carry a tag.

        Parameters
        ----------
        tag
            The label.
        """
        if not self.exists:
            return []
        view = self.view
        return [view.ref(row) for row in view.identity.tagged(tag, view.at)]

    @property
    def tags(self) -> dict[str, int]:
        """All tags, with the number of versions that carry each."""
        return dict(self.view.identity.all_tags(self.view.at)) if self.exists else {}

    def obs(self, obsid: int, instrument: str | None = None) -> Ref:
        """Return the observation of that number.

        Parameters
        ----------
        obsid
            Number of the observation.
        instrument
            To choose one of the two of a parallel-mode observation.

        Raises
        ------
        NotFound
            If there is none.
        Ambiguous
            If there are several.
        """
        view = self.view
        rows = view.identity.with_value("obsid", int(obsid), view.at)
        refs = [ref for ref in map(view.ref, rows) if ref.is_kind("ObservationContext")]
        if instrument is not None:
            refs = [r for r in refs if _text(r, "instrument").lower() == instrument.lower()]
        if not refs:
            raise NotFound(
                f"there is no observation {obsid} in the pool {self.name}"
                + (f" of {instrument}" if instrument else "")
            )
        if len(refs) > 1:
            raise Ambiguous(
                f"there are several observations {obsid}",
                candidates=[f"{r.name} ({_text(r, 'instrument')})" for r in refs],
                hint="say which: pool.obs(obsid, instrument=...), or name it",
            )
        return refs[0]

    def _ref(self, ref: Any) -> Ref:
        if isinstance(ref, Product) and isinstance(ref.origin, Ref):
            ref = ref.origin
        if isinstance(ref, Pending):
            ref = ref.ref
        if isinstance(ref, Ref):
            if ref.view.session.folder.key != self.view.session.folder.key:
                raise UsageError(f"{ref.name!r} is a product of another pool")
            return self.view.number(ref.number)
        return self[ref]

    # -- looking back

    def at(self, when: int | str | date) -> Self:
        """Return the pool as it was, for reading.

        Parameters
        ----------
        when
            Number of a commit, or a time; a date means its end, UTC.

        Raises
        ------
        NotFound
            If there is no such commit, or none before that time.

        Examples
        --------
        >>> pool.at(42)["maps/m83"]
        >>> pool.at("2026-11-01").find("tagged('published')")
        """
        view = self.view
        pool = type(self).__new__(type(self))
        pool._settings = self._settings
        pool._files = self._files
        pool._owner = False
        pool.path = self.path
        pool.mode = "r"
        pool._session = view.session
        pool._lock = self._lock
        pool._commit = commit_number(view.identity, when)
        return pool

    def history(self, ref: Any = None) -> History:
        """Return the commits of the pool, or those that concern one product, newest first.

        Parameters
        ----------
        ref
            A product: a ref, or text that `pool[...]` takes; None for all of the pool.
        """
        if not self.exists:
            return History()
        track = None if ref is None else self._ref(ref).track
        return History(map(Commit.of, self.view.identity.commits(self.view.at, track)))

    def trash(self) -> list[Trashed]:
        """Return the removed products that can be restored, the last removed first."""
        from skypool.pool.undoing import trash

        return trash(self.view) if self.exists else []

    def diff(self, a: Any, b: Any) -> Diff:
        """Return what differs between two versions.

        Parameters
        ----------
        a, b
            Versions: refs, or texts that `pool[...]` takes. Refs may be of another pool.

        Examples
        --------
        >>> print(pool.diff("maps/m83@0", "maps/m83"))
        """
        from skypool.pool.diff import compare

        mine = self.view.session.folder.key
        first, second = (
            ref if isinstance(ref, Ref) and ref.view.session.folder.key != mine else self._ref(ref)
            for ref in (a, b)
        )
        return compare(first, second)

    def browse(self, query: str = "", **options: Any) -> ProductBrowser:
        """Show the Product Browser in a notebook; needs `skypool[notebook]`.

        Parameters
        ----------
        query
            What is searched for at first.
        **options
            `pools`, further pools to search; `height`, in pixels; `read_only`.

        Returns
        -------
        ProductBrowser
            A widget over the kernel's own channel, without a port. Its `selected` are the refs
            that are selected in it, its `result` are the hits of its search.
        """
        return part("browse", extra="notebook")(self, query, **options)  # type: ignore[no-any-return]

    # -- files

    def export(
        self,
        ref: Any,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        format: str | None = None,  # noqa: A002 (the name is that of the command's option)
        skip_damaged: bool = False,
        progress: OnProgress | None = None,
    ) -> ExportReport:
        """Write a product, or the tree of a context, into a folder, byte for byte as added.

        Parameters
        ----------
        ref
            What to write; the content of a context goes right into the folder.
        folder
            Made where it does not exist.
        overwrite
            Whether files of the same name may be replaced.
        format
            `hcss`: as FITS files in the convention of HCSS, which HIPE reads; by default the
            files that were added, and standard FITS for what was made in memory.
        skip_damaged
            Leave out what is below a context and cannot be read: damaged, dropped, or in files
            that changed or are gone; it is listed.
        progress
            Told how far the work is.
        """
        from skypool.pool.exporting import exporter_of

        exporter = exporter_of(format)(
            overwrite=overwrite, on_progress=progress, skip_damaged=skip_damaged
        )
        return exporter.export(self._ref(ref), os.fspath(folder))

    def send(self, refs: Any, to: str, **options: Any) -> list[Any]:
        """Send products to another program, a pool or a file (docs/howto/send.md).

        Parameters
        ----------
        refs
            One, or several: refs, or what `pool[...]` takes.
        to
            `ds9`, `aladin`, `topcat`, `vospec`, the name of a program, or `all`;
            `pool:NAME`, `file:PATH`, `text:PATH`.
        **options
            Of `skypool.vo.Sender.send`: dataset, via, force, start, timeout.

        Returns
        -------
        list of skypool.vo.Reply
            What came of it, for each product and program.
        """
        one = isinstance(refs, (str, Ref, Product, Pending))
        found: list[Any] = part("send", extra="vo")(
            [self._ref(ref) for ref in ([refs] if one else refs)], to, **options
        )
        return found

    # -- maintenance

    def info(self) -> PoolInfo:
        """Return figures about the pool."""
        from skypool.pool.maintenance import info

        return info(self.view)

    def verify(
        self, *, quick: bool = False, resume: bool = False, progress: OnProgress | None = None
    ) -> VerifyReport:
        """Check every byte of every pack, the log and the catalogue; nothing is changed.

        Parameters
        ----------
        quick
            Check the records' check sums only, without decoding.
        resume
            Go on where an interrupted verification stopped: packs that it found sound, and
            that did not change since, are not read again.
        progress
            Told how far the work is.
        """
        from skypool.pool.maintenance import verify

        return verify(self.view, quick=quick, on_progress=progress, resume=resume)


def _text(ref: Ref, key: str) -> str:
    return str(ref.meta[key].value) if key in ref.meta else ""
