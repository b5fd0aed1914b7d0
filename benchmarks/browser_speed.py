"""Time the server of the Product Browser over a pool of very many products, against its budgets.

    python benchmarks/browser_speed.py FOLDER

FOLDER is a pool that `benchmarks/big_pool.py` has made. A server is started as a user starts it,
with nothing in memory; requests go over a connection as those of a browser do. The first time of
each sort is told apart from the later ones, which differ in what they ask, and beside the seconds
of the later ones stand those that the server's processor was busy: on a loaded machine these are
the ones to judge by. `--wait` gives the server time to read ahead, as a page that loads does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

Line = tuple[str, float | None, float, float, float]
_TICKS = os.sysconf("SC_CLK_TCK")


class Client:
    """One kept connection to the server."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.token = token
        self.base = f"http://127.0.0.1:{port}/"

    def __call__(self, path: str, body: Any = None, **query: Any) -> Any:
        address = f"/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self.token}"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self._connection.request("GET" if body is None else "POST", address, data, headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        assert answer.status == 200, raw[:500]
        return json.loads(raw)


@contextmanager
def served(pool: Path) -> Iterator[tuple[Client, int, float]]:
    """Start `skypool ui`, and yield a client, the process, and the seconds to its address."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "skypool", "ui", str(pool), "--read-only", "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        base, _, token = process.stdout.readline().strip().partition("/?token=")
        told = time.perf_counter() - began
        yield Client(int(base.rpartition(":")[2]), token), process.pid, told
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def memory(pid: int, what: str = "VmHWM") -> float:
    """Return a figure of the memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


def forget_peak(pid: int) -> None:
    """Have the most memory of a process counted anew, where the system can."""
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def busy(pid: int) -> float:
    """Return the seconds of the processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Timer:
    """Times what a server does."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __call__(self, work: Callable[[int], Any], runs: int) -> tuple[float, float, float]:
        """Return the first time, the median of the later ones, and the mean of their CPU."""
        found, spent = [], 0.0
        for run in range(runs + 1):
            began, before = time.perf_counter(), busy(self._pid)
            work(run)
            found.append(time.perf_counter() - began)
            spent += busy(self._pid) - before if run else 0.0
        return found[0], statistics.median(found[1:]), spent / runs


def measure(ask: Client, told: float, timed: Timer) -> Iterator[Line]:
    """Yield what is measured: name, budget, the first time, the median of the later ones."""
    rng = random.Random(3)
    yield "address printed", 1.0, told, told, told
    yield "pools", None, *timed(lambda _: ask("pools"), 5)
    found: dict[str, Any] = {}

    def everything(_: int) -> None:
        found.update(ask("results", {}))

    yield "first rows of everything", 0.3, *timed(everything, 5)
    cursor, total = found["cursor"], found["total"]

    def whole(path: str, body: Any = None, **query: Any) -> Any:
        """Ask about the result of everything, which is made again where it was given up."""
        return ask(f"results/{ask('results', {})['cursor']}/{path}", body, **query)

    columns = "name,instrument,object,obsid,startDate,exposure,version,tags,total_size,saved"

    def jump(_: int) -> None:
        ask(f"results/{cursor}/rows", start=rng.randrange(total - 100), count=60, columns=columns)

    yield "page anywhere", 0.06, *timed(jump, 30)
    keys = ["instrument", "band", "level", "obsMode", "type", "tags", "proposal"]

    def shown(number: int) -> None:
        ask(f"results/{cursor}/facets", {"keys": keys, "limit": 20 + number})

    yield "seven facets of everything", 0.3, *timed(shown, 5)
    values = [("band", "PSW"), ("band", "HRS-H"), ("instrument", "PACS"), ("level", "level2"),
              ("obsMode", "Raster"), ("proposal", "KPGT_003_1")]  # fmt: skip

    def clicked(number: int) -> None:
        one, other = values[number % len(values)], values[(number * 5 + 1) % len(values)]
        filters = [{"key": key, "values": [value]} for key, value in dict([one, other]).items()]
        made = ask("results", {"filters": filters})
        ask(f"results/{made['cursor']}/facets", {"keys": keys, "limit": 20})

    yield "facet click: rows and seven facets", 0.3, *timed(clicked, 9)

    def histogram(number: int) -> None:
        whole("histogram", {"key": "exposure", "bins": 30 + number})

    yield "histogram of a key with a million values", 0.3, *timed(histogram, 5)

    def times(number: int) -> None:
        whole("histogram", {"key": "startDate", "bins": 30 + number})

    yield "histogram of times", 0.3, *timed(times, 5)
    texts = [
        "ngc 65",
        "spire",
        "KPGT_003",
        "1342199",
        "parallel",
        "ngc 1234",
        "observer 17",
        "2011-03",
    ]

    def free(number: int) -> None:
        ask("results", {"text": texts[number % len(texts)]})

    yield "free text", 0.3, *timed(free, len(texts) - 1)
    orders = ["-obsid", "exposure", "object,-exposure", "-startDate"]

    def sorted_by(number: int) -> None:
        ask("results", {"order": orders[number % len(orders)]})

    yield "order", None, *timed(sorted_by, len(orders) - 1)

    def density(number: int) -> None:
        whole("sky/density", width=720 + 2 * number)

    yield "density on the sky", 0.3, *timed(density, 5)

    def circle(number: int) -> None:
        ask("results", {"region": {"circle": [40.0 * number, 10.0 * number - 20, 1.0 + number]}})

    yield "circle on the sky", 0.3, *timed(circle, 5)

    def box(number: int) -> None:
        ask("results", {"region": {"box": [30 * number, -30, 30 * number + 40, 20]}})

    yield "box on the sky", 0.3, *timed(box, 5)

    def outlines(number: int) -> None:
        low = 10 * number
        whole("sky/outlines", bounds=f"{low},-5,{low + 10},5", limit=20_000)

    yield "outlines of a part of the sky", None, *timed(outlines, 5)
    yield (
        "outlines at a place",
        0.3,
        *timed(lambda n: whole("sky/at", ra=10.0 + n, dec=1.0 + n, radius=0.3), 5),
    )
    words = ["instrument == 'S", "obj", "object == 'NGC 12", "name == 'obs/13421", "tagged("]
    yield "completion", 0.3, *timed(lambda n: ask("complete", text=words[n % len(words)]), 9)
    yield "keys", None, *timed(lambda _: ask("keys"), 2)
    yield (
        "all selected",
        0.3,
        *timed(lambda _: whole("selection", {"all": True, "except": []}), 3),
    )


def main() -> None:
    """Measure, and print each figure beside its budget."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures to a file too")
    parser.add_argument("--wait", type=float, default=20.0, help="seconds before the first")
    options = parser.parse_args()
    lines = []
    with served(options.folder) as (ask, pid, told):
        time.sleep(options.wait)
        most = memory(pid)
        print(f"{'':44}{'budget':>9}{'first':>9}{'then':>9}{'CPU':>9}", flush=True)
        forget_peak(pid)
        for name, budget, first, later, cpu in measure(ask, told, Timer(pid)):
            figures = {"first_s": first, "then_s": later, "cpu_s": cpu}
            lines.append({"name": name, "budget_s": budget, **figures})
            limit = "" if budget is None else f"{budget:.2f} s"
            mark = "  over" if budget is not None and min(later, cpu) > budget else ""
            peak = memory(pid)
            most = max(most, peak)
            forget_peak(pid)
            print(
                f"{name:44}{limit:>9}{first:8.3f}s{later:8.3f}s{cpu:8.3f}s{mark}"
                f"  ({memory(pid, 'VmRSS'):.0f} MB, at most {peak:.0f})",
                flush=True,
            )
        lines.append({"name": "memory", "budget_mb": 300, "most_mb": most})
        print(f"{'memory of the server, at most':44}{'300 MB':>9}{most:7.0f} MB")
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
