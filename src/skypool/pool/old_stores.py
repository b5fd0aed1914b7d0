"""Pools of HIPE (`~/.hcss/lstore/<pool>`): what their files say of tags and references.

Such a folder has a folder of FITS files for each class of Java, and `.index`. Files that HIPE
named end in `_v<n>`, where *n* is the number in the URN `urn:<pool>:<class>:<n>`; for others
there may be lists of URNs and files, `.index/<class>.urnMapping`. Tags are in products of the
class `TagsProduct`, the newest of which counts, and in `.index`: a table with the columns `tags`
and `urns`. References of contexts are in the table `bridges`. HIPE's later index, a database of
Lucene, is not read: what only it knows stays unknown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.errors import NotFound, SkypoolError
from skypool.model.composite import Composite
from skypool.model.references import ExternalRef
from skypool.model.tables import Table
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.pool.add_report import AddReport
    from skypool.pool.taking_in import TakingIn
    from skypool.pool.view import View

__all__ = ["bridges", "is_store", "references", "tag_added", "tag_products"]

_CLASS = re.compile(r"[a-z]\w*(\.\w+)*\.[A-Z]\w*\Z")
_URN = re.compile(r"urn:([^:\s]*):([^:\s]+):(\d+)")
_NUMBER = re.compile(r"_v(\d+)\.fits(\.gz)?\Z", re.IGNORECASE)
_FITS = re.compile(r"\S.*\.fits(\.gz)?\s*\Z", re.IGNORECASE)


def is_store(path: str) -> bool:
    """Say whether a folder is a pool of HIPE."""
    try:
        names = os.listdir(path)
    except OSError:
        return False
    classes = [name for name in names if _CLASS.match(name) and name.startswith("herschel.")]
    return bool(classes) and (
        ".index" in names
        or any(
            _NUMBER.search(file)
            for name in classes
            if os.path.isdir(os.path.join(path, name))
            for file in os.listdir(os.path.join(path, name))
        )
    )


def tag_added(pool: TakingIn, what: Any, report: AddReport) -> None:
    """Put the tags of pools of HIPE on their products, where such were added.

    Parameters
    ----------
    pool
        Took them.
    what
        What was added, as `Pool.add` takes it.
    report
        What that did.
    """
    items = [what] if isinstance(what, str | os.PathLike) else what
    if not isinstance(items, list | tuple) or not report.saved:
        return
    for item, root in zip(items, report.refs, strict=False):
        local = isinstance(item, str | os.PathLike) and os.path.isdir(item)
        if local and root.is_context and is_store(os.fspath(item)):
            tag_products(pool, root, report.saved)


def tag_products(pool: TakingIn, root: Ref, new: Iterable[Ref]) -> None:
    """Put the tags that a pool of HIPE had on its products.

    Parameters
    ----------
    pool
        Took the folder.
    root
        The folder.
    new
        The versions that it brought; others have the tags that they have.
    """
    numbers = {ref.number for ref in new}
    store = _Store(root.view, root.name)
    with pool.commit(f"tags of {root.name}") as commit:
        for tag, urn in store.tags().items():
            found = store.find(urn)
            if found is not None and found.number in numbers:
                try:
                    commit.tag(found, tag)
                except SkypoolError:  # HIPE took tags that a pool cannot have
                    continue


def bridges(product: Any) -> list[tuple[str, str]]:
    """Return roles and URNs of the references that a context of HIPE holds as a table."""
    inner = product.datasets["context"] if "context" in list(product.datasets) else None
    table = inner["bridges"] if isinstance(inner, Composite) and "bridges" in inner else None
    if not isinstance(table, Table) or "urn" not in table.colnames:
        return []
    urns = [str(urn) for urn in table["urn"]]
    roles = map(str, table["name"] if "name" in table.colnames else range(len(urns)))
    return list(zip(roles, urns, strict=True))


def references(ref: Ref, product: Any) -> dict[str, Ref | ExternalRef]:
    """Return the references of a context that came as a file from a pool of HIPE.

    Those to products that are not there stay as they were written.

    Parameters
    ----------
    ref
        The context.
    product
        The context, loaded.
    """
    found: dict[str, Ref | ExternalRef] = {}
    stores = [_Store(ref.view, folder) for folder in _folders(ref.name)]
    for role, urn in bridges(product):
        hits = (store.find(urn) for store in stores)
        found[role] = next((hit for hit in hits if hit is not None), ExternalRef(urn))
    return found


def _folders(name: str) -> Iterator[str]:
    """Yield the folders in which a product is, the innermost first."""
    while name:
        name = name.rpartition("/")[0]
        yield name


class _Store:
    """The folder of a pool of HIPE, as it was added.

    Parameters
    ----------
    view
        The pool that took it.
    name
        Name of the folder there.
    """

    def __init__(self, view: View, name: str) -> None:
        self._view = view
        self._name = name
        self._known: dict[str, dict[int, str]] = {}

    def find(self, urn: str) -> Ref | None:
        """Return the product that a URN stood for, None where nothing tells."""
        match = _URN.fullmatch(urn.strip())
        if match is None:
            return None
        kind, number = match[2], int(match[3])
        if kind not in self._known:
            self._known[kind] = self._files(kind)
        name = self._known[kind].get(number)
        return None if name is None else self._at(name)

    def _at(self, name: str) -> Ref | None:
        view = self._view
        track = view.identity.named(name, view.at)
        row = None if track is None else view.identity.latest(track, view.at)
        return None if row is None else view.ref(row)

    def _below(self, folder: str) -> str:
        return f"{self._name}/{folder}" if self._name else folder

    def _files(self, kind: str) -> dict[int, str]:
        """Return the names of the products of a class by their numbers."""
        folder = self._below(kind)
        found = {}
        for name, _ in self._view.identity.names(self._view.at, folder):
            match = _NUMBER.search(name)
            if match:
                found[int(match[1])] = name
        return found | self._listed(kind)

    def _listed(self, kind: str) -> dict[int, str]:
        """Return what a list of URNs and files says."""
        ref = self._at(self._below(f".index/{kind}.urnMapping"))
        found: dict[int, str] = {}
        if ref is None:
            return found
        text = _content(ref).decode("utf-8", "replace").replace("\\:", ":")
        for line in text.splitlines():
            match = _URN.search(line)
            rest = line[match.end() :].strip(" \t=,;:") if match else ""
            if match and match[2] == kind and _FITS.match(rest):
                name = self._below(rest.strip().replace("\\", "/").lstrip("./"))
                if self._at(name) is not None:
                    found[int(match[3])] = name
        return found

    def tags(self) -> Mapping[str, str]:
        """Return the URNs by tags."""
        below = list(self._view.listing(self._name))
        holders = [ref for ref in below if ref.kind == "TagsProduct"]
        holders.sort(key=lambda ref: int(found[1]) if (found := _NUMBER.search(ref.name)) else -1)
        found: dict[str, str] = {}
        # The newest counts, as a whole; what the index has comes last.
        index = [ref for ref in holders if "/.index/" in f"/{ref.name}"]
        for ref in [*[ref for ref in holders if ref not in index][-1:], *index]:
            for table in _tables(ref.product.datasets):
                if {"tags", "urns"} <= set(table.colnames):
                    found |= dict(
                        zip(map(str, table["tags"]), map(str, table["urns"]), strict=True)
                    )
        return found


def _tables(datasets: Mapping[str, Any]) -> Iterator[Table]:
    for dataset in datasets.values():
        if isinstance(dataset, Table):
            yield dataset
        elif isinstance(dataset, Composite):
            yield from _tables(dataset)


def _content(ref: Ref) -> bytes:
    try:
        source = ref.view.content(ref)
    except NotFound:
        return b""
    return bytes(source.pread(0, min(source.size, 64 * 1024**2)))
