"""Observations from the Herschel Science Archive (HSA) of ESA.

The archive is asked which instruments observed, and sends what each of them gave as a tar archive.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skypool.codec.documents import loads
from skypool.errors import NotFound, StorageError, UsageError
from skypool.pool.downloading import Downloader
from skypool.pool.herschel_archive import INSTRUMENTS, LEVELS, Archive

if TYPE_CHECKING:
    from skypool.pool.add_report import AddReport
    from skypool.pool.pool import Pool
    from skypool.pool.progress import OnProgress
    from skypool.pool.ref import Ref

__all__ = ["INSTRUMENTS", "LEVELS", "Archive", "get_observation", "get_observation_report"]


def get_observation(
    pool: Pool,
    obsid: int | str,
    *,
    instrument: str | None = None,
    level: str | None = None,
    name: str | None = None,
    under: str | None = None,
    tags: Iterable[str] | str = (),
    message: str = "",
    refresh: bool = False,
    progress: OnProgress | None = None,
    archive: Archive | None = None,
) -> tuple[Ref, ...]:
    """Bring an observation from the Herschel archive into a pool.

    What the pool has from there already is not fetched again. A download that was cut goes on
    where it ended, or, if the archive cannot do that, begins anew.

    Parameters
    ----------
    pool
        Takes it; it is made if it does not exist.
    obsid
        Number of the observation; text may be decimal or hexadecimal (`0x5000...`).
    instrument
        `PACS`, `SPIRE` or `HIFI`; by default all that observed, in parallel mode two.
    level
        Only that, such as `LEVEL2`; see `LEVELS`. What else the pool has of it stays.
    name, under, tags, message
        As `Pool.add` has them.
    refresh
        Fetch it even if the pool has it from there: the archive may have processed it anew.
    progress
        Told how far the work is.
    archive
        Where the archive is; by default where it is known to be.

    Returns
    -------
    tuple of Ref
        Its ObservationContexts, one for each instrument.

    Raises
    ------
    NotFound
        If the archive has no such observation.
    Unreachable
        If the archive cannot be reached, or the connection was cut again and again.
    """
    report = get_observation_report(
        pool, obsid, instrument=instrument, level=level, name=name, under=under, tags=tags,
        message=message, refresh=refresh, progress=progress, archive=archive,
    )  # fmt: skip
    return tuple(report.refs)


def get_observation_report(
    pool: Pool,
    obsid: int | str,
    *,
    instrument: str | None = None,
    level: str | None = None,
    message: str = "",
    refresh: bool = False,
    progress: OnProgress | None = None,
    archive: Archive | None = None,
    **options: Any,
) -> AddReport:
    """Bring an observation into a pool like `get_observation`, and return what was done."""
    number = _number(obsid)
    wanted = _level(level)
    place = Archive.configured(pool.settings.herschel) if archive is None else archive
    wished = [_instrument(instrument)] if instrument else []
    held: dict[str, str] = {}
    for level_held in () if refresh else dict.fromkeys(("ALL", wanted)):  # all has any level
        held = held or _held(pool, place, number, level_held)
        held = {name: url for name, url in held.items() if name in (wished or held)}
    whole = held and not _is_half(pool, held)
    instruments = wished or (list(held) if whole else _asked(pool, place, number))
    urls = [held.get(name) or place.address(number, name, wanted) for name in instruments]
    return pool.add_report(
        urls,
        message=message or f"get {number} from the Herschel archive",
        force_read=refresh,
        partial=wanted != "ALL",
        progress=progress,
        **options,
    )


def _number(obsid: int | str) -> int:
    try:
        number = int(obsid, 0) if isinstance(obsid, str) else int(obsid)
    except ValueError:
        number = 0
    if number <= 0:
        raise UsageError(f"{obsid!r} is no number of an observation, such as 1342182452")
    return number


def _level(level: str | None) -> str:
    found = (level or "ALL").upper().replace(".", "_")
    found = f"LEVEL{found}" if found[:1].isdigit() else found
    if found not in LEVELS:
        raise UsageError(f"there is no level {level!r}", candidates=LEVELS)
    return found


def _instrument(name: str) -> str:
    if name.upper() not in INSTRUMENTS.values():
        raise UsageError(
            f"Herschel has no instrument {name!r}", candidates=list(INSTRUMENTS.values())
        )
    return name.upper()


def _held(pool: Pool, archive: Archive, obsid: int, level: str) -> dict[str, str]:
    """Return what the pool has of an observation from the archive: addresses by instrument.

    They are what they were then; the archive itself may have moved since.
    """
    if not pool.exists:
        return {}
    view = pool.view
    urls = {
        loads(text.encode()).get("url", "") for _, text in view.identity.origins("url", view.at)
    }
    by_question = {url.partition("retrieval_type=")[2]: url for url in urls}
    asked = {
        name: archive.address(obsid, name, level).partition("retrieval_type=")[2]
        for name in INSTRUMENTS.values()
    }
    return {name: by_question[text] for name, text in asked.items() if text in by_question}


def _is_half(pool: Pool, held: Mapping[str, str]) -> bool:
    """Return whether what the pool has is one half of an observation in parallel mode."""
    view = pool.view
    if len(held) != 1:
        return False
    ((instrument, url),) = held.items()
    roots = [
        view.number(urn).name
        for urn, text in view.identity.origins("url", view.at)
        if loads(text.encode()).get("url") == url and "member" not in loads(text.encode())
    ]
    return any(name.endswith(f"/{instrument}") for name in roots)


def _asked(pool: Pool, archive: Archive, obsid: int) -> list[str]:
    """Ask the archive which instruments made an observation."""
    table = "hsa.v_active_observation"
    query = f"SELECT instrument_oid FROM {table} WHERE observation_id = {obsid:d}"  # noqa: S608 - a number
    downloader = Downloader(os.path.join(os.fspath(pool.settings.cache), "downloads"))
    answer = downloader.fetch(archive.question(query))
    assert answer is not None
    with open(answer.path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    downloader.forget(answer)
    numbers = _column(text, "instrument_oid")
    if numbers is None:
        raise StorageError(
            f"the Herschel archive gave no table: {text.strip()[:200]!r}",
            hint="say which instrument (PACS, SPIRE, HIFI); then it need not be asked",
        )
    if not numbers:
        raise NotFound(f"the Herschel archive has no observation {obsid}")
    return [name for number, name in INSTRUMENTS.items() if str(number) in numbers]


def _column(text: str, name: str) -> Sequence[str] | None:
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    names = [part.strip().casefold() for part in rows[0]] if rows else []
    if name not in names:
        return None
    place = names.index(name)
    return [row[place].strip() for row in rows[1:] if len(row) > place]
