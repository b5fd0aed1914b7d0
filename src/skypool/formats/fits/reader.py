"""Reading FITS files: bytes into chunks, cards into parameters, units into datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skypool.errors import Damaged, RecipeMismatch, UsageError
from skypool.formats.base import Imported
from skypool.formats.fits import hcss, plain
from skypool.formats.fits.layout import scan
from skypool.formats.fits.parameters import card_parameters
from skypool.formats.fits.units import Recipe
from skypool.formats.opaque import read_opaque
from skypool.formats.parsing import NotUnderstood

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.model.sources import ArraySource, TableSource

__all__ = ["FitsFormat"]


class FitsFormat:
    """FITS files (FITS 4.0), those of HCSS with their own names and tree.

    What is typed and what is kept as bytes is in ``docs/design/002-fits-what-is-typed.md``.
    """

    name = "fits"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Say whether a file starts as FITS files do."""
        return head.startswith(b"SIMPLE  =")

    def read(self, source: ByteSource, sink: ChunkSink, filename: str) -> Imported:
        """Store a file and describe what is in it.

        The file is read once, in order, in pieces of bounded size; astropy is not imported.

        Returns
        -------
        Imported
            An opaque product with the reason where the file departs from the standard in
            a way that makes its reading doubtful, or could not be rebuilt from its chunks.
        """
        try:
            layout = scan(source)
            hcss_file = hcss.is_hcss(layout.hdus[0].header)
            if hcss_file:
                hcss.check(layout.hdus)
            recipe = Recipe(source, sink, layout.notes)
            parts = recipe.store(layout)
            made = recipe.to_json()
        except NotUnderstood as error:
            return read_opaque(source, sink, error.reason)
        except RecipeMismatch as error:
            return read_opaque(source, sink, error.message)
        headers = {hdu.index: hdu.header.text_of_cards for hdu in layout.hdus}
        if hcss_file:
            return Imported(hcss.document(parts, made, source, sink), headers=headers)
        document = plain.document(parts, made)
        if "SKYPOOL" in layout.hdus[0].header:
            # Files that skypool exported say themselves what product they are.
            from skypool.formats.fits import convention

            datasets = {part.hdu.index: part.dataset for part in parts if part.dataset is not None}
            convention.apply(document, layout.hdus, datasets, source, sink, card_parameters)
        return Imported(document, headers=headers)

    def open_array(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> ArraySource:
        """Open a tile-compressed image, the HDU number *item* of a file."""
        from skypool.formats.fits.compressed import CompressedArray

        if type(item) is not int:
            raise Damaged(f"a document has the compressed image {item!r}, which is no HDU number")
        return CompressedArray(item, dataset, file)

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Refuse: the tables of FITS files are stored as such."""
        raise UsageError("the tables of FITS files are stored, not computed")
