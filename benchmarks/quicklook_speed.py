"""How fast the Product Browser shows an image, beside matplotlib.

    python benchmarks/quicklook_speed.py [--size 4096] [--runs 5] [--folder /tmp]

Both sides show the same float32 image with blank corners, from a file system cache that is warm, in
processes that have imported what they need; runs take turns.

- `quick look`: what the page asks for until an image is painted in a view 1,000 pixels wide: its
  description, and all tiles of the level that fits, by a client with six connections, as browsers
  have. The server is started anew for each run, as a user starts it, so nothing of the image is in
  its memory. `first` is the time until the first tile is there, `cpu` that of the server.
- `matplotlib`: `astropy.io.fits` reads the image of a plain FITS file, `ZScaleInterval` and
  `AsinhStretch` find the colours, `imshow` draws it into a PNG as wide.
- `thumbnail`: the picture of 256 pixels for the contact sheet, beside one of matplotlib.

Wall times need a quiet machine; CPU times say more on a busy one. `budget` is what the quick look
may take: 0.2 s.
"""

import argparse
import http.client
import io
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from astropy.io import fits

import skypool as sp
from skypool.server.thumbnails import picture

sys.path.insert(0, str(Path(__file__).parent))

from browser_speed import busy, served

BUDGET = 0.2
WIDTH = 1000
CONNECTIONS = 6


def made(size: int) -> np.ndarray:
    """Return an image with sources, noise and blank corners."""
    random = np.random.default_rng(1)
    values = random.normal(0, 1, (size, size)).astype(np.float32)
    y, x = np.mgrid[-25:26, -25:26].astype(np.float32)
    for _ in range(size // 8):
        top, left = random.integers(0, size - 51, 2)
        width = random.uniform(1, 8)
        source = random.exponential(50) * np.exp(-(x**2 + y**2) / (2 * width**2))
        values[top : top + 51, left : left + 51] += source
    corner = np.add.outer(np.arange(size // 6), np.arange(size // 6)) < size // 6
    values[: size // 6, : size // 6][corner] = np.nan
    values[-(size // 6) :, -(size // 6) :][corner[::-1, ::-1]] = np.nan
    return values


def header(size: int) -> fits.Header:
    cards = fits.Header()
    for axis, (kind, value, step) in enumerate(
        [("RA---TAN", 201.4, -1), ("DEC--TAN", -43.0, 1)], 1
    ):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"] = kind, value
        cards[f"CRPIX{axis}"], cards[f"CDELT{axis}"] = size / 2, step / 3600
        cards[f"CUNIT{axis}"] = "deg"
    return cards


class Connections(threading.local):
    """A kept connection for each thread, as browsers have them."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> bytes:
        self._connection.request("GET", f"/api/v1/{path}", headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content[:500]
        return content


def quick_look(folder: Path, digest: str) -> dict[str, float]:
    """Return times to the description, the first tile and the last one."""
    with served(folder) as (ask, pid, _), ThreadPoolExecutor(CONNECTIONS) as threads:
        connections = Connections(int(ask.base.rstrip("/").rpartition(":")[2]), ask.token)
        # A page that is open has its connections, and the server what it imports.
        ask("pools")
        ask("results", {})
        list(threads.map(lambda _: connections.get("pools"), range(CONNECTIONS)))
        list(threads.map(lambda _: time.sleep(0.05), range(CONNECTIONS)))
        wall, cpu = time.perf_counter(), busy(pid)
        info = json.loads(connections.get(f"data/{digest}/image"))
        told = time.perf_counter() - wall
        scale = WIDTH / info["shape"][1]
        level = max(0, int(np.log2(1 / scale)))
        rows, columns = (-(-n // info["tile"]) for n in info["levels"][level]["shape"])
        came: list[float] = []

        def fetch(place: tuple[int, int]) -> int:
            query = urlencode({"level": level, "row": place[0], "column": place[1]})
            size = len(connections.get(f"data/{digest}/tile?{query}"))
            came.append(time.perf_counter() - wall)
            return size

        places = [(row, column) for row in range(rows) for column in range(columns)]
        assert sum(threads.map(fetch, places)) > 0
        return {"info": told, "first": min(came), "wall": max(came), "cpu": busy(pid) - cpu}


def drawn(path: Path, width: int) -> None:
    """Draw an image with matplotlib, as wide as wanted."""
    from astropy.visualization import AsinhStretch, ImageNormalize, ZScaleInterval
    from matplotlib.figure import Figure

    with fits.open(path, memmap=False) as hdus:
        data = hdus[0].data
    norm = ImageNormalize(data, interval=ZScaleInterval(), stretch=AsinhStretch())
    figure = Figure(figsize=(width / 100, width / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(data, origin="lower", cmap="gray", norm=norm)
    figure.savefig(io.BytesIO(), format="png")


def timed(work: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def thumbnail(folder: Path, name: str) -> dict[str, float]:
    with sp.Pool(folder, "r") as pool:
        ref = pool[name]
        return timed(lambda: picture(ref, 256))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        data, path = made(options.size), Path(scratch, "image.fits")
        fits.writeto(path, data, header(options.size))
        folder = Path(scratch, "pool")
        with sp.Pool(folder) as pool:
            ref = pool.add(str(path), name="image")
            digest = ref.hash
        del data
        work = {
            "quick look": lambda: quick_look(folder, digest),
            "matplotlib": lambda: timed(lambda: drawn(path, WIDTH)),
            "thumbnail": lambda: thumbnail(folder, "image"),
            "matplotlib 256": lambda: timed(lambda: drawn(path, 256)),
        }
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in work}
        for number in range(options.runs + 1):
            for name, one in work.items():
                found = one()
                if number:  # the first of each imports
                    runs[name].append(found)
    medians = {
        name: {key: round(statistics.median(r[key] for r in rows), 4) for key in rows[0]}
        for name, rows in runs.items()
    }
    ratios = {
        kind: {
            "quick look": round(medians["matplotlib"][kind] / medians["quick look"][kind], 1),
            "thumbnail": round(medians["matplotlib 256"][kind] / medians["thumbnail"][kind], 1),
        }
        for kind in ("wall", "cpu")
    }
    took = medians["quick look"]["wall"]
    print(json.dumps({
        "size": options.size, "medians": medians, "times faster than matplotlib": ratios,
        "budget": BUDGET, "within budget": took <= BUDGET,
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
