"""Extremes of datasets among the searchable values: `max(image) > 1` without any pixel.

They stand in the inverted table like metadata of the product, under keys that no metadata has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from skypool.codec.extremes import extremes

__all__ = ["PREFIX", "dataset_of", "extreme_key", "extreme_values"]

PREFIX: Final = "\x01"
"""What the keys begin with; metadata keys have no control characters."""
UNKNOWN: Final = "unknown"
_FUNCTIONS: Final = ("max", "min", "count", UNKNOWN)
# Of columns of these the reductions of the model apply more than the statistics do.
_PLAIN: Final = frozenset("BIJKED")


def extreme_key(function: str, dataset: str, column: str = "") -> str:
    """Return the key under which the value of a function of a dataset stands.

    Parameters
    ----------
    function
        `max`, `min`, `count`; or `unknown` for datasets of which these are not known.
    dataset
        Name, those of composites joined by `/`.
    column
        Name of a column of a table.
    """
    return PREFIX.join(("", function, dataset, column))


def dataset_of(key: str) -> tuple[str, str]:
    """Return the dataset and the column that such a key is about."""
    _, _, dataset, column = key.split(PREFIX, 3)
    return dataset, column


def extreme_values(document: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return keys, values and units of the datasets of a document, as its metadata are listed."""
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for name, column, values in _all("", document["datasets"]):
        place = name.casefold(), column.casefold()
        if place in found:  # which is meant depends on the case; it is left to the evaluator
            values = [(extreme_key(UNKNOWN, name, column), True)]
        found[place] = values
    return [value for values in found.values() for value in values]


def _all(above: str, datasets: Sequence[Any]) -> Iterator[tuple[str, str, list[tuple[Any, ...]]]]:
    for name, dataset in datasets:
        path = above + name
        match dataset["is"]:
            case "composite":
                yield from _all(f"{path}/", dataset["datasets"])
            case "array":
                plain = not dataset.get("dtype", "U").startswith(("bool", "U", "complex"))
                yield path, "", _values(path, "", dataset, plain=plain)
            case "table":
                yield path, "", [(extreme_key("count", path), dataset["rows"])]
                for column in dataset["columns"]:
                    yield (
                        path,
                        column["name"],
                        _values(path, column["name"], column, plain=_is_plain(column)),
                    )


def _is_plain(column: Mapping[str, Any]) -> bool:
    letters = str(column["format"]).lstrip("0123456789")
    return "null" not in column and letters in _PLAIN


def _values(
    path: str, column: str, obj: Mapping[str, Any], *, plain: bool
) -> list[tuple[Any, ...]]:
    known = extremes(obj.get("stats")) if plain else None
    if known is None:
        return [(extreme_key(UNKNOWN, path, column), True)]
    unit = obj.get("unit") or ""
    values: list[tuple[Any, ...]] = [(extreme_key("count", path, column), known.values)]
    if known.maximum is not None:
        values.append((extreme_key("max", path, column), known.maximum, unit))
        values.append((extreme_key("min", path, column), known.minimum, unit))
    return values
