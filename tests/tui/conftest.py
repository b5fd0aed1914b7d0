"""What the tests of the terminal browser share: a small pool, and a way to drive the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skypool as sp
from skypool.config import from_environment

pytest.importorskip("textual", reason="the terminal browser is an extra")

import textual._wait as textual_wait
from textual.widgets import Input, Static

CARDS = {
    "CTYPE1": "'RA---TAN'", "CTYPE2": "'DEC--TAN'", "CRPIX1": 20.5, "CRPIX2": 15.5,
    "CRVAL1": 204.25, "CRVAL2": -29.87, "CDELT1": -0.01, "CDELT2": 0.01,
    "CUNIT1": "'deg'", "CUNIT2": "'deg'",
}  # fmt: skip
WCS = "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in CARDS.items())
DEPTH = "".join(
    f"{key:<8}= {value!s:>20}".ljust(80)
    for key, value in {
        "CTYPE3": "'FREQ'", "CUNIT3": "'Hz'", "CRPIX3": 1.0, "CRVAL3": 5e11, "CDELT3": 1e9,
    }.items()
)  # fmt: skip


def image(seed: int, **meta: Any) -> sp.Product:
    values = np.random.default_rng(seed).normal(1, 0.1, (30, 40)).astype(np.float32)
    values[:3] = np.nan
    return sp.Product(
        kind="SimpleImage",
        type="PXMP",
        instrument="SPIRE" if seed % 2 else "PACS",
        startDate=datetime(2009, 9, 1 + seed, tzinfo=UTC),
        meta={
            "obsid": 1342180000 + seed,
            "object": f"M {80 + seed}",
            "wavelength": sp.Parameter(250.0 if seed % 2 else 70.0, "um", "of the band"),
            **meta,
        },
        datasets={
            "image": sp.Array(values, unit="Jy/beam", wcs=WCS, meta={"PHOTFLAM": 2e-19}),
            "error": values * 0 + 1,
        },
    )


def fill(pool: sp.Pool) -> None:
    flat = pool.save(sp.Product(kind="CalProduct", type="FLAT", meta={"calVersion": 4}), "cal/flat")
    with pool.commit("first light") as commit:
        children = {
            f"map{n}": commit.save(image(n).replace(refs={"flat": flat}), name=f"obs/map{n}")
            for n in range(12)
        }
        commit.save(
            sp.Product(kind="ObservationContext", type="OBS", meta={"obsid": 1342180000},
                       refs=children),
            name="obs",
        )  # fmt: skip
    cube = np.arange(5 * 8 * 9, dtype=np.float32).reshape(5, 8, 9)
    pool.save(sp.Product(kind="SimpleCube", datasets={"cube": sp.Array(cube, wcs=DEPTH)}), "cube")
    spectrum = np.sin(np.linspace(0, 20, 2000))
    pool.save(
        sp.Product(kind="Spectrum1d", datasets={"flux": sp.Array(spectrum, "Jy")}), "spectrum"
    )
    table = sp.Table({"wave": np.linspace(1, 2, 500), "flux": np.arange(500.0) ** 2,
                      "name": [f"row {n}" for n in range(500)]})  # fmt: skip
    pool.save(sp.Product(kind="TableProduct", datasets={"lines": table}), "lines")
    changed = pool["obs/map3"].product
    pool.save(changed.replace(meta={"object": "M 83 north"}), message="better name")
    pool.tag(pool["obs/map3"], "checked", "using cal v1")


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tui") / "pool"
    with sp.Pool(folder) as pool:
        fill(pool)
    return folder


@pytest.fixture
def pool(filled: Path, tmp_path: Path) -> Iterator[sp.Pool]:
    """A pool of one's own, to change."""
    import shutil

    shutil.copytree(filled, tmp_path / "pool")
    with sp.Pool(tmp_path / "pool") as opened:
        yield opened


@pytest.fixture
def looked(filled: Path) -> Iterator[sp.Pool]:
    """A pool that nobody changes."""
    with sp.Pool(filled, mode="r") as opened:
        yield opened


class Driver:
    """The browser, and a way to press keys and wait until nothing goes on any more."""

    def __init__(self, app: Any, pilot: Any) -> None:
        self.app, self.pilot = app, pilot

    async def settle(self, quiet: int = 0) -> None:
        """Wait until it was quiet twice in a row; *quiet* times have been seen."""
        while quiet < 2:
            await self.pilot.pause()
            waiting = [w for w in self.app.workers if not w.is_finished]
            quiet = 0 if waiting else quiet + 1
            await self.app.workers.wait_for_complete(waiting)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle(quiet=1)

    async def type(self, text: str) -> None:
        for character in text:
            await self.pilot.press(KEYS.get(character, character))
        await self.settle(quiet=1)

    async def fill(self, text: str) -> None:
        """Put a text in the input that has the keyboard, and press Enter."""
        field = self.app.focused
        assert isinstance(field, Input)
        field.value = text
        await self.press("enter")

    def text(self, selector: str) -> str:
        """What a part shows, wherever it is scrolled to."""
        return str(self.app.screen.query_one(selector, Static).content)

    def lines(self, selector: str) -> list[str]:
        """What a widget draws, line by line."""
        widget = self.app.screen.query_one(selector)
        return [widget.render_line(y).text for y in range(widget.size.height)]

    @property
    def names(self) -> list[str]:
        return [ref.name for ref in self.app.found.hits]


# How long, and with how little work, nothing must go on to be idle: a quarter of what textual has.
textual_wait.SLEEP_GRANULARITY /= 4
textual_wait.SLEEP_IDLE /= 4

KEYS = {
    " ": "space", "=": "equals_sign", "'": "apostrophe", "(": "left_parenthesis",
    ")": "right_parenthesis", "-": "minus", ",": "comma", "/": "slash", "_": "underscore",
    ".": "full_stop", ">": "greater_than_sign", "<": "less_than_sign", "*": "asterisk",
}  # fmt: skip
Script = Callable[[Driver], Awaitable[None]]


@pytest.fixture
def drive() -> Callable[..., None]:
    """Run a script of keys on the browser over pools."""
    from skypool.tui.app import Browser

    def run(
        pools: sp.Pool | dict[str, sp.Pool],
        script: Script,
        size: tuple[int, int] = (110, 30),
        **options: Any,
    ) -> None:
        named = pools if isinstance(pools, dict) else {str(pools.path): pools}

        async def main() -> None:
            app = Browser(named, from_environment(), **options)
            async with app.run_test(size=size) as pilot:
                driver = Driver(app, pilot)
                await driver.settle()
                await script(driver)

        asyncio.run(main())

    return run
