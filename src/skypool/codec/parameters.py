"""Metadata as documents list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skypool.model.metadata import MetaData, Parameter

__all__ = ["encode_meta", "read_meta"]


def read_meta(listed: Sequence[Sequence[Any]]) -> MetaData:
    """Return the parameters of a document."""
    return MetaData.of_parameters({entry[0]: Parameter(*entry[1:]) for entry in listed})


def encode_meta(meta: Mapping[str, Parameter]) -> list[tuple[Any, ...]]:
    """Return parameters as a document lists them.

    As tuples: the many of a large commit are no work for Python's garbage collector.
    """
    return [
        _described(name, parameter)
        if parameter.unit or parameter.description
        else (name, parameter.value)
        for name, parameter in meta.items()
    ]


def _described(name: str, parameter: Parameter) -> tuple[Any, ...]:
    if parameter.description:
        return (name, parameter.value, parameter.unit, parameter.description)
    return (name, parameter.value, parameter.unit)
