"""Datasets as documents describe them: values are read chunk by chunk when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skypool.codec.digest import digest
from skypool.codec.documents import dumps
from skypool.codec.parameters import read_meta
from skypool.codec.reading import RecipeReader, read_array, read_segment
from skypool.codec.scaling import physical
from skypool.codec.scaling import stored as stored_values
from skypool.codec.segments import ArraySegment, Segment, TableSegment, segment_from_json
from skypool.codec.sinks import Fetch
from skypool.codec.statistics import Statistics
from skypool.codec.streams import SourceFile
from skypool.errors import Damaged
from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset, Datasets
from skypool.model.metadata import MetaData
from skypool.model.sources import Place, Placed

__all__ = ["OpenReader", "PlaceOf", "StoredArray", "Token", "read_datasets"]

# Opens a dataset whose values a format computes from the file: gives an ArraySource or
# TableSource for (`data` object, dataset object).
OpenReader = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
# Gives the place of a dataset, by its names from the outermost composite in.
PlaceOf = Callable[[tuple[str, ...]], Place]


@dataclass(frozen=True, slots=True)
class Token:
    """What a pool needs to save a dataset again without reading it.

    Attributes
    ----------
    pool : bytes
        Identifier of the pool that holds the chunks.
    dataset : dict
        The dataset with its segments written out, as for a product made in memory.
    document : bytes
        Digest of the product document that it is from: as long as the pool keeps that, it
        keeps the chunks.
    """

    pool: bytes
    dataset: Mapping[str, Any]
    document: bytes


class StoredArray(Placed):
    """An `ArraySource` over the tiles of an array segment.

    Parameters
    ----------
    dataset
        The dataset of a document.
    segment
        Its values.
    fetch
        Gives a chunk by its digest.
    stored
        See `Token`.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        segment: ArraySegment,
        fetch: Fetch,
        stored: Token | None = None,
    ) -> None:
        self._dataset = dataset
        self._segment = segment
        self._fetch = fetch
        self.stored = stored
        self.shape: tuple[int, ...] = tuple(dataset["shape"])
        self.dtype = np.dtype(dataset["dtype"])
        self.tile = segment.tile
        self._zero = dataset.get("zero", 0)
        self._scale = dataset.get("scale", 1)
        self._blank = dataset.get("blank")
        self._is_plain = (
            self.dtype.kind in "fc"
            and (self._zero, self._scale) == (0, 1)
            and np.dtype(segment.dtype).newbyteorder("=") == self.dtype
        )

    def same_layout(self, other: StoredArray) -> bool:
        """Return whether equal names of tiles mean equal values."""
        mine, theirs = self._segment, other._segment
        return (
            (mine.dtype, mine.shape, mine.tile) == (theirs.dtype, theirs.shape, theirs.tile)
            and (self.dtype, self._zero, self._scale, self._blank)
            == (other.dtype, other._zero, other._scale, other._blank)
        )  # fmt: skip

    def big_endian(self) -> ArraySegment | None:
        """Return the segment, if its bytes are the values as `codec.scaling.stored` gives them."""
        kind = self.dtype.kind
        if kind in "fc":
            same = (self._zero, self._scale) == (0, 1)
        else:
            zero = stored_values(np.empty(0, self.dtype))[1]
            same = (self._zero, self._scale, self._blank) == (zero, 1, None) and kind in "iu"
        wanted = stored_values(np.empty(0, self.dtype))[0].dtype
        same = same and np.dtype(self._segment.dtype) == wanted
        return self._segment if same and self._segment.shape == self.shape else None

    def read_bytes(self, segment: ArraySegment, offset: int, length: int) -> bytes:
        """Return a range of the bytes of what `big_endian` gave."""
        return read_segment(segment, self._fetch, offset, length)

    def tile_names(self) -> Iterator[bytes]:
        """Return the digests of the tiles, in their order."""
        return self._segment.chunks.digests(self._fetch)

    def token(self) -> object:
        """Return what differs between arrays of different content: the names of their tiles."""
        scaling = [self.dtype.str, self._zero, self._scale, self._blank]
        return digest(dumps([self._segment.to_json(), scaling])).hex()

    @cached_property
    def statistics(self) -> Statistics | None:
        """Statistics of the tiles, None where the values have none."""
        found = self._dataset.get("stats")
        return None if found is None else Statistics.from_json(found, self._fetch)

    def read(self, index: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return a part of the physical values."""
        if self._is_plain:
            # Put together in the order of this machine: a copy less.
            shape = tuple(len(range(*s.indices(n))) for s, n in zip(index, self.shape, strict=True))
            return read_array(self._segment, self._fetch, index, np.empty(shape, self.dtype))
        raw = read_array(self._segment, self._fetch, index)
        return physical(raw, self.dtype, self._zero, self._scale, self._blank)


def read_datasets(
    document: Mapping[str, Any],
    fetch: Fetch,
    open_reader: OpenReader,
    pool: bytes,
    name: bytes = b"",
    place_of: PlaceOf | None = None,
) -> Datasets:
    """Return the datasets of a product document; no chunk is read.

    Parameters
    ----------
    document
        The product document.
    fetch
        Gives a chunk by its digest.
    open_reader
        Opens datasets that are computed from the file.
    pool
        Identifier of the pool.
    name
        Digest of the document.
    place_of
        Gives the places from which other processes can load the datasets.
    """
    reader = _Reader(document, fetch, open_reader, pool, name, place_of)
    return Datasets({name: reader.dataset(obj, (name,)) for name, obj in document["datasets"]})


@dataclass(frozen=True, slots=True)
class _Header:
    """Gives the cards of a header; `open_file` the file that it is from."""

    cards: Callable[[], str]
    open_file: Callable[[], Any]
    place: Place | None

    def __reduce__(self) -> tuple[Any, ...]:
        # Without a place there is no other process that could read the file.
        return (str, (self.cards(),)) if self.place is None else (_header_at, (self.place,))

    def __call__(self) -> str:
        return self.cards()


def _header_at(place: Place) -> object:
    return place.dataset().wcs_source


class _Reader:
    def __init__(
        self,
        document: Mapping[str, Any],
        fetch: Fetch,
        open_reader: OpenReader,
        pool: bytes,
        name: bytes,
        place_of: PlaceOf | None,
    ) -> None:
        self._document = document
        self._file: Mapping[str, Any] = document.get("file") or {}
        self._fetch = fetch
        self._open_reader = open_reader
        self._pool = pool
        self._name = name
        self._place_of = place_of

    @cached_property
    def _product_meta(self) -> MetaData:
        return read_meta(self._document["meta"])

    def dataset(self, obj: Mapping[str, Any], path: tuple[str, ...]) -> Dataset:
        listed = obj.get("meta", ())
        meta = self._product_meta if listed == "product" else read_meta(listed)
        description = obj.get("description", "")
        place = self._place_of(path) if self._place_of else None
        match obj["is"]:
            case "composite":
                inner = {name: self.dataset(part, (*path, name)) for name, part in obj["datasets"]}
                return Composite(inner, meta, description)
            case "array":
                source = _placed(self._array(obj), place)
                return Array(
                    source, obj.get("unit") or None, self._wcs(obj, place), meta, description
                )
            case "table":
                from skypool.model.tables import Table

                return Table(_placed(self._table(obj), place), meta, description)
        raise Damaged(f"a document has a dataset of the unknown sort {obj['is']!r}")

    def _written_out(self, obj: Any) -> Any:
        """Return `data` with the segment itself instead of its number."""
        if isinstance(obj, Mapping) and "segment" in obj:
            return self._file["segments"][obj["segment"]]
        return obj

    def _array(self, obj: Mapping[str, Any]) -> Any:
        data = obj["data"]
        if "reader" in data:
            return self._open_reader(data, obj)
        written = self._written_out(data)
        segment = segment_from_json(written)
        if not isinstance(segment, ArraySegment):
            raise Damaged("the values of an array are not an array segment")
        token = Token(self._pool, {**obj, "data": written}, self._name)
        return StoredArray(obj, segment, self._fetch, token)

    def _table(self, obj: Mapping[str, Any]) -> Any:
        from skypool.codec.stored_tables import StoredTable

        data = obj["data"]
        if "reader" in data:
            return self._open_reader(data, obj)
        written = {**obj, "data": self._written_out(data)}
        heap: list[Segment] = []
        if "heap" in obj:
            written["heap"] = [self._written_out(part) for part in obj["heap"]]
            heap = [segment_from_json(part) for part in written["heap"]]
        segment = segment_from_json(written["data"])
        if not isinstance(segment, TableSegment):
            raise Damaged("the rows of a table are not a table segment")
        token = Token(self._pool, written, self._name)
        return StoredTable(obj, segment, heap, self._fetch, token)

    def _wcs(self, obj: Mapping[str, Any], place: Place | None) -> str | Callable[[], str] | None:
        found = obj.get("wcs")
        if not found:
            return None
        if "header" in found:
            return str(found["header"])
        segment = self._file["hdus"][found["hdu"]]["header"]
        return _Header(lambda: self._cards(segment), self._open_file, place)

    def _open_file(self) -> Any:
        """Return the whole file, for coordinates that need more of it than one header."""
        segments = [segment_from_json(part) for part in self._file["segments"]]
        return SourceFile(RecipeReader(segments, self._fetch))

    def _cards(self, number: int) -> str:
        """Return the cards of a header up to its END."""
        raw = read_segment(segment_from_json(self._file["segments"][number]), self._fetch)
        text = raw.decode("latin-1")
        ends = (at for at in range(0, len(text), 80) if text[at : at + 80].rstrip() == "END")
        return text[: next(ends, len(text))]


def _placed(source: Any, place: Place | None) -> Any:
    if place is not None and isinstance(source, Placed):
        source.place = place
    return source
