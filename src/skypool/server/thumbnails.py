"""Small pictures of products, as WebP, kept in the cache folder by what they show.

The name of a picture is the hash of the document that it was made of, its size, and the number
of the recipe: it never has to be made again, and never changes.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.errors import MissingDependency, SkypoolError
from skypool.server.colours import stretched
from skypool.server.data_plots import plot, spectrum
from skypool.server.data_sources import Shown, default_dataset, quick_of, spectral_columns
from skypool.server.previews import preview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from skypool.pool.ref import Ref

__all__ = ["RECIPE", "Thumbnails", "drawn_ref", "picture"]

RECIPE: Final = 1
"""Number of the recipe: another one for pictures that look otherwise."""

_QUALITY: Final = 82
_MOST_BYTES: Final = 256 * 1024**2
_TRIM_EVERY: Final = 256
# Where the picture of a context is looked for, best first, and how far.
_ROLES: Final = ("browse", "level2_5", "level3", "level2", "level1", "product")
_MOST_LOOKED_AT: Final = 40
_DEPTH: Final = 3
_LINE: Final = (59, 130, 246, 255)
_BAND: Final = (59, 130, 246, 90)


def drawn_ref(ref: Ref) -> Ref | None:
    """Return the version that the picture of a version shows: itself, or one below a context.

    No data are read. None where there is nothing to show.
    """
    for number, candidate in enumerate(_candidates(ref, _DEPTH)):
        if number >= _MOST_LOOKED_AT:
            break
        try:
            if _shows(candidate):
                return candidate
        except SkypoolError:  # of the children of a context, another one may be whole
            if candidate is ref:
                raise
    return None


def _candidates(ref: Ref, depth: int) -> Iterator[Ref]:
    yield ref
    if not ref.is_context or not depth:
        return
    from skypool.pool.ref import Ref as AnyRef

    children = [(role, child) for role, child in ref.refs.items() if isinstance(child, AnyRef)]
    for _, child in sorted(children, key=lambda item: _wanted(item[0])):
        yield from _candidates(child, depth - 1)


def _wanted(role: str) -> int:
    name = role.casefold()
    found = (n for n, known in enumerate(_ROLES) if name.startswith(known))
    return next(found, len(_ROLES))


def _shows(ref: Ref) -> bool:
    product = ref.product
    path = default_dataset(product)
    if path is None:
        return False
    dataset = product.datasets[path]
    return quick_of(dataset) != "table" or spectral_columns(dataset) is not None


def picture(ref: Ref, size: int) -> bytes | None:
    """Make the picture of a version; None where there is nothing to show.

    Parameters
    ----------
    ref
        The version; not what is below it.
    size
        Largest height and width, pixels.
    """
    product = ref.product
    path = default_dataset(product)
    if path is None:
        return None
    dataset: Any = product.datasets[path]
    quick = quick_of(dataset)
    if quick in ("image", "cube"):
        return _webp(_image(dataset, size))
    if quick == "spectrum":
        found = spectrum(Shown(dataset), count=size)
    else:
        columns = spectral_columns(dataset)
        if columns is None:
            return None
        found = plot(dataset, *columns, count=size)
    return _webp(_curve(found, size))


def _image(array: Any, size: int) -> Any:
    small = preview(array, (size, size))
    rgba = small.rgba()
    # Images have their first row at the bottom.
    return _enlarged(rgba[::-1], size)


def _enlarged(rgba: Any, size: int) -> Any:
    """Repeat the pixels of very small images, which would be specks otherwise."""
    times = size // max(1, *rgba.shape[:2])
    if times < 2:
        return rgba
    return np.repeat(np.repeat(rgba, times, axis=0), times, axis=1)


def _curve(found: dict[str, Any], size: int) -> Any:
    from PIL import Image, ImageDraw

    height, scale = max(2, size * 5 // 8), 2
    image = Image.new("RGBA", (size * scale, height * scale))
    draw = ImageDraw.Draw(image)
    y = {name: _floats(found["y"].get(name)) for name in ("values", "low", "high")}
    x = _share(_floats(found["x"]["values"]))
    known = np.concatenate([part[np.isfinite(part)] for part in y.values() if part.size])
    if not known.size:
        return np.zeros((height, size, 4), np.uint8)
    low, high = np.percentile(known, (0.2, 99.8))
    room = 3 * scale
    across = room + x * (size * scale - 2 * room - 1)

    def up(values: Any) -> Any:
        share = np.asarray(stretched(values, low, high, "linear"), float)
        return room + (1 - share) * (height * scale - 2 * room - 1)

    if y["low"].size:
        for place, top, bottom in zip(across, up(y["high"]), up(y["low"]), strict=True):
            if np.isfinite([place, top, bottom]).all():
                draw.line([(place, top), (place, bottom)], fill=_BAND, width=scale)
    points = np.stack([across, up(y["values"])], axis=-1)
    good = np.isfinite(points).all(axis=1)
    if found.get("mode") == "points":
        for px, py in points[good]:
            draw.ellipse([px - scale, py - scale, px + scale, py + scale], fill=_LINE)
    else:
        for run in np.split(np.arange(len(points)), np.flatnonzero(np.diff(good)) + 1):
            if len(run) and good[run[0]]:
                draw.line([tuple(p) for p in points[run].tolist()], fill=_LINE, width=scale + 1)
    return np.asarray(image.resize((size, height), Image.Resampling.BOX))


def _floats(values: Any) -> Any:
    return np.asarray([] if values is None else values, float)


def _share(x: Any) -> Any:
    known = x[np.isfinite(x)]
    if not known.size or known.min() == known.max():
        return np.full(x.shape, 0.5)
    return np.asarray(stretched(x, known.min(), known.max(), "linear"), float)


def _webp(rgba: Any) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependency("pictures need Pillow", hint="pip install 'skypool[ui]'") from error
    image = Image.fromarray(np.ascontiguousarray(rgba))
    if (rgba[..., 3] == 255).all():
        image = image.convert("RGB")
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY, method=2)
    return out.getvalue()


class Thumbnails:
    """Pictures that were made, in a folder.

    Parameters
    ----------
    folder
        Where they are kept; made when it is needed. Without permission nothing is kept.
    most_bytes
        Bytes that they may take; those used longest ago go first.
    """

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._made = 0
        self._lock = threading.Lock()

    def get(self, ref: Ref, size: int) -> bytes | None:
        """Return the picture of a version, or of one below it; None where nothing can be shown."""
        drawn = drawn_ref(ref)
        if drawn is None:
            return None
        path = self._folder / drawn.hash[:2] / f"{drawn.hash}-{size}-{RECIPE}.webp"
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            if data:
                os.utime(path)
                return data
        made = picture(drawn, size)
        if made is not None:
            with contextlib.suppress(OSError):
                self._keep(path, made)
        return made

    def _keep(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        with self._lock:
            self._made += 1
            due = self._made % _TRIM_EVERY == 1
        if due:
            self.trim()

    def trim(self) -> None:
        """Remove the pictures used longest ago until they fit into their bound."""
        found = []
        for path in self._folder.glob("??/*.webp"):
            with contextlib.suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, path))
        used = sum(size for _, size, _ in found)
        for _, size, path in sorted(found, key=lambda item: item[0]):
            if used <= self._most_bytes:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            used -= size
