"""Products of made observations of all instruments and modes: few pixels, real structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from skypool.testing.herschel.hcss import Column, Dataset, Group, Image, Made, Par, Table
from skypool.testing.herschel.headers import Run, header, history

__all__ = ["SAMPLES", "Sample", "products"]

_IMAGE = "herschel.ia.dataset.image.SimpleImage"
_PRODUCT = "herschel.ia.dataset.Product"
_STAMPS = (1469548187623, 1499900000000)


@dataclass(frozen=True, slots=True)
class Sample:
    """An observation that can be made.

    Attributes
    ----------
    obsid, od : int
    instrument, mode, target : str
        `mode` is the name of the observing mode (obsMode).
    ra, dec : float
        Degrees, ICRS.
    start : str
        UTC.
    with_ : int
        The observation that levels 2.5 and 3 combine it with; 0 for none.
    reprocessed : bool
        Whether it was processed a second time: other files of level 2, a newer pipeline.
    brightness : float
        About the largest value of its maps, in their units: a source in the middle.
    """

    obsid: int
    od: int
    instrument: str
    mode: str
    target: str
    ra: float
    dec: float
    start: str
    with_: int = 0
    reprocessed: bool = False
    brightness: float = 1.0

    @property
    def is_parallel(self) -> bool:
        """Whether the other instrument observed at the same time."""
        return "Parallel" in self.mode

    def stamp(self, level: str) -> int:
        """Return the time in the names of the files of a level."""
        return _STAMPS[self.reprocessed and level == "20"]


#: One of each sort, by name.
SAMPLES = {
    "spire-map": Sample(
        1342263815, 1406, "SPIRE", "SpirePhotoLargeScan", "m83", 204.2538, -29.8658,
        "2013-02-17T01:10:35.261674", 1342263816,
    ),
    "pacs-map": Sample(
        1342237160, 931, "PACS", "Scan map", "HD 10647", 25.6221, -53.7408,
        "2012-01-13T09:24:06.000000", 1342237161,
    ),
    "spire-fts": Sample(
        1342247572, 1121, "SPIRE", "SpireSpectroPoint", "Orion Bar", 83.8375, -5.4170,
        "2012-06-24T05:18:00.000000",
    ),
    "pacs-line": Sample(
        1342223728, 772, "PACS", "PacsLineSpec", "NGC 7027", 316.7571, 42.2361,
        "2011-07-04T12:00:00.000000",
    ),
    "hifi-point": Sample(
        1342191794, 293, "HIFI", "HifiSScanModeDBS", "IRAS 16293", 248.0954, -24.4756,
        "2010-03-03T01:10:00.000000", 1342191762,
    ),
    "parallel-pacs": Sample(
        1342218995, 686, "PACS", "Parallel Mode", "l013", 273.9, -17.3,
        "2011-04-10T02:00:00.000000", 1342218996,
    ),
    "parallel-spire": Sample(
        1342218995, 686, "SPIRE", "Parallel Mode", "l013", 273.9, -17.3,
        "2011-04-10T02:00:00.000000", 1342218996,
    ),
}  # fmt: skip


def products(sample: Sample) -> Iterator[tuple[str, Made]]:
    """Give the products of an observation with their places in its folder.

    Parameters
    ----------
    sample
        Which one.

    Yields
    ------
    path : str
        `<level or role>/<key>/[<class>/]<file>`, in an archive's layout.
    made : Made
    """
    makers = {
        ("PACS", False): _pacs_maps,
        ("SPIRE", False): _spire_maps,
        ("PACS", True): _pacs_cubes,
        ("SPIRE", True): _spire_spectra,
        ("HIFI", True): _hifi,
    }
    spectra = "Spec" in sample.mode or sample.instrument == "HIFI"
    yield from makers[sample.instrument, spectra](sample)
    yield from _around(sample)


def _about(sample: Sample, kind: str, text: str, level: str, **more: Par) -> dict[str, Par]:
    run = Run(reprocessed=sample.reprocessed)
    meta = header(run, kind, text, sample.instrument, level)
    end = sample.start.replace(":", ":", 1)[:11] + "23:59:00.000000"
    return meta | {
        "obsid": replace_value(meta["obsid"], sample.obsid),
        "odNumber": replace_value(meta["odNumber"], sample.od),
        "object": replace_value(meta["object"], sample.target),
        "obsMode": replace_value(meta["obsMode"], sample.mode),
        "cusMode": replace_value(meta["cusMode"], sample.mode.replace(" ", "")),
        "startDate": replace_value(meta["startDate"], sample.start),
        "endDate": replace_value(meta["endDate"], end),
        "ra": replace_value(meta["ra"], sample.ra),
        "dec": replace_value(meta["dec"], sample.dec),
        **more,
    }


def replace_value(par: Par, value: int | float | str) -> Par:
    """Return a parameter with another value."""
    return par._replace(value=value)


def _rng(sample: Sample, *what: object) -> np.random.Generator:
    seed = sum(ord(letter) * 31**n for n, letter in enumerate(f"{sample.obsid}{what}"))
    return np.random.default_rng(seed % 2**63)


def _map(sample: Sample, kind: str, text: str, level: str, band: str, unit: str) -> Made:
    """Make a map; reprocessed, its image and error change and its coverage does not."""
    rng = _rng(sample, kind, band)
    coverage = np.where(rng.random((48, 48)) < 0.9, rng.integers(5, 25, (48, 48)), 0.0)
    newer = sample.reprocessed and level == "20"
    row, column = np.indices((48, 48)) - 23.5
    source = np.exp(-(row**2 + (column / 2) ** 2) / 40.0) + rng.normal(0.1, 0.03, (48, 48))
    image = sample.brightness * source * (1.01 if newer else 1.0)
    image[coverage == 0] = np.nan
    frame = {
        "crpix1": Par(24.5), "crpix2": Par(24.5), "crval1": Par(sample.ra),
        "crval2": Par(sample.dec), "cdelt1": Par(-0.002), "cdelt2": Par(0.002),
        "ctype1": Par("RA---TAN"), "ctype2": Par("DEC--TAN"),
    }  # fmt: skip
    wavelength = {"PSW": 250.0, "PMW": 350.0, "PLW": 500.0, "B": 70.0, "R": 160.0}[band]
    about = _about(
        sample, kind, text, level, wavelength=Par(wavelength, "micrometer", "Wavelength"), **frame
    )
    datasets: dict[str, Dataset] = {
        "image": Image(data=image, unit=unit, meta=frame),
        "error": Image(data=np.abs(image) * 0.02, unit=unit, meta=frame),
        "coverage": Image(data=coverage, unit="1", meta=frame),
        "History": history(Run(reprocessed=newer), "highpassFilter", "photProject"),
    }
    return Made(class_name=_IMAGE, meta=about, datasets=datasets)


def _combined(sample: Sample, made: Made) -> Made:
    """Make a product one of two observations: it names both, and is of the first."""
    more = {
        "obsid001": Par(sample.obsid, "", "Observation identifier"),
        "obsid002": Par(sample.with_, "", "Observation identifier"),
    }
    return replace(made, meta={**made.meta, **more})


def _table(sample: Sample, kind: str, text: str, level: str, class_name: str) -> Made:
    rng = _rng(sample, kind, text)
    rows = 200
    columns = {
        "time": Column(np.arange(rows) / 18.6, "s", "Time"),
        "signal": Column(rng.normal(0, 1e-3, rows), "V", "Signal"),
    }
    about = _about(sample, kind, text, level)
    return Made(class_name=class_name, meta=about, datasets={"signal": Table(columns=columns)})


def _spire_maps(sample: Sample) -> Iterator[tuple[str, Made]]:
    spire, obsid = "hspirephotometer", sample.obsid
    early = sample.stamp("10")
    timeline = "herschel.spire.ia.dataset.PointedPhotScan"
    yield (
        f"level0/RPDT/{spire}{obsid}_00rpdt_{early}.fits.gz",
        _table(sample, "RPDT", "Raw timeline", "00", _PRODUCT),
    )
    for part in (1, 2):
        name = f"{spire}{obsid}_a106000{part}_10psp_{early}.fits.gz"
        yield f"level1/PSP/{name}", _table(sample, "PSP", f"Scan {part}", "10", timeline)
    for band in ("PSW", "PMW", "PLW"):
        for sort, unit in (("psrc", "Jy/beam"), ("extd", "MJy/sr")):
            key = f"{sort}{band}"
            low = f"hspire{band.lower()}"
            name = f"{low}{obsid}_20{'pmp' if sort == 'psrc' else 'pxmp'}_{sample.stamp('20')}"
            made = _map(
                sample, "PXMP" if sort == "extd" else "PMP", f"Map {band}", "20", band, unit
            )
            yield f"level2/{key}/{name}.fits.gz", made
            if sample.with_:
                name = f"{low}696_25pxmp_1823_m1335_{obsid}_{sample.with_}_{early}.fits.gz"
                deep = _map(sample, "PXMP", f"Combined map {band}", "25", band, unit)
                yield f"level2_5/{key}/{name}", _combined(sample, deep)


def _pacs_maps(sample: Sample) -> Iterator[tuple[str, Made]]:
    obsid, early, late = sample.obsid, sample.stamp("10"), sample.stamp("20")
    frames = "herschel.pacs.signal.Frames"
    for number in range(2):
        name = f"hpacs{obsid}_05hppavgbs_{number:02d}_{early}.fits.gz"
        made = _table(sample, "HPPAVGBS", f"Frames {number}", "05", frames)
        yield f"level0_5/HPPAVGB/{frames}/{name}", made
    for band in "BR":
        made = _map(sample, f"HPPPMAP{band}", f"Map {band}", "20", band, "Jy/pixel")
        yield f"level2/HPPPMAP{band}/hpacs{obsid}_20hpppmap{band.lower()}_00_{late}.fits.gz", made
        if not sample.with_:
            continue
        colour = "blue" if band == "B" else "red"
        for key in (f"HPPHPFMAP{band}", f"HPPJSMAP{band}"):
            deep = _combined(sample, _map(sample, key, f"Combined {key}", "25", band, "Jy/pixel"))
            name = f"hpacs_25{key}_{colour}_1822_m1337_00_v1.0_{early}.fits.gz"
            yield f"level2_5/{key}/{name}", deep
    if sample.with_:
        deep = _combined(sample, _map(sample, "HPPUNIMAPB", "Mosaic", "30", "B", "Jy/pixel"))
        name = f"hpacs_30HPPUNIMAPB_blue_1822_m1337_00_v1.0_{early}.fits.gz"
        yield f"level3/HPPUNIMAPB/{name}", deep


def _cube(sample: Sample, kind: str, text: str, class_name: str, number: int) -> Made:
    rng = _rng(sample, kind, number)
    flux = rng.normal(5, 1, (30, 5, 5)) * (1.02 if sample.reprocessed else 1.0)
    wave = np.linspace(157 + number, 159 + number, 30)
    about = _about(sample, kind, text, "20", sliceNumber=Par(number, "", "Number of the slice"))
    datasets: dict[str, Dataset] = {
        "image": Image(data=flux, unit="Jy", description="Flux"),
        "wave": Image(data=wave, unit="micrometer", description="Wavelength"),
    }
    return Made(class_name=class_name, meta=about, datasets=datasets)


def _pacs_cubes(sample: Sample) -> Iterator[tuple[str, Made]]:
    cube, rebinned = "herschel.pacs.signal.PacsCube", "herschel.pacs.signal.PacsRebinnedCube"
    late = sample.stamp("20")
    for key, class_name, count in (("HPS3DB", cube, 3), ("HPS3DR", cube, 2),
                                   ("HPS3DRB", rebinned, 1)):  # fmt: skip
        for number in range(count):
            name = f"hpacs{sample.obsid}_20{key.lower()}s_{number:02d}_{late}.fits.gz"
            made = _cube(sample, f"{key}S", f"Cube {number}", class_name, number)
            yield f"level2/{key}/{class_name}/{name}", made
    rng = _rng(sample, "HPSTBRB")
    columns = {
        name: Column(rng.random(100), unit, name)
        for name, unit in (("RightAscension", "deg"), ("Declination", "deg"),
                           ("Wavelength", "micrometer"), ("Flux", "Jy"))
    }  # fmt: skip
    about = _about(sample, "HPSTBRB", "Table of rebinned spectra", "20")
    made = Made(class_name=_PRODUCT, meta=about, datasets={"Spectra": Table(columns=columns)})
    yield f"level2/HPSTBRB/hpacs{sample.obsid}_20hpstbrb_00_{late}.fits.gz", made


def _spectrum(sample: Sample, detector: str) -> Table:
    rng = _rng(sample, detector)
    wave = np.linspace(447.0, 1000.0, 120)
    columns = {
        "wave": Column(wave, "GHz", "Frequency"),
        "flux": Column(rng.normal(20, 1, 120), "Jy", "Flux density"),
        "error": Column(np.full(120, 0.4), "Jy", "Standard deviation"),
    }
    return Table(columns=columns, description=f"Spectrum of {detector}")


def _spire_spectra(sample: Sample) -> Iterator[tuple[str, Made]]:
    start = f"hspirespectrometer{sample.obsid}_spg"
    late = sample.stamp("20")
    for array in ("SLW", "SSW"):
        cube = _cube(sample, "SPC", f"Cube {array}",
                     "herschel.ia.dataset.spectrum.SpectralSimpleCube", 0)  # fmt: skip
        yield f"level2/HR_{array}_cube/{start}_{array}_HR_20spc_{late}.fits.gz", cube
        rows = Table(columns={
            "longitude": Column(np.full(40, sample.ra), "deg"),
            "latitude": Column(np.full(40, sample.dec), "deg"),
            "wave": Column(np.tile(np.linspace(447.0, 1000.0, 50), (40, 1)), "GHz"),
            "flux": Column(_rng(sample, array).normal(20, 1, (40, 50)), "Jy"),
        })  # fmt: skip
        about = _about(sample, "SPC2D", f"Spectra {array}", "20")
        made = Made(class_name="herschel.ia.dataset.spectrum.Spectrum2d", meta=about,
                    datasets={"spectrum2d": rows})  # fmt: skip
        yield f"level2/HR_{array}_spectrum2d/{start}_{array}_HR_20spss_{late}.fits.gz", made
    detectors = {name: _spectrum(sample, name) for name in ("SLWC3", "SSWD4")}
    point = Made(
        class_name="herschel.ia.dataset.spectrum.Spectrum1d",
        meta=_about(sample, "SSP", "Point source spectrum", "20"),
        datasets={"0000": Group(datasets=detectors, description="Scan 0")},
    )
    yield f"level2/HR_spectrum_point/{start}_HR_20ssp_{late}.fits.gz", point


def _hifi(sample: Sample) -> Iterator[tuple[str, Made]]:
    late, early = sample.stamp("20"), sample.stamp("10")
    for backend in ("WBS-H-USB", "WBS-H-LSB", "WBS-V-USB", "WBS-V-LSB"):
        low = backend.replace("-", "").lower()
        for box in ("box_001", "box_002"):
            boxes = {name: _spectrum(sample, f"{backend}{box}{name}") for name in ("0001", "0002")}
            made = Made(
                class_name="herschel.hifi.pipeline.product.HifiTimelineProduct",
                meta=_about(sample, "HTP", f"{backend} {box}", "20", backend=Par(backend)),
                datasets={"summary": _spectrum(sample, "summary"), **boxes},
            )
            name = f"hhifi{low}{sample.obsid}_20{box.replace('_', '')}_{late}.fits.gz"
            yield f"level2/{backend}/{box}/{name}", made
    for arm in ("H", "V"):
        made = Made(
            class_name="herschel.hifi.pipeline.product.HifiSpectrumProduct",
            meta=_about(sample, "SSV", f"Deconvolved spectrum {arm}", "25"),
            datasets={"ssb": _spectrum(sample, f"ssb{arm}")},
        )
        name = f"hhifiwbs{arm.lower()}ssb{sample.obsid}_25ssv20_{early}.fits.gz"
        yield f"level2_5/myDecon/myDecon_WBS-{arm}/{name}", _combined(sample, made)


def _around(sample: Sample) -> Iterator[tuple[str, Made]]:
    """Give what all observations have besides their levels."""
    obsid, stamp = sample.obsid, sample.stamp("10")
    general = partial(_shared, sample)
    for key, class_name in (
        ("pointing", "herschel.ia.obs.auxiliary.pointing.PointingProduct"),
        ("orbitEphemeris", "herschel.ia.obs.auxiliary.orbit.OrbitEphemerisProduct"),
        ("timeCorrelation", "herschel.ia.obs.auxiliary.timecorr.TimeCorrelationProduct"),
        ("siam", "herschel.ia.obs.auxiliary.siam.SiamProduct"),
    ):
        name = f"haux{key.lower()}{sample.od}_{stamp}.fits.gz"
        yield f"auxiliary/{key}/{name}", general(key.upper(), "SC", class_name)
    branch = "spec" if "Spec" in sample.mode or sample.instrument == "HIFI" else "phot"
    for key in ("BeamProf", "ChanGain"):
        name = f"{sample.instrument[0]}Cal{key}_v3.fits.gz"
        yield f"calibration/{branch}/{key}/{name}", general(key, sample.instrument, _PRODUCT)
    about = _about(sample, "QUALITY", "Quality report", "QUALITY")
    about |= {"state": Par("PASSED", "", "State of the quality control")}
    report = Made(class_name="herschel.ia.obs.quality.QualityControlProduct", meta=about)
    yield f"quality/report/hquality{obsid}_{stamp}.fits.gz", report
    log = _table(sample, "OBSLOG", "Log of the processing", "LOG", _PRODUCT)
    yield f"logObsContext/processing/hlog{obsid}_{stamp}.fits.gz", log
    small = Image(data=_rng(sample, "browse").integers(0, 255, (32, 32)).astype(np.uint8))
    browse = Made(
        class_name="herschel.ia.dataset.image.BrowseImageProduct",
        meta=_about(sample, "BROWSE", "Browse image", "BROWSE"),
        datasets={"image": small},
    )
    yield f"browseImageProduct/hbrowse{obsid}_{stamp}.fits.gz", browse
    yield f"browseProduct/hbrowseproduct{obsid}_{stamp}.fits.gz", browse


def _shared(sample: Sample, key: str, instrument: str, class_name: str) -> Made:
    """Make a product that serves many observations, and so names none."""
    about = _about(sample, key, f"{key} product", "CAL")
    left_out = ("obsid", "object", "observer", "proposal", "ra", "dec", "obsMode", "cusMode")
    meta = {name: par for name, par in about.items() if name not in left_out}
    meta["instrument"] = Par(instrument)
    rng = np.random.default_rng(len(key))
    columns = {"time": Column(np.arange(50.0), "s"), "value": Column(rng.random(50), "1")}
    return Made(class_name=class_name, meta=meta, datasets={key: Table(columns=columns)})
