"""Observations as the tests of HIPE's names use them: small, and with everything in them."""

from __future__ import annotations

import numpy as np

from skypool.hipe import (
    ArrayDataset,
    FineTime,
    ListContext,
    MapContext,
    ObservationContext,
    Product,
    SimpleImage,
)

OBSID = 1342182452


def image(key: str, peak: float, **more: object) -> SimpleImage:
    """Return a map; its brightest pixel is *peak*, the first is NaN."""
    pixels = np.linspace(0.0, peak, 12, dtype="float32").reshape(3, 4)
    pixels[0, 0] = np.nan
    made = SimpleImage(f"map {key}", image=pixels, unit="Jy/pixel", type=key)
    made["coverage"] = ArrayDataset(np.ones((3, 4)))
    for name, value in more.items():
        made.meta[name] = value
    return made


def observation(
    obsid: int = OBSID, instrument: str = "PACS", peak: float = 2.0
) -> ObservationContext:
    """Return an observation with levels, calibration and auxiliary products."""
    obs = ObservationContext(
        f"observation {obsid}", obsid=obsid, instrument=instrument, odNumber=98,
        creator="SPG v14.2.0", startDate=FineTime("2009-08-19T19:44:16"),
    )  # fmt: skip
    obs.meta["object"] = "m83ul-1"
    keys = {"PACS": ("HPPPMAPB", "HPPPMAPR"), "SPIRE": ("PSW", "psrcPSW")}[instrument]
    level2 = MapContext("level 2")
    for number, key in enumerate(keys):
        level2.setProduct(key, image(key, peak + number, obsid=obsid))
    level0 = MapContext("level 0")
    frames = ListContext("frames")
    frames.refs.append(Product("frame 0", type="HPPAVGBS"))
    level0.refs["HPPAVGB"] = frames
    obs.level0, obs.level2 = level0, level2
    obs.calibration = MapContext("calibration")
    for part in ("phot", "spec"):
        inner = MapContext(part)
        inner.refs["flat"] = Product(f"{part} flat", type="CAL")
        obs.calibration.setProduct(part, inner)
    obs.auxiliary = MapContext("auxiliary")
    obs.auxiliary.setProduct("pointing", Product("pointing", type="POINTING"))
    return obs
