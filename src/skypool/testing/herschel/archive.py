"""Downloads from the Herschel archive, as its documents and programs describe them.

No public sample of a whole download exists; docs/howto/herschel.md says which of the facts are
seen in real files.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from skypool.testing.herschel.hcss import Made, Par, to_fits
from skypool.testing.herschel.samples import Sample, products

__all__ = ["again", "descriptor_name", "download", "pack", "write_product"]


def download(
    folder: Path,
    sample: Sample,
    *,
    descriptor: bool = True,
    beside: bool = False,
    gzip: bool = True,
    levels: tuple[str, ...] = (),
) -> Path:
    """Write what a download of an observation holds.

    Parameters
    ----------
    folder
        Where it is written: the folder of the observation is made in it.
    sample
        The observation.
    descriptor
        Whether its XML descriptor is there.
    beside
        Whether `auxiliary`, `calibration` and the descriptor are beside the observation's folder,
        not in it.
    gzip
        Whether files are compressed.
    levels
        Only these of its folders; by default all.

    Returns
    -------
    Path
        The observation's folder.
    """
    root = folder / str(sample.obsid)
    made: list[tuple[str, Made]] = []
    for path, product in products(sample):
        top = path.partition("/")[0]
        if levels and top not in levels:
            continue
        outside = beside and top in ("auxiliary", "calibration")
        place = f"{'' if outside else f'{sample.obsid}/'}{path}"
        place = place if gzip else place.removesuffix(".gz")
        write_product(folder / place, product)
        made.append((place, product))
    home = folder if beside else root
    home.mkdir(parents=True, exist_ok=True)
    if descriptor:
        text = _descriptor(sample, made)
        (home / descriptor_name(sample)).write_text(text, encoding="utf-8")
        (home / descriptor_name(sample).replace(".xml", ".jpg")).write_bytes(b"\xff\xd8\xff\xe0 no")
    (home / "README.pdf").write_bytes(b"%PDF-1.4 what is in a download\n")
    return root


def pack(folder: Path, path: Path, top: str = "") -> Path:
    """Put what is in a folder into a tar archive.

    Parameters
    ----------
    folder
        Its content goes in.
    path
        The archive; its ending says how it is compressed.
    top
        Folder in the archive that all is in, such as `anonymous1647421891`.
    """
    mode: Any = "w:gz" if path.name.endswith(("gz",)) else "w"
    with tarfile.open(path, mode) as archive:
        for child in sorted(folder.iterdir()):
            archive.add(child, f"{top}/{child.name}" if top else child.name)
    return path


def write_product(path: Path, product: Made) -> Path:
    """Write a product as a FITS file, compressed as Java does it where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if path.suffix != ".gz":
            file.writelines(to_fits(product))
            return path
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        crc = size = 0
        file.write(b"\x1f\x8b\x08\0\0\0\0\0\0\0")  # no name, no time
        for piece in to_fits(product):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            file.write(deflate.compress(piece))
        file.write(
            deflate.flush() + crc.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
        )
    return path


def descriptor_name(sample: Sample) -> str:
    """Return the name of an observation's descriptor."""
    number = 643488 + sample.reprocessed
    return f"{sample.obsid}-herschel.ia.obs.ObservationContext-{number}.xml"


def _descriptor(sample: Sample, made: list[tuple[str, Made]]) -> str:
    urn = f"urn:hsa:herschel.ia.obs.ObservationContext:{643488 + sample.reprocessed}"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<request id="1" proc="SPG" type="OBSERVATION" spgid="{_version(sample)}" path_root="/hsa"'
        f' generic_subpath="{sample.obsid}" urn="{urn}" image="true"'
        f' instrument="{sample.instrument}" parallel_mode="{str(sample.is_parallel).lower()}"'
        ' cus_mode="" extended="false">',
        *_item(0, urn, "herschel.ia.obs.ObservationContext", "", _of_observation(sample, made)),
    ]
    for number, (place, product) in enumerate(made, start=1):
        one = f"urn:hsa:{product.class_name}:{1000 + number}"
        lines += _item(number, one, product.class_name, place, dict(product.meta))
    return "\n".join([*lines, "</request>", ""])


_OF_ONE = ("level", "wavelength", "sliceNumber", "backend")


def _version(sample: Sample) -> str:
    return "SPG v14.2.0" if sample.reprocessed else "SPG v14.1.0"


def _of_observation(sample: Sample, made: list[tuple[str, Made]]) -> dict[str, Par]:
    own = next(
        product.meta
        for path, product in made
        if product.meta.get("obsid", Par(0)).value == sample.obsid and not path.startswith("browse")
    )
    meta = {name: par for name, par in own.items() if name not in _OF_ONE}
    return meta | {
        "type": Par("OBS", "", "Product Type Identification"),
        "description": Par("Observation context", "", "Name of this product"),
        "creator": Par(_version(sample), "", "Generator of this product"),
        "slewTime": Par("2013-02-17T01:00:00.000000", "", "Scheduled start time of the slew"),
        "obsState": Par("LEVEL2_PROCESSED", "", "Status of the observation"),
        "pmRA": Par(-0.25, "arcsec a-1", "Proper motion in right ascension"),
    }


def _item(number: int, urn: str, class_name: str, place: str, meta: dict[str, Par]) -> list[str]:
    path, _, name = place.rpartition("/")
    lines = [
        f'<item id="{number}" urn="{urn}" file_absolute_path="" file_sub_path="{path}"'
        f' stored="{str(bool(place)).lower()}" class="{class_name}"'
        f' description={quoteattr(str(meta["description"].value))} crc=""'
        f' distribution_path="{path}" distribution_filename="{name}">',
        "<metadata>",
        f'<meta id="HCSS_URN" type="String" value="{urn}"/>',
        f'<meta id="HCSS_TRACK_VERSION" type="Long" value="{number}"/>',
        "</metadata>",
        "<meta_object>",
    ]
    for key, par in meta.items():
        lines.append(
            f"<param id={quoteattr(key)} type={quoteattr(_type(par))}"
            f" value={quoteattr(_text(par))} unit={quoteattr(par.unit)}"
            f" description={quoteattr(par.description)}/>"
        )
    return [*lines, "</meta_object>", "</item>"]


def _type(par: Par) -> str:
    if isinstance(par.value, str) and par.value[:2] == "20" and par.value[10:11] == "T":
        return "FineTime"
    return {bool: "Boolean", int: "Long", float: "Double", str: "String"}[type(par.value)]


def _text(par: Par) -> str:
    return str(par.value).lower() if isinstance(par.value, bool) else str(par.value)


def again(sample: Sample) -> Sample:
    """Return an observation as it is after it was processed a second time."""
    return replace(sample, reprocessed=True)
