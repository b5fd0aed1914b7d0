"""Celestial frames that are fixed rotations of ICRS.

Other frames (FK4, FK5 of other equinoxes, ecliptic ones) are left to astropy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["ROTATIONS", "Matrix", "frame_of"]

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
}
"""Matrices that turn vectors of a frame into those of ICRS."""


def frame_of(system: str, radesys: str, equinox: float | None) -> str | None:
    """Return the frame of a pair of axes, None where it is no fixed rotation.

    Parameters
    ----------
    system
        First characters of the axes' names: `RA` or `GLON`.
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
    if system != "RA":
        return None
    wanted = radesys.strip().upper()
    if not wanted:
        wanted = "ICRS" if equinox is None else "FK4" if equinox < 1984.0 else "FK5"
    if wanted == "ICRS":
        return "icrs"
    if wanted == "FK5" and (equinox is None or equinox == 2000.0):
        return "fk5"
    return None
