"""Products and files that say themselves what must be in them.

All content is made from a token, a short text. A product names the token of its metadata and
that of its data, a file starts with its token: whoever reads one back can make it again and
compare, without knowing who saved it. Much of the data is drawn from a few patterns, so that
writers share chunks.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

import skypool as sp

__all__ = ["Torn", "check_ref", "edited", "file_bytes", "new_product", "token_of"]

_PATTERNS = 8


class Torn(Exception):
    """Something read is not what was saved."""


def _seed(token: str) -> int:
    return zlib.crc32(token.encode())


def _datasets(token: str) -> dict[str, Any]:
    """Return the data that belong to a token: small or large images, shared or not, tables."""
    seed = _seed(token)
    own = np.random.default_rng(seed)
    shared = np.random.default_rng(seed % _PATTERNS)
    made: dict[str, Any] = {}
    shape = seed % 5
    if shape == 0:
        made["image"] = own.normal(size=(12, 15)).astype("f4")
    elif shape == 1:
        made["image"] = shared.normal(size=(300, 280)).astype("f4")
    elif shape == 2:
        made["image"] = shared.normal(size=(64, 64))
        made["coverage"] = own.integers(0, 9, size=(64, 64)).astype("i2")
    elif shape == 3:
        count = 50 + seed % 200
        made["events"] = Table({"energy": own.normal(size=count), "n": np.arange(count)})
    else:
        made["image"] = own.normal(size=(120, 110)).astype("f4")
        made["events"] = Table({"x": shared.integers(0, 1000, 80)})
    return made


def new_product(token: str, refs: Mapping[str, Any] | None = None) -> sp.Product:
    """Return the product of a token, with references."""
    return sp.Product(
        kind="MapContext" if refs else "Product",
        type="MADE",
        meta={"token": token, "data": token, "n": _seed(token) % 1000},
        datasets={} if refs else _datasets(token),
        refs=refs or {},
    )


def edited(product: sp.Product, token: str) -> sp.Product:
    """Return a product with the metadata of another token; in half of the cases its data too."""
    meta = {"token": token, "n": _seed(token) % 1000}
    if _seed(token) & 1 or not product.datasets:
        return product.replace(meta=meta)
    gone: dict[str, Any] = dict.fromkeys(product.datasets)
    return product.replace(meta=meta | {"data": token}, datasets=gone | _datasets(token))


def file_bytes(token: str) -> bytes:
    """Return the file of a token: FITS, or bytes that no format knows."""
    seed = _seed(token)
    if seed % 3:
        rng = np.random.default_rng(seed % _PATTERNS if seed % 2 else seed)
        return f"token {token}\n".encode() + rng.bytes(200 + seed % 30_000)
    header = fits.Header([("TOKEN", token)])
    images = [value for value in _datasets(token).values() if isinstance(value, np.ndarray)]
    parts = [fits.PrimaryHDU(header=header), *(fits.ImageHDU(image) for image in images)]
    buffer = io.BytesIO()
    fits.HDUList(parts).writeto(buffer)
    return buffer.getvalue()


def token_of(ref: sp.Ref) -> str:
    """Return the token of a version, empty for a folder."""
    if "file" in ref.document:
        start = _bytes(ref, 2880)
        if start.startswith(b"token "):
            return start[6 : start.index(b"\n")].decode()
        return str(fits.Header.fromstring(start)["TOKEN"])
    return str(ref.meta["token"].value) if "token" in ref.meta else ""


def check_ref(ref: sp.Ref) -> str:
    """Read all of a version and compare it with what its tokens say; return its token.

    Raises
    ------
    Torn
        If anything is different.
    """
    token = token_of(ref)
    if "file" in ref.document:
        if _bytes(ref) != file_bytes(token):
            raise Torn(f"{ref.name}@{ref.version}: the file is not that of {token}")
        return token
    if not token:
        for child in ref.refs.values():
            if not isinstance(child, sp.Ref) or child.number >= ref.number:
                raise Torn(f"{ref.name}@{ref.version}: a reference that cannot be")
        return token
    product = ref.product
    if product.meta["n"].value != _seed(token) % 1000:
        raise Torn(f"{ref.name}@{ref.version}: the metadata are not those of {token}")
    if not product.refs:
        _compare(ref, product.datasets, _datasets(str(product.meta["data"].value)))
    return token


def _bytes(ref: sp.Ref, limit: int | None = None) -> bytes:
    source = ref.view.content(ref)
    return bytes(source.pread(0, source.size if limit is None else limit))


def _compare(ref: sp.Ref, found: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    if sorted(found) != sorted(made):
        raise Torn(f"{ref.name}@{ref.version}: has {sorted(found)}, not {sorted(made)}")
    for name, value in made.items():
        for wanted, got in _arrays(value, found[name]):
            if not np.array_equal(wanted, got):
                raise Torn(f"{ref.name}@{ref.version}: wrong values in {name}")


def _arrays(made: Any, found: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(made, Table):
        for column in made.colnames:
            yield np.asarray(made[column]), np.asarray(found[column][:])
    else:
        yield made, np.asarray(found)
