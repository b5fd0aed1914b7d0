"""Tables on the sky: how their rows are read for the index, and what is kept of those in place.

The rows of a file in place are away when its disk is. What they cover is kept with the version
(docs/format/commits.md), so that products are found on the sky then, and after a rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.coverages import coverage_in, coverage_of_document
from skypool.errors import Damaged

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.catalogue.interface import Draft, IndexedDocument
    from skypool.codec.sinks import ByteSource, Fetch
    from skypool.sky.coverage import CellsPart

__all__ = ["coverage", "keep_regions", "kept_regions", "with_coverage"]

# Of the origin of a version.
_KEY: Final = "sky"


def coverage(digest: bytes, fetch: Fetch, kept: Mapping[bytes, bytes] | None = None) -> bytes:
    """Return what a document covers: what its chunks say, with regions that are kept of it.

    Parameters
    ----------
    digest
        Of the document.
    fetch
        Gives chunks.
    kept
        See `kept_regions`.
    """

    def open_table(
        document: Mapping[str, Any], data: Mapping[str, Any], dataset: Mapping[str, Any]
    ) -> Any:
        from skypool.formats.registry import reader

        found: Any = reader(data["reader"])
        return found.open_table(data["item"], dict(dataset), _files(document, fetch))

    found = coverage_of_document(digest, fetch, open_table)
    return _with_regions(found, kept[digest]) if kept and digest in kept else found


def _with_regions(found: bytes, regions: bytes) -> bytes:
    from skypool.sky.coverage import CellsPart, decode, encode

    others = [part for part in decode(found) if not isinstance(part, CellsPart)]
    return encode([*others, *decode(regions)])


def _files(document: Mapping[str, Any], fetch: Fetch) -> ByteSource | dict[str, ByteSource]:
    from skypool.codec.reading import RecipeReader
    from skypool.codec.segments import segment_from_json

    def opened(file: Mapping[str, Any]) -> RecipeReader:
        return RecipeReader([segment_from_json(part) for part in file["segments"]], fetch)

    if "tree" in document:
        return {path: opened(file) for path, file in document["tree"] if file is not None}
    if "file" not in document:
        raise Damaged("a table is computed from a file, and its product has none")
    return opened(document["file"])


def keep_regions(database: Database, draft: Draft, documents: Iterable[IndexedDocument]) -> None:
    """Note, with versions that are kept in place, what their tables cover.

    Parameters
    ----------
    database
        Has the documents that are staged already.
    draft
        Is changed.
    documents
        Those that are not staged.
    """
    fresh = {document.digest: document.coverage for document in documents}
    for each in draft.completed:
        name = each.document
        each.sky = list(_written(fresh[name] if name in fresh else coverage_in(database, name)))
    regions: dict[bytes, list[list[Any]]] = {}
    for name in {source.document for source in draft.sources}:
        found = fresh[name] if name in fresh else coverage_in(database, name)
        written = list(_written(found))
        if written:
            regions[name] = written
    for version in draft.versions:
        if version.document in regions:
            version.origin = {**(version.origin or {}), _KEY: regions[version.document]}


def kept_regions(commits: Iterable[Mapping[str, Any]]) -> dict[bytes, bytes]:
    """Return the coverages, by document, that are kept in commits, given as the log has them."""
    found = {}
    keys = ("versions", "completed")
    for version in (each for commit in commits for key in keys for each in commit.get(key, ())):
        regions = (version.get("origin") or version).get(_KEY)
        if regions:
            from skypool.sky.coverage import encode

            found[bytes.fromhex(version["document"])] = encode(map(_read, regions))
    return found


def _written(parts: bytes) -> Iterator[list[Any]]:
    """Yield the regions of a coverage that only rows give: frame, order, cells, whether exact."""
    if not parts:
        return
    from skypool.sky.coverage import CellsPart, decode
    from skypool.sky.frames import ROTATIONS
    from skypool.sky.healpix import DEEPEST

    for part in decode(parts):
        if isinstance(part, CellsPart):
            order = DEEPEST
            while order and not any(n & 3 for n in _at((*part.starts, *part.stops), order)):
                order -= 1
            pairs = zip(_at(part.starts, order), _at(part.stops, order), strict=True)
            cells = " ".join(str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in pairs)
            yield [tuple(ROTATIONS)[part.frame], order, cells, part.exact]


def _at(limits: Sequence[int], order: int) -> list[int]:
    from skypool.sky.healpix import DEEPEST

    return [limit >> 2 * (DEEPEST - order) for limit in limits]


def _read(region: Sequence[Any]) -> CellsPart:
    """Return a region as `_written` wrote it."""
    from skypool.sky.coverage import CellsPart
    from skypool.sky.frames import ROTATIONS
    from skypool.sky.healpix import DEEPEST

    frame, order, cells, exact = region
    shift = 2 * (DEEPEST - order)
    pairs = [text.partition("-") for text in cells.split()]
    starts = tuple(int(first) << shift for first, _, _ in pairs)
    stops = tuple(int(last or first) + 1 << shift for first, _, last in pairs)
    return CellsPart(tuple(ROTATIONS).index(frame), starts, stops, exact=exact)


def with_coverage(
    documents: Iterable[IndexedDocument],
    known: Callable[[bytes], object],
    fetch_of: Callable[[bytes], Fetch],
    kept: Mapping[bytes, bytes] | None = None,
) -> list[IndexedDocument]:
    """Return documents with what they cover, where that has to be worked out.

    Parameters
    ----------
    documents
        Some of them new.
    known
        Gives something else than None for a document that the catalogue has already.
    fetch_of
        Gives what gives the chunks of a document.
    kept
        See `kept_regions`.
    """
    return [
        replace(document, coverage=coverage(document.digest, fetch_of(document.digest), kept))
        if document.on_sky and known(document.digest) is None
        else document
        for document in documents
    ]
