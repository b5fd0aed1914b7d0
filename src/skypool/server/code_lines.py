"""The same thing as a line of Python, of the command line, and as an address of the page."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.server.search import Asking

__all__ = ["pool_name", "product_code", "search_code"]


def pool_name(pool: Pool) -> str:
    """Return what `Pool` and `-p` take for a pool: its name where it has one, else its path."""
    folder, name = os.path.split(os.path.normpath(pool.path))
    home = os.path.realpath(os.fspath(pool.settings.home))
    return name if os.path.realpath(folder) == home else pool.path


def search_code(
    asking: Asking, pools: Sequence[Pool], columns: Sequence[str] = ()
) -> dict[str, str]:
    """Return the lines that are a search."""
    names = [pool_name(pool) for pool in pools]
    return {
        "python": _python(asking, names),
        "command": _command(asking, names, columns),
        "url": "#" + _address(asking, columns),
    }


def _python(asking: Asking, names: Sequence[str]) -> str:
    at = asking.sent.get("at")
    suffix = f".at({at!r})" if at else ""
    opened = [f"skypool.Pool({name!r}){suffix}" for name in names]
    given = [repr(asking.query)] if asking.query else []
    given += [f"{key}={value!r}" for key, value in asking.options().items() if value]
    if len(opened) == 1:
        return f"{opened[0]}.find({', '.join(given)})"
    pools = f"pools=[{', '.join(opened)}]"
    return f"skypool.find({', '.join([*given[:1], pools, *given[1:]])})"


def _command(asking: Asking, names: Sequence[str], columns: Sequence[str]) -> str:
    words = ["skypool"]
    for name in names:
        words += ["-p", name]
    words.append("find")
    if asking.query:
        words += ["--", asking.query] if asking.query.startswith("-") else [asking.query]
    options = asking.options()
    extra: list[str] = []
    if options["kind"]:
        extra += ["--kind", options["kind"]]
    if options["order_by"]:
        # A value that begins with a minus sign goes behind the sign of equality.
        extra.append(f"--order-by={options['order_by']}")
    for key, word in (("all_versions", "--all-versions"), ("all_names", "--all-names")):
        if options[key]:
            extra.append(word)
    if asking.sent.get("at"):
        extra += ["--at", str(asking.sent["at"])]
    if columns:
        extra += ["--columns", ",".join(columns)]
    at = words.index("find") + 1
    return shlex.join([*words[:at], *extra, *words[at:]])


def _address(asking: Asking, columns: Sequence[str] = ()) -> str:
    """Return the search as the page writes it behind `#` in its address."""
    found: dict[str, str] = {}
    for key, value in asking.sent.items():
        if isinstance(value, bool):
            found[key] = "true"
        elif isinstance(value, list | dict):
            found[key] = json.dumps(value, separators=(",", ":"))
        else:
            found[key] = str(value)
    if columns:
        found["columns"] = json.dumps(list(columns), separators=(",", ":"))
    return urlencode(found, errors="replace")


def product_code(pool: Pool, name: str, ref: str, version: int | None = None) -> dict[str, Any]:
    """Return the lines that are one product."""
    text = name if version is None else f"{name}@{version}"
    return {
        "python": f"skypool.Pool({pool_name(pool)!r})[{text!r}]",
        "command": shlex.join(["skypool", "-p", pool_name(pool), "show", text]),
        "url": "#" + urlencode({"ref": ref}),
    }
