"""Targets that are no programs: a pool, a FITS file, a text file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from skypool.errors import Conflict, SkypoolError, UsageError
from skypool.model.arrays import Array
from skypool.vo.payload import Part, as_table, choose, is_format, parts, write_part
from skypool.vo.targets import Reply, Target

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = ["LOCAL_KINDS", "local_targets", "send_local"]

LOCAL_KINDS = ("pool", "file", "text")
_ALL = ("image", "cube", "table", "spectrum")
_ANYTHING = (*_ALL, "context")


def local_targets(settings: Settings) -> list[Target]:
    """Return the pools that have names, and the two kinds of files."""
    from skypool.pool.named import list_pools

    pools = [
        Target(f"pool:{entry.name}", entry.name, "pool", _ANYTHING)
        for entry in list_pools(settings)
    ]
    return [
        *pools,
        Target("file:", "FITS file", "file", _ALL),
        Target("text:", "Text file", "text", _ALL),
    ]


def send_local(
    refs: list[Ref], target: str, settings: Settings, dataset: str | None, *, force: bool
) -> Iterator[Reply]:
    """Send products into a pool or a file; one reply for each.

    Parameters
    ----------
    refs
        The products.
    target
        `pool:<name, path or URL>`, `file:<path>`, `text:<path>`.
    settings
        Where pools are.
    dataset
        The dataset for a file; by default all of the product.
    force
        Whether a file that is there is replaced.
    """
    kind, _, where = target.partition(":")
    if not where:
        raise UsageError(f"{target!r} does not say where to", hint=f"write {kind}:PLACE")
    if kind == "pool":
        yield from _to_pool(refs, where, settings)
        return
    for ref in refs:
        path = _file_path(ref, where, many=len(refs) > 1, end=".fits" if kind == "file" else ".txt")
        try:
            if os.path.lexists(path) and not force:
                raise Conflict(f"there is a file {path} already")
            if kind == "file":
                _write_fits(ref, path, dataset)
            else:
                _write_text(ref, path, dataset)
        except SkypoolError as error:
            yield _reply(ref, target, path, "refused", error.message)
        else:
            yield _reply(ref, target, path, "arrived", "", path=path)


def _reply(
    ref: Ref, target: str, name: str, state: str, detail: str, *, path: str | None = None
) -> Reply:
    url = "" if path is None else "file://" + os.path.abspath(path)
    return Reply(f"{ref.name}@{ref.version}", ref.urn, target, name, state, detail, url=url)


def _to_pool(refs: list[Ref], where: str, settings: Settings) -> Iterator[Reply]:
    from skypool.pool.pool import Pool

    with Pool(where, settings=settings) as pool:
        for ref in refs:
            try:
                saved = _there(pool, ref) or pool.save(
                    ref.product, name=ref.name, message=f"sent from {ref.urn.split(':')[1]}"
                )
            except SkypoolError as error:
                yield _reply(ref, f"pool:{where}", where, "refused", error.message)
            else:
                yield _reply(ref, f"pool:{where}", where, "arrived", f"it is {saved.urn}")


def _there(pool: Pool, ref: Ref) -> Ref | None:
    """Return the version that a pool has already, if it is the same."""
    found: Ref | None = pool.get(f"name:{ref.name}")
    same = found is not None and found.hash == ref.hash and not ref.is_context
    return found if same else None


def _file_path(ref: Ref, where: str, *, many: bool, end: str) -> str:
    """Return the path of a product's file: as given, or below a folder."""
    if not many and not where.endswith(os.sep) and not os.path.isdir(where):
        return where
    os.makedirs(where, exist_ok=True)
    base = ref.name.rsplit("/", 1)[-1]
    stem = base.removesuffix(".gz").removesuffix(".fits")
    return os.path.join(
        where, base if end == ".fits" and is_format(ref, "fits") else f"{stem}{end}"
    )


def _write_fits(ref: Ref, path: str, dataset: str | None) -> None:
    from skypool.pool.exporting import write_file, write_whole

    if dataset is not None:
        part = choose(parts(ref), _ALL, dataset)
        assert part is not None
        _whole(path, lambda temporary: write_part(ref, part, temporary))
    elif is_format(ref, "fits"):
        write_file(ref, path)
    else:
        from skypool.formats.fits.writer import write_product

        product = ref.product
        if not product.datasets and ref.kind == "File":
            raise UsageError(f"{ref.name} is a file that skypool does not read: export it instead")
        write_whole(path, lambda out: write_product(product, out) > 0)


def _whole(path: str, write: Any) -> None:
    """Write a file that appears under its name when it is complete."""
    import uuid

    from skypool.pool.exporting import write_whole

    temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        write(temporary)

        def fill(out: Any) -> bool:
            with open(temporary, "rb") as made:
                while block := made.read(1 << 20):
                    out.write(block)
            return True

        write_whole(path, fill)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _write_text(ref: Ref, path: str, dataset: str | None) -> None:
    from skypool.pool.exporting import write_whole

    text = as_text(ref, dataset, os.path.splitext(path)[1].lower())
    write_whole(path, lambda out: bool(out.write(text.encode())))


def as_text(ref: Ref, dataset: str | None, end: str = ".txt") -> str:
    """Return a product as text: its metadata, and its table with names and units of columns.

    Parameters
    ----------
    ref
        The product.
    dataset
        The table; by default the first, if there is one.
    end
        `.csv` and `.ecsv` give these formats, without the metadata of the product; anything
        else lines with tabs.
    """
    part = choose(parts(ref), ("table", "spectrum") if dataset is None else _ALL, dataset)
    if part is not None and isinstance(part.dataset, Array) and part.what != "spectrum":
        raise UsageError(f"{part.path} of {ref.name} is an image, which is no text")
    if end in (".csv", ".ecsv"):
        if part is None:
            raise UsageError(f"there is no table in {ref.name}")
        out = io.StringIO()
        as_table(part).write(out, format="ascii" + end)
        return out.getvalue()
    lines = [f"# {ref.name}@{ref.version}  {ref.urn}  {ref.kind}"]
    for name, parameter in ref.meta.items():
        unit = f" {parameter.unit}" if parameter.unit else ""
        about = f"  ({_line(parameter.description)})" if parameter.description else ""
        lines.append(f"# {name} = {_line(parameter.value)}{unit}{about}")
    lines += [f"# dataset {p.path}: {p.what}, {p.dataset!r}" for p in parts(ref)]
    if part is not None:
        lines += _columns(part)
    return "\n".join(lines) + "\n"


def _columns(part: Part) -> list[str]:
    table = as_table(part)
    units = [str(column.unit) if column.unit is not None else "" for column in table.itercols()]
    lines = [f"# table {part.path}, {len(table)} rows", "\t".join(map(_line, table.colnames))]
    if any(units):
        lines.append("# units: " + "\t".join(units))
    # Values as Python writes them come back as the same numbers.
    columns = [
        ["" if value is None else _line(value) for value in column.tolist()]
        for column in table.itercols()
    ]
    return lines + ["\t".join(row) for row in zip(*columns, strict=True)]


def _line(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return " ".join(text.split())
