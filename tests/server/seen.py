"""Pools for the tests of the quick look, and a spy on what is read of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import skypool as sp
from skypool.server.data_sources import Shown, ShownData

__all__ = ["Spy", "saved", "shown_of", "sky_header"]


def sky_header(
    nx: int, ny: int, scale: float = 1 / 3600, angle: float = 0.0, more: str = ""
) -> str:
    """Return header cards of a tangent plane around (201.365, -43.019)."""
    turn = math.radians(angle)
    c, s = math.cos(turn) * scale, math.sin(turn) * scale
    cards = [
        "CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CUNIT1  = 'deg'", "CUNIT2  = 'deg'",
        "CRVAL1  = 201.365", "CRVAL2  = -43.019", f"CRPIX1  = {(nx + 1) / 2}",
        f"CRPIX2  = {(ny + 1) / 2}", f"CD1_1   = {-c:.13E}", f"CD1_2   = {s:.13E}",
        f"CD2_1   = {s:.13E}", f"CD2_2   = {c:.13E}", "RADESYS = 'ICRS'",
    ]  # fmt: skip
    return "".join(card.ljust(80) for card in cards) + more


def saved(folder: Path, name: str = "a", **datasets: Any) -> tuple[Any, Any]:
    """Return an open pool with one product, and its ref; read from packs, not from memory."""
    path = str(folder / "pool")
    with sp.Pool(path) as pool:
        kind = "SimpleImage"
        urn = pool.save(sp.Product(kind=kind, datasets=datasets), name=name).urn
    pool = sp.Pool(path, "r")
    return pool, pool[urn]


def shown_of(folder: Path, data: Any, **more: Any) -> Shown:
    """Return an array as the quick look sees it, out of a pool."""
    pool, ref = saved(folder, image=data if isinstance(data, sp.Array) else sp.Array(data, **more))
    return ShownData(lambda: [pool]).array(ref.hash, "image")


class Spy:
    """Counts the chunks that an array or table reads, and their bytes.

    Lists of chunks and statistics, which are chunks themselves, count as bytes only.
    """

    def __init__(self, dataset: Any) -> None:
        self._source = dataset.source
        self._fetch = self._source._fetch
        self.chunks: list[bytes] = []
        self.bytes = 0
        names = getattr(self._source, "tile_names", None)
        self._tiles = set(names()) if names else None
        self._source._fetch = self._read

    def _read(self, digest: bytes) -> bytes:
        data: bytes = self._fetch(digest)
        if self._tiles is None:
            if digest != self._source._segment.chunks.name:
                self.chunks.append(digest)
        elif digest in self._tiles:
            self.chunks.append(digest)
        self.bytes += len(data)
        return data

    def reset(self) -> None:
        """Count from 0 again."""
        self.chunks, self.bytes = [], 0
