"""Pools of very many small chunks, and the memory that work on them takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import skypool as sp
from skypool.catalogue.draft import Draft, DraftVersion
from skypool.catalogue.terms import indexed
from skypool.codec.digest import digest
from skypool.codec.documents import dumps
from skypool.codec.segments import ChunkList
from skypool.formats.base import product_document

BLOCK = 200
PER_FILE = 10_000


def fill(pool: sp.Pool, chunks: int, *, dead: float = 0.0, seed: int = 1) -> None:
    """Add opaque files of many small chunks, of which a share belongs to no version."""
    rng = np.random.default_rng(seed)
    session = pool._changing().session
    for number in range(-(-chunks // PER_FILE)):
        count = min(PER_FILE, chunks - number * PER_FILE)
        data = rng.bytes(count * BLOCK)
        writer = session.writer()
        names = [writer.put(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]
        keep = names[int(count * dead) :]
        content = data[(count - len(keep)) * BLOCK :]
        segment = {
            "is": "bytes",
            "size": len(content),
            "block": BLOCK,
            "chunks": ChunkList.write(keep, writer).to_json(),
        }
        recipe = {
            "format": "opaque",
            "size": len(content),
            "hash": digest(content).hex(),
            "segments": [segment],
        }
        document = product_document("File", {}, (), [], recipe)
        name = writer.put(dumps(document))
        entry = indexed(name, document, len(content))
        draft = Draft("test", f"file {number}")
        draft.versions.append(
            DraftVersion(
                name, entry.kind, entry.type, entry.size, entry.size, name=f"f/{seed}/{number}"
            )
        )
        session.publish(draft, writer, [entry])
        writer.close()


def content(chunks: int, number: int, *, dead: float = 0.0, seed: int = 1) -> bytes:
    """Return what file *number* of `fill` holds."""
    rng = np.random.default_rng(seed)
    for earlier in range(number + 1):
        count = min(PER_FILE, chunks - earlier * PER_FILE)
        data = rng.bytes(count * BLOCK)
    return data[int(count * dead) * BLOCK :]


_MEASURED = """
import resource, sys
import skypool as sp
pool = sp.Pool(sys.argv[1], sys.argv[2])
def used():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime
start = used()
{work}
seconds = used() - start
# Not ru_maxrss: that of the process that started this one counts in it.
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
print(peak // 1024, seconds)
"""


def measured(pool: Path, work: str, mode: str = "a") -> tuple[int, float]:
    """Return peak memory in MiB and seconds of processor of some work in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED.format(work=work), str(pool), mode],
        capture_output=True,
        text=True,
        check=True,
    )
    peak, seconds = done.stdout.split()[-2:]
    return int(peak), float(seconds)
