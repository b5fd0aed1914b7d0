"""Make a pool of very many products, and measure how its speed holds as it grows.

    python benchmarks/big_pool.py FOLDER --products 1000000

Goes on where an interrupted run stopped. Products are synthetic and the same every time: 60
metadata keys of mixed types, an image of 16 x 16 pixels with a WCS, names `obs/<obsid>/<band>`.
After every batch of 100,000 a line of figures is written to `FOLDER.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import skypool as sp

COMMIT = 10_000
BATCH = 100_000
FIRST_OBSID = 1342180000
BANDS = ("PSW", "PMW", "PLW", "blue", "green", "red", "HRS-H", "HRS-V", "WBS-H", "WBS-V")
INSTRUMENTS = {"P": "SPIRE", "b": "PACS", "g": "PACS", "r": "PACS", "H": "HIFI", "W": "HIFI"}
MODES = ("Large Map", "Small Map", "Parallel", "Point Source", "Spectrum", "Raster")
LEVELS = ("level0", "level1", "level2", "level2_5")
WAVELENGTHS = dict(zip(BANDS, (250, 350, 500, 70, 100, 160, 240, 240, 300, 300), strict=True))
START = datetime(2009, 5, 14, 13, 12, tzinfo=UTC)


def position(observation: int) -> tuple[float, float]:
    """Return where an observation points: spread evenly over the sphere, degrees."""
    ra = observation * 137.50776405003785 % 360
    sine = (observation * 0.6180339887498949) % 1 * 2 - 1
    return ra, float(np.degrees(np.arcsin(sine)))


def metadata(number: int) -> dict[str, Any]:
    """Return 60 entries: 20 that people look for, and 40 of mixed types."""
    observation, place = divmod(number, len(BANDS))
    rng = random.Random(number)
    band = BANDS[place]
    ra, dec = position(observation)
    begin = START + timedelta(seconds=observation * 1217)
    found: dict[str, Any] = {
        "instrument": INSTRUMENTS[band[0]],
        "telescope": "Herschel Space Observatory",
        "obsid": FIRST_OBSID + observation,
        "odNumber": observation // 40 + 1,
        "object": f"NGC {observation % 7840 + 1}",
        "obsMode": MODES[observation % len(MODES)],
        "band": band,
        "level": LEVELS[number % 7 % len(LEVELS)],
        "startDate": begin,
        "endDate": begin + timedelta(seconds=600 + observation % 3000),
        "ra": sp.Parameter(ra, "deg", "right ascension"),
        "dec": sp.Parameter(dec, "deg", "declination"),
        "posAngle": sp.Parameter(rng.uniform(0, 360), "deg"),
        "wavelength": sp.Parameter(float(WAVELENGTHS[band]), "um"),
        "exposure": sp.Parameter(rng.uniform(10, 5000), "s"),
        "proposal": f"KPGT_{observation % 211:03d}_1",
        "observer": f"observer {observation % 97}",
        "qflag": rng.random() < 0.03,
        "calVersion": f"SPIRE_CAL_{observation % 14}_{observation % 3}",
        "pipeline": f"SPG v14.{observation % 3}.0",
    }
    for key in range(10):
        found[f"count{key}"] = rng.randrange(10 ** (key % 6 + 1))
        found[f"level{key}Rms"] = rng.lognormvariate(0, 1)
        found[f"status{key}"] = f"value {rng.randrange(10 ** (key % 5 + 1))}"
        found[f"flag{key}"] = rng.random() < 0.5
    return found


def product(number: int) -> sp.Product:
    """Return a product: small enough that metadata are most of the work."""
    ra, dec = position(number // len(BANDS))
    values = np.random.default_rng(number).normal(0, 1, (16, 16)).astype(np.float32)
    cards = {
        "NAXIS": 2, "NAXIS1": 16, "NAXIS2": 16, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
        "CRPIX1": 8.5, "CRPIX2": 8.5, "CRVAL1": ra, "CRVAL2": dec,
        "CDELT1": -6 / 3600, "CDELT2": 6 / 3600, "CUNIT1": "deg", "CUNIT2": "deg",
    }  # fmt: skip
    image = sp.Array(values, unit="Jy/beam", wcs="".join(map(card, cards.keys(), cards.values())))
    return sp.Product(
        kind="SimpleImage",
        type="HPPPMAPBS" if number % 3 else "SPIREMAP",
        creator="SPG v14.2.0",
        creationDate=START + timedelta(days=3000, seconds=number),
        description="made map",
        meta=metadata(number),
        datasets={"image": image},
    )


def card(key: str, value: object) -> str:
    """Return a header card of 80 characters."""
    text = f"'{value:<8}'" if isinstance(value, str) else f"{value!r:>20}"
    return f"{key:<8}= {text}"[:80].ljust(80)


def name(number: int) -> str:
    """Return the name of a product."""
    observation, place = divmod(number, len(BANDS))
    return f"obs/{FIRST_OBSID + observation}/{BANDS[place]}"


# -- measuring


def grow(pool: sp.Pool, start: int, stop: int) -> dict[str, float]:
    """Save products in commits of 10,000; return the rate, products made beforehand."""
    wall = cpu = 0.0
    for first in range(start, stop, COMMIT):
        made = [
            (name(number), product(number)) for number in range(first, min(first + COMMIT, stop))
        ]
        began, spent = time.perf_counter(), time.process_time()
        with pool.commit(f"products from {first}") as commit:
            for title, item in made:
                commit.save(item, name=title)
        wall += time.perf_counter() - began
        cpu += time.process_time() - spent
    count = stop - start
    return {"products_per_s": count / wall, "products_per_cpu_s": count / cpu}


def seconds(work: Callable[[int], object], runs: int = 15) -> float:
    """Return the median time of some work, which is given a number that differs each time."""
    found = []
    for run in range(runs):
        began = time.perf_counter()
        work(run)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def look(folder: Path, count: int) -> dict[str, float]:
    """Measure opening, finding and reading."""
    with sp.Pool(folder, "r") as pool:
        observations = count // len(BANDS)

        def by_obsid(run: int) -> None:
            wanted = FIRST_OBSID + (run * 7919 + 17) % observations
            assert len(pool.find("obsid == $o", o=wanted)) == len(BANDS)

        def by_any_key(run: int) -> None:
            rms = metadata((run * 104729 + 31) % count)["level7Rms"]
            assert len(pool.find("level7Rms == $x", x=rms)) >= 1

        figures = {"find_obsid_s": seconds(by_obsid), "find_any_key_s": seconds(by_any_key)}
        chosen = pool.find("odNumber >= 1 and odNumber < 26")
        began = time.perf_counter()
        values = [ref.meta["exposure"].value for ref in chosen]
        figures["refs_with_meta_per_s"] = len(values) / (time.perf_counter() - began)

    def open_pool(_: int) -> None:
        with sp.Pool(folder, "r") as reopened:
            assert f"{name(0)}" in reopened

    figures["open_s"] = seconds(open_pool)
    return figures


def main() -> None:
    """Make the pool, or go on with it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=BATCH, help="products between two lines")
    options = parser.parse_args()
    results = options.folder.with_suffix(".json")
    lines = json.loads(results.read_text()) if results.exists() else []
    with sp.Pool(options.folder) as pool:
        done = pool.info().products if options.folder.exists() else 0
    for start in range(done, options.products, options.batch):
        stop = min(start + options.batch, options.products)
        with sp.Pool(options.folder) as pool:
            line: dict[str, float] = {"products": stop, **grow(pool, start, stop)}
        catalogue = os.path.getsize(options.folder / "catalogue.sqlite")
        line["catalogue_bytes_per_product"] = catalogue / stop
        line |= look(options.folder, stop)
        line["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(line)
        results.write_text(json.dumps(lines, indent=1) + "\n")
        print({key: round(value, 5) for key, value in line.items()}, flush=True)


if __name__ == "__main__":
    main()
