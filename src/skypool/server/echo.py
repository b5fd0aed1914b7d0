"""What is done on the page as lines of Python and of the command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from skypool.server.code_lines import pool_name

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = [
    "code",
    "command_of",
    "each_command",
    "each_python",
    "full_name",
    "pool_expression",
    "show_code",
]

# More products than this are not listed one by one.
_LISTED: Final = 8


def code(python: str, command: str = "", url: str = "") -> dict[str, str]:
    """Return what the API calls `code`."""
    return {"python": python, "command": command, "url": url}


def pool_expression(pool: Pool) -> str:
    """Return Python that opens a pool: by its name where it has one."""
    return f"skypool.Pool({pool_name(pool)!r})"


def command_of(pool: Pool, *words: str) -> str:
    """Return a command line over a pool."""
    return shlex.join(["skypool", "-p", pool_name(pool), *words])


def full_name(ref: Ref) -> str:
    """Return the text that finds this version: name and version, or its URN."""
    if not ref.name or ref.row.name is None:
        return ref.urn
    return ref.name if ref.latest.number == ref.number else f"{ref.name}@{ref.version}"


def each_python(
    pool: Pool, refs: Sequence[Ref], total: int, found: str, message: str, call: str
) -> str:
    """Return Python that does something with products, in one commit where it is a change.

    Parameters
    ----------
    pool
        Of the products.
    refs
        The first of them.
    total
        How many there are.
    found
        Python of the search that found them; empty where they were chosen one by one.
    message
        Of the commit; empty where nothing is changed.
    call
        What is called, with `{}` first for the product and `c` for the commit.
    """
    names = [full_name(ref) for ref in refs[:_LISTED]]
    lines = [f"pool = {pool_expression(pool)}"]
    if found:
        loop, item = f"for ref in {found}:", "ref"
    elif total == 1:
        loop, item = "", f"pool[{names[0]!r}]"
    else:
        more = ", ..." if total > len(names) else ""
        loop = f"for name in [{', '.join(map(repr, names))}{more}]:"
        item = "pool[name]"
    indent = ""
    if message:
        lines.append(f"with pool.commit({message!r}) as c:")
        indent = "    "
    if loop:
        lines.append(indent + loop)
        indent += "    "
    lines.append(indent + call.replace("{}", item, 1))  # tags may hold braces
    return "\n".join(lines)


def each_command(
    pool: Pool, refs: Sequence[Ref], total: int, found: str, words: Sequence[str]
) -> str:
    """Return command lines that do something with products; the first `{}` is the product."""
    words = list(words)
    at = words.index("{}")
    if found:
        after = shlex.join(words[at + 1 :])
        line = f'{command_of(pool, *words[:at])} "$name" {after}'.rstrip()
        return f"{found} -q | while read -r name; do {line}; done"
    lines = [
        command_of(pool, *words[:at], full_name(ref), *words[at + 1 :]) for ref in refs[:_LISTED]
    ]
    return "\n".join([*lines, *(["..."] if total > len(lines) else [])])


def show_code(pool: Pool, ref: Ref, label: str) -> dict[str, str]:
    """Return how to get a version, elsewhere than on the page."""
    name = full_name(ref)
    return code(
        f"product = {pool_expression(pool)}[{name!r}].product",
        command_of(pool, "show", name),
        "#" + urlencode({"ref": f"{label}/{ref.number}"}),
    )
