"""The routes of products: what a version is, holds, refers to, and where it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from skypool.server.differences import difference, row_difference
from skypool.server.downloads import file_answer
from skypool.server.endpoint import Asked, Endpoint, integer, text
from skypool.server.facts import dataset_of, described, meta_entries
from skypool.server.headers import header_units
from skypool.server.methods import methods
from skypool.server.pools import split_ref
from skypool.server.schema import ANY, record
from skypool.server.storage_facts import storage
from skypool.server.trees import children, parents, tree
from skypool.server.versions import history, provenance, versions

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.server.context import Context

__all__ = ["routes"]

_GROUP = "Products"
_OBJECT = record(more=True)


def _ref(asked: Asked) -> Ref:
    return asked.context.pools.ref(asked["pool"], asked["n"])


def _product(asked: Asked) -> Any:
    return described(asked.context.pools[asked["pool"]], _ref(asked), asked["pool"])


def _meta(asked: Asked) -> Any:
    ref, path = _ref(asked), asked["dataset"]
    return {"entries": meta_entries(dataset_of(ref, path).meta if path else ref.meta)}


def _header(asked: Asked) -> Any:
    return {"hdus": header_units(_ref(asked))}


def _children(asked: Asked) -> Any:
    return children(_ref(asked), asked["pool"], asked["start"], asked["count"])


def _parents(asked: Asked) -> Any:
    return parents(_ref(asked), asked["pool"], asked["start"], asked["count"])


def _tree(asked: Asked) -> Any:
    return tree(_ref(asked), asked["pool"], asked["depth"])


def _versions(asked: Asked) -> Any:
    return {"versions": versions(_ref(asked), asked["pool"])}


def _history(asked: Asked) -> Any:
    return {"commits": history(_ref(asked))}


def _provenance(asked: Asked) -> Any:
    return provenance(_ref(asked))


def _pair(asked: Asked) -> tuple[Ref, Ref, tuple[str, str]]:
    """Return the two versions of a comparison, with the labels of their pools."""
    label, number = split_ref(asked["with"])
    first, second = _ref(asked), asked.context.pools.ref(label, number)
    return first, second, (asked["pool"], label)


def _diff(asked: Asked) -> Any:
    first, second, labels = _pair(asked)
    pools = (asked.context.pools[labels[0]], asked.context.pools[labels[1]])
    return difference(pools, first, second, labels)


def _diff_rows(asked: Asked) -> Any:
    first, second, _ = _pair(asked)
    return row_difference(first, second, asked["dataset"], asked["start"], asked["count"])


def _storage(asked: Asked) -> Any:
    return storage(_ref(asked), asked["pool"])


def _methods(asked: Asked) -> Any:
    return methods(_ref(asked))


def _file(asked: Asked) -> Response:
    return file_answer(_ref(asked), asked.request)


_RANGE = (integer("start", 0), integer("count", 500, 1, 2000))
_WITH = text("with", required=True, summary="the other version, <label of the pool>/<number>")
_ROWS = (
    _WITH,
    text("dataset", required=True, summary="path of a table"),
    integer("start", 0),
    integer("count", 100, 1, 1000),
)


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of products."""
    parts: tuple[tuple[str, Any, str, tuple[Any, ...]], ...] = (
        ("", _product, "What a version is, with its datasets.", ()),
        ("/meta", _meta, "Parameters of a version or of one of its datasets.",
         (text("dataset", summary="path of a dataset; without it the product's own"),)),
        ("/header", _header, "Cards of FITS headers, exactly as they are stored.", ()),
        ("/children", _children, "What it refers to.", _RANGE),
        ("/parents", _parents, "The versions that refer to it.", _RANGE),
        ("/tree", _tree, "It and what is below it.", (integer("depth", 2, 0, 20),)),
        ("/versions", _versions, "Versions of the product, the newest first.", ()),
        ("/history", _history, "Commits that concern the product, the newest first.", ()),
        ("/provenance", _provenance, "What was done to make it.", ()),
        ("/diff", _diff, "What differs from another version, of any open pool.", (_WITH,)),
        ("/diff/rows", _diff_rows, "Rows of a table that differ from another version.", _ROWS),
        ("/storage", _storage, "Where it is stored, and what it shares with others.", ()),
        ("/methods", _methods, "What can be done with it in Python.", ()),
    )  # fmt: skip
    found = [
        Endpoint(
            method="GET",
            path=f"products/{{pool}}/{{n}}{path}",
            answer=answer,
            summary=summary,
            parameters=parameters,
            result=_OBJECT,
            group=_GROUP,
        )
        for path, answer, summary, parameters in parts
    ]
    found.append(
        Endpoint(
            method="GET",
            path="products/{pool}/{n}/file",
            answer=_file,
            summary="The file as it came, or a zip file of a folder or context.",
            result=ANY,
            media="*/*",
            statuses={206: "a range of it", 304: "not changed", 416: "no such range"},
            group=_GROUP,
        )
    )
    return found
