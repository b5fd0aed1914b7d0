"""What the keys of the terminal browser cost, on a pool of benchmarks/big_pool.py.

    python benchmarks/big_pool.py FOLDER --products 100000
    python benchmarks/tui_speed.py FOLDER [--repeat 9]

Prints medians of CPU time: of the process until the first screen and the first rows, and of single
keys, with everything that is drawn after them. The table itself is measured on 1,000,000 made
rows as well. Nothing is written into the pool; the browser remembers nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

STARTED = time.process_time()

SIZE = (150, 45)
MILLION = 1_000_000
# What is measured, its key, and the key that is pressed before it, which is not measured.
KEYS = (
    ("row down", "j", None),
    ("page down", "pagedown", None),
    ("last row", "end", "home"),
    ("first row", "home", "end"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    asyncio.run(browse(options.folder, options.repeat))
    asyncio.run(made_rows(options.repeat))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory':<34} {peak:8.0f} MB")


def show(what: str, seconds: float) -> None:
    print(f"{what:<34} {seconds * 1000:8.1f} ms CPU", flush=True)


async def median(repeat: int, action: Callable[[], Awaitable[object]]) -> float:
    found = []
    for _ in range(repeat):
        start = time.process_time()
        await action()
        found.append(time.process_time() - start)
    return statistics.median(found)


async def keys(pilot: Any, repeat: int) -> None:
    for what, key, before in KEYS:
        found = []
        for _ in range(repeat):
            if before:
                await pilot.press(before)
            start = time.process_time()
            await pilot.press(key)
            found.append(time.process_time() - start)
        show(what, statistics.median(found))


async def browse(folder: Path, repeat: int) -> None:
    import skypool as sp
    from skypool.config import from_environment
    from skypool.tui.app import Browser

    pool = sp.Pool(folder, mode="r")
    settings = replace(from_environment(), config=None)
    app = Browser({folder.name: pool}, settings)
    async with app.run_test(size=SIZE) as pilot:
        show("first screen, imports included", time.process_time() - STARTED)

        async def settled() -> None:
            for _ in range(3):
                await pilot.pause()
                await app.workers.wait_for_complete()

        while app.found is None:
            await pilot.pause()
        show("first rows", time.process_time() - STARTED)
        await settled()
        print(f"{'products':<34} {len(app.found.hits):8,}")
        await keys(pilot, repeat)

        async def asked(query: str) -> None:
            app.set_query(query)
            await settled()

        await asked("instrument == 'SPIRE'")
        for query in ("", "instrument == 'SPIRE'", "obsid == 1342180007"):
            show(f"find {query or 'everything'}", await median(3, lambda q=query: asked(q)))
        app.set_query("")
        await settled()
        await pilot.press("space")
        await settled()

        async def next_look() -> None:
            await pilot.press("j")
            await settled()

        show("next product with quick look", await median(repeat, next_look))


async def made_rows(repeat: int) -> None:
    from textual.app import App, ComposeResult

    from skypool.tui.columns import Head
    from skypool.tui.widgets.grid import Grid

    class Made:
        heads = tuple(Head(f"key{n}", f"key{n}") for n in range(10))

        def __len__(self) -> int:
            return MILLION

        def cells(self, start: int, stop: int) -> list[tuple[str, ...]]:
            return [tuple(f"{row}.{key}" for key in range(10)) for row in range(start, stop)]

    class Host(App[None]):
        def compose(self) -> ComposeResult:
            yield Grid()

    app = Host()
    async with app.run_test(size=SIZE) as pilot:
        grid = app.query_one(Grid)
        grid.show(Made())
        grid.focus()
        await pilot.pause()
        print(f"{'made rows':<34} {MILLION:8,}")
        await keys(pilot, repeat)


if __name__ == "__main__":
    main()
