"""The part of a pool that takes in products and files: once, or as they appear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from skypool.model.optional import part
from skypool.model.product import Product
from skypool.pool.pieces import Pieces
from skypool.pool.ref import Ref
from skypool.pool.resolve import check_tag
from skypool.pool.transaction import Transaction

if TYPE_CHECKING:
    from skypool.files.watching import Watch
    from skypool.pool.add_report import AddReport
    from skypool.pool.progress import OnProgress

__all__ = ["TakingIn"]


class TakingIn(Pieces):
    """The part of a pool that takes in products and files; see `Pool`."""

    def add(
        self,
        paths: Any,
        *,
        name: str | None = None,
        under: str | None = None,
        tags: Iterable[str] | str = (),
        message: str = "",
        in_place: bool = False,
        headers_only: bool = False,
        as_version: bool = False,
        exclusive: bool = False,
        force_read: bool = False,
        gzip: str = "exact",
        progress: OnProgress | None = None,
    ) -> Any:
        """Add files, folders and tar archives, from here or from the network.

        Every folder becomes a context and every file a product, the opaque ones too.
        Adding a name again saves what changed, and nothing else. Where it came from stands in
        `Ref.origin`; an address is fetched again only if the server says that it has changed.

        Parameters
        ----------
        paths
            One path, or several; instead of a path an address (`https://...`), a row of
            astroquery's or pyvo's results with a column `access_url`, or a table of them.
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
        headers_only
            Of files in place read the headers alone; `complete` makes up for it.
        as_version
            Take it as a new version, even if the name holds data of another observation.
        exclusive
            Refuse where one of the names is that of a product already.
        force_read
            Read files even if their size and times are as last seen; fetch addresses even
            if they were fetched before.
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
        EditConflict
            If *exclusive* is true, and a product has one of the names; nothing is added.
        Unreachable
            If an address cannot be fetched; what came of it is kept, and the next time goes on.
        """
        from skypool.pool.rows import is_one

        report = self.add_report(
            paths,
            name=name,
            under=under,
            tags=tags,
            message=message,
            in_place=in_place,
            headers_only=headers_only,
            as_version=as_version,
            exclusive=exclusive,
            force_read=force_read,
            gzip=gzip,
            progress=progress,
        )
        return report.refs[0] if is_one(paths) and len(report.refs) == 1 else report.refs

    def add_report(
        self,
        paths: Any,
        *,
        tags: Iterable[str] | str = (),
        message: str = "",
        progress: OnProgress | None = None,
        **options: Any,
    ) -> AddReport:
        """Add files like `add`, and return what was done."""
        from skypool.pool.add_report import AddOptions
        from skypool.pool.old_stores import tag_added
        from skypool.pool.putting_in import put_in

        report = put_in(
            paths,
            [check_tag(tag) for tag in ((tags,) if isinstance(tags, str) else tags)],
            message,
            AddOptions(**options),
            settings=self._settings,
            present=lambda: self.view if self.exists else None,
            changing=self._changing,
            progress=progress,
        )
        tag_added(self, paths, report)
        return report

    def watch(self, folders: Any, **options: Any) -> Watch:
        """Add what appears and changes in folders, as long as it is iterated.

        Each burst of changes is one commit, with the names that `add` would give; files that are
        still being written wait until they are complete. What changed while nobody watched
        is added first. Nothing is removed unless *remove* says so.

        Parameters
        ----------
        folders
            One path, or several.
        **options
            As `add` has them: name, under, tags, message, in_place, as_version, gzip. And: *quiet*,
            seconds without a change that end a burst (1); *longest*, seconds after which one is
            added all the same (30); *exclude*, patterns of names that are left out;
            *dot_files*, whether names that begin with a dot are added; *remove*, whether what
            is deleted is removed from view; *poll*, seconds between looks, instead of being told
            by the system (by default only on network disks); *rescan*, seconds after which all
            is looked at in any case (60; longer where that takes long); *once*, only add what is
            there; *on_note*, called with a text that the user should know.

        Returns
        -------
        Watch
            Iterating gives a `WatchReport` for each commit or problem; its method `stop` ends it
            after the running commit.

        Raises
        ------
        NotFound
            If there is no such folder.
        MissingDependency
            If watchdog is not installed, and *poll* is not given.

        Examples
        --------
        >>> for report in pool.watch("reduced", exclude=["*.log"]):
        ...     print(report.commit, [ref.name for ref in report.added.saved])
        """
        found: Watch = part("watch", extra="watch")(self, folders, **options)
        return found

    def save(
        self,
        product: Product,
        name: str | None = None,
        tags: Iterable[str] | str = (),
        message: str = "",
        *,
        exclusive: bool = False,
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
        exclusive
            Refuse where another changed the product since it was loaded, or gave its name
            to a product; see `commit`.

        Returns
        -------
        Ref
            The new version. An unchanged product of this pool gives the version that it is.

        Raises
        ------
        EditConflict
            If *exclusive* is true, and another was faster; nothing is saved.
        """
        labels = (tags,) if isinstance(tags, str) else tuple(tags)
        with self.commit(message, exclusive=exclusive) as transaction:
            pending = transaction.save(product, name, labels)
        return pending.ref

    def commit(self, message: str = "", *, exclusive: bool = False) -> Transaction:
        """Start a commit of many changes, to be used in a `with` statement.

        Parameters
        ----------
        message
            What the history says of it.
        exclusive
            Commit only if nobody has changed meanwhile what the commit changes. A product
            that was loaded, and a ref, must still be the newest version of its track, which
            got no other name or tags, and was not removed, since; the name of a product that
            was not loaded must be free. Else the end of the `with` block raises
            `EditConflict`, and nothing is committed. Without it, two who save under one name
            make two versions, one behind the other.

        Examples
        --------
        >>> with pool.commit("calibration v2") as c:
        ...     saved = c.save(product, name="maps/m83")
        ...     c.tag(saved, "using cal v2")
        """
        self._check_changing()
        return Transaction(self._changing, message, self._settings.author, exclusive=exclusive)

    def save_search(
        self,
        name: str,
        query: str,
        *,
        values: Mapping[str, Any] | None = None,
        message: str = "",
        **options: Any,
    ) -> Ref:
        """Keep a search under a name, for `find(saved=name)`.

        Parameters
        ----------
        name
            What it is called; one of that name gets a new version.
        query
            In the query language.
        values
            What `$names` in it stand for; they are written out.
        message
            What the history says of it.
        **options
            Of `find`: kind, order_by, limit, columns, all_versions, all_names. `at`, a commit
            or time as of which it is asked; `pools`, names of those that the browsers ask.
        """
        from skypool.pool.results.saved import FOLDER, search_product

        product = search_product(query, values or {}, options)
        return self.save(product, f"{FOLDER}/{name}", message=message)
