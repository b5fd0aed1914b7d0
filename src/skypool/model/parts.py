"""What a product is made of: the fixed attributes, and the checks of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from skypool.errors import InvalidProduct
from skypool.model.kinds import KIND_PATTERN
from skypool.model.metadata import MetaData, Parameter, Value, parameters_of
from skypool.model.references import Refs
from skypool.model.validate import Problems

__all__ = [
    "DATES",
    "FIXED_ATTRIBUTES",
    "UNKNOWN",
    "check_attributes",
    "checked_datasets",
    "checked_history",
    "checked_kind",
    "checked_meta",
    "checked_refs",
]

# In the order of HCSS; all of them are parameters as well.
FIXED_ATTRIBUTES = (
    "type",
    "creator",
    "creationDate",
    "description",
    "instrument",
    "modelName",
    "startDate",
    "endDate",
    "formatVersion",
)
# Value of a text attribute that nobody gave, as in HCSS.
UNKNOWN = "Unknown"
FORMAT_VERSION = "1.0"
DATES = frozenset({"creationDate", "startDate", "endDate"})


def checked_kind(kind: object, problems: Problems) -> str:
    """Return a kind, or note why it is none."""
    if isinstance(kind, str) and KIND_PATTERN.match(kind):
        return kind
    problems.at("kind").add(
        f"{kind!r} cannot be a kind; letters, digits, '_', '.', '-' and '$' can", "kind"
    )
    return "Product"


def checked_meta(
    fixed: Mapping[str, Any], meta: Mapping[str, Any] | None, problems: Problems
) -> MetaData:
    """Return the metadata of a product: attributes, defaults, and what else is given."""
    given = dict(meta or {})
    merged: dict[str, Any] = {}
    for name, value in fixed.items():
        if name in given and value is not None:
            problems.at("meta", name).add("given twice, as attribute and in meta", "conflict")
        value = given.pop(name, None) if value is None else value
        if value is None and name not in DATES:
            value = FORMAT_VERSION if name == "formatVersion" else UNKNOWN
        elif value is None and name == "creationDate":
            value = datetime.now(UTC)
        if value is not None:
            merged[name] = value
    # One by one, so that what is right is checked further.
    parameters = parameters_of((merged | given).items(), problems.at("meta"))
    check_attributes(parameters, problems)
    return MetaData.of_parameters(parameters)


def check_attributes(parameters: Mapping[str, Parameter | Value], problems: Problems) -> None:
    """Note fixed attributes of the wrong type."""
    for name in FIXED_ATTRIBUTES:
        found = parameters.get(name)
        if found is None:
            continue
        value = found.value if isinstance(found, Parameter) else found
        wanted = datetime if name in DATES else str
        if not isinstance(value, wanted):
            sort = "a time" if name in DATES else "text"
            problems.at("meta", name).add(f"is {sort}, not {value!r}", "value")


def checked_datasets(datasets: Mapping[str, Any] | None, problems: Problems) -> Any:
    """Return datasets, or note what cannot be kept."""
    from skypool.model.composite import Datasets

    if type(datasets) is Datasets:
        return datasets
    try:
        return Datasets(datasets)
    except InvalidProduct as error:
        problems.at("datasets").take(error)
    return Datasets()


def checked_refs(refs: Mapping[str, Any] | Iterable[Any] | None, problems: Problems) -> Refs:
    """Return references, or note what cannot be kept."""
    try:
        return refs if isinstance(refs, Refs) else Refs(refs or ())
    except InvalidProduct as error:
        problems.at("refs").take(error)
    return Refs()


def checked_history(history: Iterable[str] | str, problems: Problems) -> tuple[str, ...]:
    """Return the texts of a history."""
    lines = (history,) if isinstance(history, str) else tuple(history)
    for place, line in enumerate(lines):
        if not isinstance(line, str):
            problems.at("history", place).add(f"is text, not {line!r}", "value")
    return tuple(str(line) for line in lines)
