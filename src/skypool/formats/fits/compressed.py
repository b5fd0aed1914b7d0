"""Tile-compressed images (FITS 4.0, section 10), uncompressed by astropy tile by tile."""

from __future__ import annotations

import io
import threading
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged
from skypool.formats.parsing import NotUnderstood, SourceFile, WatchedSource, understanding
from skypool.model.sources import Placed

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["CompressedArray"]


class CompressedArray(Placed):
    """An `ArraySource` over a tile-compressed image; only the tiles that are asked for are read.

    Parameters
    ----------
    number
        The HDU.
    dataset
        The dataset of the document.
    file
        The file's bytes.
    """

    statistics = None
    stored: object | None = None

    def __init__(self, number: int, dataset: dict[str, Any], file: ByteSource) -> None:
        self.shape: tuple[int, ...] = tuple(dataset["shape"])
        self.dtype: np.dtype[Any] = np.dtype(dataset["dtype"])
        self._number = number
        self._file = WatchedSource(file)
        self._hdu: Any = None
        # astropy positions the file for each tile.
        self._lock = threading.Lock()

    def read(self, index: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return a part of the image.

        Raises
        ------
        Damaged
            If the image cannot be uncompressed.
        """
        steps = tuple(slice(None, None, part.step or 1) for part in index)
        whole = tuple(slice(part.start, part.stop) for part in index)
        counts = [len(range(*part.indices(n))) for part, n in zip(index, self.shape, strict=True)]
        if 0 in counts:
            return np.empty(counts, self.dtype)
        with self._lock:
            try:
                values = self._section(whole)
            except NotUnderstood as error:
                raise Damaged(f"HDU {self._number}: {error.reason}") from error
        return np.ascontiguousarray(values[steps]).astype(self.dtype, copy=False)

    def _section(self, whole: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        from astropy.io import fits

        with (
            warnings.catch_warnings(),
            understanding(self._file, "a compressed image", (fits.VerifyError, _codec_error())),
        ):
            warnings.simplefilter("ignore")
            if self._hdu is None:
                stream = io.BufferedReader(SourceFile(self._file), 65536)
                self._hdu = fits.open(stream, memmap=False)[self._number]
            values: np.ndarray[Any, Any] = np.asarray(self._hdu.section[whole])
        return values


def _codec_error() -> type[Exception]:
    """Return the class that astropy's C code raises on damaged tiles; it is not public."""
    module = import_module("astropy.io.fits.hdu.compressed._compression")
    error: type[Exception] = getattr(module, "CfitsioException", ValueError)
    return error
