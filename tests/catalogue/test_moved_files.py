"""Files in place that are looked for elsewhere: whatever moves where, and into what."""

from __future__ import annotations

import contextlib
import sqlite3
from itertools import count

from hypothesis import example, given
from hypothesis import strategies as st

from skypool.catalogue.checks import DROPPED, crc_of_row, register, sure
from skypool.catalogue.database import make_tables
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.outside import apply_outside, moved_path
from skypool.catalogue.text import to_database
from skypool.codec.documents import dumps, loads

parts = st.sampled_from(["a", "b", "a b", "a.b", "a0", "é", "\udce9", "a%_"])
paths = st.lists(parts, min_size=0, max_size=4).map(lambda names: "/" + "/".join(names))
rows = st.dictionaries(st.tuples(st.integers(1, 3), paths), st.integers(0, 9), max_size=8)


@given(rows, paths, paths, st.lists(paths, max_size=2))
@example({(1, "/a/b"): 1, (1, "/a/a/b"): 2, (2, "/a"): 3}, "/a", "/a/a", [])
@example({(1, "/a/a/b"): 1, (1, "/a/b"): 2}, "/a/a", "/a", [])
@example({(1, "/a"): 1, (1, "/b"): 2}, "/", "/b", ["/a"])
def test_files_at_and_below_a_path_move(files, old, new, but):
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        register(connection)
        make_tables(connection)
        connection.executemany(
            "INSERT INTO sources(document, path, size, mtime_ns, inode) VALUES (?, ?, ?, 0, 7)",
            [(number, to_database(path), size) for (number, path), size in files.items()],
        )
        places = {path: path for _, path in files}
        connection.executemany(
            "INSERT INTO dropped(urn, pool, since, until, places, crc) VALUES (?, ?, ?, ?, ?, ?)",
            [(*row, crc_of_row(*row)) for row in map(dropped, count(), places)],
        )
        for commit in (2, 3):  # nothing is left of the first time
            move = {"from": old, "to": new, "but": but}
            apply_outside(connection, {"commit": commit, "moved": [move]})
            files = moved(files, old, new, but)
            places = {first: where(path, old, new, but) for first, path in places.items()}
        found = connection.execute("SELECT document, path, size FROM sources").fetchall()
        texts = connection.execute(
            f"SELECT {sure(DROPPED, 'places')} FROM dropped x ORDER BY urn"
        ).fetchall()
    assert [loads(text.encode())[0]["path"] for (text,) in texts] == list(places.values())
    assert {(number, path): size for number, path, size in found} == {
        (number, to_database(path)): size for (number, path), size in files.items()
    }


def dropped(urn, path):
    """Return a row of a version that was dropped because a file had it."""
    return urn, "0f", 1, FOREVER, dumps([{"url": f"http://x{path}"}, {"path": path}][::-1]).decode()


def where(path, old, new, but):
    """Return where a file is."""
    below = path == old or path.startswith(old.rstrip("/") + "/")
    return moved_path(path, old, new) if below and path not in but else path


def moved(files, old, new, but):
    """Return where files are; one that is there already stays what it is."""
    base = old.rstrip("/") + "/"
    moving = {
        key: size
        for key, size in files.items()
        if (key[1] == old or key[1].startswith(base)) and key[1] not in but
    }
    rest = {key: size for key, size in files.items() if key not in moving}
    for (number, path), size in sorted(moving.items()):
        rest.setdefault((number, moved_path(path, old, new)), size)
    return rest
