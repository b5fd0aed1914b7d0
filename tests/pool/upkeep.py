"""Small pools, and what tests of their upkeep do to them."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue.interface import IndexedDocument
from skypool.pool import reading_ahead
from skypool.pool.pool import Pool
from skypool.pool.session import Session
from skypool.storage.pack_layout import HEADER_SIZE


def image(seed: int, size: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)


def product(seed: int, size: int = 200, **datasets: Any) -> sp.Product:
    return sp.Product(
        type="MAP",
        meta={"seed": seed, "wavelength": sp.Parameter(250.0 + seed, "um")},
        datasets={"image": sp.Array(image(seed, size), unit="Jy"), **datasets},
    )


def reading_processes(monkeypatch: pytest.MonkeyPatch) -> list[reading_ahead._Process]:
    """Return a list to which each process that is started to read files is added."""
    made: list[reading_ahead._Process] = []
    original = reading_ahead._Process.__init__

    def init(self: reading_ahead._Process) -> None:
        original(self)
        made.append(self)

    monkeypatch.setattr(reading_ahead._Process, "__init__", init)
    return made


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def write_tree(folder: Path) -> Path:
    """Make a tree of files that are their own oracle."""
    for name, data in {
        "notes.txt": b"a short text\n",
        "level2/map.bin": noise(1, 300_000),
        "level2/mask.bin": bytes(200_000),
        "level1/frames.bin": noise(2, 500_000),
        "level1/empty": b"",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def filled(path: Path, tree: Path) -> Pool:
    """Return a pool with versions, tags, renames, removals, a context and a table."""
    pool = sp.Pool(path)
    pool.add(tree, name="obs", tags=["first"])
    first = pool.save(product(1), name="maps/a", tags=["cal v1", "good"])
    pool.save(first.product.replace(meta={"seed": 11}), name="maps/a", message="new seed")
    pool.save(product(2, 90), name="maps/b")
    (tree / "level2/map.bin").write_bytes(noise(1, 300_000)[:200_000] + noise(3, 100_000))
    pool.add(tree, name="obs", tags=["second"])
    pool.rename("maps/b", "maps/c")
    pool.save(product(3, 50), name="gone")
    pool.remove("gone")
    pool.untag("maps/a@0", "good")
    context = sp.Product(kind="MapContext", refs={"a": pool["maps/a"], "lost": product(4, 20)})
    pool.save(context, name="observation \udcff", tags=["übung"])
    return pool


def waste(pool: Pool, *, seeds: range, staged: bool = True, documents: int = 0) -> None:
    """Write chunks and documents of a commit that never happens."""
    session = pool.view.session
    writer = session.writer()
    for seed in seeds:
        writer.put(noise(seed, 100_000))
    entries = []
    for number in range(documents):
        name = writer.put(b'{"never":%d}' % number)
        entries.append(IndexedDocument(name, "Product", "X", 1, None, ()))
    if staged:
        session.stage(writer, entries)
    else:
        writer.flush()
    writer.abandon()


def state_of(folder: Path) -> dict[str, str]:
    """Return a digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def packs_of(pool: Path) -> list[Path]:
    return sorted((pool / "packs").glob("*.pack"))


def pack_bytes(pool: Path) -> int:
    return sum(path.stat().st_size for path in packs_of(pool))


def exported(pool: Pool, name: str, to: Path) -> dict[str, str]:
    if to.exists():
        shutil.rmtree(to)
    pool.export(name, to)
    return state_of(to)


def old(*paths: Path) -> None:
    """Make files look as if nobody had written to them for a week."""
    for path in paths:
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 7 * 86400 * 10**9))


def logical(catalogue: str | Path) -> dict[str, list[Any]]:
    """Return all that a catalogue says, without the numbers that are its own affair."""
    found = {}
    connection = sqlite3.connect(catalogue)
    for table, sql in _questions(connection):
        found[table] = sorted(map(repr, connection.execute(sql)))
    connection.close()
    return found


# Asked for apart, or the catalogue's own affair.
_OWN = {
    *("chunks", "packs", "state", "seen", "keys", "units", "unlogged"),
    *("runs", "slots", "postings"),
}


def _questions(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    yield (
        "chunks",
        "SELECT c.key, p.name, c.offset, c.member, c.stored, c.length FROM chunks c"
        " JOIN packs p ON p.id = c.pack",
    )
    yield "packs", "SELECT name, end FROM packs"
    keep = "IN (SELECT document FROM versions)"
    tables = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite_%'"
        )
    ]
    for table in tables:
        if table in _OWN:
            continue
        if table.startswith(("boxes", "points")):
            continue
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        parts, where = [], ""
        for column in columns:
            if table == "documents" and column == "id":
                where = f" WHERE t.id {keep}"
            elif (table, column) == ("attributes", "crc"):
                continue  # of the document's number too, which is given in the order of indexing
            elif column == "document" and table != "completed":  # there it is a digest
                parts.append("(SELECT digest FROM documents d WHERE d.id = t.document)")
                where = f" WHERE t.document {keep}"
            elif (table, column) == ("terms", "key"):
                parts.append("(SELECT name FROM keys k WHERE k.id = t.key)")
            elif column == "unit":
                parts.append("(SELECT text FROM units u WHERE u.id = t.unit)")
            else:
                parts.append(f"t.{column}")
        yield table, f"SELECT {', '.join(parts)} FROM {table} t{where}"
    yield (
        "points",
        "SELECT d.digest, x0, x1, y0, y1, z0, z1, x, y, z FROM points p"
        f" JOIN documents d ON d.id = p.id WHERE d.id {keep}",
    )
    yield (
        "boxes",
        "SELECT d.digest, b.id % 4096, x0, x1, y0, y1, z0, z1 FROM boxes b"
        f" JOIN documents d ON d.id = b.id / 4096 WHERE d.id {keep}",
    )
    yield (
        "state",
        "SELECT key, value FROM state WHERE key IN ('head', 'head_time', 'next_urn', 'next_track')",
    )


def answers(pool: Pool) -> list[Any]:
    """Return what a pool says at every commit."""
    said: list[Any] = []
    for commit in pool.history():
        then = pool.at(commit.number)
        said.append((commit, then.tags))
        said.extend(
            (ref.number, ref.name, ref.version, ref.tags, ref.kind, ref.size, ref.total_size)
            for ref in then.ls()
        )
        said.extend(str(ref.meta) for ref in then.ls())
    return said


def unknowing(session: Session) -> Any:
    """Return a writer that stores every chunk once more, as other processes may."""
    writer = session.writer()
    writer._known = None
    return writer


def packs(pool: Path) -> list[bytes]:
    """Return what is in the packs, without their headers, which name the pool."""
    found = sorted((pool / "packs").glob("*.pack"))
    return [path.read_bytes()[HEADER_SIZE:] for path in found]
