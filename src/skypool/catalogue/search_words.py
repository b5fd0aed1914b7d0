"""``mentions('word')`` asked of very many products: texts that differ, in memory, once each.

A million products have some hundred thousand different texts among their metadata, and these are
scanned in milliseconds; the inverted table then says which documents have those that fit. Names
are kept beside them, in the order of the newest versions.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.extremes import PREFIX
from skypool.catalogue.integers import integers, listed
from skypool.catalogue.schema import DOCUMENT, TEXT_LIMIT
from skypool.catalogue.search_terms import CANONICAL
from skypool.catalogue.text import to_database
from skypool.query.mentions import Word

if TYPE_CHECKING:
    from skypool.catalogue.columns import Columns
    from skypool.catalogue.visible import Visible

    Bools = NDArray[np.bool_]

__all__ = ["mentioned", "words_of"]

_KEPT: Final = 16
# So many look-ups of a value in a run, and it is quicker to pass by all texts of the key.
_MOST_LOOKUPS: Final = 100_000
_FETCHED: Final = 20_000
_COUNTED: Final = 2**20
_TIME: Final = CANONICAL.replace("t.value", "p.value")
_TEXT: Final = f"p.value >= '' AND p.value < x'' AND NOT (length(p.value) = 27 AND {_TIME})"
_ID: Final = DOCUMENT.format("p")


class Scanned:
    """Many texts as one, folded; scanning it is quick, however many fit.

    Parameters
    ----------
    parts
        The texts as the catalogue holds them, some at a time.
    keep
        Whether they are given back as they are.
    """

    def __init__(self, parts: Iterable[Sequence[str]], *, keep: bool = True) -> None:
        whole, folded, sizes = bytearray(), bytearray(), [np.zeros(0, np.int32)]
        for texts in parts:
            raw = [text.encode("utf-8", "surrogatepass") for text in texts]
            sizes.append(np.fromiter((len(each) + 1 for each in raw), np.int32, len(raw)))
            joined = b"".join(each + b"\0" for each in raw)
            folded += joined.lower()  # the letters A to Z alone
            if keep:
                whole += joined
        lengths = np.concatenate(sizes)
        self.starts = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(lengths, out=self.starts[1:])
        self.folded = np.frombuffer(folded, np.uint8)
        self.original = np.frombuffer(whole, np.uint8) if keep else None
        # Some at a time: numpy counts words of 8 bytes.
        self._frequent = np.zeros(256, np.int64)
        for start in range(0, len(self.folded), _COUNTED):
            self._frequent += np.bincount(self.folded[start : start + _COUNTED], minlength=256)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def holding(self, word: str) -> NDArray[np.int64]:
        """Return the places of the texts that hold a folded word, rising."""
        letters = np.frombuffer(word.encode("utf-8", "surrogatepass"), np.uint8)
        if not len(letters):
            return np.arange(len(self))
        if len(letters) > len(self.folded):
            return np.zeros(0, np.int64)
        rare = int(np.argmin(self._frequent[letters]))
        begin = np.flatnonzero(self.folded == letters[rare]) - rare
        begin = begin[(begin >= 0) & (begin + len(letters) <= len(self.folded))]
        for place, letter in enumerate(letters.tolist()):
            if place != rare:
                begin = begin[self.folded[begin + place] == letter]
        found = np.searchsorted(self.starts, begin, "right") - 1
        # A word that goes over the end of a text is in none: only such hold the sign between.
        inside = begin + len(letters) < self.starts[found + 1]
        return np.unique(found[inside])

    def text(self, place: int) -> str:
        """Return a text as the catalogue holds it."""
        assert self.original is not None
        raw = self.original[self.starts[place] : self.starts[place + 1] - 1]
        return raw.tobytes().decode("utf-8", "surrogatepass")

    def long(self) -> NDArray[np.int64]:
        """Return the places of those that may have been cut."""
        return np.flatnonzero(np.diff(self.starts) > TEXT_LIMIT)


class _Names(NamedTuple):
    """Names as of a commit, and which of the newest versions has each.

    Attributes
    ----------
    at : int
    texts : Scanned
    places : array of int32, optional
        None where they are those of the newest versions, in the same order.
    """

    at: int
    texts: Scanned
    places: NDArray[np.int32] | None


class _Answer(NamedTuple):
    """Which documents may mention a word, and which do: a bit for each."""

    size: int
    maybe: NDArray[np.uint8]
    sure: NDArray[np.uint8]

    @classmethod
    def of(cls, maybe: Bools, sure: Bools) -> _Answer:
        """Keep arrays of truth."""
        return cls(len(maybe), np.packbits(maybe), np.packbits(sure))

    def both(self) -> tuple[Bools, Bools]:
        """Return them as they were."""
        maybe, sure = (
            np.unpackbits(each, count=self.size).view(np.bool_) for each in (self.maybe, self.sure)
        )
        return maybe, sure


class Words:
    """The different texts of each key, and what was found last."""

    def __init__(self) -> None:
        self._keys: dict[int, Scanned] = {}
        self._read_to: tuple[int, int] = (0, 0)
        # What was read of a part of the runs, and where to go on.
        self._new: dict[int, set[str]] = {}
        self._next = 0
        self._names: _Names | None = None
        self._found: OrderedDict[Word, _Answer] = OrderedDict()

    def read(self, connection: sqlite3.Connection, most: int | None = None) -> bool:
        """Read what is new, inside a transaction.

        Parameters
        ----------
        connection
        most
            At most so many runs; another time goes on.

        Returns
        -------
        bool
            Whether all is read.
        """
        runs = connection.execute(
            "SELECT id, documents FROM runs WHERE id >= ? ORDER BY id",
            (max(self._read_to[0], self._next),),
        ).fetchall()
        if not runs or runs[-1] == self._read_to:
            return True
        chosen = runs[:most]
        slots = connection.execute(
            "SELECT s.id, s.key FROM slots s JOIN keys k ON k.id = s.key"
            " WHERE s.run BETWEEN ? AND ? AND substr(k.name, 1, 1) <> ?",
            (chosen[0][0], chosen[-1][0], PREFIX),
        ).fetchall()
        for slot, key in slots:
            found = connection.execute(
                f"SELECT DISTINCT p.value FROM postings p WHERE p.slot = ? AND {_TEXT}", (slot,)
            )
            self._new.setdefault(key, set()).update(text for (text,) in found)
        if len(chosen) < len(runs):
            self._next = chosen[-1][0] + 1
            return False
        self._take_in()
        self._read_to, self._next = runs[-1], 0
        return True

    def _take_in(self) -> None:
        for key, texts in self._new.items():
            known = self._keys.get(key)
            if known is not None:
                texts.update(map(known.text, range(len(known))))
            if texts and (known is None or len(texts) > len(known)):
                self._keys[key] = Scanned([sorted(texts)])
        self._new.clear()
        self._found.clear()

    def documents(
        self, connection: sqlite3.Connection, word: Word, asked: NDArray[np.int64]
    ) -> tuple[Bools, Bools]:
        """Return which of some documents may mention a word, and which surely do."""
        size = int(asked.max(initial=0)) + 1
        known = self._found.get(word)
        if known is None or known.size < size:
            maybe, sure = self._search(connection, word, asked, size)
        else:
            maybe, sure = known.both()
        return maybe[asked], sure[asked]

    def _search(
        self, connection: sqlite3.Connection, word: Word, asked: NDArray[np.int64], size: int
    ) -> tuple[Bools, Bools]:
        sure, maybe = np.zeros(size, bool), np.zeros(size, bool)
        whole = True
        for documents in self._sure(connection, word):
            sure[documents[documents < size]] = True
            if sure[asked].all():
                whole = False
                break
        else:
            for key, texts in self._keys.items():
                values = [texts.text(place) for place in texts.long().tolist()]
                documents = _having(connection, key, values)
                maybe[documents[documents < size]] = True
        found = (maybe | sure, sure)
        if whole:
            self._found[word] = _Answer.of(*found)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
        return found

    def _sure(self, connection: sqlite3.Connection, word: Word) -> Iterator[NDArray[np.int64]]:
        """Yield documents that mention a word, key by key."""
        if word.number is not None:
            yield _numbered(connection, word.number)
        if word.text[:4].isdigit():
            yield _dated(connection, word.text)
        fitting = [(key, texts, texts.holding(word.text)) for key, texts in self._keys.items()]
        runs = connection.execute("SELECT count(*) FROM runs").fetchone()[0]
        fitting.sort(key=lambda item: len(item[2]))
        for key, texts, places in fitting:
            if not len(places):
                continue
            if len(places) * runs > _MOST_LOOKUPS:
                yield _passing(connection, key, word.text)
            else:
                yield _having(connection, key, [texts.text(place) for place in places.tolist()])

    def named(self, connection: sqlite3.Connection, visible: Visible, word: str) -> Bools:
        """Return which of the newest versions have a name that holds a word."""
        if self._names is None or self._names.at != visible.at:
            self._names = _names(connection, visible)
        found = np.zeros(len(visible.urns), bool)
        places: NDArray[Any] = self._names.texts.holding(word)
        if self._names.places is not None:
            places = self._names.places[places]
        found[places[places >= 0]] = True
        return found


def _names(connection: sqlite3.Connection, visible: Visible) -> _Names:
    """Read the names as of the commit of the newest versions."""
    of_track = np.full(int(visible.tracks.max(initial=0)) + 1, -1, np.int32)
    of_track[visible.tracks] = np.arange(len(visible.tracks), dtype=np.int32)
    rows = connection.execute(
        "SELECT track, name FROM names WHERE since <= :at AND until > :at ORDER BY name",
        {"at": visible.at},
    )
    tracks: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]

    def parts() -> Iterator[list[str]]:
        while part := rows.fetchmany(_FETCHED):
            tracks.append(np.array([track for track, _ in part], np.int32))
            yield [name for _, name in part]

    texts = Scanned(parts(), keep=False)
    joined = np.concatenate(tracks)
    places = np.full(len(joined), -1, np.int32)
    known = joined < len(of_track)
    places[known] = of_track[joined[known]]
    if len(places) == len(visible.tracks) and np.array_equal(joined, visible.tracks):
        return _Names(visible.at, texts, None)
    return _Names(visible.at, texts, places)


def _having(connection: sqlite3.Connection, key: int, values: list[str]) -> NDArray[np.int64]:
    """Return the documents that have one of some texts under a key."""
    if not values:
        return np.zeros(0, np.int64)
    rows = connection.execute(
        f"SELECT group_concat({_ID}) FROM slots s CROSS JOIN json_each(?) j CROSS JOIN postings p"
        " ON p.slot = s.id AND p.value = j.value WHERE s.key = ?",
        (json.dumps(values), key),
    ).fetchall()
    return listed([text for (text,) in rows if text])


def _passing(connection: sqlite3.Connection, key: int, word: str) -> NDArray[np.int64]:
    """Return the documents with a text under a key that holds a word, by looking at each."""
    rows = connection.execute(
        f"SELECT group_concat({_ID}) FROM slots s CROSS JOIN postings p ON p.slot = s.id"
        f" WHERE s.key = ? AND {_TEXT} AND instr(lower(p.value), ?) > 0",
        (key, to_database(word)),
    ).fetchall()
    return listed([text for (text,) in rows if text])


_OF_METADATA: Final = (
    "FROM slots s CROSS JOIN postings p ON p.slot = s.id WHERE s.key IN"
    " (SELECT k.id FROM keys k WHERE substr(k.name, 1, 1) <> ?)"
)


def _numbered(connection: sqlite3.Connection, number: float) -> NDArray[np.int64]:
    sql = f"SELECT DISTINCT {_ID} {_OF_METADATA} AND p.value = ?"
    return integers(connection, sql, 1, (PREFIX, number))[:, 0]


def _dated(connection: sqlite3.Connection, begin: str) -> NDArray[np.int64]:
    """Return the documents with a time that begins so."""
    begin = begin.upper()
    sql = f"SELECT DISTINCT {_ID} {_OF_METADATA} AND p.value >= ? AND p.value < ? AND {_TIME}"
    return integers(connection, sql, 1, (PREFIX, begin, begin + "\x7f"))[:, 0]


def words_of(columns: Columns) -> Words:
    """Return the words of a catalogue, inside `Columns.reading`."""
    found: Words = columns.extras.setdefault("words", Words())
    return found


def mentioned(
    columns: Columns,
    connection: sqlite3.Connection,
    visible: Visible,
    asked: tuple[NDArray[np.int64], NDArray[np.int64]],
    word: Word,
) -> tuple[Bools, Bools]:
    """Return which of the newest versions may mention a word, and which surely do.

    Parameters
    ----------
    columns, connection
        Of one catalogue, inside `Columns.reading`.
    visible
        The newest versions as of the commit.
    asked
        Documents and versions.
    word
        What is looked for.
    """
    words = words_of(columns)
    documents, urns = asked
    places = visible.places_of(urns)
    sure = words.named(connection, visible, word.text)[places] & (places >= 0)
    maybe = sure.copy()
    tags = connection.execute("SELECT DISTINCT tag FROM tags").fetchall()
    for (tag,) in tags:
        if len(Scanned([[tag]]).holding(word.text)):
            rows = integers(
                connection,
                "SELECT urn FROM tags WHERE tag = ? AND since <= ? AND until > ?",
                1,
                (tag, visible.at, visible.at),
            )
            here = np.isin(urns, rows[:, 0])
            sure |= here
            maybe |= here
    left = np.flatnonzero(~sure)
    if len(left):
        words.read(connection)
        may, does = words.documents(connection, word, documents[left].astype(np.int64))
        maybe[left] |= may
        sure[left] |= does
    return maybe, sure
