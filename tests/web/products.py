"""A pool with products of all sorts, made by code: what the browser's panes are for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS

import skypool as sp
from skypool.testing import observation

__all__ = ["MAPS", "fill", "observation_pool"]

MAPS = 160
INSTRUMENTS = ("PACS", "SPIRE", "HIFI")
OBJECTS = ("M 51", "M 83", "NGC 104", "NGC 6543", "Orion KL", "Arp 220")
BANDS = {"PACS": ("blue", "red"), "SPIRE": ("PSW", "PMW", "PLW"), "HIFI": ("1a", "7b")}


def rotated_wcs(ra: float, dec: float, shape: tuple[int, int], angle: float) -> WCS:
    """Return a tangent projection whose north is turned by an angle in degrees."""
    wcs = WCS(naxis=2)
    step = 6 / 3600
    turn = np.radians(angle)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cd = step * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    wcs.wcs.cunit = ["deg", "deg"]
    return wcs


def scan_map(rng: np.random.Generator, shape: tuple[int, int], level: float) -> np.ndarray:
    """Return a map with a source in the middle, noise, and corners that were not scanned."""
    y, x = np.indices(shape, dtype=np.float32)
    cy, cx = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    away = np.hypot(y - cy, x - cx)
    values = level * np.exp(-((away / (shape[0] / 8)) ** 2))
    values += rng.normal(0, level / 60, shape)
    values[np.abs(y - cy) + np.abs(x - cx) > 0.62 * (shape[0] + shape[1]) / 2] = np.nan
    return values.astype(np.float32)


def image(number: int, rng: np.random.Generator, shape: tuple[int, int] = (48, 64)) -> sp.Product:
    """Return one of many maps: each differs in some keys from the others."""
    instrument = INSTRUMENTS[number % 3]
    band = BANDS[instrument][number % len(BANDS[instrument])]
    start = datetime(2009, 9, 1, tzinfo=UTC) + timedelta(days=7 * number, minutes=13 * number)
    ra, dec = (17.3 * number) % 360, -80 + (number * 11.7) % 160
    values = scan_map(rng, shape, 1.0 + number)
    weight = np.where(np.isnan(values), 0, 4).astype(np.float32)
    meta = {
        "instrument": instrument,
        "telescope": "Herschel Space Observatory",
        "obsid": 1342180000 + number,
        "odNumber": 100 + number // 2,
        "object": OBJECTS[number % len(OBJECTS)],
        "proposal": f"KPGT_{'abc'[number % 3]}_1",
        "aot": "Parallel" if number % 4 else "Photometer",
        "obsMode": "Scan map",
        "aorLabel": f"field-{number // 10}",
        "band": band,
        "startDate": start,
        "exposure": sp.Parameter(60.0 * (number % 25), "s"),
        "wavelength": sp.Parameter(70.0 + 20 * (number % 12), "um"),
        "quality": number % 7 == 0,
        "creator": "made by the tests",
        "modelName": "FLIGHT",
    }
    if number % 9 == 0:
        meta["comment"] = "glitches in the second half"
    return sp.Product(
        kind="SimpleImage",
        type="HPPPMAPB" if instrument == "PACS" else "HSPSMAP",
        description=f"{instrument} {band} map of {meta['object']}",
        meta=meta,
        datasets={
            "image": sp.Array(values, unit="Jy/beam", wcs=rotated_wcs(ra, dec, shape, 7 * number)),
            "coverage": sp.Array(weight),
        },
    )


def cube(rng: np.random.Generator) -> sp.Product:
    """Return a spectral cube with a line that moves across the field."""
    planes, rows, columns = 30, 20, 24
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN", "FREQ"]
    wcs.wcs.crval = [204.25, -29.87, 5.0e11]
    wcs.wcs.crpix = [12.5, 10.5, 1]
    wcs.wcs.cdelt = [-9 / 3600, 9 / 3600, 1e9]
    wcs.wcs.cunit = ["deg", "deg", "Hz"]
    z, _, x = np.indices((planes, rows, columns))
    line = np.exp(-(((z - 10 - x / 3) / 2.0) ** 2))
    values = (line + rng.normal(0, 0.02, line.shape)).astype(np.float32)
    values[:, :3, :3] = np.nan
    return sp.Product(
        kind="SpectralSimpleCube",
        type="SPC",
        description="a line that moves across the field",
        instrument="HIFI",
        meta={"object": "M 83", "obsid": 1342200001},
        datasets={"image": sp.Array(values, unit="K", wcs=wcs)},
    )


def spectrum(rng: np.random.Generator) -> sp.Product:
    """Return a spectrum as a table of wave and flux."""
    wave = np.linspace(190.0, 320.0, 1500)
    flux = 2 + np.sin(wave / 9) + 5 * np.exp(-(((wave - 250) / 0.8) ** 2))
    rows = Table({"wave": wave, "flux": flux + rng.normal(0, 0.05, wave.size)})
    rows["wave"].unit, rows["flux"].unit = "um", "Jy"
    return sp.Product(
        kind="Spectrum1d",
        type="SSP",
        description="a spectrum with one line",
        instrument="SPIRE",
        meta={"object": "Arp 220", "obsid": 1342200002},
        datasets={"spectrum": rows},
    )


def catalogue(rng: np.random.Generator) -> sp.Product:
    """Return a list of sources, with texts, missing values and columns of arrays."""
    many = 3000
    rows = Table(
        {
            "id": np.arange(many),
            "name": [f"source {i:04d}" for i in range(many)],
            "ra": rng.uniform(0, 360, many),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, many))),
            "flux": np.where(np.arange(many) % 50 == 0, np.nan, rng.lognormal(0, 1, many)),
            "sed": rng.normal(size=(many, 4)).astype(np.float32),
        }
    )
    rows["ra"].unit = rows["dec"].unit = "deg"
    rows["flux"].unit = "mJy"
    return sp.Product(
        kind="TableProduct",
        type="SOURCES",
        description="sources found in all maps",
        meta={"object": "all sky", "obsid": "0"},
        datasets={"sources": rows},
    )


def fill(folder: Path) -> Path:
    """Make the pool: many maps, one of each other sort, and a map in several versions."""
    rng = np.random.default_rng(20261122)
    with sp.Pool(folder) as pool:
        with pool.commit("first maps") as commit:
            for number in range(MAPS):
                tags = ["using cal v1"] if number < 40 else []
                commit.save(image(number, rng), name=f"maps/{number:04d}", tags=tags)
        with pool.commit("other sorts") as commit:
            commit.save(cube(rng), name="cubes/m83", tags=["published"])
            commit.save(spectrum(rng), name="spectra/arp220")
            commit.save(catalogue(rng), name="tables/sources", tags=["published"])
        first = pool["maps/0001"].product
        values = np.array(first["image"][:])
        values[10:20, 10:20] += 3
        newer = first.replace(
            meta={"object": "M 83", "calVersion": 2},
            datasets={
                "image": sp.Array(values, unit="Jy/beam", wcs=first["image"].wcs_header),
            },
        )
        pool.save(newer, name="maps/0001", tags=["using cal v2"], message="newer calibration")
        pool.save(
            newer.replace(meta={"comment": "checked by eye"}),
            name="maps/0001",
            tags=["good", "published"],
            message="checked",
        )
    return folder


def observation_pool(folder: Path, scratch: Path) -> Path:
    """Make a pool with one observation: levels, calibration, quality; level 2 processed twice."""
    root = observation.write(scratch, 0.02)
    with sp.Pool(folder) as pool:
        pool.add(root, tags=["first"], message="from the archive")
        observation.reprocess(root, 0.02)
        pool.add(root, tags=["using cal v2"], message="reprocessed")
    return folder
