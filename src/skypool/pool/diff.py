"""What differs between two versions: metadata, datasets, references.

Tiles and column blocks with the same name hold the same bytes and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.model.arrays import Array
from skypool.model.composite import Composite, Datasets
from skypool.model.metadata import MetaData
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    import numpy as np

__all__ = ["DatasetChange", "Diff", "MetaChange", "RefChange", "compare", "in_words"]

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class MetaChange:
    """A parameter that differs.

    Attributes
    ----------
    kind : str
        `added`, `removed` or `changed`.
    key : str
        Its name; `dataset: name` for that of a dataset.
    before, after : Parameter or None
    dataset : str
        The dataset that it is of; empty for the product itself.
    """

    kind: str
    key: str
    before: Any
    after: Any
    dataset: str = ""

    @property
    def name(self) -> str:
        """Its name without the dataset."""
        return self.key[len(self.dataset) + 2 :] if self.dataset else self.key


@dataclass(frozen=True, slots=True)
class DatasetChange:
    """A dataset that differs.

    Attributes
    ----------
    kind : str
        `added`, `removed` or `changed`.
    name : str
        Its name; those in composites with a slash.
    what : str
        More in words: other shape, unit, columns.
    count : int
        Changed pixels or rows, those of the part that both have.
    unit : str
        `pixels` or `rows`.
    box : tuple of (start, stop) or None
        Smallest box that holds them, slowest axis first.
    largest : float or None
        The largest difference of two numbers, of arrays; None where there are none to compare.
    """

    kind: str
    name: str
    what: str = ""
    count: int = 0
    unit: str = ""
    box: tuple[tuple[int, int], ...] | None = None
    largest: float | None = None


@dataclass(frozen=True, slots=True)
class RefChange:
    """A reference that differs.

    Attributes
    ----------
    kind : str
        `added`, `removed` or `changed`.
    role : str
    before, after : Ref or None
    """

    kind: str
    role: str
    before: Any
    after: Any


@dataclass(slots=True)
class Diff:
    """What differs between two versions.

    Attributes
    ----------
    a, b : Ref
        The versions.
    same_bytes : bool or None
        Whether the files are the same; None where there are none.
    meta, datasets, refs : list
        The changes from *a* to *b*.
    kind : (str, str) or None
        The kinds, where they differ.
    """

    a: Ref
    b: Ref
    same_bytes: bool | None = None
    kind: tuple[str, str] | None = None
    meta: list[MetaChange] = field(default_factory=list)
    datasets: list[DatasetChange] = field(default_factory=list)
    refs: list[RefChange] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.meta or self.datasets or self.refs or self.kind or self.same_bytes is False
        )

    def __repr__(self) -> str:
        if not self:
            return (
                f"<Diff: {self.a.name}@{self.a.version} and {self.b.name}@{self.b.version} equal>"
            )
        lines = [f"<Diff {_title(self.a)} -> {_title(self.b)}>"]
        if self.kind:
            lines.append(f"  kind: {self.kind[0]} -> {self.kind[1]}")
        lines += [
            f"  {m.kind} {m.key}: {_shown(m.before)} -> {_shown(m.after)}"
            for m in self.meta[:_SHOWN]
        ]
        lines += [f"  {d.kind} {d.name}: {in_words(d)}" for d in self.datasets[:_SHOWN]]
        lines += [f"  {r.kind} reference {r.role}" for r in self.refs[:_SHOWN]]
        lists: dict[str, list[Any]] = {
            "meta": self.meta,
            "datasets": self.datasets,
            "refs": self.refs,
        }
        lines += [
            f"  ... and {len(changes) - _SHOWN} more in .{name}"
            for name, changes in lists.items()
            if len(changes) > _SHOWN
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from skypool.pool.display import diff_html

        return diff_html(self)


def _title(ref: Ref) -> str:
    return f"{ref.name}@{ref.version}"


def _shown(parameter: Any) -> str:
    return "-" if parameter is None else str(parameter)


def in_words(change: DatasetChange) -> str:
    """Return what changed in a dataset."""
    parts = [change.what] if change.what else []
    if change.count:
        parts.append(f"{change.count} {change.unit}")
    if change.box:
        parts.append("in [" + ", ".join(f"{a}:{b}" for a, b in change.box) + "]")
    return ", ".join(parts)


def compare(a: Ref, b: Ref) -> Diff:
    """Return what differs between two versions, of one pool or of two.

    References into two pools are the same where they lead to the same content, all the way down.
    """
    diff = Diff(a, b)
    if a.row.document == b.row.document and not any(_refs(a.refs, b.refs)):
        diff.same_bytes = None if a.file_hash is None else True
        return diff
    if a.kind != b.kind:
        diff.kind = (a.kind, b.kind)
    if a.file_hash is not None and b.file_hash is not None:
        diff.same_bytes = a.file_hash == b.file_hash
    first, second = a.product, b.product
    diff.meta.extend(_meta(first.meta, second.meta, ""))
    told = {(change.key, change.before, change.after) for change in diff.meta}
    _datasets(first.datasets, second.datasets, "", diff)
    # A primary header is the product's and its image's: its changes are told once.
    diff.meta = [change for change in diff.meta if not _is_told(change, told)]
    diff.refs.extend(_refs(first.refs, second.refs))
    return diff


def _is_told(change: MetaChange, told: set[tuple[str, Any, Any]]) -> bool:
    return bool(change.dataset) and (change.name, change.before, change.after) in told


def _kind(before: object, after: object) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


def _meta(a: MetaData, b: MetaData, where: str) -> Iterator[MetaChange]:
    for key in [*a, *(key for key in b if key not in set(a))]:
        before = a[key] if key in set(a) else None
        after = b[key] if key in set(b) else None
        if before != after:
            name = f"{where}: {key}" if where else key
            yield MetaChange(_kind(before, after), name, before, after, where)


def _refs(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[RefChange]:
    seen: dict[tuple[int, int], bool] = {}
    for role in [*a, *(role for role in b if role not in set(a))]:
        before = a[role] if role in set(a) else None
        after = b[role] if role in set(b) else None
        if not _same_target(before, after, seen):
            yield RefChange(_kind(before, after), role, before, after)


def _same_target(a: Any, b: Any, seen: dict[tuple[int, int], bool]) -> bool:
    """Tell whether references lead to the same; into two pools, by what is there."""
    if a == b:
        return True
    if not (isinstance(a, Ref) and isinstance(b, Ref)):
        return False
    if a.view.session.folder.key == b.view.session.folder.key or a.hash != b.hash:
        return False
    found = seen.get((a.number, b.number))
    if found is None:
        first, second = a.refs, b.refs
        found = list(first) == list(second) and all(
            _same_target(first[role], second[role], seen) for role in first
        )
        seen[a.number, b.number] = found
    return found


def _datasets(a: Datasets, b: Datasets, where: str, diff: Diff) -> None:
    old, new = dict(a.items()), dict(b.items())
    for name in [*old, *(name for name in new if name not in old)]:
        full = f"{where}{name}"
        if name not in new or name not in old:
            diff.datasets.append(DatasetChange("added" if name in new else "removed", full))
            continue
        first, second = old[name], new[name]
        diff.meta.extend(_meta(first.meta, second.meta, full))
        if isinstance(first, Composite) and isinstance(second, Composite):
            _datasets(first, second, f"{full}/", diff)
            continue
        change = _values(full, first, second)
        if change is not None:
            diff.datasets.append(change)


def _values(name: str, a: Any, b: Any) -> DatasetChange | None:
    if isinstance(a, Array) and isinstance(b, Array):
        return _arrays(name, a, b)
    if hasattr(a, "colnames") and hasattr(b, "colnames"):
        return _tables(name, a, b)
    return DatasetChange("changed", name, f"was {_sort(a)}, is {_sort(b)}")


def _sort(dataset: Any) -> str:
    if isinstance(dataset, Composite):
        return "a composite"
    return "an array" if isinstance(dataset, Array) else "a table"


# -- arrays


def _arrays(name: str, a: Array, b: Array) -> DatasetChange | None:
    import numpy as np

    words = []
    if a.unit_text != b.unit_text:
        words.append(f"unit {a.unit_text or 'none'} -> {b.unit_text or 'none'}")
    if a.dtype != b.dtype:
        words.append(f"type {a.dtype.name} -> {b.dtype.name}")
    if a.wcs_header != b.wcs_header:
        words.append("world coordinates")
    if a.shape != b.shape:
        words.append(f"shape {_shape(a)} -> {_shape(b)}")
        return DatasetChange("changed", name, ", ".join(words))
    count, low, high = 0, None, None
    largest: float | None = None
    for place in _changed_tiles(a, b):
        old, new = np.asarray(a[place]), np.asarray(b[place])
        different = _different(old, new)
        found = np.nonzero(different)
        if not found[0].size and different.ndim:
            continue
        count += int(np.count_nonzero(different))
        largest = _larger(largest, _largest(old[different], new[different]))
        first = [int(axis.min()) + s.start for axis, s in zip(found, place, strict=True)]
        last = [int(axis.max()) + s.start + 1 for axis, s in zip(found, place, strict=True)]
        low = first if low is None else [min(x) for x in zip(low, first, strict=True)]
        high = last if high is None else [max(x) for x in zip(high, last, strict=True)]
    if not count and not words:
        return None
    box = None if low is None or high is None else tuple(zip(low, high, strict=True))
    return DatasetChange("changed", name, ", ".join(words), count, "pixels", box, largest)


def _larger(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


def _largest(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float | None:
    """Return the largest finite difference of two runs of values."""
    import numpy as np

    if a.dtype.kind not in "biufc" or b.dtype.kind not in "biufc":
        return None
    wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.abs(a.astype(wide) - b.astype(wide))
    finite = found[np.isfinite(found)]
    return float(finite.max()) if finite.size else None


def _shape(array: Array) -> str:
    return " x ".join(str(n) for n in array.shape)


def _different(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return where values differ; NaN equals NaN."""
    import numpy as np

    a, b = np.asarray(a), np.asarray(b)
    different = a != b
    if a.dtype.kind in "fc" and b.dtype.kind in "fc":
        different &= ~(np.isnan(a) & np.isnan(b))
    found: np.ndarray[Any, Any] = np.asarray(different)
    return found


def _changed_tiles(a: Array, b: Array) -> Iterator[tuple[slice, ...]]:
    """Return the places of tiles that may differ."""
    from skypool.codec.stored import StoredArray
    from skypool.model.reductions import tiles

    places = tiles(a.shape, a.tile)
    first, second = a.source, b.source
    if (
        not isinstance(first, StoredArray)
        or not isinstance(second, StoredArray)
        or not first.same_layout(second)
    ):
        yield from places
        return
    names = zip(first.tile_names(), second.tile_names(), strict=True)
    for place, (x, y) in zip(places, names, strict=True):
        if x != y:
            yield place


# -- tables


def changed_rows(a: Any, b: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return for each column of both tables in which of the rows of both it differs."""
    rows = min(len(a), len(b))
    common = [column for column in a.colnames if column in b.colnames]
    return {column: _changed_rows(a, b, column, rows) for column in common}


def _tables(name: str, a: Any, b: Any) -> DatasetChange | None:
    import numpy as np

    old, new = list(a.colnames), list(b.colnames)
    words = [f"column {c} removed" for c in old if c not in new]
    words += [f"column {c} added" for c in new if c not in old]
    rows = min(len(a), len(b))
    if len(a) != len(b):
        more = len(b) - len(a)
        words.append(f"{abs(more)} rows {'added' if more > 0 else 'removed'}")
    changed = np.zeros(rows, bool)
    for column, found in changed_rows(a, b).items():
        if found.any():
            words.append(f"column {column}")
            changed |= found
    count = int(np.count_nonzero(changed))
    if not count and not words:
        return None
    places = np.nonzero(changed)[0]
    box = ((int(places[0]), int(places[-1]) + 1),) if count else None
    return DatasetChange("changed", name, ", ".join(words), count, "rows", box)


def _changed_rows(a: Any, b: Any, column: str, rows: int) -> np.ndarray[Any, Any]:
    import numpy as np

    found = np.zeros(rows, bool)
    step = max(1, min(a.source.block_rows, b.source.block_rows))
    for start in range(0, rows, step):
        stop = min(rows, start + step)
        x = a.source.read(column, start, stop)
        y = b.source.read(column, start, stop)
        if x.dtype == object or y.dtype == object:
            found[start:stop] = [not np.array_equal(p, q) for p, q in zip(x, y, strict=True)]
        elif x.shape != y.shape:
            found[start:stop] = True
        else:
            different = _different(x, y)
            found[start:stop] = different.reshape(stop - start, -1).any(axis=1)
    return found
