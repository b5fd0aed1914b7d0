"""A pool for the quick look, whose values tests know; and words for what is seen of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.wcs import WCS
from tests.web.products import cube, rotated_wcs, spectrum

import skypool as sp

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = ["CATALOGUE", "IMAGE", "canvas", "colour", "fill_looks", "open_look", "place", "ready"]

ROWS, COLUMNS = 300, 400


def _image() -> np.ndarray:
    """Return a ramp from the left to the right, with blank pixels in the lower left corner."""
    y, x = np.indices((ROWS, COLUMNS), dtype=np.float32)
    values = x + y / 1000
    values[:50, :80] = np.nan
    return values


IMAGE = _image()
CATALOGUE = {
    "id": np.arange(1000),
    "name": [f"source {n:03d}" for n in range(1000)],
    "flux": np.where(np.arange(1000) == 500, np.nan, np.sin(np.arange(1000.0)) * 10),
    "zero": np.zeros(1000),
    "big": np.arange(1000) + 2**60,
}


def fill_looks(folder: Path) -> Path:
    """Make the pool."""
    rng = np.random.default_rng(5)
    wcs = rotated_wcs(201.365, -43.019, (ROWS, COLUMNS), 30)
    second = IMAGE.copy()
    second[100:110, 200:220] += 50
    with sp.Pool(folder) as pool:
        for values in (IMAGE, second):
            product = sp.Product(
                kind="SimpleImage",
                type="LOOK",
                datasets={
                    "image": sp.Array(values, unit="Jy/beam", wcs=wcs),
                    "coverage": sp.Array(np.where(np.isnan(values), 0, 7).astype(np.int16)),
                },
            )
            pool.save(product, name="ramp")
        pool.save(product.replace(meta={"other": True}), name="other")
        pool.save(cube(rng), name="cube")
        pool.save(spectrum(rng), name="spectrum")
        pool.save(
            sp.Product(kind="Spectrum1d", datasets={"flux": np.arange(50.0) ** 2}), name="line"
        )
        pool.save(
            sp.Product(kind="TableProduct", datasets={"sources": sp.Table(CATALOGUE)}), name="list"
        )
        pool.save(sp.Product(kind="Product", meta={"a": 1}), name="nothing")
        flat = sp.Product(type="FLAT", datasets={"image": np.full((5, 4), 3, np.int64)})
        pool.save(flat, name="flat")
        plate = WCS(naxis=2)
        plate.wcs.ctype = ["LINEAR", "LINEAR"]
        plate.wcs.cdelt = [0.5, 2]
        plate.wcs.crpix = [1, 1]
        scan = sp.Array(np.arange(20.0).reshape(4, 5), wcs=plate)
        pool.save(sp.Product(type="PLATE", datasets={"image": scan}), name="plate")
    return folder


def open_look(
    visitor: Any, served: Any, folder: Path, name: str, tab: str = "Preview", **options: Any
) -> Page:
    """Open the details of a product, its preview if no other tab is named."""
    with sp.Pool(folder, "r") as pool:
        number = pool[name].number
    page: Page = visitor.open(served, f"#ref={folder.name}/{number}&tab={tab}", **options)
    return page


def canvas(page: Page) -> Locator:
    """Return the image."""
    return page.get_by_role("application", name=re.compile("^Image of|^image, version"))


def ready(page: Page) -> Locator:
    """Wait until all tiles are painted; return the image."""
    from playwright.sync_api import expect

    found = canvas(page)
    expect(found).to_have_attribute("aria-busy", "false")
    return found


def place(image: Locator, x: float, y: float, shape: tuple[int, int] = (ROWS, COLUMNS)) -> Any:
    """Return where a pixel is in an image that is shown whole."""
    box = image.bounding_box()
    assert box is not None
    scale = min(box["width"] / shape[1], box["height"] / shape[0], 32)
    across = box["width"] / 2 + (x - (shape[1] - 1) / 2) * scale
    down = box["height"] / 2 - (y - (shape[0] - 1) / 2) * scale
    return {"x": across, "y": down}


def colour(image: Locator, at: dict[str, float]) -> list[int]:
    """Return red, green, blue of the screen at a place in the image."""
    # A copy is read: of canvases that are read themselves the browser warns.
    found: list[int] = image.evaluate(
        "(c, at) => { const d = c.width / c.clientWidth, t = document.createElement('canvas');"
        " t.width = t.height = 1; const g = t.getContext('2d', { willReadFrequently: true });"
        " g.drawImage(c, Math.floor(at.x * d), Math.floor(at.y * d), 1, 1, 0, 0, 1, 1);"
        " return [...g.getImageData(0, 0, 1, 1).data].slice(0, 3) }",
        at,
    )
    return found
