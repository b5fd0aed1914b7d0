"""`cutout`."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.pools import brief, full_name
from skypool.cli.state import State
from skypool.cli.text import plain, shown, to_json
from skypool.cli.verb import REF, Verb, at_option, verb
from skypool.errors import Conflict, NotFound, UsageError

if TYPE_CHECKING:
    from skypool.model.datasets import Array

__all__ = ["cutout_verb"]

_SIZE = re.compile(r"^([0-9.eE+-]+?)(?:x([0-9.eE+-]+?))?\s*(deg|d|arcmin|'|arcsec|\"|px|pix)?$")
_DEGREES = {"deg": 1.0, "d": 1.0, "arcmin": 1 / 60, "'": 1 / 60, "arcsec": 1 / 3600, '"': 1 / 3600}
_NEGATIVE = re.compile(r"^-[.\d]")


class _Cutout(Verb):
    """The verb, with positions that start with a minus sign taken for what they are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; -43.02 is a declination and no option."""
        # A blank in front hides the sign from click; numbers do not mind blanks.
        return super().parse_args(ctx, [f" {arg}" if _NEGATIVE.match(arg) else arg for arg in args])


@verb(
    "cutout",
    examples=[
        ("cutout PSW 204.2538 -29.8657 2arcmin -o m83.fits", "degrees, ICRS"),
        ("cutout PSW 13h37m00.9s -29d51m57s 2arcmin -o m83.fits", "sexagesimal"),
        ("cutout PSW 120 80 32 --pixel -o corner.fits", "32 x 32 pixels round x, y"),
        ("cutout PSW 204.25 -29.87 10x5arcmin -d error -o e.fits", "of another dataset"),
    ],
    cls=_Cutout,
)
@click.argument("ref", type=REF)
@click.argument("ra")
@click.argument("dec")
@click.argument("size")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The file to write; - for standard output.",
)
@click.option("-d", "--dataset", metavar="NAME", help="The image; without it, the first.")
@click.option("--pixel", is_flag=True, help="RA DEC are x y, from 0, and SIZE is in pixels.")
@click.option(
    "--frame",
    type=click.Choice(["icrs", "fk5", "galactic"]),
    default="icrs",
    show_default=True,
    help="Frame of RA DEC.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
@at_option
def cutout_verb(
    state: State, ref: str, output: str, overwrite: bool, at: str | None, **where: Any
) -> None:
    """Cut a part out of an image, as a FITS file with the right WCS.

    SIZE is the width, or WIDTHxHEIGHT, with deg, arcmin, arcsec or px behind;
    a bare number is in degrees. Only the tiles that are needed are read.
    """
    if os.path.lexists(output) and output != "-" and not overwrite:
        raise Conflict(f"{output} is there already", hint="--overwrite replaces it")
    if state.json and output == "-":
        raise UsageError("--json and -o - both want standard output")
    target = state.open(at=at)[ref]
    name, array = _choose(target.product.datasets, where["dataset"], full_name(target))
    cut = _cut(array, where, f"{full_name(target)} [{name}]")
    _write(cut, target.urn, name, output)
    facts = {"file": output, "dataset": name, "shape": list(cut.shape), "unit": cut.unit_text}
    if state.json:
        click.echo(to_json(brief(target) | facts))
    elif output != "-":
        shape = " x ".join(str(length) for length in cut.shape)
        click.echo(f"{shown(output)}: {shape} of {plain(full_name(target))} [{shown(name)}]")


def _choose(datasets: Any, wanted: str | None, product: str) -> tuple[str, Array]:
    if wanted is not None:
        array = datasets[wanted]
        if not hasattr(array, "cutout"):
            raise UsageError(f"{wanted!r} of {product} is no image")
        return wanted, array
    images = [
        name for name, item in datasets.items() if hasattr(item, "cutout") and len(item.shape) >= 2
    ]
    if not images:
        raise NotFound(
            f"there is no image in {product}",
            candidates=list(datasets),
            hint="`skypool show` tells the datasets of a product",
        )
    name = "image" if "image" in images else images[0]
    return name, datasets[name]


def _cut(array: Array, where: dict[str, Any], title: str) -> Array:
    from astropy.nddata import NoOverlapError

    position, size = _position(where), _size(where["size"], where["pixel"])
    try:
        return array.cutout(position, size)
    except NoOverlapError:
        raise NotFound(
            f"{title} does not reach {where['ra']} {where['dec']}",
            hint='`skypool find "covers(RA, DEC)"` finds what does; --frame says of which frame',
        ) from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _position(where: dict[str, Any]) -> Any:
    first, second = where["ra"].strip(), where["dec"].strip()
    x, y = _number(first), _number(second)
    if where["pixel"]:
        if x is None or y is None:
            raise UsageError(f"x and y are numbers, not {first!r} and {second!r}")
        return x, y
    from astropy import units
    from astropy.coordinates import SkyCoord

    hours = where["frame"] != "galactic" and x is None and "d" not in first
    try:
        return SkyCoord(
            first if x is None else x,
            second if y is None else y,
            unit=(units.hourangle if hours else units.deg, units.deg),
            frame=where["frame"],
        )
    except ValueError as error:
        raise UsageError(
            f"cannot read the position {first!r} {second!r}: {error}",
            hint="write degrees (204.2538 -29.8657) or 13h37m00.9s -29d51m57s",
        ) from None


def _size(text: str, pixel: bool) -> Any:
    match = _SIZE.match(text.strip())
    width = _number(match[1]) if match else None
    height = _number(match[2]) if match and match[2] else width
    if match is None or width is None or height is None or not (width > 0 and height > 0):
        raise UsageError(
            f"cannot read the size {text!r}", hint="write 2arcmin, 10x5arcmin, 0.1deg or 32px"
        )
    unit = match[3] or ("px" if pixel else "deg")
    if unit in ("px", "pix"):
        return (round(height), round(width))
    if pixel:
        raise UsageError("with --pixel the size is in pixels")
    from astropy import units

    return [height * _DEGREES[unit], width * _DEGREES[unit]] * units.deg


def _write(cut: Array, urn: str, dataset: str, output: str) -> None:
    import numpy as np
    from astropy.io import fits

    header = cut.wcs.to_header(relax=True) if cut.wcs is not None else fits.Header()
    if cut.unit_text:
        header["BUNIT"] = cut.unit_text
    header["ORIGIN"] = ("skypool", "a part of the product below")
    header["SRCURN"] = (urn, "product that this was cut from")
    header["SRCNAME"] = (dataset, "its dataset")
    hdus = fits.HDUList([fits.PrimaryHDU(np.asarray(cut), header)])
    data = io.BytesIO()  # astropy asks files for their mode, and tells a closed pipe as its own
    hdus.writeto(data)
    if output == "-":
        sys.stdout.buffer.write(data.getbuffer())
        sys.stdout.buffer.flush()
        return
    from skypool.pool.exporting import write_whole

    # Whoever looks at the name sees the whole file or none.
    write_whole(output, lambda file: file.write(data.getbuffer()))
