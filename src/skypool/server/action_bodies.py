"""What clients send with each action: checked and described from the same lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from skypool.server.schema import (
    BOOLEAN,
    INTEGER,
    TEXT,
    Schema,
    choice,
    component,
    listing,
    record,
    told,
)
from skypool.server.selections import SELECTION

__all__ = ["BODIES", "BODY"]

_SOME_TAGS: Final = told(listing(TEXT, minItems=1, maxItems=100), "tags, free words", ["good"])
_ANY_TAGS: Final = told(listing(TEXT, maxItems=100), "tags that they get as well", ["good"])
_MESSAGE: Final = told(TEXT, "of the commit; without it, what is done")
_POOL: Final = told(TEXT, "label of an open pool", "temp1")
_REF: Final = told(TEXT, "a version: label of the pool and number", "temp1/3")
_SELECTED: Final = {"refs": ["temp1/3", "temp1/4"]}


def _body(title: str, schema: Schema, description: str, **example: Any) -> Schema:
    """Return the schema of an action, with an example of all but the action itself."""
    action = title[0].lower() + title[1:]
    return component(title, schema, description, {"action": action, **example})


_CHANGES: Final[Mapping[str, Schema]] = {
    "tag": _body(
        "Tag",
        record(["selection", "tags"], selection=SELECTION, tags=_SOME_TAGS, message=_MESSAGE),
        "Gives tags to versions.",
        selection=_SELECTED, tags=["good"], message="looked at",
    ),
    "untag": _body(
        "Untag",
        record(["selection", "tags"], selection=SELECTION, tags=_SOME_TAGS, message=_MESSAGE),
        "Takes tags from versions.",
        selection=_SELECTED, tags=["good"],
    ),
    "rename": _body(
        "Rename",
        record(
            ["ref", "name"], ref=_REF, name=told(TEXT, "its new name, with / for folders"),
            message=_MESSAGE,
        ),
        "Gives a product another name, with all its versions.",
        ref="temp1/3", name="m31/map",
    ),
    "remove": _body(
        "Remove",
        record(
            ["selection"], selection=SELECTION, message=_MESSAGE,
            children=told(BOOLEAN, "also what is named below, and what only they refer to"),
            dry_run=told(BOOLEAN, "tells what would go, and changes nothing"),
        ),
        "Takes products out of view, into the trash.",
        selection=_SELECTED, children=True, dry_run=True,
    ),
    "restore": _body(
        "Restore",
        record(
            ["refs"],
            refs=told(
                listing(TEXT, minItems=1, maxItems=100_000), "removed versions, as trash tells them"
            ),
        ),
        "Brings products back from the trash.",
        refs=["temp1/3"],
    ),
    "undo": _body(
        "Undo",
        record(
            [],
            job=told(TEXT, "a job whose commits are taken back"),
            pool=told(TEXT, "without a job: label of the pool of the commit"),
            commit=told(INTEGER, "without a job: number of the commit"),
        ),
        "Makes commits that do the contrary of a job's, or of one commit.",
        pool="temp1", commit=2,
    ),
}  # fmt: skip

_FILES: Final[Mapping[str, Schema]] = {
    "add": _body(
        "Add",
        record(
            ["pool"], pool=_POOL, tags=_ANY_TAGS, message=_MESSAGE,
            upload=told(TEXT, "what was uploaded; or else paths"),
            paths=told(
                listing(TEXT, minItems=1, maxItems=10_000),
                "files and folders on the server's disk, from the root or from ~",
            ),
            under=told(TEXT, "folder of their names"),
        ),
        "Adds files: uploaded ones, or such as are on the server's disk.",
        pool="temp1", paths=["~/incoming"], under="night1", tags=["raw"],
    ),
    "export": _body(
        "Export",
        record(
            ["selection", "folder"], selection=SELECTION,
            folder=told(TEXT, "on the server's disk, from the root or from ~; it is made"),
            overwrite=told(BOOLEAN, "replaces files that are there"),
            format=told(
                {"type": "string", "enum": ["", "hcss"]}, "how; as the files came without it"
            ),
        ),
        "Writes files into a folder on the server's disk.",
        selection=_SELECTED, folder="~/maps",
    ),
    "zip": _body(
        "Zip",
        record(["selection"], selection=SELECTION),
        "Makes a zip file while it is fetched, once, with `GET jobs/{id}/download`.",
        selection=_SELECTED,
    ),
    "copy": _body(
        "Copy",
        record(
            ["selection", "pool"], selection=SELECTION, tags=_ANY_TAGS, message=_MESSAGE,
            pool=told(TEXT, "label, name or path of the pool that they come into", "temp2"),
            create=told(BOOLEAN, "makes that pool if there is none"),
        ),
        "Copies products into another pool, with their tags and what they refer to.",
        selection=_SELECTED, pool="temp2", create=True, tags=["good"],
    ),
    "send": _body(
        "Send",
        record(
            ["selection", "target"], selection=SELECTION,
            target=told(
                TEXT, "id of a target, as `GET targets` tells them; `pool:`, `file:` and `text:` "
                "with a name or path", "ds9", "file:~/m31.fits",
            ),
            dataset=told(TEXT, "the one that is sent; by default what shows the product best"),
            start=told(BOOLEAN, "starts the program if it does not run"),
            force=told(BOOLEAN, "replaces a file that is there"),
        ),
        "Sends products to another program (SAMP), a pool or a file.",
        selection={"refs": ["temp1/3"]}, target="file:~/m31.fits",
    ),
    "receive": _body(
        "Receive",
        record(
            ["pool"], pool=_POOL,
            under=told(TEXT, "names of the products start with it; received/ by default"),
            count=told({**INTEGER, "minimum": 1}, "ends after so many; by default when cancelled"),
        ),
        "Takes images, tables and spectra that other programs send (SAMP) into a pool.",
        pool="temp1", count=1,
    ),
    "verify": _body(
        "Verify",
        record(
            ["pool"], pool=_POOL,
            quick=told(BOOLEAN, "structure and records only, not every byte of content"),
        ),
        "Looks whether all that a pool holds is what it was.",
        pool="temp1", quick=True,
    ),
}  # fmt: skip

#: The schema of each action, without the action itself.
BODIES: Final[Mapping[str, Schema]] = {**_CHANGES, **_FILES}
BODY: Final = component("Action", choice("action", BODIES), "What is to be done.")
