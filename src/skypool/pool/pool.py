"""`Pool`: the door to everything."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from skypool.catalogue.interface import ChunksGone, Draft
from skypool.config import Settings, from_environment
from skypool.errors import (
    Ambiguous,
    NotFound,
    PoolExists,
    ReadOnly,
    StorageError,
    UsageError,
)
from skypool.model.product import Product
from skypool.pool.folder import PoolFolder, is_pool
from skypool.pool.history import Commit, commit_number
from skypool.pool.named import locate, missing_pool
from skypool.pool.ref import Ref
from skypool.pool.resolve import check_tag, resolve
from skypool.pool.session import Session
from skypool.pool.transaction import Pending, RemoveReport, Transaction
from skypool.pool.view import View
from skypool.storage.filelayer import LocalFiles

if TYPE_CHECKING:
    from skypool.pool.adding import AddReport
    from skypool.pool.diff import Diff
    from skypool.pool.exporting import ExportReport
    from skypool.pool.hits import Hits
    from skypool.pool.maintenance import GcReport, PoolInfo, VerifyReport
    from skypool.pool.progress import OnProgress

__all__ = ["Pool"]

_TRIES = 5


class Pool:
    """A pool of astronomical data products.

    Parameters
    ----------
    where
        A bare name (below `$SKYPOOL_HOME`, else the user's data folder), a path, or a
        `file://` URL.
    mode
        `a` to read and change, created by the first save; `r` to read; `x` for a pool that
        must be new.
    settings
        Settings from outside; by default those of the environment.

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
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        mode: str = "a",
        *,
        settings: Settings | None = None,
    ) -> None:
        if mode not in ("a", "r", "x"):
            raise UsageError(f"the mode {mode!r} is none of 'a', 'r', 'x'")
        self._settings = settings or from_environment()
        self.path = locate(where, self._settings)
        self.mode = mode
        self._commit: int | None = None
        self._session: Session | None = None
        self._lock = threading.RLock()
        if mode == "x":
            if is_pool(self.path):
                raise PoolExists(f"there is a pool at {self.path} already")
            self._create(exclusive=True)
        elif is_pool(self.path):
            self._open()
        elif mode == "r":
            raise missing_pool(self.path, self._settings)

    # -- opening

    def _open(self) -> None:
        folder = PoolFolder.open(self.path, LocalFiles())
        writable = self.mode != "r" and os.access(self.path, os.W_OK)
        self._session = Session(folder, self._settings, writable=writable)

    def _create(self, *, exclusive: bool = False) -> Session:
        with self._lock:
            if self._session is None:
                PoolFolder.create(self.path, LocalFiles(), exclusive=exclusive)
                self._open()
            assert self._session is not None
            return self._session

    @property
    def exists(self) -> bool:
        """Whether the pool has been created."""
        if self._session is None and is_pool(self.path):
            with self._lock:
                if self._session is None:
                    self._open()
        return self._session is not None

    @property
    def view(self) -> View:
        """The pool as of its commit.

        Raises
        ------
        NotFound
            If the pool has not been created yet.
        """
        if not self.exists:
            raise NotFound(f"the pool {self.path} is empty: nothing was saved in it yet")
        assert self._session is not None
        return View(self._session, self._commit)

    def _check_changing(self) -> None:
        if self._commit is not None:
            raise ReadOnly(
                f"this is the pool as of commit {self._commit}, which nobody can change",
                hint="change the pool itself",
            )
        if self.mode == "r":
            raise ReadOnly("the pool is open for reading", hint='open it with mode="a"')

    def _changing(self) -> View:
        self._check_changing()
        session = self._session or self._create()
        if not session.writable:
            raise ReadOnly(
                f"you have no permission to write in {self.path}",
                hint="ask its owner, or copy what you need into a pool of your own",
            )
        return View(session)

    @property
    def name(self) -> str:
        """Name of the pool, as its URNs show it."""
        return self.view.session.folder.name if self.exists else os.path.basename(self.path)

    def close(self) -> None:
        """Give back files and locks; the pool object is not used again."""
        session, self._session = self._session, None
        if session is not None and self._commit is None:
            session.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- putting in

    def add(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        name: str | None = None,
        under: str | None = None,
        tags: Iterable[str] | str = (),
        message: str = "",
        in_place: bool = False,
        as_version: bool = False,
        force_read: bool = False,
        gzip: str = "exact",
        progress: OnProgress | None = None,
    ) -> Any:
        """Add files, folders and tar archives.

        Every folder becomes a context and every file a product, the opaque ones too.
        Adding a name again saves what changed, and nothing else.

        Parameters
        ----------
        paths
            One path, or several.
        name
            Name of the root, for a single path. By default that of the folder; of a file
            its path as given; of an observation its obsid.
        under
            Prefix of the names.
        tags
            Labels of the roots.
        message
            What the history says of it.
        in_place
            Leave the files where they are: the pool keeps metadata, statistics and digests.
        as_version
            Take it as a new version, even if the name holds data of another observation.
        force_read
            Read files even if their size and times are as last seen.
        gzip
            `exact` gives `.gz` files back byte for byte, `content` only what is in them.
        progress
            Told how far the work is.

        Returns
        -------
        Ref or list of Ref
            The root of the path; a list for a list of paths.

        Raises
        ------
        NotFound
            If there is no such file.
        NameConflict
            If the name holds data of another observation; nothing is added.
        """
        report = self.add_report(
            paths,
            name=name,
            under=under,
            tags=tags,
            message=message,
            in_place=in_place,
            as_version=as_version,
            force_read=force_read,
            gzip=gzip,
            progress=progress,
        )
        return report.refs[0] if isinstance(paths, str | os.PathLike) else report.refs

    def add_report(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        tags: Iterable[str] | str = (),
        message: str = "",
        progress: OnProgress | None = None,
        **options: Any,
    ) -> AddReport:
        """Add files like `add`, and return what was done."""
        from skypool.pool.adding import AddOptions

        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        listed = [os.fspath(path) for path in several]
        chosen = AddOptions(**options)
        if chosen.name is not None and len(listed) != 1:
            raise UsageError("one name is given for several paths", hint="use a prefix (under=)")
        labels = [check_tag(tag) for tag in ((tags,) if isinstance(tags, str) else tags)]
        for path in listed:
            if not os.path.lexists(path):
                raise NotFound(f"there is no file or folder {path!r}")
        view = self._changing()
        return _retried(lambda: self._add_once(view, listed, labels, message, chosen, progress))

    def _add_once(
        self,
        view: View,
        paths: Sequence[str],
        tags: Sequence[str],
        message: str,
        options: Any,
        progress: OnProgress | None,
    ) -> AddReport:
        from skypool.pool.adding import Adder

        draft = Draft(self._settings.author, message or f"add {', '.join(paths)[:200]}")
        writer = view.session.writer()
        try:
            adder = Adder(view.session, draft, writer, options, progress)
            roots = adder.add(paths)
            draft.tags = [(tag, root, True) for root in roots for tag in tags]
            published = adder.finish()
        except BaseException:
            writer.abandon()
            raise
        writer.close()
        report = adder.report
        report.commit = published.commit
        pairs = zip(published.urns, published.new, strict=True)
        report.saved = [view.number(urn) for urn, new in pairs if new]
        report.unchanged = sum(not new for new in published.new)
        report.refs = [view.number(published.urns[-1 - root]) for root in roots]
        report.bytes_added = writer.bytes_written
        return report

    def save(
        self,
        product: Product,
        name: str | None = None,
        tags: Iterable[str] | str = (),
        message: str = "",
    ) -> Ref:
        """Save a product, with all products below it that are not saved yet.

        What came unchanged from the pool is neither read nor hashed.

        Parameters
        ----------
        product
            The product.
        name
            Its name; by default the track that it was loaded from, else `<type>-<n>`.
        tags
            Labels of the version.
        message
            What the history says of it.

        Returns
        -------
        Ref
            The new version. An unchanged product of this pool gives the version that it is.
        """
        labels = (tags,) if isinstance(tags, str) else tuple(tags)
        with self.commit(message) as transaction:
            pending = transaction.save(product, name, labels)
        return pending.ref

    def commit(self, message: str = "") -> Transaction:
        """Start a commit of many changes, to be used in a `with` statement.

        Examples
        --------
        >>> with pool.commit("calibration v2") as c:
        ...     saved = c.save(product, name="maps/m83")
        ...     c.tag(saved, "using cal v2")
        """
        self._check_changing()
        return Transaction(self._changing, message, self._settings.author)

    # -- finding

    def __getitem__(self, text: str) -> Ref:
        """Return what a text stands for.

        In this order: URN, name, name@version, name@tag, tag, unique hash prefix. `tag:...`
        and `name:...` force one.
        """
        if isinstance(text, Ref):
            return text
        if not isinstance(text, str):
            raise TypeError(f"products are found by text, not by a {type(text).__name__}")
        return resolve(self.view, text)

    def get(self, text: str, default: Any = None) -> Any:
        """Return what a text stands for, else *default*."""
        try:
            return self[text]
        except NotFound:
            return default

    def __contains__(self, text: object) -> bool:
        if isinstance(text, Ref):
            return self.exists and text.view.session.folder.id == self.view.session.folder.id
        try:
            self[str(text)]
        except NotFound:
            return False
        except Ambiguous:
            return True
        return True

    def __len__(self) -> int:
        return self.view.identity.counts(self.view.at)[0] if self.exists else 0

    def __iter__(self) -> Iterator[Ref]:
        return iter(self.ls())

    def ls(self, below: str = "") -> list[Ref]:
        """Return the newest version of all products, or of those named below a folder."""
        return list(self.view.listing(below.strip("/"))) if self.exists else []

    def find(
        self,
        query: str | Callable[[Product], Any] = "",
        *,
        kind: str | None = None,
        values: Mapping[str, Any] | None = None,
        all_versions: bool = False,
        **bound: Any,
    ) -> Hits:
        """Search.

        Parameters
        ----------
        query
            Text in the query language (docs/query.md), or a function of a product that says
            whether it is wanted; its datasets are lazy.
        kind
            Only products of this kind, sub-kinds included.
        values, **bound
            What `$names` in the query stand for.
        all_versions
            Search old versions too.

        Returns
        -------
        Hits
            In the order of their names.

        Raises
        ------
        QueryError
            If the query cannot be understood.
        """
        from skypool.pool.finding import find

        if not self.exists:
            from skypool.pool.hits import Hits

            return Hits(())
        bindings = {**(values or {}), **bound}
        return find(self.view, query, kind=kind, values=bindings, all_versions=all_versions)

    def tagged(self, tag: str) -> list[Ref]:
        """Return all versions that carry a tag."""
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

    # -- changing

    def tag(self, ref: Any, *tags: str) -> None:
        """Label a version; a label may be on any number of versions."""
        with self.commit(f"tag {', '.join(tags)}") as transaction:
            transaction.tag(self._ref(ref), *tags)

    def untag(self, ref: Any, *tags: str) -> None:
        """Take labels away from a version."""
        with self.commit(f"untag {', '.join(tags)}") as transaction:
            transaction.untag(self._ref(ref), *tags)

    def rename(self, ref: Any, name: str) -> Ref:
        """Give a product, and all that is named below it, another name."""
        found = self._ref(ref)
        with self.commit(f"rename {found.name} to {name}") as transaction:
            transaction.rename(found, name)
        return self.view.number(found.number)

    def remove(self, ref: Any) -> RemoveReport:
        """Remove a product from view, with what is named below it; `restore` brings it back.

        Children that other products refer to are spared, and listed in the report.
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
        if isinstance(ref, str):
            track = view.identity.removed(ref.removeprefix("name:").rstrip("/"), view.at)
            if track is None:
                if ref in self:
                    raise UsageError(f"{ref!r} is not removed")
                raise NotFound(f"nothing of the name {ref!r} was removed")
        else:
            track = self._ref(ref).track
        with self.commit("restore") as transaction:
            transaction.restore(track)
        row = view.identity.latest(track, view.at)
        assert row is not None
        return view.ref(row)

    def _ref(self, ref: Any) -> Ref:
        if isinstance(ref, Product) and isinstance(ref.origin, Ref):
            ref = ref.origin
        if isinstance(ref, Pending):
            ref = ref.ref
        if isinstance(ref, Ref):
            if ref.view.session.folder.id != self.view.session.folder.id:
                raise UsageError(f"{ref.name!r} is a product of another pool")
            return self.view.number(ref.number)
        return self[ref]

    # -- looking back

    def at(self, when: int | str | date) -> Pool:
        """Return the pool as it was, for reading.

        Parameters
        ----------
        when
            Number of a commit, or a time; a date means its end, UTC.
        """
        view = self.view
        pool = Pool.__new__(Pool)
        pool._settings = self._settings
        pool.path = self.path
        pool.mode = "r"
        pool._session = view.session
        pool._lock = self._lock
        pool._commit = commit_number(view.identity, when)
        return pool

    def history(self, ref: Any = None) -> list[Commit]:
        """Return the commits of the pool, or those that concern one product, newest first."""
        if not self.exists:
            return []
        track = None if ref is None else self._ref(ref).track
        return [Commit.of(row) for row in self.view.identity.commits(self.view.at, track)]

    def diff(self, a: Any, b: Any) -> Diff:
        """Return what differs between two versions."""
        from skypool.pool.diff import compare

        return compare(self._ref(a), self._ref(b))

    # -- files

    def export(
        self,
        ref: Any,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
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
        progress
            Told how far the work is.
        """
        from skypool.pool.exporting import Exporter

        exporter = Exporter(overwrite=overwrite, on_progress=progress)
        return exporter.export(self._ref(ref), os.fspath(folder))

    # -- maintenance

    def info(self) -> PoolInfo:
        """Return figures about the pool."""
        from skypool.pool.maintenance import info

        return info(self.view)

    def verify(self, *, quick: bool = False, progress: OnProgress | None = None) -> VerifyReport:
        """Check every byte of every pack, the log and the catalogue; nothing is changed.

        Parameters
        ----------
        quick
            Check the records' check sums only, without decoding.
        progress
            Told how far the work is.
        """
        from skypool.pool.maintenance import verify

        return verify(self.view, quick=quick, on_progress=progress)

    def gc(
        self,
        *,
        dry_run: bool = False,
        grace: float | None = None,
        progress: OnProgress | None = None,
    ) -> GcReport:
        """Give back the space of chunks that no version reaches.

        Parameters
        ----------
        dry_run
            Only tell what would be given back.
        grace
            Seconds for which unreferenced chunks are kept.
        progress
            Told how far the work is.
        """
        from skypool.pool.maintenance import collect

        view = self.view if dry_run else self._changing()
        return collect(view, dry_run=dry_run, grace=grace, on_progress=progress)

    def reindex(self, *, progress: OnProgress | None = None) -> None:
        """Rebuild the catalogue from the packs and the log."""
        from skypool.pool.maintenance import rebuild

        self._changing()
        session = self._session
        assert session is not None
        rebuild(session, progress)
        session.close()
        self._session = None
        self._open()

    def __repr__(self) -> str:
        at = f", as of commit {self._commit}" if self._commit is not None else ""
        return f"Pool({self.path!r}{at})"


def _text(ref: Ref, key: str) -> str:
    return str(ref.meta[key].value) if key in ref.meta else ""


def _retried(work: Callable[[], AddReport]) -> AddReport:
    """Do the work again where gc took chunks that it was to reuse."""
    for _ in range(_TRIES):
        try:
            return work()
        except ChunksGone:
            continue
    raise StorageError("chunks were reclaimed again and again while adding", hint="try again")
