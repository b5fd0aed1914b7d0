"""Tables of the SQLite catalogue.

Documents, their terms and chunks are content: they may be there before any commit
shows them. Versions, names, tags and references are identity and carry the range of
commits `since <= commit < until` in which they hold. `crc` is the check sum of the row
(`catalogue.checks`); `children` of a version is the number of its references.
"""

from __future__ import annotations

from typing import Final

from skypool.model.attributes.names import CORE

__all__ = ["DOCUMENT", "OWN", "PLACE_SHIFT", "SCHEMA", "SCHEMA_VERSION", "TEXT_LIMIT"]

# Raised with every change: a catalogue of another number is rebuilt from the log.
SCHEMA_VERSION = 15

# Longer text is searchable by its start; the whole stands in the document.
TEXT_LIMIT = 200

# An entry of the inverted table is a document, plus its place in it times two to the power of this.
PLACE_SHIFT: Final = 32
DOCUMENT: Final = f"{{}}.entry & {2**PLACE_SHIFT - 1}"
"""The document of a row, of which the name of the table is put in."""
OWN: Final = f"{{}}.entry < {2**PLACE_SHIFT}"
"""Whether a row is one of the product's own metadata; its entry is the document then."""

_TYPES = {"number": "REAL", "integer": "INTEGER", "time": "INTEGER"}
_COLUMNS = ",\n    ".join(
    f'"{each.name}" {"INTEGER" if each.coded else _TYPES.get(each.type, "TEXT")}' for each in CORE
)

SCHEMA = (
    """
CREATE TABLE state(
    key TEXT PRIMARY KEY,
    value,
    crc INTEGER
) WITHOUT ROWID;

CREATE TABLE commits(
    number INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    author TEXT NOT NULL,
    message TEXT NOT NULL,
    changes TEXT NOT NULL,
    crc INTEGER
);
CREATE INDEX commits_time ON commits(time_us);

-- Records of commits that are not yet known to be durable in the log.
CREATE TABLE unlogged(
    number INTEGER PRIMARY KEY,
    record BLOB NOT NULL
);

-- `end` is behind the last record of a pack that is indexed.
CREATE TABLE packs(
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE,
    end INTEGER NOT NULL DEFAULT 0
);

-- `key` is the first 8 bytes of the digest as a signed number; the record in the pack
-- holds the whole digest and is compared when it is read. `condemned`: 1 if gc is about to take
-- the chunk, 2 if its record was found damaged.
CREATE TABLE chunks(
    key INTEGER NOT NULL,
    pack INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    member INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    length INTEGER NOT NULL,
    condemned INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(key, pack, offset, member)
) WITHOUT ROWID;
CREATE INDEX chunks_condemned ON chunks(condemned) WHERE condemned > 0;

-- Of a `bare` document no more is known than the log says: its content is gone.
CREATE TABLE documents(
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    file_hash BLOB,
    bare INTEGER NOT NULL DEFAULT 0,
    crc INTEGER
);
CREATE INDEX documents_file ON documents(file_hash);

CREATE TABLE keys(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    folded TEXT NOT NULL
);
CREATE INDEX keys_folded ON keys(folded);

CREATE TABLE units(
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
);

-- The inverted table of metadata grows by runs (docs/design/011-bulk-speed.md): a run holds
-- the rows of some documents, sorted, under numbers that no other run has: one for each of
-- their keys with a unit.
CREATE TABLE runs(
    id INTEGER PRIMARY KEY,
    documents INTEGER NOT NULL
);

CREATE TABLE slots(
    id INTEGER PRIMARY KEY,
    key INTEGER NOT NULL,
    run INTEGER NOT NULL,
    unit INTEGER NOT NULL
);
CREATE UNIQUE INDEX slots_key ON slots(key, run, unit);

-- One row per value of any key of a product (place 0) or of a dataset (place 1, 2 ...): `entry`
-- is the document, plus 2^32 times the place. A value that SQL cannot compare (NaN) is the
-- blob x''.
CREATE TABLE postings(
    slot INTEGER NOT NULL,
    value NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY(slot, value, entry)
) WITHOUT ROWID;

-- What questions are asked of: the rows of a key, whatever run they are in.
CREATE VIEW terms AS
    SELECT s.key AS key, p.value AS value, p.entry & 4294967295 AS document,
        p.entry >> 32 AS place, s.unit AS unit
    FROM slots s JOIN postings p ON p.slot = s.id;

-- What a product covers on the sky, as `sky.coverage.encode` writes it, and the boxes of unit
-- vectors round its parts; the id of a box is 4096 times that of its document, plus a number.
CREATE TABLE coverages(
    document INTEGER PRIMARY KEY,
    parts BLOB NOT NULL
);
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1, z0, z1);

-- Where each document is, as a unit vector: rounded outwards in the tree, exact beside it.
CREATE VIRTUAL TABLE points USING rtree(id, x0, x1, y0, y1, z0, z1, +x, +y, +z);

-- `purged` is the commit that gave up the content, 0 where it is there.
CREATE TABLE versions(
    urn INTEGER PRIMARY KEY,
    track INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document INTEGER NOT NULL,
    total INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    origin TEXT,
    purged INTEGER NOT NULL DEFAULT 0,
    children INTEGER NOT NULL,
    crc INTEGER
);
CREATE UNIQUE INDEX versions_track ON versions(track, version);
CREATE INDEX versions_document ON versions(document);
CREATE INDEX versions_purged ON versions(purged) WHERE purged > 0;

-- Content that a pool has dropped: it is at one of the places (JSON), and may be missing here.
CREATE TABLE dropped(
    urn INTEGER NOT NULL,
    pool TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    places TEXT NOT NULL,
    crc INTEGER,
    PRIMARY KEY(urn, pool, since)
) WITHOUT ROWID;
CREATE INDEX dropped_until ON dropped(until);

CREATE TABLE names(
    track INTEGER NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0,
    crc INTEGER,
    PRIMARY KEY(name, since, track)
) WITHOUT ROWID;
CREATE INDEX names_track ON names(track, since);
CREATE INDEX names_removed ON names(track, until) WHERE removed;

CREATE TABLE tags(
    tag TEXT NOT NULL,
    urn INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    crc INTEGER,
    PRIMARY KEY(tag, urn, since)
) WITHOUT ROWID;
CREATE INDEX tags_urn ON tags(urn);

CREATE TABLE refs(
    parent INTEGER NOT NULL,
    position INTEGER NOT NULL,
    role TEXT NOT NULL,
    child INTEGER,
    external TEXT,
    crc INTEGER,
    PRIMARY KEY(parent, position)
) WITHOUT ROWID;
CREATE INDEX refs_child ON refs(child) WHERE child IS NOT NULL;

CREATE TABLE sources(
    document INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    PRIMARY KEY(document, path)
) WITHOUT ROWID;
CREATE INDEX sources_path ON sources(path);

-- Documents of headers alone, and those that took their place once their files were read.
CREATE TABLE completed(
    digest BLOB PRIMARY KEY,
    document BLOB NOT NULL
) WITHOUT ROWID;

-- Look-aside cache: a file with these figures had this content; never "unchanged".
CREATE TABLE seen(
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    device INTEGER NOT NULL,
    document BLOB NOT NULL
) WITHOUT ROWID;

-- Core attributes of a document, all of them: times in us since 1970, few different texts
-- as numbers of `texts`. Those that the product's own metadata do not have are in the inverted
-- table too, under the key -1 - n for the attribute n of `skypool.model.attributes.names`.
CREATE TABLE texts(
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
);
CREATE TABLE attributes(
    document INTEGER PRIMARY KEY,
    """
    + _COLUMNS
    + """,
    crc INTEGER
);
"""
)
