"""Products in memory as queries see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from skypool.model.datasets import Array, Table
from skypool.model.metadata import MetaData


@dataclass
class FakeSubject:
    meta: Mapping[str, Any] = field(default_factory=MetaData)
    datasets: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=MetaData)
    urn: str = "urn:pool:Product:0"
    name: str | None = "maps/m83"
    path: str | None = None
    version: int = 0
    saved: datetime = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
    author: str = "scott"
    message: str = ""
    tags: tuple[str, ...] = ()
    size: int = 1000
    hash: str | None = "abc"
    kind: str = "SimpleImage"
    type: str = "HPPPMAPBS"
    near: list[FakeSubject] = field(default_factory=list)
    above: list[FakeSubject] = field(default_factory=list)
    below: list[tuple[str, Any]] = field(default_factory=list)

    def parents(self) -> Iterable[FakeSubject]:
        return self.above

    def children(self) -> Iterable[tuple[str, Any]]:
        return self.below

    def neighbours(self) -> Iterable[FakeSubject]:
        return self.near

    def refer(self, role: str, child: FakeSubject) -> FakeSubject:
        self.below.append((role, child))
        child.above.append(self)
        return self


def subject(meta: Mapping[str, Any] | None = None, **fields: Any) -> FakeSubject:
    return FakeSubject(meta=MetaData(meta or {}), **fields)


__all__ = ["Array", "FakeSubject", "Table", "subject"]
