"""Gnomonic images (TAN), by far the most common ones, without astropy.

A gnomonic image is a central projection: homogeneous pixel coordinates are a 3 x 3 matrix
times the direction's unit vector, and straight lines of pixels are great circles. Nine
numbers are thus the whole of its world coordinates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from skypool.sky.cards import card_values
from skypool.sky.frames import ROTATIONS, Matrix, frame_of
from skypool.sky.vectors import Vector, dot, vector

__all__ = ["Tangent", "tangent"]

_DEGREE: Final = 180.0 / math.pi
# Whatever changes the projection beyond what `tangent` looks at.
_OTHER: Final = re.compile(
    r"PV\d+_\d+|PS\d+_\d+|CROTA\d+|LONPOLE|[AB]P?_(?:ORDER|\d+_\d+)|CPDIS\d|CQDIS\d|D[PQ]\d|D2IM.*"
    r"|AXISCORR|AMD[XY]\d+|PPO\d+|EPOCH|RADECSYS|VELREF|WCSAXES|CTYPE[3-9]|CUNIT[12]"
)
_USED: Final = re.compile(r"(?:CTYPE|CRVAL|CRPIX|CDELT)[12]|(?:CD|PC)[12]_[12]|RADESYS|EQUINOX")
_CD: Final = ("CD1_1", "CD1_2", "CD2_1", "CD2_2")
_PC: Final = ("PC1_1", "PC1_2", "PC2_1", "PC2_2")


@dataclass(frozen=True, slots=True)
class Tangent:
    """Pixels of a gnomonic image and directions.

    Attributes
    ----------
    rows : tuple of Vector
        The matrix that turns an ICRS unit vector into homogeneous pixel coordinates
        (x w, y w, w), w > 0, counted from 0 at the centre of the first pixel. Directions with
        w <= 0 are behind the tangent point's horizon.
    """

    rows: Matrix

    def pixel(self, direction: Vector) -> tuple[float, float] | None:
        """Return x and y of a direction; None where the projection has none."""
        x_row, y_row, w_row = self.rows
        w = dot(w_row, direction)
        if w <= 1e-9:
            return None
        return dot(x_row, direction) / w, dot(y_row, direction) / w

    def direction(self, x: float, y: float) -> Vector:
        """Return the direction of a pixel position."""
        (a, b, c), (d, e, f), (u, v, w) = self.rows
        # Normal to both planes in which x and y have these values; written out, since every
        # image that is indexed asks for its corners.
        g, h, i = a - x * u, b - x * v, c - x * w
        k, m, n = d - y * u, e - y * v, f - y * w
        p, q, r = h * n - i * m, i * k - g * n, g * m - h * k
        length = math.sqrt(p * p + q * q + r * r)
        p, q, r = p / length, q / length, r / length
        return (p, q, r) if p * u + q * v + r * w > 0.0 else (-p, -q, -r)


def tangent(header: str) -> Tangent | None:
    """Return the projection of a plain gnomonic image.

    Parameters
    ----------
    header
        80-character cards.

    Returns
    -------
    Tangent or None
        None for every other projection, for distortions, and for whatever is unusual: then
        astropy answers.

    Notes
    -----
    Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3, with LONPOLE = 180 degrees.
    """
    if "TAN" not in header:
        return None
    values, repeated = card_values(header)
    if any(_USED.fullmatch(key) for key in repeated) or not _is_plain(values):
        return None
    kinds = str(values.get("CTYPE1", "")), str(values.get("CTYPE2", ""))
    order = _axes(kinds)
    centre = values.get("CRVAL1"), values.get("CRVAL2")
    reference = values.get("CRPIX1", 0.0), values.get("CRPIX2", 0.0)
    if order is None or not all(isinstance(v, float) for v in (*centre, *reference)):
        return None
    equinox = values.get("EQUINOX")
    frame = frame_of(
        "GLON" if kinds[order].startswith("GLON") else "RA",
        str(values.get("RADESYS", "")),
        equinox if isinstance(equinox, float) else None,
    )
    inverse = _inverse(values)
    lon, lat = float(centre[order] or 0.0), float(centre[1 - order] or 0.0)
    if frame is None or inverse is None or not -90.0 <= lat < 90.0:
        return None
    return _projection(ROTATIONS[frame], (lon, lat), order, inverse, reference)


def _is_plain(values: Mapping[str, float | str]) -> bool:
    for key in _suspicious(tuple(values)):
        value = values[key]
        harmless = (
            (key.startswith("CROTA") and value == 0.0)
            or (key == "LONPOLE" and value == 180.0)
            or (key == "WCSAXES" and value == 2.0)
            or (key.startswith("CUNIT") and str(value).strip() in ("deg", "degree", ""))
        )
        if not harmless:
            return False
    return True


@lru_cache(maxsize=1024)
def _suspicious(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return those keywords that may change the projection: many images have the same ones."""
    return tuple(key for key in keys if _OTHER.fullmatch(key))


def _axes(kinds: tuple[str, str]) -> int | None:
    """Return which of the axes is the longitude."""
    for order in (0, 1):
        pair = kinds[order], kinds[1 - order]
        if pair in (("RA---TAN", "DEC--TAN"), ("GLON-TAN", "GLAT-TAN")):
            return order
    return None


def _inverse(values: Mapping[str, float | str]) -> tuple[float, float, float, float] | None:
    """Return the matrix from intermediate world coordinates (degrees) to pixels."""
    cd = [values.get(place) for place in _CD]
    steps = [values.get("CDELT1"), values.get("CDELT2")]
    pc = [values.get(place) for place in _PC]
    if any(value is not None for value in cd):
        if any(value is not None for value in pc):
            return None
        found = [0.0 if value is None else value for value in cd]
    else:
        default = (1.0, 0.0, 0.0, 1.0)
        turned = [d if value is None else value for value, d in zip(pc, default, strict=True)]
        scale = [1.0 if value is None else value for value in steps]
        if not all(isinstance(value, float) for value in (*turned, *scale)):
            return None
        found = [float(turned[n]) * float(scale[n // 2]) for n in range(4)]
    if not all(isinstance(value, float) for value in found):
        return None
    a, b, c, d = (float(value) for value in found)
    determinant = a * d - b * c
    if determinant == 0.0 or not math.isfinite(determinant):
        return None
    return d / determinant, -b / determinant, -c / determinant, a / determinant


def _projection(
    rotation: Matrix,
    centre: tuple[float, float],
    order: int,
    inverse: tuple[float, float, float, float],
    reference: tuple[float | str, float | str],
) -> Tangent:
    lon, lat = math.radians(centre[0]), math.radians(centre[1])
    axis = vector(*centre)
    sine, cosine = math.sin(lon), math.cos(lon)
    east = (-sine, cosine, 0.0)
    north = (-math.sin(lat) * cosine, -math.sin(lat) * sine, math.cos(lat))
    axis, east, north = _turned(rotation, axis), _turned(rotation, east), _turned(rotation, north)
    first, second = (east, north) if order == 0 else (north, east)
    a, b, c = axis
    (d, e, f), (g, h, i) = first, second
    rows: list[Vector] = []
    for n in (0, 1):
        at = float(reference[n]) - 1.0
        one, two = inverse[2 * n] * _DEGREE, inverse[2 * n + 1] * _DEGREE
        rows.append(
            (
                one * d + two * g + at * a,
                one * e + two * h + at * b,
                one * f + two * i + at * c,
            )
        )
    return Tangent((rows[0], rows[1], axis))


def _turned(rotation: Matrix, v: Vector) -> Vector:
    return (dot(rotation[0], v), dot(rotation[1], v), dot(rotation[2], v))
