"""Metadata as documents list them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skypool.model.metadata import MetaData, Parameter

__all__ = ["encode_meta", "read_meta"]


def read_meta(listed: Sequence[Sequence[Any]]) -> MetaData:
    """Return the parameters of a document."""
    return MetaData.of_parameters({entry[0]: Parameter(*entry[1:]) for entry in listed})


def encode_meta(meta: MetaData) -> list[tuple[Any, ...]]:
    """Return parameters as a document lists them.

    As tuples: the many of a large commit are no work for Python's garbage collector.
    """
    return [
        _described(name, item) if type(item) is Parameter else (name, item)
        for name, item in meta.raw_items()
    ]


def _described(name: str, parameter: Parameter) -> tuple[Any, ...]:
    if parameter.description:
        return (name, parameter.value, parameter.unit, parameter.description)
    if parameter.unit:
        return (name, parameter.value, parameter.unit)
    return (name, parameter.value)
