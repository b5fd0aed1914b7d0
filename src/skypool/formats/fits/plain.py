"""Files of the many writers of FITS that are not HCSS: names, kinds, fixed attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from skypool.formats.base import product_document
from skypool.formats.fits.parameters import card_parameters, parse_mjd, parse_time
from skypool.formats.typed import composite, unique_names, unread

if TYPE_CHECKING:
    from skypool.formats.fits.cards import Header
    from skypool.formats.fits.units import Part

__all__ = ["document"]

_TEXTS = {
    "type": ("TYPE",),
    "creator": ("CREATOR", "ORIGIN"),
    "description": ("DESC", "TITLE"),
    "instrument": ("INSTRUME",),
    "modelName": ("MODELNAM",),
    "formatVersion": ("FORMATV",),
}
_OBSID = ("OBSID", "OBS_ID", "OBS-ID", "OBSERVID")
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z")
# The form before 1999 (section 9.1.1 still asks readers for it).
_OLD_DAY = re.compile(r"(\d\d)/(\d\d)/(\d\d)\Z")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?\Z")
_SPECTRAL = re.compile(r"(FREQ|ENER|WAVN|VRAD|WAVE|VOPT|ZOPT|AWAV|VELO|BETA|FELO|LAMBDA|VLSR|VHEL)")


def document(parts: Sequence[Part], recipe: dict[str, Any]) -> dict[str, Any]:
    """Make the product document of a file.

    Parameters
    ----------
    parts
        Its units.
    recipe
        The recipe of the file.
    """
    headers = [part.hdu.header for part in parts]
    meta = card_parameters(headers[0])
    obsid = _obsid(headers)
    if obsid is not None and not any(entry[0] == "obsid" for entry in meta):
        meta.append(["obsid", obsid])
    listed = [(part, _dataset(part)) for part in parts]
    named = [(part, dataset) for part, dataset in listed if dataset is not None]
    names = unique_names(_names([part for part, _ in named]))
    datasets = [[name, dataset] for name, (_, dataset) in zip(names, named, strict=True)]
    return product_document(_kind(parts), _fixed(headers), meta, datasets, recipe)


def _dataset(part: Part) -> dict[str, Any] | None:
    """Return the dataset of a unit with its metadata; None for a primary unit without data."""
    header, primary = part.hdu.header, part.hdu.index == 0
    if part.dataset is not None:
        meta = "product" if primary else card_parameters(header)
        return part.dataset | {"meta": meta, "description": _description(header, primary)}
    meta = [] if primary else card_parameters(header)
    if part.reason:
        return unread(part.reason, meta)
    return None if primary else composite([], meta, _description(header, primary))


def _description(header: Header, primary: bool) -> str:
    return "" if primary else header.text("DESC") or header.text("TITLE")


def _names(parts: Sequence[Part]) -> list[str]:
    taken = {part.hdu.header.text("EXTNAME") for part in parts}
    versions: dict[str, int] = {}
    names = []
    for part in parts:
        header = part.hdu.header
        name = header.text("EXTNAME")
        if not name and part.hdu.index == 0:
            plain = "groups" if part.hdu.kind == "groups" else "image"
            name = plain if plain not in taken else "PRIMARY"
        elif not name:
            name = f"HDU_{part.hdu.index}"
        else:
            version = header.integer("EXTVER")
            if name in versions:
                # The second (SCI, 1) of a file that gives no versions counts as the second.
                number = version if version not in (None, 1) else versions[name] + 1
                versions[name] += 1
                name = f"{name},{number}"
            else:
                versions[name] = 1
        # A slash would mean a dataset within a composite.
        names.append(name.replace("/", "_"))
    return names


def _kind(parts: Sequence[Part]) -> str:
    """Return the kind for what the file holds; axes of length 1 do not count."""
    found = [part for part in parts if part.dataset is not None or part.reason]
    sorts = {
        part.dataset["is"] if part.dataset is not None and part.hdu.kind != "other" else "bytes"
        for part in found
    }
    if sorts == {"table"}:
        return "TableProduct"
    if sorts != {"array"}:
        return "Product"
    shapes = [part.dataset["shape"] for part in found if part.dataset is not None]
    sizes = {sum(1 for length in shape if length != 1) for shape in shapes}
    if sizes == {2}:
        return "SimpleImage"
    if max(sizes) == 3 and min(sizes) >= 1:
        cube = next(part for part, n in zip(found, shapes, strict=True) if _is_cube(n))
        return "SpectralSimpleCube" if _has_spectral_axis(cube) else "SimpleCube"
    return "Spectrum1d" if sizes == {1} else "Product"


def _is_cube(shape: Sequence[int]) -> bool:
    return sum(1 for length in shape if length != 1) == 3


def _has_spectral_axis(part: Part) -> bool:
    header, axes = part.hdu.header, part.dataset["shape"][::-1] if part.dataset else []
    return any(
        length != 1 and _SPECTRAL.match(header.text(f"CTYPE{n}").upper())
        for n, length in enumerate(axes, 1)
    )


def _first(headers: Sequence[Header], keys: Sequence[str]) -> str:
    for header in headers:
        for key in keys:
            text = header.text(key)
            if text:
                return text
    return ""


def _obsid(headers: Sequence[Header]) -> int | str | None:
    """Return the number of the observation: an integer unless it has leading zeros or letters."""
    for header in headers:
        for key in _OBSID:
            value = header.get(key)
            if type(value) is int:
                return value
            if isinstance(value, str) and value.strip():
                text = value.strip()
                plain = text.isascii() and text.isdigit() and str(int(text)) == text
                return int(text) if plain else text
    return None


def _fixed(headers: Sequence[Header]) -> dict[str, Any]:
    fixed: dict[str, Any] = {name: _first(headers, keys) for name, keys in _TEXTS.items()}
    times = {
        "creationDate": _time(headers, (("DATE", ()),), (), any_scale=True),
        "startDate": _time(
            headers,
            (
                ("DATE-BEG", ()),
                ("DATE-OBS", ("TIME-OBS", "TIME-BEG", "UTSTART", "UTC-OBS")),
                ("DATE_OBS", ("TIME_OBS",)),
            ),
            ("MJD-BEG", "MJD-OBS", "MJDSTART"),
        ),
        "endDate": _time(
            headers, (("DATE-END", ("TIME-END",)), ("DATE_END", ("TIME_END",))), ("MJD-END",)
        ),
    }
    return fixed | {name: time for name, time in times.items() if time is not None}


def _time(
    headers: Sequence[Header],
    dates: Sequence[tuple[str, Sequence[str]]],
    numbers: Sequence[str],
    any_scale: bool = False,
) -> datetime | None:
    """Return the first time that a header gives; times that are not UTC are not taken."""
    for header in headers:
        if not any_scale and header.text("TIMESYS").upper() not in ("", "UTC", "UT", "UT1", "GMT"):
            continue
        for key, clocks in dates:
            if key not in header:
                continue
            found = _date(header.text(key), [header.text(clock) for clock in clocks])
            if found is not None:
                return found
        for key in numbers:
            number = header.number(key)
            if number is not None and number > 0:
                return parse_mjd(number)
    return None


def _date(text: str, clocks: Sequence[str]) -> datetime | None:
    if not text:
        return None
    found = parse_time(text)
    if found is not None:
        return found
    day = _DAY.match(text) or _OLD_DAY.match(text)
    if day is None:
        return None
    iso = text if "-" in text else f"19{day[3]}-{day[2]}-{day[1]}"
    clock = next((clock for clock in clocks if _CLOCK.match(clock)), "00:00:00")
    try:
        return datetime.fromisoformat(f"{iso}T{clock}").replace(tzinfo=UTC)
    except ValueError:
        return None
