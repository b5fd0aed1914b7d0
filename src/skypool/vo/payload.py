"""What of a product is sent: one dataset, or the file as it came, as a file that programs read."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skypool.errors import NotFound, UsageError
from skypool.model.arrays import Array
from skypool.model.composite import Composite
from skypool.model.iraf import dispersion
from skypool.model.tables import Table
from skypool.vo.client import plain

if TYPE_CHECKING:
    from skypool.model.composite import Datasets
    from skypool.pool.ref import Ref

__all__ = ["Part", "choose", "content", "file_of", "is_format", "parts"]

_WHATS = ("image", "cube", "table", "spectrum")
_ENDS = {
    "fits": (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz"),
    "votable": (".vot", ".votable", ".xml", ".vot.gz"),
}
# FITS has these, VOTable not; float64 is exact up to 2^53.
_WIDER = {"i1": "int16", "u2": "int32", "u4": "int64", "u8": "float64"}
_FIRST = ("image", "sci", "flux", "signal")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A dataset that can be sent.

    Attributes
    ----------
    path : str
        Its place in the product: names with slashes.
    what : str
        `image`, `cube`, `table` or `spectrum`.
    dataset : Array or Table
    """

    path: str
    what: str
    dataset: Array | Table


def parts(ref: Ref) -> list[Part]:
    """Return the datasets of a product that programs can show, in order; no data are read."""
    found: list[Part] = []
    _collect(ref.product.datasets, "", ref.is_kind("Spectrum"), found)
    return found


def _collect(datasets: Datasets, above: str, spectral: bool, found: list[Part]) -> None:
    for name, dataset in datasets.items():
        path = above + name
        if isinstance(dataset, Composite):
            _collect(dataset, f"{path}/", spectral, found)
        elif isinstance(dataset, Table):
            if dataset.colnames:
                found.append(Part(path, "spectrum" if spectral else "table", dataset))
        elif dataset.dtype.kind in "iufb":
            axes = sum(length > 1 for length in dataset.shape)
            if axes and dataset.size:
                what = "spectrum" if axes == 1 else "image" if axes == 2 else "cube"
                found.append(Part(path, what, dataset))


def content(ref: Ref) -> tuple[str, ...]:
    """Return what is in a product: of `image`, `cube`, `table`, `spectrum`; or `context`."""
    if ref.is_context and not ref.document["datasets"]:
        return ("context",)
    there = {part.what for part in parts(ref)}
    return tuple(what for what in _WHATS if what in there)


def choose(found: list[Part], accepts: Collection[str], dataset: str | None) -> Part | None:
    """Return the dataset for a program: the one asked for, else the main one that it takes.

    Raises
    ------
    NotFound
        If there is no dataset of that name.
    """
    if dataset is not None:
        for part in found:
            if part.path == dataset or part.path.lower() == dataset.lower():
                return part if part.what in accepts else None
        raise NotFound(
            f"there is no dataset {dataset!r} that can be sent",
            candidates=[part.path for part in found],
        )
    suitable = [part for part in found if part.what in accepts]
    for part in suitable:
        if part.what in ("image", "cube") and part.path.lower() in _FIRST:
            return part
    return suitable[0] if suitable else None


def file_of(ref: Ref, part: Part, form: str = "fits") -> str:
    """Return the path of a read-only file with a dataset.

    It is the file as it came where programs find this dataset in it by themselves; else one of
    the dataset alone, in the bounded cache.

    Parameters
    ----------
    ref
        The product.
    part
        The dataset.
    form
        `fits` or `votable`; a spectrum that is one array becomes a table.
    """
    if _is_main(ref, part, form):
        return ref.path
    from skypool.pool.paths import made_path

    ending = "fits" if form == "fits" else "vot"
    place = re.sub(r"[^\w.+-]+", "_", part.path) or "data"
    return made_path(
        ref,
        os.path.join(form, place, f"{file_stem(ref)}.{ending}"),
        lambda path: write_part(ref, part, path, form),
    )


def _is_main(ref: Ref, part: Part, form: str) -> bool:
    """Say whether the file as it came shows this dataset first, in any program."""
    if not is_format(ref, form):
        return False
    file = ref.document["file"]
    found = parts(ref)
    if isinstance(part.dataset, Table):
        # Programs differ in what they do with several tables.
        tables = sum(
            hdu["type"] != "empty" and hdu["type"] != "image" for hdu in file.get("hdus", ())
        )
        return sum(isinstance(p.dataset, Table) for p in found) == 1 and tables <= 1
    first = next((p.path for p in found if isinstance(p.dataset, Array)), None)
    return form == "fits" and part.what in ("image", "cube") and first == part.path


def is_format(ref: Ref, form: str) -> bool:
    """Say whether a product is a file of a format, `fits` or `votable`, by content and name."""
    file = ref.document.get("file") or {}
    return file.get("format") == form and ref.name.lower().endswith(_ENDS[form])


def file_stem(ref: Ref) -> str:
    """Return a name for files made of a product, without its extension."""
    name = ref.name.rsplit("/", 1)[-1]
    name = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    return os.path.splitext(name)[0] or f"{ref.kind}-{ref.number}"


def write_part(ref: Ref, part: Part, path: str, form: str = "fits") -> None:
    """Write one dataset to a file: FITS or VOTable."""
    if isinstance(part.dataset, Array) and part.what != "spectrum":
        _write_image(ref, part, path)
        return
    table = as_table(part)
    table.meta.clear()
    if form == "votable":
        try:
            _clean(table)
            _widen(table)
            table.write(path, format="votable", overwrite=True)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UsageError(f"{part.path} of {ref.name} is no VOTable: {error}") from error
        return
    try:
        _write_table(ref, part, table, path)
    except (ValueError, TypeError, ArithmeticError):  # texts that are not ASCII, ragged lists
        _write_product(ref, part, path)


def _write_table(ref: Ref, part: Part, table: Any, path: str) -> None:
    from astropy.io import fits

    hdu = fits.table_to_hdu(table)
    hdu.header["EXTNAME"] = _ascii(part.path.upper())
    _cards(ref, part, hdu.header)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)


def _clean(table: Any) -> None:
    """Take characters away that XML has not."""
    import numpy as np
    from astropy.table import MaskedColumn

    for name in table.colnames:
        column = table[name]
        if column.dtype.kind in "US":
            cells = np.asarray(column).reshape(-1).tolist()
            texts = [c.decode("utf-8", "replace") if isinstance(c, bytes) else c for c in cells]
            clean = [plain(text) for text in texts]
            if clean != cells:
                values = np.array(clean, dtype=str).reshape(column.shape)
                mask = getattr(column, "mask", None)
                table[name] = values if mask is None else MaskedColumn(values, mask=mask)
        elif column.dtype.kind == "O":
            for row, cell in enumerate(column):
                if isinstance(cell, str):
                    column[row] = plain(cell)
        column = table[name]
        column.description = plain(column.description or "")
        if column.unit is not None and plain(column.unit) != str(column.unit):
            column.unit = None
        if plain(name) != name:
            table.rename_column(name, plain(name))


def _widen(table: Any) -> None:
    """Give columns the next larger type where VOTable has not theirs."""
    for name in table.colnames:
        column = table[name]
        if column.dtype.kind == "O":  # lists of any length
            for row, cell in enumerate(column):
                wider = _WIDER.get(getattr(cell, "dtype", column.dtype).str[1:])
                if wider is not None:
                    column[row] = cell.astype(wider)
        elif (wider := _WIDER.get(column.dtype.str[1:])) is not None:
            table[name] = column.astype(wider)


def _ascii(text: str) -> str:
    """Return a text as values of FITS cards may have it."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:60]


def as_table(part: Part) -> Any:
    """Return a table, or a spectrum that is one array, as a table of astropy."""
    if isinstance(part.dataset, Table):
        return part.dataset.to_astropy()
    import numpy as np
    from astropy.table import Column
    from astropy.table import Table as AstropyTable

    array = part.dataset
    values = np.asarray(array).reshape(-1)
    table = AstropyTable()
    axis, unit = _axis(array, len(values))
    table["pixel" if unit is None else "spectral_axis"] = Column(axis, unit=unit or None)
    table[part.path.rsplit("/", 1)[-1]] = Column(values, unit=array.unit_text or None)
    return table


def _axis(array: Array, count: int) -> tuple[Any, str | None]:
    """Return the coordinate of each element of a spectrum, with its unit; None for pixels."""
    import numpy as np

    pixels = np.arange(count, dtype=float)
    wcs = array.wcs
    by_iraf = dispersion(wcs, count)
    if by_iraf is not None:
        return by_iraf[1], by_iraf[2]
    if wcs is None or not wcs.has_spectral or wcs.naxis != array.ndim:
        return pixels + 1, None
    at = [np.zeros(count)] * wcs.naxis
    spectral = wcs.wcs.spec
    at[spectral] = pixels
    found = wcs.wcs_pix2world(np.transpose(at), 0)[:, spectral]
    return found, str(wcs.wcs.cunit[spectral])


def _write_image(ref: Ref, part: Part, path: str) -> None:
    import numpy as np
    from astropy.io import fits

    array = part.dataset
    assert isinstance(array, Array)
    header = array.wcs.to_header(relax=True) if array.wcs is not None else fits.Header()
    if array.unit_text:
        header["BUNIT"] = _ascii(array.unit_text)
    _cards(ref, part, header)
    data = np.asarray(array)
    if data.dtype.kind == "b":
        data = data.astype(np.uint8)
    fits.HDUList([fits.PrimaryHDU(data, header)]).writeto(path, overwrite=True)


def _cards(ref: Ref, part: Part, header: Any) -> None:
    for card, key in (("OBJECT", "object"), ("TELESCOP", "telescope"), ("INSTRUME", "instrument")):
        if key in ref.meta and isinstance(value := ref.meta[key].value, str):
            header[card] = _ascii(value)
    header["SRCURN"] = (_ascii(ref.urn), "product that this is a part of")
    header["SRCNAME"] = (_ascii(part.path[-60:]), "its dataset")


def _write_product(ref: Ref, part: Part, path: str) -> None:
    from skypool.formats.fits.writer import write_product
    from skypool.model.product import Product

    product = Product("TableProduct", type=ref.type, datasets={"table": part.dataset})
    with open(path, "wb") as out:
        write_product(product, out)
