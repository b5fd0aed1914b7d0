"""What actions give back: jobs with their results, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from skypool.server.action_bodies import BODIES
from skypool.server.schema import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    Schema,
    choice,
    component,
    listing,
    maybe,
    record,
    told,
)

__all__ = ["EVENTS", "JOB", "JOBS", "RESULTS", "SHOWN"]

#: Results list the first so many names, paths and reasons; their counts are of all.
SHOWN: Final = 50
_COUNT: Final = told(INTEGER, "how many versions")
_BYTES: Final = told(INTEGER, "in bytes")
_LISTED: Final = listing(TEXT, maxItems=SHOWN)
_REASONS: Final = listing(listing(TEXT), maxItems=SHOWN)
_CHANGED: Final = record(["count"], count=_COUNT)
_SENT: Final = ("arrived", "accepted", "unanswered", "refused", "skipped")

_REPLY: Final = component(
    "Reply",
    record(
        ["ref", "target", "name", "state", "detail"], more=True,
        ref=told(TEXT, "name and version of the product"), urn=TEXT,
        target=told(TEXT, "id of the target"), name=told(TEXT, "name of the target"),
        state={"type": "string", "enum": list(_SENT)},
        detail=told(TEXT, "what the program said, or why nothing was sent"),
        mtype=told(TEXT, "SAMP's name of the message"), url=told(TEXT, "of what was sent"),
        offers=told(listing(TEXT), "URNs of what can be sent instead of a context"),
    ),
    "What came of sending one product.",
)  # fmt: skip

#: What `result` of a job holds when it is done, by its action.
RESULTS: Final[Mapping[str, Schema]] = {
    "tag": _CHANGED,
    "untag": _CHANGED,
    "rename": record(["ref", "was", "name"], ref=TEXT, was=TEXT, name=TEXT),
    "remove": record(
        ["count", "removed", "spared", "spared_count", "dry_run"],
        count=_COUNT, removed=told(_LISTED, "names"), dry_run=BOOLEAN,
        spared=told(_LISTED, "names of what others refer to, which stays"), spared_count=INTEGER,
    ),
    "restore": record(["count", "refs"], count=_COUNT, refs=listing(TEXT)),
    "undo": record(["count"], count=told(INTEGER, "how many commits")),
    "add": record(
        ["count", "unchanged", "refs", "names", "skipped"], more=True,
        count=_COUNT, unchanged=told(INTEGER, "files that the pool had already"),
        refs=_LISTED, names=_LISTED, skipped=told(_REASONS, "path and reason of each"),
        opaque=told(_REASONS, "files kept as bytes: path and reason"),
        notes=told(_REASONS, "path and what there is to know of it"),
        bytes_in=_BYTES, bytes_added=_BYTES,
    ),
    "export": record(
        ["folder", "count", "files", "paths", "bytes", "inexact"],
        folder=TEXT, count=_COUNT, files=told(INTEGER, "how many"), paths=_LISTED, bytes=_BYTES,
        inexact=told(_REASONS, "files that are not the bytes that came: path and reason"),
    ),
    "zip": record(["count", "bytes"], count=_COUNT, bytes=_BYTES),
    "copy": record(
        ["pool", "count", "unchanged", "refs"],
        pool=told(TEXT, "label"), count=_COUNT, refs=_LISTED,
        unchanged=told(INTEGER, "versions that the pool had already"),
    ),
    "send": record(
        ["count", "replies"], count=told(INTEGER, "how many arrived"), replies=listing(_REPLY)
    ),
    "receive": record(["count", "refs"], count=told(INTEGER, "how many came"), refs=_LISTED),
    "verify": record(["sound", "problems"], sound=BOOLEAN, problems=told(INTEGER, "how many")),
}  # fmt: skip

_CODE: Final = component(
    "Code",
    record(["python", "command", "url"], python=TEXT, command=TEXT, url=TEXT),
    "The same in Python, on the command line, and as the address of the page; empty for none.",
)
_FAULT: Final = record(["code", "message", "hint"], code=TEXT, message=TEXT, hint=TEXT)
_COMMIT: Final = record(["pool", "commit"], pool=TEXT, commit=INTEGER)
_STATES: Final = ("waiting", "running", "done", "failed", "cancelled")


def _job(action: str) -> Schema:
    """Return the schema of the jobs of an action, without the action itself."""
    return component(
        f"{action.capitalize()}Job",
        record(
            ["id", "state", "done", "total", "unit", "text", "name", "errors", "result", "code",
             "undo", "commits", "download", "began"], more=True,
            id=TEXT,
            state={"type": "string", "enum": list(_STATES)},
            done=told(INTEGER, "how far it is"),
            total=told(maybe(INTEGER), "how far it will come; null while that is not known"),
            unit=told(TEXT, "what both count, such as products or bytes"),
            text=told(TEXT, "what it does, for people"),
            name=told(TEXT, "what it is at"),
            errors=listing(_FAULT),
            result=told(maybe(RESULTS[action]), "when it is done; null before"),
            code=told(maybe(_CODE), "how to do the same elsewhere"),
            undo=told(BOOLEAN, "whether undo can take it back"),
            commits=told(listing(_COMMIT), "what it committed to which pools"),
            download=told(BOOLEAN, "whether it waits to be fetched"),
            began=told(NUMBER, "seconds since 1970"),
        ),
    )  # fmt: skip


JOB: Final = component(
    "Job", choice("action", {action: _job(action) for action in BODIES}), "Something being done."
)
JOBS: Final = record(["jobs"], jobs=listing(JOB))

#: The data of server-sent events, by the names of these.
EVENTS: Final[Mapping[str, Schema]] = {
    "pool": component(
        "PoolEvent",
        record(
            ["label", "commit", "new"], more=True,
            label=TEXT, commit=told(INTEGER, "the newest one"),
            new=told(INTEGER, "versions saved since what clients have seen"),
        ),
        "A pool has commits that no client has seen.",
    ),
    "job": JOB,
    "selected": component(
        "SelectedEvent",
        record(["ref"], more=True, ref=told(TEXT, "a version")),
        "In a notebook: Python chose a product that the page is to show.",
    ),
}  # fmt: skip
