"""A pool as of one commit, or as it is now: what refs are resolved against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skypool.catalogue.coverages import coverage_in
from skypool.catalogue.interface import RefRow, VersionRow
from skypool.catalogue.times import time_of
from skypool.codec.parameters import read_meta
from skypool.codec.segments import segment_from_json
from skypool.codec.sinks import ByteSource, Fetch
from skypool.errors import Damaged, NotFound, Purged
from skypool.model.references import ExternalRef, Refs
from skypool.pool.blaming import naming
from skypool.pool.elsewhere import content_digests, dropped_error
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.catalogue.sqlite import SqliteCatalogue
    from skypool.codec.reading import RecipeReader
    from skypool.model.product import Product
    from skypool.pool.session import Session

__all__ = ["View"]


class View:
    """A pool as of a commit.

    Parameters
    ----------
    session
        The open pool.
    commit
        Number of the commit; None for the newest at any time.
    """

    def __init__(self, session: Session, commit: int | None = None) -> None:
        self.session: Session = session
        self.pinned = commit

    @property
    def identity(self) -> SqliteCatalogue:
        """The catalogue's questions about names, versions and tags."""
        return self.session.catalogue

    @property
    def at(self) -> int:
        """Number of the commit as of which questions are answered."""
        return self.identity.head() if self.pinned is None else self.pinned

    def ref(self, row: VersionRow) -> Ref:
        """Return the ref of a version."""
        return Ref(self, row)

    def number(self, urn: int, commit: int | None = None) -> Ref:
        """Return the ref of the version of that number.

        Parameters
        ----------
        urn
            The number.
        commit
            The commit as of which its name is looked up; by default that of this view.

        Raises
        ------
        NotFound
            If there is none (as of this view's commit).
        """
        row = self.identity.version(urn, self.at if commit is None else commit)
        if row is None:
            raise NotFound(f"there is no version {urn} in {self.session.folder.path}")
        return Ref(self, row)

    def document(self, row: VersionRow) -> dict[str, Any]:
        """Return the product document of a version; it must not be changed.

        Raises
        ------
        Purged
            If the version was given up.
        """
        if row.purged:
            raise self.gone(row)
        try:
            return self.session.document(row.document)
        except Damaged:
            self.check_there(row)
            raise

    def _fetch_or_purged(self, row: VersionRow) -> Fetch:
        fetch = self.session.fetch_for(row.document)
        own = self.identity.dropped(row.urn, self.session.folder.id.hex())
        content: frozenset[bytes] | None = None

        def checked(digest: bytes) -> bytes:
            nonlocal content
            if own is not None and not self.identity.sources(row.document):
                if content is None:
                    document = self.session.document(row.document)
                    content = frozenset(content_digests(document, self.session))
                if digest in content:
                    self._check_here(row, any_pool=False)
            try:
                return fetch(digest)
            except Damaged:
                # The version may have been given up since the row was read.
                self.check_there(row)
                self._check_here(row)
                raise

        return checked

    def _check_here(self, row: VersionRow, *, any_pool: bool = True) -> None:
        """Ask the newest catalogue whether the content of a version was dropped.

        Raises
        ------
        Dropped
            If it was.
        """
        pool = "" if any_pool else self.session.folder.id.hex()
        places = self.identity.dropped(row.urn, pool)
        if places is not None:
            error = dropped_error(self, row, places)
            error.coverage = coverage_in(self.session.catalogue.database, row.document)
            raise error

    def check_there(self, row: VersionRow) -> None:
        """Ask the newest catalogue whether a version was given up.

        Raises
        ------
        Purged
            If it was.
        """
        newest = self.identity.version(row.urn, self.identity.head())
        if newest is not None and newest.purged:
            raise self.gone(newest)

    def gone(self, row: VersionRow) -> Purged:
        """Return the error that says of a version when it was given up."""
        number = row.purged
        commit = self.identity.commit(number)
        when = f" on {time_of(commit.time_us):%Y-%m-%d %H:%M} UTC" if commit else ""
        name = row.name or self.identity.last_name(row.track, self.identity.head())
        return Purged(
            f"{name or f'track {row.track}'}@{row.version} was given up by commit {number}{when}",
            hint="its content is gone; adding the same files again makes a new version of it",
        )

    def last_name(self, track: int) -> str:
        """Return the last name of a removed track, empty where it never had one."""
        return self.identity.last_name(track, self.at)

    def refs_of(self, row: VersionRow) -> Refs:
        """Return the references of a version."""
        return Refs(self._resolved(self.identity.refs(row.urn)))

    def _resolved(self, rows: Sequence[RefRow]) -> Mapping[str, Ref | ExternalRef]:
        found: dict[str, Ref | ExternalRef] = {}
        for ref in rows:
            if ref.child is None:
                found[ref.role] = ExternalRef(ref.external or "")
            else:
                child = self.identity.version(ref.child, self.at)
                if child is None:  # a commit holds all that its versions refer to
                    raise self.session.catalogue_lacks(f"the version {ref.child}")
                found[ref.role] = Ref(self, child)
        return found

    def fetch_for(self, ref: Ref) -> Fetch:
        """Return what gives the chunks of a version; its errors name what they hurt.

        Once the version is given up, they say that (`Purged`).
        """
        return naming(ref, self._fetch_or_purged(ref.row))

    def load(self, ref: Ref) -> Product:
        """Return the product of a ref; no data are read."""
        from skypool.codec.stored import read_datasets
        from skypool.model.product import Product
        from skypool.pool.reopening import LoadedDataset

        document = ref.document
        fetch = self.fetch_for(ref)
        # Chunks in the user's own files are none that another product may count on.
        in_place = bool(self.identity.sources(ref.row.document))
        holder = b"" if in_place else self.session.folder.key
        datasets = read_datasets(
            document,
            fetch,
            self._reader(ref),
            holder,
            ref.row.document,
            lambda path: LoadedDataset(ref, path),
        )
        return Product.assemble(
            document["kind"],
            read_meta(document["meta"]),
            datasets,
            self.refs_of(ref.row),
            tuple(document.get("history", ())),
            ref,
        )

    def _reader(self, ref: Ref) -> Any:
        def open_reader(data: Mapping[str, Any], dataset: Mapping[str, Any]) -> Any:
            from skypool.formats.registry import reader

            found: Any = reader(data["reader"])
            opened = found.open_table if dataset["is"] == "table" else found.open_array
            files = self.files(ref) if "tree" in ref.document else self.content(ref)
            return opened(data["item"], dict(dataset), files)

        return open_reader

    def content(self, ref: Ref) -> ByteSource:
        """Return random access to a product's file, inside its wrapper where it has one.

        Raises
        ------
        NotFound
            If the product has no file.
        """
        file = ref.document.get("file")
        if file is None:
            raise NotFound(f"{ref.name!r} is not a file")
        return recipe_reader(file, self.fetch_for(ref))

    def files(self, ref: Ref) -> dict[str, ByteSource]:
        """Return random access to the files of a product that is a folder."""
        fetch = self.fetch_for(ref)
        return {
            path: recipe_reader(file, fetch)
            for path, file in ref.document["tree"]
            if file is not None
        }

    def listing(self, below: str = "") -> Iterable[Ref]:
        """Return the newest version of every named product, in the order of names."""
        return (Ref(self, row) for row in self.identity.listing(self.at, below))


def recipe_reader(file: Mapping[str, Any], fetch: Any) -> RecipeReader:
    """Return random access to the bytes of a recipe."""
    from skypool.codec.reading import RecipeReader

    return RecipeReader([segment_from_json(part) for part in file["segments"]], fetch)
