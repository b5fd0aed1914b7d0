"""Lazy references to saved versions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from skypool.catalogue.attributes import read_attributes
from skypool.catalogue.draft import Expectation
from skypool.catalogue.interface import VersionRow
from skypool.catalogue.times import time_of
from skypool.codec.documents import loads
from skypool.codec.parameters import read_meta
from skypool.errors import Damaged
from skypool.model.kinds import is_context, is_kind
from skypool.model.metadata import MetaData
from skypool.model.optional import part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skypool.model.product import Product
    from skypool.model.references import Refs
    from skypool.pool.listed import Versions
    from skypool.pool.view import View

__all__ = ["Ref", "seen"]


class Ref:
    """A saved version: what it is and where, without loading it.

    Refs come from a pool (`pool["name"]`, `pool.find(...)`, `pool.save(...)`). They compare
    equal if they stand for the same version of the same pool.

    Examples
    --------
    >>> ref = pool["1342182452/level2/PSW"]
    >>> ref.version, ref.tags, ref.meta["object"].value  # reads no data
    >>> ref["image"][40:72, 40:72]  # reads the tiles that it touches
    >>> level2 = pool["1342182452"]["level2"]  # another ref: what it refers to
    """

    __slots__ = ("_attributes", "_meta", "_row", "_view")

    def __init__(self, view: View, row: VersionRow) -> None:
        self._view = view
        self._row = row
        self._meta: MetaData | None = None
        self._attributes: MetaData | None = None

    @property
    def urn(self) -> str:
        """The version's own name, `urn:<pool>:<kind>:<n>`."""
        return f"urn:{self._view.session.folder.name}:{self._row.kind}:{self._row.urn}"

    @property
    def number(self) -> int:
        """The last part of the URN."""
        return self._row.urn

    @property
    def name(self) -> str:
        """Name of the track in the pool; the last one where it was removed."""
        return self._row.name or self._view.last_name(self._row.track)

    @property
    def version(self) -> int:
        """Number of the version in its track, from 0."""
        return self._row.version

    @property
    def kind(self) -> str:
        """How the product is built, such as `SimpleImage`."""
        return self._row.kind

    @property
    def type(self) -> str:
        """The code that the pipeline gave the product."""
        return self._row.type

    @property
    def size(self) -> int:
        """Bytes of the product: of its file, else of its datasets."""
        return self._row.size

    @property
    def total_size(self) -> int:
        """Bytes of the product and of all products below it, each counted once."""
        return self._row.total

    @property
    def tags(self) -> tuple[str, ...]:
        """Labels of this version, in alphabetical order."""
        return tuple(self._view.identity.tags(self._row.urn, self._view.at))

    @property
    def versions(self) -> Versions:
        """All versions of the track, oldest first."""
        from skypool.pool.listed import Versions

        rows = self._view.identity.track_versions(self._row.track, self._view.at)
        return Versions(Ref(self._view, row) for row in rows)

    @property
    def latest(self) -> Ref:
        """The newest version of the track."""
        row = self._view.identity.latest(self._row.track, self._view.at)
        return self if row is None or row.urn == self._row.urn else Ref(self._view, row)

    @property
    def track(self) -> int:
        """Number of the line of versions."""
        return self._row.track

    @property
    def hash(self) -> str:
        """BLAKE3-256 of the product's document, 64 hexadecimal digits."""
        return self._row.document.hex()

    @property
    def file_hash(self) -> str | None:
        """BLAKE3-256 of the product's file inside its wrapper, None where it has no file.

        None as well where only the headers of the file were read.
        """
        file = self.document.get("file")
        return file.get("hash") if file else None

    @property
    def complete(self) -> bool:
        """Whether all of it is known; else only headers were read, and pixels are unchecked.

        What is read of such a product is checked against the size and time of its file alone.
        """
        file = self.document.get("file")
        return file is None or "hash" in file

    @property
    def saved(self) -> datetime:
        """When the version was committed, UTC."""
        row = self._view.identity.commit(self._row.commit)
        if row is None:
            raise self._view.session.catalogue_lacks(f"the commit {self._row.commit}")
        return time_of(row.time_us)

    @property
    def commit(self) -> int:
        """Number of the commit that made the version."""
        return self._row.commit

    @property
    def purged(self) -> bool:
        """Whether the content was given up: reading it raises `Purged`."""
        return bool(self._row.purged)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Where the content can be had, if this pool has dropped it; else nothing."""
        from skypool.pool.elsewhere import place_text

        places = self._view.identity.dropped(self._row.urn, self._view.session.folder.id.hex())
        return tuple(map(place_text, places or ()))

    @property
    def in_place(self) -> tuple[str, ...]:
        """Paths of the files that its content stays in; none where the pool has it itself."""
        from skypool.pool.sources import is_stored

        session, document = self._view.session, self._row.document
        found = tuple(source.path for source in session.catalogue.sources(document))
        return () if found and is_stored(session, document) else found

    @property
    def origin(self) -> dict[str, Any]:
        """Where it came from: path of the file, or URN in another pool."""
        text = self._view.identity.origin(self._row.urn)
        found: dict[str, Any] = loads(text.encode()) if text else {}
        return found

    @property
    def document(self) -> dict[str, Any]:
        """The product document (docs/format/documents.md); must not be changed."""
        try:
            return self._view.document(self._row)
        except Damaged as error:
            # It may have been of headers alone, and another one took its place since.
            newest = self._view.identity.version(self._row.urn, self._view.identity.head())
            if newest is not None and newest.document != self._row.document:
                self._row = self._row._replace(document=newest.document)
                return self.document
            from skypool.pool.blaming import of_document

            raise of_document(self, error) from None

    @property
    def meta(self) -> MetaData:
        """Metadata; no data are read."""
        if self._meta is None:
            self._meta = read_meta(self.document["meta"])
        return self._meta

    @property
    def attributes(self) -> MetaData:
        """Core attributes: telescope, start, exposure, ... as the rules found them in the metadata.

        They are those of docs/reference/attributes.md that are known, in its units.
        """
        if self._attributes is None:
            self._attributes = read_attributes(
                self._view.session.catalogue.database, self._row.document
            )
        return self._attributes

    @property
    def refs(self) -> Refs:
        """References of the product, without loading it."""
        return self._view.refs_of(self._row)

    @property
    def parents(self) -> list[Ref]:
        """Versions that refer to this one."""
        rows = self._view.identity.parents(self._row.urn, self._view.at)
        return [Ref(self._view, row) for row in rows]

    @property
    def reason(self) -> str | None:
        """Why the file was kept as opaque bytes though it looks like a known format."""
        file = self.document.get("file") or {}
        return file.get("reason")

    @property
    def product(self) -> Product:
        """The product; its datasets are read when they are asked for."""
        return self._view.load(self)

    @property
    def path(self) -> str:
        """A real, read-only file with the product's bytes, in a bounded cache."""
        from skypool.pool.paths import cached_path

        return cached_path(self)

    def plot(self, dataset: str = "", ax: Axes | None = None, **options: Any) -> Axes:
        """Draw a dataset of the product; needs `skypool[plot]`.

        Parameters
        ----------
        dataset
            Which; by default the image, cube, spectrum or table that matters most.
        ax
            Axes to draw in; by default those of a new figure.
        **options
            Those of `Array.plot` and `Table.plot`.

        Returns
        -------
        matplotlib.axes.Axes
            It is not shown: that is left to the notebook, or to `matplotlib.pyplot.show()`.
        """
        draw = part("plot", extra="plot")
        return draw(self, ax, dataset=dataset, **options)  # type: ignore[no-any-return]

    def send(self, to: str, **options: Any) -> list[Any]:
        """Send the product to another program, a pool or a file (docs/howto/send.md).

        Parameters
        ----------
        to
            `ds9`, `aladin`, `topcat`, `vospec`, the name of a program, or `all`;
            `pool:NAME`, `file:PATH`, `text:PATH`.
        **options
            Of `skypool.vo.Sender.send`: dataset, via, force, start, timeout.

        Returns
        -------
        list of skypool.vo.Reply
            What came of it, for each program.
        """
        found: list[Any] = part("send", extra="vo")(self, to, **options)
        return found

    @property
    def view(self) -> View:
        """The pool that it belongs to, as of some commit."""
        return self._view

    @property
    def row(self) -> VersionRow:
        """The version as the catalogue has it."""
        return self._row

    @property
    def is_context(self) -> bool:
        """Whether its content is references."""
        return is_context(self.kind)

    def is_kind(self, wanted: str) -> bool:
        """Say whether its kind is *wanted* or one of its sub-kinds.

        Parameters
        ----------
        wanted
            A kind, such as `Context`.
        """
        return is_kind(self.kind, wanted)

    def __getitem__(self, key: str | int) -> Any:
        """Return what a context refers to by that key, else the dataset of that name."""
        if self.is_context and (key in self.refs or not self.document["datasets"]):
            return self.refs[key]
        return self.product[str(key)]

    def __contains__(self, key: object) -> bool:
        return (self.is_context and key in self.refs) or key in self.product

    # It has keys, but is no sequence of anything.
    __iter__ = None

    def __fspath__(self) -> str:
        return self.path

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[bytes, int]:
        return self._view.session.folder.key, self._row.urn

    # What never changes is its own copy.
    def __copy__(self) -> Ref:
        return self

    def __deepcopy__(self, memo: object) -> Ref:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from skypool.pool.reopening import SavedRef, saved

        return SavedRef.open, (saved(self),)

    def __dask_tokenize__(self) -> object:
        return "skypool.Ref", self._row.document.hex(), self._row.urn

    def __repr__(self) -> str:
        parts = [self.name or self.urn, f"version {self.version}", self.kind]
        if self.type and self.type != "Unknown":
            parts.append(self.type)
        if self.purged:
            parts.append("given up")
        return f"<Ref {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        from skypool.pool.display import ref_html

        return ref_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        from skypool.pool.display import ref_keys

        return ref_keys(self)


def seen(ref: Ref) -> Expectation:
    """Return what an exclusive commit expects of the track of a ref: that it is as it was."""
    return Expectation(ref.name, ref.track, ref.row.at, ref.version)
