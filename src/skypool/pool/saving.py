"""Products made in memory on their way into a commit."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.coverages import may_be_on_sky
from skypool.catalogue.coverages_at_hand import coverage_at_once
from skypool.catalogue.draft import (
    PLACEHOLDER,
    Draft,
    DraftVersion,
    Expectation,
    External,
    RefTarget,
)
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.terms import indexed
from skypool.codec.documents import dumps_document
from skypool.codec.products import encode_product
from skypool.codec.segments import (
    ArraySegment,
    Bytes,
    ChunkList,
    TableSegment,
    segment_from_json,
)
from skypool.errors import UsageError
from skypool.model.product import Product
from skypool.model.references import ExternalRef
from skypool.pool.ref import Ref, seen
from skypool.pool.resolve import check_name

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.storage.interface import Writer

__all__ = ["Saver", "Totals"]

_UNSUITABLE = re.compile(r"[^\w.+-]+")


class Totals:
    """Sizes of trees of which each product counts once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._below: dict[int, dict[int, int]] = {}
        # Those without anything below, of which there are many.
        self._alone: dict[int, int] = {}

    def note(self, target: int, size: int, children: Iterator[int]) -> int:
        """Take in a version of the draft and return the size of all of it."""
        below: dict[int, int] = {}
        for child in children:
            below.update(self._content(child))
        if not below:
            self._alone[target] = size
            return size
        below[target] = size
        self._below[target] = below
        return sum(below.values())

    def _content(self, target: int) -> dict[int, int]:
        alone = self._alone.get(target)
        if alone is not None:
            return {target: alone}
        if target not in self._below:
            row = self._session.catalogue.version(target, self._session.catalogue.head())
            content = {urn: size for urn, _, size in self._session.catalogue.descendants(target)}
            content[target] = row.size if row is not None else 0
            self._below[target] = content
        return self._below[target]


class Saver:
    """Puts products and their trees into a draft.

    What came unchanged from the pool is taken over by its number: neither read nor hashed.

    Parameters
    ----------
    session
        The open pool.
    draft
        Takes the versions.
    writer
        Takes the chunks.
    exclusive
        Whether nobody else may have changed meanwhile what is saved.
    """

    def __init__(
        self, session: Session, draft: Draft, writer: Writer, *, exclusive: bool = False
    ) -> None:
        self._session = session
        self._exclusive = exclusive
        self._draft = draft
        self._writer = writer
        self._totals = Totals(session)
        # The products are kept with their targets, so that no id is used twice.
        self._done: dict[int, tuple[object, int]] = {}
        self._copied: dict[tuple[bytes, int], int] = {}
        self.documents: list[IndexedDocument] = []

    def save(self, product: Product, name: str | None, track: int | None = None) -> int:
        """Add a product and all of its tree that is not saved yet; return its target.

        Parameters
        ----------
        product
            The product.
        name
            Its name; None for the track that it was loaded from, else a name made of its
            type.
        track
            The track to continue, whatever it is called.
        """
        origin = product.origin if isinstance(product.origin, Ref) else None
        own = origin if origin is not None and self._is_own(origin) else None
        if self._exclusive:
            self._expect(own, name, track)
        if own is not None and product.unchanged and name in (None, own.name):
            return own.number
        if name is None and track is None and own is not None:
            track = own.track
        if name is None and track is None:
            self._draft.stems.append(_stem_of(product))
            name = f"{PLACEHOLDER}{len(self._draft.stems) - 1}"
        elif name is not None and not name.startswith(PLACEHOLDER):
            check_name(name)
        if product.unchanged and own is not None:
            return self._again(own, name)
        if product.unchanged and origin is not None:
            return self._copy(origin, name)
        return self._encode(product, name, track, own)

    def note_pending(self, item: object, target: int) -> None:
        """Note what an object stands for that is not a product but refers to one."""
        self._done[id(item)] = (item, target)

    def _expect(self, own: Ref | None, name: str | None, track: int | None) -> None:
        if own is not None and (name is None or name == own.name):
            self._draft.expected.append(seen(own))
        elif name is not None and track is None and not name.startswith(PLACEHOLDER):
            self._draft.expected.append(Expectation(name))

    def _is_own(self, ref: Ref) -> bool:
        return ref.view.session.folder.key == self._session.folder.key

    def _encode(
        self, product: Product, name: str | None, track: int | None, own: Ref | None
    ) -> int:
        base = name if name is not None else (own.name if own is not None else "")
        refs = [(role, self._child(role, item, base)) for role, item in product.refs.items()]
        taken: set[bytes] = set()
        document, size = encode_product(product, self._writer, self._session.folder.key, taken)
        if not all(self._session.catalogue.keeps(name) for name in taken):
            # What was loaded has been given up since: it is read, as far as it is there.
            taken.clear()
            document, size = encode_product(product, self._writer, b"")
        paths = _paths(product)
        if paths:
            document["paths"] = paths
        return self._add(
            document, size, refs, name=name, track=track, taken=taken, datasets=product.datasets
        )

    def _child(self, role: str, item: object, base: str) -> RefTarget:
        if isinstance(item, ExternalRef):
            return External(item.text)
        if isinstance(item, Ref):
            if self._is_own(item):
                return item.number
            return self._copy(item, _below(base, role))
        done = self._done.get(id(item))
        if done is not None:
            return done[1]
        if not isinstance(item, Product):
            raise UsageError(f"the reference {role!r} is a {type(item).__name__}, not a Ref")
        origin = item.origin if isinstance(item.origin, Ref) else None
        own = origin is not None and self._is_own(origin)
        target = self.save(item, None if own else _below(base, role))
        self._done[id(item)] = (item, target)
        return target

    def _again(self, own: Ref, name: str | None) -> int:
        """Save an unchanged product under another name: no content is written."""
        refs: list[tuple[str, RefTarget]] = [
            (ref.role, External(ref.external or "") if ref.child is None else ref.child)
            for ref in self._session.catalogue.refs(own.number)
        ]
        own.view.check_there(own.row)
        version = DraftVersion(
            own.row.document,
            own.kind,
            own.type,
            own.size,
            own.total_size,
            refs,
            name,
            taken=(own.row.document,),
        )
        return self._append(version)

    def _copy(self, ref: Ref, name: str | None) -> int:
        """Copy a version of another pool, with its tree; its history is noted."""
        key = (ref.view.session.folder.key, ref.number)
        if key in self._copied:
            return self._copied[key]
        base = name or ""
        refs = [(role, self._child(role, item, base)) for role, item in ref.refs.items()]
        document = ref.document
        fetch = ref.view.fetch_for(ref)
        for chunk, itemsize in _chunks(document, fetch):
            self._writer.put(fetch(chunk), itemsize)
        origin = {
            "pool": ref.view.session.folder.name,
            "urn": ref.urn,
            "name": ref.name,
            "history": [
                {"urn": old.urn, "version": old.version, "saved": old.saved, "tags": list(old.tags)}
                for old in ref.versions
                if old.version <= ref.version
            ],
        }
        target = self._add(document, ref.size, refs, name=name, track=None, origin=origin)
        self._copied[key] = target
        return target

    def _add(
        self,
        document: Mapping[str, Any],
        size: int,
        refs: list[tuple[str, RefTarget]],
        *,
        name: str | None,
        track: int | None,
        origin: Mapping[str, Any] | None = None,
        taken: Collection[bytes] = (),
        datasets: Mapping[str, Any] | None = None,
    ) -> int:
        name_of = self._writer.put(dumps_document(document))
        coverage = coverage_at_once(document, datasets) if may_be_on_sky(document) else b""
        entry = indexed(name_of, document, size, coverage)
        self.documents.append(entry)
        version = DraftVersion(
            name_of,
            entry.kind,
            entry.type,
            size,
            0,
            refs,
            name,
            track,
            origin=origin,
            taken=taken,
        )
        return self._append(version)

    def _append(self, version: DraftVersion) -> int:
        self._draft.versions.append(version)
        target = -len(self._draft.versions)
        children = (item for _, item in version.refs if isinstance(item, int))
        version.total = self._totals.note(target, version.size, children)
        return target


def _paths(product: Product) -> list[list[str]]:
    """Return where export puts what a changed context refers to: where it was, if it was there."""
    old = product.origin if isinstance(product.origin, Ref) else None
    known = dict(old.document.get("paths", ())) if old is not None else {}
    if old is None or not known:
        return []
    made = []
    for role, item in product.refs.items():
        before = old.refs.get(role)
        if role not in known or before is None:
            continue
        path = known[role]
        if isinstance(item, Ref) and isinstance(before, Ref) and item.track != before.track:
            path = _below(path.rpartition("/")[0], item.name.rpartition("/")[2] or role)
        made.append([role, path])
    return made


def _stem_of(product: Product) -> str:
    kind = product.type if product.type != "Unknown" else product.kind
    return _UNSUITABLE.sub("_", kind).strip("._") or "product"


def _below(base: str, role: str) -> str:
    part = role.replace("/", "_").replace("\0", "_")
    if part in (".", ".."):
        part = "_"
    return f"{base}/{part}" if base else part


def _chunks(document: Mapping[str, Any], fetch: Any) -> Iterator[tuple[bytes, int]]:
    """Return the digests of all chunks that a document reaches, with their element sizes."""
    for obj in _objects(document):
        if "is" in obj and ("chunks" in obj):
            segment = segment_from_json(obj)
            assert isinstance(segment, ArraySegment | TableSegment | Bytes)
            yield from _list_itself(segment.chunks)
            yield from _content(segment, fetch)
        if "list" in obj and "type" in obj:  # statistics of many chunks
            yield bytes.fromhex(obj["list"]), 8


def _list_itself(chunks: ChunkList) -> Iterator[tuple[bytes, int]]:
    if chunks.name is not None:
        yield chunks.name, 1


def _content(
    segment: ArraySegment | TableSegment | Bytes, fetch: Any
) -> Iterator[tuple[bytes, int]]:
    names = list(segment.chunks.digests(fetch))
    if isinstance(segment, ArraySegment):
        sizes = [segment.itemsize] * len(names)
    elif isinstance(segment, TableSegment) and not segment.packed:
        sizes = [size for _, width, size in segment.columns if width for _ in range(segment.blocks)]
    else:
        sizes = [1] * len(names)
    return zip(names, sizes, strict=True)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Return all JSON objects in a document, metadata left out."""
    if isinstance(value, dict):
        yield value
        for key, item in value.items():
            if key != "meta":
                yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _objects(item)
