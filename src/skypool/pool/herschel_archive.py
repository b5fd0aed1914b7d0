"""Where the Herschel Science Archive answers, and what it is asked.

The addresses are those that astroquery's module `esa.hsa` uses: a TAP service, and one that sends
an observation as a tar archive.
"""

from __future__ import annotations

import importlib.util
import urllib.parse
from dataclasses import dataclass

__all__ = ["INSTRUMENTS", "LEVELS", "Archive", "archive_name"]

_DATA = "http://archives.esac.esa.int/hsa/whsa-tap-server/data?"
_TAP = "http://archives.esac.esa.int/hsa/whsa-tap-server/tap"
#: Instruments by their numbers in the archive's table of observations.
INSTRUMENTS = {1: "PACS", 2: "SPIRE", 3: "HIFI"}
#: What can be asked for instead of everything.
LEVELS = (
    "ALL", "AUXILIARY", "CALIBRATION", "LEVEL0", "LEVEL0_5", "LEVEL1", "LEVEL2", "LEVEL2_5",
    "LEVEL3", "ALL-LEVEL3",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Archive:
    """Where the archive answers.

    Attributes
    ----------
    data : str
        Address that sends observations, with its question mark.
    tap : str
        Address of the TAP service.
    """

    data: str = _DATA
    tap: str = _TAP

    @classmethod
    def configured(cls, base: str = "") -> Archive:
        """Return the archive at an address, else as astroquery's configuration has it.

        Parameters
        ----------
        base
            What `/data` and `/tap` follow; empty for astroquery's, where that is installed, or
            the known ones.
        """
        if base:
            return cls(f"{base.rstrip('/')}/data?", f"{base.rstrip('/')}/tap")
        if importlib.util.find_spec("astroquery") is None:
            return cls()
        from astroquery.esa.hsa import conf

        return cls(str(conf.DATA_ACTION), str(conf.METADATA_ACTION))

    def address(self, obsid: int, instrument: str, level: str = "ALL") -> str:
        """Return the address of an observation."""
        given = {
            "retrieval_type": "OBSERVATION",
            "observation_id": str(obsid),
            "instrument_name": instrument,
        }
        if level != "ALL":
            given["product_level"] = level
        start = self.data if "?" in self.data else f"{self.data}?"
        return f"{start}{'' if start.endswith(('?', '&')) else '&'}{urllib.parse.urlencode(given)}"

    def question(self, query: str) -> str:
        """Return the address that answers a query in ADQL with a table of text."""
        given = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "QUERY": query}
        return f"{self.tap.rstrip('/')}/sync?{urllib.parse.urlencode(given)}"


def archive_name(url: str) -> str:
    """Return the file name of the tar archive that an address of the archive gives.

    Returns
    -------
    str
        Empty where the address is no observation's.
    """
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    given = {key.lower(): value for key, value in asked.items()}
    if given.get("retrieval_type") != "OBSERVATION" or not given.get("observation_id"):
        return ""
    return f"{given['observation_id']}.tar"
