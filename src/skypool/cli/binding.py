"""Values for the `$names` of a query, as the command line gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import UsageError
from skypool.query.values import parse_number

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["bound_values", "read_table", "value_of"]

_NAME: Final = re.compile(r"\$?([A-Za-z_]\w*)", re.ASCII)


def bound_values(
    settings: Sequence[str], tables: Sequence[str], target: str | None
) -> dict[str, Any] | None:
    """Return what the `$names` of a query stand for; None if nothing is given.

    Parameters
    ----------
    settings
        As in `low=1.5`, see `value_of`; those of one name that is given several times make a list.
    tables
        As in `sources=my.ecsv`: the positions of the rows, or the values of the only column.
    target
        Name of an object, which is looked up online for `$object`.
    """
    found: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {}
    for name, text in _pairs("--set", "NAME=VALUE", settings):
        lists.setdefault(name, []).append(value_of(text))
    found.update({name: many if len(many) > 1 else many[0] for name, many in lists.items()})
    for name, path in _pairs("--table", "NAME=FILE", tables):
        _add(found, name, _of_table(read_table(path), path))
    if target is not None:
        from skypool.pool.sesame import resolve

        _add(found, "object", resolve(target))
    return found or None


def _pairs(option: str, form: str, given: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in given:
        name, sign, value = text.partition("=")
        match = _NAME.fullmatch(name.strip())
        if match is None or not sign:
            raise UsageError(f"{option} {text!r} is not {form}", hint=f"{option} {form}")
        yield match[1], value


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    if name in found:
        raise UsageError(f"${name} is given twice", hint="use another name in the query")
    found[name] = value


def value_of(text: str) -> Any:
    """Return a number, true or false, or a text; what stands in quotes is a text."""
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return text[1:-1]
    truths: Mapping[str, bool] = {"true": True, "false": False}
    if text.casefold() in truths:
        return truths[text.casefold()]
    number = parse_number(text)
    return text if number is None else number


def read_table(path: str) -> Table:
    """Read a table of the user's: of any format that astropy knows by name or content, else text.

    Raises
    ------
    UsageError
        If it is none.
    """
    from astropy.io.registry import IORegistryError
    from astropy.table import Table

    try:
        try:
            found: Table = Table.read(path)
        except IORegistryError:
            found = Table.read(path, format="ascii")
    except (OSError, ValueError, TypeError, ImportError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if isinstance(error, OSError) and error.strerror:
            first = error.strerror
        raise UsageError(
            f"{path} cannot be read as a table: {first}",
            hint="ECSV, CSV, FITS and VOTable files are tables",
        ) from None
    return found


def _of_table(table: Table, path: str) -> Any:
    if len(table.colnames) == 1 and not hasattr(table[table.colnames[0]], "icrs"):
        return [value for value in table[table.colnames[0]].tolist() if value is not None]
    from skypool.pool.places import coordinates_of

    return coordinates_of(table, path)
