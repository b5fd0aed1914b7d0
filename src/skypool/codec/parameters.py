"""Metadata as documents list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skypool.model.metadata import MetaData, Parameter

__all__ = ["encode_meta", "read_meta"]


def read_meta(listed: Sequence[Sequence[Any]]) -> MetaData:
    """Return the parameters of a document."""
    return MetaData({entry[0]: Parameter(*entry[1:]) for entry in listed})


def encode_meta(meta: Mapping[str, Parameter]) -> list[list[Any]]:
    """Return parameters as a document lists them."""
    return [_parameter(name, parameter) for name, parameter in meta.items()]


def _parameter(name: str, parameter: Parameter) -> list[Any]:
    entry: list[Any] = [name, parameter.value]
    if parameter.unit or parameter.description:
        entry.append(parameter.unit)
    if parameter.description:
        entry.append(parameter.description)
    return entry
