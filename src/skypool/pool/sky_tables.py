"""Tables on the sky: how their rows are read for the index, and what is kept of those in place.

The rows of a file in place are away when its disk is. What they cover is kept with the version
(docs/format/commits.md), so that products are found on the sky then, and after a rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.coverages import coverage_in, coverage_of_document
from skypool.errors import Damaged

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.catalogue.draft import Draft
    from skypool.catalogue.interface import IndexedDocument
    from skypool.codec.sinks import ByteSource, Fetch

__all__ = ["coverage", "keep_regions", "kept_regions", "regions_of", "with_coverage"]

# Of the origin of a version.
_KEY: Final = "sky"


def coverage(digest: bytes, fetch: Fetch, kept: Mapping[bytes, list[Any]] | None = None) -> bytes:
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
    if not kept or digest not in kept:
        return found
    from skypool.sky.written import completed

    return completed(found, {_KEY: kept[digest]})


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
    known: dict[bytes, list[list[Any]]] = {}

    def regions_of(name: bytes) -> list[list[Any]]:
        if name in known:
            return known[name]
        return _written(fresh[name] if name in fresh else coverage_in(database, name))

    for each in draft.completed:
        each.sky = known[each.document] = regions_of(each.document)
    regions = {row.document: found for row in draft.sources if (found := regions_of(row.document))}
    for version in draft.versions if regions else ():
        if version.document in regions:
            version.origin = {**(version.origin or {}), _KEY: regions[version.document]}


def _written(parts: bytes) -> list[list[Any]]:
    if not parts:
        return []
    from skypool.sky.written import written_cells

    return list(written_cells(parts))


def kept_regions(entries: Iterable[Mapping[str, Any]]) -> dict[bytes, list[Any]]:
    """Return the regions, by document, that versions and completions of the log have kept."""
    found = {}
    for entry in entries:
        regions = (entry.get("origin") or entry).get(_KEY)
        if regions:
            found[bytes.fromhex(entry["document"])] = regions
    return found


def regions_of(
    documents: Iterable[IndexedDocument], commits: Iterable[Mapping[str, Any]]
) -> dict[bytes, list[Any]]:
    """Return the regions of some documents that are kept in commits, given as the log has them."""
    wanted = {document.digest for document in documents if document.on_sky}
    if not wanted:
        return {}
    return kept_regions(
        entry
        for commit in commits
        for key in ("versions", "completed")
        for entry in commit.get(key, ())
        if bytes.fromhex(entry["document"]) in wanted
    )


def with_coverage(
    documents: Iterable[IndexedDocument],
    known: Callable[[bytes], object],
    fetch_of: Callable[[bytes], Fetch],
    kept: Mapping[bytes, list[Any]] | None = None,
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
