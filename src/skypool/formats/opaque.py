"""Files that are kept as bytes alone, and the bytes part of all verbatim formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skypool.codec.chunking import write_bytes
from skypool.codec.recipes import RecipeCheck
from skypool.errors import UsageError
from skypool.formats.base import Imported, product_document

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.model.sources import ArraySource, TableSource

__all__ = ["OpaqueFormat", "read_opaque", "write_verbatim"]


def write_verbatim(
    source: ByteSource, sink: ChunkSink, format_name: str, reason: str | None = None
) -> dict[str, Any]:
    """Store a file as it is and give its recipe.

    Parameters
    ----------
    source
        The bytes; read once, in order, block by block.
    sink
        Takes the chunks.
    format_name
        The recipe's ``format``.
    reason
        Why a file that looks like a known format was not understood.
    """
    check = RecipeCheck()
    segments = []
    if source.size:
        segments.append(write_bytes(source, 0, source.size, sink, check).to_json())
    recipe: dict[str, Any] = {
        "format": format_name,
        "size": source.size,
        **({"hash": check.digest().hex()} if check.is_whole else {}),
        "segments": segments,
    }
    if reason is not None:
        recipe["reason"] = reason
    return recipe


def read_opaque(source: ByteSource, sink: ChunkSink, reason: str | None = None) -> Imported:
    """Keep a file as bytes: a product of kind ``File`` without datasets.

    Parameters
    ----------
    source
        The bytes.
    sink
        Takes the chunks.
    reason
        Why a file that looks like a known format was not understood; None for
        files that look like nothing known.
    """
    recipe = write_verbatim(source, sink, "opaque", reason)
    return Imported(product_document("File", {}, (), [], recipe), reason)


class OpaqueFormat:
    """The format of everything that no other format understands."""

    name = "opaque"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Any file can be kept as bytes."""
        return True

    def read(self, source: ByteSource, sink: ChunkSink, filename: str) -> Imported:
        """Keep the file as bytes."""
        return read_opaque(source, sink)

    def open_array(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> ArraySource:
        """Refuse: an opaque file has no arrays."""
        raise UsageError("an opaque file has no datasets")

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Refuse: an opaque file has no tables."""
        raise UsageError("an opaque file has no datasets")
