"""Names of datasets that are no images by themselves."""

from __future__ import annotations

from typing import Final

__all__ = ["AUXILIARY", "WEIGHTS"]

WEIGHTS: Final = frozenset(
    {"coverage", "weight", "weights", "wht", "expmap", "hits", "nhits", "ivar"}
)
"""Names of maps that are above zero where a map has a value."""
AUXILIARY: Final = WEIGHTS | frozenset(
    {"error", "errors", "err", "stdev", "sigma", "rms", "noise", "uncert", "uncertainty"}
    | {"variance", "var", "var_poisson", "var_rnoise", "var_flat", "exposure", "samp", "time"}
    | {"flag", "flags", "mask", "bitmask", "dq", "quality", "ctx", "con", "area"}
    | {"wcsdvarr", "d2imarr"}
)
"""Names of maps that describe another map."""
