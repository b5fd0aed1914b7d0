"""The four ways in that HIPE's Product Browser had: forms that make a query.

They are the levels at which HIPE asked: observations, products, attributes ("Metadata"), and any
key ("Free Metadata"). A field takes what HIPE's took: decimal numbers, 0x..., text, times; and an
operator before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from skypool.tui.question import key_text

__all__ = ["PRESETS", "Field", "Preset", "clause", "query_of"]

_OPERATOR: Final = re.compile(
    r"(==|!=|<=|>=|<|>|=|~|contains\b|startswith\b|like\b)\s*(.*)", re.DOTALL
)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS: Final = {"=": "==", "~": "contains"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    Attributes
    ----------
    key : str
        The key that it asks; empty where the user writes it in the field, before the value.
    label : str
    operator : str
        Where the user writes none.
    hint : str
        Shown while it is empty.
    """

    key: str
    label: str
    operator: str = "=="
    hint: str = ""

    @property
    def name(self) -> str:
        """What tells it from the others of its form."""
        return self.label


@dataclass(frozen=True, slots=True)
class Preset:
    """A way in: a form, and what it always asks for."""

    title: str
    fields: tuple[Field, ...]
    always: str = ""


_ROW: Final = "key operator value, such as: wavelength < '100 um'"
PRESETS: Final = (
    Preset(
        "Observations",
        (
            Field("obsid", "obsid", hint="1342182452 or 0x50000E34"),
            Field("odNumber", "operational day", hint="98, or >= 98"),
            Field("instrument", "instrument", hint="SPIRE"),
            Field("object", "object", hint="M83, or like M*83"),
            Field("proposal", "proposal", hint="contains KPGT"),
        ),
        "kind == 'ObservationContext'",
    ),
    Preset(
        "Products",
        (
            Field("kind", "kind", hint="SimpleImage"),
            Field("object", "object", hint="M83, or like M*83"),
            Field("proposal", "proposal", hint="contains KPGT"),
            Field("instrument", "instrument", hint="PACS"),
            Field("odNumber", "operational day", hint="98, or < 200"),
            Field("obsid", "obsid", hint="1342182452 or 0x50000E34"),
            Field("", "any key", hint=_ROW),
        ),
    ),
    Preset(
        "Metadata",
        (
            Field("creator", "creator", hint="contains SPG"),
            Field("instrument", "instrument", hint="HIFI"),
            Field("type", "type", hint="HPPPMAPBS"),
            Field("modelName", "model name", hint="FLIGHT"),
            Field("creationDate", "created from", ">=", "2010-05-01"),
            Field("creationDate", "created to", "<=", "2010-05-31T12:00:00"),
            Field("startDate", "observed from", ">=", "2009-10-01"),
            Field("startDate", "observed to", "<=", "2009-12-31"),
            Field("", "any key", hint=_ROW),
        ),
    ),
    Preset("Free", tuple(Field("", f"condition {n}", hint=_ROW) for n in range(1, 6))),
)


def query_of(preset: Preset, values: Mapping[str, str]) -> str:
    """Return the query of a form.

    Parameters
    ----------
    preset
        The form.
    values
        What is in its fields, by their names.
    """
    parts: list[str] = [preset.always] if preset.always else []
    for field in preset.fields:
        text = values.get(field.name, "").strip()
        if text:
            parts.append(clause(field, text))
    return " and ".join(parts)


def clause(field: Field, text: str) -> str:
    """Return the condition that a field stands for."""
    text = text.strip()
    if not field.key:
        return _free(text)
    operator, value = field.operator, text
    found = _OPERATOR.fullmatch(text)
    if found and found[2]:
        operator, value = _WORDS.get(found[1], found[1]), found[2].strip()
    return f"{key_text(field.key)} {operator} {_value(value, operator)}"


def _free(text: str) -> str:
    """Return a condition as it is written, its value put into quotes where that is missing."""
    found = re.fullmatch(r"([^\W\d]\w*)\s*" + _OPERATOR.pattern, text, re.DOTALL)
    if not found or not found[3] or re.search(r"\b(?:and|or)\b", found[3]):
        return f"({text})" if re.search(r"\bor\b", text) else text
    operator = _WORDS.get(found[2], found[2])
    return f"{found[1]} {operator} {_value(found[3].strip(), operator)}"


def _value(text: str, operator: str) -> str:
    quoted: Sequence[str] = ("'", '"')
    if len(text) > 1 and text[0] in quoted and text[-1] == text[0]:
        return text
    if operator in ("contains", "startswith", "like"):
        return repr(text)
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", text):
        return str(int(text, 16))
    if _NUMBER.fullmatch(text):
        return text.lstrip("+")
    if text.lower() in ("true", "false"):
        return text.capitalize()
    return repr(text)
