"""Looking for one observation in pools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from skypool.errors import Ambiguous, NotFound
from skypool.hipe.finetime import FineTime
from skypool.hipe.pools import ProductPool
from skypool.hipe.urn import Urn
from skypool.pool.ref import Ref

__all__ = ["Wanted", "look_for"]


class Wanted(NamedTuple):
    """What is known of the observation; see `getObservation`."""

    obsid: int | None
    instrument: str | None = None
    od: int | None = None
    urn: Any = None
    tag: str | None = None
    version: int | None = None
    spgVersion: str | None = None
    creationDate: Any = None
    latest: bool = False
    allVersions: bool = False


def look_for(wanted: Wanted, pools: Iterable[ProductPool]) -> Ref:
    """Return the observation from the first of some pools that has it.

    Raises
    ------
    NotFound
        If none has.
    Ambiguous
        If the pool has several.
    """
    asked = []
    for pool in pools:
        asked.append(pool.id)
        found = _chosen(wanted, _candidates(wanted, pool))
        if found is not None:
            return found
    what = wanted.obsid if wanted.obsid is not None else wanted.urn or wanted.tag
    of = f" of {wanted.instrument}" if wanted.instrument else ""
    listed = ", ".join(asked) or "there is none"
    raise NotFound(
        f"the observation {what}{of} is in none of the pools: {listed}",
        hint="useHsa=True asks the archive; poolName= and poolLocation= name another pool",
    )


def _candidates(wanted: Wanted, pool: ProductPool) -> list[Ref]:
    if wanted.urn is not None:
        found = pool.find(wanted.urn) if Urn.isUrn(wanted.urn) else None
        return [] if found is None else [found]
    if not pool.pool.exists:
        return []
    if wanted.tag is not None:
        refs = pool.pool.tagged(wanted.tag)
    else:
        every = wanted.allVersions or wanted.version is not None
        query = "" if wanted.obsid is None else "obsid == $obsid"
        values = {} if wanted.obsid is None else {"obsid": wanted.obsid}
        refs = list(
            pool.pool.find(
                query, kind="ObservationContext", values=values, all_versions=every, all_names=True
            )
        )
    return [ref for ref in refs if not ref.purged and _fits(wanted, ref)]


def _fits(wanted: Wanted, ref: Ref) -> bool:
    def value(name: str) -> Any:
        found = ref.meta.get(name)
        return None if found is None else found.value

    if wanted.obsid is not None and value("obsid") not in (wanted.obsid, str(wanted.obsid)):
        return False
    if wanted.instrument and str(value("instrument")).lower() != wanted.instrument.lower():
        return False
    if wanted.od is not None and value("odNumber") != wanted.od:
        return False
    if wanted.version is not None and ref.version != wanted.version:
        return False
    if wanted.spgVersion and wanted.spgVersion not in str(value("creator")):
        return False
    if wanted.creationDate is None:
        return True
    made = value("creationDate")
    return made is not None and FineTime(made) == FineTime(wanted.creationDate)


def _chosen(wanted: Wanted, refs: list[Ref]) -> Ref | None:
    if len(refs) < 2:
        return refs[0] if refs else None

    def made(ref: Ref) -> tuple[str, int]:
        found = ref.meta.get("creationDate")
        return ("" if found is None else str(found.value), ref.number)

    if wanted.latest:
        return max(refs, key=made)
    raise Ambiguous(
        f"More than one observation with the given obsid is found: {wanted.obsid}",
        candidates=[
            f"{made(ref)[0]} {ref.meta['instrument'].value if 'instrument' in ref.meta else ''}"
            f" {ref.urn}"
            for ref in refs
        ],
        hint="say which: instrument=, creationDate=, version=, urn=, or latest=True",
    )
