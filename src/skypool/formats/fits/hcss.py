"""Files that HCSS, the Herschel software, wrote: its names, types, units and dataset tree.

The primary header is the product; every composite lists its children by HDU number in
``DS_n`` (``DSET_n`` before 2010). What skypool wrote in this convention (`hcss_writer`) has
notes besides, on what the convention cannot say (`hcss_exact`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skypool.formats.base import fixed_attributes
from skypool.formats.fits.hcss_datasets import Files, array, table
from skypool.formats.fits.hcss_exact import Exact, exact_of
from skypool.formats.fits.hcss_meta import CHILD, parameters
from skypool.formats.fits.hcss_names import DATASET_CLASSES, HISTORY_CLASS
from skypool.formats.parsing import NotUnderstood
from skypool.formats.typed import composite, unique_names, unread
from skypool.model.kinds import is_kind, kind_of_class

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.formats.fits.cards import Header
    from skypool.formats.fits.layout import Hdu
    from skypool.formats.fits.units import Part

__all__ = ["check", "document", "has_image_wcs", "is_hcss", "ordered"]


def is_hcss(header: Header) -> bool:
    """Say whether a primary header was written by HCSS, or by a program that imitates it."""
    return "CLASS___" in header and ("HCSS____" in header or "DSETS___" in header)


def check(hdus: Sequence[Hdu]) -> None:
    """Check that the file has all units that it lists.

    A primary unit with data is none of HCSS: its cards, the list among them, are a copy.

    Raises
    ------
    NotUnderstood
        If a child is missing: the file was cut short, or its units are in disorder.
    """
    for hdu in hdus:
        if hdu.index == 0 and hdu.kind != "empty":
            continue
        for child in _children(hdu.header):
            if child >= len(hdus):
                raise NotUnderstood(
                    f"HDU {hdu.index} lists HDU {child} as its child, the file has "
                    f"{len(hdus)} HDUs: it was cut short"
                )


def document(
    parts: Sequence[Part], recipe: dict[str, Any], source: ByteSource, sink: ChunkSink
) -> dict[str, Any]:
    """Make the product document of a file of HCSS.

    Parameters
    ----------
    parts
        Its units.
    recipe
        The recipe of the file.
    source
        The bytes of the file.
    sink
        Takes the chunks of tables whose text FITS cannot hold.
    """
    header = parts[0].hdu.header
    exact = exact_of(header)
    tree = _Tree(parts, Files(source, sink, recipe["segments"]))
    datasets = tree.own()
    datasets += tree.children(0)
    datasets += [[tree.name(n), tree.dataset(n)] for n in tree.left()]
    names = unique_names(name for name, _ in datasets)
    _name_classes(parts, recipe)
    named = [[name, dataset] for name, (_, dataset) in zip(names, datasets, strict=True)]
    kind = exact.text("kind", kind_of_class(header.text("CLASS___")))
    if is_kind(kind, "SimpleImage") or is_kind(kind, "SimpleCube"):
        _share_wcs(dict(named), has_image_wcs(header), tree.without_wcs)
    made = {
        "skypool": 1,
        "kind": kind,
        "meta": ordered(_meta(header, exact, tree.scale), exact),
        "datasets": named,
        "file": recipe,
    }
    history = exact.text("history", history_lines(header))
    if history:
        made["history"] = history
    return made


def _name_classes(parts: Sequence[Part], recipe: dict[str, Any]) -> None:
    for unit, part in zip(recipe["hdus"], parts, strict=True):
        name = part.hdu.header.text("CLASS___")
        if name:
            unit["class"] = name


def _meta(header: Header, exact: Exact, scale: str) -> list[list[Any]]:
    meta = parameters(header, exact, scale)
    info = header.text("INFO____")
    absent = exact.notes.get("absent", ())
    if info and "description" not in absent and not any(e[0] == "description" for e in meta):
        meta.append(["description", info])
    return meta


def history_lines(header: Header) -> list[str]:
    """Return the texts of the HISTORY cards of a header."""
    return [str(card.value) for card in header if card.keyword == "HISTORY"]


def has_image_wcs(header: Header) -> bool:
    """Say whether a primary header has the coordinates of an image, as old files may alone."""
    return "CTYPE1" in header and "CRVAL1" in header


def _share_wcs(
    datasets: dict[str, dict[str, Any]], primary: bool, without: list[dict[str, Any]]
) -> None:
    """Give the coordinates of the product to the image, and its to error, coverage and so on.

    In HCSS they belong to the product; not all versions repeat them in each unit.
    """
    image = datasets.get("image", {})
    if primary and image.get("is") == "array" and not any(image is other for other in without):
        image.setdefault("wcs", {"hdu": 0})
    for dataset in datasets.values():
        if any(dataset is other for other in without):
            continue
        if "wcs" in image and dataset.get("shape") == image["shape"]:
            dataset.setdefault("wcs", image["wcs"])


def ordered(meta: list[list[Any]], exact: Exact) -> list[list[Any]]:
    """Put the fixed attributes first, in their order, with their units and descriptions.

    Text that the file does not give becomes "Unknown", unless the notes know better.
    """
    absent = exact.notes.get("absent", ())
    given = {entry[0]: entry for entry in meta}
    fixed = fixed_attributes({name: entry[1] for name, entry in given.items()})
    first = [given.get(name) or [name, value] for name, value in fixed if name not in absent]
    names = {entry[0] for entry in first}
    listed = first + [entry for entry in meta if entry[0] not in names]
    place = {name: number for number, name in enumerate(exact.notes.get("order", ()))}
    return sorted(listed, key=lambda entry: place.get(entry[0], len(place)))


class _Tree:
    """The datasets of a product, found through the lists of children."""

    def __init__(self, parts: Sequence[Part], files: Files) -> None:
        self._parts = parts
        self._files = files
        self._seen = {0}
        self.scale = parts[0].hdu.header.text("TIMESYS") or "UTC"
        self._exact: dict[int, Exact] = {}
        # Arrays that are known to have no world coordinates.
        self.without_wcs: list[dict[str, Any]] = []

    def name(self, number: int) -> str:
        header = self._parts[number].hdu.header
        name = header.text("EXTNAME").replace("/", "_") or f"HDU_{number}"
        return str(self._notes(number).text("name", name))

    def _notes(self, number: int) -> Exact:
        found = self._exact.get(number)
        if found is None:
            found = self._exact[number] = exact_of(self._parts[number].hdu.header)
        return found

    def own(self) -> list[list[Any]]:
        """Return the image in the primary unit of a file that somebody made of one of HCSS."""
        part = self._parts[0]
        if part.dataset is None:
            return [["image", unread(part.reason)]] if part.reason else []
        made = array(part, self._notes(0), self._files) if part.dataset["is"] == "array" else None
        name = part.hdu.header.text("EXTNAME").replace("/", "_") or "image"
        return [[name, (made or part.dataset) | {"meta": "product", "description": ""}]]

    def children(self, number: int) -> list[list[Any]]:
        """Return the children of a composite as pairs of name and dataset."""
        numbers = []
        for child in _children(self._parts[number].hdu.header):
            # Not a second time: a cycle, or two parents.
            if child not in self._seen and child < len(self._parts):
                self._seen.add(child)
                numbers.append(child)
        names = unique_names(self.name(child) for child in numbers)
        return [[name, self.dataset(child)] for name, child in zip(names, numbers, strict=True)]

    def left(self) -> list[int]:
        """Return the units that nothing lists."""
        found = []
        for number in range(1, len(self._parts)):
            if number not in self._seen:
                self._seen.add(number)
                found.append(number)
        return found

    def dataset(self, number: int) -> dict[str, Any]:
        """Return the dataset of a unit, with all that is below it."""
        made = self._dataset(number)
        name = self._parts[number].hdu.header.text("CLASS___")
        if name not in ("", HISTORY_CLASS, DATASET_CLASSES[made["is"]]):
            made["class"] = name
        return made

    def _dataset(self, number: int) -> dict[str, Any]:
        part = self._parts[number]
        header = part.hdu.header
        exact = self._notes(number)
        meta = parameters(header, exact, self.scale)
        info = exact.text("description", header.text("INFO____"))
        if part.dataset is None:
            if part.reason:
                return unread(part.reason, meta)
            return composite(self.children(number), meta, info)
        about: dict[str, Any] = {"meta": meta, "description": info}
        if part.dataset["is"] == "table":
            return table(part, exact, self._files) | about
        made = array(part, exact, self._files) | about
        if "wcs" in exact.notes and "wcs" not in made:
            self.without_wcs.append(made)
        return made


def _children(header: Header) -> list[int]:
    """Return the HDU numbers of the children, in the order of their own numbers."""
    found = []
    for card in header:
        child = CHILD.match(card.keyword)
        if child and type(card.value) is int and card.value > 0:
            found.append((int(child[1]), card.value))
    return [number for _, number in sorted(found)]
