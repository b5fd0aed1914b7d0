"""How fast `covers(ra, dec)` finds its candidates among many footprints.

    python benchmarks/sky_speed.py [--footprints 1000000] [--folder /tmp]

Fills the tables of the sky with rotated gnomonic maps of 0.05 to 0.5 degrees, placed as surveys
place them: half all over the sky, half in 500 deep fields. Half of them have a value in every
pixel, half have blank borders. Then it asks for many places, each only once, half of them in the
fields: with the index of boxes alone, and with the exact test of every candidate behind it.
"""

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from skypool.catalogue.coverages import BOXES
from skypool.catalogue.schema import SCHEMA
from skypool.catalogue.search_compile import Compiler
from skypool.query.grammar import parse
from skypool.sky.coverage import State, TangentPart

BATCH = 50_000
PIXELS = 400
LAYOUT = np.dtype([("tag", "u1"), ("state", "u1"), ("width", "<u4"), ("height", "<u4"),
                   ("rows", "<f8", 9)])  # fmt: skip


def unit(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def centres(random, count, fields):
    ra, dec = random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    deep = random.random(count) < 0.5
    chosen = fields[random.integers(0, len(fields), deep.sum())]
    ra[deep] = chosen[:, 0] + random.normal(size=deep.sum()) / np.cos(np.radians(chosen[:, 1]))
    dec[deep] = np.clip(chosen[:, 1] + random.normal(size=deep.sum()), -89.9, 89.9)
    return ra % 360, dec


def maps(random, count, fields):
    """Return packed parts, and boxes."""
    ra, dec = centres(random, count, fields)
    lon, lat = np.radians(ra), np.radians(dec)
    axis = unit(ra, dec)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros(count)], axis=1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=1)
    scale = np.radians(random.uniform(0.05, 0.5, count)) / PIXELS
    turn = random.uniform(0, 2 * np.pi, count)
    c, s = (np.cos(turn) / scale)[:, None], (np.sin(turn) / scale)[:, None]
    middle = (PIXELS - 1) / 2
    x, y = -c * east + s * north, s * east + c * north
    packed = np.zeros(count, LAYOUT)
    packed["tag"], packed["width"], packed["height"] = TangentPart.TAG, PIXELS, PIXELS
    packed["state"] = np.where(random.random(count) < 0.5, State.FULL, State.MIXED)
    packed["rows"] = np.concatenate([x + middle * axis, y + middle * axis, axis], axis=1)
    half = scale * PIXELS / 2
    corners = []
    for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corner = axis + (half**2)[:, None] * (a * x + b * y) * (scale / half)[:, None] ** 2 * (
            PIXELS / 2
        )
        corners.append(corner / np.linalg.norm(corner, axis=1, keepdims=True))
    low, high = np.min(corners, axis=0) - 2e-5, np.max(corners, axis=0) + 2e-5
    boxes = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1], low[:, 2], high[:, 2]], axis=1)
    return packed, boxes


def fill(connection, count, fields):
    random = np.random.default_rng(1)
    for start in range(1, count + 1, BATCH):
        size = min(BATCH, count + 1 - start)
        packed, boxes = maps(random, size, fields)
        numbers = range(start, start + size)
        raw = packed.tobytes()
        step = LAYOUT.itemsize
        with connection:
            connection.executemany(
                "INSERT INTO coverages(document, parts) VALUES (?, ?)",
                ((n, raw[k * step : (k + 1) * step]) for k, n in enumerate(numbers)),
            )
            connection.executemany(
                "INSERT INTO boxes VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((n * BOXES, *box) for n, box in zip(numbers, boxes.tolist(), strict=True)),
            )


def ask(connection, places):
    """Return times in ms with the exact test, and how many were found and left undecided."""
    times, maybe, sure = [], 0, 0
    for ra, dec in places:
        start = time.perf_counter()
        compiler = Compiler(1)
        clause = compiler.clause(parse(f"covers({ra!r}, {dec!r})"), True, "v")
        compiler.register(connection)
        rows = connection.execute(
            f"SELECT v.document, {clause.sure} FROM coverages v WHERE {clause.maybe}",
            compiler.parameters,
        ).fetchall()
        times.append(1000 * (time.perf_counter() - start))
        maybe += len(rows)
        sure += sum(row[1] for row in rows)
    return times, maybe / len(places), sure / len(places)


def ask_boxes(connection, places):
    times, found = [], 0
    for at in unit(*np.array(places).T).tolist():
        start = time.perf_counter()
        rows = connection.execute(
            "SELECT id FROM boxes WHERE x0 <= ?1 AND x1 >= ?1 AND y0 <= ?2 AND y1 >= ?2"
            " AND z0 <= ?3 AND z1 >= ?3",
            at,
        ).fetchall()
        times.append(1000 * (time.perf_counter() - start))
        found += len(rows)
    return times, found / len(places)


def show(label, times, extra):
    ordered = sorted(times)
    print(f"{label:28} median {statistics.median(times):7.3f} ms"
          f"  95 % {ordered[int(0.95 * len(ordered))]:7.3f} ms  {extra}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--footprints", type=int, default=1_000_000)
    parser.add_argument("--places", type=int, default=1000)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--json", type=Path, help="write the medians to a file as well")
    options = parser.parse_args()
    random = np.random.default_rng(2)
    fields = np.stack([random.uniform(0, 360, 500),
                       np.degrees(np.arcsin(random.uniform(-1, 1, 500)))], axis=1)  # fmt: skip
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        connection = sqlite3.connect(Path(folder) / "sky.sqlite")
        connection.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;" + SCHEMA)
        start = time.perf_counter()
        fill(connection, options.footprints, fields)
        size = (Path(folder) / "sky.sqlite").stat().st_size / options.footprints
        print(f"{options.footprints:,} footprints, {size:.0f} bytes each, filled in"
              f" {time.perf_counter() - start:.0f} s")  # fmt: skip
        ra, dec = centres(random, 2 * options.places, fields)
        places = list(zip(ra.tolist(), dec.tolist(), strict=True))
        ask_boxes(connection, places[: options.places])
        times, count = ask_boxes(connection, places[options.places :])
        show("boxes alone", times, f"{count:.1f} candidates")
        boxes = statistics.median(times)
        times, maybe, sure = ask(connection, places[options.places :])
        show("covers, with the exact test", times,
             f"{maybe:.1f} found, of which {sure:.1f} without looking at a pixel")  # fmt: skip
        if options.json:
            found = {"boxes_ms": boxes, "exact_ms": statistics.median(times)}
            options.json.write_text(json.dumps(found) + "\n")
        connection.close()


if __name__ == "__main__":
    main()
