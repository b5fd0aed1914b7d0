"""What a version is: names, sizes, datasets, summary, as the API tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.commit_changes import names_of
from skypool.codec.digest import digest
from skypool.codec.documents import dumps
from skypool.errors import MissingName, NotFound
from skypool.model.composite import Composite
from skypool.model.metadata import MetaData
from skypool.model.references import ExternalRef
from skypool.pool.reaching import datasets_of
from skypool.server.data_sources import quick_of
from skypool.server.echo import show_code

if TYPE_CHECKING:
    from skypool.model.composite import Dataset
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref

__all__ = ["brief", "dataset_of", "described", "each_dataset", "meta_entries", "walk"]

# What HIPE's viewer of observations shows, and the core attribute that stands in for it.
SUMMARY: Final = (
    ("Obs. ID", ("obsid",), "obsid"),
    ("Obs. date", ("startDate",), "start"),
    ("Object", ("object",), "object"),
    ("AOT", ("aot",), ""),
    ("Obs. mode", ("obsMode",), "obs_mode"),
    ("Operational day", ("odNumber",), ""),
    ("Instrument", ("instrument",), "instrument"),
    ("Telescope", ("telescope",), "telescope"),
    ("Band", ("band", "filter"), "band"),
    ("Exposure", ("exposure", "EXPTIME"), "exposure"),
    ("RA nominal", ("raNominal", "ra"), "ra"),
    ("Dec nominal", ("decNominal", "dec"), "dec"),
    ("AOR label", ("aorLabel",), ""),
    ("Proposal", ("proposal",), "proposal"),
    ("SPG version", ("spgVersion", "creator"), ""),
)
_UNKNOWN: Final = (None, "", "Unknown")


def label_of(ref: Ref, label: str) -> str:
    """Return the name of a version in the API: the pool's label and its number."""
    return f"{label}/{ref.number}"


def brief(ref: Ref | ExternalRef, label: str) -> dict[str, Any]:
    """Return what lists of products show of one; of one that is not in the pool, its text."""
    if isinstance(ref, ExternalRef):
        return {
            "ref": None, "external": ref.text, "name": ref.text, "kind": "", "type": "",
            "version": None, "description": "not in this pool", "context": False, "datasets": 0,
            "children": 0, "size": 0, "total_size": 0, "hash": "",
        }  # fmt: skip
    document: Mapping[str, Any] = {} if ref.purged else ref.document
    return {
        "ref": label_of(ref, label),
        "name": ref.name,
        "kind": ref.kind,
        "type": ref.type,
        "version": ref.version,
        "versions": len(ref.versions),
        "latest": ref.latest.number == ref.number,
        "description": _text(document, "description"),
        "tags": list(ref.tags),
        "context": ref.is_context,
        "datasets": len(document.get("datasets", ())),
        "children": len(ref.refs),
        "size": ref.size,
        "total_size": ref.total_size,
        "hash": ref.hash,
        "purged": ref.purged,
    }


def _text(document: Mapping[str, Any], name: str) -> str:
    for entry in document.get("meta", ()):
        if entry[0] == name and entry[1] != "Unknown":
            return str(entry[1])
    return ""


def described(pool: Pool, ref: Ref, label: str) -> dict[str, Any]:
    """Return all that the API tells of a version."""
    commit = ref.view.identity.commit(ref.commit)
    product = ref.product
    meta, attributes = product.meta, ref.attributes
    found = brief(ref, label) | {
        "urn": ref.urn,
        "file_hash": ref.file_hash,
        "saved": ref.saved,
        "author": commit.author if commit else "",
        "message": commit.message if commit else "",
        "commit": ref.commit,
        "removed": ref.row.name is None,
        "attributes": {key: each.value for key, each in attributes.items()},
        "summary": summary(meta, attributes),
        "datasets": _datasets(ref, product.datasets),
        "references": len(product.refs),
        "names": names_of(ref.view.session.catalogue.database, ref.track),
        "file": _file(ref),
        "origin": ref.origin,
        "reason": ref.reason,
        "code": show_code(pool, ref, label),
    }
    if "ra" in attributes and "dec" in attributes:
        found["position"] = {
            "ra": attributes["ra"].value,
            "dec": attributes["dec"].value,
        }
    hdus = (ref.document.get("file") or {}).get("hdus")
    if hdus is not None:
        found["hdus"] = [
            {"index": index, "type": hdu["type"], "class": hdu.get("class", "")}
            for index, hdu in enumerate(hdus)
        ]
    return found


def summary(meta: MetaData, attributes: MetaData) -> list[dict[str, Any]]:
    """Return what HIPE's viewer of observations shows: label, key, value, unit of what is known."""
    rows = []
    for label, keys, attribute in SUMMARY:
        for key, source in [*((key, meta) for key in keys), (attribute, attributes)]:
            item = source.get(key) if key else None
            if item is not None and item.value not in _UNKNOWN:
                rows.append({"label": label, "key": key, "value": item.value, "unit": item.unit})
                break
    return rows


def _file(ref: Ref) -> dict[str, Any] | None:
    """Return what is known of the file that the product is; None for one made in memory."""
    document = ref.document
    file = document.get("file")
    if file is None:
        return {"format": "folder", "files": len(document["tree"])} if "tree" in document else None
    wrapper = file.get("wrapper") or {}
    return {
        "format": file.get("format", ""),
        "wrapper": wrapper.get("is", ""),
        "size": wrapper.get("size", file["size"]),
        "notes": list(file.get("notes", ())),
    }


# -- datasets


def walk(datasets: Mapping[str, Dataset], above: str = "") -> Iterator[tuple[str, Dataset]]:
    """Return the path of every dataset with it, those within composites behind these."""
    for name, dataset in datasets.items():
        path = f"{above}{name}"
        yield path, dataset
        if isinstance(dataset, Composite):
            yield from walk(dataset, f"{path}/")


def each_dataset(ref: Ref) -> Iterator[tuple[str, Dataset]]:
    """Return the path of every dataset of a version with it."""
    return walk(ref.product.datasets)


def dataset_of(ref: Ref, path: str) -> Dataset:
    """Return a dataset by its path.

    Raises
    ------
    NotFound
        If there is none; the paths that there are are suggested.
    """
    try:
        return ref.product.datasets[path]
    except MissingName as error:
        paths = [found for found, _ in each_dataset(ref)]
        raise NotFound(
            f"{ref.name}@{ref.version} has no dataset {path!r}",
            candidates=error.candidates or paths[:20],
        ) from None


def _datasets(ref: Ref, datasets: Mapping[str, Dataset]) -> list[dict[str, Any]]:
    hashes = {path: digest(dumps(parts)).hex() for path, parts in datasets_of(ref.document)}
    return [
        {"path": path, "hash": hashes.get(path, ""), **_dataset(dataset)}
        for path, dataset in walk(datasets)
    ]


def _dataset(dataset: Dataset) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "description": dataset.description or "",
        "quick": quick_of(dataset),
        "parameters": len(dataset.meta),
        "shape": None, "dtype": None, "unit": None, "rows": None, "columns": None,
    }  # fmt: skip
    if isinstance(dataset, Composite):
        return facts | {"class": "composite"}
    if hasattr(dataset, "colnames"):
        columns = [dataset[name] for name in dataset.colnames]
        return facts | {
            "class": "table",
            "rows": len(dataset),
            "columns": [
                {
                    "name": column.name,
                    "unit": column.unit_text or None,
                    "dtype": str(column.dtype),
                    "shape": list(column.shape[1:]),
                    "description": column.description or "",
                }
                for column in columns
            ],
        }
    return facts | {
        "class": "array",
        "shape": list(dataset.shape),
        "dtype": str(dataset.dtype),
        "unit": dataset.unit_text or None,
    }


def meta_entries(meta: MetaData) -> list[dict[str, Any]]:
    """Return parameters with value, unit, description and type."""
    return [
        {
            "name": key,
            "value": item.value,
            "unit": item.unit or None,
            "description": item.description or None,
            "type": _TYPES.get(type(item.value), "time"),
        }
        for key, item in meta.items()
    ]


_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "text"}
