"""The one place that knows how the pool's objects look to the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from skypool.cli.state import State
from skypool.errors import SkypoolError
from skypool.model.references import ExternalRef

if TYPE_CHECKING:
    from skypool.model.metadata import Parameter
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = [
    "FileFacts",
    "brief",
    "complete_names",
    "file_facts",
    "found",
    "full_name",
    "head",
    "is_external",
    "parameter",
    "pool_id",
    "target",
    "title",
]


def brief(ref: Ref) -> dict[str, Any]:
    """Give what `add` reports of a version.

    Parameters
    ----------
    ref
        The version.

    Returns
    -------
    dict
        `urn`, `name`, `version`, `kind`, `type`.
    """
    return {
        "urn": ref.urn,
        "name": ref.name,
        "version": ref.version,
        "kind": ref.kind,
        "type": ref.type,
    }


def found(ref: Ref) -> dict[str, Any]:
    """Give what `find` reports of a version.

    Parameters
    ----------
    ref
        The version.

    Returns
    -------
    dict
        Those of `brief`, and `tags`.
    """
    return brief(ref) | {"tags": list(ref.tags)}


def full_name(ref: Ref) -> str:
    """Give the name with the version, such as ``maps/m83@2``; the URN where it has no name.

    Parameters
    ----------
    ref
        The version.

    Returns
    -------
    str
    """
    return f"{ref.name}@{ref.version}" if ref.name else str(ref.urn)


def head(pool: Pool) -> int:
    """Give the number of the last commit.

    Parameters
    ----------
    pool
        An open pool, made or not.

    Returns
    -------
    int
        0 before the first commit.
    """
    return pool.view.at if pool.exists else 0


def pool_id(pool: Pool) -> str:
    """Give the random number of a pool, which its copies share.

    Parameters
    ----------
    pool
        An open pool.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    return pool.view.session.folder.id.hex()


def title(ref: Ref) -> str:
    """Give what a product is, such as ``SimpleImage HPPPMAPBS``.

    Parameters
    ----------
    ref
        The version.

    Returns
    -------
    str
    """
    return f"{ref.kind} {ref.type}" if ref.type and ref.type != "Unknown" else str(ref.kind)


def is_external(child: object) -> bool:
    """Tell whether a reference points at something that is not in the pool.

    Parameters
    ----------
    child
        A `Ref` or an `ExternalRef`.

    Returns
    -------
    bool
    """
    return isinstance(child, ExternalRef)


class FileFacts(NamedTuple):
    """What is known of the file that a product was read from.

    Attributes
    ----------
    format : str
        Such as ``fits``; ``folder`` for a folder that is one product; empty for products
        made in memory.
    wrapper : str
        ``gzip`` for a compressed file, mostly empty.
    reason : str
        Why it was kept as plain bytes although it looks like something known; mostly
        empty.
    class_name : str
        The class of Herschel's software that it names; mostly empty.
    """

    format: str
    wrapper: str
    reason: str
    class_name: str = ""


def file_facts(ref: Ref) -> FileFacts:
    """Give what is known of the file that a product was read from.

    Parameters
    ----------
    ref
        The version.

    Returns
    -------
    FileFacts
    """
    document = ref.document
    file = document.get("file")
    if file is None:
        return FileFacts("folder" if "tree" in document else "", "", "")
    wrapper = file.get("wrapper") or {}
    first = (file.get("hdus") or [{}])[0]
    return FileFacts(
        file.get("format", ""),
        wrapper.get("is", ""),
        file.get("reason") or "",
        first.get("class", ""),
    )


def parameter(item: Parameter | None) -> dict[str, Any] | None:
    """Give a parameter as JSON shows it.

    Parameters
    ----------
    item
        The parameter; None where there is none.

    Returns
    -------
    dict or None
        `value`, `unit`, `description`.
    """
    if item is None:
        return None
    return {"value": item.value, "unit": item.unit, "description": item.description}


def target(child: Any) -> dict[str, Any] | None:
    """Give what a reference points at as JSON shows it.

    Parameters
    ----------
    child
        A `Ref` or an `ExternalRef`; None where there is none.

    Returns
    -------
    dict or None
        As `brief`, or `external`: the text of a reference to what is not in the pool.
    """
    if child is None:
        return None
    return {"external": child.text} if is_external(child) else brief(child)


def complete_names(ctx: click.Context, incomplete: str) -> Iterator[str]:
    """Find names that go on from what the user has typed, one level at a time.

    Parameters
    ----------
    ctx
        Of the command line so far.
    incomplete
        What is typed of the name.

    Yields
    ------
    str
    """
    root = ctx.find_root()
    named = ctx.params.get("pool_option") or root.params.get("pool_option") or ()
    state = State(pools=tuple(named)[-1:])
    folder = incomplete.rpartition("/")[0]
    try:
        place = state.place()
        if place is None:
            return
        with ctx.scope():
            pool = state.open_place(place)
            seen = set()
            for ref in pool.ls(folder):
                rest = ref.name[len(folder) + 1 if folder else 0 :]
                name = ref.name[: len(ref.name) - len(rest)] + rest.split("/", 1)[0]
                if "\n" in name:  # a shell takes a line for each
                    continue
                if name.startswith(incomplete) and name not in seen:
                    seen.add(name)
                    yield name
    except SkypoolError:  # a completion that cannot be had is no reason to disturb
        return
