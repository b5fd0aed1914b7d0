"""Observations: folders that are one, their names, and files of different ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Observation", "contradiction", "observation_of"]

# The folders of an observation in the archive are the roles of its context.
_LEVEL = re.compile(r"level(0|0_5|1|2|2_5|3)")
_SHARED = (
    "instrument",
    "modelName",
    "startDate",
    "endDate",
    "odNumber",
    "object",
    "obsMode",
    "aot",
    "aor",
    "proposal",
    "observer",
    "ra",
    "dec",
    "raNominal",
    "decNominal",
    "posAngle",
    "telescope",
    "missionConfig",
    "pointingMode",
    "instMode",
    "cusMode",
)
_UNKNOWN = ("", "Unknown", None)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the headers say of an observation.

    Attributes
    ----------
    name : str
        `<obsid>`, or `<obsid>/<instrument>` for half of a parallel-mode observation.
    meta : dict
        Metadata of its context.
    """

    name: str
    meta: Mapping[str, Any]


def observation_of(
    folders: Sequence[str], metas: Iterable[Mapping[str, Any]]
) -> Observation | None:
    """Recognise an observation in the archive's layout (`<obsid>/level2/...`).

    Parameters
    ----------
    folders
        Names of the folders in its root.
    metas
        Metadata values of the products below, those that were read.

    Returns
    -------
    Observation or None
        None if it is none, or if its products are of several observations.
    """
    if not any(_LEVEL.fullmatch(folder) for folder in folders):
        return None
    found = [meta for meta in metas if isinstance(meta.get("obsid"), int)]
    if len({meta["obsid"] for meta in found}) != 1:
        return None
    obsid = found[0]["obsid"]
    meta: dict[str, Any] = {"type": "OBS", "description": f"Observation {obsid}", "obsid": obsid}
    for key in _SHARED:
        values = [m[key] for m in found if m.get(key) not in _UNKNOWN]
        if values and (key in ("startDate", "endDate") or all(v == values[0] for v in values)):
            meta[key] = (
                max(values)
                if key == "endDate"
                else min(values, default=None)
                if (key == "startDate")
                else values[0]
            )
    name = str(obsid)
    mode = f"{meta.get('obsMode', '')} {meta.get('aot', '')}".lower()
    if "parallel" in mode and meta.get("instrument"):
        name = f"{obsid}/{meta['instrument']}"
    return Observation(name, meta)


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
