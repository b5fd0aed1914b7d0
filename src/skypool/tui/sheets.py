"""What the details of a product show, as texts; nothing here draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from skypool.errors import SkypoolError
from skypool.model.composite import Composite
from skypool.model.references import ExternalRef
from skypool.tui.columns import Head
from skypool.tui.question import condition
from skypool.tui.text import cell, clean, count_text, size_text

if TYPE_CHECKING:
    from skypool.pool.diff import Diff
    from skypool.pool.ref import Ref

__all__ = [
    "ListRows", "MetaRow", "TableRows", "about", "dataset_text", "datasets_of", "difference",
    "first_dataset", "headers", "metadata", "title", "versions",
]  # fmt: skip

_SHOWN: Final = 200
_PICTURES: Final = ("image", "signal", "data", "sci", "flux", "primary")


class ListRows:
    """Rows that are in memory.

    Parameters
    ----------
    titles
        Of the columns.
    rows
        Texts of the cells.
    """

    def __init__(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.rows = rows
        self.heads = [Head(title, title) for title in titles]

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, start: int, stop: int) -> Sequence[Sequence[str]]:
        """Return the texts of some rows."""
        return self.rows[start:stop]


class TableRows:
    """The rows of a table of a product; those of the page are read."""

    def __init__(self, table: Any) -> None:
        self._table = table
        infos = [table.source.info(name) for name in table.colnames]
        self.heads = [
            Head(
                info.name,
                clean(f"{info.name} [{info.unit}]" if info.unit else info.name),
                info.dtype.kind in "iuf" and not info.shape,
            )
            for info in infos
        ]

    def __len__(self) -> int:
        return len(self._table)

    def cells(self, start: int, stop: int) -> Sequence[Sequence[str]]:
        """Return the texts of some rows."""
        columns = [
            [_element(value) for value in self._table[head.key][start:stop]] for head in self.heads
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * (stop - start)


def _element(value: Any) -> str:
    import numpy as np

    if value is np.ma.masked:
        return ""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if getattr(value, "shape", ()):
        flat = value.reshape(-1)
        return f"[{', '.join(_element(v) for v in flat[:4])}{', …' if flat.size > 4 else ''}]"
    if getattr(value, "dtype", None) in (np.float32, np.float16):
        return f"{value:.7g}"
    return cell(value.item() if hasattr(value, "item") else value)


# -- datasets


def datasets_of(datasets: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the datasets of a product with their ways, those in composites too."""
    for name, dataset in datasets.items():
        yield prefix + name, dataset
        if isinstance(dataset, Composite):
            yield from datasets_of(dataset, f"{prefix}{name}/")


def first_dataset(product: Any) -> str:
    """Return the dataset that shows best what a product is; empty where there is none."""
    best, found = 0, ""
    for path, dataset in datasets_of(product.datasets):
        score = _score(path.lower(), dataset)
        if score > best:
            best, found = score, path
    return found


def _score(path: str, dataset: Any) -> int:
    if isinstance(dataset, Composite):
        return 0
    if hasattr(dataset, "colnames"):
        return 1 if path.startswith("history") else 20
    if dataset.dtype.kind not in "biufc" or not dataset.ndim:
        return 0
    score = {1: 30, 2: 50}.get(dataset.ndim, 40) if dataset.size > 1 else 2
    return score + (9 if path.rpartition("/")[2] in _PICTURES else 0)


def dataset_text(dataset: Any) -> str:
    """Return what a dataset is, in a few words."""
    if isinstance(dataset, Composite):
        return count_text(len(dataset), "dataset")
    if hasattr(dataset, "colnames"):
        columns = count_text(len(dataset.colnames), "column")
        return f"table, {count_text(len(dataset), 'row')}, {columns}"
    shape = " × ".join(map(str, dataset.shape)) or "one value"
    return clean(f"{shape} {dataset.dtype.name} {dataset.unit_text}".rstrip())


def title(ref: Any) -> str:
    """Return name and version."""
    if isinstance(ref, ExternalRef):
        return clean(ref.text)
    return clean(f"{ref.name}@{ref.version}" if ref.name else ref.urn)


# -- metadata


class MetaRow(NamedTuple):
    """A parameter, with what a query says of it."""

    name: str
    dataset: str
    value: str
    unit: str
    description: str
    query: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts of its row."""
        name = f"{self.dataset}: {self.name}" if self.dataset else self.name
        return (name, self.value, self.unit, self.description)


def metadata(ref: Ref) -> list[MetaRow]:
    """Return all metadata of a product, then those of its datasets, then the core attributes."""
    rows = [_row(name, "", parameter) for name, parameter in ref.meta.items()]
    for path, dataset in datasets_of(ref.product.datasets):
        rows += [_row(name, path, parameter) for name, parameter in dataset.meta.items()]
    known = {row.name.casefold() for row in rows if not row.dataset}
    rows += [
        _row(name, "core", parameter)
        for name, parameter in ref.attributes.items()
        if name.casefold() not in known
    ]
    return rows


def _row(name: str, dataset: str, parameter: Any) -> MetaRow:
    query = condition(name, (parameter.value,), parameter.unit)
    return MetaRow(
        clean(name),
        clean(dataset),
        cell(parameter.value),
        clean(parameter.unit),
        clean(parameter.description),
        query,
    )


def headers(ref: Ref) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return the headers of the HDUs of a FITS file: title, then keyword, value, comment."""
    from skypool.server.headers import header_units

    found = []
    for unit in header_units(ref):
        name = unit["name"] or unit["type"]
        cards = [(clean(key), clean(value), clean(note)) for key, value, note, _ in unit["cards"]]
        found.append((f"{unit['index']} {clean(name)}", cards))
    return found


# -- versions


def versions(ref: Ref) -> list[tuple[Ref, tuple[str, ...]]]:
    """Return the versions of a product, newest first, with the texts of their rows."""
    found: list[tuple[Ref, tuple[str, ...]]] = []
    for version in reversed(ref.versions):
        commit = version.view.identity.commit(version.commit)
        author, message = (commit.author, commit.message) if commit else ("", "")
        cells = (
            str(version.version),
            cell(version.saved),
            clean(author),
            size_text(version.size),
            clean(", ".join(version.tags)),
            clean(message),
        )
        found.append((version, cells))
    return found


def difference(a: Ref, b: Ref) -> list[str]:
    """Return what differs between two versions, and nothing else, line by line."""
    from skypool.pool.diff import compare

    return _diff_lines(compare(a, b))


def _diff_lines(diff: Diff) -> list[str]:
    first = f"@{diff.a.version}" if diff.a.name == diff.b.name else title(diff.a)
    lines = [f"{first} → {title(diff.b)}"]
    if not diff:
        return [*lines, "no difference"]
    if diff.kind:
        lines.append(f"~ kind: {diff.kind[0]} → {diff.kind[1]}")
    signs = {"added": "+", "removed": "-", "changed": "~"}
    for change in diff.meta[:_SHOWN]:
        before, after = (_shown(item) for item in (change.before, change.after))
        value = {"added": after, "removed": before}.get(change.kind, f"{before} → {after}")
        lines.append(clean(f"{signs[change.kind]} {change.key}: {value}"))
    if len(diff.meta) > _SHOWN:
        lines.append(f"… and {len(diff.meta) - _SHOWN:,} more parameters")
    for dataset in diff.datasets:
        words = [dataset.what] if dataset.what else []
        if dataset.count:
            words.append(f"{dataset.count:,} {dataset.unit} differ")
        if dataset.box:
            words.append("in [" + ", ".join(f"{a}:{b}" for a, b in dataset.box) + "]")
        lines.append(clean(f"{signs[dataset.kind]} {dataset.name}: {', '.join(words)}"))
    lines += [clean(f"{signs[r.kind]} reference {r.role}") for r in diff.refs]
    if diff.same_bytes is False and len(lines) == 1:
        lines.append("~ the bytes of the files; neither metadata nor values")
    return lines


def _shown(parameter: Any) -> str:
    if parameter is None:
        return "-"
    return f"{cell(parameter.value)} {parameter.unit}".rstrip()


# -- about


def about(ref: Ref) -> list[tuple[str, list[str]]]:
    """Return sections: what it is, where it is, who refers to it, how it was made."""
    found = [("Product", _facts(ref)), ("Stored", _places(ref))]
    parents = [f"{title(parent)}  {parent.kind}" for parent in ref.parents[:_SHOWN]]
    found.append((f"Referenced by ({len(ref.parents)})", parents or ["nothing"]))
    found.append(("History", _history(ref)))
    return found


def _facts(ref: Ref) -> list[str]:
    kind = f"{ref.kind} {ref.type}" if ref.type != "Unknown" else ref.kind
    lines = [
        f"name      {title(ref)}",
        f"is        {clean(kind)}",
        f"urn       {ref.urn}",
        f"versions  {len(ref.versions)}, newest {ref.latest.version}",
        f"tags      {clean(', '.join(ref.tags)) or '-'}",
        f"saved     {cell(ref.saved)} UTC, commit {ref.commit}",
    ]
    if "description" in ref.meta and ref.meta["description"].value:
        lines.append(f"about     {cell(ref.meta['description'].value)}")
    return lines


def _places(ref: Ref) -> list[str]:
    view = ref.view
    file = ref.document.get("file") or {}
    total = f", {size_text(ref.total_size)} with all below" if ref.total_size != ref.size else ""
    lines = [
        f"pool      {clean(view.session.folder.path)}",
        f"size      {size_text(ref.size)}{total}",
        f"document  {ref.hash}",
    ]
    if file:
        wrapper = (file.get("wrapper") or {}).get("is")
        lines.append(f"file      {file['format']}{f', in {wrapper}' if wrapper else ''}")
        lines.append(f"hash      {file['hash']}")
    if ref.reason:
        lines.append(f"reason    kept as plain bytes: {clean(ref.reason)}")
    sources = view.session.catalogue.sources(ref.row.document)
    lines += [f"in place  {clean(source.path)}" for source in sources]
    origin = ref.origin.get("url") or ref.origin.get("path") or ref.origin.get("urn")
    if origin:
        lines.append(f"from      {clean(str(origin))}")
    return lines


def _history(ref: Ref) -> list[str]:
    lines = [
        f"{cell(row.time)}  {row.number:>6}  {clean(row.author)}: {clean(row.message)}"
        for row in _commits(ref)[:_SHOWN]
    ]
    try:
        lines += [clean(line) for line in ref.product.history[-_SHOWN:]]
    except SkypoolError as error:
        lines.append(clean(error.message))
    return lines


def _commits(ref: Ref) -> list[Any]:
    """Return the commits that concern a product, newest first."""
    from skypool.pool.history import Commit

    return [Commit.of(row) for row in ref.view.identity.commits(ref.view.at, ref.track)]
