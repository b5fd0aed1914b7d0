"""Celestial frames that are fixed rotations of ICRS.

Other frames (FK4, FK5 of other equinoxes) are left to astropy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["ROTATIONS", "Matrix", "frame_of", "frame_of_cells"]

Matrix: TypeAlias = tuple[tuple[float, float, float], ...]

ROTATIONS: Final[Mapping[str, Matrix]] = {
    "icrs": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    # Equinox J2000: the frame bias of Hilton & Hohenkerk 2004, A&A 413, 765, as astropy has it.
    "fk5": (
        (0.9999999999999921, 1.1102233723050035e-07, 4.411803426976326e-08),
        (-1.1102233297408327e-07, 0.9999999999999889, -9.647792751958126e-08),
        (-4.411804498096771e-08, 9.647792246010129e-08, 0.9999999999999943),
    ),
    # Pole and centre of Reid & Brunthaler 2004, ApJ 616, 872, as astropy has them.
    "galactic": (
        (-0.05487565771259163, 0.4941094371927268, -0.8676661375596576),
        (-0.8734370519556159, -0.4448297212232952, -0.19807633727300053),
        (-0.48383507361671546, 0.7469821839866676, 0.4559838136873016),
    ),
    # Mean ecliptic and equinox J2000 (IAU 2006), as astropy's BarycentricMeanEcliptic has them.
    "ecliptic": (
        (0.999999999999994, 3.289700416258305e-08, -1.020704472070512e-07),
        (-7.078369026537744e-08, 0.9174821299149584, -0.3977769994440431),
        (8.056213977613186e-08, 0.3977769994440479, 0.9174821299149555),
    ),
    # de Vaucouleurs et al. 1991 (RC3), as astropy has it.
    "supergalactic": (
        (0.3750155557030316, -0.8983204377276124, 0.2288749093754372),
        (0.34135887185624725, -0.09572710024885117, -0.9350456902649066),
        (0.861880185168319, 0.4287851600030195, 0.27075049949244595),
    ),
}
"""Matrices that turn vectors of a frame into those of ICRS; catalogues count on their order."""

_CELLS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("", "C", "Q", "CEL", "EQ", "CELESTIAL", "EQUATORIAL", "ICRS"), "icrs"),
    **dict.fromkeys(("FK5", "J2000"), "fk5"),
    **dict.fromkeys(("G", "GAL", "GALACTIC"), "galactic"),
    **dict.fromkeys(("E", "ECL", "ECLIPTIC"), "ecliptic"),
}


def frame_of(system: str, radesys: str, equinox: float | None) -> str | None:
    """Return the frame of a pair of axes, None where it is no fixed rotation.

    Parameters
    ----------
    system
        First characters of the axes' names: `RA`, `GLON`, `ELON` or `SLON`.
    radesys
        Value of RADESYS; empty if there is none.
    equinox
        Value of EQUINOX, years.

    Notes
    -----
    FITS 4.0, section 8.3: without RADESYS the frame is ICRS where there is no EQUINOX, FK4
    for an EQUINOX before 1984, and FK5 after.
    """
    if system == "GLON":
        return "galactic"
    if system == "SLON":
        return "supergalactic"
    if system not in ("RA", "ELON"):
        return None
    wanted = radesys.strip().upper()
    if not wanted:
        wanted = "ICRS" if equinox is None else "FK4" if equinox < 1984.0 else "FK5"
    modern = wanted == "ICRS" or (wanted == "FK5" and (equinox is None or equinox == 2000.0))
    if system == "ELON":
        return "ecliptic" if modern and equinox in (None, 2000.0) else None
    if not modern:
        return None
    return "icrs" if wanted == "ICRS" else "fk5"


def frame_of_cells(system: str) -> str | None:
    """Return the frame that COORDSYS of HEALPix cells says; None for what is no fixed rotation.

    Nothing at all is taken for celestial coordinates, ICRS.
    """
    return _CELLS.get(system.strip().upper())
