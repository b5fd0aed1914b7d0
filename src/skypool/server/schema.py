"""Checks JSON against the part of JSON schema that the routes use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from skypool.errors import UsageError

__all__ = [
    "ANY",
    "BOOLEAN",
    "INTEGER",
    "NUMBER",
    "TEXT",
    "checked",
    "choice",
    "component",
    "listing",
    "maybe",
    "record",
    "told",
]

Schema = Mapping[str, Any]

ANY: Final[Schema] = {}
TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
INTEGER: Final[Schema] = {"type": "integer"}
BOOLEAN: Final[Schema] = {"type": "boolean"}

_LARGEST: Final = 2**53
_NAMES: Final = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def record(
    required: Sequence[str] = (),
    given: Mapping[str, Schema] | None = None,
    /,
    *,
    more: bool = False,
    **named: Schema,
) -> Schema:
    """Return the schema of an object; with *more*, keys that are not listed may be there."""
    found: dict[str, Any] = {"type": "object", "properties": {**(given or {}), **named}}
    if required:
        found["required"] = list(required)
    if not more:
        found["additionalProperties"] = False
    return found


def listing(item: Schema = ANY, **bounds: int) -> Schema:
    """Return the schema of a list, such as ``listing(TEXT, maxItems=100)``."""
    return {"type": "array", "items": item, **bounds}


def told(schema: Schema, description: str, *examples: Any) -> Schema:
    """Return a schema with what it means, and examples."""
    more = {"examples": list(examples)} if examples else {}
    return {**schema, "description": description, **more}


def maybe(schema: Schema) -> Schema:
    """Return the schema of something that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def component(title: str, schema: Schema, description: str = "", *examples: Any) -> Schema:
    """Return a schema that the description of the API tells once, by its name."""
    found = told(schema, description, *examples) if description else dict(schema)
    return {"title": title, **found}


def choice(key: str, choices: Mapping[str, Schema]) -> Schema:
    """Return the schema of an object of one of several kinds, which are components.

    Parameters
    ----------
    key
        Its property that tells the kind.
    choices
        Records by what the key is; the key itself is added to them.
    """
    kinds = []
    for name, given in choices.items():
        properties = {key: {"type": "string", "const": name}, **given["properties"]}
        required = [key, *given.get("required", ())]
        kinds.append({**given, "properties": properties, "required": required})
    mapping = {name: f"#/components/schemas/{kind['title']}" for name, kind in choices.items()}
    return {"oneOf": kinds, "discriminator": {"propertyName": key, "mapping": mapping}}


def checked(value: Any, schema: Schema, where: str = "the body") -> Any:
    """Return a value that fits a schema.

    Raises
    ------
    UsageError
        With the place where it does not.
    """
    if "anyOf" in schema:
        _any_of(value, schema, where)
        return value
    if "discriminator" in schema:
        return checked(value, _chosen(value, schema, where), where)
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if kinds and not any(_is(value, kind) for kind in kinds):
        raise UsageError(f"{where} should be {' or '.join(_NAMES[kind] for kind in kinds)}")
    if "enum" in schema and value not in schema["enum"]:
        raise UsageError(f"{where} should be one of {', '.join(map(str, schema['enum']))}")
    if isinstance(value, dict):
        _object(value, schema, where)
    elif isinstance(value, list):
        _list(value, schema, where)
    elif isinstance(value, str):
        if len(value) > schema.get("maxLength", math.inf):
            raise UsageError(f"{where} is longer than {schema['maxLength']} characters")
        if len(value) < schema.get("minLength", 0):
            raise UsageError(f"{where} should not be empty")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        if not low <= value <= high:
            raise UsageError(f"{where} should be from {low} to {high}")
    return value


def _any_of(value: Any, schema: Schema, where: str) -> None:
    errors = []
    for choice in schema["anyOf"]:
        try:
            checked(value, choice, where)
        except UsageError as error:
            errors.append(error.message)
        else:
            return
    raise UsageError("; or ".join(dict.fromkeys(errors)))


def _chosen(value: Any, schema: Schema, where: str) -> Schema:
    key = schema["discriminator"]["propertyName"]
    kinds = {kind["properties"][key]["const"]: kind for kind in schema["oneOf"]}
    if not isinstance(value, dict):
        raise UsageError(f"{where} should be an object")
    if key not in value:
        raise UsageError(f"{where} lacks {key!r}", hint=f"one of {', '.join(kinds)}")
    found: Schema | None = kinds.get(value[key]) if isinstance(value[key], str) else None
    if found is None:
        raise UsageError(
            f"there is no {key} {str(value[key])[:40]!r}", hint=f"one of {', '.join(kinds)}"
        )
    return found


def _object(value: dict[str, Any], schema: Schema, where: str) -> None:
    properties = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            raise UsageError(f"{where} lacks {key!r}")
    others = schema.get("additionalProperties", True)
    for key, item in value.items():
        if key in properties:
            checked(item, properties[key], f"{key!r} of {where}")
        elif others is False:
            raise UsageError(
                f"{where} has no key {key[:60]!r}", hint=f"known are {', '.join(properties)}"
            )
        elif isinstance(others, Mapping):
            checked(item, others, f"{key[:60]!r} of {where}")


def _list(value: list[Any], schema: Schema, where: str) -> None:
    if len(value) > schema.get("maxItems", math.inf):
        raise UsageError(f"{where} has more than {schema['maxItems']} items")
    if len(value) < schema.get("minItems", 0):
        raise UsageError(f"{where} has fewer than {schema['minItems']} items")
    for place, item in enumerate(value):
        checked(item, schema.get("items", ANY), f"item {place} of {where}")


def _is(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and abs(value) <= _LARGEST
    if kind == "number":
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, {"string": str, "array": list, "object": dict}[kind])
