"""What the Butler needs to know of a product: it has no formatter for FITS without LSST's stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fits_files import read, read_array, write
from lsst.daf.butler import FormatterV2


@dataclass
class Product:
    """Metadata and arrays."""

    meta: dict[str, Any]
    arrays: dict[str, Any]


class ProductFormatter(FormatterV2):
    """Writes products as FITS files; reads them whole, or one array, or a part of it."""

    can_read_from_local_file = True
    default_extension = ".fits"
    supported_extensions = frozenset({".fits"})
    unsupported_parameters: frozenset[str] = frozenset()

    def read_from_local_file(
        self, path: str, component: str | None = None, expected_size: int = -1
    ) -> Product:
        """Read what the parameters ask for."""
        wanted = self.file_descriptor.parameters or {}
        if "array" not in wanted:
            return Product(*read(path))
        name = wanted["array"]
        return Product({}, {name: read_array(path, name, wanted.get("box"))})

    def write_local_file(self, in_memory_dataset: Product, uri: Any) -> None:
        """Write a file."""
        write(uri.ospath, in_memory_dataset.meta, in_memory_dataset.arrays)
