"""Made data for the benchmarks, the same every time; numpy alone, as every peer has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OBSID = 1342182452
LEVELS = ("auxiliary", "calibration", "level0", "level1", "level2")
PRODUCTS_PER_LEVEL = 8
ARRAYS = ("image", "error", "coverage")
BANDS = ("PSW", "PMW", "PLW")
INSTRUMENTS = ("SPIRE", "PACS", "HIFI")

# Values of key00 in the catalogue repeat with this period.
PERIOD = 10007

Arrays = dict[str, NDArray[Any]]
Meta = dict[str, Any]


def metadata(number: int, band: str, level: str, obsid: int = OBSID, name: str = "SPIRE") -> Meta:
    """60 entries: eight that people look for, and fillers of four types."""
    found: Meta = {
        "instrument": name,
        "obsid": obsid,
        "band": band,
        "level": level,
        "object": f"NGC {6000 + obsid % 997}",
        "aot": "Photometer",
        "ra": float((obsid * 0.37) % 360),
        "dec": float((obsid * 0.11) % 180 - 90),
    }
    for key in range(52):
        value: int | float | str | bool
        match key % 4:
            case 0:
                value = (number * 31 + key) % PERIOD
            case 1:
                value = ((number * 17 + key) % 9973) / 7.0
            case 2:
                value = f"value {key} of product {number}"
            case _:
                value = (number + key) % 2 == 1
        found[f"key{key:02d}"] = value
    return found


# -- an observation -----------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """A product: its number, level and name, 60 metadata entries, image, error, coverage."""

    number: int
    level: str
    name: str
    meta: Meta
    arrays: Arrays


def prepare_observation(folder: Path, size: int = 512) -> None:
    """Write the arrays of 40 products, and of the eight of level 2 reprocessed.

    Reprocessed, one differs in a 64 x 64 corner of its image, seven in image and error; their
    coverage maps are as they were. At 512 x 512 the 40 hold 126 MB of float32.
    """
    y, x = np.mgrid[:size, :size]
    source = 5.0 + 3 * np.exp(-((x - 0.4 * size) ** 2 + (y - 0.6 * size) ** 2) / 450.0)
    count = len(LEVELS) * PRODUCTS_PER_LEVEL
    first = np.empty((count, len(ARRAYS), size, size), np.float32)
    for number in range(count):
        rng = np.random.default_rng(1000 + number)
        first[number, 0] = source + rng.normal(0, 1, (size, size))
        first[number, 1] = np.sqrt(np.abs(first[number, 0]))
        first[number, 2] = rng.poisson(12, (size, size))
    second = first[-PRODUCTS_PER_LEVEL:].copy()
    second[0, 0, :64, :64] += 1.5
    for place in range(1, PRODUCTS_PER_LEVEL):
        rng = np.random.default_rng(9000 + place)
        second[place, 0] = source + rng.normal(0, 1, (size, size))
        second[place, 1] = np.sqrt(np.abs(second[place, 0]))
    np.save(folder / "observation.npy", first)
    np.save(folder / "reprocessed.npy", second)


def observation(folder: Path, *, reprocessed: bool = False) -> list[Item]:
    """Read the 40 products, or the eight of level 2 as they are when reprocessed."""
    arrays = np.load(folder / ("reprocessed.npy" if reprocessed else "observation.npy"))
    skipped = len(LEVELS) * PRODUCTS_PER_LEVEL - len(arrays)
    items = []
    for number, planes in enumerate(arrays, skipped):
        level, place = LEVELS[number // PRODUCTS_PER_LEVEL], number % PRODUCTS_PER_LEVEL
        meta = metadata(number, BANDS[place % 3], level)
        meta["key00"] += 1 if reprocessed else 0
        named = dict(zip(ARRAYS, planes, strict=True))
        items.append(Item(number, level, f"{level}_{place}", meta, named))
    return items


# -- a catalogue of small products --------------------------------------------------------


def small_metadata(number: int) -> Meta:
    """60 entries; ten products in a row share an obsid and its instrument."""
    group = number // 10
    band, instrument = f"B{number % 10}", INSTRUMENTS[group % 3]
    return metadata(number, band, "level2", 1342180000 + group, instrument)


def small_image(number: int) -> NDArray[np.float32]:
    """1 KiB of pixels."""
    return np.random.default_rng(number).normal(0, 1, (16, 16)).astype(np.float32)


def small_products(first: int, count: int) -> list[tuple[int, Meta, Arrays]]:
    """Give products of the catalogue, made before a clock starts."""
    return [
        (number, small_metadata(number), {"image": small_image(number)})
        for number in range(first, first + count)
    ]


def numbers_with(value: int, count: int) -> list[int]:
    """Which of the first `count` products have this value of key00: one in 10,007."""
    start = value * pow(31, -1, PERIOD) % PERIOD
    return list(range(start, count, PERIOD))


# Keys with two values each, to be counted.
COUNTED = tuple(f"key{key:02d}" for key in range(3, 35, 4))


def number_of_two(value: int, count: int) -> int:
    """How many of the first `count` products have both keys below what `value` makes of them."""
    numbers = np.arange(count)
    first = numbers * 31 % PERIOD < 50 + value
    second = (numbers * 17 + 1) % 9973 / 7.0 < 20 + value / 97
    return int((first & second).sum())


# -- images to search by their pixels -----------------------------------------------------


def prepare_images(folder: Path, count: int) -> None:
    """Write images of noise, 256 x 256; every hundredth has one bright pixel."""
    images = np.empty((count, 256, 256), np.float32)
    for number, image in enumerate(images):
        image[...] = np.random.default_rng(50000 + number).standard_normal(image.shape, np.float32)
        if number % 100 == 37:
            image[100, 100] = 50.0
    np.save(folder / "images.npy", images)


def images(folder: Path) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Give the images one by one."""
    yield from enumerate(np.load(folder / "images.npy"))
