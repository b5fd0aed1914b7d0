"""The core attributes: names, types, units, and the columns of ObsCore that they fill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from skypool.model.attributes.shapes import plain_text

__all__ = [
    "CORE",
    "CORE_NAMES",
    "MAX_TEXT",
    "NUMBERS",
    "TEXTS",
    "CoreAttribute",
    "gives_way",
    "stands_beside",
]

MAX_TEXT: Final = 200
"""Longer texts are cut, so that the index has the whole of each."""


@dataclass(frozen=True, slots=True)
class CoreAttribute:
    """A core attribute.

    Attributes
    ----------
    name
        The bare name in queries.
    type
        `text`, `number`, `integer` or `time`.
    unit
        Of numbers; empty for none.
    obscore
        Column of ObsCore 1.1; empty where it has none.
    description
        For people.
    least, most
        Numbers outside are no values.
    coded
        Whether few different texts are expected, so that the catalogue keeps each once.
    """

    name: str
    type: str
    unit: str
    obscore: str
    description: str
    least: float = float("-inf")
    most: float = float("inf")
    coded: bool = False


def _text(name: str, obscore: str, description: str, coded: bool = True) -> CoreAttribute:
    return CoreAttribute(name, "text", "", obscore, description, coded=coded)


def _number(
    name: str, unit: str, obscore: str, description: str, least: float, most: float = float("inf")
) -> CoreAttribute:
    return CoreAttribute(name, "number", unit, obscore, description, least, most)


_TINY: Final = 1e-30

# The catalogue numbers them in this order: new ones go to the end, or its version is raised.
# Rules may use what stands earlier.
CORE: Final = (
    _text("telescope", "facility_name", "observatory, satellite or telescope"),
    _text("instrument", "instrument_name", "instrument"),
    _text("detector", "", "detector, camera or chip"),
    _text("object", "target_name", "target"),
    _text("obsid", "obs_id", "number or name of the observation", coded=False),
    CoreAttribute("start", "time", "", "t_min", "begin, UTC"),
    CoreAttribute("end", "time", "", "t_max", "end, UTC"),
    _number("exposure", "s", "t_exptime", "exposure time", 0.0),
    _text("band", "", "filter, grating or band"),
    _number("wavelength", "m", "", "representative wavelength", _TINY),
    _number("wavelength_min", "m", "em_min", "shortest wavelength", _TINY),
    _number("wavelength_max", "m", "em_max", "longest wavelength", _TINY),
    _number("ra", "deg", "s_ra", "right ascension of target or pointing, ICRS", 0.0, 360.0),
    _number("dec", "deg", "s_dec", "declination of target or pointing, ICRS", -90.0, 90.0),
    CoreAttribute(
        "calib_level", "integer", "", "calib_level",
        "0 raw, 1 in standard form, 2 calibrated, 3 combined, 4 analysed", 0, 4,
    ),
    _text("product_type", "dataproduct_type", "image, cube, spectrum, timeseries, ..."),
    _text("obs_mode", "", "observing mode"),
    _text("proposal", "proposal_id", "proposal or programme"),
    _text("observer", "obs_creator_name", "observer or principal investigator"),
    _text("title", "obs_title", "title of observation or proposal", coded=False),
)  # fmt: skip
CORE_NAMES: Final = tuple(attribute.name for attribute in CORE)
# What HCSS writes where nobody gave a value.
_UNKNOWN: Final = "Unknown"
NUMBERS: Final = frozenset(each.name for each in CORE if each.type in ("number", "integer"))
"""Core attributes that are numbers."""
TEXTS: Final = frozenset(each.name for each in CORE if each.type == "text")
"""Core attributes that are texts."""


def gives_way(attribute: str, value: object) -> bool:
    """Tell whether a core attribute stands in for a product's own key of the same name.

    It does where nobody gave a value, and where the attribute is a number and the key a text:
    a sexagesimal RA, or EXPOSURE of JWST, which numbers exposures.

    Parameters
    ----------
    attribute
        The attribute, which the product has.
    value
        Of the key.
    """
    return value == _UNKNOWN or (attribute in NUMBERS and isinstance(value, str | datetime))


def stands_beside(attribute: str, value: str, own: Iterable[object]) -> bool:
    """Tell whether a core attribute answers beside a product's own keys of the same name.

    It does where it is a text, and another one than they are: files of Herschel say
    `Herschel Space Observatory` under `telescope`, and the attribute is `Herschel`.

    Parameters
    ----------
    attribute, value
        The attribute, and what the product has for it.
    own
        Values of the keys.
    """
    return attribute in TEXTS and all(_text_of(each) != value for each in own)


def _text_of(value: object) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) else plain_text(value)
