"""Products from FITS files and to them, without a pool."""

from __future__ import annotations

import atexit
import gzip
import os
import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from typing import IO, Any

from skypool.errors import StorageError, UsageError
from skypool.hipe.products import Product
from skypool.hipe.refs import ProductRef
from skypool.pool.exporting import write_whole
from skypool.pool.pool import Pool

__all__ = ["fitsReader", "simpleFitsReader", "simpleFitsWriter"]

_READERS = ("hcss", "standard", "raw", "herschel then standard")
_ENDS = (".fits", ".fit", ".fts")
# What was read is kept in a pool that nobody sees, as long as the program runs.
_read: list[Pool] = []


def _pool() -> Pool:
    if not _read:
        folder = tempfile.mkdtemp(prefix="skypool-fits-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _read.append(Pool(os.path.join(folder, "read")))
    return _read[0]


def simpleFitsReader(file: Any, reader: str = "Herschel then standard") -> Any:
    """Read a FITS file, also one that is compressed with gzip or ZIP.

    The file may change or go afterwards: what was read stays as it was.

    Parameters
    ----------
    file
        Its path.
    reader
        `HCSS` for files that HCSS wrote and no others; `standard`, `raw` and the default take
        all. What HCSS wrote is read as such whatever is asked.

    Returns
    -------
    Product
        Of the class that the file names, else of what is in it.
    """
    path = os.path.expanduser(os.fspath(file) if hasattr(file, "__fspath__") else str(file))
    wanted = str(reader).lower()
    if wanted not in _READERS:
        raise UsageError(f"there is no reader {reader!r}", candidates=_READERS)
    with ExitStack() as stack:
        if path.lower().endswith(".zip"):
            path = _unzipped(path, stack.enter_context(tempfile.TemporaryDirectory()))
        pool = _pool()
        ref = pool.add(path, name=f"{len(pool)}-{os.path.basename(path)}", force_read=True)
    if ref.kind == "File":
        raise StorageError(
            f"{path!r} cannot be read as FITS" + (f": {ref.reason}" if ref.reason else "")
        )
    if wanted == "hcss" and "herschel" not in str(ref.document.get("file", {})):
        raise StorageError(f"{path!r} was not written by HCSS", hint='reader="standard" reads it')
    made = ProductRef(ref).product
    # It belongs to no pool: saving it makes a new product.
    made._places.tracks.clear()
    return made


def fitsReader(file: Any, fitsType: Any = None) -> Any:
    """Read a FITS file of any sort; see `simpleFitsReader`."""
    return simpleFitsReader(file)


def _unzipped(path: str, folder: str) -> str:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if not name.endswith("/")]
        if len(members) != 1:
            raise StorageError(f"{path!r} holds {len(members)} files, not one")
        inner = os.path.join(folder, os.path.basename(members[0]))
        with archive.open(members[0]) as source, open(inner, "wb") as target:
            shutil.copyfileobj(source, target)
    return inner


def simpleFitsWriter(product: Any, file: Any, warn: Any = True, compression: str = "NONE") -> str:
    """Write a product as a FITS file in HCSS's convention; it is there whole or not at all.

    Parameters
    ----------
    product
        The product.
    file
        Its path, ending in `.fits`, `.fit` or `.fts`, and `.gz` or `.zip` where wanted.
    warn
        Whether a file that is there is refused; with False it is replaced.
    compression
        `NONE`, `GZIP` or `ZIP`; the ending of the path counts as well, and is added where it
        is missing.

    Returns
    -------
    str
        The path.

    Raises
    ------
    StorageError
        If the file is there and *warn* is true.
    """
    from skypool.formats.fits.hcss_writer import write_hcss

    if isinstance(product, ProductRef):
        product = product.product
    if not isinstance(product, Product):
        raise UsageError(
            f"a {type(product).__name__} is no product",
            hint="put it into one: p = Product(); p['data'] = ArrayDataset(data)",
        )
    path, packing = _target(file, compression)
    if warn and os.path.lexists(path):
        raise StorageError(f"{path!r} is there already", hint="warn=False replaces it")
    core = product.to_core()
    inner = os.path.basename(path).removesuffix(".zip")

    def fill(target: IO[bytes]) -> bool:
        if packing == "GZIP":
            with gzip.GzipFile("", "wb", 6, target, mtime=0) as out:
                write_hcss(core, out.write)
        elif packing == "ZIP":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                part = archive.open(inner, "w", force_zip64=True)
                with part:
                    write_hcss(core, part.write)
        else:
            write_hcss(core, target.write)
        return True

    write_whole(path, fill)
    return path


def _target(file: Any, compression: str) -> tuple[str, str]:
    path = os.path.expanduser(os.fspath(file) if hasattr(file, "__fspath__") else str(file))
    packing = str(compression or "NONE").upper()
    if packing not in ("NONE", "GZIP", "ZIP"):
        raise UsageError(f"{compression!r} is none of NONE, GZIP, ZIP")
    plain = path
    for end, found in ((".gz", "GZIP"), (".zip", "ZIP")):
        if path.lower().endswith(end):
            packing, plain = found, path[: -len(end)]
            break
    else:
        path += {"NONE": "", "GZIP": ".gz", "ZIP": ".zip"}[packing]
    if not plain.lower().endswith(_ENDS):
        raise UsageError(
            f"{path!r} does not end as FITS files do", hint="name it .fits, .fit or .fts"
        )
    return os.path.abspath(path), packing
