"""Observations of Herschel: folders that are one, and what their products say of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skypool.formats.base import fixed_attributes

__all__ = [
    "CONTEXTS",
    "Observation",
    "contradiction",
    "is_level",
    "metadata_of",
    "number_of",
    "ordered",
    "strange_folder",
]

#: What HCSS calls the children of an observation besides its levels, as far as they are contexts.
CONTEXTS = frozenset({
    "auxiliary", "calibration", "dataframes", "intermediateProducts", "logObsContext", "quality",
    "telemetry", "trendAnalysis",
})  # fmt: skip
_LEVEL = re.compile(r"level(0|0_5|1|2|2_5|3)\Z")
# Levels that combine several observations.
_COMBINED = ("level2_5", "level3")
# Parameters of an observation, taken from its products where most of them agree.
_SHARED = (
    "creator",
    "instrument",
    "modelName",
    "telescope",
    "odNumber",
    "object",
    "naifId",
    "obsMode",
    "cusMode",
    "instMode",
    "pointingMode",
    "aot",
    "aor",
    "aorLabel",
    "proposal",
    "observer",
    "ra",
    "dec",
    "raNominal",
    "decNominal",
    "posAngle",
    "pmRA",
    "pmDEC",
    "equinox",
    "raDeSys",
    "missionConfig",
    "calVersion",
    "origin",
)
# Those of which products of several instruments or pipelines say different things by right.
_OF_ALL = ("instrument",)
_UNKNOWN = ("", "Unknown", None)
_STATES = {
    "level0": "LEVEL0_PROCESSED",
    "level0_5": "LEVEL0_5_PROCESSED",
    "level1": "LEVEL1_PROCESSED",
    "level2": "LEVEL2_PROCESSED",
    "level2_5": "LEVEL2_5_PROCESSED",
    "level3": "LEVEL3_PROCESSED",
}

#: Parameters of a product by their names, as entries of a document.
Entries = Mapping[str, list[Any]]


def is_level(name: str) -> bool:
    """Return whether a folder is a level of an observation, such as `level2_5`."""
    return _LEVEL.match(name) is not None


@dataclass(frozen=True, slots=True)
class Observation:
    """What the products of a folder have in common.

    Attributes
    ----------
    obsid : int
    instruments : tuple of str
        Of the products in its levels.
    parallel : bool
        Whether it was made in the parallel mode of PACS and SPIRE.
    strange : dict
        Other observations that single products are of, with their number.
    """

    obsid: int
    instruments: tuple[str, ...] = ()
    parallel: bool = False
    strange: Mapping[int, int] = field(default_factory=dict)


def number_of(
    folder: str, products: Sequence[tuple[str, Entries]], described: int | None = None
) -> Observation | None:
    """Say which observation the products of a folder are of.

    Parameters
    ----------
    folder
        Its name.
    products
        Level and parameters of the products in its levels.
    described
        What the descriptor says.

    Returns
    -------
    Observation or None
        None if they are of none, or of several and nothing tells which one is meant.
    """
    single = Counter(_obsids(p for p in products if p[0] not in _COMBINED))
    found = single or Counter(_obsids(products))
    named = int(folder) if re.fullmatch(r"\d{10}", folder) else None
    if described is not None:
        obsid = described
    elif len(found) == 1:
        (obsid,) = found
    elif named is not None and (named in found or not found):
        obsid = named
    else:
        return None
    instruments = dict.fromkeys(
        str(_value(meta, "instrument")) for _, meta in products if _value(meta, "instrument")
    )
    strange = {other: count for other, count in single.items() if other != obsid}
    modes = ("obsMode", "aot", "cusMode", "instMode")
    parallel = any(
        "parallel" in str(_value(meta, mode)).lower() for _, meta in products for mode in modes
    )
    return Observation(obsid, tuple(instruments), parallel, strange)


def strange_folder(products: Sequence[tuple[str, Entries]]) -> str:
    """Say why a folder with levels is no observation; empty where there is nothing to say."""
    found = sorted(set(_obsids(products)))
    if len(found) < 2:
        return ""
    listed = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
    return f"has products of {len(found)} observations ({listed}): kept as a folder"


def _obsids(products: Iterable[tuple[str, Entries]]) -> list[int]:
    found = (_value(meta, "obsid") for _, meta in products)
    return [obsid for obsid in found if type(obsid) is int and obsid > 0]


def _value(meta: Entries, name: str) -> Any:
    entry = meta.get(name)
    return None if entry is None or entry[1] in _UNKNOWN else entry[1]


def metadata_of(
    obsid: int,
    products: Sequence[tuple[str, Entries]],
    described: Sequence[list[Any]] = (),
    instrument: str = "",
) -> list[list[Any]]:
    """Make the metadata of an observation, as entries of a document.

    Parameters
    ----------
    obsid
        Its number.
    products
        Level and parameters of its products; those of other observations do not count.
    described
        What the descriptor says of the observation; it comes first.
    instrument
        The half of a parallel-mode observation.
    """
    own = [
        (level, meta)
        for level, meta in products
        if _value(meta, "obsid") == obsid
        and (not instrument or _value(meta, "instrument") in (instrument, None))
    ]
    found = {entry[0]: entry for entry in described}
    made: list[list[Any]] = [
        ["type", "OBS"],
        ["description", f"Observation {obsid}"],
        ["obsid", obsid, "", "Observation identifier"],
    ]
    made += _common([meta for _, meta in own])
    made += _times(own)
    if instrument:
        made.append(["instrument", instrument])
    levels = [level for level in _STATES if any(level == found for found, _ in products)]
    if levels:
        made.append(["obsState", _STATES[levels[-1]], "", "How far it was processed"])
    for entry in made:
        if _value(found, entry[0]) is None:
            found[entry[0]] = entry
    return ordered(found)


def _common(metas: Sequence[Entries]) -> list[list[Any]]:
    """Return the parameters that the products share; of different values the most frequent."""
    made = []
    for name in _SHARED:
        entries = [meta[name] for meta in metas if _value(meta, name) is not None]
        if not entries:
            continue
        (value, _), *others = Counter(entry[1] for entry in entries).most_common()
        if others and name in _OF_ALL:
            continue
        made.append(next(entry for entry in entries if entry[1] == value))
    return made


def _times(products: Sequence[tuple[str, Entries]]) -> list[list[Any]]:
    """Return begin and end of an observation, and when its newest product was made."""
    alone = [meta for level, meta in products if level not in _COMBINED]
    metas = alone or [meta for _, meta in products]
    made = []
    for name, choose in (("startDate", min), ("endDate", max), ("creationDate", max)):
        entries = [meta[name] for meta in metas if hasattr(_value(meta, name), "tzinfo")]
        if entries:
            made.append(choose(entries, key=lambda entry: entry[1]))
    return made


def ordered(found: Mapping[str, list[Any]]) -> list[list[Any]]:
    """Put the fixed attributes first, as documents have them."""
    fixed = fixed_attributes({name: entry[1] for name, entry in found.items()})
    first = [found.get(name, [name, value]) for name, value in fixed]
    names = {entry[0] for entry in first}
    return first + [entry for name, entry in found.items() if name not in names]


def contradiction(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return in what two products are of different observations, empty where in nothing.

    Parameters
    ----------
    old, new
        Metadata values.
    """
    for key in ("obsid", "instrument", "startDate"):
        a, b = old.get(key), new.get(key)
        if a in _UNKNOWN or b in _UNKNOWN:
            continue
        same = a.casefold() == b.casefold() if isinstance(a, str) and isinstance(b, str) else a == b
        if not same:
            return f"{key} is {a} there and {b} here"
    return ""
