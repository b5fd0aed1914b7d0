"""`show`."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from skypool.cli.pools import file_facts, found, full_name, is_external, parameter, target, title
from skypool.cli.state import State
from skypool.cli.text import Table, count_text, plain, shown, size_text, to_json, value_text
from skypool.cli.verb import REF, at_option, verb

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["show_verb"]

# The last steps of history that are shown.
_STEPS = 10


@verb(
    "show",
    examples=[
        ("show 1342182452/level2/PSW.fits", "everything about the latest version"),
        ("show PSW@0", "of the first version"),
        ("show PSW --meta 'date*'", "some of the metadata, of its datasets too"),
        ("show PSW --provenance", "tasks and parameters that made it, the script"),
        ("show PSW --json | jq .meta.obsid.value", "one value, for a script"),
    ],
)
@click.argument("ref", type=REF)
@click.option(
    "-m",
    "--meta",
    metavar="PATTERN",
    help="Only metadata whose name matches (part of it, or with * and ?).",
)
@click.option(
    "--provenance",
    is_flag=True,
    help="What was done to make it: tasks, parameters that were given, script.",
)
@at_option
def show_verb(state: State, ref: str, meta: str | None, provenance: bool, at: str | None) -> None:
    """Show a product: kind, name, versions, tags, datasets, references, attributes, metadata.

    With --meta it shows matching metadata only, those of the datasets included
    (as DATASET.KEY).
    """
    product = state.open(at=at)[ref]
    if provenance:
        _show_provenance(product, state)
        return
    if state.json:
        click.echo(to_json(_as_json(product, meta)))
        return
    for line in _matching(product, meta, state) if meta else _all(product, state):
        click.echo(line)


def _show_provenance(ref: Ref, state: State) -> None:
    from skypool.cli.provenance import provenance_json, provenance_lines

    if state.json:
        click.echo(to_json(found(ref) | provenance_json(ref.product)))
        return
    lines = list(provenance_lines(ref.product, state))
    if not lines:
        state.note(f"{shown(full_name(ref))} does not say what was done to make it")
    for line in lines:
        click.echo(plain(line))


def _as_json(ref: Ref, pattern: str | None) -> dict[str, Any]:
    product = ref.product
    datasets = {name: _dataset(item) for name, item in product.datasets.items()}
    if pattern:
        return found(ref) | {
            "meta": {
                key: parameter(value) for key, value in _all_meta(product) if _fits(key, pattern)
            }
        }
    file = file_facts(ref)
    return (
        found(ref)
        | {
            "size": ref.size,
            "total_size": ref.total_size,
            "versions": [version.version for version in ref.versions],
            "purged": [version.version for version in ref.versions if version.purged],
            "in_place": list(ref.in_place),
            "dropped": list(ref.dropped),
            "format": file.format,
            "wrapper": file.wrapper,
            "reason": file.reason,
            "complete": ref.complete,
            **({"class": file.class_name} if file.class_name else {}),
            "meta": {key: parameter(value) for key, value in ref.meta.items()},
            "attributes": {key: parameter(value) for key, value in ref.attributes.items()},
            "datasets": datasets,
            "refs": {role: target(child) for role, child in product.refs.items()},
            "history": list(product.history),
        }
        | _source(ref)
    )


def _source(ref: Ref) -> dict[str, Any]:
    """Return where a product came from, if not from a file of its own."""
    origin = ref.origin
    return {"origin": origin} if origin.keys() & {"url", "member"} else {}


def _dataset(dataset: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"is": _form(dataset), "description": dataset.description or ""}
    if facts["is"] == "array":
        facts |= {
            "shape": list(dataset.shape),
            "dtype": str(dataset.dtype),
            "unit": dataset.unit_text,
        }
    elif facts["is"] == "table":
        columns = {}
        for name in dataset.colnames:
            column = dataset[name]
            columns[name] = {
                "dtype": str(column.dtype),
                "shape": list(column.shape[1:]),
                "unit": _unit(column),
                "description": column.description or "",
            }
        facts |= {"rows": len(dataset), "columns": columns}
    else:
        facts["datasets"] = {name: _dataset(item) for name, item in dataset.items()}
    return facts


def _form(dataset: Any) -> str:
    if hasattr(dataset, "colnames"):
        return "table"
    return "composite" if isinstance(dataset, Mapping) else "array"


def _unit(column: Any) -> str:
    text = getattr(column, "unit_text", None)
    if text is None:
        text = "" if column.unit is None else str(column.unit)
    return str(text)


def _all_meta(product: Any) -> Iterator[tuple[str, Any]]:
    yield from product.meta.items()
    stack = [("", product.datasets)]
    while stack:
        prefix, datasets = stack.pop()
        for name, dataset in datasets.items():
            yield from ((f"{prefix}{name}.{key}", value) for key, value in dataset.meta.items())
            if _form(dataset) == "composite":
                stack.append((f"{prefix}{name}/", dataset))


def _fits(key: str, pattern: str) -> bool:
    if not any(character in pattern for character in "*?["):
        pattern = f"*{pattern}*"
    name, wanted = key.lower(), pattern.lower()
    return fnmatch.fnmatchcase(name, wanted) or fnmatch.fnmatchcase(name.rpartition(".")[2], wanted)


def _matching(ref: Ref, pattern: str, state: State) -> Iterator[str]:
    rows = [row for row in _all_meta(ref.product) if _fits(row[0], pattern)]
    if not rows:
        state.note(f"no metadata of {shown(full_name(ref))} matches {pattern!r}")
    yield from _meta_lines(rows, state)


def _meta_lines(rows: list[tuple[str, Any]], state: State) -> Iterator[str]:
    table = Table(["KEY", "VALUE", "UNIT", "DESCRIPTION"], flexible=3, colour=state.colour)
    yield from table.lines(
        [key, value_text(item.value), item.unit, item.description] for key, item in rows
    )


def _all(ref: Ref, state: State) -> Iterator[str]:
    product = ref.product
    for head, text in _facts(ref):
        yield f"{head:<10}{text}"
    if product.datasets:
        yield from _section(state, count_text(len(product.datasets), "dataset"))
        table = Table(
            ["NAME", "IS", "SHAPE", "DTYPE", "UNIT", "DESCRIPTION"], flexible=5, colour=state.colour
        )
        yield from table.lines(_dataset_rows(product.datasets, ""))
    if product.refs:
        yield from _section(state, count_text(len(product.refs), "reference"))
        table = Table(["ROLE", "NAME", "IS"], flexible=1, middle=True, colour=state.colour)
        yield from table.lines(_ref_row(role, child) for role, child in product.refs.items())
    yield from _history_lines(product.history, state)
    if ref.attributes:
        yield from _section(state, count_text(len(ref.attributes), "core attribute"))
        yield from _meta_lines(list(ref.attributes.items()), state)
    if ref.meta:
        yield from _section(state, count_text(len(ref.meta), "parameter"))
        yield from _meta_lines(list(ref.meta.items()), state)


def _history_lines(history: tuple[str, ...], state: State) -> Iterator[str]:
    if not history:
        return
    yield from _section(state, count_text(len(history), "step") + " of history")
    for text in history[-_STEPS:]:
        yield plain(text)
    if len(history) > _STEPS:
        yield f"and {len(history) - _STEPS} before these: --provenance shows all"


def _section(state: State, text: str) -> Iterator[str]:
    yield ""
    yield click.style(text, bold=True) if state.colour else text


def _facts(ref: Ref) -> Iterator[tuple[str, str]]:
    file = file_facts(ref)
    yield "name", plain(full_name(ref))
    yield "is", title(ref)
    yield "urn", ref.urn
    yield "versions", _versions(ref)
    yield "tags", plain(", ".join(ref.tags)) or "-"
    total = f", {size_text(ref.total_size)} with all below" if ref.total_size != ref.size else ""
    yield "size", size_text(ref.size) + total
    if file.format:
        yield "file", file.format + (f", in {file.wrapper}" if file.wrapper else "")
    if file.class_name:
        yield "class", shown(file.class_name)
    if file.reason:
        yield "reason", f"kept as plain bytes: {shown(file.reason)}"
    if not ref.complete:
        yield "read", "headers only; `skypool complete` reads the rest"
    for path in ref.in_place:
        yield "data in", plain(path)
    for place in ref.dropped:
        yield "dropped", shown(f"it is in the {place}")
    source = ref.origin.get("url") or ref.origin.get("path")
    if source:
        member = ref.origin.get("member")
        yield "from", plain(f"{source}, {member}" if member else source)


def _versions(ref: Ref) -> str:
    found = list(ref.versions)
    kept = " ".join(str(version.version) for version in found if not version.purged)
    gone = " ".join(str(version.version) for version in found if version.purged)
    return kept + (f", given up: {gone}" if gone else "")


def _ref_row(role: str, child: Any) -> list[str]:
    if is_external(child):
        return [role, child.text, "not in the pool"]
    return [role, full_name(child), title(child)]


def _dataset_rows(datasets: Mapping[str, Any], indent: str) -> Iterator[list[str]]:
    for name, dataset in datasets.items():
        form = _form(dataset)
        label = indent + name
        text = dataset.description or ""
        if form == "array":
            yield [
                label,
                form,
                _shape(dataset.shape),
                _dtype(dataset.dtype),
                dataset.unit_text,
                text,
            ]
        elif form == "table":
            rows = count_text(len(dataset), "row")
            yield [label, form, rows, "", "", text]
            for column_name in dataset.colnames:
                column = dataset[column_name]
                yield [
                    f"{indent}  {column_name}",
                    "column",
                    _shape(column.shape[1:]),
                    _dtype(column.dtype),
                    _unit(column),
                    column.description or "",
                ]
        else:
            yield [label, form, count_text(len(dataset), "dataset"), "", "", text]
            yield from _dataset_rows(dataset, indent + "  ")


def _dtype(dtype: Any) -> str:
    return f"text, {dtype.itemsize // 4}" if dtype.kind == "U" else str(dtype)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape)
