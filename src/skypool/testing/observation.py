"""A made observation like those of Herschel's archive, in the archive's layout of folders.

The observation is deterministic, needs numpy only, and is at full size about 230 MB in
21 files: raw and calibrated timelines, maps of SPIRE and PACS with errors and coverage,
a spectrum, a spectral cube, calibration, auxiliary data and a quality report, written in
the FITS convention of Herschel's software. `reprocess` makes level 2 again with a newer
calibration, the way a pipeline would: some arrays change, the coverage maps do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from skypool.testing.herschel import science, timelines
from skypool.testing.herschel.archive import write_product
from skypool.testing.herschel.hcss import Made
from skypool.testing.herschel.headers import OBSID, Run

__all__ = ["OBSID", "Plan", "observation", "reprocess", "write"]

_STAMP = "1469548187623"  # milliseconds since 1970, as the archive's names have it


@dataclass(frozen=True, slots=True)
class Plan:
    """A file of the observation, made when it is asked for.

    Attributes
    ----------
    path
        Path below the observation's folder: level, reference key, file.
    make
        Makes the product.
    """

    path: str
    make: Callable[[], Made]


def write(folder: Path, scale: float = 1.0) -> Path:
    """Write the observation below a folder.

    Parameters
    ----------
    folder
        Where the observation's folder is made.
    scale
        Fraction of the full amount of data.

    Returns
    -------
    Path
        The observation's folder, named by its number.
    """
    root = folder / str(OBSID)
    _write_all(root, observation(scale))
    return root


def reprocess(root: Path, scale: float = 1.0) -> list[Path]:
    """Replace the level 2 files by those of a newer calibration.

    One map changes only in a patch of 64 x 64 pixels, two only in their headers; images,
    errors and fluxes of the others change; no coverage map does.

    Parameters
    ----------
    root
        The folder that `write` returned.
    scale
        The same as it was written with.

    Returns
    -------
    list of Path
        The files that were replaced.
    """
    plans = [
        plan for plan in observation(scale, reprocessed=True) if plan.path.startswith("level2/")
    ]
    return _write_all(root, plans)


def observation(scale: float = 1.0, *, reprocessed: bool = False) -> list[Plan]:
    """List the files of the observation without making them.

    Parameters
    ----------
    scale
        Fraction of the full amount of data.
    reprocessed
        Whether level 2 is that of the newer calibration.

    Returns
    -------
    list of Plan
    """
    run = Run(scale, reprocessed)
    return [*_early(run), *_level2(run), *_shared(run)]


def _write_all(root: Path, plans: list[Plan]) -> list[Path]:
    # The random numbers, the transforms and zlib all work outside the interpreter's lock.
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda plan: write_product(root / plan.path, plan.make()), plans))


def _early(run: Run) -> Iterator[Plan]:
    spire = f"hspirephotometer{OBSID}"
    yield Plan(
        f"level0/HPPAVGB/hpacs{OBSID}_00hppavgb_00_{_STAMP}.fits", partial(timelines.ramps, run)
    )
    yield Plan(f"level0/RPDT/{spire}_00rpdt_{_STAMP}.fits", partial(timelines.raw_timeline, run))
    yield Plan(f"level0_5/NHKT/{spire}_05nhkt_{_STAMP}.fits", partial(timelines.housekeeping, run))
    for part in (1, 2):
        name = f"{spire}_a106000{part}"
        yield Plan(
            f"level0_5/PDT/{name}_05pdt_{_STAMP}.fits", partial(timelines.voltages, run, part)
        )
        yield Plan(f"level1/PSP/{name}_10psp_{_STAMP}.fits", partial(timelines.scan, run, part))


def _level2(run: Run) -> Iterator[Plan]:
    for band in science.SPIRE:
        name = f"hspire{band.lower()}{OBSID}_20pxmp_{_STAMP}.fits.gz"
        yield Plan(f"level2/{band}/{name}", partial(science.spire_map, run, band))
    for key in science.PACS:
        name = f"hpacs{OBSID}_20{key.lower()}_00_{_STAMP}.fits"
        yield Plan(f"level2/{key}/{name}", partial(science.pacs_map, run, key))
    name = f"hspirespectrometer{OBSID}_spg_SLW_HR"
    yield Plan(
        f"level2/HR_SLW_spectrum1d/{name}_20ssp_{_STAMP}.fits", partial(science.spectrum, run)
    )
    yield Plan(f"level2/HR_SLW_cube/{name}_20spc_{_STAMP}.fits", partial(science.cube, run))


def _shared(run: Run) -> Iterator[Plan]:
    for path, make in (
        ("calibration/phot/BeamProf/SCalPhotBeamProf_PSW_v3", science.beam),
        ("calibration/phot/ChanGain/SCalPhotChanGain_v10", science.gains),
        (
            "calibration/phot/FilterTransmission/PCalPhotometer_FilterTransmission_FM_v1",
            science.filters,
        ),
        ("calibration/phot/BadPixelMask/PCalPhotometer_BadPixelMask_FM_v6", science.bad_pixels),
        (f"auxiliary/pointing/hauxpointing{OBSID}_{_STAMP}", timelines.pointing),
        (f"auxiliary/orbitEphemeris/hauxorbit_{_STAMP}", timelines.orbit),
        (f"quality/hquality{OBSID}_{_STAMP}", timelines.quality),
    ):
        yield Plan(f"{path}.fits.gz", partial(make, run))


if __name__ == "__main__":  # a small one, for the tutorials
    import sys

    write(Path(sys.argv[1] if len(sys.argv) > 1 else "."), 0.02)
