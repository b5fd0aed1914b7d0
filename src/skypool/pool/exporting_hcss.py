"""Export as FITS files in the convention of HCSS, the Herschel software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from skypool.errors import SkypoolError, UsageError
from skypool.formats.fits.hcss_writer import write_hcss
from skypool.pool.exporting import Exporter, is_folder, write_whole

if TYPE_CHECKING:
    from skypool.pool.exporting import ExportReport
    from skypool.pool.ref import Ref

__all__ = ["HcssExporter"]

_ENDS = (".fits", ".fit", ".fts")


class HcssExporter(Exporter):
    """Writes products and their trees into a folder, as files that HIPE reads.

    Files that HCSS wrote come as they are, byte for byte, wrapper included. What has no datasets
    is copied within a tree, and listed in the report; asked for alone it is an error.
    """

    def export(self, ref: Ref, folder: str) -> ExportReport:
        """Write a product into a folder, which is made; a context's content goes right into it.

        Raises
        ------
        UsageError
            If the product has nothing that FITS can hold.
        Conflict
            If a file of that name is there.
        """
        if not is_folder(ref) and not _is_hcss(ref) and not _is_typed(ref):
            raise UsageError(
                f"{ref.name}@{ref.version} is plain bytes: it has no metadata and no datasets "
                f"that could be written in the convention of HCSS",
                hint="export it without a format: the file as it came",
            )
        return super().export(ref, folder)

    def _product(self, ref: Ref, path: str) -> None:
        if _is_hcss(ref):
            super()._product(ref, path)
            return
        if not _is_typed(ref):
            super()._product(ref, path)
            self.report.inexact.append((path, "plain bytes, as they came: not HCSS FITS"))
            return
        try:
            path = _hcss_name(path)
            self._check_free(path, ref.hash)
            write_whole(path, lambda out: _write_hcss(ref, out))
        except SkypoolError as error:
            if not error.message.startswith(f"{ref.name}@{ref.version}"):
                error.message = f"{ref.name}@{ref.version}: {error.message}"
            raise
        self._note(ref, path, True)


def _write_hcss(ref: Ref, out: BinaryIO) -> bool:
    write_hcss(ref.product, out)
    return True


def _first_unit(ref: Ref) -> dict[str, Any]:
    file = ref.document.get("file") or {}
    units = file.get("hdus") or [{}]
    return dict(units[0])


def _is_hcss(ref: Ref) -> bool:
    """Say whether a product is a file that HCSS wrote."""
    return "class" in _first_unit(ref)


def _is_typed(ref: Ref) -> bool:
    """Say whether more is known of a product than its bytes."""
    document = ref.document
    file = document.get("file") or {}
    return file.get("format") != "opaque" and ref.kind != "File"


def _hcss_name(path: str) -> str:
    """Return the path of the FITS file that a file becomes."""
    plain = path.removesuffix(".gz")
    return plain if plain.lower().endswith(_ENDS) else f"{path}.fits"
