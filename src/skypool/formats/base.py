"""What every format of files implements, and what reading a file gives.

A *format* turns the bytes of one file into a product document (typed datasets,
metadata and the recipe of the file); a *folder format* does so for a folder
that is one product, such as a Zarr store. Both write the bytes into a chunk
sink while they read, and neither ever raises for bad content: what cannot be
understood is kept as opaque bytes, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.model.sources import ArraySource, TableSource

__all__ = [
    "FIXED_TEXT",
    "FolderFormat",
    "Format",
    "Imported",
    "fixed_attributes",
    "product_document",
]

FIXED_TEXT = ("type", "creator", "description", "instrument", "modelName", "formatVersion")
_FIXED_ORDER = (
    "type",
    "creator",
    "creationDate",
    "description",
    "instrument",
    "modelName",
    "startDate",
    "endDate",
    "formatVersion",
)


@dataclass(slots=True)
class Imported:
    """One file or folder, read.

    Attributes
    ----------
    document
        The product document (``docs/format/documents.md``), with ``file`` or ``tree``.
    reason
        Why the file was kept opaque although it looks like a known format;
        None where it was understood, or looks like nothing known.
    lacking
        Whether a package that is not installed would have read more.
    skipped
        Entries of a folder that were left out, as (relative path, reason):
        symbolic links, special files, files that cannot be read.
    headers
        The cards of the headers that `wcs` of datasets name, where they are at hand: what the
        product covers on the sky need not be read again.
    """

    document: dict[str, Any]
    reason: str | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[int, str] = field(default_factory=dict)
    lacking: bool = False


@runtime_checkable
class Format(Protocol):
    """A format of single files.

    Attributes
    ----------
    name
        The word that goes into the recipe and into ``{"reader": name}``.
    """

    name: str

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Say whether a file looks like this format.

        Parameters
        ----------
        head
            The first bytes of the file, at least 4096 where it has as many.
        filename
            Its base name; content decides where the two contradict.
        size
            Its length in bytes.
        """
        ...

    def read(self, source: ByteSource, sink: ChunkSink, filename: str) -> Imported:
        """Store the file's bytes and describe what is in them.

        Never raises for bad content: gives an opaque product with a reason.
        """
        ...

    def open_array(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> ArraySource:
        """Open an array whose ``data`` is ``{"reader": name, "item": item}``.

        Parameters
        ----------
        item
            What `read` wrote to find the array again.
        dataset
            The dataset of the document, as JSON object.
        file
            The bytes of the file, inside its wrapper where it has one.
        """
        ...

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Open a table whose ``data`` is ``{"reader": name, "item": item}``."""
        ...


@runtime_checkable
class FolderFormat(Protocol):
    """A format of folders that are one product."""

    name: str

    def matches(self, folder: Path) -> bool:
        """Say whether a folder has this format, by its content."""
        ...

    def read(
        self, folder: Path, open_source: Callable[[str], ByteSource], sink: ChunkSink
    ) -> Imported:
        """Store all files of the folder and describe what is in them.

        Parameters
        ----------
        folder
            The folder; it is listed, its files are read through `open_source`.
        open_source
            Gives the bytes of a file, named by its path relative to the folder
            with ``/`` between the parts. An error of the system or of skypool
            that it raises puts the file into `Imported.skipped`.
        sink
            Takes the chunks.
        """
        ...

    def open_array(
        self, item: Any, dataset: dict[str, Any], files: Mapping[str, ByteSource]
    ) -> ArraySource:
        """Open an array of the folder; `files` are those of the document's ``tree``."""
        ...

    def open_table(
        self, item: Any, dataset: dict[str, Any], files: Mapping[str, ByteSource]
    ) -> TableSource:
        """Open a table of the folder; `files` are those of the document's ``tree``."""
        ...


def fixed_attributes(given: Mapping[str, Any]) -> list[list[Any]]:
    """List the fixed attributes of a product as parameters, in their order.

    Parameters
    ----------
    given
        What the file says; text that it does not give becomes "Unknown", a
        date that it does not give is left out.
    """
    listed: list[list[Any]] = []
    for name in _FIXED_ORDER:
        value = given.get(name)
        if value is None or value == "":
            if name not in FIXED_TEXT:
                continue
            value = "Unknown"
        listed.append([name, value])
    return listed


def product_document(
    kind: str,
    fixed: Mapping[str, Any],
    meta: Iterable[list[Any]],
    datasets: list[list[Any]],
    recipe: dict[str, Any],
) -> dict[str, Any]:
    """Make the document of a product read from one file.

    Parameters
    ----------
    kind
        Such as ``TableProduct``.
    fixed
        The fixed attributes that the file gives.
    meta
        Further parameters; one with the name of a fixed attribute is left out,
        `fixed` decides.
    datasets
        Pairs of name and dataset, in order.
    recipe
        The recipe of the file.
    """
    named = {parameter[0]: parameter for parameter in fixed_attributes(fixed)}
    for parameter in meta:
        named.setdefault(parameter[0], parameter)
    return {
        "skypool": 1,
        "kind": kind,
        "meta": list(named.values()),
        "datasets": datasets,
        "file": recipe,
    }
