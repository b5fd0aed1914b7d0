"""Spans of time as users write them: 90, 90s, 15m, 12h, 30d, 4w."""

from __future__ import annotations

import math
import re
from typing import Any

import click

__all__ = ["Duration"]

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII)


class Duration(click.ParamType[float]):
    """A number of seconds; a letter behind it means minutes, hours, days or weeks.

    Parameters
    ----------
    never
        Whether `never` may be said.
    """

    name = "duration"

    def __init__(self, *, never: bool = False) -> None:
        self._never = never

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, int | float):
            return float(value)
        if self._never and value == "never":
            return math.inf
        found = _WRITTEN.fullmatch(value)
        if found is None:
            also = ", never" if self._never else ""
            self.fail(f"{value!r} is no span of time: 90s, 15m, 12h, 30d, 4w{also}", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]
