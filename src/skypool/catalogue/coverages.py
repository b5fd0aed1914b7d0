"""Coverage on the sky in the catalogue: what a document covers, and an index of boxes.

A box of unit vectors has no seam at right ascension 0 and none at the poles; SQLite's R*Tree
keeps it in single precision, rounded outwards.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from skypool.catalogue.batches import insert_many
from skypool.catalogue.interface import OnSphere
from skypool.codec.deferring import is_deferred
from skypool.codec.documents import loads
from skypool.codec.sinks import Fetch
from skypool.errors import Damaged, NotFound, StorageError, UsageError

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.catalogue.interface import IndexedDocument
    from skypool.sky.coverage import Part
    from skypool.sky.polygons import Box

__all__ = [
    "BOXES",
    "NUMBERS",
    "OpenTable",
    "coverage_in",
    "coverage_of_datasets",
    "coverage_of_document",
    "delete_coverages",
    "insert_coverages",
    "keep_coverage",
    "kept_coverage",
    "may_be_on_sky",
    "on_sky",
    "on_sphere",
]

OpenTable: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Any]

# Text and objects, which some formats have, are no pixels.
NUMBERS: Final = re.compile(r"(?:bool|u?int|float|complex)\d*")

BOXES: Final = 4096
"""Most boxes of a document; the number of a box is this times the document's, plus a place."""


def may_be_on_sky(document: Mapping[str, Any]) -> bool:
    """Tell whether a document has anything that coverage can be worked out from."""
    return _any_wcs(document["datasets"])


def _any_wcs(datasets: Iterable[Any]) -> bool:
    return any(
        _any_wcs(dataset["datasets"])
        if dataset["is"] == "composite"
        else "wcs" in dataset or (dataset["is"] == "table" and _is_region(dataset))
        for _, dataset in datasets
    )


def _is_region(dataset: Mapping[str, Any]) -> bool:
    """Tell whether a table may be a region of the sky, without numpy."""
    from skypool.sky.columns import position_columns

    columns = dataset.get("columns", ())
    ucds = {column["name"]: column.get("ucd", "") for column in columns}
    if position_columns(ucds, ucds) is not None:
        return True
    meta = dataset.get("meta", ())
    return not isinstance(meta, str) and any(
        parameter[0].startswith(("TCTYP", "TUCD"))
        or parameter[0] in ("PIXTYPE", "MOCORDER", "MOCORD_S")
        for parameter in meta
    )


def coverage_of_document(digest: bytes, fetch: Fetch, open_table: OpenTable) -> bytes:
    """Return the coverage of a product as `sky.coverage.decode` reads it; empty for none.

    Parameters
    ----------
    digest
        Of its document.
    fetch
        Gives chunks.
    open_table
        Opens tables that a format computes, for (document, `data`, dataset).

    Raises
    ------
    Damaged
        If the document cannot be read. A header, statistics or rows that cannot be read are taken
        as not there: a search must not keep a product from being saved.
    """
    document = loads(fetch(digest))

    def reader(data: Mapping[str, Any], dataset: Mapping[str, Any]) -> Any:
        if dataset["is"] == "table":
            return open_table(document, data, dataset)
        return _Unread(dataset, fetch)

    # Headers are all that is read now of a file whose content is deferred.
    whole = not is_deferred(document)
    try:
        return coverage_of_datasets(
            document, fetch, reader, _all_pixels if whole else None, rows=whole
        )
    except (Damaged, NotFound, StorageError, UsageError):
        return b""


def _all_pixels(_: str, array: Any) -> Any:
    return array[:]


def coverage_of_datasets(
    document: Mapping[str, Any],
    fetch: Fetch,
    reader: Callable[[Any, Any], Any],
    pixels: Callable[[str, Any], Any] | None,
    *,
    rows: bool = True,
) -> bytes:
    """Return the coverage of the datasets of a document.

    Parameters
    ----------
    document
        The document.
    fetch, reader
        Give chunks, and what a format computes.
    pixels
        As in `sky.images.coverage_of`.
    rows
        Whether the rows of tables are read.
    """
    from skypool.codec.stored import read_datasets  # with numpy, where there are coverages only
    from skypool.sky.coverage import encode
    from skypool.sky.images import coverage_of

    wanted = {**document, "datasets": list(on_sky(document["datasets"]))}
    return encode(coverage_of(read_datasets(wanted, fetch, reader, b""), pixels, rows=rows))


def coverage_in(database: Database, digest: bytes) -> bytes:
    """Return the coverage of a document in the catalogue; empty where it has none."""
    rows = database.query(
        "SELECT parts FROM coverages WHERE document = (SELECT id FROM documents WHERE digest = ?)",
        (digest,),
    )
    return bytes(rows[0][0]) if rows else b""


def on_sky(datasets: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the arrays of numbers, without metadata, and the tables that may be regions."""
    for name, dataset in datasets:
        if dataset["is"] == "composite":
            yield [name, {**dataset, "meta": [], "datasets": list(on_sky(dataset["datasets"]))}]
        elif dataset["is"] == "array" and NUMBERS.fullmatch(dataset["dtype"]):
            stats = dataset.get("stats") or {}
            if "total" in stats:  # enough to know whether all pixels have values, and is here
                stats = {"type": stats["type"], "values": stats["total"]}
            yield [name, {**dataset, "meta": [], **({"stats": stats} if stats else {})}]
        elif dataset["is"] == "table" and _is_region(dataset):
            yield [name, dataset]


class _Unread:
    """Values that a format computes: shape and statistics are known without it."""

    stored = None

    def __init__(self, dataset: Mapping[str, Any], fetch: Fetch) -> None:
        import numpy as np

        from skypool.codec.statistics import Statistics

        self.shape = tuple(dataset.get("shape", ()))
        self.dtype = np.dtype(dataset.get("dtype", "f8"))
        stats = dataset.get("stats")
        self.statistics = None if stats is None else Statistics.from_json(stats, fetch)

    def read(self, index: tuple[slice, ...]) -> Any:
        """Refuse: whole images are not computed for the coverage."""
        raise Damaged(f"the values at {index} are not read for the coverage")


def insert_coverages(
    connection: sqlite3.Connection, found: Iterable[tuple[int, IndexedDocument]]
) -> None:
    """Index coverages and positions.

    Parameters
    ----------
    connection
        In a transaction.
    found
        Numbers of documents, and what is indexed of them.
    """
    points: list[tuple[int, float, float, float]] = []
    coverages: list[tuple[int, bytes]] = []
    boxes: list[tuple[float, ...]] = []
    for number, document in found:
        middle, found_boxes = document.on_sphere or on_sphere(document)
        if middle is not None:
            points.append((number, *middle))
        if document.coverage:
            coverages.append((number, document.coverage))
            boxes += _numbered(number, found_boxes)
    insert_many(
        connection, "INSERT OR REPLACE INTO coverages(document, parts) VALUES", 2, coverages
    )
    _insert_boxes(connection, boxes)
    _insert_points(connection, points)


def _insert_boxes(connection: sqlite3.Connection, boxes: list[tuple[float, ...]]) -> None:
    connection.executemany(
        "INSERT INTO boxes(id, x0, x1, y0, y1, z0, z1) VALUES (?, ?, ?, ?, ?, ?, ?)", boxes
    )


def _insert_points(
    connection: sqlite3.Connection, points: list[tuple[int, float, float, float]]
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO points(id, x0, x1, y0, y1, z0, z1, x, y, z)"
        " VALUES (?1, ?2, ?2, ?3, ?3, ?4, ?4, ?2, ?3, ?4)",
        points,
    )


def kept_coverage(digest: bytes, parts: bytes) -> dict[str, Any]:
    """Return what a drop entry says of a coverage, so that it outlives the content."""
    from skypool.sky.written import written

    found = written(parts) if parts else {}
    return {"document": digest.hex(), **found} if found else {}


def keep_coverage(connection: sqlite3.Connection, entry: Mapping[str, Any]) -> None:
    """Complete the coverage of a document by what a drop entry says of it."""
    row = connection.execute(
        "SELECT d.id, c.parts FROM documents d LEFT JOIN coverages c ON c.document = d.id"
        " WHERE d.digest = ? AND NOT d.bare",
        (bytes.fromhex(entry["document"]),),
    ).fetchone()
    if row is None:
        return
    from skypool.sky.coverage import centre, decode
    from skypool.sky.vectors import vector
    from skypool.sky.written import completed

    number, before = row[0], bytes(row[1] or b"")
    found = completed(before, entry)
    if found == before:
        return
    _delete_boxes(connection, number)
    connection.execute(
        "INSERT OR REPLACE INTO coverages(document, parts) VALUES (?, ?)", (number, found)
    )
    _insert_boxes(connection, _numbered(number, _boxes_of(decode(found))))
    middle = centre(decode(found))
    if middle is not None:
        _insert_points(connection, [(number, *vector(*middle))])


def on_sphere(document: IndexedDocument) -> OnSphere:
    """Return where a document is: the middle of its coverage, else what its metadata give."""
    from skypool.sky.coverage import centre, decode
    from skypool.sky.positions import position_of
    from skypool.sky.vectors import vector

    parts = decode(document.coverage) if document.coverage else ()
    middle = centre(parts)
    if middle is not None:
        return OnSphere(vector(*middle), _boxes_of(parts))
    return OnSphere(position_of(listed for _, listed in document.metas), _boxes_of(parts))


def _boxes_of(parts: Iterable[Part]) -> list[tuple[float, ...]]:
    """Return the boxes of a coverage."""
    return [tuple(box) for box in _boxes(part.box() for part in parts)]


def _numbered(number: int, boxes: Iterable[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Return the rows of the index for the boxes of a document."""
    return [(number * BOXES + place, *box) for place, box in enumerate(boxes)]


def _boxes(found: Iterable[Box]) -> list[Box]:
    """Return at most `BOXES` boxes; the last one holds all that are too many."""
    boxes = list(found)
    rest = boxes[BOXES - 1 :]
    if len(rest) < 2:
        return boxes
    low = [min(box[n] for box in rest) for n in (0, 2, 4)]
    high = [max(box[n] for box in rest) for n in (1, 3, 5)]
    return [*boxes[: BOXES - 1], (low[0], high[0], low[1], high[1], low[2], high[2])]


def delete_coverages(connection: sqlite3.Connection, documents: Iterable[tuple[int]]) -> None:
    """Forget the coverages and positions of documents, given by number."""
    for (number,) in documents:
        connection.execute("DELETE FROM points WHERE id = ?", (number,))
        _delete_boxes(connection, number)
        connection.execute("DELETE FROM coverages WHERE document = ?", (number,))


def _delete_boxes(connection: sqlite3.Connection, number: int) -> None:
    from skypool.sky.coverage import decode

    for (parts,) in connection.execute(
        "SELECT parts FROM coverages WHERE document = ?", (number,)
    ).fetchall():
        # One by one: the R*Tree would be read from end to end for a range of numbers.
        connection.executemany(
            "DELETE FROM boxes WHERE id = ?",
            [(number * BOXES + n,) for n in range(min(len(decode(parts)), BOXES))],
        )
