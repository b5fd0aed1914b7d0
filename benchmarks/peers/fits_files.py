"""A product as a FITS file, as astropy users write it; astropy files and the Butler share it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits


def write(path: str | Path, meta: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write the metadata into the primary header, each array into an extension."""
    header = fits.Header()
    for key, value in meta.items():
        header[key.upper()[:8]] = value
    extensions = [fits.ImageHDU(data, name=name.upper()) for name, data in arrays.items()]
    fits.HDUList([fits.PrimaryHDU(header=header), *extensions]).writeto(path, overwrite=True)


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read everything of a file."""
    with fits.open(path) as hdus:
        return dict(hdus[0].header), {hdu.name.lower(): np.array(hdu.data) for hdu in hdus[1:]}


def read_array(path: str | Path, name: str, box: tuple[slice, ...] | None = None) -> Any:
    """Read one array, or a part of it."""
    with fits.open(path) as hdus:
        return hdus[name].section[box] if box is not None else np.array(hdus[name].data)


def sync(path: str | Path) -> None:
    """Make a file and its entry in its folder durable."""
    for target in (Path(path), Path(path).parent):
        handle = os.open(target, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
