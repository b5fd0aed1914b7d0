"""The same thing as a line of Python, of the command line, and as an address of the page."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = [
    "code",
    "command_of",
    "full_name",
    "pool_expression",
    "pool_words",
    "quoted",
    "ref_expression",
    "refs_expression",
    "show_code",
]

# More products than this are not listed one by one.
_LISTED: Final = 8


def code(python: str, command: str = "", url: str = "") -> dict[str, str]:
    """Return what the API calls `code`."""
    return {"python": python, "command": command, "url": url}


def quoted(text: str) -> str:
    """Return a text as Python writes it, with double quotes."""
    if text.isprintable():
        return json.dumps(text, ensure_ascii=False)
    return ascii(text)


def _where(pool: Pool) -> str:
    home = os.path.abspath(os.fspath(pool.settings.home))
    return os.path.basename(pool.path) if os.path.dirname(pool.path) == home else pool.path


def pool_expression(pool: Pool) -> str:
    """Return Python that opens a pool: by its name where it has one."""
    return f"sp.Pool({quoted(_where(pool))})"


def pool_words(pool: Pool) -> list[str]:
    """Return the words of the command line that choose a pool."""
    return ["skypool", "-p", _where(pool)]


def command_of(pool: Pool, *words: str) -> str:
    """Return a command line over a pool."""
    return shlex.join([*pool_words(pool), *words])


def full_name(ref: Ref) -> str:
    """Return the text that finds this version: name and version, or its URN."""
    if not ref.name or ref.row.name is None:
        return ref.urn
    return ref.name if ref.latest.number == ref.number else f"{ref.name}@{ref.version}"


def ref_expression(pool: Pool, ref: Ref) -> str:
    """Return Python that gives a version."""
    return f"{pool_expression(pool)}[{quoted(full_name(ref))}]"


def refs_expression(refs: Sequence[Ref]) -> str:
    """Return Python for the texts of several versions: a list, cut where it is long."""
    shown = ", ".join(quoted(full_name(ref)) for ref in refs[:_LISTED])
    return f"[{shown}{', ...' if len(refs) > _LISTED else ''}]"


def show_code(ref: Ref, label: str) -> dict[str, str]:
    """Return how to get a version, elsewhere than on the page."""
    where = _where_of(ref)
    name = full_name(ref)
    return code(
        f"product = sp.Pool({quoted(where)})[{quoted(name)}].product",
        shlex.join(["skypool", "-p", where, "show", name]),
        f"#ref={quote(f'{label}/{ref.number}', safe='')}",
    )


def _where_of(ref: Ref) -> str:
    session = ref.view.session
    path, home = session.folder.path, os.path.abspath(os.fspath(session.settings.home))
    found: Any = os.path.basename(path) if os.path.dirname(path) == home else path
    return str(found)
