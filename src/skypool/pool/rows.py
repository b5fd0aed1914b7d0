"""What can be added besides files: addresses, and rows of tables that lead to data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skypool.errors import UsageError
from skypool.pool.addresses import is_url

if TYPE_CHECKING:
    from skypool.pool.herschel_archive import Archive

__all__ = ["DATALINK", "is_one", "listed", "text_of"]

#: Marks an address that leads to a list of links (IVOA DataLink), not to the data.
DATALINK = "#datalink"

# Columns with the address of the data: ObsCore, SIA 1 and SSA, and what archives call it.
_COLUMNS = ("accessurl", "accref", "acref", "dataurl", "downloadurl", "producturl", "url")
_MAST = "https://mast.stsci.edu/api/v0.1/Download/file?uri="


def is_one(item: object) -> bool:
    """Return whether something is one thing to add: a path, an address, a row."""
    return isinstance(item, str | os.PathLike | Mapping) or _is_record(item) or _is_row(item)


def listed(item: Any, archive: Callable[[], Archive]) -> list[str]:
    """Return the paths and addresses of what is to be added.

    Parameters
    ----------
    item
        A path, an address, a row or record with an `access_url`, a table of such rows, or a
        list of these. Rows of the Herschel archive's table of observations need no address.
    archive
        Gives the Herschel archive.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    if isinstance(item, str | os.PathLike):
        return [os.fspath(item)]
    if isinstance(item, Mapping) or _is_record(item) or _is_row(item):
        return [_address(item, archive)]
    rows = [item[n] for n in range(len(item))] if _columns(item) is not None else item
    if isinstance(rows, Iterable):
        return [address for part in rows for address in listed(part, archive)]
    raise UsageError(
        f"a {type(item).__name__} is neither path nor address",
        hint="give a path, a URL, or a row of a table with a column access_url",
    )


def _columns(item: object) -> Sequence[str] | None:
    found = getattr(item, "colnames", None)
    return found if isinstance(found, Sequence) else None


def _is_row(item: object) -> bool:
    """Return whether it is a row of an astropy table."""
    return _columns(item) is not None and hasattr(item, "index") and hasattr(item, "table")


def _is_record(item: object) -> bool:
    """Return whether it is a record of pyvo."""
    return callable(getattr(item, "getdataurl", None))


def _address(row: Any, archive: Callable[[], Archive]) -> str:
    """Return the address that a row has."""
    keys = list(row.colnames if _is_row(row) else row.keys())
    # Names are compared without case and underscores.
    cells = {str(key).lower().replace("_", ""): text_of(row[key]) for key in keys}
    found = text_of(row.getdataurl()) if _is_record(row) else ""
    found = next(filter(is_url, (found, *(cells.get(name, "") for name in _COLUMNS))), "")
    if not found and cells.get("datauri", "").startswith("mast:"):
        from urllib.parse import quote

        found = _MAST + quote(cells["datauri"], safe=":/")
    if not found:
        found = _observation(cells, archive)
    if not found:
        raise UsageError(
            f"the row has no address to fetch (it has {', '.join(map(str, keys[:12]))})",
            hint="a column access_url with an http or https address is needed",
        )
    linked = "content=datalink" in cells.get("accessformat", "").replace(" ", "")
    return f"{found}{DATALINK}" if linked else found


def _observation(cells: Mapping[str, str], archive: Callable[[], Archive]) -> str:
    """Return the address of an observation of the Herschel archive, empty if it is none."""
    from skypool.pool.herschel_archive import INSTRUMENTS

    number, instrument = cells.get("observationid", ""), cells.get("instrumentoid", "")
    if not (number.isdigit() and instrument.isdigit() and int(instrument) in INSTRUMENTS):
        return ""
    return archive().address(int(number), INSTRUMENTS[int(instrument)])


def text_of(value: Any) -> str:
    """Return a cell of a table as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip() if value is not None else ""
