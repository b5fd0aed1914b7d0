"""Short looks at a catalogue: a few names, tags, references, commits, however many there are."""

from __future__ import annotations

from skypool.catalogue.applying import changes_of
from skypool.catalogue.checks import COMMIT, NAME, REF, TAG, sure
from skypool.catalogue.database import Database, explained
from skypool.catalogue.interface import CommitRow, RefRow
from skypool.catalogue.text import from_database, to_database

__all__ = [
    "count_products",
    "count_versions",
    "first_folders",
    "first_names",
    "first_refs",
    "first_tags",
    "first_versions",
    "newest",
]

_VISIBLE = "since <= ? AND until > ?"
# The character after the slash, with which no name below a folder goes on; and after all names.
_AFTER_SLASH = "0"
_AFTER_ALL = "\U0010ffff\U0010ffff"


def count_products(database: Database, at: int) -> int:
    """Return the number of visible products."""
    ((products,),) = database.query(f"SELECT count(*) FROM names WHERE {_VISIBLE}", (at, at))
    return int(products)


def count_versions(database: Database, at: int) -> int:
    """Return the number of versions as of a commit."""
    ((versions,),) = database.query("SELECT count(*) FROM versions WHERE since <= ?", (at,))
    return int(versions)


def first_versions(database: Database, at: int, limit: int) -> tuple[list[int], int] | None:
    """Return the newest versions of the first products in the order of names, and of how many.

    As a search for everything does, in a fraction of its time.

    Returns
    -------
    numbers, count
        None where only that search tells: versions were given up, or have the same content.
    """
    with database.reading() as connection, explained(database.path):
        ((versions, documents, purged),) = connection.execute(
            "SELECT (SELECT count(*) FROM versions),"
            " (SELECT count(DISTINCT document) FROM versions),"
            " (SELECT count(*) FROM versions WHERE purged > 0)"
        )
        if versions != documents or purged:
            return None
        ((count,),) = connection.execute(f"SELECT count(*) FROM names WHERE {_VISIBLE}", (at, at))
        # The order is that of the table, so no more than these are looked at.
        rows = connection.execute(
            "SELECT v.urn FROM names n CROSS JOIN versions v ON v.track = n.track"
            " AND v.since <= :at AND v.until > :at WHERE n.since <= :at AND n.until > :at"
            " ORDER BY n.name LIMIT :limit",
            {"at": at, "limit": limit},
        )
        numbers = [number for (number,) in rows]
    if len(numbers) < min(limit, count) or not all(type(each) is int for each in numbers):
        return None
    return numbers, int(count)


def first_names(database: Database, at: int, limit: int) -> list[str]:
    """Return the first names in alphabetical order."""
    rows = database.query(
        f"SELECT {sure(NAME, 'name')} FROM names n WHERE {_VISIBLE} ORDER BY n.name LIMIT ?",
        (at, at, limit),
    )
    return [from_database(name) for (name,) in rows]


def first_folders(database: Database, at: int, limit: int, below: str = "") -> list[str]:
    """Return the first names and folders of one level: the uppermost, or that of a folder.

    What is deeper is skipped, not read.
    """
    found: dict[str, None] = {}
    question = (
        f"SELECT {sure(NAME, 'name')} FROM names n WHERE n.name {{}} ? AND n.name < ?"
        f" AND {_VISIBLE} ORDER BY n.name LIMIT 1"
    )
    start = f"{below}/" if below else ""
    end = to_database(below) + _AFTER_SLASH if below else _AFTER_ALL
    after, low = ">=", to_database(start)
    for _ in range(2 * limit):
        rows = database.query(question.format(after), (low, end, at, at))
        if not rows or len(found) == limit:
            break
        name = from_database(rows[0][0])
        step, slash, _ = name[len(start) :].partition("/")
        folder = start + step
        found[folder] = None
        after, low = (
            (">=", to_database(folder) + _AFTER_SLASH) if slash else (">", to_database(name))
        )
    return list(found)


def first_tags(database: Database, at: int, limit: int) -> list[str]:
    """Return the first tags in alphabetical order."""
    found: list[str] = []
    low = ""
    while len(found) < limit:
        rows = database.query(
            f"SELECT {sure(TAG, 'tag')} FROM tags t WHERE t.tag > ? AND {_VISIBLE}"
            " ORDER BY t.tag LIMIT 1",
            (low, at, at),
        )
        if not rows:
            break
        low = rows[0][0]
        found.append(from_database(low))
    return found


def first_refs(database: Database, urn: int, limit: int) -> tuple[list[RefRow], int]:
    """Return the first references of a version, and how many there are."""
    rows = database.query(
        f"SELECT {sure(REF, 'role')}, child, external FROM refs r WHERE parent = ?"
        " ORDER BY position LIMIT ?",
        (urn, limit),
    )
    ((count,),) = database.query("SELECT count(*) FROM refs WHERE parent = ?", (urn,))
    return [
        RefRow(from_database(role), child, external and from_database(external))
        for role, child, external in rows
    ], int(count)


def newest(database: Database, at: int, limit: int) -> list[CommitRow]:
    """Return the last commits up to *at*, newest first."""
    rows = database.query(
        f"SELECT {sure(COMMIT, 'number')}, time_us, author, message, changes FROM commits c"
        " WHERE number <= ? ORDER BY number DESC LIMIT ?",
        (at, limit),
    )
    return [
        CommitRow(number, time, from_database(author), from_database(message), changes_of(changes))
        for number, time, author, message, changes in rows
    ]
