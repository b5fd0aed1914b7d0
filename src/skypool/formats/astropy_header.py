"""The header that astropy writes into Parquet and HDF5 tables: that of ECSV, in YAML."""

from __future__ import annotations

from typing import Any

from skypool.formats.parsing import NotUnderstood
from skypool.formats.typed import flatten
from skypool.formats.yaml_tree import load_yaml, mapping, simplified

__all__ = ["table_header"]


def table_header(text: bytes | str) -> tuple[dict[str, dict[str, str]], list[list[Any]]]:
    """Read units, descriptions and metadata of a table.

    Parameters
    ----------
    text
        The YAML text; one that cannot be read says nothing.

    Returns
    -------
    columns : dict
        For each column its ``unit`` and ``description``, where it has them.
    meta : list
        Parameters.
    """
    try:
        tree = mapping(load_yaml(text))
    except NotUnderstood:
        return {}, []
    columns: dict[str, dict[str, str]] = {}
    listed = tree.get("datatype")
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or "name" not in entry:
            continue
        unit = entry.get("unit") or ""
        unit = unit if isinstance(unit, str) else (simplified(unit) or ("", ""))[0]
        about = {"unit": str(unit), "description": str(entry.get("description") or "")}
        columns[str(entry["name"])] = {key: value for key, value in about.items() if value}
    meta = {k: v for k, v in mapping(tree.get("meta")).items() if k != "__serialized_columns__"}
    return columns, flatten(meta, simplify=simplified)
