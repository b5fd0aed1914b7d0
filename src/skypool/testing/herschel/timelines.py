"""Levels 0 to 1, auxiliary data and quality of the made observation."""

from __future__ import annotations

import numpy as np

from skypool.testing.herschel import scenes
from skypool.testing.herschel.hcss import Column, Image, Made, Par, Table
from skypool.testing.herschel.headers import DEC, RA, START_TAI, Run, header

__all__ = [
    "housekeeping",
    "orbit",
    "pointing",
    "quality",
    "ramps",
    "raw_timeline",
    "scan",
    "voltages",
]


def ramps(run: Run) -> Made:
    """Make the averaged ramps of the blue PACS camera."""
    rng = np.random.default_rng(1)
    frames = run.rows(4000)
    signal = (20000 + 40 * rng.standard_normal((frames, 16, 32))).astype(np.int16)
    time = START_TAI + np.arange(frames) / 10
    meta = header(
        run,
        "HPPAVGB",
        "Averaged ramps, blue camera",
        "PACS",
        "00",
        camera=Par("PHOTBLUE", "", "Camera"),
    )
    status = Table(
        columns={
            "TIME": Column(time, "s", "TAI since 1958"),
            "BBID": Column(np.full(frames, 215131301)),
        }
    )
    return Made(
        class_name="herschel.ia.dataset.Product",
        meta=meta,
        datasets={
            "Signal": Image(data=signal, unit="adu", description="Ramps"),
            "Status": status,
        },
    )


def raw_timeline(run: Run) -> Made:
    """Make raw detector counts of SPIRE."""
    rng = np.random.default_rng(2)
    rows = run.rows(200_000)
    columns = {"sampleTime": Column(START_TAI + np.arange(rows) / 18.6, "s", "TAI since 1958")}
    for channel in range(8):
        counts = 31000 + 25 * rng.standard_normal(rows) + 400 * channel
        columns[f"PSWA{channel + 1}"] = Column(counts.astype(np.int32), "adu", "Raw counts")
    return Made(
        class_name="herschel.spire.ia.dataset.PhotDetectorTimeline",
        meta=header(run, "RPDT", "Raw photometer detector timeline", "SPIRE", "00"),
        datasets={"signal": Table(columns=columns, description="Raw counts")},
    )


def voltages(run: Run, part: int) -> Made:
    """Make detector voltages of one scan direction."""
    scan = _scan(run, 120_000, 12, part)
    columns = {"sampleTime": Column(scan.time, "s", "TAI since 1958")}
    for channel in range(12):
        columns[f"PSWA{channel + 1}"] = Column(
            scan.signal[:, channel], "V", "Voltage across the bolometer"
        )
    return Made(
        class_name="herschel.spire.ia.dataset.PhotDetectorTimeline",
        meta=header(
            run, "PDT", "Photometer detector timeline", "SPIRE", "05", bbid=Par(f"a106000{part}")
        ),
        datasets={"voltage": Table(columns=columns, description="Voltages")},
    )


def scan(run: Run, part: int) -> Made:
    """Make the calibrated timeline of one scan direction."""
    scan = _scan(run, 300_000, 1, part)
    signal = Table(
        description="Calibrated signal of one bolometer",
        columns={
            "sampleTime": Column(scan.time, "s", "TAI since 1958"),
            "ra": Column(scan.ra, "deg", "Right ascension"),
            "dec": Column(scan.dec, "deg", "Declination"),
            "signal": Column((scan.signal[:, 0] * 1e3).astype(np.float32), "Jy/beam", "Signal"),
            "mask": Column(scan.mask, "", "8 turnaround, 64 glitch"),
        },
    )
    return Made(
        class_name="herschel.spire.ia.dataset.PointedPhotScan",
        meta=header(run, "PSP", "Pointed scan", "SPIRE", "10", bbid=Par(f"a106000{part}")),
        datasets={"signal": signal},
    )


def _scan(run: Run, rows: int, channels: int, part: int) -> scenes.Scan:
    start = START_TAI + 4000.0 * (part - 1)
    return scenes.scan_timeline(
        run.rows(rows), channels, 10 * rows + part, ra=RA, dec=DEC, start=start
    )


def housekeeping(run: Run) -> Made:
    """Make the housekeeping timeline."""
    rng = np.random.default_rng(3)
    rows = run.rows(9000)
    columns = {
        "sampleTime": Column(START_TAI + np.arange(rows, dtype=float), "s", "TAI since 1958")
    }
    for name, level in (("SUBKTEMP", 0.287), ("BSMSLEEPTEMP", 4.6), ("PUMPHTRTEMP", 1.7)):
        columns[name] = Column(level + 1e-4 * rng.standard_normal(rows), "K", "Temperature")
    return Made(
        class_name="herschel.spire.ia.dataset.NominalHousekeepingTimeline",
        meta=header(run, "NHKT", "Nominal housekeeping timeline", "SPIRE", "05"),
        datasets={"signal": Table(columns=columns)},
    )


def pointing(run: Run) -> Made:
    """Make the pointing history."""
    scan = _scan(run, 60_000, 1, 1)
    roll = np.full(len(scan.time), 113.6)
    columns = {
        "obt": Column(scan.time, "s", "TAI since 1958"),
        "ra": Column(scan.ra, "deg", "Right ascension"),
        "dec": Column(scan.dec, "deg", "Declination"),
        "roll": Column(roll, "deg", "Roll angle"),
    }
    return Made(
        class_name="herschel.ia.obs.auxiliary.pointing.PointingProduct",
        meta=header(run, "POINTING", "Pointing history", "SC", "AUX"),
        datasets={"pointing": Table(columns=columns)},
    )


def orbit(run: Run) -> Made:
    """Make the orbit around L2."""
    phase = np.linspace(0, 2 * np.pi, 178)
    path = np.stack([4e5 * np.cos(phase), 7e5 * np.sin(phase), 3e5 * np.cos(phase)], axis=1)
    columns = {
        "day": Column(np.arange(178.0), "d", "Day"),
        "position": Column(path, "km", "Geocentric position"),
    }
    return Made(
        class_name="herschel.ia.obs.auxiliary.orbit.OrbitEphemerisProduct",
        meta=header(run, "ORBIT", "Orbit ephemeris", "SC", "AUX"),
        datasets={"orbit": Table(columns=columns)},
    )


def quality(run: Run) -> Made:
    """Make the quality report."""
    meta = header(run, "QUALITY", "Quality report", "SPIRE", "QUALITY")
    meta |= {
        "state": Par("PASSED", "", "State of the quality control"),
        "qflag_SPSTHMAN_p": Par(False, "", "Thermal anomaly"),
        "qflag_TM2LOST_p": Par(3, "", "Lost telemetry packets"),
    }
    return Made(class_name="herschel.ia.obs.quality.QualityControlProduct", meta=meta)
