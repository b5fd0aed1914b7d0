"""How pools and what they give out are shown in notebooks.

Rows of the catalogue are read, as many as are shown, and no chunk; only columns that a search
asked for may need the documents of the hits that are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skypool.catalogue.glances import (
    count_products,
    first_folders,
    first_names,
    first_refs,
    first_tags,
    newest,
)
from skypool.model.display import Row, dataset_keys
from skypool.model.html import MOST_NODES, Page, clipped, shares, size_text
from skypool.pool.history import Commit

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.pool.diff import Diff
    from skypool.pool.opened import Opened
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits
    from skypool.pool.view import View

__all__ = [
    "commit_text",
    "diff_html",
    "history_html",
    "hits_html",
    "pool_html",
    "pool_keys",
    "ref_html",
    "ref_keys",
    "version_text",
    "versions_html",
]

_HITS = 10
_COMMITS = 5
_TAGS = 12
_NAMES_COMPLETED = 500
_FEW = 10
_TAGS_COMPLETED = 200
# Of what a search did not ask for.
_USUAL = ("object", "instrument", "start")
_MOST_COLUMNS = 7


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}"


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def commit_text(commit: Commit) -> str:
    """Return who changed what when, on one line."""
    changes = ", ".join(
        f"{number:,} {what.removesuffix('s') if number == 1 else what}"
        for what, number in commit.changes.items()
        if number
    )
    parts = [_time(commit.time), clipped(commit.author, 40)]
    parts += [clipped(commit.message, 100)] if commit.message else []
    return f"{'  '.join(parts)}  ({changes})" if changes else "  ".join(parts)


def version_text(ref: Ref) -> str:
    """Return what one version is, on one line."""
    parts = [f"{ref.version}", _time(ref.saved), size_text(ref.size)]
    tags = ref.tags
    if tags:
        parts.append(f"[{clipped(', '.join(tags), 100)}]")
    if ref.purged:
        parts.append("given up")
    return "  ".join(parts)


# -- pools


def pool_html(pool: Opened) -> str:
    """Return a pool as HTML: how much is in it, its newest commits, some tags."""
    if not pool.exists:
        page = Page(f"Pool {pool.name}", pool.path, "empty: the first save creates it")
        return page.html()
    view = pool.view
    database, at = view.session.catalogue.database, view.at
    facts = [_plural(count_products(database, at), "product"), _plural(at, "commit")]
    if view.pinned is not None:
        facts.append(f"as of commit {at}")
    page = Page(f"Pool {pool.name}", *facts, pool.path)
    commits = [Commit.of(row) for row in newest(database, at, _COMMITS)]
    rows = ((str(commit.number), commit_text(commit), "") for commit in commits)
    page.entries("Newest commits", rows, at, "pool.history()", _COMMITS)
    tags = first_tags(database, at, _TAGS + 1)
    if tags:
        more = ", ... (pool.tags has all)" if len(tags) > _TAGS else ""
        page.note("tags: " + ", ".join(clipped(tag, 40) for tag in tags[:_TAGS]) + more)
    return page.html()


def pool_keys(pool: Opened) -> list[str]:
    """Return what may stand in `pool["..."]`, for the tab key: names and tags.

    Of a pool with many products the names of the uppermost levels.
    """
    if not pool.exists:
        return []
    view = pool.view
    database, at = view.session.catalogue.database, view.at
    names = first_names(database, at, _NAMES_COMPLETED + 1)
    if len(names) > _NAMES_COMPLETED:
        names = _uppermost(database, at)
    return names + first_tags(database, at, _TAGS_COMPLETED)


def _uppermost(database: Database, at: int) -> list[str]:
    """Return the names of the uppermost levels: as many levels as there is room for."""
    level = found = first_folders(database, at, _NAMES_COMPLETED)
    while level and len(found) < _NAMES_COMPLETED:
        deeper: list[str] = []
        for folder in level:
            room = _NAMES_COMPLETED - len(found) - len(deeper) + 1
            deeper += first_folders(database, at, room, folder)
            if len(found) + len(deeper) > _NAMES_COMPLETED:
                break
        # The first names of a level say little, but more than a few folders.
        fits = len(found) + len(deeper) <= _NAMES_COMPLETED
        if fits or len(found) < _FEW:
            found = (found + deeper)[:_NAMES_COMPLETED]
        level = deeper if fits else []
    return sorted(found)


# -- results


def hits_html(hits: Hits) -> str:
    """Return hits as HTML: the number, and a table of the first ones."""
    from skypool.pool.results.tables import tags_of

    shown = hits[:_HITS]
    refs = list(shown)
    columns: dict[str, list[Any]] = {
        "name": [f"{ref.name}@{ref.version}" for ref in refs],
        "kind": [ref.kind for ref in refs],
        "type": [ref.type if ref.type != "Unknown" else "" for ref in refs],
    }
    asked = _asked(shown) if hits.columns else _attributes(refs)
    columns |= {key: values for key, values in asked.items() if key not in columns}
    columns["tags"] = [", ".join(tags) for tags in tags_of(shown)]
    filled = {key: values for key, values in columns.items() if any(map(_is_told, values))}
    page = Page(f"Hits: {_plural(len(hits), 'product')}", *_warnings(hits))
    if refs:
        named = list(filled)[:_MOST_COLUMNS]
        rows = zip(*([_cell(value) for value in filled[key]] for key in named), strict=True)
        left = len(filled) - len(named)
        hint = "hits.to_table() has all" + (f", and {left} more columns" if left else "")
        page.table(named, rows, len(hits), hint)
    return page.html()


def _warnings(hits: Hits) -> Iterator[str]:
    if hits.cancelled:
        yield "the search was stopped before its end"
    if hits.errors:
        yield f"the function failed for {len(hits.errors)}; see .errors"
    if len(hits.snapshots) > 1:
        yield f"of {len(hits.snapshots)} pools"


def _asked(hits: Hits) -> dict[str, list[Any]]:
    from skypool.pool.results.ordering import by_key

    return {key: by_key(hits, key).listed() for key in hits.columns[:_MOST_COLUMNS]}


def _attributes(refs: Sequence[Ref]) -> dict[str, list[Any]]:
    found = [ref.attributes for ref in refs]
    return {key: [meta[key].value if key in meta else None for meta in found] for key in _USUAL}


def _is_told(value: Any) -> bool:
    return value is not None and value != ""


def _cell(value: Any) -> str:
    if isinstance(getattr(value, "value", value), datetime):
        return _time(getattr(value, "value", value))
    return str(value) if _is_told(value) else ""


# -- versions


def ref_html(ref: Ref) -> str:
    """Return a saved version as HTML: what the catalogue knows of it; it is not loaded."""
    sizes = size_text(ref.size)
    if ref.total_size != ref.size:
        sizes += f", {size_text(ref.total_size)} with all below"
    page = Page(f"{ref.name or ref.urn}@{ref.version}", ref.kind, ref.type, sizes)
    commit = ref.view.identity.commit(ref.commit)
    saved = f"saved {_time(Commit.of(commit).time)} by {commit.author}" if commit else ""
    notes = [ref.urn, saved, commit.message if commit else ""]
    if ref.tags:
        notes.append(f"tags: {', '.join(ref.tags[:_TAGS])}")
    if ref.purged:
        notes.append("its content was given up")
    page.note(" · ".join(clipped(note, 90) for note in notes if note))
    attributes = ref.attributes
    database = ref.view.session.catalogue.database
    refs, count = first_refs(database, ref.number, MOST_NODES)
    most = shares([len(attributes), count], page.room - 4)
    rows = ((name, _cell(attributes[name]), "") for name in attributes)
    page.entries("Attributes", rows, len(attributes), "ref.attributes", most[0])
    rows = ((row.role, _target(ref.view, row), "") for row in refs)
    page.entries("References", rows, count, "ref.refs", most[1])
    page.note("ref.meta: all metadata; ref.product: the product, its data read when asked for")
    return page.html()


def ref_keys(ref: Ref) -> list[str]:
    """Return what may stand in `ref["..."]`, for the tab key: roles of a context, or datasets."""
    if ref.is_context:
        database = ref.view.session.catalogue.database
        found = [row.role for row in first_refs(database, ref.number, _NAMES_COMPLETED)[0]]
        if found:
            return found
    return dataset_keys(ref.product.datasets)


def _target(view: View, row: Any) -> str:
    if row.child is None:
        return f"{row.external}, not in this pool"
    child = view.number(row.child)
    return f"{child.name}@{child.version}, {child.kind}"


def versions_html(versions: Sequence[Ref]) -> str:
    """Return the versions of a product as HTML, the newest first."""
    name = versions[-1].name if versions else ""
    page = Page(f"Versions: {len(versions)}", name)
    rows = ((f"@{ref.version}", version_text(ref).partition("  ")[2], "") for ref in versions[::-1])
    page.entries("Newest first", rows, len(versions), "index the list for the others")
    return page.html()


def history_html(commits: Sequence[Commit]) -> str:
    """Return commits as HTML."""
    page = Page(f"History: {_plural(len(commits), 'commit')}")
    rows = ((str(commit.number), commit_text(commit), "") for commit in commits)
    page.entries("Newest first", rows, len(commits), "slice the list for the others")
    return page.html()


def diff_html(diff: Diff) -> str:
    """Return what differs between two versions as HTML."""
    from skypool.pool.diff import in_words

    titles = [f"{ref.name}@{ref.version}" for ref in (diff.a, diff.b)]
    page = Page(f"Diff {titles[0]} → {titles[1]}", "" if diff else "equal")
    if diff.kind:
        page.note(f"kind: {diff.kind[0]} → {diff.kind[1]}")
    if diff.same_bytes is False and not (diff.meta or diff.datasets or diff.refs or diff.kind):
        page.note("the files differ in bytes, their content does not")
    wanted = [len(diff.datasets), len(diff.refs), len(diff.meta)]
    most = shares(wanted, page.room - 2 * sum(map(bool, wanted)))
    rows: Iterator[Row] = ((d.name, in_words(d) or d.kind, d.kind) for d in diff.datasets)
    page.entries("Datasets", rows, wanted[0], "diff.datasets", most[0])
    rows = ((r.role, f"{_end(r.before)} → {_end(r.after)}", r.kind) for r in diff.refs)
    page.entries("References", rows, wanted[1], "diff.refs", most[1])
    rows = ((m.key, f"{_value(m.before)} → {_value(m.after)}", m.kind) for m in diff.meta)
    page.entries("Metadata", rows, wanted[2], "diff.meta", most[2])
    return page.html()


def _value(parameter: Any) -> str:
    return "-" if parameter is None else clipped(parameter, 70)


def _end(ref: Any) -> str:
    if ref is None:
        return "-"
    name = getattr(ref, "name", None)
    return f"{name}@{ref.version}" if name is not None else str(ref.urn)
