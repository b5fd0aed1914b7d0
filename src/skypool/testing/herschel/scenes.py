"""Skies, scans and spectra for made observations; numpy only, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Map", "Scan", "cirrus", "scan_map", "scan_timeline", "spectral_cube", "spectrum"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Map:
    """A map of a rotated scan; pixels that were not seen are NaN, or 0 in the coverage."""

    image: Floats
    error: Floats
    coverage: Floats


@dataclass(frozen=True, slots=True)
class Scan:
    """A timeline of n samples.

    Attributes
    ----------
    time
        TAI seconds since 1958, shape (n,).
    ra, dec
        Degrees, ICRS, shape (n,).
    signal
        Volt, shape (n, channels).
    mask
        Flags, shape (n,).
    """

    time: Floats
    ra: Floats
    dec: Floats
    signal: Floats
    mask: NDArray[np.int32]


def cirrus(size: int, rng: np.random.Generator, slope: float = -2.9) -> Floats:
    """Make diffuse emission with a power-law spectrum.

    Parameters
    ----------
    size
        Length of a side in pixels.
    rng
        Source of randomness.
    slope
        Exponent of the power spectrum; about -2.9 for Galactic cirrus.

    Returns
    -------
    ndarray
        Shape (size, size), mean 0, standard deviation 1.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    spectrum *= frequency ** (slope / 2)
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray(field / field.std())


def _sources(image: Floats, rng: np.random.Generator, count: int, fwhm: float) -> None:
    """Add point sources, their numbers falling with flux as on the real sky."""
    size = len(image)
    half = max(2, int(3 * fwhm))
    if size <= 2 * half:
        return
    offsets = np.arange(-half, half + 1)
    for _ in range(count):
        y, x = rng.uniform(half, size - half - 1, 2)
        flux = 0.3 * (1 - rng.random()) ** (-1 / 1.5)
        row, column = int(y), int(x)
        distance = (offsets[:, None] + row - y) ** 2 + (offsets[None, :] + column - x) ** 2
        beam = flux * np.exp(-distance * 4 * np.log(2) / fwhm**2)
        image[row - half : row + half + 1, column - half : column + half + 1] += beam


def scan_map(
    size: int, seed: int, *, angle: float, fwhm: float, noise: float, background: float = 0.0
) -> Map:
    """Make a cross-scan map: cirrus, sources and noise inside a rotated rectangle.

    Parameters
    ----------
    size
        Length of a side in pixels.
    seed
        The same seed gives the same sky.
    angle
        Rotation of the scanned area in degrees.
    fwhm
        Width of the beam in pixels.
    noise
        Standard deviation of a single sample.
    background
        Level that is added everywhere.

    Returns
    -------
    Map
        Three arrays of shape (size, size).
    """
    rng = np.random.default_rng(seed)
    axis = (np.arange(size) - (size - 1) / 2) / size
    turn = np.deg2rad(angle)
    along = axis[None, :] * np.cos(turn) + axis[:, None] * np.sin(turn)
    across = axis[:, None] * np.cos(turn) - axis[None, :] * np.sin(turn)
    seen = (np.abs(along) < 0.43) & (np.abs(across) < 0.34)
    twice = np.abs(along) < 0.31
    coverage = np.where(seen, np.where(twice, 24.0, 12.0) + rng.integers(-3, 4, (size, size)), 0.0)

    image = background + 0.4 * cirrus(size, rng)
    _sources(image, rng, count=max(8, size * size // 4000), fwhm=fwhm)
    with np.errstate(divide="ignore"):
        error = np.where(seen, noise / np.sqrt(coverage), np.nan)
    image += np.where(seen, error, 0.0) * rng.standard_normal((size, size))
    image[~seen] = np.nan
    return Map(image, error, coverage)


def scan_timeline(
    rows: int, channels: int, seed: int, *, ra: float, dec: float, start: float
) -> Scan:
    """Make the timeline of one scan.

    Parameters
    ----------
    rows, channels
        Number of samples and of bolometers.
    seed
        The same seed gives the same timeline.
    ra, dec
        Centre in degrees, ICRS.
    start
        Time of the first sample, TAI seconds since 1958.

    Returns
    -------
    Scan
    """
    rng = np.random.default_rng(seed)
    step = np.arange(rows)
    time = start + step / 18.6
    leg = max(1, rows // 40)
    place = (step % leg) / leg
    forth = (step // leg) % 2 == 0
    scan_dec = dec + 0.5 * np.where(forth, place, 1 - place) - 0.25
    scan_ra = ra + (0.6 * (step // leg) / 40 - 0.3) / np.cos(np.deg2rad(dec))
    drift = np.cumsum(rng.standard_normal(rows)) * 1e-6
    signal = 2.5e-3 + drift[:, None] + 2e-6 * rng.standard_normal((rows, channels))
    mask = np.zeros(rows, np.int32)
    mask[rng.integers(0, rows, max(1, rows // 500))] = 64  # glitches
    mask[step % leg < leg // 50] |= 8  # turnarounds
    return Scan(time, scan_ra, scan_dec, signal, mask)


_LINES_GHZ = (461.04, 492.16, 576.27, 691.47, 806.65, 809.34, 921.80)  # CO and [CI]


def spectrum(
    channels: int, seed: int, *, first: float = 447.0, last: float = 1000.0
) -> tuple[Floats, Floats, Floats]:
    """Make a spectrum: continuum, lines with the sidelobes of a Fourier spectrometer, noise.

    Parameters
    ----------
    channels
        Number of channels.
    seed
        The same seed gives the same spectrum.
    first, last
        Frequencies of the ends in GHz.

    Returns
    -------
    wave, flux, error : ndarray
        Shape (channels,); GHz, Jy, Jy.
    """
    rng = np.random.default_rng(seed)
    wave = np.linspace(first, last, channels)
    flux = 8.0 * (wave / 700.0) ** 2.8
    for number, line in enumerate(_LINES_GHZ):
        flux += (14.0 - number) * np.sinc((wave - line) / 1.2)
    error = np.full(channels, 0.35) * (1 + ((wave - 700.0) / 400.0) ** 2)
    return wave, flux + error * rng.standard_normal(channels), error


def spectral_cube(channels: int, size: int, seed: int) -> tuple[Floats, Floats]:
    """Make a spectral cube of an extended source.

    Parameters
    ----------
    channels, size
        Number of channels, and length of a side in pixels.
    seed
        The same seed gives the same cube.

    Returns
    -------
    flux, error : ndarray
        Shape (channels, size, size); pixels in the corners are NaN.
    """
    rng = np.random.default_rng(seed)
    _, flux, _ = spectrum(channels, seed)
    axis = np.linspace(-1, 1, size)
    radius = np.hypot(axis[:, None], axis[None, :])
    shape = np.exp(-3 * radius**2) * (1 + 0.1 * cirrus(size, rng))
    error = np.full((channels, size, size), 0.02)
    cube = flux[:, None, None] / 100 * shape + error * rng.standard_normal((channels, size, size))
    cube[:, radius > 1.15] = np.nan
    error[:, radius > 1.15] = np.nan
    return cube, error
