"""Level 2 and calibration of the made observation."""

from __future__ import annotations

import numpy as np

from skypool.testing.herschel import scenes
from skypool.testing.herschel.hcss import Column, Dataset, Image, Made, Par, Table
from skypool.testing.herschel.headers import Run, header, history, wcs

__all__ = [
    "PACS",
    "SPIRE",
    "bad_pixels",
    "beam",
    "cube",
    "filters",
    "gains",
    "pacs_map",
    "spectrum",
    "spire_map",
]

# Side in pixels, pixel in arcsec, wavelength in um.
SPIRE = {"PSW": (1400, 6.0, 250.0), "PMW": (840, 10.0, 350.0), "PLW": (600, 14.0, 500.0)}
PACS = {"HPPPMAPB": (1800, 2.0, 70.0, "PHOTBLUE"), "HPPPMAPR": (900, 4.0, 160.0, "PHOTRED")}


def spire_map(run: Run, band: str) -> Made:
    """Make a map of SPIRE; reprocessed, PSW changes in a patch, PMW in its gain, PLW not at all."""
    full, pixel, wavelength = SPIRE[band]
    size = run.size(full)
    made = scenes.scan_map(
        size, seed=round(wavelength), angle=23.6, fwhm=3.0, noise=0.9, background=4.0
    )
    image, error = made.image, made.error
    if run.reprocessed and band == "PSW":
        low = (size - 64) // 2
        image[low : low + 64, low : low + 64] += 0.25
    if run.reprocessed and band == "PMW":
        image, error = image * 1.012, error * 1.012
    frame = wcs(size, full, pixel)
    meta = header(run,
        "PXMP", "Final zero-level corrected extended calibrated map", "SPIRE", "20", **frame,
        arrayName=Par(band, "", "Name of bolometer array"),
        unit=Par("MJy/sr", "", "Unit of the signal"),
        wavelength=Par(wavelength, "micrometer", "The reference wavelength"),
        hfiColor=Par("5", "", "HFI-SPIRE colour correction version used"),
        zPointOffset=Par(3.7077262754793114, "MJy sr-1",
                         "Offset added to SPIRE image by cross-calibration with Planck"),
    )  # fmt: skip
    return Made(
        class_name="herschel.ia.dataset.image.SimpleImage",
        meta=meta,
        datasets={
            "image": Image(data=image, unit="MJy/sr", description="Image", meta=frame),
            "error": Image(data=error, unit="MJy/sr", description="Error", meta=frame),
            "coverage": Image(data=made.coverage, unit="1", description="Coverage", meta=frame),
            "History": history(
                run, "cutPhotDetTimelines", "baselineRemovalMedian", "naiveScanMapper"
            ),
        },
    )


def pacs_map(run: Run, key: str) -> Made:
    """Make a map of PACS; reprocessed, the blue one has new noise and the red one a new header."""
    full, pixel, wavelength, camera = PACS[key]
    size = run.size(full)
    made = scenes.scan_map(size, seed=round(wavelength), angle=-31.0, fwhm=2.5, noise=2.4e-3)
    image = made.image * 0.05
    if run.reprocessed and key == "HPPPMAPB":
        image += 1e-4 * np.random.default_rng(4).standard_normal(image.shape)
    frame = wcs(size, full, pixel, rotation=12.5)
    units: dict[str, Dataset] = {
        "image": Image(data=image, unit="Jy/pixel", description="Image", meta=frame),
        "coverage": Image(data=made.coverage, unit="1", description="Coverage", meta=frame),
        "stDev": Image(
            data=np.abs(image) * 0.02,
            unit="Jy/pixel",
            description="Standard deviation",
            meta=frame,
        ),
        "error": Image(data=made.error, unit="Jy/pixel", description="Error", meta=frame),
        "History": history(run, "photRespFlatfieldCorrection", "highpassFilter", "photProject"),
    }
    meta = header(run,
        key, "Photometry astrometrical map", "PACS", "20", **frame,
        camera=Par(camera, "", "Camera"),
        wavelength=Par(wavelength, "micrometer", "Filter reference wavelength"),
        pixelSize=Par(pixel, "arcsec", "Output pixel size used in the final projection"),
    )  # fmt: skip
    return Made(class_name="herschel.ia.dataset.image.SimpleImage", meta=meta, datasets=units)


def spectrum(run: Run) -> Made:
    """Make the spectrum of the central detector; reprocessed, only the flux changes."""
    wave, flux, error = scenes.spectrum(max(500, run.rows(3700)), seed=5)
    if run.reprocessed:
        flux = flux * 1.018
    table = Table(
        description="Spectrum",
        columns={
            "wave": Column(wave, "GHz", "Frequency"),
            "flux": Column(flux, "Jy", "Flux density"),
            "error": Column(error, "Jy", "Standard deviation"),
            "mask": Column(np.zeros(len(wave), np.int32), "", "Mask"),
        },
    )
    return Made(
        class_name="herschel.ia.dataset.spectrum.Spectrum1d",
        meta=header(
            run, "SSP", "Point source calibrated spectrum", "SPIRE", "20", detector=Par("SLWC3")
        ),
        datasets={"SLWC3": table},
    )


def cube(run: Run) -> Made:
    """Make the spectral cube; reprocessed, some channels change."""
    channels, size = max(48, run.rows(300)), 48
    flux, error = scenes.spectral_cube(channels, size, seed=6)
    if run.reprocessed:
        flux[40:44] *= 1.05
    frame = wcs(size, size, 17.5)
    frame |= {
        "crpix3": Par(1.0, "", "WCS: Reference pixel position axis 3, unit=Scalar"),
        "crval3": Par(447.0, "", "WCS: Third coordinate of reference pixel"),
        "cdelt3": Par(553.0 / (channels - 1), "", "WCS: Pixel scale axis 3"),
        "ctype3": Par("FREQ", "", "WCS: Projection type axis 3"),
        "cunit3": Par("GHz", "", "WCS: Unit axis 3"),
    }
    return Made(
        class_name="herschel.ia.dataset.spectrum.SpectralSimpleCube",
        meta=header(run, "SPC", "Spectral cube", "SPIRE", "20", **frame),
        datasets={
            "image": Image(data=flux, unit="W m-2 Hz-1 sr-1", description="Flux", meta=frame),
            "error": Image(data=error, unit="W m-2 Hz-1 sr-1", description="Error", meta=frame),
        },
    )


def beam(run: Run) -> Made:
    """Make the image of the beam at 250 um."""
    axis = np.arange(401) - 200.0
    radius = axis[:, None] ** 2 + axis[None, :] ** 2
    beam = np.exp(-radius * 4 * np.log(2) / 18.0**2) + 1e-3 / (1 + radius / 900)
    return _calibration(
        run,
        "SCalPhotBeamProf",
        "Beam profile",
        "SPIRE",
        {"image": Image(data=beam, unit="1", description="Beam")},
    )


def gains(run: Run) -> Made:
    """Make the table of gains."""
    names = np.array([f"PSW{letter}{n}" for letter in "ABCDEFGHJ" for n in range(1, 16)])
    gain = 1 + 0.02 * np.random.default_rng(7).standard_normal(len(names))
    columns = {
        "names": Column(names, "", "Detector"),
        "gain": Column(gain, "", "Relative gain"),
    }
    return _calibration(
        run, "SCalPhotChanGain", "Relative gains", "SPIRE", {"PSW": Table(columns=columns)}
    )


def filters(run: Run) -> Made:
    """Make the transmission of the filters."""
    wave = np.linspace(40, 300, 2601)
    datasets: dict[str, Dataset] = {}
    for name, centre, width in (
        ("blue1", 70.0, 12.0),
        ("blue2", 100.0, 18.0),
        ("red", 160.0, 40.0),
    ):
        curve = 0.5 / (1 + np.abs((wave - centre) / width) ** 6)
        datasets[name] = Table(
            columns={
                "wavelength": Column(wave, "um", "Wavelength"),
                "transmission": Column(curve, "", "Transmission"),
            }
        )
    return _calibration(run, "PCalFilterTransmission", "Filter transmission", "PACS", datasets)


def bad_pixels(run: Run) -> Made:
    """Make the masks of bad pixels."""
    rng = np.random.default_rng(8)
    masks: dict[str, Dataset] = {
        name: Image(data=(rng.random(shape) < 0.02).astype(np.uint8), description="1 is bad")
        for name, shape in (("blue", (32, 64)), ("red", (16, 32)))
    }
    return _calibration(run, "PCalBadPixelMask", "Bad pixels", "PACS", masks)


def _calibration(
    run: Run, kind: str, text: str, instrument: str, datasets: dict[str, Dataset]
) -> Made:
    meta = header(run, kind, text, instrument, "CAL")
    for key in (
        "obsid",
        "object",
        "observer",
        "proposal",
        "ra",
        "dec",
        "raNominal",
        "decNominal",
    ):
        del meta[key]  # calibration serves many observations
    return Made(class_name="herschel.ia.dataset.Product", meta=meta, datasets=datasets)
