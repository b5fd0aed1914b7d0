"""Made files for the benchmarks: 979 MB of maps, CCD frames, cubes, timelines, calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray


def write_files(folder: Path, fraction: float = 1.0) -> list[Path]:
    """Write 100 files of 979 MB in all: maps, CCD frames, cubes, timelines, calibration.

    `fraction` scales the size of each file.
    """
    folder.mkdir(parents=True)
    for number in range(100):
        _file(number, fraction).writeto(folder / f"{_kind(number)}{number:03d}.fits")
    return sorted(folder.iterdir())


def change_files(folder: Path, fraction: float = 1.0) -> list[Path]:
    """Change ten of them: 4 reprocessed, 3 headers, 2 patches of 64 x 64, 1 with rows appended."""
    changed = []
    for number in (2, 5, 8, 41):
        changed.append(_replace(folder, number, _file(number, fraction, release=1)))
    for number in (11, 45, 72):
        hdus = _file(number, fraction)
        hdus[0].header["CALVERS"] = "15.0"
        changed.append(_replace(folder, number, hdus))
    for number in (14, 17):
        hdus = _file(number, fraction)
        image = hdus["IMAGE"].data
        middle = len(image) // 2
        image[middle : middle + 64, middle : middle + 64] *= 1.1
        changed.append(_replace(folder, number, hdus))
    changed.append(_replace(folder, 80, _file(80, fraction, extra_rows=1000)))
    return changed


def change_a_little(folder: Path, release: int, fraction: float = 1.0) -> list[Path]:
    """Change what a day changes: a map and a frame anew, 5 headers, 1 patch, 1,000 rows more.

    `release` tells the days apart; what an earlier one changed goes back to what it was.
    """
    changed = []
    for number in (release % 30, 30 + release % 30):
        changed.append(_replace(folder, number, _file(number, fraction, release=release)))
    for number in range(release * 5, release * 5 + 5):
        hdus = _file(number % 100, fraction)
        hdus[0].header["CALVERS"] = f"14.{release + 2}"
        changed.append(_replace(folder, number % 100, hdus))
    number = 30 + (release + 15) % 30
    hdus = _file(number, fraction)
    image = hdus["SCI"].data
    image[: len(image) // 8, : len(image) // 8] += 1
    changed.append(_replace(folder, number, hdus))
    changed.append(_replace(folder, 80, _file(80, fraction, extra_rows=1000 * release)))
    return changed


def _replace(folder: Path, number: int, hdus: fits.HDUList) -> Path:
    path = folder / f"{_kind(number)}{number:03d}.fits"
    hdus.writeto(path, overwrite=True)
    return path


def _kind(number: int) -> str:
    limits = {30: "map", 60: "ccd", 70: "cube", 86: "timeline", 100: "cal"}
    return next(kind for limit, kind in limits.items() if number < limit)


def _file(number: int, fraction: float, release: int = 0, extra_rows: int = 0) -> fits.HDUList:
    rng = np.random.default_rng((number, release))
    kind, side = _kind(number), fraction**0.5
    primary = fits.PrimaryHDU()
    primary.header["OBJECT"] = f"field {number}"
    primary.header["CALVERS"] = "14.2"
    primary.header["OBSID"] = 1342180000 + number
    hdus: list[Any]
    match kind:
        case "map":
            hdus = _map(number, rng, max(96, int(972 * side)))
        case "ccd":
            hdus = [fits.ImageHDU(_ccd(number, rng, max(96, int(2048 * side))), name="SCI")]
        case "cube":
            hdus = [fits.ImageHDU(_cube(number, rng, max(16, int(96 * side))), name="FLUX")]
        case "timeline":
            sky = np.random.default_rng(number)
            rows = max(2000, int(300_000 * fraction))
            hdus = [fits.BinTableHDU(_timeline(sky, rows + extra_rows), name="TOD")]
        case _:
            data = np.outer(np.hanning(200), np.hanning(200)).astype(np.float32)
            hdus = [fits.ImageHDU(data * (1 + number), name="FLAT")]
    return fits.HDUList([primary, *hdus])


def _map(number: int, rng: np.random.Generator, size: int) -> list[fits.ImageHDU]:
    """A scan map: power-law sky and sources, noise of this release, NaN outside the scan."""
    sky = np.random.default_rng(number)
    spectrum = np.fft.rfft2(sky.standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    image = np.fft.irfft2(spectrum * frequency**-1.45, s=(size, size))
    image = 4 + 0.5 * image / image.std()
    for row, column in sky.integers(4, size - 5, (size, 2)):
        beam = np.exp(-0.5 * (np.arange(-4, 5)[:, None] ** 2 + np.arange(-4, 5) ** 2) / 1.7**2)
        image[row - 4 : row + 5, column - 4 : column + 5] += sky.pareto(1.5) * beam
    axis = np.linspace(-1, 1, size)
    angle = np.deg2rad(20 + number)
    along = axis[None, :] * np.cos(angle) + axis[:, None] * np.sin(angle)
    across = axis[:, None] * np.cos(angle) - axis[None, :] * np.sin(angle)
    seen = (np.abs(along) < 0.85) & (np.abs(across) < 0.7)
    hits = np.where(seen, 20 + sky.integers(-3, 4, (size, size)), 0).astype(np.float32)
    with np.errstate(divide="ignore"):
        error = np.where(seen, 0.2 / np.sqrt(hits), np.nan).astype(np.float32)
    noisy = np.where(seen, image + error * rng.standard_normal((size, size)), 0.0)
    smooth = np.fft.irfft2(np.fft.rfft2(noisy) * np.exp(-((frequency / 0.08) ** 2)), s=image.shape)
    return [
        fits.ImageHDU(np.where(seen, noisy, np.nan).astype(np.float32), name="IMAGE"),
        fits.ImageHDU(np.where(seen, smooth, np.nan).astype(np.float32), name="SMOOTHED"),
        fits.ImageHDU(error, name="ERROR"),
        fits.ImageHDU(hits, name="COVERAGE"),
    ]


def _ccd(number: int, rng: np.random.Generator, size: int) -> NDArray[np.uint16]:
    """A CCD frame: bias, sky, stars, photon noise; unsigned, so written with BZERO."""
    sky = np.random.default_rng(number)
    electrons = np.full((size, size), 300.0 + 10 * number)
    for row, column in sky.integers(6, size - 7, (size // 2, 2)):
        beam = np.exp(-0.5 * (np.arange(-6, 7)[:, None] ** 2 + np.arange(-6, 7) ** 2) / 2.0**2)
        electrons[row - 6 : row + 7, column - 6 : column + 7] += 400 * sky.pareto(1.2) * beam
    noise = np.sqrt(electrons) * rng.standard_normal(electrons.shape)
    counts = 1000 + (electrons + noise) / 1.6
    return np.asarray(np.clip(counts, 0, 65535), dtype=np.uint16)


def _cube(number: int, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """A spectral cube in float64, one line over a continuum."""
    channels = np.arange(100)[:, None, None]
    axis = np.linspace(-1, 1, size)
    shape = np.exp(-2 * (axis[:, None] ** 2 + axis[None, :] ** 2))
    line = 1 + 5 * np.exp(-0.5 * ((channels - 50 - 10 * axis[None, None, :]) / 4) ** 2)
    cube = shape * line * (1 + number / 100) + 0.05 * rng.standard_normal((100, size, size))
    return np.asarray(cube)


def _timeline(sky: np.random.Generator, rows: int) -> NDArray[Any]:
    """Rows of 41 bytes; the first rows are the same however many follow."""
    table = np.empty(
        rows,
        dtype=[("TIME", ">f8"), ("RA", ">f8"), ("DEC", ">f8"), ("SIGNAL", ">f8"),
               ("COUNTS", ">i4"), ("SAMPLE", ">i4"), ("FLAG", "u1")],
    )  # fmt: skip
    step = np.arange(rows)
    leg = (step % 7500) / 7500
    noise = sky.standard_normal((rows, 2))
    table["TIME"] = 1.629e9 + step / 18.6
    table["RA"] = 204.2 + leg * 0.6 + 1e-7 * noise[:, 0]
    table["DEC"] = -29.8 + (step // 7500) * 0.01
    table["SIGNAL"] = 2.5e-3 + 1e-4 * np.sin(step / 3000) + 1e-6 * noise[:, 1]
    table["COUNTS"] = 31000 + (25 * noise[:, 1]).astype(np.int32)
    table["SAMPLE"] = step
    table["FLAG"] = np.where(step % 997 == 0, 64, 0)
    return table
