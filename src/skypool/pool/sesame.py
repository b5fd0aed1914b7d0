"""Names of objects, looked up online when somebody asks for it, never else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skypool.errors import NotFound

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

__all__ = ["resolve"]


def resolve(name: str) -> SkyCoord:
    """Return the position of an object by its name, from the Sesame service of the CDS.

    This asks a server on the network, and is the only thing in a search that does; searches take
    what it returns: ``pool.find("covers($m83)", m83=sp.resolve("M 83"))``.

    Parameters
    ----------
    name
        Any name that SIMBAD, NED or VizieR knows.

    Returns
    -------
    astropy.coordinates.SkyCoord
        ICRS.

    Raises
    ------
    NotFound
        If no such object is known, or the service cannot be reached.
    """
    from astropy.coordinates import SkyCoord
    from astropy.coordinates.name_resolve import NameResolveError

    try:
        return SkyCoord.from_name(name)
    except (NameResolveError, OSError) as error:
        reason = str(error).strip().splitlines()
        raise NotFound(
            f"the position of {name!r} was not found" + (f": {reason[0]}" if reason else ""),
            hint="it needs the network and a name that SIMBAD, NED or VizieR knows; a position "
            "in degrees needs neither",
        ) from error
