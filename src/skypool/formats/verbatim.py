"""The frame of all formats whose files are kept as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.errors import Damaged, MissingDependency
from skypool.formats.base import Imported, product_document
from skypool.formats.opaque import read_opaque, write_verbatim
from skypool.formats.parsing import NotUnderstood, WatchedSource
from skypool.formats.typed import kind_of, known_attributes

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.model.sources import ArraySource, TableSource

__all__ = ["Description", "VerbatimFormat"]


@dataclass(slots=True)
class Description:
    """What a file says.

    Attributes
    ----------
    datasets
        Pairs of name and dataset.
    meta
        Parameters of the product.
    fixed
        Fixed attributes that `meta` does not already give under a usual name.
    kind
        Empty: found from the datasets.
    """

    datasets: list[list[Any]] = field(default_factory=list)
    meta: list[list[Any]] = field(default_factory=list)
    fixed: dict[str, Any] = field(default_factory=dict)
    kind: str = ""


class VerbatimFormat:
    """A format that stores the file's bytes and describes what is in them.

    Subclasses give `name`, `matches`, `describe`, and `open_table` or `open_array`.
    """

    name: str

    def describe(self, source: WatchedSource, filename: str) -> Description:
        """Read what the file says.

        Raises
        ------
        NotUnderstood
            If it does not follow the format.
        MissingDependency
            If a package is needed that is not installed.
        """
        raise NotUnderstood(f"{self.name} files are not read")

    def read(self, source: ByteSource, sink: ChunkSink, filename: str) -> Imported:
        """Store the file's bytes and describe what is in them."""
        try:
            found = self.describe(WatchedSource(source), filename)
        except NotUnderstood as error:
            return read_opaque(source, sink, f"looks like {self.name}, but is {_said(error)}")
        except MissingDependency as error:
            return dataclasses.replace(read_opaque(source, sink, error.message), lacking=True)
        return Imported(self._document(found, write_verbatim(source, sink, self.name)))

    def _document(self, found: Description, recipe: dict[str, Any]) -> dict[str, Any]:
        fixed = known_attributes(found.meta) | {
            key: value for key, value in found.fixed.items() if value
        }
        kind = found.kind or kind_of(found.datasets)
        return product_document(kind, fixed, renamed(found.meta), found.datasets, recipe)

    def open_array(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> ArraySource:
        """Refuse, where the format has no arrays."""
        raise Damaged(f"a document has an array of the reader {self.name!r}, which has none")

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Refuse, where the format has no tables."""
        raise Damaged(f"a document has a table of the reader {self.name!r}, which has none")


def _said(error: NotUnderstood) -> str:
    return error.reason


def renamed(parameters: Iterable[list[Any]]) -> list[list[Any]]:
    """Make the names of parameters different: the second ``INFO`` becomes ``INFO,2``."""
    seen: dict[str, int] = {}
    result = []
    for entry in parameters:
        name = entry[0]
        seen[name] = seen.get(name, 0) + 1
        result.append(entry if seen[name] == 1 else [f"{name},{seen[name]}", *entry[1:]])
    return result
